-- Names of the text language: forms beyond the docsis tool's, limits, MIB names and profiles, the operator's own MIB objects.
BEGIN;
SET LOCAL client_min_messages = warning; -- mib.t has the NOTICEs
SELECT * FROM no_plan();

CREATE FUNCTION pg_temp.hex(statement text) RETURNS text LANGUAGE sql AS
$$SELECT encode(docsis.parse(convert_to('Main { ' || statement || ' }', 'UTF8')), 'hex')$$;
CREATE FUNCTION pg_temp.own(statement text, profile text DEFAULT 'cablelabs') RETURNS text LANGUAGE sql AS
$$SELECT encode(nmsp.parse(convert_to('Main { ' || statement || ' }', 'UTF8'), profile), 'hex')$$;

-- ---- forms
SELECT is(pg_temp.hex(f.statement), f.bytes, f.statement) FROM (VALUES
    ('UpstreamDropClassifierGroupID 1;', '3e0101'),
    ('SwUpgradeServer "1.2.3.4";', '150401020304'),
    ('SubMgmtControl "0x010203";', '2303010203'),
    ('CpeMacAddress 0:1:2:a:b:c;', '0e060001020a0b0c'),
    ('SwUpgradeServer6 ::ffff:1.2.3.4;', '3a1000000000000000000000ffff01020304'),
    ('SnmpMibObject 1.3.6.1 Integer 1;', '0b0a300806032b0601020101'),
    ('SnmpMibObject DOCS-CABLE-DEVICE-MIB::docsDevNmAccessControl.1 Integer readWrite(3);', '0b123010060b2b06010201450102010501020103'),
    ('SnmpMibObject docsDevNmAccessControl.1 Integer readWrite;', '0b123010060b2b06010201450102010501020103'),
    ('SnmpMibObject .1.3.6.1 ObjectID sysDescr.0;', '0b11300f06032b060106082b06010201010100')) f (statement, bytes);
SELECT test.refused($$SELECT 'Main { SnmpMibObject docsDevNmAccessControl.1 Integer write; }'::docsis.config$$, '42704', 'unknown label "write"',
    'Line 1, column 55.%', 'Its values are none(1), read(2), readWrite(3)%', 'an unknown label; the HINT lists those that are known');
SELECT test.refused($$SELECT 'Main { SnmpMibObject docsDevNmAccessControl.1 Integer readWrite(2); }'::docsis.config$$, '22003', '%do not agree',
    'Line 1%', 'Its values are%', 'label and number must agree');
SELECT test.refused($$SELECT 'Main { SnmpMibObject IF-MIB::sysContact.0 String "x"; }'::docsis.config$$, '42704', 'cannot resolve "IF-MIB::sysContact.0"',
    '%is not a known name of module "IF-MIB".', '%SNMPv2-MIB.', 'the wrong module; the HINT names the right one');
SELECT is(('[{"t": "11", "v": {"oid": "docsDevNmAccessControl.1", "type": "Integer", "value": "readWrite"}}]'::jsonb::docsis.config)::bytea,
          '\x0b123010060b2b06010201450102010501020103', 'labels in JSON');

-- ---- limits
SELECT is(docsis.parse('Main { DownstreamFrequency 1794000000; }')::bytea, '\x01046aee4480', 'raised limits by default');
SELECT test.refused($$SELECT docsis.parse('Main { DownstreamFrequency 1794000000; }', limits => 'docsis')$$, '22003', 'value 1794000000%',
    '%allows 88000000 to 1008000000.', 'SELECT * FROM docsis.symbol%', 'the docsis tool''s on demand');
SELECT test.refused($$SELECT docsis.encode('Main { UsServiceFlow { SchedulingType 7; } }', 'secret', limits => 'docsis')$$, '22003', '%', '%0 to 6.', '%', 'in encode as well');
SELECT test.refused($$SELECT docsis.parse('Main { }', 'ietf', 'bogus')$$, '22023', 'unknown limits "bogus"', '%', 'Use current%', 'unknown limits');
SELECT results_eq($$SELECT DISTINCT name FROM docsis.symbol WHERE maximum <> docsis_maximum ORDER BY 1$$,
    ARRAY['DownstreamFrequency', 'EnergyManagementFeatureControl', 'GuaranteedUp', 'MatchingbyApplicationId', 'MaxRateDown', 'MaxRateUp', 'ModemDocsisVersion', 'SchedulingType'],
    'the limits that were raised');
