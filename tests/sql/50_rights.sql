-- Rights: what each level may do, and that PUBLIC may use the codec and nothing else.
BEGIN ISOLATION LEVEL REPEATABLE READ; -- pull() wants it
SELECT * FROM no_plan();
CREATE ROLE nmsp_t_reader;
CREATE ROLE nmsp_t_operator;
CREATE ROLE nmsp_t_admin;
CREATE ROLE nmsp_t_worker;
CREATE ROLE "nmsp_t Nobody"; -- a name that needs quotes
CREATE FUNCTION pg_temp.may(role text, statement text, name text) RETURNS text LANGUAGE sql AS
$$SELECT is(test.try('nmsp_t_' || role, statement), 'ok', role || ' may ' || name)$$;
CREATE FUNCTION pg_temp.may_not(role text, statement text, name text) RETURNS text LANGUAGE sql AS
$$SELECT is(test.try('nmsp_t_' || role, statement), '42501', role || ' may not ' || name)$$;

-- ---- the procedure
SELECT lives_ok('CALL nmsp.grant_to(''nmsp_t_reader'', ''reader''); CALL nmsp.grant_to(''nmsp_t_operator'', ''operator'');
                 CALL nmsp.grant_to(''nmsp_t_admin'', ''admin''); CALL nmsp.grant_to(''nmsp_t_worker'', ''worker'')', 'every level is granted');
SELECT lives_ok('CALL nmsp.grant_to(''nmsp_t_reader'', ''reader'')', 'twice is as good as once');
SELECT test.refused('CALL nmsp.grant_to(''nmsp_t_reader'', ''king'')', '22023', 'unknown level "king"', 'Levels are reader%', 'CALL nmsp.grant_to(%', 'an unknown level');
SELECT is((test.error_of('CALL nmsp.grant_to(''nmsp_t_none'', ''reader'')')).code, '42704', 'an unknown role');
SELECT lives_ok($$CALL nmsp.grant_to('"nmsp_t Nobody"', 'reader')$$, 'a name that needs quotes');
REVOKE ALL ON ALL TABLES IN SCHEMA nmsp, nmsp_feed, nmsp_radius FROM "nmsp_t Nobody";
REVOKE USAGE ON SCHEMA nmsp, nmsp_feed, nmsp_radius FROM "nmsp_t Nobody";

-- ---- a small network; the operator makes most of it
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1');
SELECT id AS g FROM nmsp.netgw \gset
SELECT pg_temp.may_not('operator', format('INSERT INTO nmsp.netgw_secret VALUES (%s, ''x'')', :g), 'write secrets');
SELECT pg_temp.may('admin', format('INSERT INTO nmsp.netgw_secret VALUES (%s, ''topsecret'')', :g), 'write secrets');
SELECT pg_temp.may('operator', 'INSERT INTO nmsp.netgw (name) VALUES (''cmts-2'')', 'add a gateway');
SELECT pg_temp.may('operator', format('INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end) VALUES (%s, ''cm'', ''10.1.0.0/24'', ''10.1.0.10'', ''10.1.0.20''), (%1$s, ''cpe_public'', ''10.2.0.0/24'', ''10.2.0.10'', ''10.2.0.20'')', :g), 'add pools');
SELECT pg_temp.may('operator', 'INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES (''c'', 1, 1)', 'add a service class');
SELECT pg_temp.may('operator', 'INSERT INTO nmsp.template (name, source) VALUES (''t'', ''SnmpMibObject sysContact.0 String "{provbase.rw_community.0}";'')', 'add a template');
SELECT count(*) AS changes FROM nmsp_feed.change \gset
SELECT pg_temp.may('operator', 'INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, address) SELECT ''00:11:22:00:00:01'', p.netgw_id, t.id, c.id, nmsp.allocate_address(p.id)
                                  FROM nmsp.pool p, nmsp.template t, nmsp.service_class c WHERE p.purpose = ''cm''', 'add a modem with an address');
SELECT pg_temp.may('operator', 'INSERT INTO nmsp.modem_option SELECT id, ''k'', ''v'' FROM nmsp.modem', 'add an option');
SELECT pg_temp.may('operator', 'INSERT INTO nmsp.endpoint (name, modem_id, address) SELECT ''e'', id, ''10.2.0.10'' FROM nmsp.modem', 'add an endpoint');
SELECT pg_temp.may('operator', 'UPDATE nmsp.modem SET internet_access = false', 'change a modem');
SELECT pg_temp.may('operator', 'UPDATE nmsp.setting SET max_cpe = 3', 'change settings');
SELECT pg_temp.may('operator', 'INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT mac, netgw_id, template_id FROM nmsp.modem ON CONFLICT (mac) DO UPDATE SET name = ''x''', 'INSERT ... ON CONFLICT');
SELECT cmp_ok((SELECT count(*) FROM nmsp_feed.change), '>', :changes::bigint, 'what the operator changed is recorded for feeds');
SELECT is(test.try('nmsp_t_operator', 'INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT ''01:00:00:00:00:01'', netgw_id, template_id FROM nmsp.modem'), '23514', 'rules hold for operators');

-- ---- secrets and files
SELECT pg_temp.may_not(r, 'TABLE ' || s, 'read ' || s) FROM unnest(ARRAY['reader', 'operator']) r, unnest(ARRAY['nmsp.netgw_secret', 'nmsp.setting_secret']) s;
SELECT pg_temp.may('admin', 'TABLE ' || s, 'read ' || s) FROM unnest(ARRAY['nmsp.netgw_secret', 'nmsp.setting_secret']) s;
SELECT pg_temp.may_not('reader', f, 'see files: ' || f) FROM unnest(ARRAY['TABLE nmsp.modem_file', 'SELECT nmsp.modem_config(1)', 'SELECT nmsp.modem_config(m) FROM nmsp.modem m']) f;
SELECT pg_temp.may_not(r, f, 'ask ' || f) FROM unnest(ARRAY['reader', 'operator']) r,
    unnest(ARRAY['SELECT nmsp.setting_values()', format('SELECT nmsp.shared_secret(%s)', :g)]) f;
SELECT pg_temp.may(r, f, 'see files: ' || f) FROM unnest(ARRAY['operator', 'admin', 'worker']) r,
    unnest(ARRAY['TABLE nmsp.modem_file', 'SELECT nmsp.modem_config(id) FROM nmsp.modem', 'SELECT nmsp.modem_config(m) FROM nmsp.modem m']) f;
SET LOCAL ROLE nmsp_t_operator;
SELECT nmsp.modem_config(m)::bytea AS file FROM nmsp.modem m \gset
RESET ROLE;
SELECT is(:'file'::bytea, nmsp.modem_config(m)::bytea, 'an operator sees the same file') FROM nmsp.modem m;
SELECT results_eq(format('SELECT cmts_mic FROM docsis.verify(docsis.config(%L::bytea), ''topsecret'')', :'file'), ARRAY[true], 'sealed with a secret the operator cannot read');

-- ---- reading
SELECT pg_temp.may('reader', 'TABLE ' || t, 'read ' || t) FROM unnest(ARRAY['nmsp.setting', 'nmsp.netgw', 'nmsp.pool', 'nmsp.service_class', 'nmsp.template',
    'nmsp.modem', 'nmsp.modem_option', 'nmsp.endpoint', 'nmsp.template_text', 'nmsp.template_placeholder', 'nmsp.worker_status', 'nmsp_feed.status', 'nmsp_feed.quarantine', 'nmsp_feed.target']) t;
SELECT pg_temp.may(r, 'SELECT * FROM nmsp.health()', 'ask nmsp.health()') FROM unnest(ARRAY['reader', 'operator', 'admin']) r;
SELECT pg_temp.may_not('reader', s, s) FROM unnest(ARRAY['INSERT INTO nmsp.netgw (name) VALUES (''x'')', 'UPDATE nmsp.modem SET name = ''x''', 'DELETE FROM nmsp.modem',
    'UPDATE nmsp.setting SET max_cpe = 1', 'TRUNCATE nmsp.modem', 'INSERT INTO nmsp_feed.target (feed, root) VALUES (''tftpd'', ''/srv/tftp'')',
    'SELECT nmsp.allocate_address(id) FROM nmsp.pool LIMIT 1']) s;

-- ---- feeding
SELECT pg_temp.may_not('operator', s, s) FROM unnest(ARRAY['INSERT INTO nmsp_feed.change (feed, cause) VALUES (''tftpd'', ''all'')', 'DELETE FROM nmsp_feed.change',
    'UPDATE nmsp_feed.artifact SET path = ''x''', 'INSERT INTO nmsp_feed.target (feed, root) VALUES (''tftpd'', ''/srv/tftp'')',
    'UPDATE nmsp_feed.feed SET reload_command = ''x''', 'INSERT INTO nmsp_feed.dependency (feed, relation) VALUES (''tftpd'', ''nmsp.netgw'')',
    'SELECT nmsp_feed.pull(1)', 'SELECT nmsp_feed.targets()', 'SELECT nmsp_feed.reconcile(NULL, true)', 'SELECT nmsp_feed.install_triggers()',
    'SELECT nmsp_feed.tftpd_render(1, ''cm'', ARRAY[1])', 'SELECT nmsp.migrate()', 'CALL nmsp.grant_to(''nmsp_t_operator'', ''admin'')', 'TRUNCATE nmsp.modem', 'DROP TABLE nmsp.modem']) s;
SELECT pg_temp.may('admin', 'INSERT INTO nmsp_feed.target (feed, name, root) VALUES (''tftpd'', ''main'', ''/srv/tftp/t'')', 'add a target');
SELECT pg_temp.may('admin', 'SELECT nmsp_feed.reconcile(id, true) FROM nmsp_feed.target', 'have it reconciled');
SELECT pg_temp.may_not('admin', 'UPDATE nmsp_feed.target SET snapshot = NULL', 'write the feeder''s columns');
SELECT pg_temp.may_not('admin', 'UPDATE nmsp_feed.feed SET reload_command = ''x''', 'change a kind of daemon');
SELECT pg_temp.may('worker', s, s) FROM unnest(ARRAY['SELECT * FROM nmsp_feed.targets()', 'SELECT * FROM nmsp_feed.pull((SELECT id FROM nmsp_feed.target))',
    'SELECT * FROM nmsp_feed.tftpd_render(1, ''cm'', (SELECT array_agg(id) FROM nmsp.modem))']) s;
SELECT pg_temp.may('admin', 'UPDATE nmsp_feed.target SET enabled = false', 'switch it off');
SELECT pg_temp.may('admin', 'DELETE FROM nmsp_feed.target', 'take it away');

-- ---- PUBLIC
CREATE FUNCTION pg_temp.nobody(statement text, wanted text, name text) RETURNS text LANGUAGE sql AS
$$SELECT is(test.try('nmsp_t Nobody', statement), wanted, name)$$;
SELECT pg_temp.nobody('SELECT docsis.seal(''Main { NetworkAccess 1; }'', ''x'')', 'ok', 'everybody may seal');
SELECT pg_temp.nobody('SELECT ''Main { NetworkAccess 1; }''::docsis.config::jsonb', 'ok', 'everybody may use the type');
SELECT pg_temp.nobody('SELECT * FROM docsis.symbol', 'ok', 'everybody may read the dictionary');
SELECT pg_temp.nobody('CREATE TABLE docsis.x ()', '42501', 'nobody makes things in docsis');
SELECT pg_temp.nobody('TABLE ' || c.oid::regclass, '42501', 'nobody reads ' || c.oid::regclass)
  FROM pg_class c WHERE c.relnamespace IN ('nmsp'::regnamespace, 'nmsp_feed'::regnamespace, 'nmsp_radius'::regnamespace) AND c.relkind IN ('r', 'v', 'p') ORDER BY c.oid::regclass::text;
SELECT pg_temp.nobody(s, '42501', 'nobody: ' || s) FROM unnest(ARRAY['SELECT nmsp.migrate()', 'SELECT nmsp.modem_config(1)', 'SELECT nmsp.health()', 'SELECT nmsp_feed.pull(1)', 'CREATE TABLE nmsp.x ()']) s;
SELECT * FROM finish();
ROLLBACK;
