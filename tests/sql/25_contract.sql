-- Contracts: what modems and PPP accounts may do, by day and by moment, and why.
BEGIN;
SELECT * FROM no_plan();
UPDATE nmsp.setting SET time_zone = 'Europe/Berlin', max_cpe = 2;
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1');
INSERT INTO nmsp.netgw_secret (netgw_id, shared_secret) SELECT id, 'secret' FROM nmsp.netgw;
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router)
    SELECT id, 'cm', '10.1.0.0/24', '10.1.0.10', '10.1.0.250', '10.1.0.1' FROM nmsp.netgw;
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES ('small', 10000000, 1000000), ('big', 100000000, 10000000);
INSERT INTO nmsp.template (name, source) VALUES ('t', E'DsServiceFlow {\nDsServiceFlowRef 1;\nQosParamSetType 7;\nMaxRateSustained {qos.ds_rate_max_help.0};\n}');
INSERT INTO nmsp.template (name, device, source) VALUES ('m', 'mta', E'MtaConfigDelimiter 1;\nMtaConfigDelimiter 255;');
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id)
    SELECT ('02:00:00:00:00:0' || i)::macaddr, (SELECT id FROM nmsp.netgw), (SELECT id FROM nmsp.template WHERE name = 't'), (SELECT id FROM nmsp.service_class WHERE name = 'small')
      FROM generate_series(1, 5) i;
SELECT id AS m1 FROM nmsp.modem WHERE mac = '02:00:00:00:00:01' \gset
SELECT id AS m2 FROM nmsp.modem WHERE mac = '02:00:00:00:00:02' \gset
SELECT id AS m3 FROM nmsp.modem WHERE mac = '02:00:00:00:00:03' \gset
SELECT id AS small FROM nmsp.service_class WHERE name = 'small' \gset
SELECT id AS big FROM nmsp.service_class WHERE name = 'big' \gset
CREATE FUNCTION pg_temp.says(modem bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', 'access', docsis.config(c::bytea) OPERATOR(docsis.->>) 'NetworkAccess', 'cpe', docsis.config(c::bytea) OPERATOR(docsis.->>) 'MaxCPE',
                     'rate', docsis.config(c::bytea) OPERATOR(docsis.->>) '25.8', 'mac', docsis.config(c::bytea) OPERATOR(docsis.->>) 'CpeMacAddress')
      FROM (SELECT nmsp.modem_config(modem) AS c) x $$;
CREATE FUNCTION pg_temp.service(modem bigint, at timestamptz DEFAULT now()) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', s.code, CASE WHEN s.internet THEN 'internet' END, CASE WHEN s.voice THEN 'voice' END, CASE WHEN s.voice_only THEN 'only' END, s.max_cpe,
                     CASE WHEN s.public_cpe THEN 'public' END) FROM nmsp.modem_service_at(at) s WHERE s.modem_id = modem $$;

-- ---- without contracts everything is as its own row says
SELECT is(pg_temp.service(:m1), 'own internet 2', 'own row');
SELECT is(pg_temp.says(:m1), 'access 1 cpe 2 rate 10000000 mac', 'its file');
UPDATE nmsp.modem SET internet_access = false WHERE id = :m2;
SELECT is(pg_temp.service(:m2), 'off 2', 'switched off');
SELECT is(pg_temp.says(:m2), 'access 0 cpe 2 rate 10000000 mac', 'its file');

