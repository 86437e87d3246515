-- Options of pools: values become bytes, wrong ones are refused, dhcpd and Kea are told.
\set QUIET on
BEGIN;
SELECT no_plan();

INSERT INTO nmsp.netgw (name) VALUES ('one');
SELECT id AS g FROM nmsp.netgw \gset
INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES (:g, 'cm', '10.1.0.0/24'), (:g, 'cm', '2001:db8:1::/64');
SELECT id AS four FROM nmsp.pool WHERE family(network) = 4 \gset
SELECT id AS six FROM nmsp.pool WHERE family(network) = 6 \gset

-- ---- values
SELECT is(encode(nmsp.option_bytes(kind, value, version, 'x'), 'hex'), wanted, format('%s %s', kind, value)) FROM (VALUES
    ('address', '172.20.0.1, 172.20.0.2', 4, 'ac140001ac140002'), ('address', '2001:db8::1', 6, '20010db8000000000000000000000001'),
    ('server', '172.20.0.1', 4, '01ac140001'), ('server', 'a.example', 4, '0001610765' || '78616d706c6500'), ('name', 'a.b', 4, '0161016200'),
    ('text', 'cm/x', 4, '636d2f78'), ('uint8', '1,255', 4, '01ff'), ('uint16', '258', 4, '0102'), ('uint32', '4294967295', 4, 'ffffffff'),
    ('int32', '-1', 4, 'ffffffff'), ('hex', '01:Ab 02', 4, '01ab02')) v(kind, value, version, wanted);
SELECT test.refused(format('SELECT nmsp.option_bytes(%L, %L, %s, ''option 9'')', kind, value, version), '22023', format('the value of option 9 is no %s', kind), format('%%is not %s%%', says), 'Write it like %', format('%s "%s"', kind, value)) FROM (VALUES
    ('address', '2001:db8::1', 4, 'an IPv4 address'), ('address', '10.1', 4, 'an IPv4 address'), ('address', '10.0.0.1/8', 4, 'an IPv4 address'), ('address', '10.0.0.1,', 4, 'an IPv4 address'), ('address', '10.0.0.256', 4, 'an IPv4 address'),
    ('address', '', 4, 'an IPv4 address'), ('address', '10.0.0.1', 6, 'an IPv6 address'), ('address', ':::', 6, 'an IPv6 address'), ('server', '10.0.0', 4, 'an IPv4 address or the name'), ('server', 'a b', 4, 'an IPv4 address or the name'), ('name', 'a..b', 4, 'the name'), ('name', repeat('a', 64), 4, 'the name'),
    ('text', '', 4, 'text'), ('uint8', '256', 4, 'a whole number from 0 to 255'), ('uint8', '-1', 4, 'a whole number'), ('uint16', '1.5', 4, 'a whole number'), ('uint32', '4294967296', 4, 'a whole number from 0 to 4294967295'),
    ('int32', '2147483648', 4, 'a whole number from -2147483648 to 2147483647'), ('hex', '1', 4, 'bytes'), ('hex', '', 4, 'bytes')) v(kind, value, version, says);

-- ---- rows
CREATE FUNCTION pg_temp.put(pool bigint, code int, suboption int, kind text, value text, enterprise bigint DEFAULT 4491) RETURNS text LANGUAGE sql AS
    $$SELECT format('INSERT INTO nmsp.pool_option (pool_id, code, suboption, kind, value, enterprise) VALUES (%s, %s, %s, %L, %L, %s)', pool, code, suboption, kind, value, enterprise)$$;
SELECT lives_ok(pg_temp.put(:four, 125, 2, 'address', '172.20.0.1, 172.20.0.2'), 'CableLabs'' TFTP servers');
SELECT lives_ok(pg_temp.put(:four, 125, 1, 'uint8', '7', 9), 'another enterprise');
SELECT lives_ok(pg_temp.put(:four, 122, 1, 'address', '172.20.0.1'), 'option 122');
SELECT lives_ok(pg_temp.put(:four, 122, 3, 'server', 'prov.example'), 'with the server''s name');
SELECT lives_ok(pg_temp.put(:four, 150, 0, 'address', '10.0.0.9'), 'a whole option');
SELECT lives_ok(pg_temp.put(:six, 17, 39, 'uint8', '1'), 'DHCPv6');
SELECT test.refused(pg_temp.put(:four, 122, 1, 'address', '1.1.1.1'), '23505', '%pool_option_is_already_given%', '%', 'UPDATE the option%', 'the same twice');
SELECT test.refused(pg_temp.put(999, 150, 0, 'address', '1.1.1.1'), '23503', '%pool_option_needs_an_existing_pool%', '%', '%', 'no pool');
SELECT test.refused(pg_temp.put(:four, 150, 1, 'date', '1.1.1.1'), '23514', '%pool_option_kind_is_known%', '%', '%', 'an unknown kind');
SELECT test.refused(pg_temp.put(:four, 151, 4, 'address', '1.1.1'), '22023', 'the value of option 151.4 of pool 10.1.0.0/24 is no address', '"1.1.1" is not %', '%', 'a wrong value names its option');
SELECT test.refused(pg_temp.put(pool, code, sub, kind, value, ent), '23514', '%of pool % cannot be given', says, '%', says) FROM (VALUES
    (:four, 300, 0, 'hex', '00', 4491, 'DHCP has options 1 to 254%'), (:four, 43, 256, 'hex', '00', 4491, 'DHCP has options%'), (:four, 82, 0, 'hex', '00', 4491, 'It belongs to the protocol%'), (:six, 1, 0, 'hex', '00', 4491, 'It belongs to the protocol%'),
    (:four, 125, 0, 'hex', '00', 4491, 'This option consists of sub-options%'), (:four, 43, 1, 'hex', '00', 9, 'Only option 125 has enterprises.'), (:six, 22, 1, 'hex', '00', 4491, 'Of DHCPv6 only option 17%'),
    (:six, 17, 3, 'server', '1.1.1.1', 4491, 'Kind server%'), (:four, 122, 0, 'hex', '00', 4491, 'The option is given as a whole%'), (:four, 150, 1, 'hex', '00', 4491, 'The option is given as a whole%'),
    (:four, 43, 1, 'text', repeat('x', 256), 4491, 'It would be longer%'), (:four, 122, 9, 'text', repeat('x', 250), 4491, 'It would be longer%')) v(pool, code, sub, kind, value, ent, says);
