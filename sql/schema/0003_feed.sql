-- Feeding daemons: what a daemon reads from disk is kept equal to what SQL says.
-- The tables here are generic; a kind of daemon is one row of feed plus its two functions.

CREATE SCHEMA nmsp_feed;
COMMENT ON SCHEMA nmsp_feed IS
    'Keeps what daemons read from disk equal to the database: kinds of daemons, targets, changes, manifest';

CREATE TYPE nmsp_feed.artifact_key AS (part text, id bigint);
COMMENT ON TYPE nmsp_feed.artifact_key IS 'Names one artifact of a target';

CREATE TYPE nmsp_feed.rendered AS (part text, id bigint, path text, content bytea, error text);
COMMENT ON TYPE nmsp_feed.rendered IS 'One artifact as its render function gave it, or the error it raised';

CREATE TYPE nmsp_feed.work AS (action text, part text, id bigint, path text, content bytea, sha256 bytea, token text,
                               vital boolean);
COMMENT ON TYPE nmsp_feed.work IS
    'One row of work for the feeder: put, drop (no longer wanted), remove (delete this path), batch (what to confirm), again (pull once more)';

CREATE TABLE nmsp_feed.feed (
    name text PRIMARY KEY
        CONSTRAINT feed_name_is_plain CHECK (name ~ '^[a-z][a-z0-9_]{0,39}$'),
    mode text NOT NULL DEFAULT 'file'
        CONSTRAINT feed_mode_is_file_or_set CHECK (mode IN ('file', 'set')),
    keys_function text NOT NULL
        CONSTRAINT keys_function_is_qualified_name CHECK (keys_function ~ '^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$'),
    render_function text NOT NULL
        CONSTRAINT render_function_is_qualified_name CHECK (render_function ~ '^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$'),
    validate_command text,
    reload_command text,
    vital_parts text[] NOT NULL DEFAULT '{}',
    rank integer NOT NULL DEFAULT 10,
    naming_causes text[],
    batch_rows integer NOT NULL DEFAULT 500
        CONSTRAINT batch_rows_is_sensible CHECK (batch_rows BETWEEN 1 AND 100000),
    bulk_rows integer NOT NULL DEFAULT 200
        CONSTRAINT bulk_rows_is_sensible CHECK (bulk_rows BETWEEN 1 AND 1000000),
    behind_rows integer NOT NULL DEFAULT 100000
        CONSTRAINT behind_rows_is_positive CHECK (behind_rows > 0),
    grace interval NOT NULL DEFAULT '0'
        CONSTRAINT grace_is_not_negative CHECK (grace >= '0'::interval),
    command_timeout interval NOT NULL DEFAULT '60 s'
        CONSTRAINT command_timeout_is_sensible CHECK (command_timeout BETWEEN '1 s' AND '1 h')
);
COMMENT ON TABLE nmsp_feed.feed IS 'Kinds of daemons: one row makes a daemon known, no C needed. Seeded by nmsp.migrate()';
COMMENT ON COLUMN nmsp_feed.feed.mode IS
    'file: each artifact is put in place on its own; set: all artifacts form one generation that is validated and switched as a whole';
COMMENT ON COLUMN nmsp_feed.feed.keys_function IS
    'f(target bigint, cause text, ids bigint[], after_part text, after_id bigint, max_rows int) RETURNS TABLE(part text, id bigint): '
    'the artifacts a change touches, ordered by (part, id), only those after (after_part, after_id); cause all (ids null) = every artifact';
COMMENT ON COLUMN nmsp_feed.feed.render_function IS
    'f(target bigint, part text, ids bigint[]) RETURNS TABLE(id bigint, path text, content bytea): '
    'the artifacts that should exist; an id without a row means that its artifact must go';
COMMENT ON COLUMN nmsp_feed.feed.validate_command IS
    'Name in the file nmsp.command_file; mode set only; run in the folder of the new generation before it goes into service';
COMMENT ON COLUMN nmsp_feed.feed.reload_command IS 'Name in the file nmsp.command_file; run after a change went into service';
COMMENT ON COLUMN nmsp_feed.feed.vital_parts IS
    'Mode set: when the daemon blames an artifact of these parts, the whole new generation is refused, not this artifact alone';
COMMENT ON COLUMN nmsp_feed.feed.rank IS
    'Targets of lower rank are brought up to date right before the new state of a higher rank goes into service';
COMMENT ON COLUMN nmsp_feed.feed.naming_causes IS
    'Causes by which artifacts come or get other names, so that higher ranks wait for their walks; null: any. Others only change contents';