-- ---- by contract
INSERT INTO nmsp.customer (number, name) VALUES ('1', 'Anna');
INSERT INTO nmsp.contract (number, customer_id, validity) SELECT 'C1', id, daterange(nmsp.day(now()), NULL) FROM nmsp.customer;
SELECT id AS c1 FROM nmsp.contract \gset
INSERT INTO nmsp.contract_modem (modem_id, contract_id) VALUES (:m1, :c1);
SELECT is(pg_temp.service(:m1), 'no internet 2', 'a contract without internet');
SELECT is(pg_temp.says(:m1), 'access 0 cpe 2 rate mac', 'its file: no access, no service class');
INSERT INTO nmsp.entitlement (contract_id, kind, service_class_id) VALUES (:c1, 'internet', :big);
SELECT is(pg_temp.service(:m1), 'active internet 2', 'internet');
SELECT is(pg_temp.says(:m1), 'access 1 cpe 2 rate 100000000 mac', 'with the service class of the contract');
SELECT is((SELECT why FROM nmsp.modem_service WHERE modem_id = :m1), 'contract C1: big', 'and why');
INSERT INTO nmsp.entitlement (contract_id, kind, quantity) VALUES (:c1, 'cpe', 5);
INSERT INTO nmsp.entitlement (contract_id, kind) VALUES (:c1, 'public_cpe'), (:c1, 'voice');
SELECT is(pg_temp.service(:m1), 'active internet 5 public', 'more CPEs, public');
SELECT is(nmsp.cpe_class(:m1, false, false), 'public', 'what DHCP takes its CPEs for');
SELECT is(nmsp.cpe_class(:m2, false, true), 'blocked', 'others as their row says');
INSERT INTO nmsp.mta (mac, modem_id, template_id) SELECT '06:00:00:00:00:01', :m1, id FROM nmsp.template WHERE name = 'm';
SELECT is(pg_temp.service(:m1), 'active internet voice 6 public', 'an MTA is one CPE more');
SELECT is(pg_temp.says(:m1), 'access 1 cpe 6 rate 100000000 mac', 'its file');
INSERT INTO nmsp.service_block (contract_id, scope, reason) VALUES (:c1, 'internet', 'unpaid');
SELECT is(pg_temp.service(:m1), 'blocked voice only 1 public', 'internet is blocked, voice goes on');
SELECT is(pg_temp.says(:m1), 'access 1 cpe 1 rate 100000000 mac 06:00:00:00:00:01', 'its file lets the MTA pass, nobody else');
SELECT is(nmsp.cpe_class(:m1, true, true), 'blocked', 'CPEs are blocked');
SELECT ok((SELECT why FROM nmsp.modem_service WHERE modem_id = :m1) ~ '^blocked for internet since .*: unpaid; voice goes on$', 'and why');
UPDATE nmsp.template SET source = E'/* CpeMacAddress skip */\n' || source WHERE name = 't';
SELECT is(pg_temp.says(:m1), 'access 1 cpe 1 rate 100000000 mac', 'unless the template says skip');
UPDATE nmsp.service_block SET scope = 'all';
SELECT is(pg_temp.says(:m1), 'access 0 cpe 1 rate 100000000 mac', 'all is blocked');
UPDATE nmsp.service_block SET during = tstzrange(now() - interval '2 h', now() - interval '1 h');
SELECT is(pg_temp.service(:m1), 'active internet voice 6 public', 'the block has ended');
SELECT is(pg_temp.service(:m1, now() - interval '90 min'), 'blocked 1 public', 'then it was there') WHERE nmsp.day(now() - interval '90 min') = nmsp.day(now());

-- ---- time
SELECT is(pg_temp.service(:m1, nmsp.midnight(nmsp.day(now())) - interval '1 us'), 'no contract 1', 'the moment before its first day');
SELECT is(pg_temp.service(:m1, nmsp.midnight(nmsp.day(now()))), 'active internet voice 6 public', 'its first moment') WHERE now() - nmsp.midnight(nmsp.day(now())) > interval '3 h';
UPDATE nmsp.entitlement SET validity = daterange(NULL, nmsp.day(now()) + 3) WHERE kind = 'internet';
INSERT INTO nmsp.entitlement (contract_id, kind, validity, service_class_id) VALUES (:c1, 'internet', daterange(nmsp.day(now()) + 3, NULL), :small);
SELECT results_eq($$SELECT source, cause, note FROM nmsp.next_change$$,
    $$VALUES ('service', 'contract', 'internet begins'), ('service', 'contract', 'internet ends')$$, 'what is due');
SELECT results_eq(format($$SELECT at, mac, before, after FROM nmsp.next_modem_change() WHERE modem_id = %s$$, :m1),
    $$SELECT nmsp.midnight(nmsp.day(now()) + 3), macaddr '02:00:00:00:00:01', 'contract C1: big', 'contract C1: small'$$, 'what that means for the modem');

-- ---- recorded for feeding when the moment comes, once
DELETE FROM nmsp_feed.change;
SELECT nmsp_feed.pass_time();
SELECT is((SELECT count(*) FROM nmsp_feed.change), 0::bigint, 'nothing is due now');
SELECT is(nmsp_feed.pass_time(nmsp.midnight(nmsp.day(now()) + 3) - interval '2 s'), 2000::bigint, 'two seconds before');
SELECT is((SELECT count(*) FROM nmsp_feed.change WHERE cause = 'contract'), 0::bigint, 'nothing yet');
SELECT is(nmsp_feed.pass_time(nmsp.midnight(nmsp.day(now()) + 3)), 1::bigint, 'the moment');
SELECT results_eq($$SELECT feed, cause, ids FROM nmsp_feed.change WHERE cause = 'contract' ORDER BY feed COLLATE "C"$$, format($$VALUES ('dhcpd', 'contract', '{%s}'::bigint[]), ('tftpd', 'contract', '{%1$s}')$$, :c1), 'it is recorded');
SELECT nmsp_feed.pass_time(nmsp.midnight(nmsp.day(now()) + 3) + interval '1 h');
SELECT is((SELECT count(*) FROM nmsp_feed.change WHERE cause = 'contract'), 2::bigint, 'once');
SELECT nmsp_feed.pass_time(nmsp.midnight(nmsp.day(now()) + 2));
SELECT is((SELECT count(*) FROM nmsp_feed.change WHERE cause = 'contract'), 4::bigint, 'and again when the clock was set back');
SELECT set_eq(format($$SELECT id FROM nmsp_feed.tftpd_keys(1, 'contract', '{%s}', NULL, NULL, 100) WHERE part = 'cm'$$, :c1), ARRAY[:m1]::bigint[], 'the file of its modem');
SELECT set_eq(format($$SELECT id FROM nmsp_feed.tftpd_keys(1, 'service_class', '{%s}', NULL, NULL, 100) WHERE part = 'cm'$$, :big), ARRAY[:m1]::bigint[], 'a service class by contract');
SELECT results_eq(format($$SELECT id FROM nmsp_feed.tftpd_keys(1, 'service_class', '{%s}', NULL, NULL, 100) WHERE part = 'cm'$$, :small),
    $$SELECT id FROM nmsp.modem ORDER BY id$$, 'a service class of their own and by contract, each once');

