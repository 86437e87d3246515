-- The model's rules: what is taken, and what is refused with which error.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL client_min_messages TO warning;

-- ---- a small network, all of it good
INSERT INTO nmsp.netgw (name, kind) VALUES ('cmts-1', 'cmts'), ('cmts-2', 'cmts'), ('empty', 'cmts');
SELECT id AS g1 FROM nmsp.netgw WHERE name = 'cmts-1' \gset
SELECT id AS g2 FROM nmsp.netgw WHERE name = 'cmts-2' \gset
SELECT id AS g3 FROM nmsp.netgw WHERE name = 'empty' \gset
INSERT INTO nmsp.netgw_secret VALUES (:g1, 'secret'), (:g2, repeat('x', 64));
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES
    (:g1, 'cm', '10.1.0.0/24', '10.1.0.10', '10.1.0.250', '10.1.0.1'),
    (:g1, 'cpe_public', '198.51.100.0/24', '198.51.100.10', '198.51.100.20', '198.51.100.1'),
    (:g1, 'cpe_private', '100.64.0.0/24', '100.64.0.10', '100.64.0.20', '100.64.0.1'),
    (:g2, 'cm', '10.2.0.0/24', '10.2.0.10', '10.2.0.12', '10.2.0.1');
INSERT INTO nmsp.pool (netgw_id, purpose, network, router) VALUES (:g1, 'cm', '10.3.0.0/24', '10.3.0.1');
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, vendor_class) VALUES (:g1, 'stb', '10.4.0.0/24', '10.4.0.2', '10.4.0.9', 'STB');
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, delegated_prefix, delegated_length)
VALUES (:g1, 'cpe_public', '2001:db8::/64', '2001:db8::10', '2001:db8::ff', '2001:db8:100::/40', 56);
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end) VALUES (:g1, 'cm', '2001:db8:1::/64', '2001:db8:1::10', '2001:db8:1::ff');
SELECT id AS p1 FROM nmsp.pool WHERE network = '10.1.0.0/24' \gset
SELECT id AS p2 FROM nmsp.pool WHERE network = '10.2.0.0/24' \gset
SELECT id AS p3 FROM nmsp.pool WHERE network = '10.3.0.0/24' \gset
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES ('100/10', 100000000, 10000000);
SELECT id AS c1 FROM nmsp.service_class \gset
INSERT INTO nmsp.template (name, source) VALUES ('base', 'MaxCPE 3;');
SELECT id AS t1 FROM nmsp.template WHERE name = 'base' \gset
INSERT INTO nmsp.template (name, source, parent_id) VALUES ('child', 'GlobalPrivacyEnable 0;', :t1);
SELECT id AS t2 FROM nmsp.template WHERE name = 'child' \gset
INSERT INTO nmsp.template (name, source, parent_id) VALUES ('grandchild', '', :t2);
SELECT id AS t3 FROM nmsp.template WHERE name = 'grandchild' \gset
INSERT INTO nmsp.template (name, device, source) VALUES ('phone', 'mta', 'SnmpMibObject sysContact.0 String "mta";');
SELECT id AS tm FROM nmsp.template WHERE name = 'phone' \gset
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, address, address6, name)
VALUES ('00:11:22:00:00:01', :g1, :t1, :c1, '10.1.0.10', '2001:db8:1::10', 'first');
SELECT id AS m1 FROM nmsp.modem \gset
INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES ('00:11:22:00:00:02', :g1, :t2), ('00:11:22:00:00:03', :g2, :t3);
INSERT INTO nmsp.endpoint (name, modem_id, mac, address, address6) VALUES ('customer-1', :m1, '02:00:00:00:00:01', '198.51.100.10', '2001:db8::10');
INSERT INTO nmsp.endpoint (name, modem_id, address) VALUES ('customer-2', :m1, '198.51.100.11');
INSERT INTO nmsp.modem_option VALUES (:m1, 'wifi', 'on');
SELECT pass('a small network is taken');
CREATE TEMP VIEW everything AS
SELECT (SELECT jsonb_agg(x ORDER BY id) FROM nmsp.netgw x) AS netgw, (SELECT jsonb_agg(x ORDER BY netgw_id) FROM nmsp.netgw_secret x) AS secret,
       (SELECT jsonb_agg(x ORDER BY id) FROM nmsp.pool x) AS pool, (SELECT jsonb_agg(x ORDER BY id) FROM nmsp.service_class x) AS service_class,
       (SELECT jsonb_agg(x ORDER BY id) FROM nmsp.template x) AS template, (SELECT jsonb_agg(x ORDER BY id) FROM nmsp.modem x) AS modem,
       (SELECT jsonb_agg(x ORDER BY id) FROM nmsp.endpoint x) AS endpoint, (SELECT jsonb_agg(x) FROM nmsp.modem_option x) AS option,
       (SELECT to_jsonb(x) FROM nmsp.setting x) AS setting, (SELECT to_jsonb(x) FROM nmsp.setting_secret x) AS setting_secret;
