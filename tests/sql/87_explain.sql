-- nmsp.explain_modem: for each broken situation the right link is marked, with its cure.
BEGIN;
SELECT * FROM no_plan();
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1'), ('cmts-2');
SELECT id AS g FROM nmsp.netgw WHERE name = 'cmts-1' \gset
SELECT id AS g2 FROM nmsp.netgw WHERE name = 'cmts-2' \gset
INSERT INTO nmsp.netgw_secret (netgw_id, shared_secret) SELECT id, 'secret' FROM nmsp.netgw;
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES
    (:g, 'cm', '10.1.0.0/24', '10.1.0.10', '10.1.0.11', '10.1.0.1'), (:g, 'cpe_private', '10.2.0.0/24', '10.2.0.10', '10.2.0.200', '10.2.0.1'),
    (:g2, 'cm', '10.3.0.0/24', '10.3.0.10', '10.3.0.200', '10.3.0.1');
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES ('c', 10000000, 1000000);
INSERT INTO nmsp.template (name, source) VALUES
    ('t', E'UsServiceFlow {\nUsServiceFlowRef 1;\nQosParamSetType 7;\n}\nDsServiceFlow {\nDsServiceFlowRef 2;\nQosParamSetType 7;\nMaxRateSustained {modem.rate.0};\n}');
INSERT INTO nmsp.template (name, device, source) VALUES ('m', 'mta', E'SnmpMibObject pktcMtaDevEnabled.0 Integer 1;');
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id)
    SELECT '02:00:00:00:00:01', :g, t.id, c.id FROM nmsp.template t, nmsp.service_class c WHERE t.name = 't';
SELECT id AS m FROM nmsp.modem \gset
INSERT INTO nmsp.mta (mac, modem_id, template_id) SELECT '06:00:00:00:00:01', :m, id FROM nmsp.template WHERE name = 'm';
CREATE FUNCTION pg_temp.broken(mac text DEFAULT '02:00:00:00:00:01') RETURNS text LANGUAGE sql AS
$$SELECT string_agg(link || ': ' || says || ' / ' || cure, '; ' ORDER BY n) FILTER (WHERE first_broken) FROM nmsp.explain_modem(mac::macaddr)$$;

SELECT is(pg_temp.broken(), NULL, 'nothing is broken');
SELECT results_eq($$SELECT link FROM nmsp.explain_modem('02:00:00:00:00:01')$$, ARRAY['row', 'contract', 'service', 'secret', 'file', 'address', 'CPE network', 'download'], 'the chain');
SELECT is((SELECT count(*) FROM nmsp.explain_modem('02:00:00:00:00:01') WHERE state = 'ok' AND cure IS NOT NULL), 0::bigint, 'what is right needs no cure');

