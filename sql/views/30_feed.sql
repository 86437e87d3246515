-- The generic part of feeding: what the feeder calls (targets, pull, confirm, fail, manifest,
-- dirty, checked) and what the operator calls (reconcile, status). 31_feed_triggers.sql records
-- changes; a feed's own functions are in 4x_feed_*.sql. Nothing here is a member of the extension.

-- ---------------------------------------------------------------- small helpers

CREATE OR REPLACE FUNCTION nmsp_feed.protocol() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 4;
COMMENT ON FUNCTION nmsp_feed.protocol() IS 'Version of the interface between the feeder and these functions';

CREATE OR REPLACE FUNCTION nmsp_feed.wake() RETURNS void
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    -- The tables outlive the extension: without its code a write must still work.
    IF to_regprocedure('nmsp.feed_wake()') IS NOT NULL THEN
        PERFORM nmsp.feed_wake();
    END IF;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.wake() IS 'Wakes the feeder of this database when the transaction commits';

CREATE OR REPLACE FUNCTION nmsp_feed._home() RETURNS text
LANGUAGE sql STABLE
RETURN (SELECT format('%s/%s/%s/%s', s.system_identifier, d.oid, pg_relation_filenode('nmsp_feed.target'::regclass),
                      (SELECT x.extversion FROM pg_extension x WHERE x.extname = 'nmsp'))
          FROM pg_control_system() s, pg_database d WHERE d.datname = current_database());
COMMENT ON FUNCTION nmsp_feed._home() IS
    'Names this incarnation of tables and code: differs after a restore into another cluster, database or table, '
    'and after an update of the extension (which may render differently); then snapshots are void';

CREATE OR REPLACE FUNCTION nmsp_feed._pending(p_target bigint)
RETURNS SETOF nmsp_feed.change
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
    SELECT c.*
      FROM nmsp_feed.target t
      JOIN nmsp_feed.change c ON c.feed = t.feed AND c.xid >= pg_snapshot_xmin(t.snapshot)
     WHERE t.id = p_target AND NOT pg_visible_in_snapshot(c.xid, t.snapshot);
END;
COMMENT ON FUNCTION nmsp_feed._pending(bigint) IS
    'Changes that are committed now and not in the snapshot the target has applied';

-- ---------------------------------------------------------------- what the feeder calls

CREATE OR REPLACE FUNCTION nmsp_feed._is_mine(p_target nmsp_feed.target) RETURNS boolean
LANGUAGE sql STABLE
-- the server's own feeders have no name; an agent says its own when it connects
RETURN coalesce(p_target.settings ->> 'agent', '') = coalesce(current_setting('nmsp_feed.agent', true), '');
COMMENT ON FUNCTION nmsp_feed._is_mine(nmsp_feed.target) IS
    'Whether this session''s engine serves the target: one whose settings name an agent is that agent''s, the others are the server''s own';

DROP FUNCTION IF EXISTS nmsp_feed.targets();
CREATE OR REPLACE FUNCTION nmsp_feed.targets(p_feeder integer DEFAULT 0, p_feeders integer DEFAULT 1)
RETURNS TABLE (id bigint, feed text, name text, mode text, rank integer, root text, validate_command text,
               reload_command text, timeout_ms bigint, wait_ms bigint, check_requested timestamptz, blocked boolean,
               apply_command text, read_command text, single boolean, many boolean, lowest boolean)
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
#variable_conflict use_column
BEGIN
    -- In plpgsql, since this runs at each wake: its plan is kept, that of a function in SQL is made at each call.
    RETURN QUERY
    SELECT t.id, t.feed, t.name, f.mode, f.rank, t.root, f.validate_command, f.reload_command,
           (extract(epoch FROM f.command_timeout) * 1000)::bigint,
           CASE
               WHEN x.blocked THEN
                   ceil(extract(epoch FROM least(t.next_attempt - clock_timestamp(), CASE WHEN v.newer THEN interval '1 s' END)) * 1000)::bigint
               WHEN v.work OR t.check_requested IS NOT NULL THEN 0
               ELSE least(p.ms, (SELECT greatest(0, ceil(extract(epoch FROM min(g.remove_after) - clock_timestamp()) * 1000))::bigint
                                   FROM nmsp_feed.gone g WHERE g.target_id = t.id AND f.mode <> 'set' HAVING count(*) > 0))
           END,
           t.check_requested, coalesce(x.blocked, false), f.apply_command, f.read_command, w.single,
           w.many OR EXISTS (SELECT FROM nmsp_feed.gone g WHERE g.target_id = t.id AND g.remove_after <= clock_timestamp()),
           NOT EXISTS (SELECT FROM nmsp_feed.target o JOIN nmsp_feed.feed l ON l.name = o.feed WHERE o.enabled AND l.rank < f.rank)
      FROM (SELECT nmsp_feed.pass_time() AS ms OFFSET 0) p
     CROSS JOIN (SELECT nmsp_feed._home() AS home OFFSET 0) h -- once: it reads a file
     CROSS JOIN (SELECT x.*, row_number() OVER (ORDER BY x.id) AS nth FROM nmsp_feed.target x WHERE nmsp_feed._is_mine(x)) t
      JOIN nmsp_feed.feed f ON f.name = t.feed
     CROSS JOIN LATERAL (
           SELECT t.snapshot IS NULL OR t.home IS DISTINCT FROM h.home
                  OR EXISTS (SELECT FROM nmsp_feed._pending(t.id))
                  -- where nothing waits, an attempt shows whether what failed is well again
                  OR t.error IS NOT NULL AND f.mode <> 'record' AS single,
                  EXISTS (SELECT FROM nmsp_feed.bulk b WHERE b.target_id = t.id) AS many) w
     CROSS JOIN LATERAL (
           SELECT w.single OR w.many AS work,
                  t.next_attempt IS NOT NULL AND EXISTS (
                      SELECT FROM nmsp_feed.change c
                       WHERE c.feed = t.feed AND c.xid >= pg_snapshot_xmin(t.attempted)
                         AND NOT pg_visible_in_snapshot(c.xid, t.attempted)) AS newer) v
     CROSS JOIN LATERAL (
           -- an attempt in the future: the clock was set back, and no wait counts that was measured by it
           SELECT t.next_attempt > clock_timestamp() AND t.attempted_at <= clock_timestamp()
                  AND NOT (v.newer AND t.attempted_at < clock_timestamp() - interval '1 s') AS blocked) x
     WHERE t.enabled AND t.nth % p_feeders = p_feeder
     ORDER BY f.rank, t.id;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.targets(integer, integer) IS
    'For the feeder: its targets in order of rank and when there is something to do (wait_ms: 0 = now; '
    'single: changes wait, many: a walk or files to remove; lowest: no target has a lower rank). Several feeders deal the targets out among themselves. What begins or ends at this moment is recorded on the way';

