-- DHCP: redundant servers, what depends on the clock, walled gardens, fixed prefixes.
\set QUIET on
BEGIN;
SELECT no_plan();

INSERT INTO nmsp.netgw (name) VALUES ('one'), ('two');
SELECT id AS one FROM nmsp.netgw WHERE name = 'one' \gset
SELECT id AS two FROM nmsp.netgw WHERE name = 'two' \gset
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES
    (:one, 'cm', '10.1.0.0/24', '10.1.0.10', '10.1.0.109', '10.1.0.1'), (:one, 'cpe_private', '100.64.0.0/24', '100.64.0.10', '100.64.0.20', '100.64.0.1'),
    (:two, 'cm', '10.2.0.0/24', '10.2.0.10', '10.2.0.10', '10.2.0.1');
INSERT INTO nmsp.pool (netgw_id, purpose, network, delegated_prefix, delegated_length) VALUES (:one, 'cpe_public', '2001:db8:1::/64', '2001:db8:4000::/40', 56);
INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES (:one, 'cm', '2001:db8:2::/64');
INSERT INTO nmsp.template (name, source) VALUES ('base', '');
INSERT INTO nmsp.modem (mac, netgw_id, template_id, internet_access) SELECT '02:00:00:00:00:01', :one, t.id, false FROM nmsp.template t;
INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT '02:00:00:00:00:02', :two, t.id FROM nmsp.template t;
SELECT id AS m1 FROM nmsp.modem WHERE mac = '02:00:00:00:00:01' \gset
SELECT id AS m2 FROM nmsp.modem WHERE mac = '02:00:00:00:00:02' \gset

-- ---- the clock
SELECT is(nmsp.time_offset('Europe/Berlin', '2026-07-01'), 7200, 'summer time');
SELECT is(nmsp.time_offset('America/New_York', '2026-01-01'), -18000, 'west of Greenwich');
SELECT is(nmsp.next_time_offset(z, a), n, format('%s after %s', z, a)) FROM (VALUES
    ('Europe/Berlin', timestamptz '2026-01-01 00:00Z', timestamptz '2026-03-29 01:00Z'), ('Europe/Berlin', '2026-03-29 00:59:59Z', '2026-03-29 01:00Z'),
    ('Europe/Berlin', '2026-03-29 01:00Z', '2026-10-25 01:00Z'), ('America/New_York', '2026-06-01 12:34:56Z', '2026-11-01 06:00Z'),
    ('Asia/Kolkata', '2026-01-01 00:00Z', NULL)) v(z, a, n);
UPDATE nmsp.setting SET time_zone = 'Europe/Berlin';
SELECT results_eq($$SELECT at, cause, feeds FROM nmsp_feed.dhcp_boundary('2026-03-20', '2026-04-20')$$, $$VALUES (timestamptz '2026-03-29 01:00Z', 'all', ARRAY['dhcpd', 'kea4'])$$,
    'the switch is a moment for the feeder');
SELECT is((SELECT count(*) FROM nmsp_feed.boundary('2026-03-29 01:00Z', '2026-04-20') WHERE source = 'dhcp'), 0::bigint, 'and only once');

-- ---- lease times ahead of a renumbering
SELECT is(nmsp.renumber_lease_time(86400, '2026-06-02', at), l, format('a day''s lease at %s', at)) FROM (VALUES
    (timestamptz '2026-05-01', 86400), ('2026-05-30 23:00', 86400), ('2026-05-31', 76800), ('2026-06-01 00:00', 38400), ('2026-06-01 23:00', 1200), ('2026-06-01 23:59', 300), ('2026-06-03', 300)) v(at, l);
SELECT is(nmsp.renumber_lease_time(600, '2026-06-02', '2026-06-01'), 600, 'never longer than it was');
SELECT is((SELECT count(*) FROM pg_catalog.generate_series(0, 3 * 86400, 60) s(n), LATERAL (SELECT timestamptz '2026-06-02' - make_interval(secs => n) AS at) a
            WHERE nmsp.renumber_lease_time(86400, '2026-06-02', a.at) > greatest(300, n / 2 + 1) AND n < 2 * 86400), 0::bigint, 'whoever renews in time has asked again before the day');
UPDATE nmsp.pool SET renumber_at = now() + interval '1 hour' WHERE network = '10.1.0.0/24';
SELECT is((SELECT nmsp.pool_lease_time(p, now()) FROM nmsp.pool p WHERE network = '10.1.0.0/24'), 1200, 'a pool''s lease time shrinks');
SELECT alike((SELECT nmsp_feed.dhcpd_subnet(p, false, NULL) FROM nmsp.pool p WHERE network = '10.1.0.0/24'), '%max-lease-time 1200;%', 'in dhcpd');
SELECT is((SELECT nmsp_kea.subnet(p, '{}') -> 'valid-lifetime' FROM nmsp.pool p WHERE network = '10.1.0.0/24'), '1200', 'in Kea');
SELECT is((SELECT min(at) FROM nmsp_feed.boundary(now(), now() + interval '1 day') WHERE source = 'dhcp'), now() + interval '20 minutes', 'the next step is a moment for the feeder');

