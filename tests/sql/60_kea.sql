-- Kea's host database: what the views say, that every statement of Kea finds its index among
-- 100,000 modems, the stored IPv6 reservations, the configuration and the rights of level kea.
\set QUIET on
BEGIN;
SELECT no_plan();

UPDATE nmsp.setting SET provisioning_server = '172.20.0.1', provisioning_server6 = '2001:db8::1', domain_name = 'example.net',
    dns_server = '{9.9.9.9,2620:fe::fe}', ntp_server = '{10.0.0.3}', log_server = '{}', time_zone = 'Asia/Kolkata';
INSERT INTO nmsp.netgw (name) VALUES ('one'), ('two');
CREATE TEMP TABLE id AS SELECT g.name, g.id FROM nmsp.netgw g;
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router, delegated_prefix, delegated_length, vendor_class, active)
SELECT id.id, p.purpose, p.network::cidr, p.low::inet, p.high::inet, p.router::inet, p.delegated::cidr, p.length, p.vendor, p.active FROM id,
    (VALUES ('one', 'cm', '10.1.0.0/16', '10.1.0.10', '10.1.200.250', '10.1.0.1', NULL, NULL::int, NULL, true),
            ('one', 'cpe_public', '203.0.113.0/24', '203.0.113.10', '203.0.113.250', '203.0.113.1', NULL, NULL, NULL, true),
            ('one', 'mta', '10.8.0.0/16', '10.8.0.10', '10.8.200.250', '10.8.0.1', NULL, NULL, NULL, true),
            ('one', 'mta', '2001:db8:3::/64', NULL, NULL, '2001:db8:3::1', NULL, NULL, NULL, true),
            ('one', 'cpe_private', '100.64.0.0/16', '100.64.0.10', '100.64.200.250', '100.64.0.1', NULL, NULL, NULL, true),
            ('one', 'stb', '10.9.0.0/24', '10.9.0.10', '10.9.0.20', NULL, NULL, NULL, 'box "1"', true),
            ('one', 'cm', '2001:db8:1::/64', '2001:db8:1::1:0', '2001:db8:1::1:ffff', '2001:db8:1::1', NULL, NULL, NULL, true),
            ('one', 'cpe_public', '2001:db8:2::/64', NULL, NULL, '2001:db8:2::1', '2001:db8:8000::/40', 56, NULL, true),
            ('two', 'cm', '10.2.0.0/16', NULL, NULL, NULL, NULL, NULL, NULL, true),
            ('two', 'cpe_private', '100.65.0.0/16', '100.65.0.10', '100.65.0.20', '100.65.0.1', NULL, NULL, NULL, false))
    p(gw, purpose, network, low, high, router, delegated, length, vendor, active) WHERE id.name = p.gw;
INSERT INTO nmsp.template (name, source) VALUES ('base', '');
INSERT INTO nmsp.template (name, source, device) VALUES ('phone', '', 'mta');
INSERT INTO nmsp.modem (mac, netgw_id, template_id, address, address6, public_cpe, internet_access)
SELECT m.mac::macaddr, id.id, (SELECT t.id FROM nmsp.template t WHERE t.device = 'cm'), m.a4::inet, m.a6::inet, m.public, m.internet FROM id,
    (VALUES ('02:00:00:00:00:01', NULL, NULL, true, true), ('02:00:00:00:00:02', '10.1.0.99', '2001:db8:1::99', false, true),
            ('02:00:00:00:00:03', NULL, NULL, true, false)) m(mac, a4, a6, public, internet) WHERE id.name = 'one' ORDER BY m.mac;
CREATE TEMP TABLE m AS SELECT m.id, right(m.mac::text, 1)::int AS n FROM nmsp.modem m;
INSERT INTO nmsp.endpoint (name, modem_id, mac, address, address6, delegated_prefix)
SELECT e.name, m.id, e.mac::macaddr, e.a4::inet, e.a6::inet, e.prefix::cidr FROM m,
    (VALUES ('shop', 1, '0a:00:00:00:00:01', '203.0.113.77', '2001:db8:2::77', '2001:db8:f000::/56'), ('office', 2, NULL, '100.64.0.77', NULL, NULL))
    e(name, behind, mac, a4, a6, prefix) WHERE e.behind = m.n;