COMMENT ON COLUMN nmsp_feed.feed.batch_rows IS 'Artifacts per batch (mode file; a set is always made in one piece)';
COMMENT ON COLUMN nmsp_feed.feed.bulk_rows IS 'A cause that touches more artifacts than this is walked in batches, single changes overtake';
COMMENT ON COLUMN nmsp_feed.feed.behind_rows IS 'A target that is behind by more changed rows than this is reconciled whole';
COMMENT ON COLUMN nmsp_feed.feed.grace IS 'How long a file stays in place after its artifact is gone or renamed (mode file)';
COMMENT ON COLUMN nmsp_feed.feed.command_timeout IS 'A command that runs longer is killed';

CREATE TABLE nmsp_feed.dependency (
    feed text NOT NULL
        CONSTRAINT dependency_needs_an_existing_feed REFERENCES nmsp_feed.feed ON UPDATE CASCADE ON DELETE CASCADE,
    relation text NOT NULL,
    columns text[],
    causes jsonb
        CONSTRAINT causes_is_object CHECK (jsonb_typeof(causes) = 'object'),
    PRIMARY KEY (feed, relation)
);
COMMENT ON TABLE nmsp_feed.dependency IS
    'On which tables and columns the artifacts of a feed depend; nmsp_feed.install_triggers() makes the triggers from it';
COMMENT ON COLUMN nmsp_feed.dependency.relation IS 'Table, as schema.name (schema nmsp when left out)';
COMMENT ON COLUMN nmsp_feed.dependency.columns IS 'An UPDATE counts only when one of these changed; null = any column';
COMMENT ON COLUMN nmsp_feed.dependency.causes IS
    'Cause -> column that holds its ids, both before and after the change, e.g. {"modem": "id", "netgw": "netgw_id"}; '
    'null = the table''s name and its column id, or cause all where there is no such column';

CREATE TABLE nmsp_feed.target (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    feed text NOT NULL
        CONSTRAINT target_needs_an_existing_feed REFERENCES nmsp_feed.feed ON UPDATE CASCADE,
    name text NOT NULL DEFAULT 'default',
    root text NOT NULL CONSTRAINT target_root_is_already_used UNIQUE
        CONSTRAINT root_is_absolute_path CHECK (root ~ '^/' AND root !~ '(^|/)\.\.?(/|$)' AND root !~ '//' AND root !~ '.+/$'),
    enabled boolean NOT NULL DEFAULT true,
    settings jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT settings_is_object CHECK (jsonb_typeof(settings) = 'object'),
    snapshot pg_snapshot,
    home text,
    check_requested timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    attempted pg_snapshot,
    attempted_at timestamptz,
    next_attempt timestamptz,
    error text,
    error_at timestamptz,
    applied_at timestamptz,
    check_begun timestamptz,
    check_done bigint NOT NULL DEFAULT 0,
    artifacts bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    CONSTRAINT target_name_is_already_used UNIQUE (feed, name)
);
COMMENT ON TABLE nmsp_feed.target IS
    'One instance of a daemon and the folder it reads. The operator''s columns are feed, name, root, enabled and settings; the rest is the feeder''s';
COMMENT ON COLUMN nmsp_feed.target.root IS 'Folder, inside one of the folders of the setting nmsp.feed_roots';
COMMENT ON COLUMN nmsp_feed.target.settings IS 'What the feed''s functions want to know about this instance';
COMMENT ON COLUMN nmsp_feed.target.snapshot IS
    'Changes visible in this snapshot are applied or stored in bulk; null = nothing is known, the target is reconciled whole';
COMMENT ON COLUMN nmsp_feed.target.home IS
    'Cluster, database, table and version of the code that snapshot belongs to; when it differs, the snapshot is void';
COMMENT ON COLUMN nmsp_feed.target.check_requested IS 'Disk is to be compared with the manifest; null = done';
COMMENT ON COLUMN nmsp_feed.target.check_begun IS 'When the comparison of disk with the manifest that is under way began; null = none is';
COMMENT ON COLUMN nmsp_feed.target.check_done IS 'Artifacts it has looked at';
COMMENT ON COLUMN nmsp_feed.target.artifacts IS 'Artifacts in place; kept by a trigger of nmsp_feed.artifact, so only the feeder writes it';
COMMENT ON COLUMN nmsp_feed.target.quarantined IS 'Artifacts whose desired content is not in place; kept in the same way';
COMMENT ON COLUMN nmsp_feed.target.bytes IS 'Size of all artifacts; kept in the same way';
COMMENT ON COLUMN nmsp_feed.target.attempted IS 'Snapshot of the last attempt that failed: newer changes are tried without waiting for next_attempt';
COMMENT ON COLUMN nmsp_feed.target.error IS 'Why the last attempt failed, with the daemon''s own message; null = it did not';

