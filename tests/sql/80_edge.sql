-- Edges: what is published, what replication records, what an edge guards. The story with two servers
-- is tests/daemon/80_edge.t.
BEGIN;
SELECT * FROM no_plan();
\getenv root NMSP_ROOT

-- ---- nothing that is read at an edge is forgotten
-- What reads what: views and SQL functions by their dependencies, PL/pgSQL by the names in its text.
CREATE TEMP TABLE object AS
SELECT 'pg_class'::regclass AS class, c.oid, n.nspname || '.' || c.relname AS name, n.nspname AS schema, c.relkind::text AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname ~ '^(nmsp|docsis)' AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
UNION ALL
SELECT 'pg_proc'::regclass, p.oid, n.nspname || '.' || p.proname, n.nspname, 'f' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname ~ '^(nmsp|docsis)';
CREATE FUNCTION pg_temp.reads() RETURNS TABLE (class oid, oid oid, read_class oid, read oid) LANGUAGE sql AS $$
    SELECT 'pg_class'::regclass::oid, r.ev_class, d.refclassid, d.refobjid FROM pg_rewrite r
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass)
    UNION
    SELECT 'pg_proc'::regclass, d.objid, d.refclassid, d.refobjid FROM pg_depend d
     WHERE d.classid = 'pg_proc'::regclass AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass)
    UNION
    SELECT 'pg_proc'::regclass, p.oid, o.class, o.oid FROM pg_proc p
      JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
     CROSS JOIN regexp_matches(regexp_replace(p.prosrc, '--[^\n]*', '', 'g'), '\m((?:nmsp|docsis)[a-z_]*\.[a-z_0-9]+)', 'g') m
      JOIN object o ON o.name = m[1]
     WHERE p.pronamespace IN (SELECT n.oid FROM pg_namespace n WHERE n.nspname ~ '^nmsp')
$$;
-- Where daemons of an edge begin: the functions of feeds, what the C code asks (actions are the centre's), Kea's and FreeRADIUS's schemas.
\set asked `cd "$NMSP_ROOT" && grep -rohE '\b(nmsp[a-z_]*)\.[a-z_0-9]+' workers extension/pg --include='*.c' --exclude=hints.c --exclude=action.c | sort -u | tr '\n' ' '`
CREATE TEMP TABLE asked AS SELECT unnest(string_to_array(:'asked', ' ')) AS name;
CREATE FUNCTION pg_temp.entry(with_radius boolean) RETURNS TABLE (class oid, oid oid) LANGUAGE sql AS $$
    SELECT o.class, o.oid FROM object o
     WHERE o.name IN (SELECT unnest(ARRAY[f.keys_function, f.render_function, f.apply_function, f.read_function, f.seen_function]) FROM nmsp_feed.feed f)
        OR o.name IN (SELECT a.name FROM asked a) AND o.name NOT IN ('nmsp.migrate', 'nmsp.health', 'nmsp_feed.target')
        OR o.schema = 'nmsp_kea' OR o.schema = 'nmsp_radius' AND with_radius
$$;
CREATE FUNCTION pg_temp.tables_read(with_radius boolean) RETURNS SETOF regclass LANGUAGE sql AS $$
    WITH RECURSIVE edge AS MATERIALIZED (SELECT * FROM pg_temp.reads()), reach(class, oid) AS (
        SELECT * FROM pg_temp.entry(with_radius)
        UNION
        SELECT e.read_class, e.read FROM reach r JOIN edge e ON e.class = r.class AND e.oid = r.oid)
    SELECT o.oid::regclass FROM reach r JOIN object o ON o.class = r.class AND o.oid = r.oid
     WHERE o.kind IN ('r', 'p') AND o.schema <> 'nmsp_feed' ORDER BY o.name
$$;
SELECT set_has($$SELECT pg_temp.tables_read(true)$$, $$VALUES ('nmsp.modem'::regclass), ('nmsp.netgw_secret'), ('nmsp.setting'), ('nmsp.template'), ('nmsp.modem_option'),
    ('nmsp.mib_object'), ('nmsp.pool'), ('nmsp.endpoint'), ('nmsp.modem_download'), ('nmsp.ppp_account_secret'), ('nmsp_kea.ipv6_reservation'), ('nmsp_radius.session')$$,
    'the search finds what feeds, downloads, Kea and FreeRADIUS read');
SELECT is_empty($$SELECT pg_temp.tables_read(true) EXCEPT SELECT relation FROM nmsp_feed.edge_relation$$,
    'every table read at an edge is published to it or said to be its own: what is missing here needs a row in sql/views/80_edge.sql (or is not to be read)');
SELECT is_empty($$SELECT t FROM pg_temp.tables_read(false) t JOIN nmsp_feed.edge_relation e ON e.relation = t WHERE e.radius$$,
    'an edge without FreeRADIUS reads none of the tables that only FreeRADIUS needs');
SELECT is_empty($$SELECT relation FROM nmsp_feed.edge_relation WHERE way = 'to edges' AND relation <> 'nmsp.heartbeat'::regclass EXCEPT SELECT pg_temp.tables_read(true)$$,
    'and nothing is published that no edge reads');
CREATE TABLE nmsp.planted (id bigint PRIMARY KEY);
CREATE FUNCTION nmsp.planted_render() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM FROM nmsp.planted; END$$;
INSERT INTO object SELECT 'pg_class'::regclass, 'nmsp.planted'::regclass::oid, 'nmsp.planted', 'nmsp', 'r' UNION ALL SELECT 'pg_proc'::regclass, 'nmsp.planted_render'::regproc::oid, 'nmsp.planted_render', 'nmsp', 'f';
UPDATE nmsp_feed.feed SET read_command = 'x', read_function = 'nmsp.planted_render', seen_function = 'nmsp.planted_render' WHERE name = 'tftpd';
SELECT results_eq($$SELECT pg_temp.tables_read(false) EXCEPT SELECT relation FROM nmsp_feed.edge_relation$$, ARRAY['nmsp.planted'::regclass], 'a table that were forgotten would be seen');
UPDATE nmsp_feed.feed SET read_command = NULL, read_function = NULL, seen_function = NULL WHERE name = 'tftpd';
SELECT is_empty($$SELECT relation FROM nmsp_feed.edge_relation WHERE way = 'to edges'
                  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND i.indisprimary)$$, 'every table that goes to edges has a primary key');