INSERT INTO nmsp.mta (mac, modem_id, template_id, address, address6, provisioning)
SELECT a.mac::macaddr, m.id, (SELECT t.id FROM nmsp.template t WHERE t.device = 'mta'), a.a4::inet, a.a6::inet, a.flow FROM m,
    (VALUES ('02:00:00:00:01:02', 2, NULL, NULL, NULL), ('02:00:00:00:01:03', 3, '10.8.0.99', '2001:db8:3::99', 'hybrid.2')) a(mac, behind, a4, a6, flow) WHERE a.behind = m.n;
UPDATE nmsp.voice_setting SET provisioning_host = 'prov.example.net', mta_domain = 'voice.example.net';
CREATE FUNCTION pg_temp.mta(n int) RETURNS bigint LANGUAGE sql AS 'SELECT t.id FROM nmsp.mta t WHERE right(t.mac::text, 1)::int = n';

CREATE FUNCTION pg_temp.pool(net cidr) RETURNS bigint LANGUAGE sql AS 'SELECT p.id FROM nmsp.pool p WHERE p.network = net';
CREATE FUNCTION pg_temp.modem(n int) RETURNS bigint LANGUAGE sql AS 'SELECT m.id FROM m WHERE m.n = modem.n';

-- contents --------------------------------------------------------------------------------------

SELECT is((SELECT (version, minor)::text FROM nmsp_kea.schema_version), '(13,0)', 'the version of Kea 2.2''s schema');
SELECT results_eq($$SELECT host_id % 8, dhcp4_subnet_id, dhcp6_subnet_id, ipv4_address, dhcp4_client_classes, dhcp6_client_classes, dhcp4_boot_file_name
                      FROM nmsp_kea.hosts WHERE dhcp_identifier = '\x020000000002' AND dhcp_identifier_type = 0 ORDER BY 1$$,
    $$VALUES (0::bigint, 0::bigint, NULL::bigint, NULL::bigint, 'modem', NULL, format('cm/cm-%s.cfg', pg_temp.modem(2))),
             (1, pg_temp.pool('10.1.0.0/16'), NULL, 10 * 16777216::bigint + 65536 + 99, 'modem', NULL, format('cm/cm-%s.cfg', pg_temp.modem(2))),
             (3, NULL, pg_temp.pool('2001:db8:1::/64'), NULL, NULL, 'modem', NULL),
             (6, NULL, 0, NULL, NULL, 'modem', NULL)$$,
    'a modem with fixed addresses: everywhere, and in the subnets of its addresses');
SELECT results_eq($$SELECT (h.user_context::jsonb ->> 'fixed-subnet')::bigint, h.user_context::jsonb ->> 'fixed-address' FROM nmsp_kea.hosts h
                     WHERE h.host_id IN (pg_temp.modem(1) * 8, pg_temp.modem(2) * 8, pg_temp.mta(3) * 32 + 7) ORDER BY h.dhcp_identifier$$,
    $$VALUES (0::bigint, NULL::text), (pg_temp.pool('10.1.0.0/16'), '10.1.0.99'), (pg_temp.pool('10.8.0.0/16'), '10.8.0.99')$$,
    'who counts everywhere tells of its fixed address');
SELECT results_eq($$SELECT h.user_context FROM nmsp_kea.hosts h WHERE h.host_id IN (pg_temp.modem(1) * 8 + 2, pg_temp.modem(2) * 8 + 2) AND h.dhcp_identifier_type = 4 ORDER BY h.dhcp_identifier$$,
    $$VALUES ('{"fixed-subnet":0}'), (NULL)$$, 'who is behind a modem tells that no fixed address goes by it');
SELECT is((SELECT dhcp4_next_server FROM nmsp_kea.hosts WHERE host_id = pg_temp.modem(1) * 8), 172 * 16777216::bigint + 20 * 65536 + 1, 'next server as a number');
SELECT results_eq($$SELECT dhcp_identifier, dhcp4_subnet_id, dhcp6_subnet_id, dhcp4_client_classes, dhcp6_client_classes FROM nmsp_kea.hosts
                     WHERE dhcp_identifier_type = 4 AND dhcp4_subnet_id = 0 ORDER BY 1$$,
    $$VALUES ('\x43020000000001'::bytea, 0::bigint, 0::bigint, 'public', 'public'), ('\x43020000000002', 0, 0, 'private', 'private'),
             ('\x43020000000003', 0, 0, 'blocked', 'blocked')$$, 'CPEs have the class of their modem''s contract');