-- ---- failover pairs of dhcpd
INSERT INTO nmsp_feed.target (feed, name, root, settings) VALUES
    ('dhcpd', 'alone', '/x/alone', '{}'), ('dhcpd', 'pair', '/x/pair', '{"failover": {"role": "primary", "address": "172.20.0.1", "peer_address": "172.20.0.2", "auto_partner_down": 60}, "netgws": ["two"], "restart_pause_ms": 500}'),
    ('dhcpd', 'second', '/x/second', '{"failover": {"role": "secondary", "address": "172.20.0.2", "peer_address": "172.20.0.1"}}'),
    ('dhcpd', 'wrong', '/x/wrong', '{"failover": {"role": "boss", "address": "172.20.0.1", "peer_address": "172.20.0.2"}}'),
    ('dhcpd', 'lookup', '/x/lookup', '{"hosts": "lookup"}'), ('dhcpd', 'files', '/x/files', '{"hosts": "files", "lookup": "ldap://127.0.0.1:3890"}'), ('dhcpd', 'odd', '/x/odd', '{"hosts": "maybe"}');
CREATE FUNCTION pg_temp.t(n text) RETURNS bigint LANGUAGE sql AS 'SELECT id FROM nmsp_feed.target WHERE feed = ''dhcpd'' AND name = n';
CREATE FUNCTION pg_temp.file(n text, p text, i bigint) RETURNS text LANGUAGE sql AS
    'SELECT convert_from(content, ''UTF8'') FROM nmsp_feed.dhcpd_render(pg_temp.t(n), p, ARRAY[i])';
SELECT is(nmsp_feed.dhcpd_peer(pg_temp.t('alone')), NULL, 'a server that is alone');
SELECT is(pg_temp.file('alone', 'main', 2), NULL, 'restarts without conditions');
SELECT alike(nmsp_feed.dhcpd_peer(pg_temp.t('pair')), E'failover peer "nmsp" {\n  primary;%  mclt 1800;\n  split 128;\n  auto-partner-down 60;\n}\n', 'the primary''s declaration');
SELECT unalike(nmsp_feed.dhcpd_peer(pg_temp.t('second')), '%mclt%', 'mclt is not the secondary''s to say');
SELECT is(pg_temp.file('pair', 'main', 2)::jsonb, '{"pause_ms": 500, "failover": "nmsp", "role": "primary"}', 'how it is restarted');
SELECT alike(pg_temp.file('pair', 'netgw', :two), '%failover peer "nmsp";%range%', 'pools are the pair''s');
SELECT unalike(pg_temp.file('alone', 'netgw', :two), '%failover%', 'not those of a server that is alone');
SELECT is(pg_temp.file('pair', 'netgw', :one), NULL, 'gateways that are not its own have no file');
SELECT unalike(pg_temp.file('pair', 'main', 0), format('%%netgw/%s.conf%%', :one), 'and no include');
SELECT test.refused(format('SELECT nmsp_feed.dhcpd_peer(%s)', pg_temp.t('wrong')), '22023', '%no valid setting failover', 'In it, role is primary or secondary.', '%', 'a wrong setting says what is wrong');
SELECT alike(nmsp_feed.dhcpd_lookup(pg_temp.t('lookup')), '%ldap-port 3890;%', 'hosts by look-up');
SELECT is(nmsp_feed.dhcpd_lookup(pg_temp.t('files')), NULL, 'hosts in files');
SELECT test.refused(format('SELECT nmsp_feed.dhcpd_lookup(%s)', pg_temp.t('odd')), '22023', '%', '%', '%', 'neither is refused');

-- ---- Kea's HA
CREATE TEMP TABLE ha AS SELECT mode, jsonb_build_object('hook', '', 'ha', jsonb_build_object('mode', mode, 'this-server-name', 'b', 'peers',
    '[{"name": "a", "url": "http://172.20.0.1:8001/"}, {"name": "b", "url": "http://172.20.0.2:8001/"}]'::jsonb)) AS settings FROM unnest(ARRAY['hot-standby', 'load-balancing']) mode;
SELECT is((SELECT jsonb_path_query_array(nmsp_kea.hooks(settings), '$[*].library') FROM ha WHERE mode = 'hot-standby'),
    '["/usr/lib/x86_64-linux-gnu/kea/hooks/libdhcp_lease_cmds.so", "/usr/lib/x86_64-linux-gnu/kea/hooks/libdhcp_ha.so"]', 'its hooks');