SELECT is_empty($$SELECT relation FROM nmsp_feed.edge_table WHERE to_regclass(relation) IS NULL$$, 'every table of nmsp_feed.edge_table exists');

-- ---- the publication
CREATE TEMP VIEW published AS SELECT p.pubname, format('%s.%s', p.schemaname, p.tablename) AS name, p.rowfilter FROM pg_publication_tables p;
SET client_min_messages TO error; -- this server need not have wal_level = logical
SELECT nmsp_feed.create_publication() AS n \gset
SELECT is((SELECT count(*)::int FROM published WHERE pubname = 'nmsp_edge'), :n, 'a publication is made');
SELECT set_eq($$SELECT name FROM published WHERE pubname = 'nmsp_edge'$$, $$SELECT relation::text FROM nmsp_feed.edge_relation WHERE way = 'to edges' AND NOT radius$$, 'with what edges read');
SELECT is_empty($$SELECT name FROM published WHERE name ~ '^nmsp_feed\.' OR name ~ 'download|secret_|account_secret|\.lease|session'$$, 'changes, targets, manifests, downloads and passwords of subscribers are not among it');
SELECT is((SELECT pubtruncate AND pubdelete AND pubupdate AND pubinsert FROM pg_publication WHERE pubname = 'nmsp_edge'), true, 'all that happens is published');
SELECT is(nmsp_feed.create_publication(radius => true) - nmsp_feed.create_publication('other'), 3, 'FreeRADIUS needs three tables more');
SELECT set_has($$SELECT name FROM published WHERE pubname = 'nmsp_edge'$$, $$VALUES ('nmsp.ppp_account_secret'), ('nmsp_radius.setting'), ('nmsp_radius.attribute')$$, 'these');
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1'), ('cmts-2');
SELECT nmsp_feed.create_publication('north', '{cmts-2}') > 5 AS made;
SELECT results_eq($$SELECT name COLLATE "C", true FROM published WHERE pubname = 'north' AND rowfilter ~ format('\{%s\}', (SELECT id FROM nmsp.netgw WHERE name = 'cmts-2')) ORDER BY 1$$,
    $$VALUES ('nmsp.modem' COLLATE "C", true), ('nmsp.netgw', true), ('nmsp.netgw_secret', true), ('nmsp.pool', true)$$, 'a publication for some gateways has their rows only');