SELECT results_eq($$SELECT hostname, dhcp_identifier_type, dhcp_identifier, dhcp4_subnet_id, dhcp6_subnet_id FROM nmsp_kea.hosts WHERE host_id % 8 IN (4, 5) AND coalesce(dhcp4_subnet_id, dhcp6_subnet_id) IS NOT NULL ORDER BY 1, 4$$,
    $$VALUES ('office', 4::smallint, '\x43020000000002'::bytea, pg_temp.pool('100.64.0.0/16'), NULL::bigint),
             ('shop', 0::smallint, '\x0a0000000001', pg_temp.pool('203.0.113.0/24'), NULL), ('shop', 0::smallint, '\x0a0000000001', NULL, pg_temp.pool('2001:db8:2::/64'))$$,
    'endpoints by MAC and by modem');
SELECT results_eq(format($$SELECT code::int, formatted_value, persistent FROM nmsp_kea.dhcp4_options WHERE host_id = %s * 8 ORDER BY option_id$$, pg_temp.modem(1)),
    $$VALUES (2, '19800', true), (4, '172.20.0.1', true), (7, '172.20.0.1', true), (15, 'example.net', false), (42, '10.0.0.3', false),
             (66, '172.20.0.1', false), (67, format('cm/cm-%s.cfg', pg_temp.modem(1)), false)$$, 'DHCPv4 options of a modem');
SELECT set_eq(format('SELECT code, formatted_value FROM nmsp_kea.dhcp4_options WHERE host_id = %s * 8 + 1', pg_temp.modem(2)),
    format('SELECT code, formatted_value FROM nmsp_kea.dhcp4_options WHERE host_id = %s * 8', pg_temp.modem(2)), 'the same with a fixed address');
SELECT results_eq(format($$SELECT code::int, formatted_value, value, persistent FROM nmsp_kea.dhcp4_options WHERE host_id = %s * 32 + 7 ORDER BY option_id$$, pg_temp.mta(2)),
    $$VALUES (2, '19800', NULL, true), (4, '172.20.0.1', NULL, true), (7, '172.20.0.1', NULL, true), (15, 'voice.example.net', NULL, false), (42, '10.0.0.3', NULL, false),
             (66, '172.20.0.1', NULL, false), (67, format('mta/mta-%s.cfg', pg_temp.mta(2)), NULL, false),
             (122, NULL, '\x031300'::bytea || '\x04' || 'prov' || '\x07' || 'example' || '\x03' || 'net' || '\x000609' || '\x05' || 'BASIC' || '\x01' || '1' || '\x00', true)$$, 'DHCPv4 options of an MTA');
SELECT is((SELECT value FROM nmsp_kea.dhcp4_options WHERE host_id = pg_temp.mta(3) * 32 + 15 AND code = 122), '\x031300'::bytea || '\x04' || 'prov' || '\x07' || 'example' || '\x03' || 'net' || '\x00060a' || '\x06' || 'HYBRID' || '\x01' || '2' || '\x00', 'its own flow');
SELECT results_eq('SELECT host_id, value FROM nmsp_kea.dhcp4_options WHERE code = 122 AND host_id % 8 < 7 ORDER BY 1', format($$VALUES (%s * 8::bigint, '\x0104ac140001'::bytea), (%1$s * 8 + 1, '\x0104ac140001'), (%s * 8, '\x0104ac140001'), (%2$s * 8 + 1, '\x0104ac140001')$$, pg_temp.modem(2), pg_temp.modem(3)),
    'a modem that has an MTA is told of its DHCP server, no other');
SELECT results_eq($$SELECT host_id - pg_temp.mta(3) * 32, dhcp4_subnet_id, dhcp6_subnet_id, ipv4_address, hostname, dhcp4_client_classes, dhcp6_client_classes, dhcp4_boot_file_name
                      FROM nmsp_kea.hosts WHERE dhcp_identifier = '\x020000000103' ORDER BY 1$$,
    $$VALUES (7::bigint, 0::bigint, NULL::bigint, NULL::bigint, format('mta-%s', pg_temp.mta(3)), 'adapter', NULL, format('mta/mta-%s.cfg', pg_temp.mta(3))),
             (15, pg_temp.pool('10.8.0.0/16'), NULL, 10 * 16777216::bigint + 8 * 65536 + 99, format('mta-%s', pg_temp.mta(3)), 'adapter', NULL, format('mta/mta-%s.cfg', pg_temp.mta(3))),
             (23, NULL, 0, NULL, format('mta-%s', pg_temp.mta(3)), NULL, 'adapter', NULL),
             (31, NULL, pg_temp.pool('2001:db8:3::/64'), NULL, format('mta-%s', pg_temp.mta(3)), NULL, 'adapter', NULL)$$, 'an MTA with fixed addresses');