SELECT matches(pg_temp.broken('02:00:00:00:00:99'), '^row: no modem has the address .* / INSERT INTO nmsp.modem', '1: an unknown modem');
SELECT matches(pg_temp.broken('06:00:00:00:00:01'), '^row: .* is no modem but MTA \d+, behind modem 02:00:00:00:00:01', '2: an MTA''s address');
SAVEPOINT s;
UPDATE nmsp.modem SET internet_access = false;
SELECT matches(pg_temp.broken(), '^service: switched off .* / UPDATE nmsp.modem SET internet_access = true', '3: switched off');
ROLLBACK TO s;
INSERT INTO nmsp.customer (number, name) VALUES ('1', 'Anna');
INSERT INTO nmsp.contract (number, customer_id, validity) SELECT 'C1', id, '[2020-01-01,2020-02-01)' FROM nmsp.customer;
INSERT INTO nmsp.contract_modem (modem_id, contract_id) SELECT :m, id FROM nmsp.contract;
SELECT matches(pg_temp.broken(), '^contract: contract C1 .*2020-02-01.*: not today / .*UPDATE nmsp.contract SET validity', '4: its contract has ended');
UPDATE nmsp.contract SET validity = '[2020-01-01,)';
SELECT matches(pg_temp.broken(), '^service: contract C1 has no internet on this day / INSERT INTO nmsp.entitlement', '5: a contract without internet');
INSERT INTO nmsp.entitlement (contract_id, kind, service_class_id) SELECT k.id, 'internet', c.id FROM nmsp.contract k, nmsp.service_class c;
SELECT is(pg_temp.broken(), NULL, 'internet by contract');
INSERT INTO nmsp.service_block (contract_id, reason) SELECT id, 'unpaid' FROM nmsp.contract;
SELECT matches(pg_temp.broken(), '^service: blocked since .*: unpaid / End the block: UPDATE nmsp.service_block .* contract_id = ', '6: blocked');
ROLLBACK TO s;
DELETE FROM nmsp.netgw_secret WHERE netgw_id = :g;
SELECT matches(pg_temp.broken(), '^secret: "cmts-1" has no shared secret.* / INSERT INTO nmsp.netgw_secret', '7: a gateway without secret');
ROLLBACK TO s;
INSERT INTO nmsp.modem_option VALUES (:m, 'rate', 'fast');
SELECT matches(pg_temp.broken(), '^file: template "t" makes no file for it: .*Line 8.* / Mend the template, or the value', '8: a value the template cannot take');
ROLLBACK TO s;
UPDATE nmsp.pool SET active = false WHERE purpose = 'cm' AND netgw_id = :g;
SELECT matches(pg_temp.broken(), '^address: "cmts-1" has no active pool for modems / UPDATE nmsp.pool SET active = true', '9: no pool');
ROLLBACK TO s;
INSERT INTO nmsp.modem (mac, netgw_id, template_id, address) SELECT ('02:00:00:00:01:0' || i)::macaddr, :g, (SELECT id FROM nmsp.template WHERE name = 't'), '10.1.0.9'::inet + i FROM generate_series(1, 2) i;
SELECT matches(pg_temp.broken(), '^address: pools 10.1.0.0/24 have no address .* / Widen a range', '10: the pool is exhausted');
ROLLBACK TO s;
UPDATE nmsp.modem SET public_cpe = true;
SELECT matches(pg_temp.broken(), '^CPE network: "cmts-1" has no active cpe_public pool .* / INSERT INTO nmsp.pool', '11: no pool for its CPEs');
ROLLBACK TO s;
INSERT INTO nmsp_feed.target (feed, root) VALUES ('tftpd', '/srv/tftp/x');
SELECT matches(pg_temp.broken(), '^feeder: no feeder runs.* / Put into postgresql.conf', '12: no feeder');
UPDATE nmsp_feed.target SET settings = '{"agent": "a"}';
UPDATE nmsp_feed.target SET error = 'tftpd: disk full', snapshot = pg_current_snapshot();
SELECT matches(pg_temp.broken(), '^tftpd "default": tftpd: disk full / The last good state', '13: a daemon''s target fails');
UPDATE nmsp_feed.target SET error = NULL;
INSERT INTO nmsp_feed.artifact (target_id, part, id, path, error) SELECT id, 'cm', :m, 'cm/x.cfg', 'no file' FROM nmsp_feed.target;
SELECT matches(pg_temp.broken(), '^tftpd "default": cm/x.cfg is held back: no file / Mend the rows', '14: its file is in quarantine');
ROLLBACK TO s;
INSERT INTO nmsp.modem_download (modem_id, at, netgw_id, source, sha256, config_sha256) VALUES (:m, now() - interval '1 h', :g, '10.1.0.10', '\x00', '\x00');
SELECT matches(pg_temp.broken(), '^download: it runs a file of .*; another one is due / Reset the modem', '15: it runs an old file');
INSERT INTO nmsp.download (at, agent, source, path, result, modem_id, note) VALUES (now(), 'a', '10.1.0.11', 'cm/x.cfg', 'refused', :m, 'the address belongs to modem 02:00:00:00:01:01');
SELECT matches(pg_temp.broken(), '^download: refused .* to 10.1.0.11: the address belongs to modem', '16: the download service refused it');
ROLLBACK TO s;
INSERT INTO nmsp.modem_download (modem_id, at, netgw_id, source, sha256, config_sha256) SELECT :m, now(), :g2, '10.3.0.10', '\x00', nmsp.modem_due(x, :g2) FROM nmsp.modem x;
SELECT matches((SELECT says || ' / ' || cure FROM nmsp.explain_modem('02:00:00:00:00:01') WHERE link = 'download'), '^it boots through "cmts-2", its row says "cmts-1" / UPDATE nmsp.modem SET netgw_id = ', '17: it boots elsewhere');
ROLLBACK TO s;
SELECT nmsp.record_leases('a', 'dhcpd', '{10.1.0.10}', '{32}', '{02:00:00:00:00:01}', ARRAY[NULL::bytea], '{NULL}', '{NULL}', ARRAY[now() - interval '1 h'], ARRAY[now() + interval '1 h'], '{active}');
SELECT matches((SELECT says FROM nmsp.explain_modem('02:00:00:00:00:01') WHERE link = 'lease'), '^10.1.0.10 since .*dhcpd', 'its lease');
SELECT * FROM finish();
ROLLBACK;
