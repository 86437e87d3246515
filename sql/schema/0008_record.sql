-- Feeding by records: daemons that take changes over a protocol (a command reads them) instead of
-- from files, and what BIND needs to know beside.

ALTER TABLE nmsp_feed.feed
    DROP CONSTRAINT feed_mode_is_file_or_set,
    ADD COLUMN apply_command text,
    ADD COLUMN apply_function text
        CONSTRAINT apply_function_is_qualified_name CHECK (apply_function ~ '^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$'),
    ADD COLUMN session text[]
        CONSTRAINT session_has_five_texts CHECK (cardinality(session) = 5 AND array_position(session, NULL) IS NULL),
    ADD COLUMN read_command text,
    ADD COLUMN read_function text
        CONSTRAINT read_function_is_qualified_name CHECK (read_function ~ '^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$'),
    ADD COLUMN seen_function text
        CONSTRAINT seen_function_is_qualified_name CHECK (seen_function ~ '^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$'),
    ADD CONSTRAINT feed_mode_is_file_set_or_record CHECK (mode IN ('file', 'set', 'record')),
    ADD CONSTRAINT record_needs_a_way_to_apply CHECK (mode <> 'record' OR (apply_command IS NOT NULL AND apply_function IS NOT NULL)),
    ADD CONSTRAINT reading_needs_command_and_functions CHECK (num_nulls(read_command, read_function, seen_function) IN (0, 3));
COMMENT ON COLUMN nmsp_feed.feed.mode IS
    'file: each artifact is put in place on its own; set: all artifacts form one generation that is validated and switched as a whole; '
    'record: each artifact is a record that the daemon takes from a command (path = what names it, content = its canonical text)';
COMMENT ON COLUMN nmsp_feed.feed.apply_command IS 'Mode record: name in the file nmsp.command_file; reads changes and exits with 0 when the daemon took all of them';
COMMENT ON COLUMN nmsp_feed.feed.apply_function IS
    'Mode record: f(target bigint, action text[], path text[], content bytea[]) RETURNS TABLE(name text, script text): the input of apply_command, '
    'one row per run, name = what its message begins with; where nothing is wrong all of them are given to one run. Actions: put, drop, and probe: a run that changes nothing but succeeds only where the daemon would take changes of this path';
COMMENT ON COLUMN nmsp_feed.feed.session IS
    'Mode record: how apply_command can stay running and take the input of run after run, so that small changes need no start of a program: what it is given first; '
    'the line that ends a message; how the line begins by which it announces an answer (on descriptor 2); how the next line begins when the daemon took the message; '
    'how lines begin that tell trouble. Any answer but taken ends it, and an ordinary run is made, which tells more. Null: each run is a start';
COMMENT ON COLUMN nmsp_feed.feed.read_command IS 'Mode record: name in the file nmsp.command_file; prints what the daemon has. Null: it cannot be read, so nothing is compared';
COMMENT ON COLUMN nmsp_feed.feed.read_function IS 'Mode record: f(target bigint) RETURNS text: the input of read_command';
COMMENT ON COLUMN nmsp_feed.feed.seen_function IS
    'Mode record: f(target bigint, output text) RETURNS TABLE(path text, content text, owned boolean): the lines of a piece of read_command''s output; '
    'lines of one path are joined in the order of their bytes, each ends with a line feed. owned: goes when no artifact has this path. '
    'Called with null at the end; it raises an exception when what is in nmsp_feed.seen is not complete';

CREATE UNLOGGED TABLE nmsp_feed.seen (
    target_id bigint NOT NULL
        CONSTRAINT seen_needs_an_existing_target REFERENCES nmsp_feed.target ON DELETE CASCADE,
    path text NOT NULL,
    content text NOT NULL,
    owned boolean NOT NULL
);
CREATE INDEX seen_target ON nmsp_feed.seen (target_id);
COMMENT ON TABLE nmsp_feed.seen IS 'What a daemon said it has, while that is compared with the manifest; empty otherwise';
COMMENT ON COLUMN nmsp_feed.seen.target_id IS 'Target';
COMMENT ON COLUMN nmsp_feed.seen.path IS 'Record, as nmsp_feed.artifact.path';
COMMENT ON COLUMN nmsp_feed.seen.content IS 'One line of its content';
COMMENT ON COLUMN nmsp_feed.seen.owned IS 'Whether it goes when no artifact has this path';

-- It returns more columns now.
DROP FUNCTION IF EXISTS nmsp_feed.targets();

ALTER TABLE nmsp.setting ADD COLUMN dns_ttl int NOT NULL DEFAULT 3600
    CONSTRAINT setting_dns_ttl_between_0_and_604800 CHECK (dns_ttl BETWEEN 0 AND 604800);
COMMENT ON COLUMN nmsp.setting.dns_ttl IS 'Time to live of DNS records in seconds.';
ALTER TABLE nmsp.setting_secret ADD COLUMN cpe_name_key bytea
    CONSTRAINT setting_secret_cpe_name_key_is_16_to_64_bytes CHECK (octet_length(cpe_name_key) BETWEEN 16 AND 64);
COMMENT ON COLUMN nmsp.setting_secret.cpe_name_key IS
    'Key of the stable names of CPEs in DNS (HMAC-SHA-256 of the hardware address), so that nobody can tell the address from the name; null: no such names.';