SELECT is_empty($$SELECT h.hostname, h.dhcp4_boot_file_name, o.formatted_value FROM nmsp_kea.hosts h LEFT JOIN nmsp_kea.dhcp4_options o ON o.host_id = h.host_id AND o.code = 67
    WHERE h.dhcp4_boot_file_name IS DISTINCT FROM o.formatted_value AND h.dhcp4_client_classes IN ('modem', 'adapter')$$, 'file and option 67 are the same');
UPDATE nmsp.setting_secret SET download_key = 'a key that nobody knows';
SELECT set_eq('SELECT DISTINCT dhcp4_boot_file_name FROM nmsp_kea.hosts WHERE dhcp4_boot_file_name IS NOT NULL', 'SELECT path FROM nmsp.modem_file UNION ALL SELECT path FROM nmsp.mta_file', 'names that nobody can guess, where they are wanted');
UPDATE nmsp.setting_secret SET download_key = NULL;
SELECT is_empty('SELECT host_id FROM nmsp_kea.hosts GROUP BY host_id HAVING count(*) > 1', 'keys of hosts are unique');
SELECT is((SELECT formatted_value FROM nmsp_kea.dhcp6_options WHERE host_id = pg_temp.mta(2) * 32 + 23 AND code = 33), format('mta/mta-%s.cfg', pg_temp.mta(2)), 'the file of an MTA in DHCPv6');
SELECT is_empty('SELECT host_id, option_id FROM nmsp_kea.dhcp4_options GROUP BY 1, 2 HAVING count(*) > 1', 'numbers of options are unique');
SELECT is((SELECT max(option_id) FROM nmsp_kea.dhcp4_options WHERE host_id = pg_temp.modem(1) * 8)
        < (SELECT min(option_id) FROM nmsp_kea.dhcp4_options WHERE host_id = pg_temp.modem(1) * 8 + 1), true, 'and grow with the host');
SELECT results_eq(format($$SELECT code, formatted_value, space FROM nmsp_kea.dhcp6_options WHERE host_id = %s * 8 + 3 ORDER BY option_id$$, pg_temp.modem(2)),
    $$VALUES (17, '4491', 'dhcp6'), (32, '2001:db8::1', 'vendor-4491'), (33, format('cm/cm-%s.cfg', pg_temp.modem(2)), 'vendor-4491'),
             (34, '2001:db8::1', 'vendor-4491'), (37, '2001:db8::1', 'vendor-4491'), (38, '19800', 'vendor-4491')$$, 'CableLabs'' DHCPv6 options');

-- stored IPv6 reservations ----------------------------------------------------------------------

CREATE FUNCTION pg_temp.reservations() RETURNS SETOF text LANGUAGE sql AS
    $$SELECT format('%s %s/%s %s', r.host_id % 8, r.address, r.prefix_len, r.type) FROM nmsp_kea.ipv6_reservations r ORDER BY 1$$;