SELECT lives_ok($$UPDATE nmsp.netgw SET description = 'x'; UPDATE nmsp.setting SET max_cpe = 3; DELETE FROM nmsp.pool; DELETE FROM nmsp.modem$$, 'and every table can still be changed');
SELECT is((SELECT count(*)::int FROM pg_class WHERE oid IN ('nmsp.modem'::regclass, 'nmsp.pool'::regclass) AND relreplident = 'i'), 2, 'modems that leave a gateway are told by an index of gateway and key');
SELECT nmsp_feed.create_publication('north', '{cmts-1,cmts-2}') > 5 AS changed;
SELECT matches((SELECT rowfilter FROM published WHERE pubname = 'north' AND name = 'nmsp.modem'), '\{\d+,\d+\}', 'which gateways can be changed');
SELECT test.refused('SELECT nmsp_feed.create_publication(''x'', ''{nowhere}'')', '42704', 'access gateway "nowhere" does not exist', '%', '%', 'an unknown gateway is refused');
ALTER PUBLICATION other DROP TABLE nmsp.modem;
SELECT nmsp.migrate() > 0 AS migrated;
SELECT set_has($$SELECT name FROM published WHERE pubname = 'other'$$, $$VALUES ('nmsp.modem')$$, 'migrate() adds tables that are missing');
UPDATE nmsp.heartbeat SET at = at - interval '1 min';
CREATE ROLE nmsp_t_worker;
CALL nmsp.grant_to('nmsp_t_worker', 'worker');
SELECT is(test.try('nmsp_t_worker', 'SELECT nmsp_feed.prune()'), 'ok', 'a feeder of level worker');
SELECT cmp_ok((SELECT now() - at FROM nmsp.heartbeat), '<', interval '30 s', 'writes the heartbeat of a centre');
SELECT test.refused('SELECT nmsp_feed.become_edge(''x'')', '55000', 'this database has edges of its own', '%', '%', 'a centre becomes no edge');
SELECT nmsp_feed.drop_publication(name) FROM nmsp_feed.edge_publication;
RESET client_min_messages;
SELECT is_empty('SELECT FROM published', 'publications can be taken away');

-- ---- what replication records; its triggers fire for this role as well
CREATE FUNCTION pg_temp.recorded() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text := (SELECT string_agg(DISTINCT format('%s:%s%s', c.feed, c.cause, c.ids), ' ' ORDER BY format('%s:%s%s', c.feed, c.cause, c.ids)) FROM nmsp_feed.change c WHERE c.feed IN ('tftpd', 'dhcpd'));
BEGIN
    DELETE FROM nmsp_feed.change;
    RETURN answer;
END $$;
SELECT is_empty($$SELECT d.relation, w.name FROM nmsp_feed.dependency d, (VALUES ('nmsp_feed_replica'), ('nmsp_feed_replica_truncate')) w(name)
    WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = nmsp_feed._relation(d.relation) AND t.tgname = w.name AND t.tgenabled = 'R')$$,
    'every table that feeds depend on has triggers for replication');
SELECT is_empty($$SELECT t.tgrelid::regclass, t.tgname, t.tgenabled FROM pg_trigger t JOIN nmsp_feed.edge_relation e ON e.relation = t.tgrelid AND e.way = 'to edges'
    WHERE NOT t.tgisinternal AND t.tgenabled IN ('A', 'R') AND t.tgname !~ '^(nmsp_feed_replica|nmsp_feed_replica_truncate|kea_(insert|update|delete|truncate)|mib_object_(changed|replica))$'$$,
    'no rule of the model is checked again where replication applies');