CREATE OR REPLACE FUNCTION nmsp_feed._keys(p_function text, p_target bigint, p_cause text, p_ids bigint[],
                                           p_after_part text, p_after_id bigint, p_max integer)
RETURNS nmsp_feed.artifact_key[]
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    result nmsp_feed.artifact_key[];
BEGIN
    EXECUTE format('SELECT array_agg(ROW(k.part, k.id)::nmsp_feed.artifact_key) FROM (
                    SELECT DISTINCT part, id FROM %s($1, $2, $3, $4, $5, $6) ORDER BY part, id LIMIT $6) k', p_function)
       INTO result USING p_target, p_cause, p_ids, p_after_part, p_after_id, p_max;
    RETURN coalesce(result, '{}');
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._keys(text, bigint, text, bigint[], text, bigint, integer) IS 'Calls a feed''s keys function';

CREATE OR REPLACE FUNCTION nmsp_feed._render(p_function text, p_target bigint, p_part text, p_ids bigint[])
RETURNS nmsp_feed.rendered[]
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    result nmsp_feed.rendered[];
    half integer := cardinality(p_ids) / 2;
    message text;
    detail text;
BEGIN
    -- One bad artifact must not stop the others: halve the batch until it stands alone.
    BEGIN
        EXECUTE format('SELECT array_agg(ROW($2, r.id, r.path, r.content, NULL)::nmsp_feed.rendered)
                          FROM %s($1, $2, $3) r', p_function)
           INTO result USING p_target, p_part, p_ids;
        RETURN coalesce(result, '{}');
    EXCEPTION WHEN OTHERS THEN
        IF half > 0 THEN
            NULL;
        ELSE
            GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
            RETURN ARRAY[ROW(p_part, p_ids[1], NULL, NULL, concat_ws(': ', message, nullif(detail, '')))::nmsp_feed.rendered];
        END IF;
    END;
    RETURN nmsp_feed._render(p_function, p_target, p_part, p_ids[:half])
        || nmsp_feed._render(p_function, p_target, p_part, p_ids[half + 1:]);
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._render(text, bigint, text, bigint[]) IS
    'Calls a feed''s render function; what raises an exception comes back as a row with its error';

CREATE OR REPLACE FUNCTION nmsp_feed._store_bulk(p_target nmsp_feed.target, p_feed nmsp_feed.feed)
RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    many boolean;
BEGIN
    IF p_target.home IS DISTINCT FROM nmsp_feed._home() THEN
        PERFORM nmsp_feed.prune();
    END IF;
    IF p_target.snapshot IS NULL OR p_target.home IS DISTINCT FROM nmsp_feed._home()
       OR (SELECT sum(greatest(cardinality(c.ids), 1)) FROM nmsp_feed._pending(p_target.id) c) > p_feed.behind_rows
       OR EXISTS (SELECT FROM nmsp_feed._pending(p_target.id) c WHERE c.ids IS NULL) THEN
        DELETE FROM nmsp_feed.bulk b WHERE b.target_id = p_target.id;
        INSERT INTO nmsp_feed.bulk (target_id, cause) VALUES (p_target.id, 'all');
    ELSE
        SELECT coalesce(bool_or(cardinality(nmsp_feed._keys(p_feed.keys_function, p_target.id, c.cause, c.ids,
                                                            NULL, NULL, p_feed.bulk_rows + 1)) > p_feed.bulk_rows), false)
          INTO many
          FROM (SELECT p.cause, array_agg(DISTINCT u.id) AS ids
                  FROM nmsp_feed._pending(p_target.id) p, unnest(p.ids) u(id) GROUP BY p.cause) c;
        IF NOT many THEN
            RETURN false;
        END IF;
        INSERT INTO nmsp_feed.bulk (target_id, cause, ids)
        SELECT p_target.id, p.cause, array_agg(DISTINCT u.id)
          FROM nmsp_feed._pending(p_target.id) p, unnest(p.ids) u(id)
         GROUP BY p.cause
         ORDER BY count(*);
    END IF;
    UPDATE nmsp_feed.target t
       SET snapshot = pg_current_snapshot(), home = nmsp_feed._home(),
           check_requested = CASE WHEN t.home <> nmsp_feed._home() THEN clock_timestamp() ELSE t.check_requested END
     WHERE t.id = p_target.id;
    RETURN true;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._store_bulk(nmsp_feed.target, nmsp_feed.feed) IS
    'Turns changes that touch too many artifacts into rows of bulk and moves the target''s snapshot on; false = there are none';

CREATE OR REPLACE FUNCTION nmsp_feed._bulk_keys(p_bulk nmsp_feed.bulk, p_feed nmsp_feed.feed, p_max integer)
RETURNS nmsp_feed.artifact_key[]
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    result nmsp_feed.artifact_key[];
BEGIN
    IF p_bulk.cause = 'artifact' THEN
        SELECT array_agg(ROW(p_bulk.part, i.id)::nmsp_feed.artifact_key ORDER BY i.id) INTO result
          FROM (SELECT DISTINCT u.id FROM unnest(p_bulk.ids) u(id)
                 WHERE p_bulk.after_id IS NULL OR u.id > p_bulk.after_id ORDER BY u.id LIMIT p_max) i;
        RETURN coalesce(result, '{}');
    END IF;
    RETURN nmsp_feed._keys(p_feed.keys_function, p_bulk.target_id, p_bulk.cause, p_bulk.ids,
                           p_bulk.after_part, p_bulk.after_id, p_max);
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._bulk_keys(nmsp_feed.bulk, nmsp_feed.feed, integer) IS 'The next artifacts of a row of bulk';

CREATE OR REPLACE FUNCTION nmsp_feed._stale_keys(p_bulk nmsp_feed.bulk, p_last nmsp_feed.artifact_key)
RETURNS nmsp_feed.artifact_key[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(array_agg(ROW(a.part, a.id)::nmsp_feed.artifact_key), '{}')
      FROM nmsp_feed.artifact a
     WHERE a.target_id = p_bulk.target_id
       AND (p_bulk.after_part IS NULL OR (a.part, a.id) > (p_bulk.after_part, p_bulk.after_id))
       AND (p_last IS NULL OR (a.part, a.id) <= (p_last.part, p_last.id));
END;
COMMENT ON FUNCTION nmsp_feed._stale_keys(nmsp_feed.bulk, nmsp_feed.artifact_key) IS
    'Artifacts of the manifest in the range a whole reconcile walks now: those the feed no longer lists must go';

CREATE OR REPLACE FUNCTION nmsp_feed._pending_keys(p_target nmsp_feed.target, p_feed nmsp_feed.feed) RETURNS nmsp_feed.artifact_key[]
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    every CONSTANT integer := 2147483647;
    keys nmsp_feed.artifact_key[] := '{}';
    c record;
BEGIN
    FOR c IN SELECT p.cause, array_agg(DISTINCT u.id) AS ids
               FROM nmsp_feed._pending(p_target.id) p, unnest(p.ids) u(id) GROUP BY p.cause LOOP
        keys := keys || nmsp_feed._keys(p_feed.keys_function, p_target.id, c.cause, c.ids, NULL, NULL, every);
    END LOOP;
    RETURN keys;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._pending_keys(nmsp_feed.target, nmsp_feed.feed) IS 'The artifacts that changes touch which the target does not have yet';

CREATE OR REPLACE FUNCTION nmsp_feed._walk_keys(p_target nmsp_feed.target, p_feed nmsp_feed.feed, p_behind jsonb,
                                                OUT keys nmsp_feed.artifact_key[], OUT cursors jsonb)
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    every CONSTANT integer := 2147483647;
    room integer := CASE p_feed.mode WHEN 'set' THEN every ELSE p_feed.batch_rows END;
    b nmsp_feed.bulk;
    found_keys nmsp_feed.artifact_key[];
    last_key nmsp_feed.artifact_key;
BEGIN
    keys := '{}';
    cursors := '[]';
    FOR b IN SELECT * FROM nmsp_feed.bulk x WHERE x.target_id = p_target.id AND (p_behind IS NULL OR x.id = (p_behind ->> 'id')::bigint)
              ORDER BY x.id LOOP
        EXIT WHEN p_feed.mode <> 'set' AND cursors <> '[]';
        IF p_behind IS NOT NULL THEN
            EXIT WHEN p_behind ->> 'key' IS NULL;
            b.after_part := p_behind ->> 'part';
            b.after_id := (p_behind ->> 'key')::bigint;
        END IF;
        found_keys := nmsp_feed._bulk_keys(b, p_feed, room);
        last_key := NULL;
        IF cardinality(found_keys) >= room THEN
            last_key := found_keys[cardinality(found_keys)];
        END IF;
        cursors := cursors || jsonb_build_object('id', b.id, 'part', (last_key).part, 'key', (last_key).id,
                                                 'after_part', b.after_part, 'after_key', b.after_id, 'n', cardinality(found_keys));
        IF b.cause = 'all' THEN
            found_keys := found_keys || nmsp_feed._stale_keys(b, last_key);
        END IF;
        keys := keys || found_keys;
    END LOOP;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._walk_keys(nmsp_feed.target, nmsp_feed.feed, jsonb) IS
    'The next artifacts of what is walked in bulk, and the cursors to store when they are in place; p_behind: cursor of a batch on its way, to go on behind it';

CREATE OR REPLACE FUNCTION nmsp_feed._waiting_keys(p_target nmsp_feed.target, p_feed nmsp_feed.feed) RETURNS nmsp_feed.artifact_key[]
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    -- A set is validated as a whole, so a change elsewhere may be the cure for what was refused. Of two
    -- records that want one path the second must wait; it may be its turn now.
    RETURN (SELECT coalesce(array_agg(ROW(w.part, w.id)::nmsp_feed.artifact_key), '{}')
      FROM (SELECT a.part, a.id FROM nmsp_feed.artifact a
             WHERE a.target_id = p_target.id AND a.error IS NOT NULL
               AND (p_feed.mode = 'set' OR p_feed.mode = 'record' AND a.rejected IS NULL)
             LIMIT CASE p_feed.mode WHEN 'record' THEN 100 END) w);
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._waiting_keys(nmsp_feed.target, nmsp_feed.feed) IS 'Artifacts in quarantine that are to be tried again with the next batch';

CREATE OR REPLACE FUNCTION nmsp_feed._due_keys(p_target nmsp_feed.target, p_feed nmsp_feed.feed, p_lane text, p_behind jsonb,
                                               OUT keys nmsp_feed.artifact_key[], OUT cursors jsonb)
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    keys := '{}';
    cursors := '[]';
    IF p_lane <> 'single' THEN
        SELECT * INTO keys, cursors FROM nmsp_feed._walk_keys(p_target, p_feed, p_behind);
    END IF;
    IF p_lane <> 'many' THEN
        keys := nmsp_feed._pending_keys(p_target, p_feed) || keys;
    END IF;
    IF p_feed.mode <> 'file' AND cardinality(keys) > 0 THEN
        keys := keys || nmsp_feed._waiting_keys(p_target, p_feed);
    END IF;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._due_keys(nmsp_feed.target, nmsp_feed.feed, text, jsonb) IS
    'The artifacts to look at now, and the cursors of bulk to store when they are in place';

CREATE OR REPLACE FUNCTION nmsp_feed._meets(p_keys nmsp_feed.artifact_key[], p_flights jsonb[]) RETURNS boolean
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM unnest(p_flights) f(token), unnest(p_keys) k
         WHERE jsonb_array_length(f.token -> 'bulk') = 0 -- files that are removed: any path may be meant
            OR EXISTS (SELECT FROM jsonb_to_recordset(f.token -> 'bulk') c(part text, key bigint, after_part text, after_key bigint)
                        WHERE (c.after_part IS NULL OR (k.part, k.id) > (c.after_part, c.after_key))
                          AND (c.part IS NULL OR (k.part, k.id) <= (c.part, c.key))));
END;
COMMENT ON FUNCTION nmsp_feed._meets(nmsp_feed.artifact_key[], jsonb[]) IS
    'Whether one of these artifacts lies in what a batch on its way walks (its token says from where to where)';

CREATE OR REPLACE FUNCTION nmsp_feed._compare(p_target nmsp_feed.target, p_feed nmsp_feed.feed, p_keys nmsp_feed.artifact_key[])
RETURNS nmsp_feed.work[]
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    rendered nmsp_feed.rendered[] := '{}';
    result nmsp_feed.work[];
    p record;
BEGIN
    FOR p IN SELECT k.part, array_agg(DISTINCT k.id) AS ids FROM unnest(p_keys) k
              WHERE k.part IS NOT NULL AND k.id IS NOT NULL GROUP BY k.part LOOP
        rendered := rendered || nmsp_feed._render(p_feed.render_function, p_target.id, p.part, p.ids);
    END LOOP;
    WITH k AS (
        SELECT DISTINCT u.part, u.id FROM unnest(p_keys) u
    ), r AS (
        SELECT u.part, u.id, u.path, u.content,
               CASE WHEN u.error IS NOT NULL THEN u.error
                    WHEN u.path IS NULL THEN 'the render function gave no path'
                    WHEN u.content IS NULL THEN 'the render function gave no content'
                    WHEN count(*) OVER (PARTITION BY u.part, u.id) > 1 THEN 'rendered more than once'
                    WHEN row_number() OVER (PARTITION BY u.path ORDER BY u.part, u.id) > 1
                        THEN format('path "%s" belongs to another artifact', u.path)
               END AS error,
               row_number() OVER (PARTITION BY u.part, u.id) AS nth
          FROM unnest(rendered) u
    ), j AS (
        SELECT k.part, k.id, r.id IS NOT NULL AS wanted, a.id IS NOT NULL AS known, r.path, r.content,
               sha256(r.content) AS sha, a.path AS old_path, a.sha256 AS old_sha, a.rejected, a.error AS old_error,
               coalesce(r.error, CASE WHEN r.path IS DISTINCT FROM a.path THEN
                   (SELECT format('path "%s" belongs to artifact %s of part "%s"', r.path, o.id, o.part)
                      FROM nmsp_feed.artifact o
                     WHERE o.target_id = p_target.id AND o.path = r.path AND (o.part, o.id) <> (k.part, k.id)
                       AND NOT EXISTS (SELECT FROM k x WHERE (x.part, x.id) = (o.part, o.id)) LIMIT 1) END) AS error
          FROM k
          LEFT JOIN r ON r.part = k.part AND r.id = k.id AND r.nth = 1
          LEFT JOIN nmsp_feed.artifact a ON a.target_id = p_target.id AND a.part = k.part AND a.id = k.id
    ), w AS (
        SELECT CASE WHEN j.error IS NOT NULL THEN 'error'
                    WHEN NOT j.wanted AND j.known THEN 'drop'
                    WHEN NOT j.wanted THEN NULL
                    WHEN j.path = j.old_path AND j.sha = j.old_sha THEN CASE WHEN j.old_error IS NULL THEN NULL ELSE 'same' END
                    WHEN p_feed.mode <> 'set' AND j.rejected = sha256(convert_to(j.path, 'UTF8') || j.sha) THEN NULL
                    ELSE 'put' END AS action, j.*
          FROM j
    )
    SELECT array_agg(ROW(w.action, w.part, w.id, CASE w.action WHEN 'drop' THEN CASE WHEN NOT v.taken THEN w.old_path END ELSE w.path END,
                         CASE w.action WHEN 'put' THEN w.content END, w.sha,
                         CASE WHEN w.action = 'error' THEN w.error
                              WHEN w.action = 'put' AND w.old_path <> w.path AND NOT v.taken THEN w.old_path END,
                         w.part = ANY (p_feed.vital_parts))::nmsp_feed.work)
      INTO result
      FROM w
     -- A record that another artifact has or gets now is not dropped.
     CROSS JOIN LATERAL (
           SELECT p_feed.mode = 'record' AND w.old_path IS DISTINCT FROM CASE w.action WHEN 'put' THEN w.path END
                  AND (w.old_path IN (SELECT x.path FROM w x WHERE x.action = 'put')
                       OR EXISTS (SELECT FROM nmsp_feed.artifact o
                                   WHERE o.target_id = p_target.id AND o.path = w.old_path AND (o.part, o.id) <> (w.part, w.id)
                                     AND NOT EXISTS (SELECT FROM k WHERE (k.part, k.id) = (o.part, o.id)))) AS taken) v
     WHERE w.action IS NOT NULL;
    RETURN coalesce(result, '{}');
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._compare(nmsp_feed.target, nmsp_feed.feed, nmsp_feed.artifact_key[]) IS
    'Renders artifacts and compares them with the manifest: only what differs is returned (column token: the error, or the path it had)';

CREATE OR REPLACE FUNCTION nmsp_feed._settle(p_target bigint, p_token jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    DELETE FROM nmsp_feed.bulk b USING jsonb_to_recordset(p_token -> 'bulk') c(id bigint, key bigint)
     WHERE b.id = c.id AND b.target_id = p_target AND c.key IS NULL;
    UPDATE nmsp_feed.bulk b SET after_part = c.part, after_id = c.key, done = b.done + c.n, begun = coalesce(b.begun, clock_timestamp())
      FROM jsonb_to_recordset(p_token -> 'bulk') c(id bigint, part text, key bigint, n bigint)
     WHERE b.id = c.id AND b.target_id = p_target AND c.key IS NOT NULL;
    -- snapshot stays null when someone asked for a whole reconcile in the meantime
    UPDATE nmsp_feed.target t
       SET snapshot = CASE WHEN t.snapshot IS NOT NULL THEN coalesce((p_token ->> 'snapshot')::pg_snapshot, t.snapshot) END,
           attempts = 0, attempted = NULL, attempted_at = NULL, next_attempt = NULL, error = NULL, error_at = NULL,
           applied_at = clock_timestamp()
     WHERE t.id = p_target;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._settle(bigint, jsonb) IS 'Stores the snapshot and the cursors of a batch that is in place';

CREATE OR REPLACE FUNCTION nmsp_feed._note_errors(p_target bigint, p_work nmsp_feed.work[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    INSERT INTO nmsp_feed.artifact (target_id, part, id, error)
    SELECT p_target, w.part, w.id, w.token FROM unnest(p_work) w WHERE w.action = 'error'
        ON CONFLICT (target_id, part, id) DO UPDATE SET error = excluded.error, rejected = NULL;
    UPDATE nmsp_feed.artifact a SET error = NULL, rejected = NULL
      FROM unnest(p_work) w
     WHERE w.action = 'same' AND a.target_id = p_target AND a.part = w.part AND a.id = w.id;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._note_errors(bigint, nmsp_feed.work[]) IS 'Puts what could not be rendered into quarantine, and takes out what is as it was';

CREATE OR REPLACE FUNCTION nmsp_feed._removals(p_target nmsp_feed.target, p_feed nmsp_feed.feed) RETURNS SETOF nmsp_feed.work
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT 'remove', NULL::text, NULL::bigint, g.path, NULL::bytea, NULL::bytea,
           CASE WHEN EXISTS (SELECT FROM nmsp_feed.artifact a WHERE a.target_id = p_target.id AND a.path = g.path) THEN 'keep' END,
           NULL::boolean
      FROM nmsp_feed.gone g
     WHERE g.target_id = p_target.id AND g.remove_after <= clock_timestamp()
     ORDER BY g.remove_after LIMIT p_feed.batch_rows;
END;
COMMENT ON FUNCTION nmsp_feed._removals(nmsp_feed.target, nmsp_feed.feed) IS
    'Files whose grace time is over; token keep: the name is in use again, only the entry goes';

DROP FUNCTION IF EXISTS nmsp_feed.pull(bigint);
CREATE OR REPLACE FUNCTION nmsp_feed.pull(p_target bigint, p_lane text DEFAULT 'all', p_flights text[] DEFAULT '{}')
RETURNS SETOF nmsp_feed.work
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    t nmsp_feed.target;
    f nmsp_feed.feed;
    due record;
    work nmsp_feed.work[];
    token jsonb;
    any_work boolean;
BEGIN
    -- Content and snapshot must come from one snapshot, else a change in between is lost.
    IF current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION USING errcode = 'invalid_transaction_state',
            message = 'nmsp_feed.pull() needs one snapshot for all its queries',
            hint = 'BEGIN ISOLATION LEVEL REPEATABLE READ first.';
    END IF;
    SELECT * INTO t FROM nmsp_feed.target x WHERE x.id = p_target AND x.enabled;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT * INTO STRICT f FROM nmsp_feed.feed x WHERE x.name = t.feed;
    IF p_lane <> 'many' AND nmsp_feed._store_bulk(t, f) THEN
        SELECT * INTO t FROM nmsp_feed.target x WHERE x.id = p_target;
    END IF;
    SELECT * INTO due FROM nmsp_feed._due_keys(t, f, p_lane, CASE WHEN p_lane = 'many' THEN p_flights[cardinality(p_flights)]::jsonb -> 'bulk' -> 0 END);
    IF p_lane = 'single' AND nmsp_feed._meets(due.keys, p_flights::jsonb[]) THEN
        RETURN QUERY SELECT 'wait', NULL::text, NULL::bigint, NULL::text, NULL::bytea, NULL::bytea, NULL::text, NULL::boolean;
        RETURN;
    END IF;
    work := nmsp_feed._compare(t, f, due.keys);
    token := jsonb_build_object('bulk', due.cursors, 'at', clock_timestamp());
    IF p_lane <> 'many' THEN
        token := token || jsonb_build_object('snapshot', pg_current_snapshot()::text);
    END IF;
    PERFORM nmsp_feed._note_errors(t.id, work);

    RETURN QUERY SELECT w.action, w.part, w.id, w.path, w.content, w.sha256, w.token, w.vital
                   FROM unnest(work) w WHERE w.action IN ('put', 'drop');
    any_work := FOUND OR p_flights <> '{}' AND due.cursors <> '[]';
    -- Beside a batch on its way nothing is removed: it may bring the name back.
    IF (NOT any_work AND due.cursors = '[]' OR f.mode = 'record') AND f.mode <> 'set' AND p_lane <> 'single' AND p_flights = '{}' THEN
        RETURN QUERY SELECT * FROM nmsp_feed._removals(t, f);
        any_work := any_work OR FOUND;
    END IF;
    IF NOT any_work THEN
        -- Nothing to put in place, so nothing to wait for: this transaction confirms itself.
        PERFORM nmsp_feed._settle(t.id, token);
        -- The end of a walk leaves files to remove: now, or at a time that nobody has been told yet.
        IF p_lane <> 'single' AND p_flights = '{}' AND (EXISTS (SELECT FROM nmsp_feed.bulk b WHERE b.target_id = t.id)
                OR due.cursors <> '[]' AND EXISTS (SELECT FROM nmsp_feed.gone g WHERE g.target_id = t.id)) THEN
            RETURN QUERY SELECT 'again', NULL::text, NULL::bigint, NULL::text, NULL::bytea, NULL::bytea, NULL::text,
                                NULL::boolean;
        END IF;
        RETURN;
    END IF;
    RETURN QUERY SELECT 'batch', NULL::text, NULL::bigint, NULL::text, NULL::bytea, NULL::bytea, token::text,
                        NULL::boolean;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.pull(bigint, text, text[]) IS
    'For the feeder: what differs between the target and what it should be, the row batch last. '
    'No row = it is up to date; the only row again = nothing differed so far, but there is more to look at. '
    'Lane single: changes only (the only row wait = they meet a batch of p_flights, the tokens of batches on their way); '
    'many: what is walked in bulk, going on behind the last of p_flights; all: both';

CREATE OR REPLACE FUNCTION nmsp_feed.confirm(p_target bigint, p_token text, p_action text[], p_part text[], p_id bigint[],
                                             p_path text[], p_sha256 bytea[], p_size bigint[], p_error text[])
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    wait interval;
BEGIN
    SELECT f.grace INTO wait FROM nmsp_feed.target t JOIN nmsp_feed.feed f ON f.name = t.feed
     WHERE t.id = p_target AND f.mode = 'file';

    DELETE FROM nmsp_feed.gone g USING unnest(p_action, p_path) w(action, path)
     WHERE g.target_id = p_target AND w.action IN ('remove', 'put') AND g.path = w.path;
    IF wait IS NOT NULL THEN
        INSERT INTO nmsp_feed.gone (target_id, path, remove_after)
        SELECT p_target, a.path, clock_timestamp() + wait
          FROM unnest(p_action, p_part, p_id, p_path, p_error) w(action, part, id, path, error)
          JOIN nmsp_feed.artifact a ON a.target_id = p_target AND a.part = w.part AND a.id = w.id
         WHERE a.path IS NOT NULL AND w.error IS NULL
           AND (w.action = 'drop' OR w.action = 'put' AND a.path <> w.path)
           AND a.path <> ALL (ARRAY(SELECT x.path FROM unnest(p_action, p_path, p_error) x(action, path, error)
                                     WHERE x.action = 'put' AND x.error IS NULL))
            ON CONFLICT DO NOTHING;
    END IF;
    DELETE FROM nmsp_feed.artifact a USING unnest(p_action, p_part, p_id) w(action, part, id)
     WHERE w.action = 'drop' AND a.target_id = p_target AND a.part = w.part AND a.id = w.id;
    -- A record that the daemon does not drop is still there.
    INSERT INTO nmsp_feed.artifact (target_id, part, id, path, error, rejected)
    SELECT p_target, w.part, w.id, w.path, w.error, ''
      FROM unnest(p_action, p_part, p_id, p_path, p_error) w(action, part, id, path, error)
     WHERE w.action = 'drop' AND w.error IS NOT NULL;
    INSERT INTO nmsp_feed.artifact (target_id, part, id, path, sha256, size, applied_at)
    SELECT p_target, w.part, w.id, w.path, w.sha256, w.size, clock_timestamp()
      FROM unnest(p_action, p_part, p_id, p_path, p_sha256, p_size, p_error) w(action, part, id, path, sha256, size, error)
     WHERE w.action = 'put' AND w.error IS NULL
        ON CONFLICT (target_id, part, id) DO UPDATE
       SET path = excluded.path, sha256 = excluded.sha256, size = excluded.size, applied_at = excluded.applied_at,
           error = NULL, rejected = NULL;
    -- Of what was refused the old version stays in place; size 0 = there was none, an empty file stands in.
    INSERT INTO nmsp_feed.artifact (target_id, part, id, path, sha256, size, error, rejected)
    SELECT p_target, w.part, w.id, CASE w.size WHEN 0 THEN w.path END, CASE w.size WHEN 0 THEN sha256('') END, w.size,
           w.error, sha256(convert_to(w.path, 'UTF8') || w.sha256)
      FROM unnest(p_action, p_part, p_id, p_path, p_sha256, p_size, p_error) w(action, part, id, path, sha256, size, error)
     WHERE w.action = 'put' AND w.error IS NOT NULL
        ON CONFLICT (target_id, part, id) DO UPDATE
       SET error = excluded.error, rejected = excluded.rejected, path = coalesce(excluded.path, artifact.path),
           sha256 = coalesce(excluded.sha256, artifact.sha256), size = coalesce(excluded.size, artifact.size);
    PERFORM nmsp_feed._settle(p_target, p_token::jsonb);
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.confirm(bigint, text, text[], text[], bigint[], text[], bytea[], bigint[], text[]) IS
    'For the feeder: the batch is in place (or, where p_error says so, was refused)';

CREATE OR REPLACE FUNCTION nmsp_feed.fail(p_target bigint, p_token text, p_error text) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    UPDATE nmsp_feed.target t
       SET error = p_error, error_at = clock_timestamp(), attempts = t.attempts + 1,
           attempted = coalesce((p_token::jsonb ->> 'snapshot')::pg_snapshot, pg_current_snapshot()),
           attempted_at = clock_timestamp(),
           -- A cheap attempt is made again soon, so that a daemon that comes back is served at once; a dear
           -- one takes a tenth of the time at most.
           next_attempt = clock_timestamp() + least(2 ^ least(t.attempts, 9), 300, greatest(4,
               10 * extract(epoch FROM clock_timestamp() - (p_token::jsonb ->> 'at')::timestamptz))) * interval '1 s'
     WHERE t.id = p_target;
END;
COMMENT ON FUNCTION nmsp_feed.fail(bigint, text, text) IS
    'For the feeder: the target could not be served; tried again after 1, 2, 4 s and then every 4 s '
    '(ten times as long as the attempt took where that is more, 300 s at most), or a second after a newer change';

CREATE OR REPLACE FUNCTION nmsp_feed.unblock() RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    UPDATE nmsp_feed.target t SET next_attempt = NULL
     WHERE t.next_attempt IS NOT NULL
       AND coalesce(t.settings ->> 'agent', '') = coalesce(current_setting('nmsp_feed.agent', true), '');
END;
COMMENT ON FUNCTION nmsp_feed.unblock() IS
    'For the feeder when it starts: what failed before may be mended, so nothing waits for its next attempt';

CREATE OR REPLACE FUNCTION nmsp_feed.served(p_target bigint, p_token text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN (SELECT NOT EXISTS (
        SELECT FROM nmsp_feed.target me JOIN nmsp_feed.feed f ON f.name = me.feed
          JOIN nmsp_feed.target t ON t.enabled AND t.error IS NULL AND nmsp_feed._is_mine(t)
          JOIN nmsp_feed.feed l ON l.name = t.feed AND l.rank < f.rank
         WHERE me.id = p_target
           AND (t.snapshot IS NULL
                OR EXISTS (SELECT FROM nmsp_feed._pending(t.id) c
                            WHERE pg_visible_in_snapshot(c.xid, (p_token::jsonb ->> 'snapshot')::pg_snapshot))
                OR EXISTS (SELECT FROM nmsp_feed.bulk b WHERE b.target_id = t.id
                              AND (l.naming_causes IS NULL OR b.cause = ANY (l.naming_causes))))));
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.served(bigint, text) IS
    'For the feeder: whether the targets of lower rank that do not fail have all that a batch with this token may announce';

CREATE OR REPLACE FUNCTION nmsp_feed.count_more(p_target bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    slice CONSTANT integer := 10000;
    b nmsp_feed.bulk;
    n bigint;
    last_part text;
    last_id bigint;
BEGIN
    SELECT * INTO b FROM nmsp_feed.bulk x WHERE x.target_id = p_target AND x.total IS NULL ORDER BY x.id LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT count(*) OVER (), k.part, k.id FROM %s($1, $2, $3, $4, $5, $6) k ORDER BY k.part DESC, k.id DESC LIMIT 1',
                   (nmsp_feed._feed_of(p_target)).keys_function)
       INTO n, last_part, last_id USING p_target, b.cause, b.ids, b.counted_part, b.counted_id, slice;
    n := coalesce(n, 0);
    UPDATE nmsp_feed.bulk x
       SET counted = x.counted + n, counted_part = last_part, counted_id = last_id,
           total = CASE WHEN n < slice THEN greatest(x.counted + n, x.done) END
     WHERE x.id = b.id;
    RETURN true;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.count_more(bigint) IS
    'For the feeder: counts some more of the artifacts that a walk will see, in slices, so that nothing waits for it; false = all is counted';

DROP FUNCTION IF EXISTS nmsp_feed.manifest(bigint, text, bigint, integer);
CREATE OR REPLACE FUNCTION nmsp_feed.manifest(p_target bigint, p_after_part text, p_after_id bigint, p_max integer)
RETURNS TABLE (part text, id bigint, path text, sha256 bytea, size bigint, failed boolean)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    UPDATE nmsp_feed.target t
       SET check_begun = CASE WHEN p_after_part IS NULL THEN clock_timestamp() ELSE t.check_begun END,
           check_done = CASE WHEN p_after_part IS NULL THEN 0 ELSE t.check_done END + p_max
     WHERE t.id = p_target;
    SELECT a.part, a.id, a.path, a.sha256, a.size, a.error IS NOT NULL
      FROM nmsp_feed.artifact a
     WHERE a.target_id = p_target AND (p_after_part IS NULL OR (a.part, a.id) > (p_after_part, p_after_id))
     ORDER BY a.part, a.id
     LIMIT p_max;
END;
COMMENT ON FUNCTION nmsp_feed.manifest(bigint, text, bigint, integer) IS
    'For the feeder: a page of what should be in place, and a note of how far the comparison is';

CREATE OR REPLACE FUNCTION nmsp_feed.dirty(p_target bigint, p_part text[], p_id bigint[]) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    UPDATE nmsp_feed.artifact a SET sha256 = NULL, rejected = NULL
      FROM unnest(p_part, p_id) d(part, id)
     WHERE a.target_id = p_target AND a.part = d.part AND a.id = d.id;
    INSERT INTO nmsp_feed.bulk (target_id, cause, part, ids, total)
    SELECT p_target, 'artifact', d.part, array_agg(d.id), count(*)
      FROM unnest(p_part, p_id) d(part, id) GROUP BY d.part;
END;
COMMENT ON FUNCTION nmsp_feed.dirty(bigint, text[], bigint[]) IS 'For the feeder: these artifacts are not as the manifest says';

CREATE OR REPLACE FUNCTION nmsp_feed.checked(p_target bigint, p_request timestamptz) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    UPDATE nmsp_feed.target t
       SET check_requested = CASE WHEN t.check_requested = p_request THEN NULL ELSE t.check_requested END, check_begun = NULL
     WHERE t.id = p_target;
END;
COMMENT ON FUNCTION nmsp_feed.checked(bigint, timestamptz) IS 'For the feeder: the comparison asked for is done';

CREATE OR REPLACE FUNCTION nmsp_feed.prune() RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    removed bigint;
BEGIN
    -- A target without a snapshot needs no change rows: it is reconciled whole. Where no target is
    -- left, what is finished now will be visible to every later one.
    DELETE FROM nmsp_feed.change c
     USING (SELECT f.name, coalesce((SELECT min(pg_snapshot_xmin(t.snapshot)::text::bigint)
                                       FROM nmsp_feed.target t
                                      WHERE t.feed = f.name AND t.enabled AND t.snapshot IS NOT NULL
                                        AND t.home = nmsp_feed._home()),
                                    pg_snapshot_xmin(pg_current_snapshot())::text::bigint)::text::xid8 AS xmin
              FROM nmsp_feed.feed f) k
     WHERE c.feed = k.name AND c.xid < k.xmin;
    GET DIAGNOSTICS removed = ROW_COUNT;
    -- Rows of a restored dump: we see them, but their transactions belong to another cluster's count.
    DELETE FROM nmsp_feed.change c
     WHERE NOT pg_visible_in_snapshot(c.xid, pg_current_snapshot()) AND c.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
        OR NOT EXISTS (SELECT FROM nmsp_feed.feed f WHERE f.name = c.feed);
    PERFORM nmsp_feed.beat();
    RETURN removed;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.prune() IS
    'Deletes changes that every target has; the feeder calls it from time to time. Returns the number of rows';

-- ---------------------------------------------------------------- what the operator calls

CREATE OR REPLACE FUNCTION nmsp_feed.reconcile(p_target bigint DEFAULT NULL, p_whole boolean DEFAULT false)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER -- who may call it need not be able to write the feeder's columns
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    n bigint;
BEGIN
    UPDATE nmsp_feed.target t
       SET check_requested = clock_timestamp(), next_attempt = NULL,
           snapshot = CASE WHEN p_whole THEN NULL ELSE t.snapshot END
     WHERE t.enabled AND (p_target IS NULL OR t.id = p_target);
    GET DIAGNOSTICS n = ROW_COUNT;
    IF p_target IS NOT NULL AND n = 0 THEN
        RAISE EXCEPTION USING errcode = 'no_data_found',
            message = format('target %s does not exist or is not enabled', p_target),
            hint = 'See nmsp_feed.status.';
    END IF;
    PERFORM nmsp_feed.wake();
    RETURN n;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.reconcile(bigint, boolean) IS
    'Compares disk with the manifest and mends it (one target or, with null, all); p_whole renders every artifact again too. '
    'Returns the number of targets asked; done when check_requested is null again';

CREATE OR REPLACE VIEW nmsp_feed.status AS
SELECT t.id AS target_id, t.feed, t.name, t.root, t.enabled,
       CASE WHEN NOT t.enabled THEN 'disabled'
            WHEN t.error IS NOT NULL THEN 'failed'
            WHEN t.snapshot IS NULL OR b.open > 0 OR q.queue > 0 OR t.check_requested IS NOT NULL
                 OR EXISTS (SELECT FROM nmsp_feed.gone g WHERE g.target_id = t.id AND g.remove_after <= clock_timestamp())
                THEN 'working'
            WHEN t.quarantined > 0 THEN 'quarantine'
            ELSE 'in step' END AS state,
       q.queue, b.open AS bulk, b.done AS bulk_done, b.total AS bulk_total,
       coalesce(clock_timestamp() - least(q.oldest, b.oldest), '0') AS lag,
       coalesce(t.error, (SELECT x.error FROM nmsp_feed.artifact x WHERE x.target_id = t.id AND x.error IS NOT NULL LIMIT 1)) AS error,
       t.error_at, t.attempts, t.next_attempt,
       t.artifacts, t.quarantined, t.bytes, t.applied_at, t.check_requested
  FROM nmsp_feed.target t
 CROSS JOIN LATERAL (SELECT coalesce(sum(greatest(cardinality(c.ids), 1)), 0) AS queue, min(c.at) AS oldest
                       FROM nmsp_feed.change c
                      WHERE c.feed = t.feed AND c.xid >= pg_snapshot_xmin(t.snapshot)
                        AND NOT pg_visible_in_snapshot(c.xid, t.snapshot)) q
 CROSS JOIN LATERAL (SELECT count(*) AS open, coalesce(sum(x.done), 0) AS done, sum(x.total) AS total, min(x.at) AS oldest
                       FROM nmsp_feed.bulk x WHERE x.target_id = t.id) b
 ORDER BY t.feed, t.name;
COMMENT ON VIEW nmsp_feed.status IS
    'One row per target: what waits (queue, bulk), how far behind it is (lag), the last error with the daemon''s own message, what is in place';
COMMENT ON COLUMN nmsp_feed.status.target_id IS 'Target';
COMMENT ON COLUMN nmsp_feed.status.feed IS 'Kind of daemon';
COMMENT ON COLUMN nmsp_feed.status.name IS 'Name of the instance';
COMMENT ON COLUMN nmsp_feed.status.root IS 'Its folder';
COMMENT ON COLUMN nmsp_feed.status.enabled IS 'Whether it is served';
COMMENT ON COLUMN nmsp_feed.status.state IS 'disabled, failed (error says why), working, quarantine (all but some artifacts are in place) or in step';
COMMENT ON COLUMN nmsp_feed.status.queue IS 'Changed rows that wait';
COMMENT ON COLUMN nmsp_feed.status.bulk IS 'Walks over many artifacts that are under way';
COMMENT ON COLUMN nmsp_feed.status.bulk_done IS 'Artifacts those have walked';
COMMENT ON COLUMN nmsp_feed.status.bulk_total IS 'Artifacts they will walk, as far as known; else null';
COMMENT ON COLUMN nmsp_feed.status.lag IS 'Age of the oldest change that waits; 0 when none does';
COMMENT ON COLUMN nmsp_feed.status.error IS 'Why it failed, or why an artifact is in quarantine: the own message of the daemon';
COMMENT ON COLUMN nmsp_feed.status.error_at IS 'When it failed';
COMMENT ON COLUMN nmsp_feed.status.attempts IS 'Failed attempts in a row';
COMMENT ON COLUMN nmsp_feed.status.next_attempt IS 'When it is tried again';
COMMENT ON COLUMN nmsp_feed.status.artifacts IS 'Artifacts in place';
COMMENT ON COLUMN nmsp_feed.status.quarantined IS 'Artifacts whose desired content is not in place';
COMMENT ON COLUMN nmsp_feed.status.bytes IS 'Size of all artifacts';
COMMENT ON COLUMN nmsp_feed.status.applied_at IS 'When it was last brought up to date';
COMMENT ON COLUMN nmsp_feed.status.check_requested IS 'A comparison of disk and manifest that was asked for and is not done';

CREATE OR REPLACE VIEW nmsp_feed.quarantine AS
SELECT t.feed, t.name, a.target_id, a.part, a.id, a.path, a.error
  FROM nmsp_feed.artifact a JOIN nmsp_feed.target t ON t.id = a.target_id
 WHERE a.error IS NOT NULL;
COMMENT ON VIEW nmsp_feed.quarantine IS
    'Artifacts whose desired content is not in place and why; path = what is in place instead (null: nothing)';
COMMENT ON COLUMN nmsp_feed.quarantine.feed IS 'Kind of daemon';
COMMENT ON COLUMN nmsp_feed.quarantine.name IS 'Name of the instance';
COMMENT ON COLUMN nmsp_feed.quarantine.target_id IS 'Target';
COMMENT ON COLUMN nmsp_feed.quarantine.part IS 'Kind of artifact';
COMMENT ON COLUMN nmsp_feed.quarantine.id IS 'Which one';
COMMENT ON COLUMN nmsp_feed.quarantine.path IS 'What is in place instead; null = nothing';
COMMENT ON COLUMN nmsp_feed.quarantine.error IS 'Why it was refused';
