-- RADIUS: PPP accounts and their rules, the views FreeRADIUS reads, accounting, addresses, rights.
BEGIN;
SELECT * FROM no_plan();
CREATE ROLE nmsp_t_radius;
CREATE ROLE nmsp_t_operator;
CREATE ROLE nmsp_t_reader;
INSERT INTO nmsp.netgw (name, kind, address) VALUES ('cmts-1', 'cmts', '10.0.0.1'), ('bras-1', 'bras', '10.0.0.2'), ('olt-1', 'olt', '2001:db8::2'), ('olt-2', 'olt', NULL);
SELECT max(id) FILTER (WHERE name = 'cmts-1') AS cmts, max(id) FILTER (WHERE name = 'bras-1') AS bras, max(id) FILTER (WHERE name = 'olt-1') AS olt,
       max(id) FILTER (WHERE name = 'olt-2') AS bare FROM nmsp.netgw \gset
INSERT INTO nmsp.netgw_secret (netgw_id, radius_secret) VALUES (:bras, 'bras-secret'), (:olt, 'olt-secret');
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES
    (:bras, 'cpe_public', '203.0.113.0/24', '203.0.113.10', '203.0.113.20', '203.0.113.1'),
    (:bras, 'cpe_private', '100.64.0.0/29', '100.64.0.1', '100.64.0.6', NULL),
    (:bras, 'cpe_private', '100.64.1.0/29', '100.64.1.2', '100.64.1.3', '100.64.1.1'),
    (:cmts, 'cpe_public', '198.51.100.0/24', '198.51.100.10', '198.51.100.20', NULL);
INSERT INTO nmsp.service_class (name, ds_rate, us_rate, ds_name, us_name) VALUES ('gold', 100000000, 10000000, NULL, 'up-10'), ('`id`', 1, 1, NULL, NULL);
SELECT min(id) AS gold, max(id) AS odd FROM nmsp.service_class \gset
INSERT INTO nmsp.ppp_account (username, netgw_id, service_class_id) VALUES ('alice', :bras, :gold);
SELECT id AS alice FROM nmsp.ppp_account \gset
INSERT INTO nmsp.ppp_account_secret VALUES (:alice, 'wonderland');