SELECT test.refused(format('UPDATE nmsp.pool SET network = ''2001:db8:2::/64'' WHERE id = %s', :four), '23514', 'pool 10.1.0.0/24 has options of IPv4', '%', '%', 'a pool with options keeps its IP version');

-- ---- what becomes of them
SELECT results_eq(format('SELECT d.code, encode(d.value, ''hex'') FROM nmsp.pool p, nmsp.pool_option_data(p) d WHERE p.id = %s', :four),
    $$VALUES (122, '0104ac140001' || '030f00' || '0470726f76076578616d706c6500'), (125, '00000009' || '03' || '010107' || '0000118b' || '0a' || '0208ac140001ac140002'), (150, '0a000009')$$, 'put together');
INSERT INTO nmsp_feed.target (feed, root) VALUES ('dhcpd', '/x') RETURNING id AS t \gset
SELECT alike((SELECT nmsp_feed.dhcpd_subnet(p, false, NULL) FROM nmsp.pool p WHERE id = :four), '%option cablelabs 01:04:ac:14:00:01:03:%;%option nmsp-125 00:00:00:09:%option nmsp-150 0a:00:00:09;%', 'dhcpd''s subnet');
SELECT alike(nmsp_feed.dhcpd_global(:t), '%option nmsp-125 code 125 = string;%option nmsp-150 code 150 = string;%', 'dhcpd knows the options');
SELECT is((SELECT jsonb_path_query_array(nmsp_kea.subnet(p, '{}'), '$."option-data"[*] ? (@."always-send" == true)') FROM nmsp.pool p WHERE id = :four),
    '[{"code": 122, "data": "0104ac140001030f000470726f76076578616d706c6500", "space": "dhcp4", "csv-format": false, "always-send": true}, {"code": 125, "data": "9", "space": "dhcp4", "always-send": true}, {"code": 1, "data": "07", "space": "vendor-9", "csv-format": false, "always-send": true},
      {"code": 125, "data": "4491", "space": "dhcp4", "always-send": true}, {"code": 2, "data": "ac140001ac140002", "space": "vendor-4491", "csv-format": false, "always-send": true}, {"code": 150, "data": "0a000009", "space": "dhcp4", "csv-format": false, "always-send": true}]', 'Kea''s subnet');
SELECT is((SELECT nmsp_kea.subnet(p, '{}') -> 'option-data' FROM nmsp.pool p WHERE id = :six),
    '[{"code": 17, "data": "4491", "space": "dhcp6", "always-send": true}, {"code": 39, "data": "01", "space": "vendor-4491", "csv-format": false, "always-send": true}]', 'and of DHCPv6');
SELECT results_eq(format('SELECT part, id FROM nmsp_feed.dhcpd_keys(%s, ''pool'', ARRAY[%s]::bigint[], NULL, NULL, 100)', :t, :four), format('VALUES (''global'', 0::bigint), (''netgw'', %s::bigint)', :g), 'a change touches the gateway''s file');
DELETE FROM nmsp_feed.change;
UPDATE nmsp.pool_option SET value = '10.0.0.10' WHERE code = 150;
SELECT set_has('SELECT feed, cause FROM nmsp_feed.change', $$VALUES ('dhcpd', 'pool'), ('kea4', 'all')$$, 'feeds learn of it');
SELECT lives_ok(format('DELETE FROM nmsp.pool WHERE id = %s', :four), 'options go with their pool');
SELECT is_empty('SELECT FROM nmsp.pool_option WHERE code <> 17', 'all of them');

SELECT * FROM finish();
ROLLBACK;
