-- Actions: asking, limits, giving out, results; resets by policy.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL client_min_messages TO warning;
INSERT INTO nmsp.netgw (name, vendor, address, coa_port) VALUES ('cisco', 'Cisco', '172.20.0.21', NULL), ('casa', 'CASA Systems', '172.20.0.22', NULL), ('other', 'Other', '172.20.0.23', NULL),
    ('bras', 'x', '172.20.0.24', 3799);
SELECT id AS g1 FROM nmsp.netgw WHERE name = 'cisco' \gset
SELECT id AS g2 FROM nmsp.netgw WHERE name = 'casa' \gset
SELECT id AS g3 FROM nmsp.netgw WHERE name = 'other' \gset
INSERT INTO nmsp.netgw_secret (netgw_id, shared_secret, snmp_write_community) VALUES (:g1, 'a', 'write'), (:g2, 'b', 'casa-write'), (:g3, 'c', 'other');
INSERT INTO nmsp.netgw_secret (netgw_id, radius_secret) SELECT id, 'coa-secret' FROM nmsp.netgw WHERE name = 'bras';
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router)
SELECT g, 'cm', format('10.%s.0.0/24', n)::cidr, format('10.%s.0.10', n)::inet, format('10.%s.0.250', n)::inet, format('10.%s.0.1', n)::inet FROM (VALUES (1, :g1), (2, :g2), (3, :g3)) x(n, g);
INSERT INTO nmsp.template (name, source) VALUES ('modem', 'GlobalPrivacyEnable 0;') RETURNING id AS t \gset
INSERT INTO nmsp.modem (mac, netgw_id, template_id, address) VALUES ('02:00:00:00:0a:ff', :g1, :t, NULL), ('02:00:00:00:00:02', :g2, :t, NULL), ('02:00:00:00:00:03', :g3, :t, '10.3.0.10'),
    ('02:00:00:00:00:04', :g3, :t, NULL);
SELECT test.refused('SELECT nmsp.request_reset(''02:00:00:00:00:99'')', '42704', 'modem 02:00:00:00:00:99 does not exist', '%', '%', 'a modem that does not exist');
SELECT is(nmsp.request_resets((SELECT array_agg(id ORDER BY id) FROM nmsp.modem), 'test'), 4, 'four resets');
SELECT is(nmsp.request_resets((SELECT array_agg(id) FROM nmsp.modem)), 0, 'none waits twice');
SELECT results_eq('SELECT program, arguments, secret, input FROM nmsp.claim_actions(''a'', 10)', $$VALUES
    ('snmpset', ARRAY['udp:172.20.0.21:161', '1.3.6.1.4.1.9.9.116.1.3.1.1.9.2.0.0.0.10.255', 'i', '1'], 'write', NULL),
    ('snmpset', ARRAY['udp:172.20.0.22:161', '1.3.6.1.4.1.20858.10.12.1.3.1.7.2.0.0.0.0.2', 'i', '1'], 'casa-write', NULL),
    ('snmpset', ARRAY['udp:10.3.0.10:161', '1.3.6.1.2.1.69.1.1.3.0', 'i', '1'], 'private', NULL)$$, 'each by the way of its CMTS, or by its own');
SELECT results_eq('SELECT mac::text, state, message FROM nmsp.action WHERE state <> ''running''', $$VALUES ('02:00:00:00:00:04', 'failed',
    'the modem''s address is not known: it has no fixed one and has downloaded nothing')$$, 'what cannot be done fails with the reason');
SELECT is_empty('SELECT * FROM nmsp.claim_actions(''b'', 10)', 'nothing is given out twice');
SELECT lives_ok($$SELECT nmsp.finish_actions('a', array_agg(id), array_agg(method = 'cmts'), array_agg(method), array_agg(1.5::real)) FROM nmsp.action WHERE state = 'running'$$, 'results come back');
SELECT results_eq('SELECT state, message, latency_ms FROM nmsp.action WHERE latency_ms IS NOT NULL ORDER BY id', $$VALUES ('done', 'cmts', 1.5::real), ('done', 'cmts', 1.5), ('failed', 'modem', 1.5)$$, 'and are kept');