SELECT is_empty($$SELECT * FROM docsis.symbol WHERE maximum < docsis_maximum$$, 'none was lowered');

-- ---- profiles
SELECT is(octet_length(docsis.parse('Main { SnmpMibObject pktcMtaDevEnabled.0 Integer 1; }')), 23, 'cablelabs by default');
SELECT results_eq($$SELECT p, value FROM unnest(ARRAY['cablelabs', 'ietf', 'excentis']) p,
        docsis.tlvs(docsis.parse('Main { SnmpMibObject pktcMtaDevEnabled.0 Integer 1; }', p))$$,
    $$VALUES ('cablelabs', '.1.3.6.1.4.1.4491.2.2.1.1.1.7.0 Integer 1'), ('ietf', '.1.3.6.1.2.1.140.1.1.6.0 Integer 1'),
             ('excentis', '.1.3.6.1.4.1.4491.2.2.1.1.1.7.0 Integer 1')$$, 'the profile decides');
SELECT is(docsis.parse('Main { SnmpMibObject PKTC-IETF-MTA-MIB::pktcMtaDevEnabled.0 Integer 1; }'),
          docsis.parse('Main { SnmpMibObject pktcMtaDevEnabled.0 Integer 1; }', 'ietf'), 'the module as well');

-- ---- the built-in objects
SELECT cmp_ok((SELECT count(*)::int FROM docsis.mib_object), '>', 3500, 'docsis.mib_object');
SELECT results_eq($$SELECT module, oid, type, access, enums->>'readWrite', spec FROM docsis.mib_object WHERE name = 'docsDevNmAccessControl'$$,
    $$VALUES ('DOCS-CABLE-DEVICE-MIB', '1.3.6.1.2.1.69.1.2.1.5', 'INTEGER', 'read-create', '3', 'RFC 4639')$$, 'facts of an object');
SELECT results_eq($$SELECT index_columns, index_implied FROM docsis.mib_object WHERE name = 'snmpTargetAddrEntry'$$,
    $$VALUES (ARRAY['snmpTargetAddrName'], true)$$, 'and of a table''s row');
SELECT is((SELECT ranges FROM docsis.mib_object WHERE name = 'sysContact'), '0..255', 'ranges');
SELECT is_empty($$SELECT * FROM docsis.mib_object WHERE name IS NULL OR module IS NULL OR oid !~ '^[0-9.]+$'$$, 'all have name, module and OID');
SELECT is((SELECT count(*)::int FROM (SELECT FROM docsis.mib_object GROUP BY name HAVING count(*) > 1) a), 309, 'names with several meanings');

-- ---- the operator's own objects
SELECT test.refused($$SELECT pg_temp.own('SnmpMibObject acmeMode.0 Integer fast;')$$, '42704', 'cannot resolve "acmeMode.0"', '%', '%', 'not yet known');
INSERT INTO nmsp.mib_object (name, module, oid, type, access, ranges, enums) VALUES
    ('acmeMode', 'ACME-MIB', '1.3.6.1.4.1.99999.1', 'INTEGER', 'read-write', NULL, '{"slow": 1, "fast": 2}'),
    ('acmeName', 'ACME-MIB', '1.3.6.1.4.1.99999.2', 'OCTET STRING', 'read-write', '0..4', NULL);
SELECT is(pg_temp.own('SnmpMibObject acmeMode.0 Integer fast;'), pg_temp.hex('SnmpMibObject .1.3.6.1.4.1.99999.1.0 Integer 2;'), 'known in the transaction that adds it');
SELECT is(pg_temp.own('SnmpMibObject .1.3.6.1.4.1.99999.1.0 Integer fast;'), pg_temp.own('SnmpMibObject ACME-MIB::acmeMode.0 Integer fast(2);'), 'by OID and with its module');
SELECT test.refused($$SELECT pg_temp.own('SnmpMibObject acmeMode.0 Integer warp;')$$, '42704', 'unknown label "warp"', '%', '%slow(1), fast(2)%', 'labels are listed');
SELECT test.refused($$SELECT pg_temp.own('SnmpMibObject acmeName.0 String "12345";')$$, '22003', 'value too long for "acmeName"', '%at most 4.', '%', 'lengths are checked');
SELECT test.refused($$SELECT pg_temp.hex('SnmpMibObject acmeMode.0 Integer 1;')$$, '42704', 'cannot resolve%', '%', '%', 'docsis.parse is IMMUTABLE and does not know them');
SELECT is((SELECT string_agg(provolatile, ',' ORDER BY pronamespace::regnamespace::text) FROM pg_proc
             WHERE oid IN ('docsis.parse(bytea,text,text)'::regprocedure, 'nmsp.parse(bytea,text,text)'::regprocedure)), 'i,s', 'and marked so');