-- ---- rules
CREATE FUNCTION pg_temp.bad(columns text, value text, code text, constraint_name text, name text) RETURNS text LANGUAGE sql AS
$$SELECT test.violates(format('INSERT INTO nmsp.ppp_account (%s) VALUES (%s)', columns, value), code, constraint_name, '%', name)$$;
SELECT pg_temp.bad('username', '''alice''', '23505', 'ppp_account_username_is_already_used', 'a name twice');
SELECT pg_temp.bad('username', '''''', '23514', 'ppp_account_username_is_1_to_253_bytes', 'an empty name');
SELECT pg_temp.bad('username', quote_literal(repeat('ü', 127)), '23514', 'ppp_account_username_is_1_to_253_bytes', 'a name of 254 bytes');
SELECT pg_temp.bad('username', '''bob ''', '23514', 'ppp_account_username_is_printable', 'a space behind it');
SELECT pg_temp.bad('username', 'E''b\tob''', '23514', 'ppp_account_username_is_printable', 'a control character');
SELECT pg_temp.bad('username', v, '23514', 'ppp_account_username_has_no_quotes', 'quotes: ' || v) FROM unnest(ARRAY['''o''''neil''', '''a"b''', 'E''a\\b''', '''`id`''']) v;
SELECT pg_temp.bad('username, authentication', '''x'', ''magic''', '23514', 'ppp_account_authentication_is_known', 'an unknown authentication');
SELECT pg_temp.bad('username, authentication', '''x'', ''port''', '23514', 'ppp_account_port_needs_a_gateway', 'port without a gateway');
SELECT pg_temp.bad('username, authentication, netgw_id', format('''x'', ''port'', %s', :bare), '23514', 'ppp_account_port_needs_a_gateway', 'port behind a gateway without address');
SELECT pg_temp.bad('username, netgw_id', '''x'', 9999', '23503', 'ppp_account_needs_an_existing_netgw', 'a gateway that does not exist');
SELECT pg_temp.bad('username, netgw_id', format('''x'', %s', :cmts), '23514', 'ppp_account_needs_a_radius_gateway', 'a CMTS');
SELECT pg_temp.bad('username, service_class_id', '''x'', 9999', '23503', 'ppp_account_needs_an_existing_service_class', 'a service class that does not exist');
SELECT pg_temp.bad('username, netgw_id, address', format('''x'', %s, ''198.51.100.12''', :bras), '23514', 'ppp_account_address_needs_a_pool', 'an address of another gateway''s pool');
SELECT pg_temp.bad('username, netgw_id, address', format('''x'', %s, ''203.0.113.1''', :bras), '23514', 'ppp_account_address_needs_a_pool', 'the router''s address');
SELECT pg_temp.bad('username, address', '''x'', ''2001:db8::1''', '23514', 'ppp_account_address_is_an_ipv4_host', 'an IPv6 address');
SELECT pg_temp.bad('username, framed_prefix', '''x'', ''10.0.0.0/24''', '23514', 'ppp_account_framed_prefix_is_ipv6', 'an IPv4 prefix');
SELECT pg_temp.bad('username, circuit_id', '''x'', ''''', '23514', 'ppp_account_circuit_id_is_1_to_63_bytes', 'an empty circuit');
SELECT test.violates(format('INSERT INTO nmsp.ppp_account_secret VALUES (%s, %L)', :alice + 1, p), '23514', c, '%', 'password ' || p)
  FROM (VALUES ('`id`', 'ppp_account_password_begins_with_no_quote'), ('"%{exec:id}"', 'ppp_account_password_begins_with_no_quote'),
               ('', 'ppp_account_password_is_1_to_128_bytes'), (E'a\nb', 'ppp_account_password_is_printable')) v(p, c);
SELECT test.violates('INSERT INTO nmsp.ppp_account_secret VALUES (9999, ''x'')', '23503', 'ppp_account_secret_needs_an_existing_account', '%', 'a password of nobody');
SELECT test.violates(format('INSERT INTO nmsp.netgw_secret (netgw_id, radius_secret) VALUES (%s, %L)', :bare, v), '23514',
                     'netgw_radius_secret_is_1_to_128_plain_characters', '%', 'RADIUS secret ' || v) FROM unnest(ARRAY['', 'a b', 'a"b', 'a%b', 'ü']) v;
SELECT test.violates(format('INSERT INTO nmsp.netgw_secret (netgw_id) VALUES (%s)', :bare), '23514', 'netgw_secret_has_one', '%', 'a row without any secret');
SELECT test.violates('UPDATE nmsp.netgw SET coa_port = 0', '23514', 'netgw_coa_port_is_a_port', '%', 'port 0');
SELECT test.violates(format('UPDATE nmsp.netgw SET address = ''10.0.0.2'' WHERE id = %s', :olt), '23505', 'netgw_is_another_radius_client', '"olt-1" and "bras-1"%', 'two clients with one address');
SELECT test.violates(format('UPDATE nmsp.netgw SET kind = ''cmts'' WHERE id = %s', :bras), '23514', 'ppp_account_needs_a_radius_gateway', '%', 'a gateway with accounts becomes no CMTS');
SELECT test.violates(format('DELETE FROM nmsp.netgw WHERE id = %s', :bras), '23503', 'pool_needs_an_existing_netgw', '%', 'nor is it deleted');
SELECT test.violates('UPDATE nmsp_radius.attribute SET value = ''`id`''', '23514', 'attribute_value_begins_with_no_quote', '%', 'an attribute that FreeRADIUS would execute');
SELECT test.violates('INSERT INTO nmsp_radius.attribute (scope, attribute, value) VALUES (''default'', ''Fall-Through'', ''No'')', '23514', 'attribute_fall_through_is_made', '%', 'Fall-Through is not the operator''s');
SELECT test.refused('INSERT INTO nmsp_radius.attribute (scope, attribute, value) VALUES (''service_class'', ''Filter-Id'', ''{qos.speed.0}'')', '22023', 'placeholder {qos.speed.0} is not known here', '%', '%', 'an unknown placeholder');
SELECT test.refused('INSERT INTO nmsp_radius.attribute (scope, attribute, value) VALUES (''default'', ''Filter-Id'', ''{qos.name.0}'')', '22023', 'placeholder%', '%', '%', 'the default group has none');
SELECT test.refused('DELETE FROM nmsp_radius.setting', '55000', 'the row of nmsp_radius.setting cannot be deleted', '%', '%', 'settings stay');
SELECT test.refused('TRUNCATE nmsp_radius.setting', '55000', 'the row of nmsp_radius.setting cannot be deleted', '%', '%', 'also from TRUNCATE');

-- ---- what FreeRADIUS reads
CREATE FUNCTION pg_temp.items(view text, name text) RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE
    answer text;
BEGIN
    EXECUTE format('SELECT string_agg(concat_ws('' '', attribute, op, value), ''; '' ORDER BY id) FROM nmsp_radius.%I WHERE %I = $1', view,
        CASE WHEN view LIKE 'radgroup%' THEN 'groupname' ELSE 'username' END) INTO answer USING name;
    RETURN answer;
END
$fn$;
SELECT is(pg_temp.items('radcheck', 'alice'), 'Cleartext-Password := wonderland', 'radcheck: the password');
SELECT is(pg_temp.items('radreply', 'alice'), NULL, 'radreply: nothing of her own');
SELECT is((SELECT string_agg(groupname, ' ' ORDER BY priority) FROM nmsp_radius.radusergroup WHERE username = 'alice'), 'default class-' || :gold, 'radusergroup: default, then the class');
SELECT is(pg_temp.items('radgroupreply', 'default'), 'Service-Type := Framed-User; Framed-Protocol := PPP; Framed-MTU := 1492; Port-Limit := 1; Session-Timeout := 86400; Acct-Interim-Interval := 600; Fall-Through = Yes', 'radgroupreply: the default group, Fall-Through last');
SELECT is(pg_temp.items('radgroupreply', 'class-' || :gold), 'Ascend-Xmit-Rate := 100000000; Ascend-Data-Rate := 10000000; WISPr-Bandwidth-Max-Down := 100000000; WISPr-Bandwidth-Max-Up := 10000000; '
    'Cisco-AVPair += ip:qos-policy-out=add-class(sub,(class-default),police(100000000)); Cisco-AVPair += ip:qos-policy-in=add-class(sub,(class-default),police(10000000)); Cisco-AVPair += ip:sub-qos-policy-in=up-10', 'the class: rates; a line without a value is left out');
INSERT INTO nmsp_radius.attribute (scope, position, attribute, value) VALUES ('service_class', 1, 'Filter-Id', '{qos.name.0}'), ('service_class', 2, 'Filter-Id', 'x{{qos.id.0}}');
SELECT is((SELECT count(*)::int FROM nmsp_radius.radgroupreply WHERE groupname = 'class-' || :odd AND value = '`id`'), 0, 'a class whose name begins with a quote gives no value that does');
SELECT is((SELECT value FROM nmsp_radius.radgroupreply WHERE groupname = 'class-' || :odd AND value LIKE 'x%'), format('x{%s}', :odd), 'braces around a placeholder stay');
UPDATE nmsp.setting SET ds_rate_coefficient = 1.05;
SELECT matches(pg_temp.items('radgroupreply', 'class-' || :gold), 'Ascend-Xmit-Rate := 105000000;', 'the coefficient of rates counts');
INSERT INTO nmsp_radius.attribute (scope, list, attribute, value) VALUES ('default', 'check', 'Simultaneous-Use', '1');
SELECT is(pg_temp.items('radgroupcheck', 'default'), 'Simultaneous-Use := 1', 'radgroupcheck');
UPDATE nmsp_radius.attribute SET active = false WHERE list = 'check';
SELECT is(pg_temp.items('radgroupcheck', 'default'), NULL, 'inactive ones are left out');
UPDATE nmsp.ppp_account SET internet_access = false;
SELECT is((SELECT count(*)::int FROM nmsp_radius.radcheck) + (SELECT count(*)::int FROM nmsp_radius.radreply) + (SELECT count(*)::int FROM nmsp_radius.radusergroup), 0, 'a blocked account has no rows anywhere');
UPDATE nmsp.ppp_account SET internet_access = true, address = '203.0.113.20', framed_prefix = '2001:db8:1::/64', delegated_prefix = '2001:db8:100::/56', circuit_id = 'eth 1/7';
SELECT is(pg_temp.items('radreply', 'alice'), 'Framed-IP-Address := 203.0.113.20; Framed-IPv6-Prefix += 2001:db8:1::/64; Delegated-IPv6-Prefix += 2001:db8:100::/56', 'fixed address and prefixes');
SELECT is(pg_temp.items('radcheck', 'alice'), 'Cleartext-Password := wonderland; ADSL-Agent-Circuit-Id == 0x65746820312f37', 'bound to a line');
INSERT INTO nmsp.ppp_account (username, netgw_id, authentication, public_cpe) VALUES ('port 1', :bras, 'port', true), ('port 2', :olt, 'port', false);
SELECT is(pg_temp.items('radcheck', 'port 1'), 'Auth-Type := Accept; Packet-Src-IP-Address == 10.0.0.2', 'authentication by port');
SELECT is(pg_temp.items('radcheck', 'port 2'), 'Auth-Type := Accept; Packet-Src-IPv6-Address == 2001:db8::2', 'behind a gateway with IPv6');
UPDATE nmsp.netgw SET address = NULL WHERE id = :olt;
SELECT is(pg_temp.items('radcheck', 'port 2'), NULL, 'a gateway that loses its address vouches for nobody');
UPDATE nmsp.netgw SET address = '2001:db8::2' WHERE id = :olt;
UPDATE nmsp_radius.setting SET framed_pool_public = 'CPEPub', framed_pool_private = 'CPEPriv';
SELECT is(pg_temp.items('radreply', 'port 1') || ', ' || pg_temp.items('radreply', 'port 2'), 'Framed-Pool := CPEPub, Framed-Pool := CPEPriv', 'the gateway''s pools by name');
SELECT doesnt_match(pg_temp.items('radreply', 'alice'), 'Pool', 'not for a fixed address');
UPDATE nmsp_radius.setting SET address_source = 'database';
SELECT is(pg_temp.items('radreply', 'port 1'), NULL, 'addresses from the database: no name');
SELECT matches(pg_temp.items('radcheck', 'port 1'), 'Pool-Name := cpe_public', 'but a pool for sqlippool');
SELECT results_eq('SELECT nasname, shortname, secret FROM nmsp_radius.nas ORDER BY id', $$VALUES ('10.0.0.2', 'bras-1', 'bras-secret'), ('2001:db8::2', 'olt-1', 'olt-secret')$$, 'nas: gateways with address and secret');
SELECT is((SELECT count(*)::int FROM nmsp.health() WHERE component = 'radius'), 0, 'health has no complaint');
UPDATE nmsp.netgw_secret SET radius_secret = NULL, shared_secret = 'x' WHERE netgw_id = :olt;
SELECT is((SELECT message FROM nmsp.health() WHERE component = 'radius'), '"olt-1" has PPP accounts but is no RADIUS client', 'health tells a gateway without secret');

-- ---- fixed addresses
SELECT is(nmsp.allocate_address(id), '203.0.113.19', 'an account''s address is not allocated again') FROM nmsp.pool WHERE network = '203.0.113.0/24';
SELECT is((test.error_of('DELETE FROM nmsp.pool WHERE network = ''203.0.113.0/24''')).message, 'pool 203.0.113.0/24 still holds fixed addresses', 'its pool is not deleted');

-- ---- stock queries on the views
SELECT lives_ok($$INSERT INTO nmsp_radius.radacct AS radacct (AcctSessionId, AcctUniqueId, UserName, NASIPAddress, AcctStartTime) VALUES ('s', 'u', 'alice', '10.0.0.2', now())
    ON CONFLICT (AcctUniqueId) DO UPDATE SET AcctStartTime = now() WHERE radacct.AcctUniqueId = 'u' AND radacct.AcctStopTime IS NULL$$, 'INSERT ... ON CONFLICT on radacct') FROM generate_series(1, 2);
SELECT is((SELECT count(*)::int FROM nmsp_radius.radacct), 1, 'twice is one row');
INSERT INTO nmsp_radius.radpostauth (username, pass, reply, authdate) VALUES ('alice', 'wonderland', 'Access-Accept', '2026-03-29 23:59:59.999999+00'), ('alice', 'x', 'Access-Reject', now());
SELECT is((SELECT count(pass)::int FROM nmsp_radius.radpostauth), 0, 'passwords are not kept');
SELECT lives_ok($$INSERT INTO nmsp_radius.nasreload VALUES ('10.0.0.2', now()) ON CONFLICT (nasipaddress) DO UPDATE SET reloadtime = now()$$, 'nasreload');

-- ---- partitions
SELECT ok((SELECT count(*) > 7 FROM nmsp_radius.maintain() WHERE action = 'partition made'), 'maintain() makes partitions');
SELECT is((SELECT count(*)::int FROM nmsp_radius.maintain()), 0, 'once');
SELECT is((SELECT tableoid::regclass::text FROM nmsp_radius.authentication WHERE reply = 'Access-Reject'), 'nmsp_radius.authentication_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'), 'and moves what waited');
SELECT is_empty($$SELECT a.attname FROM nmsp_radius.partition_bounds('nmsp_radius.authentication') b JOIN pg_attribute a ON a.attrelid = b.partition
                   WHERE a.attnum > 0 AND col_description(a.attrelid, a.attnum) IS NULL$$, 'their columns have comments');
INSERT INTO nmsp_radius.session (session_id, unique_id, username, nas_address, stopped_at)
SELECT 'e' || g, 'e' || g, 'x', '10.0.0.2', now() - interval '30 hours' - g * interval '12 hours' FROM generate_series(1, 300) g;
INSERT INTO nmsp_radius.session (session_id, unique_id, username, nas_address, stopped_at) VALUES ('future', 'f1', 'x', '10.0.0.2', '2999-01-01'), ('past', 'p1', 'x', '10.0.0.2', '1970-01-01');
SELECT is((SELECT amount FROM nmsp_radius.maintain(100) WHERE action = 'sessions archived'), 100::bigint, 'no more than asked for are archived');
SELECT is((SELECT sum(amount) FROM nmsp_radius.maintain() WHERE action = 'sessions archived'), 201::numeric, 'the next call goes on');
SELECT is((SELECT count(*)::int FROM nmsp_radius.accounting WHERE username = 'x'), 302, 'none is lost');
SELECT is((SELECT count(*)::int FROM nmsp_radius.partition_bounds('nmsp_radius.session_archive') b WHERE b.day < current_date - 91), 0, 'no partition for dates that are not kept');
UPDATE nmsp_radius.setting SET keep_session = 10;
SELECT ok((SELECT count(*) > 50 FROM nmsp_radius.maintain() WHERE action = 'partition dropped'), 'retention');
SELECT ok((SELECT count(*) BETWEEN 15 AND 25 FROM nmsp_radius.accounting WHERE unique_id LIKE 'e%'), 'keeps what is to be kept');
SELECT is((SELECT count(*)::int FROM nmsp_radius.session WHERE unique_id IN ('u', 'f1')), 2, 'open sessions are never touched');

-- ---- addresses for sqlippool
CREATE FUNCTION pg_temp.lease(who text) RETURNS text LANGUAGE sql AS $$SELECT host(nmsp_radius.lease_address('cpe_private', '10.0.0.2', who, who, '', '', 60))$$;
INSERT INTO nmsp.ppp_account (username, netgw_id, address) VALUES ('fixed', :bras, '100.64.0.3');
SELECT is(pg_temp.lease('k1'), '100.64.0.1', 'the first address');
SELECT is(pg_temp.lease('k2'), '100.64.0.2', 'the next');
SELECT is(pg_temp.lease('k1'), '100.64.0.1', 'the same subscriber, the same address');
SELECT is(pg_temp.lease('k3'), '100.64.0.4', 'a fixed one is left out');
SELECT is((SELECT array_agg(pg_temp.lease('k' || g)) FROM generate_series(4, 7) g), ARRAY['100.64.0.5', '100.64.0.6', '100.64.1.2', '100.64.1.3'], 'a full pool: the next');
SELECT is(pg_temp.lease('k8'), NULL, 'all are full');
UPDATE nmsp_radius.radippool SET expiry_time = 'now'::timestamp(0) - '1 second'::interval WHERE nasipaddress = '10.0.0.2' AND pool_key = 'k2' AND framedipaddress = '100.64.0.2';
SELECT is(pg_temp.lease('k8'), '100.64.0.2', 'what expired is given again');
SELECT is(pg_temp.lease('k2'), NULL, 'and its former holder has lost it');
UPDATE nmsp.ppp_account SET address = NULL WHERE username = 'fixed';
SELECT is(pg_temp.lease('k2'), '100.64.0.3', 'an address that is fixed no more');
UPDATE nmsp.ppp_account SET address = '100.64.0.1' WHERE username = 'fixed';
SELECT isnt(pg_temp.lease('k1'), '100.64.0.1', 'one that became fixed is not renewed');
SELECT is(nmsp_radius.lease_address('cpe_private', '10.9.9.9', 'k', 'k', '', '', 60), NULL, 'an unknown gateway');
SELECT is(nmsp_radius.lease_address('cm', '10.0.0.2', 'k', 'k', '', '', 60), NULL, 'no pool of that purpose');

-- ---- configuration
SELECT results_eq('SELECT path FROM nmsp_radius.config()', ARRAY['mods-available/nmsp', 'sites-available/nmsp'], 'config(): two files');
SELECT ok((SELECT bool_and(content !~ '%s') FROM nmsp_radius.config('host=/x', '{10.0.0.0/8,2001:db8::/32}')), 'all of it filled in');
SELECT matches(content, 'ipv6addr = 2001:db8::/32', 'with the gateways'' networks') FROM nmsp_radius.config('host=/x', '{10.0.0.0/8,2001:db8::/32}') WHERE path LIKE 'sites%';
SELECT test.refused('SELECT * FROM nmsp_radius.config(''host="x"'')', '22023', 'the connection string%', '%', '%', 'a connection string that would break out');

-- ---- rights
CALL nmsp.grant_to('nmsp_t_radius', 'radius');
CALL nmsp.grant_to('nmsp_t_operator', 'operator');
CALL nmsp.grant_to('nmsp_t_reader', 'reader');
SELECT is(test.try('nmsp_t_radius', s), 'ok', 'radius may: ' || s) FROM unnest(ARRAY['TABLE nmsp_radius.radcheck', 'TABLE nmsp_radius.radreply', 'TABLE nmsp_radius.radusergroup',
    'TABLE nmsp_radius.radgroupcheck', 'TABLE nmsp_radius.radgroupreply', 'TABLE nmsp_radius.nas', 'INSERT INTO nmsp_radius.radpostauth (username, reply) VALUES (''a'', ''b'')',
    'INSERT INTO nmsp_radius.radacct (acctsessionid, acctuniqueid, nasipaddress) VALUES (''x'', ''x'', ''10.0.0.2'') ON CONFLICT (acctuniqueid) DO NOTHING',
    'UPDATE nmsp_radius.radacct SET acctstoptime = now() WHERE acctuniqueid = ''x''', 'UPDATE nmsp_radius.radippool SET expiry_time = now()',
    'SELECT nmsp_radius.lease_address(''cpe_public'', ''10.0.0.2'', '''', '''', '''', '''', 60)']) s;
SELECT is(test.try('nmsp_t_radius', s), '42501', 'radius may not: ' || s) FROM unnest(ARRAY['DELETE FROM nmsp_radius.radacct', 'TABLE nmsp.ppp_account', 'TABLE nmsp.ppp_account_secret',
    'TABLE nmsp.netgw', 'UPDATE nmsp.ppp_account SET username = ''x''', 'TABLE nmsp_radius.session', 'UPDATE nmsp_radius.setting SET keep_session = 1', 'SELECT nmsp_radius.maintain()',
    'DELETE FROM nmsp_radius.radpostauth', 'INSERT INTO nmsp_radius.attribute (scope, attribute, value) VALUES (''default'', ''x'', ''x'')']) s;
SELECT is(test.try('nmsp_t_operator', s), 'ok', 'operator may: ' || s) FROM unnest(ARRAY['INSERT INTO nmsp.ppp_account (username) VALUES (''new'')',
    'INSERT INTO nmsp.ppp_account_secret SELECT id, ''pw'' FROM nmsp.ppp_account WHERE username = ''new''',
    'UPDATE nmsp.ppp_account_secret SET password = ''x'' WHERE ppp_account_id = 1', 'TABLE nmsp_radius.accounting', 'TABLE nmsp_radius.open_session',
    'UPDATE nmsp_radius.attribute SET active = true', 'UPDATE nmsp.netgw SET address = ''10.0.0.3'' WHERE name = ''bras-1''']) s;
SELECT is(test.try(r, s), '42501', r || ' may not: ' || s) FROM unnest(ARRAY['nmsp_t_operator', 'nmsp_t_reader']) r,
    unnest(ARRAY['TABLE nmsp.ppp_account_secret', 'TABLE nmsp_radius.radcheck', 'TABLE nmsp_radius.nas', 'DELETE FROM nmsp_radius.session', 'SELECT nmsp_radius.maintain()']) s;
CREATE ROLE nmsp_t_admin;
CALL nmsp.grant_to('nmsp_t_admin', 'admin');
SELECT is(test.try('nmsp_t_admin', s), 'ok', 'admin may: ' || s) FROM unnest(ARRAY['TABLE nmsp.ppp_account_secret', 'TABLE nmsp_radius.radcheck', 'SELECT * FROM nmsp_radius.config()',
    'SELECT nmsp_radius.maintain()', 'UPDATE nmsp_radius.setting SET keep_session = 9']) s;
SELECT is((SELECT string_agg(c, ', ' ORDER BY c) FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setrole = 'nmsp_t_radius'::regrole), 'jit=off, search_path=nmsp_radius, statement_timeout=10s', 'the role''s settings');

-- ---- 100,000 accounts: each look-up by an index
SET LOCAL session_replication_role = replica;
INSERT INTO nmsp.ppp_account (username, netgw_id, service_class_id, address) SELECT 'u' || g, :bras, :gold, '10.0.0.0'::inet + g FROM generate_series(1, 100000) g;
INSERT INTO nmsp.ppp_account_secret SELECT id, 'pw' FROM nmsp.ppp_account WHERE username ~ '^u[0-9]';
INSERT INTO nmsp_radius.session (session_id, unique_id, username, nas_address, started_at) SELECT 's' || g, 'i' || g, 'u' || g, '10.0.0.2', now() FROM generate_series(1, 100000) g;
SET LOCAL session_replication_role = origin;
ANALYZE nmsp.ppp_account, nmsp.ppp_account_secret, nmsp_radius.session;
CREATE FUNCTION pg_temp.scans(query text) RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE
    line text;
    found text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        found := concat_ws(', ', found, substring(line FROM 'Seq Scan on (?:ppp_account|ppp_account_secret|session).*'));
    END LOOP;
    RETURN found;
END
$fn$;
SELECT is(pg_temp.scans(q), '', 'by index at 100,000 accounts: ' || q) FROM unnest(ARRAY[
    'SELECT id, UserName, Attribute, Value, Op FROM nmsp_radius.radcheck WHERE Username = ''u77'' ORDER BY id',
    'SELECT id, UserName, Attribute, Value, Op FROM nmsp_radius.radreply WHERE Username = ''u77'' ORDER BY id',
    'SELECT GroupName FROM nmsp_radius.radusergroup WHERE UserName = ''u77'' ORDER BY priority',
    'SELECT COUNT(RadAcctId) FROM nmsp_radius.radacct a LEFT OUTER JOIN nmsp_radius.nasreload n USING (NASIPAddress) WHERE UserName = ''u77'' AND AcctStopTime IS NULL AND (a.AcctStartTime > n.ReloadTime OR n.ReloadTime IS NULL)',
    'UPDATE nmsp_radius.radacct SET AcctUpdateTime = now() WHERE AcctUniqueId = ''i77'' AND AcctStopTime IS NULL',
    'SELECT FROM nmsp.ppp_account a WHERE a.address BETWEEN ''10.0.0.77'' AND ''10.0.0.77''']) q;
SELECT is((SELECT value FROM nmsp_radius.radcheck WHERE username = 'u77' AND attribute = 'Cleartext-Password'), 'pw', 'and right');
SELECT * FROM finish();
ROLLBACK;