-- ---- an agent that dies
SELECT nmsp.request_reset('02:00:00:00:00:03', 'once more') AS a \gset
SELECT is((SELECT count(*) FROM nmsp.claim_actions('a', 10)), 1::bigint, 'an agent takes one');
SELECT is(nmsp.begin_actions('b'), 0, 'another agent''s start leaves it');
SELECT is(nmsp.begin_actions('a'), 1, 'when its own comes back, what became of it is not known');
SELECT is((SELECT state FROM nmsp.action WHERE id = :a), 'unknown', 'which it says');
SELECT is_empty('SELECT * FROM nmsp.claim_actions(''a'', 10)', 'it is not repeated');
SELECT nmsp.finish_actions('a', ARRAY[:a]::bigint[], '{true}', '{late}', '{9}');
SELECT is((SELECT state FROM nmsp.action WHERE id = :a), 'done', 'a late result is taken');
SELECT nmsp.request_reset('02:00:00:00:00:03', 'x') AS c \gset
SELECT is(nmsp.cancel_action(:c), true, 'what waits can be cancelled');
SELECT is(nmsp.cancel_action(:c), false, 'once');
SELECT nmsp.request_reset('02:00:00:00:00:03', 'y') AS d \gset
UPDATE nmsp.action SET expires_at = now() WHERE id = :d;
SELECT is_empty('SELECT * FROM nmsp.claim_actions(''a'', 10)', 'what is too old is not done');

-- ---- limits
UPDATE nmsp.action SET claimed_at = now() - interval '2 minutes';
INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT ('02:00:00:01:00:' || to_hex(n))::macaddr, CASE WHEN n < 30 THEN :g1 ELSE :g2 END, :t FROM generate_series(16, 45) n;
SELECT nmsp.request_resets((SELECT array_agg(id) FROM nmsp.modem WHERE mac > '02:00:00:01:00:00'));
UPDATE nmsp.netgw SET action_rate = 5 WHERE id = :g1;
SELECT is((SELECT count(*) FROM nmsp.claim_actions('a', 8)), 8::bigint, 'as many as the agent has room for');
SELECT results_eq('SELECT netgw_id, count(*)::int FROM nmsp.action WHERE state = ''running'' GROUP BY 1 ORDER BY 1', format('VALUES (%s::bigint, 4), (%s, 4)', :g1, :g2), 'in turn over the gateways');
SELECT nmsp.claim_actions('a', 100);
SELECT results_eq('SELECT netgw_id, count(*)::int FROM nmsp.action WHERE state = ''running'' GROUP BY 1 ORDER BY 1', format('VALUES (%s::bigint, 5), (%s, 16)', :g1, :g2), 'within the limits of each');
SELECT is((SELECT waiting FROM nmsp.action_status WHERE netgw = 'cisco'), 9::bigint, 'the rest waits');
UPDATE nmsp.action SET claimed_at = now() - interval '2 minutes' WHERE netgw_id = :g1;
SELECT is((SELECT count(*) FROM nmsp.claim_actions('a', 100)), 5::bigint, 'a minute later the next');

-- ---- sessions
INSERT INTO nmsp_radius.session (session_id, unique_id, username, nas_address, started_at) VALUES ('s1', 'u1', 'alice', '172.20.0.24', now() - interval '1 h'), ('s2', 'u2', 'bob', '172.20.0.23', now());
SELECT is(nmsp.request_disconnect('alice', 'blocked'), 1, 'a session is to end');
SELECT is(nmsp.request_disconnect('bob'), 1, 'another one');
SELECT results_eq('SELECT program, arguments, secret, input FROM nmsp.claim_actions(''a'', 10) WHERE program = ''radclient''',
    $$VALUES ('radclient', ARRAY['172.20.0.24:3799', 'disconnect'], 'coa-secret', 'User-Name = "alice", Acct-Session-Id = "s1", NAS-IP-Address = 172.20.0.24')$$, 'by RFC 5176');
SELECT is((SELECT message FROM nmsp.action WHERE username = 'bob'), 'gateway "other" takes no Disconnect requests (coa_port)', 'where the gateway takes that');

-- ---- by policy
SELECT is(nmsp.reset_changed_modems(), 0, 'without a policy no modem is reset');
INSERT INTO nmsp.modem_download (modem_id, at, source, sha256, config_sha256) SELECT id, now() - interval '2 h', '10.3.0.99', '\x00', CASE WHEN mac = '02:00:00:00:00:04' THEN nmsp.modem_due(m, NULL) ELSE '\x00' END
  FROM nmsp.modem m WHERE mac IN ('02:00:00:00:00:03', '02:00:00:00:00:04', '02:00:00:00:0a:ff');
UPDATE nmsp.action SET requested_at = now() - interval '3 h';
UPDATE nmsp.netgw SET reset_changed = true WHERE id = :g3;
SELECT is(nmsp.reset_changed_modems(2), 1, 'one whose file has changed, where the gateway''s policy says so');
SELECT is(nmsp.reset_changed_modems(2) + nmsp.reset_changed_modems(2), 0, 'once');
SELECT is((SELECT mac FROM nmsp.action WHERE reason = 'its configfile has changed'), '02:00:00:00:00:03'::macaddr, 'the right one');
SELECT is(nmsp.keep_actions(now() + interval '91 days') > 0, true, 'finished ones are deleted in the end');
SELECT * FROM finish();
ROLLBACK;