-- ---- PPP accounts
INSERT INTO nmsp.ppp_account (username, service_class_id) VALUES ('a', :small), ('b', :small);
INSERT INTO nmsp.ppp_account_secret (ppp_account_id, password) SELECT id, 'pw' FROM nmsp.ppp_account;
UPDATE nmsp.ppp_account SET contract_id = :c1 WHERE username = 'b';
SELECT results_eq($$SELECT username, internet, service_class_id, why FROM nmsp.ppp_service ORDER BY username$$,
    format($$VALUES ('a', true, %s::bigint, 'as its own row says'), ('b', true, %s, 'contract C1')$$, :small, :big), 'accounts by row and by contract');
SELECT set_has($$SELECT groupname FROM nmsp_radius.radusergroup WHERE username = 'b'$$, format($$VALUES ('class-%s')$$, :big), 'its group');
INSERT INTO nmsp.service_block (contract_id, reason) VALUES (:c1, 'unpaid');
SELECT is_empty($$SELECT FROM nmsp_radius.radcheck WHERE username = 'b'$$, 'a block: it may not log in');
SELECT isnt_empty($$SELECT FROM nmsp_radius.radcheck WHERE username = 'a'$$, 'others may');
SELECT is((SELECT why FROM nmsp.ppp_service WHERE username = 'b'), 'blocked: unpaid', 'and why');

-- ---- static addresses
INSERT INTO nmsp.pool (netgw_id, purpose, network) SELECT id, 'cpe_public', '198.51.100.0/24' FROM nmsp.netgw;
SELECT test.refused(format($$INSERT INTO nmsp.endpoint (name, modem_id, address) VALUES ('e1', %s, '198.51.100.5')$$, :m1), '23514',
    'modem 02:00:00:00:00:01 may have 0 endpoints with fixed addresses', '0 others are there; "e1" would be one too many%', '%static_address%', 'no entitlement to static addresses');
INSERT INTO nmsp.entitlement (contract_id, kind, quantity) VALUES (:c1, 'static_address', 1);
SELECT lives_ok(format($$INSERT INTO nmsp.endpoint (name, modem_id, address) VALUES ('e1', %s, '198.51.100.5')$$, :m1), 'one is allowed');
SELECT test.refused(format($$INSERT INTO nmsp.endpoint (name, modem_id, address) VALUES ('e2', %s, '198.51.100.6')$$, :m1), '23514', 'modem 02:00:00:00:00:01 may have 1 %', '1 others%', '%', 'a second is not');
SELECT lives_ok(format($$INSERT INTO nmsp.endpoint (name, modem_id, address) VALUES ('e3', %s, '198.51.100.7')$$, :m3), 'without contract nobody counts');

-- ---- bad input
SELECT test.refused(format($$INSERT INTO nmsp.entitlement (contract_id, kind, service_class_id) VALUES (%s, 'internet', %s)$$, :c1, :small), '23P01',
    '%entitlement_is_there_twice_at_once%', '%internet%conflicts with existing key%', 'End the one that is there first%', 'two main tariffs at once');
SELECT test.refused(format($$INSERT INTO nmsp.contract_modem (modem_id, contract_id) VALUES (%s, %s)$$, :m1, :c1), '23P01',
    '%contract_modem_serves_two_contracts_at_once%', '%', 'End the assignment%', 'a modem of two contracts');
SELECT test.refused($$INSERT INTO nmsp.contract (number, customer_id, validity) VALUES ('C2', 0, '[2026-01-01,)')$$, '23503', '%contract_needs_an_existing_customer%', '%', '%nmsp.customer%', 'no such customer');
SELECT test.refused($$INSERT INTO nmsp.contract (number, customer_id, validity) VALUES ('C2', 1, '[2026-01-02,2026-01-01)')$$, '22000', '%', '', '', 'it ends before it begins');
SELECT test.refused($$INSERT INTO nmsp.contract (number, customer_id, validity) SELECT 'C2', id, 'empty' FROM nmsp.customer$$, '23514', '%contract_validity_is_not_empty%', '%', 'Give the first day%', 'on no day');
SELECT test.refused(format($$INSERT INTO nmsp.entitlement (contract_id, kind) VALUES (%s, 'internet')$$, :c1), '23514', '%entitlement_service_class_is_for_internet%', '%', 'Kind internet%', 'internet of no class');
SELECT test.refused($$INSERT INTO nmsp.service_block (reason) VALUES ('x')$$, '23514', '%service_block_is_of_a_contract_or_a_modem%', '%', 'Give contract_id%', 'a block of nobody');
SELECT test.refused($$DELETE FROM nmsp.customer$$, '23503', '%', '%', '%', 'a customer with contracts stays');
SELECT * FROM finish();
ROLLBACK;