CREATE TEMP TABLE before AS SELECT * FROM everything;

-- ---- settings
SELECT test.refused('DELETE FROM nmsp.setting', '55000', 'the row of nmsp.setting cannot be deleted', '%', 'UPDATE%', 'settings are not deleted');
SELECT test.refused('DELETE FROM nmsp.setting_secret', '55000', 'the row of nmsp.setting_secret cannot be deleted', '%', 'UPDATE%', 'nor their secrets');
SELECT test.refused('TRUNCATE nmsp.' || t, '55000', 'the row of nmsp.' || t || ' cannot be deleted', '%', 'UPDATE%', 'nor truncated: ' || t) FROM unnest(ARRAY['setting', 'setting_secret']) t;
SELECT test.refused('UPDATE nmsp.setting SET time_zone = ''Mars/Olympus''', '22023', 'time zone "Mars/Olympus" does not exist', '%', '%pg_timezone_names%', 'an unknown time zone');
SELECT lives_ok('UPDATE nmsp.setting SET time_zone = ''Europe/Berlin''; UPDATE nmsp.setting SET time_zone = ''UTC''', 'a known one is fine');
SELECT test.violates('INSERT INTO nmsp.setting DEFAULT VALUES', '23505', 'setting_pkey', '%', 'there is one row of settings');
SELECT test.violates('INSERT INTO nmsp.setting (id) VALUES (false)', '23514', 'setting_has_exactly_one_row', '%', 'in every way');
SELECT test.violates('UPDATE nmsp.setting SET provisioning_server = ''10.0.0.0/24''', '23514', 'setting_provisioning_server_is_a_host', '%', 'the provisioning server is a host');
SELECT test.violates('UPDATE nmsp.setting SET domain_name = ''a"; evil''', '23514', 'setting_domain_name_is_a_domain', '%', 'a domain name is a domain');
SELECT test.violates('UPDATE nmsp.setting SET max_lease_time = 1', '23514', 'setting_max_lease_time_not_below_default', '%', 'lease times in order');
SELECT test.violates('UPDATE nmsp.setting SET max_cpe = 255', '23514', 'setting_max_cpe_between_1_and_254', '%', 'MaxCPE within its limits');
SELECT test.violates('UPDATE nmsp.setting SET ds_rate_coefficient = 0', '23514', 'setting_ds_rate_coefficient_is_positive', '%', 'a coefficient is positive');

-- ---- gateways
SELECT test.violates('INSERT INTO nmsp.netgw (name) VALUES (''cmts-1'')', '23505', 'netgw_name_is_already_used', '%', 'a gateway''s name is unique');
SELECT test.violates(format('INSERT INTO nmsp.netgw (name) VALUES (%L)', n), '23514', 'netgw_name_is_a_host_name', '%', format('no gateway named %s', to_json(n)))
  FROM unnest(ARRAY['../etc', 'a/b', '', '-a', 'a..b', 'a b', E'a\nb', E'a\n', 'a"b', repeat('x', 64)]) n;