SELECT is(jsonb_path_query_array(nmsp_kea.ha(settings), '$.peers[*].role'), r, mode) FROM ha JOIN (VALUES ('hot-standby', '["primary", "standby"]'::jsonb), ('load-balancing', '["primary", "secondary"]')) v(mode, r) USING (mode);
SELECT is((SELECT nmsp_kea.pools(p, settings) FROM nmsp.pool p, ha WHERE p.network = '10.1.0.0/24' AND mode = 'load-balancing'),
    '[{"pool": "10.1.0.10 - 10.1.0.59", "client-class": "cm/a"}, {"pool": "10.1.0.60 - 10.1.0.109", "client-class": "cm/b"}]', 'shared load: a half of the range each');
SELECT is((SELECT nmsp_kea.pools(p, settings) FROM nmsp.pool p, ha WHERE p.network = '10.2.0.0/24' AND mode = 'load-balancing'),
    '[{"pool": "10.2.0.10 - 10.2.0.10", "client-class": "cm/b"}]', 'one address is the second''s');
SELECT is((SELECT jsonb_path_query_array(nmsp_kea.prefix_pools(p, settings), '$[*].prefix') FROM nmsp.pool p, ha WHERE p.delegated_prefix IS NOT NULL AND mode = 'load-balancing'),
    '["2001:db8:4000::", "2001:db8:4080::"]', 'and of the prefixes');
SELECT is((SELECT jsonb_array_length(nmsp_kea.pools(p, settings)) FROM nmsp.pool p, ha WHERE p.network = '10.1.0.0/24' AND mode = 'hot-standby'), 1, 'hot standby: one range');
SELECT test.refused($$SELECT nmsp_kea.ha('{"ha": {"mode": "hot-standby", "peers": []}}')$$, '22023', 'the setting ha is not valid', 'In it, peers is an array of the two servers.', '%', 'a wrong setting');

-- ---- walled gardens
SELECT alike(nmsp_feed.dhcpd_device(:m1 % 16), format('%%subclass "cpe-blocked" %s;%%', '02:00:00:00:00:01'), 'CPEs of a blocked modem have a class');
SELECT unalike(nmsp_feed.dhcpd_global(pg_temp.t('alone')), '%class "cpe" {%', 'no class for strangers without a pool');
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, dns_server, lease_time) VALUES
    (:one, 'cpe_blocked', '100.65.0.0/24', '100.65.0.10', '100.65.0.20', '{10.0.0.53}', 120), (:one, 'cpe_unknown', '100.66.0.0/24', '100.66.0.10', '100.66.0.20', '{10.0.0.53}', 120);
SELECT alike(nmsp_feed.dhcpd_global(pg_temp.t('alone')), '%class "cpe" {%', 'a class for them with one');
SELECT alike((SELECT nmsp_feed.dhcpd_subnet(p, true, NULL) FROM nmsp.pool p WHERE purpose = 'cpe_unknown'), '%domain-name-servers 10.0.0.53;%max-lease-time 120;%deny members of "cpe-blocked";%', 'its own name server and a short lease');
SELECT ok(jsonb_path_exists(nmsp_kea.client_classes(4, '{}'), '$[*] ? (@.name == "DROP" && @.test like_regex "not member..cpe-unknown")'), 'Kea does not drop them then');
SELECT ok(jsonb_path_exists(nmsp_kea.client_classes(6, '{}'), '$[*] ? (@.name == "DROP" && @.test == "not member(''KNOWN'')")'), 'but still in IPv6, where there is no such pool');

-- ---- fixed prefixes
CREATE FUNCTION pg_temp.prefix(modem bigint, prefix text) RETURNS text LANGUAGE sql AS
    $$SELECT format('INSERT INTO nmsp.endpoint (name, modem_id, mac, delegated_prefix) VALUES (''shop'', %s, ''0a:00:00:00:00:01'', %L)', modem, prefix)$$;
SELECT test.refused(pg_temp.prefix(:m2, '2001:db8:4000:100::/56'), '23514', 'prefix 2001:db8:4000:100::/56 of endpoint "shop" does not fit the pools', '%of "one" delegates%the modem is behind "two".', '%', 'a prefix of another gateway');
SELECT test.refused(pg_temp.prefix(:m1, '2001:db8:4000::/48'), '23514', '%', '%of length 56 from 2001:db8:4000::/40%', '%', 'one of another length');
SELECT test.refused(pg_temp.prefix(:m1, '2001:db8:2::/64'), '23514', '%', 'It overlaps the network of pool 2001:db8:2::/64 (cm of "one").', '%', 'a pool''s network');
SELECT lives_ok(pg_temp.prefix(:m1, '2001:db8:4000:100::/56'), 'one of those that its pool delegates');
SELECT test.refused($$UPDATE nmsp.pool SET delegated_length = 60 WHERE delegated_prefix IS NOT NULL$$, '23514', 'prefix 2001:db8:4000:100::/56 of endpoint "shop"%', '%', '%', 'nor can the pool change below it');
SELECT test.refused(format('UPDATE nmsp.modem SET netgw_id = %s WHERE id = %s; SET CONSTRAINTS ALL IMMEDIATE', :two, :m1), '23514', 'modem % cannot move from "one" to "two" with the prefix of its endpoint',
    'Endpoint "shop" has the fixed prefix 2001:db8:4000:100::/56. Pool % of "one" delegates prefixes of 2001:db8:4000::/40; the modem is behind "two".', 'In the same transaction, after the modem: %', 'nor does its modem move away with it');