CREATE FUNCTION pg_temp.in_step() RETURNS text LANGUAGE sql AS
    $$SELECT is_empty('(SELECT host_id, address, prefix_len, type FROM nmsp_kea.ipv6_reservation EXCEPT ALL TABLE nmsp_kea.due_reservation6)
        UNION ALL (TABLE nmsp_kea.due_reservation6 EXCEPT ALL SELECT host_id, address, prefix_len, type FROM nmsp_kea.ipv6_reservation)', 'reservations are in step')$$;
SELECT results_eq('SELECT pg_temp.reservations()', $$VALUES ('3 2001:db8:1::99/128 0'), ('5 2001:db8:2::77/128 0'), ('5 2001:db8:f000::/56 2'), ('7 2001:db8:3::99/128 0')$$,
    'addresses and prefixes are stored');
UPDATE nmsp.modem SET address6 = '2001:db8:1::98' WHERE address6 IS NOT NULL;
UPDATE nmsp.modem SET address6 = '2001:db8:1::97' WHERE mac = '02:00:00:00:00:01';
UPDATE nmsp.endpoint SET delegated_prefix = '2001:db8:f000:200::/56', address6 = NULL WHERE name = 'shop';
UPDATE nmsp.mta SET address6 = '2001:db8:3::98' WHERE address6 IS NOT NULL;
SELECT results_eq('SELECT pg_temp.reservations()', $$VALUES ('3 2001:db8:1::97/128 0'), ('3 2001:db8:1::98/128 0'), ('5 2001:db8:f000:200::/56 2'), ('7 2001:db8:3::98/128 0')$$,
    'they follow updates');
SELECT is((SELECT dhcp6_subnet_id FROM nmsp_kea.hosts WHERE hostname = 'shop' AND dhcp6_subnet_id IS NOT NULL), pg_temp.pool('2001:db8:2::/64'),
    'a prefix without address is reserved in a cpe pool of the gateway');
UPDATE nmsp.modem SET address6 = NULL WHERE mac = '02:00:00:00:00:01';
SELECT pg_temp.in_step();
DELETE FROM nmsp.modem WHERE mac = '02:00:00:00:00:01';
SELECT pg_temp.in_step();
TRUNCATE nmsp_kea.ipv6_reservation;
SELECT nmsp.migrate() > 0 AS migrated \gset
SELECT pg_temp.in_step();
SAVEPOINT before_truncate;
SET LOCAL client_min_messages TO warning;
TRUNCATE nmsp.modem CASCADE;
SELECT is((SELECT count(*) FROM nmsp_kea.ipv6_reservation), 0::bigint, 'TRUNCATE takes them along');
ROLLBACK TO before_truncate;

-- index use -------------------------------------------------------------------------------------

SET LOCAL session_replication_role TO replica;
INSERT INTO nmsp.modem (mac, netgw_id, template_id, address, address6)
SELECT lpad(to_hex(x'021000000000'::bigint + i), 12, '0')::macaddr, (SELECT id FROM id WHERE name = 'one'), (SELECT t.id FROM nmsp.template t WHERE t.device = 'cm'),
       CASE WHEN i % 2 = 0 THEN inet '10.1.0.100' + i / 2 END, CASE WHEN i % 3 = 0 THEN inet '2001:db8:1::2:0' + i END
  FROM generate_series(1, 100000) i;
INSERT INTO nmsp.endpoint (name, modem_id, mac, address, address6)
SELECT 'e' || i, (SELECT max(m.id) FROM nmsp.modem m) - i, CASE WHEN i > 500 THEN lpad(to_hex(x'0a1000000000'::bigint + i), 12, '0')::macaddr END,
       inet '100.64.1.0' + i, CASE WHEN i > 500 THEN inet '2001:db8:2::1:0' + i END FROM generate_series(1, 10000) i;
INSERT INTO nmsp.mta (mac, modem_id, template_id, address, address6)
SELECT lpad(to_hex(x'022000000000'::bigint + i), 12, '0')::macaddr, (SELECT max(m.id) FROM nmsp.modem m) - i, (SELECT t.id FROM nmsp.template t WHERE t.device = 'mta'),
       CASE WHEN i % 2 = 0 THEN inet '10.8.1.0' + i / 2 END, CASE WHEN i % 3 = 0 THEN inet '2001:db8:3::2:0' + i END FROM generate_series(1, 20000) i;
SET LOCAL session_replication_role TO origin;
ANALYZE nmsp.mta, nmsp.modem, nmsp.endpoint, nmsp.pool, nmsp.setting, nmsp_kea.ipv6_reservation;
SELECT is((SELECT count(*) FROM nmsp_kea.ipv6_reservation) > 40000, true, 'rows of replication have their reservations too');

-- Kea's statements, as far as their plan depends on it.
CREATE FUNCTION pg_temp.by4(condition text) RETURNS text LANGUAGE sql AS $$SELECT 'SELECT h.*, o.* FROM nmsp_kea.hosts h
    LEFT JOIN nmsp_kea.dhcp4_options o ON h.host_id = o.host_id WHERE ' || condition || ' ORDER BY h.host_id, o.option_id'$$;
CREATE FUNCTION pg_temp.by6(condition text) RETURNS text LANGUAGE sql AS $$SELECT 'SELECT h.*, o.*, r.* FROM nmsp_kea.hosts h
    LEFT JOIN nmsp_kea.dhcp6_options o ON h.host_id = o.host_id LEFT JOIN nmsp_kea.ipv6_reservations r ON h.host_id = r.host_id
    WHERE ' || condition || ' ORDER BY h.host_id, o.option_id, r.reservation_id'$$;
CREATE FUNCTION pg_temp.indexed(statement text, types text, arguments text, rows int, name text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    plan text := '';
    bad text;
    found int;
BEGIN
    EXECUTE format('PREPARE look_up (%s) AS %s', types, statement);
    FOR line IN EXECUTE format('EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) EXECUTE look_up (%s)', arguments) LOOP
        plan := plan || line || E'\n';
    END LOOP;
    found := substring(plan FROM 'actual rows=(\d+)')::int;
    SELECT string_agg(m[1], '; ') INTO bad FROM regexp_matches(plan, '(Seq Scan on (?:modem|mta|endpoint|ipv6_reservation)[^\n]*|[^\n]*rows=\d{3,}[^\n]*)', 'g') m;
    DEALLOCATE look_up;
    RETURN NEXT ok(bad IS NULL AND found = rows, name);
    IF bad IS NOT NULL OR found <> rows THEN
        RETURN NEXT diag(format('%s rows, expected %s; %s', found, rows, coalesce(bad, plan)));
    END IF;
END
$$;
-- as level kea of nmsp.grant_to sets them for the role
SET LOCAL plan_cache_mode TO force_generic_plan;
SET LOCAL jit TO off;
SET LOCAL enable_seqscan TO off;
SET LOCAL enable_hashjoin TO off;
SET LOCAL enable_mergejoin TO off;
SELECT pg_temp.indexed(pg_temp.by4('h.dhcp4_subnet_id = $1 AND h.dhcp_identifier_type = $2 AND h.dhcp_identifier = $3'), 'bigint, smallint, bytea',
    $$0, 0::smallint, '\x021000000010'$$, 7, 'a modem by its address');
SELECT pg_temp.indexed(pg_temp.by4('h.dhcp4_subnet_id = $1 AND h.dhcp_identifier_type = $2 AND h.dhcp_identifier = $3'), 'bigint, smallint, bytea',
    $$0, 0::smallint, '\x022000000010'$$, 8, 'an MTA by its address');
SELECT pg_temp.indexed(pg_temp.by4('h.dhcp4_subnet_id = $1 AND h.ipv4_address = $2'), 'bigint, bigint',
    format($$%s, inet '10.8.1.8' - '0.0.0.0'$$, pg_temp.pool('10.8.0.0/16')), 8, 'whether an MTA has an address');
SELECT pg_temp.indexed(pg_temp.by4('h.dhcp4_subnet_id = $1 AND h.dhcp_identifier_type = $2 AND h.dhcp_identifier = $3'), 'bigint, smallint, bytea',
    $$0, 4::smallint, '\x43021000000010'$$, 1, 'a CPE by its modem');
SELECT pg_temp.indexed(pg_temp.by4('h.dhcp4_subnet_id = $1 AND h.dhcp_identifier_type = $2 AND h.dhcp_identifier = $3'), 'bigint, smallint, bytea',
    format($$%s, 0::smallint, '\x021000000010'$$, pg_temp.pool('10.1.0.0/16')), 7, 'a modem in the subnet of its fixed address');
SELECT pg_temp.indexed(pg_temp.by4('h.dhcp4_subnet_id = $1 AND h.ipv4_address = $2'), 'bigint, bigint',
    format($$%s, inet '10.1.0.150' - '0.0.0.0'$$, pg_temp.pool('10.1.0.0/16')), 7, 'whether a modem has an address');
SELECT pg_temp.indexed(pg_temp.by4('h.dhcp4_subnet_id = $1 AND h.ipv4_address = $2'), 'bigint, bigint',
    format($$%s, inet '100.64.2.0' - '0.0.0.0'$$, pg_temp.pool('100.64.0.0/16')), 1, 'whether an endpoint has an address');
SELECT pg_temp.indexed(pg_temp.by4('h.dhcp4_subnet_id = $1 AND h.ipv4_address = $2'), 'bigint, bigint',
    format($$%s, inet '100.64.200.0' - '0.0.0.0'$$, pg_temp.pool('100.64.0.0/16')), 0, 'or nobody has');
SELECT pg_temp.indexed('SELECT h.*, o4.*, o6.*, r.* FROM nmsp_kea.hosts h LEFT JOIN nmsp_kea.dhcp4_options o4 ON h.host_id = o4.host_id
    LEFT JOIN nmsp_kea.dhcp6_options o6 ON h.host_id = o6.host_id LEFT JOIN nmsp_kea.ipv6_reservations r ON h.host_id = r.host_id
    WHERE dhcp_identifier = $1 AND dhcp_identifier_type = $2 ORDER BY h.host_id, o4.option_id, o6.option_id, r.reservation_id', 'bytea, smallint',
    $$'\x021000000006', 0::smallint$$, 26, 'all about a modem');
SELECT pg_temp.indexed(pg_temp.by6('h.dhcp6_subnet_id = $1 AND h.dhcp_identifier_type = $2 AND h.dhcp_identifier = $3'), 'bigint, smallint, bytea',
    format($$%s, 0::smallint, '\x021000000006'$$, pg_temp.pool('2001:db8:1::/64')), 6, 'a modem in the subnet of its IPv6 address');
SELECT pg_temp.indexed(pg_temp.by6('h.dhcp6_subnet_id = $1 AND h.dhcp_identifier_type = $2 AND h.dhcp_identifier = $3'), 'bigint, smallint, bytea',
    $$0, 0::smallint, '\x021000000006'$$, 6, 'a modem in DHCPv6');
SELECT pg_temp.indexed(pg_temp.by6('h.dhcp6_subnet_id = $1 AND r.address = $2'), 'bigint, varchar',
    format($$%s, '2001:db8:1::2:6'$$, pg_temp.pool('2001:db8:1::/64')), 6, 'whose an IPv6 address is');
SELECT pg_temp.indexed(pg_temp.by6('h.host_id = (SELECT host_id FROM nmsp_kea.ipv6_reservations WHERE address = $1 AND prefix_len = $2)'), 'varchar, smallint',
    $$'2001:db8:2::1:300', 128::smallint$$, 1, 'whose a prefix or address is');

-- configuration ---------------------------------------------------------------------------------

CREATE TEMP VIEW c4 AS SELECT nmsp_kea.dhcp4_config() -> 'Dhcp4' AS c;
CREATE TEMP VIEW s4 AS SELECT n ->> 'name' AS network, n -> 'relay' -> 'ip-addresses' AS relay, s FROM c4, jsonb_array_elements(c -> 'shared-networks') n, jsonb_array_elements(n -> 'subnet4') s;
CREATE TEMP VIEW c6 AS SELECT nmsp_kea.dhcp6_config() -> 'Dhcp6' AS c;
SELECT is((SELECT c -> 'hosts-database' FROM c4), jsonb_build_object('type', 'postgresql', 'name', current_database(), 'user', 'kea', 'host', '/var/run/postgresql',
    'readonly', true, 'on-fail', 'stop-retry-exit', 'max-reconnect-tries', 1000000, 'reconnect-wait-time', 1000), 'how Kea reaches the database');
SELECT is((SELECT c - 'x' @> '{"early-global-reservations-lookup": true, "reservations-global": true, "reservations-in-subnet": true, "reservations-out-of-pool": false,
    "store-extended-info": true, "host-reservation-identifiers": ["hw-address", "flex-id"]}' FROM c4), true, 'how it looks hosts up');
SELECT is((SELECT c -> 'host-reservation-identifiers' FROM c6), '["flex-id", "hw-address"]', 'in DHCPv6 the modem first');
SELECT results_eq('SELECT network, s ->> ''subnet'' FROM s4', $$VALUES ('one/cm', '10.1.0.0/16'), ('one/cpe', '100.64.0.0/16'), ('one/cpe', '203.0.113.0/24'),
    ('one/mta', '10.8.0.0/16'), ('one/stb', '10.9.0.0/24'), ('two/cm', '10.2.0.0/16'), ('two/cpe', '100.65.0.0/16')$$, 'a shared network per gateway and kind of client');
SELECT results_eq('SELECT DISTINCT left(network, 3), relay FROM s4 ORDER BY 1', $$VALUES ('one', '["10.1.0.1", "10.8.0.1", "100.64.0.1", "203.0.113.1"]'::jsonb), ('two', '["100.65.0.1"]')$$,
    'found by all routers of the gateway');
SELECT is((SELECT s FROM s4 WHERE s ->> 'subnet' = '203.0.113.0/24'),
    jsonb_build_object('id', pg_temp.pool('203.0.113.0/24'), 'subnet', '203.0.113.0/24', 'client-class', 'cpe',
        'pools', '[{"pool": "203.0.113.10 - 203.0.113.250", "client-class": "cpe-public"}]'::jsonb, 'option-data', '[{"name": "routers", "data": "203.0.113.1"}]'::jsonb),
    'a subnet');
SELECT is((SELECT s - 'id' FROM s4 WHERE s ->> 'subnet' = '10.2.0.0/16'),
    '{"subnet": "10.2.0.0/16", "client-class": "cm"}', 'one without range and router: no empty list in it');
SELECT is((SELECT s -> 'client-class' FROM s4 WHERE s ->> 'subnet' = '100.65.0.0/16'), '"nobody"',
    'one that is not active');
SELECT is((SELECT s -> 'pd-pools' FROM c6, jsonb_array_elements(c -> 'shared-networks') n, jsonb_array_elements(n -> 'subnet6') s WHERE s ->> 'subnet' = '2001:db8:2::/64'),
    '[{"prefix": "2001:db8:8000::", "prefix-len": 40, "delegated-len": 56, "client-class": "cpe-public"}]', 'delegated prefixes');
SELECT is((SELECT t ->> 'test' FROM c4, jsonb_array_elements(c -> 'client-classes') t WHERE t ->> 'name' LIKE 'settop-%'),
    'substring(option[60].hex,0,7) == 0x626f78202231' || '22', 'set-top boxes by option 60, quotes and all');
SELECT is((SELECT array_agg(t ->> 'name' ORDER BY n) FROM c6, jsonb_array_elements(c -> 'client-classes') WITH ORDINALITY u(t, n)),
    '{modem,adapter,public,private,blocked,nobody,docsis,packetcable,cm,mta,cpe,cpe-private,cpe-public,DROP}', 'classes in the order of evaluation');
SELECT is(nmsp_kea.dhcp4_config('{"hook": "", "database": {"host": "db", "port": 5433}, "lease_file": "/x/l.csv"}') #> '{Dhcp4,hosts-database,port}', '5433', 'settings count');
SELECT is(nmsp_kea.dhcp4_config('{"hook": ""}') -> 'Dhcp4' ? 'hooks-libraries', false, 'the hook is optional');
DELETE FROM nmsp.endpoint;
DELETE FROM nmsp.mta;
DELETE FROM nmsp.modem WHERE address IS NOT NULL OR address6 IS NOT NULL;
DELETE FROM nmsp.pool;
SELECT is((SELECT c ? 'shared-networks' FROM c4), false, 'no network: no empty list');

-- rights ----------------------------------------------------------------------------------------

CREATE ROLE kea_test;
CALL nmsp.grant_to('kea_test', 'kea');
SELECT is((SELECT array_agg(o ORDER BY o) FROM pg_db_role_setting s, unnest(s.setconfig) o WHERE s.setrole = 'kea_test'::regrole
              AND s.setdatabase = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())),
    '{enable_hashjoin=off,enable_mergejoin=off,enable_seqscan=off,jit=off,max_parallel_workers_per_gather=0,plan_cache_mode=force_generic_plan,search_path=nmsp_kea}', 'level kea sets how the role plans and where it looks');
SELECT is(has_table_privilege('kea_test', 'nmsp.modem', 'SELECT') OR has_schema_privilege('kea_test', 'nmsp', 'USAGE'), false, 'the role sees no table');
SET LOCAL ROLE kea_test;
SET LOCAL search_path TO nmsp_kea, public;
SELECT lives_ok('SELECT * FROM hosts h LEFT JOIN dhcp4_options o4 USING (host_id) LEFT JOIN dhcp6_options o6 USING (host_id) LEFT JOIN ipv6_reservations r USING (host_id)
    LIMIT 100', 'but its views');
SELECT throws_ok($$INSERT INTO ipv6_reservations (address, host_id) VALUES ('::1', 1)$$, '42501', NULL, 'and changes nothing');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