SELECT test.violates('INSERT INTO nmsp.netgw (name, kind) VALUES (''x'', ''toaster'')', '23514', 'netgw_kind_is_known', '%', 'an unknown kind of gateway');
SELECT test.violates(format('INSERT INTO nmsp.netgw_secret VALUES (%s, '''')', :g3), '23514', 'netgw_shared_secret_is_1_to_64_bytes', '%1 to 64 bytes%', 'an empty secret');
SELECT test.violates(format('INSERT INTO nmsp.netgw_secret VALUES (%s, %L)', :g3, repeat('x', 65)), '23514', 'netgw_shared_secret_is_1_to_64_bytes', '%', 'a secret of 65 bytes');
SELECT test.violates(format('INSERT INTO nmsp.netgw_secret VALUES (%s, %L)', :g3, repeat('ö', 33)), '23514', 'netgw_shared_secret_is_1_to_64_bytes', '%', 'a secret of 66 bytes in 33 characters');
SELECT test.violates('INSERT INTO nmsp.netgw_secret VALUES (9999, ''x'')', '23503', 'netgw_secret_needs_an_existing_netgw', '%', 'a secret of no gateway');
SELECT test.violates(format('DELETE FROM nmsp.netgw WHERE id = %s', :g1), '23503', 'pool_needs_an_existing_netgw', '%', 'a gateway with pools stays');

-- ---- pools
CREATE FUNCTION pg_temp.bad_pool(columns text, new_values text, code text, constraint_name text, message text, name text) RETURNS text LANGUAGE sql AS
$$SELECT test.violates(format('INSERT INTO nmsp.pool (netgw_id, purpose, network%s) VALUES (%s, ''cm'', %s)', columns,
    (SELECT id FROM nmsp.netgw WHERE netgw.name = 'empty'), new_values), code, constraint_name, message, name)$$;
SELECT pg_temp.bad_pool('', quote_literal(n), '23P01', 'pool_network_overlaps_another_pool', '%', format('overlap: %s', n))
  FROM unnest(ARRAY['10.1.0.0/24', '10.1.0.0/16', '10.1.0.128/25', '0.0.0.0/0', '2001:db8::/32']) n;
SELECT alike((test.error_of(format('INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES (%s, ''cm'', ''10.1.0.0/16'')', :g3))).detail, '%10.1.0.0/24%', 'the DETAIL names the other pool');
SELECT pg_temp.bad_pool(', range_start, range_end', '''10.9.0.0/24'', ''10.8.0.5'', ''10.9.0.9''', '23514', 'pool_range_lies_inside_its_network', 'range_start 10.8.0.5 lies outside of pool 10.9.0.0/24', 'a range that starts outside');
SELECT pg_temp.bad_pool(', range_start, range_end', '''10.9.0.0/24'', ''10.9.0.5'', ''10.9.1.9''', '23514', 'pool_range_lies_inside_its_network', 'range_end%', 'a range that ends outside');
SELECT pg_temp.bad_pool(', range_start, range_end', '''10.9.0.0/24'', ''10.9.0.9'', ''10.9.0.5''', '23514', 'pool_range_starts_before_it_ends', '%', 'a range upside down');
SELECT pg_temp.bad_pool(', router', '''10.9.0.0/24'', ''10.8.0.1''', '23514', 'pool_router_lies_inside_its_network', 'router 10.8.0.1%', 'a router outside');
SELECT pg_temp.bad_pool(', range_start, range_end, router', '''10.9.0.0/24'', ''10.9.0.5'', ''10.9.0.9'', ''10.9.0.7''', '23514', 'pool_router_lies_outside_its_range', 'router 10.9.0.7%', 'a router in the range');
SELECT pg_temp.bad_pool(', range_start', '''10.9.0.0/24'', ''10.9.0.5''', '23514', 'pool_range_has_start_and_end', '%', 'half a range');
SELECT pg_temp.bad_pool(', lease_time', '''10.9.0.0/24'', 0', '23514', 'pool_lease_time_is_positive', '%', 'no lease time of 0');
SELECT pg_temp.bad_pool(', delegated_prefix, delegated_length', '''10.9.0.0/24'', ''2001:db8::/40'', 56', '23514', 'pool_prefix_delegation_is_for_ipv6_cpe', '%', 'no prefix delegation for modems');
SELECT test.violates(format('INSERT INTO nmsp.pool (netgw_id, purpose, network, delegated_prefix, delegated_length) VALUES (%s, ''cpe_public'', ''2001:db8:9::/64'', ''2001:db8:200::/40'', 65)', :g3),
                     '23514', 'pool_delegated_length_fits_its_prefix', '%', 'a delegated prefix too long');
SELECT test.violates(format('INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES (%s, ''toaster'', ''10.9.0.0/24'')', :g3), '23514', 'pool_purpose_is_known', '%', 'an unknown purpose');
SELECT test.violates(format('INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES (%s, ''stb'', ''10.9.0.0/24'')', :g3), '23514', 'pool_stb_needs_a_vendor_class', '%', 'set-top boxes need a vendor class');
SELECT test.violates('INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES (9999, ''cm'', ''10.9.0.0/24'')', '23503', 'pool_needs_an_existing_netgw', 'access gateway 9999 does not exist', 'a pool of no gateway');
SELECT test.refused(format('DELETE FROM nmsp.pool WHERE id = %s', :p1), '23503', 'pool 10.1.0.0/24 still holds fixed addresses', 'Modem 00:11:22:00:00:01 has the fixed address 10.1.0.10.', '%', 'a pool with fixed addresses is not deleted');
SELECT test.refused(format('UPDATE nmsp.pool SET network = ''10.5.0.0/24'', range_start = ''10.5.0.10'', range_end = ''10.5.0.250'', router = ''10.5.0.1'' WHERE id = %s', :p1), '23503', 'pool 10.1.0.0/24 still holds%', '%', '%', 'nor moved to another network');
SELECT test.refused(format('UPDATE nmsp.pool SET netgw_id = %s WHERE id = %s', :g2, :p1), '23503', 'pool 10.1.0.0/24 still holds%', '%', '%', 'nor to another gateway');
SELECT test.refused(format('UPDATE nmsp.pool SET purpose = ''mta'' WHERE id = %s', :p1), '23503', 'pool 10.1.0.0/24 still holds%', '%', '%', 'nor to another purpose');
SELECT test.refused('DELETE FROM nmsp.pool WHERE network = ''198.51.100.0/24''', '23503', '%still holds%', 'Endpoint customer-1 has the fixed address 198.51.100.10.', '%', 'endpoints count');
SELECT test.refused('DELETE FROM nmsp.pool WHERE network = ''2001:db8:1::/64''', '23503', '%still holds%', '%2001:db8:1::10.', '%', 'IPv6 addresses count');
SELECT lives_ok(format('UPDATE nmsp.pool SET network = ''10.1.0.0/23'' WHERE id = %s; UPDATE nmsp.pool SET network = ''10.1.0.0/24'' WHERE id = %1$s', :p1), 'a pool may grow around its addresses');
SELECT lives_ok('DELETE FROM nmsp.pool WHERE network = ''10.4.0.0/24''', 'a pool without fixed addresses is deleted');
UPDATE before SET pool = (SELECT pool FROM everything);

-- ---- service classes
SELECT test.violates('INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES (''100/10'', 1, 1)', '23505', 'service_class_name_is_already_used', '%', 'a class''s name is unique');
SELECT test.violates('INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES (''x'', 4294967296, 1)', '23514', 'service_class_ds_rate_fits_32_bits', '%', 'a rate beyond 32 bits');
SELECT test.violates('INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES (''x'', 1, -1)', '23514', 'service_class_us_rate_fits_32_bits', '%', 'a negative rate');
SELECT test.violates('INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES ('''', 1, 1)', '23514', 'service_class_name_is_not_empty', '%', 'a class without name');
SELECT test.violates(format('DELETE FROM nmsp.service_class WHERE id = %s', :c1), '23503', 'modem_needs_an_existing_service_class', '%', 'a class in use stays');

-- ---- templates
SELECT test.violates('INSERT INTO nmsp.template (name, source) VALUES (''base'', '''')', '23505', 'template_name_is_already_used', '%', 'a template''s name is unique');
SELECT test.violates(format('UPDATE nmsp.template SET parent_id = id WHERE id = %s', :t1), '23514', 'template_is_not_its_own_parent', 'template "base" would be its own ancestor', 'not its own parent');
SELECT test.violates(format('UPDATE nmsp.template SET parent_id = %s WHERE id = %s', :t2, :t1), '23514', 'template_is_not_its_own_parent', '%own ancestor', 'no cycle of two');
SELECT test.violates(format('UPDATE nmsp.template SET parent_id = %s WHERE id = %s', :t3, :t1), '23514', 'template_is_not_its_own_parent', '%own ancestor', 'no cycle of three');
SELECT is((test.error_of(format('UPDATE nmsp.template SET parent_id = %s WHERE id = %s', :t3, :t1))).detail, 'The parents would be: grandchild -> child -> base.', 'the DETAIL shows the circle');
SELECT test.refused(format('INSERT INTO nmsp.template (name, source, device, parent_id) VALUES (''x'', '''', ''mta'', %s)', :t1), '23514', 'template "x" is for mta, its parent "base" for cm', '%', '%', 'a parent for another device');
SELECT test.violates('INSERT INTO nmsp.template (name, source, parent_id) VALUES (''x'', '''', 9999)', '23503', 'template_parent_must_exist', 'template 9999 does not exist', 'a parent that does not exist');
SELECT test.refused(format('UPDATE nmsp.template SET device = ''mta'' WHERE id = %s', :t1), '23514', 'template "base" is in use for cm', '%', '%', 'a template in use does not change its device');
SELECT test.violates('INSERT INTO nmsp.template (name, source, device) VALUES (''x'', '''', ''toaster'')', '23514', 'template_device_is_known', '%', 'an unknown device');
SELECT test.violates(format('DELETE FROM nmsp.template WHERE id = %s', :t1), '23503', 'template_parent_must_exist', '%', 'a parent in use stays');
SELECT test.violates(format('DELETE FROM nmsp.template WHERE id = %s', :t3), '23503', 'modem_needs_an_existing_template', '%', 'a template in use stays');
UPDATE nmsp.template SET source = 'MaxCPE 4;' WHERE id = :t1;
UPDATE nmsp.template SET description = 'x' WHERE id = :t1;
SELECT is((SELECT version FROM nmsp.template WHERE id = :t1), 2, 'the version counts changes of the text');
UPDATE before SET template = (SELECT template FROM everything);

-- ---- modems
CREATE FUNCTION pg_temp.bad_modem(mac text, columns text, new_values text, code text, constraint_name text, message text, name text) RETURNS text LANGUAGE sql AS
$$SELECT test.violates(format('INSERT INTO nmsp.modem (mac, netgw_id, template_id%s) VALUES (%L, %s, %s%s)', columns, mac,
    (SELECT id FROM nmsp.netgw WHERE netgw.name = 'cmts-1'), (SELECT id FROM nmsp.template WHERE template.name = 'base'), new_values), code, constraint_name, message, name)$$;
SELECT pg_temp.bad_modem('00:11:22:00:00:01', '', '', '23505', 'modem_mac_is_already_used', '%', 'a MAC that is already used');
SELECT alike((test.error_of(format('INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES (''00:11:22:00:00:01'', %s, %s)', :g1, :t1))).detail, '%00:11:22:00:00:01%', 'the DETAIL names it');
SELECT pg_temp.bad_modem('01:00:5e:00:00:01', '', '', '23514', 'modem_mac_is_a_unicast_address', '"01:00:5e:00:00:01" is not the address of a device', 'a multicast MAC');
SELECT pg_temp.bad_modem('ff:ff:ff:ff:ff:ff', '', '', '23514', 'modem_mac_is_a_unicast_address', '%', 'the broadcast MAC');
SELECT pg_temp.bad_modem('00:00:00:00:00:00', '', '', '23514', 'modem_mac_is_a_unicast_address', '%', 'the zero MAC');
SELECT pg_temp.bad_modem('00:11:22:00:00:09', ', name', format(', %L', n), '23514', 'modem_name_is_a_host_name', '%', format('no modem named %s', to_json(n)))
  FROM unnest(ARRAY['../../etc/passwd', 'a/b', '', 'a..b', E'a\nb', E'a\n']) n;
SELECT pg_temp.bad_modem('00:11:22:00:00:09', ', service_class_id', ', 9999', '23503', 'modem_needs_an_existing_service_class', '%', 'an unknown service class');
SELECT test.violates(format('INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES (''00:11:22:00:00:09'', %s, 9999)', :g1), '23503', 'modem_needs_an_existing_template', 'template 9999 does not exist', 'an unknown template');
SELECT test.violates(format('INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES (''00:11:22:00:00:09'', 9999, %s)', :t1), '23503', 'modem_needs_an_existing_netgw', 'access gateway 9999 does not exist', 'an unknown gateway');
SELECT test.violates(format('INSERT INTO nmsp.modem (mac, netgw_id) VALUES (''00:11:22:00:00:09'', %s)', :g1), '23502', 'modem_needs_an_existing_template', '%', 'a modem without template');
SELECT test.violates(format('INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES (''00:11:22:00:00:09'', %s, %s)', :g1, :tm), '23514', 'modem_needs_a_cm_template', '%', 'a template for another device');
SELECT test.violates(format('INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES (''00:11:22:00:00:09'', %s, %s)', :g3, :t1), '23514', 'modem_needs_a_pool', '"empty" has no active pool for cable modems', 'a gateway without pool');
SELECT pg_temp.bad_modem('00:11:22:00:00:09', ', address', ', ''10.2.0.11''', '23514', 'modem_address_needs_a_pool', 'address 10.2.0.11 lies in no cm pool of "cmts-1"', 'an address of another gateway''s pool');
SELECT alike((test.error_of(format('UPDATE nmsp.modem SET address = ''10.2.0.11'' WHERE id = %s', :m1))).detail, 'It belongs to pool 10.2.0.0/24 (cm of "cmts-2"); modem 00:11:22:00:00:01 is behind "cmts-1".', 'the DETAIL names both sides');
SELECT pg_temp.bad_modem('00:11:22:00:00:09', ', address', ', ''192.0.2.1''', '23514', 'modem_address_needs_a_pool', '%', 'an address of no pool');
SELECT pg_temp.bad_modem('00:11:22:00:00:09', ', address', ', ''100.64.0.11''', '23514', 'modem_address_needs_a_pool', '%', 'an address of a pool for CPEs');
SELECT pg_temp.bad_modem('00:11:22:00:00:09', ', address', format(', %L', a), '23514', 'modem_address_needs_a_pool', format('address %s cannot belong to a device', a), 'the address ' || a)
  FROM unnest(ARRAY['10.1.0.1', '10.1.0.0', '10.1.0.255']) a;
SELECT pg_temp.bad_modem('00:11:22:00:00:09', ', address', ', ''10.1.0.10''', '23505', 'modem_address_is_already_used', '%', 'an address that is already used');
SELECT pg_temp.bad_modem('00:11:22:00:00:09', ', address', ', ''2001:db8:1::11''', '23514', 'modem_address_is_an_ipv4_host', '%', 'IPv6 in the column for IPv4');
SELECT pg_temp.bad_modem('00:11:22:00:00:09', ', address6', ', ''2001:db8:2::11''', '23514', 'modem_address_needs_a_pool', '%', 'an IPv6 address of no pool');
SELECT test.refused(format('UPDATE nmsp.modem SET netgw_id = %s WHERE id = %s', :g2, :m1), '23514', '%lies in no cm pool of "cmts-2"', '%', '%', 'a move leaves no fixed address behind');
SELECT lives_ok(format('UPDATE nmsp.modem SET netgw_id = %s, address = NULL, address6 = NULL WHERE id = %s; UPDATE nmsp.modem SET netgw_id = %s, address = ''10.1.0.10'', address6 = ''2001:db8:1::10'' WHERE id = %2$s', :g2, :m1, :g1), 'a move without one is fine');
INSERT INTO nmsp.modem (mac, netgw_id, template_id, name) VALUES ('00:11:22:00:00:01', :g1, :t2, 'again')
    ON CONFLICT (mac) DO UPDATE SET name = excluded.name, template_id = excluded.template_id;
SELECT results_eq('SELECT id, name FROM nmsp.modem WHERE mac = ''00:11:22:00:00:01''', format('VALUES (%s::bigint, ''again'')', :m1), 'INSERT ... ON CONFLICT (mac) DO UPDATE');
INSERT INTO nmsp.modem (mac, netgw_id, template_id, name) VALUES ('00:11:22:00:00:01', :g1, :t2, 'never') ON CONFLICT DO NOTHING;
SELECT is((SELECT name FROM nmsp.modem WHERE id = :m1), 'again', 'INSERT ... ON CONFLICT DO NOTHING');
UPDATE nmsp.modem SET name = 'first', template_id = :t1 WHERE id = :m1;
SELECT test.violates(format('INSERT INTO nmsp.modem_option VALUES (%s, ''a b'', '''')', :m1), '23514', 'modem_option_key_is_a_name', '%', 'the key of an option is a name');
SELECT test.violates('INSERT INTO nmsp.modem_option VALUES (9999, ''a'', '''')', '23503', 'modem_option_needs_an_existing_modem', '%', 'an option of no modem');

-- ---- endpoints
CREATE FUNCTION pg_temp.bad_endpoint(columns text, new_values text, code text, constraint_name text, message text, name text) RETURNS text LANGUAGE sql AS
$$SELECT test.violates(format('INSERT INTO nmsp.endpoint (modem_id, %s) VALUES (%s, %s)', columns, (SELECT min(id) FROM nmsp.modem), new_values), code, constraint_name, message, name)$$;
SELECT pg_temp.bad_endpoint('name, address', format('%L, ''198.51.100.12''', n), '23514', 'endpoint_name_is_a_host_label', '%', format('no endpoint named %s', to_json(n)))
  FROM unnest(ARRAY['../x', 'cm-1', 'mta-1', 'a.b', '']) n;
SELECT pg_temp.bad_endpoint('name, address', '''customer-1'', ''198.51.100.12''', '23505', 'endpoint_name_is_already_used', '%', 'an endpoint''s name is unique');
SELECT pg_temp.bad_endpoint('name, mac, address', '''x'', ''02:00:00:00:00:01'', ''198.51.100.12''', '23505', 'endpoint_mac_is_already_used', '%', 'so is its MAC');
SELECT pg_temp.bad_endpoint('name, mac, address', '''x'', ''03:00:00:00:00:01'', ''198.51.100.12''', '23514', 'endpoint_mac_is_a_unicast_address', '%', 'a multicast MAC');
SELECT pg_temp.bad_endpoint('name, address', '''x'', ''198.51.100.10''', '23505', 'endpoint_address_is_already_used', '%', 'an address that is already used');
SELECT pg_temp.bad_endpoint('name, address', '''x'', ''10.1.0.20''', '23514', 'endpoint_address_needs_a_pool', '%', 'an address of a pool for modems');
SELECT pg_temp.bad_endpoint('name, address', '''x'', ''192.0.2.1''', '23514', 'endpoint_address_needs_a_pool', '%', 'an address of no pool');
SELECT pg_temp.bad_endpoint('name', '''x''', '23514', 'endpoint_has_a_fixed_address', '%', 'an endpoint without address');
SELECT pg_temp.bad_endpoint('name, address6', '''x'', ''2001:db8::11''', '23514', 'endpoint_needs_a_mac_for_ipv6', '%', 'IPv6 without MAC');
SELECT test.violates('INSERT INTO nmsp.endpoint (name, modem_id, address) VALUES (''x'', 9999, ''198.51.100.12'')', '23503', 'endpoint_needs_an_existing_modem', 'modem 9999 does not exist', 'an endpoint of no modem');

SELECT results_eq('SELECT * FROM everything', 'SELECT * FROM before', 'nothing of what was refused is stored');
SELECT results_eq('SELECT conname::text FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid WHERE r.relnamespace = ''nmsp''::regnamespace AND NOT c.convalidated',
                  'SELECT ''''::text WHERE false', 'every constraint is valid');

-- ---- addresses
SELECT is(nmsp.allocate_address(:p1), '10.1.0.250', 'the end of the range, when its beginning is in use');
SELECT is(nmsp.allocate_address(:p2), '10.2.0.12', 'the last of an empty pool');
INSERT INTO nmsp.modem (mac, netgw_id, template_id, address)
SELECT ('00:11:33:00:00:0' || g)::macaddr, :g2, :t1, nmsp.allocate_address(:p2) FROM generate_series(1, 3) g;
SELECT results_eq('SELECT host(address) FROM nmsp.modem WHERE mac >= ''00:11:33:00:00:00'' ORDER BY mac', ARRAY['10.2.0.12', '10.2.0.11', '10.2.0.10'], 'INSERT ... SELECT gives each row its own');
SELECT test.refused(format('SELECT nmsp.allocate_address(%s)', :p2), '53400', 'pool 10.2.0.0/24 is exhausted', 'All addresses from 10.2.0.10 to 10.2.0.12 are in use.', '%', 'an exhausted pool');
SELECT test.refused(format('INSERT INTO nmsp.modem (mac, netgw_id, template_id, address) VALUES (''00:11:33:00:00:04'', %s, %s, nmsp.allocate_address(%s))', :g2, :t1, :p2), '53400', '%', '%', '%', 'and a modem for it is not stored');
UPDATE nmsp.modem SET address = NULL WHERE mac = '00:11:33:00:00:02';
SELECT is(nmsp.allocate_address(:p2), '10.2.0.11', 'a gap is used when the beginning is reached');
UPDATE nmsp.modem SET address = NULL WHERE mac = '00:11:33:00:00:01';
SELECT is(nmsp.allocate_address(:p2), '10.2.0.12', 'the highest gap, at the end');
UPDATE nmsp.modem SET address = nmsp.allocate_address(:p2) WHERE netgw_id = :g2 AND address IS NULL AND mac < '00:11:33:00:00:03' AND mac > '00:11:33:00:00:00';
SELECT is((SELECT count(DISTINCT address)::int FROM nmsp.modem WHERE netgw_id = :g2), 3, 'UPDATE of several rows');
SELECT test.refused(format('SELECT nmsp.allocate_address(%s)', :p3), '55000', 'pool 10.3.0.0/24 gives out no addresses', 'It has no range.', '%', 'a pool without range');
UPDATE nmsp.pool SET active = false WHERE id = :p1;
SELECT test.refused(format('SELECT nmsp.allocate_address(%s)', :p1), '55000', 'pool 10.1.0.0/24 gives out no addresses', 'It is not active.', '%', 'a pool that is not active');
SELECT test.refused('SELECT nmsp.allocate_address(9999)', '23503', 'pool 9999 does not exist', '%', '%', 'an unknown pool');
SELECT test.refused('SELECT nmsp.allocate_address(NULL)', '23503', 'pool null does not exist', '%', '%', 'no pool');
SELECT is(nmsp.allocate_address((SELECT id FROM nmsp.pool WHERE network = '198.51.100.0/24')), '198.51.100.20', 'endpoints'' addresses count');
SELECT is(nmsp.allocate_address((SELECT id FROM nmsp.pool WHERE network = '2001:db8:1::/64')), '2001:db8:1::ff', 'IPv6');

-- ---- a modem and its endpoints move together
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end) VALUES (:g2, 'cpe_public', '203.0.113.0/24', '203.0.113.10', '203.0.113.20');
SELECT id AS p4 FROM nmsp.pool WHERE network = '203.0.113.0/24' \gset
SELECT test.refused(format('UPDATE nmsp.modem SET netgw_id = %s, address = NULL, address6 = NULL WHERE id = %s; SET CONSTRAINTS ALL IMMEDIATE', :g2, :m1),
    '23514', 'modem % cannot move to "%" without its endpoints', 'Endpoint "customer-1" has the fixed address 198.51.100.10%', 'In the same transaction%', 'a modem does not leave its endpoints behind');
SELECT lives_ok(format('UPDATE nmsp.modem SET netgw_id = %s, address = NULL, address6 = NULL WHERE id = %s;
    UPDATE nmsp.endpoint SET address = nmsp.allocate_address(%s), address6 = NULL WHERE modem_id = %2$s; SET CONSTRAINTS ALL IMMEDIATE', :g2, :m1, :p4), 'with them it moves');
SET CONSTRAINTS ALL DEFERRED;

-- ---- hints and ON CONFLICT see the same constraint; refusals come without the context of our triggers
SELECT unalike(coalesce((test.error_of(format('INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES (''01:00:00:00:00:00'', %s, %s)', :g1, :t1))).context, ''), '%modem_check%', 'no CONTEXT of our triggers');
SELECT * FROM finish();
ROLLBACK;
