-- Feeding by records: what the feeder calls in mode record beside pull and confirm. It asks for the
-- input of commands (script, question) and hands over what the daemon has (see, seen_all).

CREATE OR REPLACE FUNCTION nmsp_feed._feed_of(p_target bigint) RETURNS nmsp_feed.feed
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT f.* FROM nmsp_feed.target t JOIN nmsp_feed.feed f ON f.name = t.feed WHERE t.id = p_target;
END;
COMMENT ON FUNCTION nmsp_feed._feed_of(bigint) IS 'The feed of a target';

CREATE OR REPLACE FUNCTION nmsp_feed.script(p_target bigint, p_action text[], p_path text[], p_content bytea[])
RETURNS TABLE (name text, script text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN QUERY EXECUTE format('SELECT s.name, s.script FROM %s($1, $2, $3, $4) s',
                                (nmsp_feed._feed_of(p_target)).apply_function)
           USING p_target, p_action, p_path, p_content;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.script(bigint, text[], text[], bytea[]) IS
    'For the feeder: the input of apply_command for these changes, one row per run';

CREATE OR REPLACE FUNCTION nmsp_feed.talk(p_target bigint, OUT opening text, OUT send text, OUT answer text, OUT taken text, OUT trouble text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    SELECT f.session[1], f.session[2], f.session[3], f.session[4], f.session[5] INTO opening, send, answer, taken, trouble
      FROM nmsp_feed.target t JOIN nmsp_feed.feed f ON f.name = t.feed WHERE t.id = p_target;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.talk(bigint) IS
    'For the feeder: how it talks to an apply_command that stays running (nmsp_feed.feed.session); nulls: it does not';

CREATE OR REPLACE FUNCTION nmsp_feed.question(p_target bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT %s($1)', (nmsp_feed._feed_of(p_target)).read_function) INTO result USING p_target;
    RETURN result;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.question(bigint) IS 'For the feeder: the input of read_command';

CREATE OR REPLACE FUNCTION nmsp_feed.see(p_target bigint, p_output text, p_first boolean) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF p_first THEN
        DELETE FROM nmsp_feed.seen s WHERE s.target_id = p_target;
    END IF;
    EXECUTE format('INSERT INTO nmsp_feed.seen (target_id, path, content, owned)
                    SELECT $1, s.path, s.content, coalesce(s.owned, false) FROM %s($1, $2) s',
                   (nmsp_feed._feed_of(p_target)).seen_function)
      USING p_target, coalesce(p_output, '');
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.see(bigint, text, boolean) IS 'For the feeder: a piece of what the daemon has, whole lines; p_first = its beginning';

CREATE OR REPLACE FUNCTION nmsp_feed.seen_all(p_target bigint) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    slice CONSTANT integer := 1000;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s($1, NULL)', (nmsp_feed._feed_of(p_target)).seen_function) USING p_target;

    -- What the manifest lists and the daemon has not, or has otherwise: rendered and put again.
    -- What was changed since the daemon was asked may be put once more than needed.
    WITH seen AS MATERIALIZED (
        SELECT s.path, sha256(convert_to(string_agg(s.content || E'\n', '' ORDER BY s.content COLLATE "C"), 'UTF8')) AS sha256
          FROM nmsp_feed.seen s WHERE s.target_id = p_target GROUP BY s.path
    ), wrong AS MATERIALIZED (
        SELECT a.part, a.id FROM nmsp_feed.artifact a LEFT JOIN seen ON seen.path = a.path
         WHERE a.target_id = p_target AND (a.error IS NOT NULL OR a.path IS NOT NULL AND seen.sha256 IS DISTINCT FROM a.sha256)
    ), mark AS (
        UPDATE nmsp_feed.artifact a SET sha256 = NULL, rejected = NULL
          FROM wrong w WHERE a.target_id = p_target AND a.part = w.part AND a.id = w.id
    )
    INSERT INTO nmsp_feed.bulk (target_id, cause, part, ids, total)
    SELECT p_target, 'artifact', n.part, array_agg(n.id), count(*)
      FROM (SELECT w.part, w.id, (row_number() OVER (PARTITION BY w.part ORDER BY w.id) - 1) / slice AS nth FROM wrong w) n
     GROUP BY n.part, n.nth;
    -- What the daemon has and nobody wants.
    INSERT INTO nmsp_feed.gone (target_id, path, remove_after)
    SELECT DISTINCT p_target, s.path, clock_timestamp() FROM nmsp_feed.seen s
     WHERE s.target_id = p_target AND s.owned
       AND NOT EXISTS (SELECT FROM nmsp_feed.artifact a WHERE a.target_id = p_target AND a.path = s.path)
        ON CONFLICT (target_id, path) DO UPDATE SET remove_after = excluded.remove_after;
    DELETE FROM nmsp_feed.seen s WHERE s.target_id = p_target;

    -- That the daemon could be asked is all that was due where nothing waits.
    UPDATE nmsp_feed.target t
       SET attempts = 0, attempted = NULL, attempted_at = NULL, next_attempt = NULL, error = NULL, error_at = NULL
     WHERE t.id = p_target AND t.error IS NOT NULL AND t.snapshot IS NOT NULL
       AND NOT EXISTS (SELECT FROM nmsp_feed._pending(p_target)) AND NOT EXISTS (SELECT FROM nmsp_feed.bulk b WHERE b.target_id = p_target);
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.seen_all(bigint) IS
    'For the feeder: the daemon has said all; what differs from the manifest is put again, what nobody wants is dropped';