INSERT INTO nmsp.template (name, source) VALUES ('t', '');
SELECT (SELECT id FROM nmsp.netgw WHERE name = 'cmts-1') AS g, (SELECT id FROM nmsp.template) AS t \gset
SELECT pg_temp.recorded() AS before;
SET session_replication_role TO replica;
INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES ('02:00:00:00:00:01', :g, :t);
SELECT id AS m FROM nmsp.modem \gset
SELECT is(pg_temp.recorded(), format('dhcpd:endpoint{%1$s} dhcpd:modem{%1$s} tftpd:modem{%1$s}', :m), 'a row that comes');
UPDATE nmsp.modem SET description = 'of no account';
SELECT is(pg_temp.recorded(), NULL, 'columns that do not count are not recorded');
UPDATE nmsp.modem SET name = 'x';
SELECT is(pg_temp.recorded(), format('tftpd:modem{%s}', :m), 'each feed by its own columns');
INSERT INTO nmsp.modem_option VALUES (:m, 'a', 'b'), (:m + 1, 'a', 'b');
UPDATE nmsp.modem_option SET modem_id = modem_id + 1 WHERE modem_id = :m + 1;
SELECT is(pg_temp.recorded(), format('tftpd:modem{%1$s} tftpd:modem{%2$s,%3$s} tftpd:modem{%2$s}', :m, :m + 1, :m + 2), 'a row that changes its owner counts for both');
TRUNCATE nmsp.modem_option;
SELECT is(pg_temp.recorded(), 'tftpd:all', 'TRUNCATE');
INSERT INTO nmsp.modem_option VALUES (:m, 'a', 'b');
SELECT is(pg_temp.recorded(), NULL, 'after that single rows need not be recorded in this transaction');
SELECT set_config('nmsp_feed.rows', '100000', true) AS many;
DELETE FROM nmsp.modem_option;
UPDATE nmsp.modem SET name = 'y';
UPDATE nmsp.modem SET name = 'z';
SELECT is(pg_temp.recorded(), 'dhcpd:all tftpd:all', 'after 100000 rows the rest of a transaction is one cause');
SELECT set_config('nmsp_feed.rows', '0', true), set_config(nmsp_feed._whole_flag('nmsp.modem'), '', true) AS few;
ALTER TABLE nmsp_feed.change ADD CONSTRAINT no_modem CHECK (cause <> 'modem');
SELECT lives_ok($$UPDATE nmsp.modem SET name = 'u'$$, 'what cannot be recorded by key');
SELECT is(pg_temp.recorded(), 'dhcpd:all tftpd:all', 'is recorded as a whole');
ALTER TABLE nmsp_feed.change ADD CONSTRAINT nothing CHECK (false);
SELECT set_config(nmsp_feed._whole_flag('nmsp.modem'), '', true) AS again;
SET client_min_messages TO error;
SELECT lives_ok($$UPDATE nmsp.modem SET name = 'v'$$, 'and when nothing can be recorded, replication goes on');
RESET client_min_messages;
SELECT is((SELECT name FROM nmsp.modem), 'v', 'the row is applied');
ALTER TABLE nmsp_feed.change DROP CONSTRAINT nothing, DROP CONSTRAINT no_modem;
SELECT version AS before FROM nmsp.mib_version \gset
INSERT INTO nmsp.mib_object (name, module, oid) VALUES ('a', 'M', '1.3.6.1');
SELECT isnt((SELECT version FROM nmsp.mib_version), :'before', 'sessions learn of MIB names that came');
INSERT INTO nmsp.template (name, source) VALUES ('broken', 'Nonsense 1;');
SELECT pass('rows that the model would refuse are applied: the centre is right');
RESET session_replication_role;

-- ---- what comes back from edges
CREATE FUNCTION pg_temp.arrive(at timestamptz, modem bigint, result text DEFAULT 'served') RETURNS void LANGUAGE sql AS $$
    INSERT INTO nmsp.download (at, agent, source, path, result, modem_id, sha256, config_sha256) VALUES (at, 'north', '10.1.0.9', 'x', result, modem, '\x01', '\x02') $$;
SET session_replication_role TO replica;
SELECT pg_temp.arrive('2026-11-24 10:00Z', :m), pg_temp.arrive('2026-11-24 10:00Z', :m), pg_temp.arrive('2026-11-24 09:00Z', :m), pg_temp.arrive('2026-11-24 11:00Z', :m, 'refused'),
       pg_temp.arrive('2026-11-24 12:00Z', :m + 77), pg_temp.arrive('2026-11-24 12:00Z', NULL, 'unknown'), pg_temp.arrive('2026-11-24 12:00Z', NULL, 'unknown'), pg_temp.arrive('2030-01-01 12:00Z', :m, 'failed');