SELECT alike(nmsp.text(nmsp.parse('Main { SnmpMibObject acmeMode.0 Integer 2; }')), '%SnmpMibObject acmeMode.0 Integer 2; /* fast */%', 'nmsp.text shows names and labels');
SELECT unalike(nmsp.text(nmsp.parse('Main { SnmpMibObject acmeMode.0 Integer 2; }'), 'native'), '%acme%', 'style native stays readable anywhere');
UPDATE nmsp.mib_object SET oid = '1.3.6.1.4.1.99999.7' WHERE name = 'acmeMode';
SELECT is(pg_temp.own('SnmpMibObject acmeMode.0 Integer 1;'), pg_temp.hex('SnmpMibObject .1.3.6.1.4.1.99999.7.0 Integer 1;'), 'a change is seen at once');
SAVEPOINT s;
UPDATE nmsp.mib_object SET oid = '1.3.6.1.4.1.99999.8' WHERE name = 'acmeMode';
SELECT is(pg_temp.own('SnmpMibObject acmeMode.0 Integer 1;'), pg_temp.hex('SnmpMibObject .1.3.6.1.4.1.99999.8.0 Integer 1;'), 'in a subtransaction');
ROLLBACK TO s;
SELECT is(pg_temp.own('SnmpMibObject acmeMode.0 Integer 1;'), pg_temp.hex('SnmpMibObject .1.3.6.1.4.1.99999.7.0 Integer 1;'), 'and its end undoes it');

-- tables with indexes, columns of the built-in ones among them
INSERT INTO nmsp.mib_object (name, module, oid, type, index_columns, index_implied, enums) VALUES
    ('acmeEntry', 'ACME-MIB', '1.3.6.1.4.1.99999.3.1', NULL, '{acmeKind,snmpTargetAddrName}', true, NULL),
    ('acmeKind', 'ACME-MIB', '1.3.6.1.4.1.99999.3.1.1', 'INTEGER', NULL, false, '{"left": 1, "right": 2}'),
    ('acmeValue', 'ACME-MIB', '1.3.6.1.4.1.99999.3.1.2', 'Unsigned32', NULL, false, NULL);
SELECT is(pg_temp.own('SnmpMibObject acmeValue.right.''ab'' Gauge32 1;'), pg_temp.hex('SnmpMibObject .1.3.6.1.4.1.99999.3.1.2.2.97.98 Gauge32 1;'), 'labels and strings in an index');
SELECT is(pg_temp.own('SnmpMibObject acmeEntry.acmeValue.1.97 Gauge32 1;'), pg_temp.hex('SnmpMibObject .1.3.6.1.4.1.99999.3.1.2.1.97 Gauge32 1;'), 'a path of labels');

-- which one wins
INSERT INTO nmsp.mib_object (name, module, oid) VALUES ('sysContact', 'ACME-MIB', '1.3.6.1.4.1.99999.20'),
    ('pktcMtaDevEnabled', 'ACME-IETF-MIB', '1.3.6.1.4.1.99999.21'), ('pktcMtaDevResetNow', 'EURO-MIB', '1.3.6.1.4.1.7432.1.1');
SELECT is(pg_temp.own('SnmpMibObject sysContact.0 Integer 1;'), pg_temp.hex('SnmpMibObject .1.3.6.1.4.1.99999.20.0 Integer 1;'), 'an own object wins over a built-in one');
SELECT is(pg_temp.own('SnmpMibObject SNMPv2-MIB::sysContact.0 String "x";'), pg_temp.hex('SnmpMibObject sysContact.0 String "x";'), 'which its module still finds');
SELECT is(pg_temp.own('SnmpMibObject pktcMtaDevEnabled.0 Integer 1;'), pg_temp.hex('SnmpMibObject pktcMtaDevEnabled.0 Integer 1;'), 'but the profile comes first');
SELECT is(pg_temp.own('SnmpMibObject pktcMtaDevEnabled.0 Integer 1;', 'ietf'), pg_temp.hex('SnmpMibObject .1.3.6.1.4.1.99999.21.0 Integer 1;'), 'in each direction');
SELECT is(pg_temp.own('SnmpMibObject pktcMtaDevResetNow.0 Integer 1;', 'excentis'), pg_temp.hex('SnmpMibObject .1.3.6.1.4.1.7432.1.1.0 Integer 1;'), 'profile excentis: enterprise 7432');
DELETE FROM nmsp.mib_object WHERE module <> 'ACME-MIB' OR name = 'sysContact';

