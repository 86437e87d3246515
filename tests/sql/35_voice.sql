-- Voice: what is taken and what is refused of MTAs and phone numbers, and the files of MTAs.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL client_min_messages TO warning;

INSERT INTO nmsp.netgw (name) VALUES ('cmts-1'), ('cmts-2');
SELECT id AS g1 FROM nmsp.netgw WHERE name = 'cmts-1' \gset
SELECT id AS g2 FROM nmsp.netgw WHERE name = 'cmts-2' \gset
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES
    (:g1, 'cm', '10.1.0.0/24', '10.1.0.10', '10.1.0.250', '10.1.0.1'), (:g1, 'mta', '10.1.1.0/24', '10.1.1.10', '10.1.1.12', '10.1.1.1'),
    (:g1, 'cpe_public', '198.51.100.0/24', '198.51.100.10', '198.51.100.20', '198.51.100.1'),
    (:g2, 'cm', '10.2.0.0/24', '10.2.0.10', '10.2.0.250', '10.2.0.1'), (:g2, 'mta', '10.2.1.0/24', '10.2.1.10', '10.2.1.250', '10.2.1.1');
SELECT id AS pm1 FROM nmsp.pool WHERE network = '10.1.1.0/24' \gset
SELECT id AS pm2 FROM nmsp.pool WHERE network = '10.2.1.0/24' \gset
INSERT INTO nmsp.template (name, source) VALUES ('modem', 'GlobalPrivacyEnable 0;');
SELECT id AS tc FROM nmsp.template WHERE name = 'modem' \gset
INSERT INTO nmsp.template (name, device, source) VALUES ('phone', 'mta', 'SnmpMibObject sysContact.0 String "{mta.hostname.0} {mta.mac.0} {mta.type.0}";
SnmpMibObject sysName.0 String "{phonenumber.e164.0}";
SnmpMibObject sysLocation.0 String "{phonenumber.password.1}";
SnmpMibObject ifAdminStatus.9 Integer {{phonenumber.active.0},?,2};
SnmpMibObject ifAdminStatus.10 Integer {{phonenumber.active.1},?,2};');
SELECT id AS tm FROM nmsp.template WHERE name = 'phone' \gset
INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES ('00:11:22:00:00:01', :g1, :tc), ('00:11:22:00:00:02', :g1, :tc), ('00:11:22:00:00:03', :g2, :tc);
SELECT id AS m1 FROM nmsp.modem WHERE mac = '00:11:22:00:00:01' \gset
SELECT id AS m2 FROM nmsp.modem WHERE mac = '00:11:22:00:00:02' \gset
INSERT INTO nmsp.endpoint (name, modem_id, mac, address) VALUES ('customer-1', :m1, '02:00:00:00:00:01', '198.51.100.10');

-- ---- MTAs
SELECT lives_ok(format('INSERT INTO nmsp.mta (mac, modem_id, template_id, address) VALUES (''00:11:22:00:01:01'', %s, %s, ''10.1.1.10'')', :m1, :tm), 'an MTA inside of a modem');
SELECT lives_ok(format('INSERT INTO nmsp.mta (mac, modem_id, template_id, embedded) VALUES (''00:11:22:00:01:02'', %s, %s, false)', :m1, :tm), 'another one behind the same modem');
SELECT id AS a1 FROM nmsp.mta WHERE mac = '00:11:22:00:01:01' \gset
SELECT id AS a2 FROM nmsp.mta WHERE mac = '00:11:22:00:01:02' \gset
CREATE FUNCTION pg_temp.mta(more text, modem bigint, template bigint) RETURNS text LANGUAGE sql AS
$$SELECT format('INSERT INTO nmsp.mta (modem_id, template_id, mac%s) VALUES (%s, %s, %s)', CASE WHEN more LIKE '%,%' THEN ', address' END, modem, template, more)$$;
SELECT test.violates(pg_temp.mta('''00:11:22:00:01:09''', 0, :tm), '23503', 'mta_needs_an_existing_modem', 'modem 0 does not exist', 'behind a modem that does not exist');
SELECT test.violates('INSERT INTO nmsp.mta (mac, template_id) VALUES (''00:11:22:00:01:09'', 1)', '23502', 'mta_needs_an_existing_modem', 'modem null does not exist', 'behind none');
SELECT test.violates(pg_temp.mta('''00:11:22:00:01:09''', :m1, 0), '23503', 'mta_needs_an_existing_template', 'template 0 does not exist', 'a template that does not exist');
SELECT test.violates(pg_temp.mta('''00:11:22:00:01:09''', :m1, :tc), '23514', 'mta_needs_an_mta_template', 'template % is not for MTAs', 'a template of a modem');
SELECT test.violates(pg_temp.mta('''01:11:22:00:01:09''', :m1, :tm), '23514', 'mta_mac_is_a_unicast_address', '"01:11:22:00:01:09" is not the address of a device', 'a multicast address');
SELECT test.violates(pg_temp.mta('''00:11:22:00:01:01''', :m1, :tm), '23505', 'mta_mac_is_already_used', '%', 'the MAC of another MTA');
SELECT test.violates(pg_temp.mta('''00:11:22:00:01:09'', ''10.2.1.10''', :m1, :tm), '23514', 'mta_address_needs_a_pool', 'address 10.2.1.10 lies in no mta pool of "cmts-1"', 'an address of another gateway');
SELECT test.violates(pg_temp.mta('''00:11:22:00:01:09'', ''10.1.0.10''', :m1, :tm), '23514', 'mta_address_needs_a_pool', 'address 10.1.0.10 lies in no mta pool of "cmts-1"', 'an address of a modem pool');
SELECT test.violates(pg_temp.mta('''00:11:22:00:01:09'', ''10.1.1.1''', :m1, :tm), '23514', 'mta_address_needs_a_pool', 'address 10.1.1.1 cannot belong to a device', 'the router''s address');
SELECT test.violates(pg_temp.mta('''00:11:22:00:01:09'', ''10.1.1.10''', :m1, :tm), '23505', 'mta_address_is_already_used', '%', 'the address of another MTA');
SELECT test.violates(format('UPDATE nmsp.mta SET %s WHERE id = %s', s, :a2), '23514', c, '%', s) FROM (VALUES
    ('hash = ''md5''', 'mta_hash_is_known'), ('type = ''fax''', 'mta_type_is_known'), ('provisioning = ''x''', 'mta_provisioning_is_known'),
    ('provisioning = ''secure''', 'mta_secure_needs_a_kerberos_realm'), ('name = ''a b''', 'mta_name_is_a_host_name'),
    ('address = ''10.1.1.0/24''', 'mta_address_is_an_ipv4_host'), ('address6 = ''10.1.1.11''', 'mta_address6_is_an_ipv6_host')) x(s, c);
SELECT test.refused(format('UPDATE nmsp.template SET device = ''cm'' WHERE id = %s', :tm), '23514', 'template "phone" is in use for mta', '%', '%', 'a template in use keeps its device');
SELECT test.violates(format('DELETE FROM nmsp.template WHERE id = %s', :tm), '23503', 'mta_needs_an_existing_template', '%', 'and stays');

-- ---- one MAC, one device
SELECT test.refused(s, '23505', format('"%s" is the address of another device', mac), d, h, s) FROM (VALUES
    (format('INSERT INTO nmsp.mta (modem_id, template_id, mac) VALUES (%s, %s, ''00:11:22:00:00:02'')', :m1, :tm), '00:11:22:00:00:02', format('It is that of modem %s; the MTA has an address of its own.', :m2), 'Take the address from the label of the MTA, or remove the other one: DELETE FROM nmsp.modem%'),
    (format('INSERT INTO nmsp.mta (modem_id, template_id, mac) VALUES (%s, %s, ''02:00:00:00:00:01'')', :m1, :tm), '02:00:00:00:00:01', 'It is that of endpoint "customer-1" behind modem 00:11:22:00:00:01;%', '%DELETE FROM nmsp.endpoint%'),
    (format('UPDATE nmsp.modem SET mac = ''00:11:22:00:01:01'' WHERE id = %s', :m2), '00:11:22:00:01:01', format('It is that of MTA %s behind modem 00:11:22:00:00:01; the modem has an address of its own.', :a1), '%cable interface%DELETE FROM nmsp.mta%'),
    (format('INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES (''02:00:00:00:00:01'', %s, %s)', :g1, :tc), '02:00:00:00:00:01', 'It is that of endpoint "customer-1"%', '%'),
    (format('INSERT INTO nmsp.endpoint (name, modem_id, mac, address) VALUES (''x'', %s, ''00:11:22:00:00:02'', ''198.51.100.11'')', :m1), '00:11:22:00:00:02', format('It is that of modem %s%%', :m2), '%'),
    ('UPDATE nmsp.endpoint SET mac = ''00:11:22:00:01:02''', '00:11:22:00:01:02', 'It is that of MTA%', '%CPE%')) x(s, mac, d, h);
SELECT lives_ok(format('INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT mac, netgw_id, template_id FROM nmsp.modem WHERE id = %s ON CONFLICT (mac) DO UPDATE SET name = ''x''', :m1), 'INSERT ... ON CONFLICT of a modem goes on');
SELECT lives_ok(format('INSERT INTO nmsp.mta (mac, modem_id, template_id) SELECT mac, modem_id, template_id FROM nmsp.mta WHERE id = %s ON CONFLICT (mac) DO UPDATE SET name = ''x''', :a1), 'that of an MTA as well');

-- ---- addresses
SELECT is(nmsp.allocate_address(:pm1), '10.1.1.12'::inet, 'an address from the pool');
UPDATE nmsp.mta SET address = nmsp.allocate_address(:pm1) WHERE id = :a2;
SELECT is(nmsp.allocate_address(:pm1), '10.1.1.11'::inet, 'another one');
SELECT test.refused(format('UPDATE nmsp.pool SET purpose = ''stb'', vendor_class = ''x'' WHERE id = %s', :pm1), '23503', 'pool 10.1.1.0/24 still holds fixed addresses', 'MTA 00:11:22:00:01:0%', '%', 'a pool keeps them');
SET CONSTRAINTS ALL IMMEDIATE;
SELECT test.violates(format('UPDATE nmsp.modem SET netgw_id = %s WHERE id = %s', :g2, :m1), '23514', 'modem_moves_with_its_endpoints', 'modem 00:11:22:00:00:01 cannot move to "cmts-2" without its%', 'a modem that moves takes its MTAs along');
SET CONSTRAINTS ALL DEFERRED;
DELETE FROM nmsp.endpoint;
SELECT lives_ok(format('UPDATE nmsp.modem SET netgw_id = %s WHERE id = %s; UPDATE nmsp.mta SET address = ''10.2.1.10''::inet + id WHERE modem_id = %2$s; SET CONSTRAINTS ALL IMMEDIATE', :g2, :m1), 'in one transaction');

-- ---- phone numbers
SELECT lives_ok(format('INSERT INTO nmsp.phone_number (number, area_code, mta_id, port, username) VALUES (''+49372555001'', ''372'', %s, 0, ''user0'')', :a1), 'a number on a port');
SELECT lives_ok(format('INSERT INTO nmsp.phone_number (number, mta_id, port) VALUES (''+12125551234'', %s, 1)', :a1), 'one without an area code');
SELECT lives_ok('INSERT INTO nmsp.phone_number (number) VALUES (''+35315551234'')', 'one that is nowhere yet');
SELECT id AS n0 FROM nmsp.phone_number WHERE number = '+49372555001' \gset
SELECT id AS n1 FROM nmsp.phone_number WHERE number = '+12125551234' \gset
INSERT INTO nmsp.phone_number_secret VALUES (:n0, 'secret0'), (:n1, 'secret1');
SELECT results_eq('SELECT number::text, country_code, prefix_number, subscriber_number, state FROM nmsp.phone_line ORDER BY phone_number_id',
    $$VALUES ('+49372555001', '0049', '0372', '555001', 'active'), ('+12125551234', '001', '0', '2125551234', 'active'), ('+35315551234', '00353', '0', '15551234', 'active')$$, 'numbers as they are dialled');
SELECT test.violates(format('INSERT INTO nmsp.phone_number (number, mta_id, port) VALUES (''+49372555001'', %s, 3)', :a2), '23P01', 'phone_number_is_in_two_places_at_once', 'number +49372555001 is in use', 'a number in use');
SELECT matches((test.error_of(format('INSERT INTO nmsp.phone_number (number, mta_id, port) VALUES (''+49372555001'', %s, 3)', :a2))).detail, '^Port 0 of MTA \d+ \(00:11:22:00:01:01\) has it for good; Port 3 of MTA \d+ \(00:11:22:00:01:02\) is to have it for good\.$', 'naming both sides');
SELECT test.violates(format('INSERT INTO nmsp.phone_number (number, mta_id, port) VALUES (''+49372555002'', %s, 0)', :a1), '23P01', 'phone_number_shares_its_port', 'port 0 of MTA % has a number', 'two numbers on one port');
SELECT test.violates('INSERT INTO nmsp.phone_number (number, mta_id, port) VALUES (''+49372555002'', 0, 0)', '23503', 'phone_number_needs_an_existing_mta', 'MTA 0 does not exist', 'on an MTA that does not exist');
SELECT test.violates(format('INSERT INTO nmsp.phone_number (number, mta_id) VALUES (''+49372555002'', %s)', :a1), '23514', 'phone_number_on_an_mta_has_a_port', 'number +49372555002 has no port', 'on no port');
SELECT is(bad, (SELECT array_agg(b ORDER BY b) FROM unnest(bad) b WHERE (test.error_of(format('SELECT %L::nmsp.e164', b))).constraint_name = 'e164_is_a_plus_and_4_to_15_digits'), 'what is no number of E.164')
  FROM (SELECT array_agg(b ORDER BY b) FROM unnest(ARRAY['', '+', '0372555001', '+0372555001', '+49 372 555001', '+1234567890123456', '+49a', E'+49372555001\n']) b) x(bad);
SELECT test.refused($$INSERT INTO nmsp.phone_number (number) VALUES ('0372555001')$$, '23514', 'value for domain nmsp.e164 violates%', '', 'Write it with plus%', 'with a hint');
SELECT test.violates(format('UPDATE nmsp.phone_number SET %s WHERE id = %s', s, :n0), '23514', c, '%', s) FROM (VALUES
    ('area_code = ''37x''', 'phone_number_area_code_is_digits'), ('area_code = ''555''', 'phone_number_area_code_is_part_of_the_number'), ('port = -1', 'phone_number_port_between_0_and_255'),
    ('username = ''''', 'phone_number_username_is_1_to_255_bytes'), ('username = E''a\n''', 'phone_number_username_is_printable'), ('username = ''a"''', 'phone_number_username_has_no_quotes'), ('sip_domain = ''a b''', 'phone_number_sip_domain_is_a_host'),
    ('validity = ''empty''', 'phone_number_validity_is_not_empty'), ('porting_in = ''soon''', 'phone_number_porting_in_is_known'),
    ('porting_in = ''confirmed''', 'phone_number_ported_in_has_a_beginning'), ('porting_out = ''confirmed''', 'phone_number_ported_out_has_an_end')) x(s, c);
SELECT test.violates(format('UPDATE nmsp.phone_number SET %s WHERE id = %s', s, :n0), '23503', c, '%', s) FROM (VALUES
    ('carrier_in = ''D999''', 'phone_number_needs_an_existing_carrier_in'), ('ekp_out = ''x''', 'phone_number_needs_an_existing_ekp_out'), ('trc_class = 7', 'phone_number_needs_an_existing_trc_class')) x(s, c);
SELECT test.violates(format('INSERT INTO nmsp.phone_number_secret VALUES (%s, ''x'')', :n0), '23505', 'phone_number_secret_pkey', '%', 'one password per number');
SELECT test.violates(format('UPDATE nmsp.phone_number_secret SET password = %L', p), '23514', c, '%', c) FROM (VALUES
    ('', 'phone_number_password_is_1_to_128_bytes'), (E'a\nb', 'phone_number_password_is_printable'), ('a"; MaxCPE 1', 'phone_number_password_has_no_quotes'), ('{a}', 'phone_number_password_has_no_quotes')) x(p, c);

-- ---- country codes: their digits tell their length
CREATE TEMP TABLE cc AS SELECT c FROM unnest(ARRAY['1', '20', '213', '269', '30', '353', '376', '420', '49', '500', '51', '599', '64', '672', '7', '800', '81', '852', '886', '90', '971', '98', '998']) c;
INSERT INTO nmsp.phone_number (number, external_id) SELECT '+' || c || '5551234', c FROM cc;
SELECT results_eq('SELECT country_code FROM nmsp.phone_number WHERE external_id IS NOT NULL ORDER BY external_id', 'SELECT c FROM cc ORDER BY c', 'country codes of one, two and three digits');
DELETE FROM nmsp.phone_number WHERE external_id IS NOT NULL;

-- ---- the file
CREATE FUNCTION pg_temp.objects(mta bigint) RETURNS jsonb LANGUAGE sql AS
$$SELECT jsonb_object_agg(split_part(line, ' ', 2), trim(BOTH '"' FROM substring(line FROM '(?:String|Integer) (.*);')))
    FROM string_to_table(docsis.text(nmsp.mta_config(mta)), E'\n') u(l), LATERAL (SELECT trim(BOTH E' \t' FROM l)) t(line) WHERE line LIKE 'SnmpMibObject %' AND line NOT LIKE '%7432.1.1.2.9.0%'$$;
SELECT is(pg_temp.objects(:a1), jsonb_build_object('sysContact.0', 'mta-' || :a1 || ' 00:11:22:00:01:01 sip', 'sysName.0', '+49372555001', 'sysLocation.0', 'secret1', 'ifAdminStatus.9', '1', 'ifAdminStatus.10', '1'), 'an MTA''s file');
SELECT is(pg_temp.objects(:a2), jsonb_build_object('sysContact.0', 'mta-' || :a2 || ' 00:11:22:00:01:02 sip', 'ifAdminStatus.9', '2', 'ifAdminStatus.10', '2'), 'without numbers their lines are left out, and the defaults count');
SELECT is(nmsp.mta_config(0), NULL, 'no MTA, no file');
SELECT is(nmsp.mta_config(t)::bytea, nmsp.mta_config(:a1)::bytea, 'from the row') FROM nmsp.mta t WHERE t.id = :a1;
SELECT is((SELECT path FROM nmsp.mta_file WHERE mta_id = :a1), 'mta/mta-' || :a1 || '.cfg', 'its name');
UPDATE nmsp.phone_number SET active = false WHERE id = :n0;
SELECT is(pg_temp.objects(:a1) ->> 'ifAdminStatus.9', '2', 'a suspended number is out of service');
SELECT is(pg_temp.objects(:a1) ->> 'sysName.0', '+49372555001', 'and stays in its place');
UPDATE nmsp.phone_number SET active = true, validity = tstzrange(now() + '1 day', NULL) WHERE id = :n0;
SELECT is(pg_temp.objects(:a1) ->> 'ifAdminStatus.9', '2', 'one that is to come is not there yet');
SELECT is(pg_temp.objects(:a1) -> 'sysName.0', NULL, 'not at all');
SELECT results_eq(format('SELECT state, changes_at FROM nmsp.phone_line WHERE phone_number_id = %s', :n0), $$SELECT 'planned', now() + '1 day'$$, 'it is planned');
SELECT lives_ok(format('INSERT INTO nmsp.phone_number (number, mta_id, port, validity) VALUES (''+49372555077'', %s, 0, tstzrange(NULL, now() + ''1 day''))', :a1), 'until then another one may have the port');
SELECT is(pg_temp.objects(:a1) ->> 'sysName.0', '+49372555077', 'and is in the file');
SELECT test.violates(format('UPDATE nmsp.phone_number SET validity = tstzrange(now() + ''1 hour'', NULL) WHERE id = %s', :n0), '23P01', 'phone_number_shares_its_port', '%', 'but not longer');
DELETE FROM nmsp.phone_number WHERE number = '+49372555077';

SELECT results_eq('SELECT at, cause, id, note FROM nmsp.phone_number_boundary(now(), now() + ''2 days'')', format($$SELECT now() + '1 day', 'phone_number', %s::bigint, 'number +49372555001 begins'$$, :n0), 'its moment is known');
SELECT is_empty('SELECT FROM nmsp.phone_number_boundary(now() + ''1 day'', now() + ''2 days'')', 'and comes once');

-- ---- porting
UPDATE nmsp.phone_number SET validity = '[,)', porting_in = 'requested' WHERE id = :n0;
SELECT is(state, 'porting requested', 'a number that is asked for') FROM nmsp.phone_line WHERE phone_number_id = :n0;
SELECT is(pg_temp.objects(:a1) -> 'sysName.0', NULL, 'is out of service');
UPDATE nmsp.phone_number SET porting_in = 'rejected' WHERE id = :n0;
SELECT is(state, 'porting rejected', 'rejected') FROM nmsp.phone_line WHERE phone_number_id = :n0;
UPDATE nmsp.phone_number SET porting_in = 'confirmed', validity = tstzrange(now() + '3 days', NULL) WHERE id = :n0;
SELECT is(state, 'planned', 'confirmed for a day') FROM nmsp.phone_line WHERE phone_number_id = :n0;
UPDATE nmsp.phone_number SET validity = tstzrange(now() - '3 days'::interval, NULL) WHERE id = :n0;
SELECT is(state, 'active', 'here') FROM nmsp.phone_line WHERE phone_number_id = :n0;
SELECT test.refused(format('UPDATE nmsp.phone_number SET %s WHERE id = %s', s, :n0), '55000', 'number +49372555001 was ported in already', 'That was at %', 'Its next time%', s)
  FROM unnest(ARRAY['porting_in = NULL', 'porting_in = ''requested''', 'validity = ''[,)''', 'validity = tstzrange(now(), NULL)']) s;
UPDATE nmsp.phone_number SET porting_out = 'requested' WHERE id = :n0;
SELECT is(state, 'active', 'another carrier asks for it') FROM nmsp.phone_line WHERE phone_number_id = :n0;
UPDATE nmsp.phone_number SET porting_out = 'confirmed', validity = tstzrange(lower(validity), now() - '1 day'::interval) WHERE id = :n0;
SELECT is(state, 'ported out', 'gone') FROM nmsp.phone_line WHERE phone_number_id = :n0;
SELECT is(pg_temp.objects(:a1) -> 'sysName.0', NULL, 'also from the file');
SELECT lives_ok(format('INSERT INTO nmsp.phone_number (number, mta_id, port, validity, porting_in) VALUES (''+49372555001'', %s, 0, tstzrange(now(), NULL), ''confirmed'')', :a1), 'it may come back');
SELECT is(nmsp.line_state(true, '[2026-01-01,2026-02-01)', NULL, NULL, at::timestamptz), state, at) FROM (VALUES
    ('2025-12-31', 'planned'), ('2026-01-01', 'active'), ('2026-01-31', 'active'), ('2026-02-01', 'ended')) x(at, state);

-- ---- every placeholder of an MTA
CREATE TEMP VIEW wanted(placeholder, value) AS
SELECT p.placeholder, p.value FROM nmsp.mta t, nmsp.phone_number n, LATERAL (VALUES
    ('mta.id.0', t.id::text), ('mta.hostname.0', 'mta-' || t.id), ('mta.mac.0', '00:11:22:00:01:01'), ('mta.modem_id.0', t.modem_id::text), ('mta.configfile_id.0', t.template_id::text),
    ('mta.type.0', 'sip'), ('mta.is_dummy.0', ''), ('mta.<column>.0', 'x'), ('phonenumber.id.<port>', n.id::text), ('phonenumber.mta_id.<port>', t.id::text), ('phonenumber.port.<port>', '1'),
    ('phonenumber.country_code.<port>', '001'), ('phonenumber.prefix_number.<port>', '0212'), ('phonenumber.number.<port>', '5551234'), ('phonenumber.e164.<port>', '+12125551234'),
    ('phonenumber.username.<port>', 'u'), ('phonenumber.password.<port>', 'secret1'), ('phonenumber.sipdomain.<port>', 'sip.test'), ('phonenumber.sip_registrar.<port>', 'reg.test'),
    ('phonenumber.active.<port>', '1'), ('phonenumber.trc_class.<port>', '3'), ('phonenumber.contract_external_id.<port>', 'E1'), ('voice.<column>.0', 'proxy.test')) p(placeholder, value)
 WHERE t.mac = '00:11:22:00:01:01' AND n.number = '+12125551234';
INSERT INTO nmsp.trc_class VALUES (3, 'no service numbers');
UPDATE nmsp.voice_setting SET sip_registrar = 'reg.test', sip_proxy = 'proxy.test', sip_domain = 'sip.test';
UPDATE nmsp.phone_number SET area_code = '212', username = 'u', trc_class = 3, external_id = 'E1' WHERE id = :n1;
SELECT set_eq('SELECT placeholder FROM nmsp.template_placeholders() WHERE placeholder ~ ''^(mta|phonenumber|voice)[.]''', 'SELECT placeholder FROM wanted', 'the placeholders are those this test knows');
SELECT source AS before FROM nmsp.template WHERE id = :tm \gset
UPDATE nmsp.template SET source = (SELECT string_agg(format('SnmpMibObject docsDevNmAccessCommunity.%s String "{%s}";', n, replace(replace(placeholder, '<port>', '1'), CASE placeholder WHEN 'mta.<column>.0' THEN '<column>' ELSE '!' END, 'name')), E'\n' ORDER BY n)
      FROM (SELECT row_number() OVER (ORDER BY placeholder) AS n, replace(placeholder, 'voice.<column>', 'voice.sip_proxy') AS placeholder FROM wanted) w) WHERE id = :tm;
SELECT is((SELECT string_agg(substring(l FROM '"(.*)"'), ', ' ORDER BY substring(l FROM 'Community\.(\d+)')::int) FROM string_to_table(docsis.text(nmsp.mta_config(:a1)), E'\n') l WHERE l LIKE '%docsDevNmAccessCommunity%'),
          (SELECT string_agg(value, ', ' ORDER BY placeholder) FROM wanted), 'each has its value');
UPDATE nmsp.template SET source = :'before' WHERE id = :tm;

-- ---- a modem's end
UPDATE nmsp.phone_number SET port = 5 WHERE id = :n1;
SELECT lives_ok(format('DELETE FROM nmsp.mta WHERE id = %s', :a1), 'an MTA is deleted');
SELECT is((SELECT array_agg(mta_id) FROM nmsp.phone_number), ARRAY[NULL, NULL, NULL, NULL]::bigint[], 'its numbers are on none');
SELECT lives_ok(format('DELETE FROM nmsp.modem WHERE id = %s', :m1), 'a modem is deleted');
SELECT is_empty('SELECT FROM nmsp.mta', 'and its MTAs');

-- ---- settings, dial plans, codes
SELECT test.refused(s, '55000', 'the row of nmsp.voice_setting cannot be deleted', '%', 'UPDATE%', s) FROM unnest(ARRAY['DELETE FROM nmsp.voice_setting', 'TRUNCATE nmsp.voice_setting']) s;
SELECT test.violates('INSERT INTO nmsp.voice_setting (id) VALUES (2)', '23514', 'voice_setting_has_exactly_one_row', '%', 'one row');
SELECT test.violates('UPDATE nmsp.voice_setting SET ' || s, '23514', c, '%', s) FROM (VALUES
    ('hash = ''x''', 'voice_setting_hash_is_known'), ('provisioning = ''secure''', 'voice_setting_secure_needs_a_kerberos_realm'), ('mta_domain = ''a b''', 'voice_setting_mta_domain_is_a_domain'),
    ('provisioning_host = ''a..b''', 'voice_setting_provisioning_host_is_a_domain'), ('dhcp_server = ''10.0.0.0/8''', 'voice_setting_dhcp_server_is_an_ipv4_host'),
    ('trunk_prefix = ''x''', 'voice_setting_trunk_prefix_is_digits'), ('sip_registrar = ''a"''', 'voice_setting_sip_registrar_is_a_host')) x(s, c);
SELECT test.violates('UPDATE nmsp.template SET dial_plan_id = 0 WHERE device = ''mta''', '23503', 'template_needs_an_existing_dial_plan', '%', 'a dial plan that does not exist');
CREATE TEMP TABLE code (LIKE nmsp.carrier_code);
INSERT INTO code VALUES ('D001', 'Deutsche Telekom'), ('D009', 'Vodafone');
INSERT INTO nmsp.carrier_code SELECT * FROM code ON CONFLICT (code) DO UPDATE SET name = excluded.name;
UPDATE code SET name = 'Telekom' WHERE code = 'D001';
INSERT INTO nmsp.carrier_code SELECT * FROM code ON CONFLICT (code) DO UPDATE SET name = excluded.name;
SELECT is((SELECT string_agg(name, ', ' ORDER BY code) FROM nmsp.carrier_code), 'Telekom, Vodafone', 'codes are loaded again and again');

INSERT INTO nmsp.mta (mac, modem_id, template_id) VALUES ('00:11:22:00:01:05', :m2, :tm);
SELECT id AS a3 FROM nmsp.mta \gset
CREATE TEMP TABLE plain AS SELECT nmsp.mta_config(jsonb_populate_record(t, '{"hash": "none"}')) AS config FROM nmsp.mta t;
INSERT INTO nmsp.dial_plan (name, digit_map) VALUES ('own', '{x}'), ('of the template', '{"x"}');
UPDATE nmsp.template SET dial_plan_id = (SELECT id FROM nmsp.dial_plan WHERE name = 'of the template') WHERE id = :tm;
SELECT is(nmsp.mta_config(:a3), docsis.mta((SELECT config FROM plain), 'eu', docsis.dialplan('{"x"}')), 'the template''s dial plan, under the hash');
UPDATE nmsp.mta SET dial_plan_id = (SELECT id FROM nmsp.dial_plan WHERE name = 'own');
SELECT is(nmsp.mta_config(:a3), docsis.mta((SELECT config FROM plain), 'eu', docsis.dialplan('{x}')), 'the MTA''s own comes first');
UPDATE nmsp.mta SET dial_plan_id = NULL;
UPDATE nmsp.template SET dial_plan_id = NULL;
SELECT is(nmsp.mta_config(jsonb_populate_record(t, jsonb_build_object('hash', h))), docsis.mta((SELECT config FROM plain), h), 'hash of the MTA: ' || h)
  FROM nmsp.mta t, unnest(ARRAY['none', 'na', 'eu', 'ietf']) h;
UPDATE nmsp.voice_setting SET hash = 'ietf';
SELECT is(nmsp.mta_config(:a3), docsis.mta((SELECT config FROM plain), 'ietf'), 'hash of the settings');
UPDATE nmsp.template SET source = E'SnmpMibObject sysContact.0 String "a";\nSnmpMibObject sysName.0 Integer {phonenumber.e164.0};' WHERE id = :tm;
INSERT INTO nmsp.phone_number (number, mta_id, port) VALUES ('+49372555099', :a3, 0);
SELECT matches((test.error_of(format('SELECT nmsp.mta_config(%s)', :a3))).detail || (test.error_of(format('SELECT nmsp.mta_config(%s)', :a3))).message, 'Line 2, column 33 of template "phone"', 'a file that cannot be made: line of the template');
UPDATE nmsp.template SET source = E'MtaConfigDelimiter 1;\nSnmpMibObject sysContact.0 String "{voice.sip_registrar.0}{voice.trunk_prefix.0}{provbase.ro_community.0}";\nMtaConfigDelimiter 255;' WHERE id = :tm;
SELECT is(pg_temp.objects(:a3) ->> 'sysContact.0', 'reg.test0public', 'delimiters of its own, settings');

-- ---- names, downloads
UPDATE nmsp.mta SET address = '10.1.1.11';
SELECT results_eq('SELECT name, type, data FROM nmsp.dns_record WHERE name LIKE ''mta-%'' OR data LIKE ''mta-%'' ORDER BY type', format($$VALUES ('mta-%s.nmsp.test.', 'A', '10.1.1.11'), ('11.1.1.10.in-addr.arpa.', 'PTR', 'mta-%1$s.nmsp.test.')$$, :a3), 'forward and reverse names');
CREATE FUNCTION pg_temp.verdict(path text, source inet) RETURNS text LANGUAGE sql AS $$SELECT concat_ws(': ', d.verdict, d.note) FROM nmsp.download(path, source, now()) d$$;
SELECT is((SELECT d.content FROM nmsp.download('mta/mta-' || :a3 || '.cfg', '10.1.1.11', now()) d), nmsp.mta_config(:a3)::bytea, 'the download is the file');
SELECT is(pg_temp.verdict(path, source::inet), wanted, path || ' to ' || source) FROM (VALUES
    ('mta/mta-' || :a3 || '.cfg', '10.1.1.11', 'served'), ('/mta/mta-' || :a3 || '.cfg', '10.1.1.12', 'served'), ('mta/mac-0-11-22-0-1-5.cfg', '10.1.1.11', 'served'),
    ('mta/mta-' || :a3 || '.cfg', '192.0.2.1', 'served: unknown source'), ('mta/mta-' || :a3 || '.cfg', '10.1.0.10', 'refused: the address lies in pool 10.1.0.0/24 (cm)'),
    ('mta/mta-0.cfg', '10.1.1.11', 'unknown'), ('mta/mta-' || :a3 || '-0123456789abcdef.cfg', '10.1.1.11', 'unknown'), ('mta/', '10.1.1.11', 'unknown'), ('cm/cm-' || :m2 || '.cfg', '10.1.1.11', 'refused: the address lies in pool 10.1.1.0/24 (mta)')) x(path, source, wanted);
UPDATE nmsp.setting SET download_check = 'strict';
SELECT is(pg_temp.verdict('mta/mta-' || :a3 || '.cfg', source::inet), wanted, 'strict: ' || source) FROM (VALUES
    ('10.1.1.11', 'served'), ('10.1.1.12', 'refused: the MTA has the address 10.1.1.11'), ('192.0.2.1', 'refused: the address lies in no pool')) x(source, wanted);
UPDATE nmsp.setting SET download_check = 'known', download_once = '1 minute';
SELECT is(state, 'never', 'nothing downloaded yet') FROM nmsp.mta_status;
SELECT nmsp.record_downloads('a', ARRAY[now()], ARRAY['10.1.1.11'::inet], ARRAY['mta/mta-' || :a3 || '.cfg'], ARRAY['served'], ARRAY[NULL::bigint], ARRAY[NULL::bigint], ARRAY[NULL], ARRAY[1], ARRAY[1::real],
    ARRAY[sha256(nmsp.mta_config(:a3)::bytea)], ARRAY[sha256(nmsp.mta_config(:a3)::bytea)]) IS NULL AS recorded \gset
SELECT is(state, 'current', 'it has what is due') FROM nmsp.mta_status;
SELECT is(pg_temp.verdict('mta/mta-' || :a3 || '.cfg', '10.1.1.11'), 'refused: 10.1.1.11 has downloaded it already', 'once in a minute');
UPDATE nmsp.setting SET download_once = NULL;
UPDATE nmsp.setting_secret SET download_key = 'sixteen characters or more';
SELECT is(pg_temp.verdict(path, '10.1.1.11'), CASE WHEN path LIKE '%-' || :a3 || '-%' THEN 'served' ELSE 'unknown' END, 'with a key: ' || path)
  FROM unnest(ARRAY['mta/mta-' || :a3 || '.cfg', (SELECT f.path FROM nmsp.mta_file f), 'mta/mac-0-11-22-0-1-5.cfg']) path;
SELECT isnt((SELECT split_part(path, '-', 3) FROM nmsp.mta_file), split_part(nmsp.modem_path(:a3, 'sixteen characters or more'), '-', 3), 'another name than a modem of the same number has');
UPDATE nmsp.setting_secret SET download_key = NULL;

UPDATE nmsp.pool SET active = false WHERE id = :pm1;
SELECT is((SELECT message FROM nmsp.health() WHERE component = 'voice'), '"cmts-1" has MTAs but no active pool for them', 'a gateway without a pool for its MTAs is a matter of health');
UPDATE nmsp.pool SET active = true WHERE id = :pm1;
SET LOCAL session_replication_role TO replica;
INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT mac, :g1, :tc FROM nmsp.mta;
SET LOCAL session_replication_role TO origin;
SELECT is((SELECT count(*) FROM nmsp.health() WHERE component = 'voice' AND state = 'error' AND message LIKE '%has the hardware address of another device%'), 1::bigint, 'and an address that came in twice');
DELETE FROM nmsp.modem WHERE mac = '00:11:22:00:01:05';

-- ---- rights
CREATE ROLE nmsp_v_reader;
CREATE ROLE nmsp_v_operator;
CREATE ROLE nmsp_v_agent;
DO $$BEGIN CALL nmsp.grant_to('nmsp_v_reader', 'reader'); CALL nmsp.grant_to('nmsp_v_operator', 'operator'); CALL nmsp.grant_to('nmsp_v_agent', 'agent'); END$$;
SELECT is(test.try(('nmsp_v_' || r)::name, s), wanted, r || ': ' || s) FROM (VALUES
    ('reader', 'TABLE nmsp.phone_line', 'ok'), ('reader', 'TABLE nmsp.mta_status', 'ok'), ('reader', 'TABLE nmsp.phone_number_secret', '42501'), ('reader', 'TABLE nmsp.mta_file', '42501'),
    ('reader', 'SELECT nmsp.mta_config(t) FROM nmsp.mta t', '42501'), ('reader', 'UPDATE nmsp.phone_number SET active = false', '42501'),
    ('operator', 'TABLE nmsp.mta_file', 'ok'), ('operator', 'SELECT nmsp.mta_config(id) FROM nmsp.mta', 'ok'), ('operator', 'TABLE nmsp.phone_number_secret', '42501'),
    ('operator', 'INSERT INTO nmsp.phone_number_secret SELECT id, ''x'' FROM nmsp.phone_number LIMIT 1', 'ok'), ('operator', 'UPDATE nmsp.phone_number_secret SET password = ''new''', 'ok'),
    ('operator', 'UPDATE nmsp.voice_setting SET hash = ''eu''', 'ok'), ('operator', 'INSERT INTO nmsp.carrier_code VALUES (''D100'', ''x'')', 'ok'), ('operator', 'SELECT nmsp.load_templates(''mta-a%'')', 'ok'),
    ('agent', 'SELECT * FROM nmsp.download_batch(ARRAY[''mta/mta-1.cfg''], ARRAY[''10.1.1.11''::inet], now())', 'ok'), ('agent', 'TABLE nmsp.mta', '42501')) x(r, s, wanted);

-- ---- the library
SELECT set_eq('SELECT name FROM nmsp.load_templates(''mta-f%'')', ARRAY['mta-ietf', 'mta-fritzbox'], 'a template of the library, and its parent');
SELECT results_eq('SELECT DISTINCT result FROM nmsp.load_templates() ORDER BY 1', ARRAY['current', 'loaded'], 'the others');
SELECT results_eq('SELECT DISTINCT result FROM nmsp.load_templates()', ARRAY['current'], 'again');
UPDATE nmsp.template SET source = source || ' ' WHERE name = 'cm-3.1';
SELECT is((SELECT result FROM nmsp.load_templates('cm-3.1') WHERE name = 'cm-3.1'), 'kept', 'what is one''s own stays');
SELECT is((SELECT result FROM nmsp.load_templates('cm-3.1', true) WHERE name = 'cm-3.1'), 'replaced', 'unless one says so');
SELECT test.refused('SELECT nmsp.load_templates(''x'')', '22023', 'no template of the library is called "x"', '%', 'SELECT name%', 'none of that name');
INSERT INTO nmsp.netgw_secret (netgw_id, shared_secret) VALUES (:g1, 's');
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES ('100/10', 100000000, 10000000);
UPDATE nmsp.voice_setting SET call_agent = 'ca@voice.test:2727';
DELETE FROM nmsp.phone_number;
INSERT INTO nmsp.phone_number (number, area_code, mta_id, port, username) SELECT '+49372' || '5550' || i || '1', '372', :a3, i, 'user' || i FROM generate_series(0, 1) i;
INSERT INTO nmsp.phone_number_secret SELECT id, 'secret' || port FROM nmsp.phone_number;
CREATE TEMP TABLE made AS
SELECT t.name, nmsp.modem_config(jsonb_populate_record(m, jsonb_build_object('template_id', t.id, 'service_class_id', c.id))) AS config
  FROM nmsp.template t JOIN nmsp.template_library() l ON l.name = t.name, (SELECT id FROM nmsp.service_class UNION ALL SELECT NULL) c, (SELECT * FROM nmsp.modem LIMIT 1) m
 WHERE t.device = 'cm' AND t.name <> 'cm-access'
UNION ALL
SELECT t.name, nmsp.mta_config(jsonb_populate_record(m, jsonb_build_object('template_id', t.id))) FROM nmsp.template t JOIN nmsp.template_library() l ON l.name = t.name, nmsp.mta m WHERE t.device = 'mta';
SELECT is((SELECT count(*) FROM made), 12 + 6::bigint, 'each makes a file, with a service class and without');
SELECT is_empty('SELECT m.name, l.severity, l.path, l.message FROM made m, docsis.lint(m.config) l WHERE l.severity <> ''info'' AND l.message NOT LIKE ''no MIB known here defines .1.3.6.1.4.1.%''', 'in which nothing is found fault with');
SELECT is((SELECT array_agg(DISTINCT config OPERATOR(docsis.->>) '24.8') FROM made WHERE name LIKE 'cm-%' AND name <> 'cm-3.0-voice'), '{10000000,250000}', 'rates of the service class, or 250 kbit/s');
SELECT results_eq($$SELECT name, count(*) FROM made m, string_to_table(docsis.text(m.config), E'\n') l WHERE name LIKE 'mta-%' AND (l LIKE '%"user_"%' OR l LIKE '%"secret_"%') GROUP BY name ORDER BY name$$,
    $$VALUES ('mta-arris', 4::bigint), ('mta-fritzbox', 4), ('mta-thomson', 4)$$, 'user and password of each line');

-- ---- the predecessor's template, as it is, gives the predecessor's bytes
\set template `cat "$NMSP_VECTORS/templates/seed-fritzbox-mta.template.txt" 2>/dev/null`
\set none `base64 -w0 "$NMSP_VECTORS/templates/fritzbox-mta.nohash.cfg" 2>/dev/null`
\set na `base64 -w0 "$NMSP_VECTORS/templates/fritzbox-mta.na.cfg" 2>/dev/null`
\set eu `base64 -w0 "$NMSP_VECTORS/templates/fritzbox-mta.eu.cfg" 2>/dev/null`
DELETE FROM nmsp.phone_number;
INSERT INTO nmsp.phone_number (number, area_code, mta_id, port, username) SELECT '+49372' || '5550' || i || '1', '372', :a3, i, 'user' || i FROM generate_series(0, 9) i;
INSERT INTO nmsp.phone_number_secret SELECT id, 'secret' || port FROM nmsp.phone_number;
SELECT :'template' = '' AS absent \gset
\if :absent
SELECT skip('no vectors in NMSP_VECTORS', 5);
\else
UPDATE nmsp.template SET source = :'template' WHERE id = :tm;
UPDATE nmsp.mta SET hash = 'none';
SELECT is(nmsp.mta_config(:a3)::bytea, decode(:'none', 'base64'), 'Fritz!Box without hash');
UPDATE nmsp.mta SET hash = 'na';
SELECT is(nmsp.mta_config(:a3)::bytea, decode(:'na', 'base64'), 'Fritz!Box, hash na');
UPDATE nmsp.mta SET hash = 'eu';
SELECT is(nmsp.mta_config(:a3)::bytea, decode(:'eu', 'base64'), 'Fritz!Box, hash eu');
UPDATE nmsp.phone_number SET active = false WHERE port = 3;
SELECT is((SELECT array_agg(DISTINCT l) FROM string_to_table(docsis.text(nmsp.mta_config(:a3)), E'\n') l WHERE l LIKE '%872.1.4.3.1.5.4 %' AND l LIKE '%"deactivated number"%' OR l LIKE '%secret3%') IS NOT NULL, true, 'a suspended line has no password');
SELECT unalike(docsis.text(nmsp.mta_config(:a3)), '%secret3%', 'not a trace of it');
\endif
SELECT * FROM finish();
ROLLBACK;