RESET session_replication_role;
SET session_replication_role TO replica;
INSERT INTO nmsp.mta (mac, modem_id, template_id) VALUES ('02:00:00:00:0a:01', :m, :t);
INSERT INTO nmsp.download (at, agent, source, path, result, sha256)
SELECT d.at, 'north', '10.1.0.9', d.path, 'served', '\x03' FROM nmsp.mta a,
       LATERAL (VALUES ('2026-11-24 09:00Z'::timestamptz, nmsp.mta_path(a.id, NULL)), ('2026-11-24 08:00Z', nmsp.mta_path(a.id, NULL)), ('2026-11-24 09:00Z', 'mta/mta-9999.cfg')) d(at, path);
RESET session_replication_role;
SELECT results_eq('SELECT d.at, d.sha256 FROM nmsp.mta_download d', $$VALUES ('2026-11-24 09:00Z'::timestamptz, '\x03'::bytea)$$, 'the last download of an MTA is known');
DELETE FROM nmsp.download WHERE path ~ '^mta/';
SELECT is((SELECT count(*)::int FROM nmsp.download), 6, 'downloads of edges are taken, each once, in whatever partition');
SELECT results_eq('SELECT modem_id, at FROM nmsp.modem_download', format('VALUES (%s::bigint, timestamptz ''2026-11-24 10:00Z'')', :m), 'the last complete one of a modem is known; a modem that is gone has none');
SELECT is_empty($$SELECT i.inhrelid::regclass FROM pg_inherits i WHERE i.inhparent = 'nmsp.download'::regclass
    AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = i.inhrelid AND t.tgname = 'download_arrives' AND t.tgenabled = 'R')$$, 'every partition has the trigger, for replication only');
SELECT nmsp.keep_downloads('2027-06-01Z') AS more \gset
SELECT is_empty($$SELECT i.inhrelid::regclass FROM pg_inherits i WHERE i.inhparent = 'nmsp.download'::regclass
    AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = i.inhrelid AND t.tgname = 'download_arrives' AND t.tgenabled = 'R')$$, 'later ones too');

CREATE TABLE nmsp.state_of (who text, n int, value text, PRIMARY KEY (who, n));
INSERT INTO nmsp_feed.edge_table (relation, way, log) VALUES ('nmsp.state_of', 'from edges', false);
SELECT nmsp.migrate() > 0 AS migrated;
INSERT INTO nmsp.state_of VALUES ('north', 1, 'old'), ('north', 2, 'x');
SET session_replication_role TO replica;
INSERT INTO nmsp.state_of VALUES ('north', 1, 'new');
RESET session_replication_role;
SELECT results_eq('SELECT n, value FROM nmsp.state_of ORDER BY n', $$VALUES (1, 'new'), (2, 'x')$$, 'a row of another table from edges, that is a line in a list, takes the place of the one with its key');

-- ---- an edge
SELECT test.refused('SELECT nmsp_feed.become_edge(''north'')', '55000', 'this database has a network of its own', '%', '%replace => true%', 'who has a network is asked twice');
SET client_min_messages TO error;
SELECT lives_ok($$SELECT nmsp_feed.become_edge('north', '{"provisioning_server": "10.9.0.1", "dns_server": ["9.9.9.9"]}', true)$$, 'an edge is made');
RESET client_min_messages;
SELECT results_eq('SELECT host(provisioning_server), dns_server::text, max_cpe FROM nmsp.setting', $$VALUES ('10.9.0.1', '{9.9.9.9}', 3)$$, 'with settings of its own');
SELECT test.refused(s, '25006', '%is written at the centre', '%', '%', s) FROM unnest(ARRAY['UPDATE nmsp.modem SET name = ''x''', 'DELETE FROM nmsp.modem', 'TRUNCATE nmsp.modem_option',
    'INSERT INTO nmsp.netgw (name) VALUES (''x'')', 'UPDATE nmsp.setting SET provisioning_server = ''1.1.1.1''', 'UPDATE nmsp_radius.setting SET days_ahead = 3']) s;
