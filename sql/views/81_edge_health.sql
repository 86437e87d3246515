-- Edges: rights, and what nmsp.health() says of replication.

CREATE OR REPLACE FUNCTION nmsp_feed.edge_health()
RETURNS TABLE (component text, state text, message text, hint text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    edge text := (SELECT e.name FROM nmsp.edge e);
    missing text;
BEGIN
    RETURN QUERY
    SELECT format('subscription "%s"', s.subname),
           CASE WHEN NOT s.subenabled OR w.pid IS NULL THEN 'error' WHEN c.copying > 0 OR h.age > '5 min' THEN 'warning' ELSE 'ok' END,
           concat_ws(', ', CASE WHEN NOT s.subenabled THEN 'it is switched off' WHEN w.pid IS NULL THEN 'it does not run' END,
                     CASE WHEN c.copying > 0 THEN format('%s of %s tables are being copied', c.copying, c.tables)
                          ELSE format('%s tables%s', c.tables, ' as they were at the centre ' || h.age || ' ago or later') END,
                     CASE WHEN a.since > '1 s' THEN format('one transaction is being applied for %s', date_trunc('second', a.since)) END,
                     CASE WHEN e.errors > 0 THEN format('%s errors so far', e.errors) END),
           CASE WHEN NOT s.subenabled THEN format('ALTER SUBSCRIPTION %I ENABLE; after a restore from a dump make it anew instead: see doc/scaling.md.', s.subname)
                WHEN w.pid IS NULL THEN 'Is the other side up? Otherwise the server''s log has the error: a row that collides with one of this database, a slot that is gone (see doc/scaling.md).'
                WHEN h.age > '5 min' THEN 'Either it is that far behind, or no feeder runs at the centre, which writes nmsp.heartbeat.' END
      FROM pg_subscription s
      JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
      LEFT JOIN pg_stat_subscription w ON w.subid = s.oid AND w.relid IS NULL
      LEFT JOIN (SELECT x.pid, clock_timestamp() - x.xact_start AS since FROM pg_stat_activity x) a ON a.pid = w.pid
      LEFT JOIN (SELECT date_trunc('second', clock_timestamp() - b.at) AS age FROM nmsp.heartbeat b WHERE edge IS NOT NULL) h ON true
     CROSS JOIN LATERAL (SELECT count(*) AS tables, count(*) FILTER (WHERE r.srsubstate NOT IN ('r', 's')) AS copying FROM pg_subscription_rel r WHERE r.srsubid = s.oid) c
     CROSS JOIN LATERAL (SELECT coalesce(sum(x.apply_error_count + x.sync_error_count), 0) AS errors FROM pg_stat_subscription_stats x WHERE x.subid = s.oid) e
     ORDER BY s.subname;
    IF edge IS NOT NULL THEN
        missing := (SELECT string_agg(x.relation::text, ', ' ORDER BY x.relation::text) FROM nmsp_feed.edge_relation x
                     WHERE x.way = 'to edges' AND NOT x.radius AND NOT EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid = x.relation));
        RETURN QUERY SELECT format('edge "%s"', edge), 'error', 'these tables do not come from the centre: ' || missing,
            'CREATE SUBSCRIPTION (see doc/scaling.md); after an update of both sides: ALTER SUBSCRIPTION ... REFRESH PUBLICATION;' WHERE missing IS NOT NULL;
    END IF;
    -- Whoever takes our changes: edges at the centre, the centre at an edge.
    RETURN QUERY
    SELECT format('replication slot "%s"', s.slot_name),
           CASE WHEN s.wal_status = 'lost' THEN 'error' WHEN NOT s.active OR s.wal_status = 'unreserved' THEN 'warning' ELSE 'ok' END,
           CASE WHEN s.wal_status = 'lost' THEN 'it was away for too long: what it has not taken is gone'
                ELSE format('%s, holds %s of WAL', CASE WHEN s.active THEN format('%s behind', pg_size_pretty(greatest(0, k.here - s.confirmed_flush_lsn))) ELSE 'away' END,
                            pg_size_pretty(greatest(0, k.here - s.restart_lsn))) END,
           CASE WHEN s.wal_status = 'lost' THEN 'Make the subscription on the other side anew: see doc/scaling.md.'
                WHEN NOT s.active THEN 'It catches up by itself. If it is gone for good: SELECT pg_drop_replication_slot(...), or the disk fills.' END
      FROM pg_replication_slots s,
           LATERAL (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS here) k
     WHERE s.slot_type = 'logical' AND s.database = current_database() AND NOT s.temporary
     ORDER BY s.slot_name;
    RETURN QUERY SELECT 'replication'::text, 'warning'::text, 'a side that stays away may fill the disk with WAL',
        'Set max_slot_wal_keep_size, e.g. to half of what is free on the disk; what is away for longer must be copied anew.'
     WHERE current_setting('max_slot_wal_keep_size') = '-1'
       AND EXISTS (SELECT FROM pg_replication_slots s WHERE s.slot_type = 'logical' AND s.database = current_database());
    RETURN QUERY SELECT 'replication'::text, 'error'::text, format('wal_level is %s', current_setting('wal_level')), 'Put wal_level = logical into postgresql.conf and restart the server.'
     WHERE current_setting('wal_level') <> 'logical' AND (edge IS NOT NULL OR EXISTS (SELECT FROM nmsp_feed.edge_publication));
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.edge_health() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.edge_health() IS 'The part of nmsp.health() about edges: subscriptions of this database, tables that do not come, replication slots and the WAL they hold.';

CREATE OR REPLACE PROCEDURE nmsp_feed.grant_edge(grantee regrole)
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT x.relation, c.relnamespace::regnamespace AS schema FROM nmsp_feed.edge_relation x JOIN pg_class c ON c.oid = x.relation WHERE x.way IN ('to edges', 'from edges') LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %s TO %s', r.schema, grantee);
        EXECUTE format('GRANT SELECT ON %s TO %s', r.relation, grantee);
    END LOOP;
END
$fn$;
REVOKE ALL ON PROCEDURE nmsp_feed.grant_edge(regrole) FROM PUBLIC;
COMMENT ON PROCEDURE nmsp_feed.grant_edge(regrole) IS 'Level edge of nmsp.grant_to: the role that the other side''s subscription connects as reads the tables that go to edges and those that come back. It needs the attributes LOGIN and REPLICATION too.';