-- ---- templates
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1');
INSERT INTO nmsp.netgw_secret SELECT id, 'secret' FROM nmsp.netgw;
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end) SELECT id, 'cm', '10.1.0.0/24', '10.1.0.10', '10.1.0.20' FROM nmsp.netgw;
SELECT lives_ok($$INSERT INTO nmsp.template (name, source) VALUES ('base', 'SnmpMibObject acmeMode.0 Integer fast;')$$, 'a template may use own names');
SELECT test.refused($$INSERT INTO nmsp.template (name, source) VALUES ('bad', 'SnmpMibObject acmeSpeed.0 Integer 1;')$$, '42704', 'cannot resolve "acmeSpeed.0"', 'Line 1%template "bad"%', '%', 'a name that nobody knows');
INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT '00:11:22:00:00:01', g.id, t.id FROM nmsp.netgw g, nmsp.template t;
CREATE FUNCTION pg_temp.object() RETURNS text LANGUAGE sql AS
$$SELECT t.value FROM nmsp.modem m, docsis.tlvs(nmsp.modem_config(m)) t WHERE t.name = 'SnmpMibObject'$$;
SELECT is(pg_temp.object(), 'enterprises.99999.7.0 Integer 2', 'the modem''s file has it');
UPDATE nmsp.mib_object SET oid = '1.3.6.1.4.1.99999.9', enums = '{"fast": 3}' WHERE name = 'acmeMode';
SELECT is(pg_temp.object(), 'enterprises.99999.9.0 Integer 3', 'a changed object makes another file');
SAVEPOINT s;
DELETE FROM nmsp.mib_object;
SELECT test.refused('SELECT pg_temp.object()', '42704', 'cannot resolve "acmeMode.0"', '%template "base"%', '%', 'one that is gone makes none');
ROLLBACK TO s;
SELECT is(pg_temp.object(), 'enterprises.99999.9.0 Integer 3', 'and is back');
SAVEPOINT s;
TRUNCATE nmsp.mib_object;
SELECT is((test.error_of('SELECT pg_temp.object()')).code, '42704', 'TRUNCATE is a change');
ROLLBACK TO s;

-- ---- feeding
INSERT INTO nmsp_feed.target (feed, name, root) VALUES ('tftpd', 'names', '/srv/tftp/names');
DELETE FROM nmsp_feed.change;
UPDATE nmsp.mib_object SET access = 'read-only' WHERE name = 'acmeMode';
SELECT is_empty('SELECT feed FROM nmsp_feed.change', 'access is for people');
UPDATE nmsp.mib_object SET oid = '1.3.6.1.4.1.99999.10' WHERE name = 'acmeMode';
SELECT results_eq('SELECT DISTINCT feed FROM nmsp_feed.change', ARRAY['tftpd'], 'a changed object makes the feeder look at files again');