SELECT lives_ok($$INSERT INTO nmsp_feed.target (feed, root) VALUES ('tftpd', '/srv/tftp/x')$$, 'targets are its own');
SELECT lives_ok($$SELECT nmsp.record_downloads('n', '{now}', '{10.1.0.9}', '{x}', '{served}', ARRAY[$$ || :m || $$]::bigint[], '{1}', '{}', '{9}', '{1}', '{"\\x01"}', '{"\\x02"}')$$, 'so are downloads');
SELECT string_agg(relation::text, ', ') AS all FROM nmsp_feed.edge_relation WHERE way = 'to edges' AND NOT radius AND relation::text !~ '\.setting' \gset
SET session_replication_role TO replica;
UPDATE nmsp.setting SET provisioning_server = '10.0.0.5', max_cpe = 9;
TRUNCATE :all;
INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES ('02:00:00:00:00:01', :g, :t);
RESET session_replication_role;
SELECT results_eq('SELECT host(provisioning_server), max_cpe FROM nmsp.setting', $$VALUES ('10.9.0.1', 9)$$, 'its settings lie over those that come; a TRUNCATE of the centre can be repeated');
SELECT is((SELECT count(*)::int FROM nmsp.modem), 1, 'a row is not taken for the copy of a table');
SELECT test.refused($$UPDATE nmsp.edge SET settings = '{"max_cpe": 1}'$$, '22023', 'setting "max_cpe" is the centre''s', '%', '%', 'what is the centre''s is not for it to set');
SELECT isnt((test.error_of($$UPDATE nmsp.edge SET settings = '{"provisioning_server": "10.0.0.0/8"}'$$)).code, NULL, 'nor what cannot be');
UPDATE nmsp.edge SET settings = '{}';
SELECT is((SELECT host(provisioning_server) FROM nmsp.setting), '10.0.0.5', 'without, the centre''s come into force at once');
SELECT is(nmsp.migrate(), nmsp.schema_version(), 'migrate() works at an edge');
SELECT lives_ok('SELECT nmsp_feed.prune()', 'so does the feeder''s own work');
SELECT set_eq($$SELECT name FROM published WHERE pubname = 'nmsp_back'$$, ARRAY['nmsp.download'], 'it publishes what is to go back');
SELECT set_has($$SELECT name FROM published WHERE pubname = 'nmsp_back_state'$$, $$VALUES ('nmsp.state_of')$$, 'and what changes, with its changes');
DELETE FROM nmsp_feed.edge_table WHERE relation = 'nmsp.state_of';
SELECT nmsp_feed._mend_edge() AS mended;
SELECT set_hasnt($$SELECT name FROM published$$, $$VALUES ('nmsp.state_of')$$, 'and no longer when it is taken out of the list');
SELECT is((SELECT pubinsert AND NOT pubdelete AND NOT pubupdate AND NOT pubtruncate FROM pg_publication WHERE pubname = 'nmsp_back'), true, 'when it is made, not when it is dropped');
SELECT is_empty($$SELECT relation FROM nmsp_feed.edge_relation GROUP BY 1 HAVING count(*) > 1$$, 'no table goes both ways');
SELECT set_has('SELECT component, state FROM nmsp.health()', $$VALUES ('edge "north"', 'error')$$, 'health says that nothing comes yet');
SELECT test.refused('SELECT nmsp_feed.create_publication()', '55000', 'this database is an edge', '%', '%', 'an edge has no edges');
SELECT lives_ok('SELECT nmsp_feed.leave_centre()', 'it may become a database of its own again');
SELECT lives_ok($$INSERT INTO nmsp.netgw (name) VALUES ('new')$$, 'that is written, and numbers go on');
SELECT set_has($$SELECT conname::text FROM pg_constraint WHERE contype = 'f'$$, $$VALUES ('modem_download_needs_an_existing_modem'), ('ppp_account_needs_an_existing_netgw')$$, 'with all its foreign keys');
SELECT is_empty($$SELECT tgname FROM pg_trigger WHERE tgname ~ '^edge_(guard|copy|setting)'$$, 'and without guards');

-- ---- rights
CREATE ROLE nmsp_t_edge;
CALL nmsp.grant_to('nmsp_t_edge', 'edge');
SELECT is(test.try('nmsp_t_edge', s), 'ok', 'level edge: ' || s) FROM unnest(ARRAY['TABLE nmsp.netgw_secret', 'TABLE nmsp.modem', 'TABLE nmsp.download']) s;
SELECT is(test.try('nmsp_t_edge', s), '42501', 'level edge may not: ' || s) FROM unnest(ARRAY['TABLE nmsp_feed.target', 'DELETE FROM nmsp.modem', 'TABLE nmsp_radius.session', 'SELECT nmsp_feed.create_publication()', 'SELECT nmsp_feed.become_edge(''x'')']) s;
SELECT * FROM finish();
ROLLBACK;
