-- Changes that nobody makes: what begins or ends at a moment (a contract, a block, a phone number)
-- becomes a change for feeding when the moment has come. Whoever pulls needs nothing of this: its
-- views look at the present moment.

CREATE OR REPLACE FUNCTION nmsp_feed.install_boundaries() RETURNS integer
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    body text;
    n integer;
BEGIN
    SELECT coalesce(string_agg(format('SELECT %L::text, b.at, b.cause, b.id, b.feeds, b.note FROM %s(after, upto) b', s.name, s.source_function), E'\n    UNION ALL '
                               ORDER BY s.name), 'SELECT NULL::text, NULL::timestamptz, NULL::text, NULL::bigint, NULL::text[], NULL::text WHERE false'), count(*)
      INTO body, n FROM nmsp_feed.boundary_source s;
    EXECUTE format($made$
        CREATE OR REPLACE FUNCTION nmsp_feed.boundary(after timestamptz, upto timestamptz)
        RETURNS TABLE (source text, at timestamptz, cause text, id bigint, feeds text[], note text)
        LANGUAGE sql STABLE
        BEGIN ATOMIC
            %s;
        END $made$, body);
    REVOKE ALL ON FUNCTION nmsp_feed.boundary(timestamptz, timestamptz) FROM PUBLIC;
    COMMENT ON FUNCTION nmsp_feed.boundary(timestamptz, timestamptz) IS
        'Made by nmsp_feed.install_boundaries(): the moments later than after, not later than upto, of every source of nmsp_feed.boundary_source';
    RETURN n;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.install_boundaries() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.install_boundaries() IS
    'Makes nmsp_feed.boundary() from nmsp_feed.boundary_source; call it after a change there. Returns the number of sources';

CREATE OR REPLACE FUNCTION nmsp_feed.pass_time(now timestamptz DEFAULT clock_timestamp()) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    horizon CONSTANT interval := '10 s';
    last timestamptz;
BEGIN
    -- One feeder does it; the others come by again.
    SELECT c.last_at INTO last FROM nmsp_feed.clock c FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 1000;
    END IF;
    -- A clock that was set back makes begun what has not begun: the same moments, the other way.
    INSERT INTO nmsp_feed.change (feed, cause, ids)
    SELECT g.feed, g.cause, array_agg(g.id ORDER BY g.id) FILTER (WHERE g.id IS NOT NULL)
      FROM (SELECT f.feed, b.cause, b.id, (row_number() OVER (PARTITION BY f.feed, b.cause ORDER BY b.id) - 1) / 100000 AS part
              FROM (SELECT DISTINCT x.cause, x.id, x.feeds FROM nmsp_feed.boundary(least(last, now), greatest(last, now)) x) b
              JOIN (SELECT d.feed, array_agg(DISTINCT k.cause) AS causes FROM nmsp_feed.dependency d, jsonb_object_keys(d.causes) k(cause) GROUP BY d.feed
                    UNION ALL
                    SELECT y.name, '{all}' FROM nmsp_feed.feed y) f
                ON b.cause = ANY (f.causes) AND (b.feeds IS NULL OR f.feed = ANY (b.feeds))) g
     GROUP BY g.feed, g.cause, g.part;
    IF FOUND THEN
        UPDATE nmsp_feed.clock c SET last_at = now;
        RETURN 1; -- the statement that calls does not see it yet
    ELSIF last < now - interval '1 day' OR last > now THEN
        UPDATE nmsp_feed.clock c SET last_at = now; -- so that there is never much to look through
    END IF;
    -- What is stored later tells itself: it wakes the feeder.
    RETURN coalesce((SELECT greatest(1, ceil(extract(epoch FROM min(b.at) - now) * 1000))::bigint FROM nmsp_feed.boundary(now, now + horizon) b HAVING count(*) > 0),
                    extract(epoch FROM horizon)::bigint * 1000);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.pass_time(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.pass_time(timestamptz) IS
    'For the feeder: records the moments that have come since the last call as changes, once, however long ago that was. Returns the milliseconds after which to call again';