SELECT lives_ok(format('UPDATE nmsp.endpoint SET delegated_prefix = ''2001:db8:ffff::/56'' WHERE modem_id = %s', :m1), 'a prefix that no pool has');
SELECT test.refused(format('UPDATE nmsp.modem SET netgw_id = %s WHERE id = %s; SET CONSTRAINTS ALL IMMEDIATE', :two, :m1), '23514', '%', '%"two" has no IPv6 pool for CPEs;%', '%', 'needs an IPv6 network where it goes');
SET CONSTRAINTS ALL DEFERRED;
SELECT lives_ok(format('UPDATE nmsp.modem SET netgw_id = %s WHERE id = %s; DELETE FROM nmsp.endpoint WHERE modem_id = %2$s; SET CONSTRAINTS ALL IMMEDIATE', :two, :m1),
    'without it the modem moves, changed after it in the same transaction');
SET CONSTRAINTS ALL DEFERRED;

-- ---- a gateway for modems of IPv6 alone
INSERT INTO nmsp.netgw (name) VALUES ('six');
INSERT INTO nmsp.pool (netgw_id, purpose, network) SELECT id, 'cm', '2001:db8:66::/64' FROM nmsp.netgw WHERE name = 'six';
UPDATE nmsp.setting SET provisioning_server6 = NULL;
SELECT test.refused(format('UPDATE nmsp.modem SET netgw_id = (SELECT id FROM nmsp.netgw WHERE name = ''six'') WHERE id = %s', :m1), '23514', '"six" has no active IPv4 pool for cable modems', '%provisioning_server6 is null.', 'UPDATE nmsp.setting SET provisioning_server6 = %', 'needs a server that DHCPv6 announces');
UPDATE nmsp.setting SET provisioning_server6 = '2001:db8:ffff::1';
SELECT lives_ok(format('UPDATE nmsp.modem SET netgw_id = (SELECT id FROM nmsp.netgw WHERE name = ''six'') WHERE id = %s', :m1), 'and takes modems then');

-- ---- PPP accounts: their fixed addresses are left out of ranges
INSERT INTO nmsp.netgw (name, kind, address) VALUES ('bras', 'bras', '10.0.0.77');
SELECT id AS bras FROM nmsp.netgw WHERE name = 'bras' \gset
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end) VALUES (:bras, 'cpe_private', '100.99.0.0/24', '100.99.0.10', '100.99.0.99');
DELETE FROM nmsp_feed.change;
INSERT INTO nmsp.ppp_account (username, netgw_id, address) VALUES ('u1', :bras, '100.99.0.20'), ('u2', NULL, '100.64.0.15');
SELECT bag_eq($$SELECT DISTINCT k.part, k.id FROM nmsp_feed.change c, nmsp_feed.dhcpd_keys(pg_temp.t('alone'), c.cause, c.ids, NULL, NULL, 100) k WHERE c.feed = 'dhcpd'$$,
    format('VALUES (''netgw'', %s::bigint), (''netgw'', %s)', :bras, :one), 'the gateways'' files are looked at');
SELECT alike(pg_temp.file('alone', 'netgw', :bras), E'%range 100.99.0.10 100.99.0.19;\n%range 100.99.0.21 100.99.0.99;%', 'the range has a gap');
DELETE FROM nmsp_feed.change;
UPDATE nmsp.ppp_account SET internet_access = false WHERE username = 'u1';
SELECT is_empty($$SELECT FROM nmsp_feed.change WHERE feed = 'dhcpd'$$, 'what else changes about an account is nothing to dhcpd');

-- ---- just-in-time compilation
SELECT is_empty($$SELECT p.oid::regprocedure FROM nmsp_feed.feed f JOIN pg_proc p ON p.oid::regproc::text IN (f.render_function, f.keys_function) WHERE NOT coalesce(p.proconfig, '{}') @> '{jit=off}'$$,
    'what feeds render is rendered without it, in any session');

SELECT * FROM finish();
ROLLBACK;