CREATE TABLE nmsp_feed.change (
    id bigint GENERATED ALWAYS AS IDENTITY,
    feed text NOT NULL,
    cause text NOT NULL,
    ids bigint[],
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX change_feed_xid ON nmsp_feed.change (feed, xid);
COMMENT ON TABLE nmsp_feed.change IS
    'What changed, one row per statement, feed and cause; append-only, written by triggers, deleted when every target has it';
COMMENT ON COLUMN nmsp_feed.change.cause IS 'Name of the table, or all';
COMMENT ON COLUMN nmsp_feed.change.ids IS 'Rows that changed; null with cause all';
COMMENT ON COLUMN nmsp_feed.change.xid IS 'Transaction that made the change: compared with the snapshot a target has applied, so late commits are never lost';

CREATE TABLE nmsp_feed.bulk (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    target_id bigint NOT NULL
        CONSTRAINT bulk_needs_an_existing_target REFERENCES nmsp_feed.target ON DELETE CASCADE,
    cause text NOT NULL,
    part text,
    ids bigint[],
    after_part text,
    after_id bigint,
    done bigint NOT NULL DEFAULT 0,
    total bigint,
    begun timestamptz,
    counted bigint NOT NULL DEFAULT 0,
    counted_part text,
    counted_id bigint,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX bulk_target ON nmsp_feed.bulk (target_id);
COMMENT ON TABLE nmsp_feed.bulk IS 'Causes that touch many artifacts of a target, walked in batches by a cursor';
COMMENT ON COLUMN nmsp_feed.bulk.cause IS 'As in nmsp_feed.change; artifact = part and ids are the artifacts themselves';
COMMENT ON COLUMN nmsp_feed.bulk.total IS 'Artifacts to walk, as many as there were when they were counted; null = not counted yet';
COMMENT ON COLUMN nmsp_feed.bulk.begun IS 'When its first batch was in place; null = it waits';
COMMENT ON COLUMN nmsp_feed.bulk.counted IS 'Artifacts counted so far';
COMMENT ON COLUMN nmsp_feed.bulk.counted_part IS 'Cursor of the count: part of the last artifact counted';
COMMENT ON COLUMN nmsp_feed.bulk.counted_id IS 'Cursor of the count: its id';

CREATE TABLE nmsp_feed.artifact (
    target_id bigint NOT NULL
        CONSTRAINT artifact_needs_an_existing_target REFERENCES nmsp_feed.target ON DELETE CASCADE,
    part text NOT NULL,
    id bigint NOT NULL,
    path text,
    sha256 bytea,
    size bigint,
    applied_at timestamptz,
    error text,
    rejected bytea,
    PRIMARY KEY (target_id, part, id)
) WITH (fillfactor = 50);
CREATE INDEX artifact_path ON nmsp_feed.artifact (target_id, path);
CREATE INDEX artifact_error ON nmsp_feed.artifact (target_id) WHERE error IS NOT NULL;
COMMENT ON TABLE nmsp_feed.artifact IS 'The manifest: what is in place at each target';
COMMENT ON COLUMN nmsp_feed.artifact.path IS 'Relative to the target''s root; null = nothing is in place';
COMMENT ON COLUMN nmsp_feed.artifact.sha256 IS 'Of the content in place; null = not known, it is written again';
COMMENT ON COLUMN nmsp_feed.artifact.error IS
    'Why the present desired content is not in place (quarantine): the render function''s error or the daemon''s own message';
COMMENT ON COLUMN nmsp_feed.artifact.rejected IS 'SHA-256 over the path and the hash of the content that was refused';

CREATE TABLE nmsp_feed.gone (
    target_id bigint NOT NULL
        CONSTRAINT gone_needs_an_existing_target REFERENCES nmsp_feed.target ON DELETE CASCADE,
    path text NOT NULL,
    remove_after timestamptz NOT NULL,
    PRIMARY KEY (target_id, path)
);
COMMENT ON TABLE nmsp_feed.gone IS 'Files of artifacts that are gone or renamed, kept for the grace time of the feed';

CREATE TABLE nmsp_feed.agent (
    name text NOT NULL,
    work text NOT NULL
        CONSTRAINT agent_work_is_feed_or_serve CHECK (work IN ('feed', 'serve')),
    version text NOT NULL,
    serves text[] NOT NULL DEFAULT '{}',
    address inet,
    pid integer NOT NULL,
    began timestamptz NOT NULL,
    seen timestamptz NOT NULL,
    PRIMARY KEY (name, work)
) WITH (fillfactor = 50);
COMMENT ON TABLE nmsp_feed.agent IS 'The processes of nmsp-agent that reported, each every few seconds';
COMMENT ON COLUMN nmsp_feed.agent.name IS 'Its name: feed_agent or name in its configuration';
COMMENT ON COLUMN nmsp_feed.agent.work IS 'feed: it feeds the targets that name it; serve: it answers modems and DHCP servers';
COMMENT ON COLUMN nmsp_feed.agent.version IS 'Version of the program';
COMMENT ON COLUMN nmsp_feed.agent.serves IS 'What it serves: download, time, lookup, leases; feed';
COMMENT ON COLUMN nmsp_feed.agent.address IS 'Where it connects from; null: by a socket of this machine';
COMMENT ON COLUMN nmsp_feed.agent.pid IS 'Its process there';
COMMENT ON COLUMN nmsp_feed.agent.began IS 'When it was started';
COMMENT ON COLUMN nmsp_feed.agent.seen IS 'When it reported last';

COMMENT ON COLUMN nmsp_feed.feed.name IS 'Name of the kind of daemon';
COMMENT ON COLUMN nmsp_feed.dependency.feed IS 'The feed that depends';
COMMENT ON COLUMN nmsp_feed.target.id IS 'Key';
COMMENT ON COLUMN nmsp_feed.target.feed IS 'Kind of daemon';
COMMENT ON COLUMN nmsp_feed.target.name IS 'Name of this instance, for people';
COMMENT ON COLUMN nmsp_feed.target.enabled IS 'Whether the feeder serves it; enabling it again reconciles it whole';
COMMENT ON COLUMN nmsp_feed.target.attempts IS 'Failed attempts in a row';
COMMENT ON COLUMN nmsp_feed.target.attempted_at IS 'When the last failed attempt was';
COMMENT ON COLUMN nmsp_feed.target.next_attempt IS 'When the next attempt is due; null = it did not fail';
COMMENT ON COLUMN nmsp_feed.target.error_at IS 'When error was met';
COMMENT ON COLUMN nmsp_feed.target.applied_at IS 'When it was last brought up to date';
COMMENT ON COLUMN nmsp_feed.change.id IS 'Order in which rows were written, not in which they were committed';
COMMENT ON COLUMN nmsp_feed.change.feed IS 'Feed that depends on what changed';
COMMENT ON COLUMN nmsp_feed.change.at IS 'When the transaction began';
COMMENT ON COLUMN nmsp_feed.bulk.id IS 'Key; smaller ones are walked first';
COMMENT ON COLUMN nmsp_feed.bulk.target_id IS 'Target';
COMMENT ON COLUMN nmsp_feed.bulk.part IS 'With cause artifact: part of the artifacts';
COMMENT ON COLUMN nmsp_feed.bulk.ids IS 'What changed, as in nmsp_feed.change; with cause artifact: the artifacts';
COMMENT ON COLUMN nmsp_feed.bulk.after_part IS 'Cursor: part of the last artifact that is done; null = none yet';
COMMENT ON COLUMN nmsp_feed.bulk.after_id IS 'Cursor: id of the last artifact that is done';
COMMENT ON COLUMN nmsp_feed.bulk.done IS 'Artifacts walked so far';
COMMENT ON COLUMN nmsp_feed.bulk.at IS 'When the walk was asked for';
COMMENT ON COLUMN nmsp_feed.artifact.target_id IS 'Target';
COMMENT ON COLUMN nmsp_feed.artifact.part IS 'Kind of artifact, as its feed names it';
COMMENT ON COLUMN nmsp_feed.artifact.id IS 'Which one, as its feed numbers it';
COMMENT ON COLUMN nmsp_feed.artifact.size IS 'Bytes in place';
COMMENT ON COLUMN nmsp_feed.artifact.applied_at IS 'When it was put in place';
COMMENT ON COLUMN nmsp_feed.gone.target_id IS 'Target';
COMMENT ON COLUMN nmsp_feed.gone.path IS 'File, relative to the root';
COMMENT ON COLUMN nmsp_feed.gone.remove_after IS 'When it is removed';
