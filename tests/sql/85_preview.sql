-- What a change would do: differences per device; nothing is changed by looking.
BEGIN;
SELECT * FROM no_plan();
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1');
INSERT INTO nmsp.netgw_secret (netgw_id, shared_secret) SELECT id, 'secret' FROM nmsp.netgw;
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router)
    SELECT id, p.purpose, p.network::cidr, p.s::inet, p.e::inet, p.r::inet FROM nmsp.netgw,
    (VALUES ('cm', '10.1.0.0/16', '10.1.0.10', '10.1.255.250', '10.1.0.1'), ('cpe_public', '10.2.0.0/16', '10.2.0.10', '10.2.255.250', '10.2.0.1')) p(purpose, network, s, e, r);
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES ('small', 10000000, 1000000), ('big', 100000000, 10000000);
INSERT INTO nmsp.template (name, source) VALUES
    ('t', E'DsServiceFlow {\nDsServiceFlowRef 1;\nQosParamSetType 7;\nMaxRateSustained {qos.ds_rate_max_help.0};\n}\n');
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id)
    SELECT ('02' || lpad(to_hex(i), 10, '0'))::macaddr, g.id, t.id, c.id
      FROM generate_series(1, 20) i, nmsp.netgw g, nmsp.template t, nmsp.service_class c WHERE c.name = CASE WHEN i <= 5 THEN 'small' ELSE 'big' END;
SELECT id AS first FROM nmsp.modem WHERE mac = '02:00:00:00:00:01' \gset
CREATE TEMP VIEW state AS
    SELECT md5(string_agg(x::text, ' ' ORDER BY x::text)) AS everything FROM (
        SELECT (m, nmsp.modem_config(m)::bytea)::text AS x FROM nmsp.modem m UNION ALL SELECT s::text FROM nmsp.service_class s UNION ALL
        SELECT p::text FROM nmsp.pool p UNION ALL SELECT s::text FROM nmsp.setting s UNION ALL SELECT e::text FROM nmsp.endpoint e UNION ALL
        SELECT c::text FROM nmsp_feed.change c) a(x);
SELECT everything FROM state \gset

SELECT set_eq($$SELECT kind, item, before, after, device FROM nmsp.preview('UPDATE nmsp.service_class SET ds_rate = 20000000 WHERE name = ''small''')$$,
    $$SELECT 'modem' AS a, 'TLV 25.8 DsServiceFlow.MaxRateSustained' AS b, '10000000' AS c, '20000000' AS d, '02:00:00:00:00:0' || i AS e FROM generate_series(1, 5) i$$,
    'a tariff: the files of its five modems, nobody else');
SELECT set_eq($$SELECT kind, device, item, before, after FROM nmsp.preview('UPDATE nmsp.modem SET address = ''10.1.0.20'', public_cpe = true WHERE mac = ''02:00:00:00:00:01''')$$,
    $$VALUES ('modem', '02:00:00:00:00:01', 'address', NULL, '10.1.0.20'), ('modem', '02:00:00:00:00:01', 'class of CPEs', 'private', 'public')$$,
    'addresses and classes');
SELECT set_has($$SELECT item, before, after FROM nmsp.preview('UPDATE nmsp.modem SET internet_access = false WHERE mac = ''02:00:00:00:00:01''')$$,
    $$VALUES ('TLV 3 NetworkAccess', '1', '0'), ('class of CPEs', 'private', 'blocked')$$, 'a modem that is blocked');
SELECT set_has($$SELECT device, item, after FROM nmsp.preview('DELETE FROM nmsp.modem WHERE mac = ''02:00:00:00:00:01''')$$,
    $$VALUES ('02:00:00:00:00:01', 'file', NULL::text), ('02:00:00:00:00:01', 'boot file', NULL)$$, 'a modem that is deleted');
SELECT set_has(format($$SELECT device, item, after FROM nmsp.preview('INSERT INTO nmsp.endpoint (name, modem_id, mac, address) VALUES (''ep'', %s, ''04:00:00:00:00:01'', ''10.2.0.50'')')$$, :first),
    $$VALUES ('ep', 'address', '10.2.0.50')$$, 'a new endpoint');