-- ---- rules of the table
SELECT is((test.error_of(format('INSERT INTO nmsp.mib_object (name, module, oid, type, ranges, enums, index_columns) VALUES (%L, %L, %L, %L, %L, %L, %L)',
              r.name, 'M', r.oid, r.type, r.ranges, r.enums, r.index_columns))).constraint_name, r.rule, r.rule || coalesce(': ' || r.note, ''))
  FROM (VALUES ('1a', '1.3', NULL, NULL, NULL, NULL, 'mib_object_name_is_a_label', NULL),
               ('a', '1.3.', NULL, NULL, NULL, NULL, 'mib_object_oid_is_an_object_identifier', 'a dot at the end'),
               ('a', '.1.3', NULL, NULL, NULL, NULL, 'mib_object_oid_is_an_object_identifier', 'a dot in front'),
               ('a', '1.40', NULL, NULL, NULL, NULL, 'mib_object_oid_is_an_object_identifier', 'second arc'),
               ('a', '3.1', NULL, NULL, NULL, NULL, 'mib_object_oid_is_an_object_identifier', 'first arc'),
               ('a', '1.3.4294967296', NULL, NULL, NULL, NULL, 'mib_object_oid_is_an_object_identifier', '33 bits'),
               ('a', '1.3', 'STRING', NULL, NULL, NULL, 'mib_object_type_is_known', NULL),
               ('a', '1.3', NULL, '0-255', NULL, NULL, 'mib_object_ranges_are_a_list', NULL),
               ('a', '1.3', NULL, NULL, '[1]', NULL, 'mib_object_enums_map_labels_to_numbers', 'an array'),
               ('a', '1.3', NULL, NULL, '{"a,b": 1}', NULL, 'mib_object_enums_map_labels_to_numbers', 'a comma'),
               ('a', '1.3', NULL, NULL, '{"a": "1"}', NULL, 'mib_object_enums_map_labels_to_numbers', 'a string'),
               ('a', '1.3', NULL, NULL, '{"a": 1.5}', NULL, 'mib_object_enums_map_labels_to_numbers', 'a fraction'),
               ('a', '1.3', NULL, NULL, '{"a": 4294967296}', NULL, 'mib_object_enums_map_labels_to_numbers', '33 bits'),
               ('a', '1.3', NULL, NULL, NULL, '{"a b"}', 'mib_object_index_columns_are_labels', NULL),
               ('acmeMode', '1.3', NULL, NULL, NULL, NULL, NULL, NULL)) r (name, oid, type, ranges, enums, index_columns, rule, note);
SELECT test.violates($$INSERT INTO nmsp.mib_object (name, module, oid) VALUES ('acmeMode', 'ACME-MIB', '1.3')$$, '23505', 'mib_object_is_already_in_this_module', '%', 'once per module');
SELECT is_empty($$SELECT conname FROM pg_constraint WHERE conrelid = 'nmsp.mib_object'::regclass AND contype IN ('c', 'u') AND conname NOT IN
    (SELECT (test.error_of(format('INSERT INTO nmsp.mib_object (name, module, oid, type, access, ranges, enums, index_columns) VALUES (%L, %L, %L, %L, %L, %L, %L, %L)',
            v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]))).constraint_name
       FROM (VALUES (ARRAY['?', 'M', '1.3', NULL, NULL, NULL, NULL, NULL]), (ARRAY['a', '?', '1.3', NULL, NULL, NULL, NULL, NULL]), (ARRAY['a', 'M', '?', NULL, NULL, NULL, NULL, NULL]),
                    (ARRAY['a', 'M', '1.3', '?', NULL, NULL, NULL, NULL]), (ARRAY['a', 'M', '1.3', NULL, '?', NULL, NULL, NULL]), (ARRAY['a', 'M', '1.3', NULL, NULL, '?', NULL, NULL]),
                    (ARRAY['a', 'M', '1.3', NULL, NULL, NULL, '1', NULL]), (ARRAY['a', 'M', '1.3', NULL, NULL, NULL, NULL, '{?}']), (ARRAY['acmeMode', 'ACME-MIB', '1.3', NULL, NULL, NULL, NULL, NULL])) x(v)
      WHERE (test.error_of(format('INSERT INTO nmsp.mib_object (name, module, oid, type, access, ranges, enums, index_columns) VALUES (%L, %L, %L, %L, %L, %L, %L, %L)',
            v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]))).hint <> '')$$, 'every rule has a hint');
SELECT lives_ok($$INSERT INTO nmsp.mib_object (name, module, oid, type, access, ranges, enums, index_columns, index_implied)
    SELECT name, module, oid, type, access, ranges, enums, index_columns, index_implied FROM docsis.mib_object WHERE oid LIKE '%.%'$$, 'every built-in object keeps the rules');
SELECT is(pg_temp.own('SnmpMibObject vacmGroupName.1."public" String "x";'), pg_temp.hex('SnmpMibObject vacmGroupName.1."public" String "x";'), 'and means the same from the table');
SELECT is_empty($$SELECT name FROM docsis.mib_object WHERE access IN ('read-write', 'read-create')
    AND pg_temp.own(format('SnmpMibObject %s::%s.1 Integer 1;', module, name)) <> pg_temp.hex(format('SnmpMibObject .%s.1 Integer 1;', oid))$$, 'each of them');
SELECT * FROM finish();
ROLLBACK;