SELECT results_eq($$SELECT device, item, before, after FROM nmsp.preview('UPDATE nmsp.pool SET lease_time = 600, dns_server = ''{10.9.9.9}'' WHERE purpose = ''cm''')$$,
    $$VALUES ('10.1.0.0/16', 'dns_server', '[]', '["10.9.9.9"]'), ('10.1.0.0/16', 'lease_time', NULL, '600')$$, 'a network is shown once, not for each device in it');
SELECT results_eq($$SELECT item, before <> after, count(*)::int FROM nmsp.preview('UPDATE nmsp.netgw_secret SET shared_secret = ''other''') GROUP BY 1, 2$$,
    $$VALUES ('seal', true, 20)$$, 'another secret changes the seal and nothing else');
SELECT results_eq($$SELECT item, after, count(*)::int FROM nmsp.preview('DELETE FROM nmsp.netgw_secret') GROUP BY 1, 2$$,
    $$VALUES ('file', '"cmts-1" has no shared secret', 20)$$, 'files that could not be made any more, and why');
SELECT set_has($$SELECT kind, item, before, after FROM nmsp.preview('UPDATE nmsp.setting SET max_cpe = 5')$$,
    $$VALUES ('modem', 'TLV 18 MaxCPE', '2', '5'), ('setting', 'max_cpe', '2', '5')$$, 'a setting');
SELECT is_empty($$SELECT * FROM nmsp.preview('UPDATE nmsp.modem SET description = ''x''')$$, 'what no device notices');
SELECT is_empty($$SELECT * FROM nmsp.preview('UPDATE nmsp.service_class SET ds_rate = 1; UPDATE nmsp.service_class SET ds_rate = CASE name WHEN ''small'' THEN 10000000 ELSE 100000000 END')$$,
    'several statements: what counts is the end');
SELECT set_has(format($$SELECT device, item, after FROM nmsp.preview_rows('nmsp.modem', '[{"id": %s, "internet_access": false}, {"mac": "02:00:00:00:01:00", "netgw_id": %s, "template_id": %s}]')$$,
        :first, (SELECT id FROM nmsp.netgw), (SELECT id FROM nmsp.template)),
    $$VALUES ('02:00:00:00:00:01', 'TLV 3 NetworkAccess', '0'), ('02:00:00:00:01:00', 'class', 'modem')$$, 'changed rows: one of old, one new');

-- ---- bad input
SELECT test.refused($$SELECT nmsp.preview('UPDATE modem SET name = NULL')$$, '42P01', 'relation "modem" does not exist', '', '%need their schema%', 'names without schema');
SELECT test.refused($$SELECT nmsp.preview('INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES (''01:00:00:00:00:01'', 1, 1)')$$, '23514',
    '"01:00:00:00:00:01" is not the address of a device', '%', '%', 'what a statement refuses the preview refuses');
SELECT test.refused($$SELECT nmsp.preview('UPDATE nmsp.service_class SET ds_rate = 1', 10)$$, '54000', 'the change touches 20 modems', '%', '%max_devices%', 'a limit');
SELECT test.refused($$SELECT nmsp.preview_rows('nmsp.modem', '{}')$$, '22023', 'a preview of rows needs%', '%', '%', 'no array');
SELECT is(s.everything, :'everything', 'nothing was changed by looking') FROM state s;
CREATE ROLE nmsp_t_previewer;
CALL nmsp.grant_to('nmsp_t_previewer', 'operator');
SELECT is(test.try('nmsp_t_previewer', $$SELECT * FROM nmsp.preview('UPDATE nmsp.service_class SET ds_rate = 20000000')$$), 'ok', 'an operator may look ahead');
SELECT is(test.try('nmsp_t_previewer', $$SELECT * FROM nmsp.preview('UPDATE nmsp.netgw_secret SET shared_secret = ''y''')$$), '42501', 'with his own rights only');
SELECT * FROM finish();
ROLLBACK;
