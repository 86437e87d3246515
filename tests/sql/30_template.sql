-- Templates: the placeholder language, inheritance, the check on saving, from a row to a sealed file.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL client_min_messages TO error; -- warnings of the codec are expected here

-- ---- the placeholder language alone
CREATE TEMP TABLE form (template text, expanded text, name text);
INSERT INTO form VALUES
    ('MaxCPE {a.n.0};', 'MaxCPE 7;', 'a value'),
    ('X {a.n.0} {a.s.0};', 'X 7 abcdef;', 'two values on a line'),
    ('X "{a.quote.0}";', 'X "a"b";', 'a value is put in as it is'),
    ('X "{a.null.0}";', 'X "";', 'null is the empty value'),
    ('X "{a.yes.0}{a.no.0}";', 'X "1";', 'true is 1, false is nothing'),
    ('X {a.real.0};', 'X 1.50;', 'a number as it is written'),
    ('X {a.brace.0};', '', 'a value in braces is not looked up again'),
    ('X {{a.n.0},+,3};', 'X 10;', 'addition'),
    ('X {{a.n.0},-,8};', 'X -1;', 'subtraction'),
    ('X {{a.big.0},*,0.1875};', 'X 1875000;', 'multiplication'),
    ('X {{a.n.0},/,2};', 'X 4;', 'division, 3.5 rounds up'),
    ('X {{a.minus.0},/,2};', 'X -4;', '-3.5 rounds away from zero'),
    ('X {{a.n.0},*,{a.n.0}};', 'X 49;', 'values on both sides'),
    ('X {7,*,2};', 'X 14;', 'numbers as they stand'),
    ('X {{a.big.0},*,1000};', 'X 10000000000;', 'results beyond 32 bits are whole numbers'),
    ('X {{a.n.0},/,0};', '', 'a division by zero drops the line'),
    ('X {{a.s.0},*,2};', '', 'so does a calculation with a word'),
    ('X {{a.null.0},*,2};', '', 'and with an empty value'),
    ('X {{a.none.0},*,2};', '', 'and without a value'),
    ('X {{a.n.0},?,2};', 'X 7;', 'a default that is not needed'),
    ('X {{a.none.0},?,2};', 'X 2;', 'a default'),
    ('X "{{a.null.0},?,2}";', 'X "";', 'null is a value'),
    ('X "{{a.none.0},?,}";', 'X "";', 'an empty default'),
    ('X "{{a.s.0},2}";', 'X "cdef";', 'substring from a position'),
    ('X "{{a.s.0},1,3}";', 'X "bcd";', 'substring of a length'),
    ('X "{{a.s.0},-2}";', 'X "ef";', 'substring from the end'),
    ('X "{{a.s.0},0,-1}";', 'X "abcde";', 'substring up to the end'),
    ('X "{{a.s.0},9}";', 'X "";', 'substring behind the end'),
    ('X "{{a.none.0},0,2}";', '', 'substring without a value'),
    ('X "{test}";', '', 'a line with anything else in braces is dropped'),
    ('X {a.none.0};', '', 'a line without its value is dropped'),
    (E'A 1;\nX {a.none.0};\nB 2;', E'A 1;\n\nB 2;', 'a dropped line leaves an empty one'),
    ('X { Y 1; }', '', 'a group on one line is dropped'),
    ('X {', 'X {', 'an open brace stays'),
    ('}', '}', 'a closing brace stays'),
    (E'X\n{\n    Y {a.n.0};\n    Z {a.none.0};\n}\n', E'X\n{\n    Y 7;\n\n}\n', 'a group over lines'),
    (E'A {a.n.0};\r\nB 1;\r\n', E'A 7;\r\nB 1;\r\n', 'line ends of Windows stay'),
    ('', '', 'nothing'), (E'\n', E'\n', 'an empty line'), ('no braces', 'no braces', 'no braces');
CREATE TEMP TABLE value AS SELECT jsonb_build_object('a.n.0', 7, 'a.s.0', 'abcdef', 'a.quote.0', 'a"b', 'a.null.0', NULL, 'a.yes.0', true,
    'a.no.0', false, 'a.real.0', 1.50, 'a.brace.0', '{a.n.0}', 'a.minus.0', -7, 'a.big.0', 10000000) AS v;
SELECT is(nmsp.expand_template(template, v), expanded, name) FROM form, value;
SELECT test.refused($$SELECT nmsp.expand_template('x', '[]')$$, '22023', 'the values of a template must be a JSON object', '', '%', 'values are an object');

-- ---- a small network
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1'), ('cmts-2');
SELECT id AS g1 FROM nmsp.netgw WHERE name = 'cmts-1' \gset
SELECT id AS g2 FROM nmsp.netgw WHERE name = 'cmts-2' \gset
INSERT INTO nmsp.netgw_secret VALUES (:g1, 'DOCSIS');
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end) VALUES
    (:g1, 'cm', '10.1.0.0/24', '10.1.0.10', '10.1.0.250'), (:g2, 'cm', '10.2.0.0/24', '10.2.0.10', '10.2.0.250');
INSERT INTO nmsp.service_class (name, ds_rate, us_rate, ds_name, us_name) VALUES ('100/10', 100000000, 10000000, 'ds-100', 'us-10');
SELECT id AS c1 FROM nmsp.service_class \gset
CREATE FUNCTION pg_temp.template(name text, source text, parent text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS
$$INSERT INTO nmsp.template (name, source, parent_id) SELECT template.name, template.source, (SELECT t.id FROM nmsp.template t WHERE t.name = parent) RETURNING id$$;
SELECT pg_temp.template('first', 'GlobalPrivacyEnable 0;') \g /dev/null
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, name, address, serial_number, model)
SELECT '00:11:22:00:00:01', :g1, id, :c1, 'one', '10.1.0.10', 'SN1', 'M1' FROM nmsp.template WHERE name = 'first';
SELECT id AS m1 FROM nmsp.modem \gset
-- The modem's file with this template, as text of the TLVs before the MICs
CREATE FUNCTION pg_temp.file(source text, parent text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $fn$
BEGIN
    UPDATE nmsp.template SET source = file.source, parent_id = (SELECT id FROM nmsp.template WHERE name = parent) WHERE name = 'first';
    RETURN (SELECT string_agg(concat_ws(' ', repeat('>', depth) || name, value), '; ' ORDER BY "offset")
              FROM docsis.tlvs(nmsp.modem_config((SELECT min(id) FROM nmsp.modem))) WHERE name NOT IN ('CmMic', 'CmtsMic', 'EndOfDataMkr', 'Pad'));
END
$fn$;

-- ---- what is put in front
SELECT is(pg_temp.file('GlobalPrivacyEnable 0;'), 'NetworkAccess 1; MaxCPE 2; GlobalPrivacyEnable 0', 'NetworkAccess and MaxCPE come first');
SELECT is(pg_temp.file('MaxCPE 5;'), 'NetworkAccess 1; MaxCPE 5', 'MaxCPE in the text suppresses ours');
SELECT is(pg_temp.file('/* MaxCPE 5; */ GlobalPrivacyEnable 0;'), 'NetworkAccess 1; MaxCPE 2; GlobalPrivacyEnable 0', 'not in a comment');
SELECT is(pg_temp.file('SwUpgradeFilename "MaxCPE";'), 'NetworkAccess 1; MaxCPE 2; SwUpgradeFilename "MaxCPE"', 'not in a string');
SELECT is(pg_temp.file('MaxCPE {modem.none.0};'), 'NetworkAccess 1; MaxCPE 2', 'not in a line that is dropped');
SELECT is(pg_temp.file(''), 'NetworkAccess 1; MaxCPE 2', 'an empty template');
UPDATE nmsp.setting SET max_cpe = 9;
UPDATE nmsp.modem SET internet_access = false;
SELECT is(pg_temp.file('GlobalPrivacyEnable 0;'), 'NetworkAccess 0; MaxCPE 9; GlobalPrivacyEnable 0', 'they follow the rows');
UPDATE nmsp.setting SET max_cpe = DEFAULT;
UPDATE nmsp.modem SET internet_access = true;

-- ---- inheritance
SELECT pg_temp.template('root', 'SwUpgradeFilename "root";'), pg_temp.template('middle', E'MaxCPE 6;\nSwUpgradeFilename "middle";', 'root') \g /dev/null
SELECT is(pg_temp.file('SwUpgradeFilename "own";', 'middle'),
          'NetworkAccess 1; SwUpgradeFilename "own"; MaxCPE 6; SwUpgradeFilename "middle"; SwUpgradeFilename "root"', 'own text, then the parents'' up to the root');
SELECT results_eq('SELECT source FROM nmsp.template_text WHERE name = ''first''', ARRAY[E'SwUpgradeFilename "own";\nMaxCPE 6;\nSwUpgradeFilename "middle";\nSwUpgradeFilename "root";'], 'template_text shows it');
UPDATE nmsp.template SET source = 'SwUpgradeFilename "new root";' WHERE name = 'root';
SELECT alike(pg_temp.file('SwUpgradeFilename "own";', 'middle'), '%"new root"', 'a change of the root reaches the file at once');

-- ---- service class and options
SELECT is(pg_temp.file(E'UsServiceFlow\n{\n UsServiceFlowRef 1;\n MaxRateSustained {qos.us_rate_max_help.0};\n MaxTrafficBurst {{qos.us_rate_max_help.0},*,0.1875};\n}'),
          'NetworkAccess 1; MaxCPE 2; UsServiceFlow; >UsServiceFlowRef 1; >MaxRateSustained 10000000; >MaxTrafficBurst 1875000', 'rates of the service class');
UPDATE nmsp.setting SET us_rate_coefficient = 1.05;
SELECT is(pg_temp.file(E'UsServiceFlow\n{\n MaxRateSustained {qos.us_rate_max_help.0};\n}'), 'NetworkAccess 1; MaxCPE 2; UsServiceFlow; >MaxRateSustained 10500000', 'times the coefficient');
UPDATE nmsp.setting SET us_rate_coefficient = DEFAULT;
UPDATE nmsp.service_class SET us_rate = 20000000;
SELECT alike(pg_temp.file(E'UsServiceFlow\n{\n MaxRateSustained {qos.us_rate_max_help.0};\n}'), '%20000000', 'a change of the class reaches the file at once');
UPDATE nmsp.modem SET service_class_id = NULL;
SELECT is(pg_temp.file(E'UsServiceFlow\n{\n UsServiceFlowRef 1;\n MaxRateSustained {qos.us_rate_max_help.0};\n}\nMaxCPE {{qos.id.0},?,4};'),
          'NetworkAccess 1; UsServiceFlow; >UsServiceFlowRef 1; MaxCPE 4', 'without a class its lines are left out');
UPDATE nmsp.modem SET service_class_id = :c1;
SELECT is(pg_temp.file('SwUpgradeFilename "{modem.wifi.0}";'), 'NetworkAccess 1; MaxCPE 2', 'an option that the modem does not have');
INSERT INTO nmsp.modem_option VALUES (:m1, 'wifi', 'on'), (:m1, 'model', 'other'), (:m1, 'n', '999');
SELECT is(pg_temp.file('SwUpgradeFilename "{modem.wifi.0}";'), 'NetworkAccess 1; MaxCPE 2; SwUpgradeFilename "on"', 'one that it has');
SELECT is(pg_temp.file('SwUpgradeFilename "{modem.model.0}";'), 'NetworkAccess 1; MaxCPE 2; SwUpgradeFilename "M1"', 'a column wins over an option');
ALTER TABLE nmsp.modem ADD COLUMN floor int DEFAULT 3;
SELECT is(pg_temp.file('SwUpgradeFilename "{modem.floor.0}";'), 'NetworkAccess 1; MaxCPE 2; SwUpgradeFilename "3"', 'a column of the operator''s own');
ALTER TABLE nmsp.modem DROP COLUMN floor;
SELECT is(pg_temp.file('SwUpgradeFilename "{modem.floor.0}";'), 'NetworkAccess 1; MaxCPE 2', 'is gone when it is dropped');
DELETE FROM nmsp.modem_option WHERE key = 'model';
UPDATE nmsp.modem_option SET value = 'a"; MaxCPE 1; SwUpgradeFilename "b' WHERE key = 'wifi';
SELECT is(pg_temp.file('SwUpgradeFilename "{modem.wifi.0}";'), 'NetworkAccess 1; SwUpgradeFilename "a"; MaxCPE 1; SwUpgradeFilename "b"', 'a value that holds statements counts as text does');
UPDATE nmsp.modem_option SET value = 'on' WHERE key = 'wifi';

-- ---- every placeholder
CREATE TEMP VIEW wanted(placeholder, value) AS
SELECT v.* FROM nmsp.setting s, nmsp.setting_secret x, nmsp.service_class c, nmsp.modem m, LATERAL (VALUES
    ('provbase.provisioning_server.0', host(s.provisioning_server)), ('provbase.ro_community.0', x.ro_community),
    ('provbase.rw_community.0', x.rw_community), ('provbase.domain_name.0', s.domain_name),
    ('provbase.dhcp_def_lease_time.0', s.default_lease_time::text), ('provbase.dhcp_max_lease_time.0', s.max_lease_time::text),
    ('provbase.max_cpe.0', s.max_cpe::text), ('provbase.ds_rate_coefficient.0', s.ds_rate_coefficient::text),
    ('provbase.us_rate_coefficient.0', s.us_rate_coefficient::text), ('qos.id.0', c.id::text), ('qos.name.0', c.name),
    ('qos.ds_rate_max.0', '100'), ('qos.us_rate_max.0', '20'), ('qos.ds_rate_max_help.0', '100000000'), ('qos.us_rate_max_help.0', '20000000'),
    ('qos.ds_name.0', c.ds_name), ('qos.us_name.0', c.us_name), ('modem.id.0', m.id::text), ('modem.hostname.0', 'cm-' || m.id),
    ('modem.name.0', m.name), ('modem.mac.0', m.mac::text), ('modem.netgw_id.0', m.netgw_id::text), ('modem.configfile_id.0', m.template_id::text),
    ('modem.qos_id.0', m.service_class_id::text), ('modem.internet_access.0', '1'), ('modem.public.0', ''), ('modem.ipv4.0', host(m.address)),
    ('modem.serial_num.0', m.serial_number), ('modem.model.0', m.model), ('modem.<key>.0', 'on'), ('modem.<column>.0', '00:11:22:00:00:01')) v;
SELECT set_eq('SELECT placeholder FROM nmsp.template_placeholders() WHERE placeholder !~ ''^(mta|phonenumber|voice)[.]'' AND reads <> ALL (SELECT ''nmsp.service_class.'' || attname FROM pg_attribute WHERE attrelid = ''nmsp.service_class''::regclass AND attnum > 7)', 'SELECT placeholder FROM wanted', 'the placeholders are those this test knows');
SELECT is(pg_temp.file(format('SwUpgradeFilename "x%s";', '{' || replace(replace(w.placeholder, '<key>', 'wifi'), '<column>', 'mac') || '}')),
          format('NetworkAccess 1; MaxCPE 2; SwUpgradeFilename "x%s"', w.value), '{' || w.placeholder || '}') FROM wanted w;
SELECT is(nmsp.expand_template('{' || w.placeholder || '}', nmsp.service_class_values(:c1) || (nmsp.setting_values()).placeholders), w.value, w.placeholder || ' of the values')
  FROM wanted w WHERE w.placeholder !~ '^modem';
UPDATE nmsp.modem SET name = NULL, address = NULL, serial_number = NULL, model = NULL, public_cpe = true;
SELECT is(pg_temp.file('SwUpgradeFilename "x{modem.name.0}{modem.ipv4.0}{modem.serial_num.0}{modem.model.0}{modem.public.0}";'),
          'NetworkAccess 1; MaxCPE 2; SwUpgradeFilename "x1"', 'a null column is an empty value');
UPDATE nmsp.modem SET public_cpe = false;

-- the manual lists them
\getenv root NMSP_ROOT
\set doc `cat "$NMSP_ROOT/doc/reference.md" 2>/dev/null`
SELECT CASE WHEN :'doc' = '' THEN skip('no doc/reference.md', 1)
       ELSE is_empty(format($$SELECT placeholder FROM nmsp.template_placeholders()
            WHERE strpos(regexp_replace(%L, '[ \t]+', ' ', 'g'), format('`{%%s}`| `%%s` | %%s', placeholder, reads, coalesce(note, ''))) = 0
              AND strpos(regexp_replace(%1$L, '[ \t]+', ' ', 'g'), format('`{%%s}` | `%%s` | %%s', placeholder, reads, coalesce(note, ''))) = 0$$, :'doc'),
            'the manual lists every placeholder, what it reads and its note') END;

-- ---- the check on saving
CREATE FUNCTION pg_temp.bad(source text, code text, message text, detail text, name text, device text DEFAULT 'cm') RETURNS text LANGUAGE sql AS
$$SELECT test.refused(format('INSERT INTO nmsp.template (name, source, device) VALUES (''new one'', %L, %L)', source, device), code, message, detail, '%', name)$$;
CREATE FUNCTION pg_temp.good(source text, name text, device text DEFAULT 'cm') RETURNS text LANGUAGE sql AS
$$SELECT lives_ok(format('INSERT INTO nmsp.template (name, source, device) VALUES (%L, %L, %L)', name, source, device), name)$$;
SELECT pg_temp.bad(E'MaxCPE 2;\n  NoSuchThing 1;', '42704', 'unknown symbol "NoSuchThing"', 'Line 2, column 3 of template "new one".', 'an unknown symbol');
SELECT pg_temp.bad('NoSuchThing 1;', '42704', '%', 'Line 1, column 1 of template "new one".', 'in the first line');
SELECT pg_temp.bad(E'\n\nMaxCPE 300;', '22003', 'value 300 of "MaxCPE" is out of range', 'Line 3, column 8 of template "new one". "MaxCPE" allows 1 to 254.', 'a value out of range');
SELECT pg_temp.bad('MaxCPE "x";', '42804', '%', 'Line 1, column 8 of template%', 'a value of the wrong kind');
SELECT pg_temp.bad(E'UsServiceFlow\n{\n UsServiceFlowRef 1;\n', '22P02', 'unexpected end of the text', 'Line 3, column 21 of template "new one". Expected is a TLV name or a closing brace.', 'a group that is not closed');
SELECT pg_temp.bad(E'MaxCPE 2;\n}\nGlobalPrivacyEnable 0;', '22P02', 'unexpected "GlobalPrivacyEnable"', 'Line 3, column 1 of template%', 'a brace too many');
SELECT pg_temp.bad('}', '22P02', 'a closing brace without an opening one', 'Line 1, column 2 of template%', 'only a brace too many');
SELECT pg_temp.bad(E'MaxCPE 2\nGlobalPrivacyEnable 0;', '22P02', '%', 'Line 2, column 1 of template%', 'a semicolon is missing');
SELECT pg_temp.bad('MaxCPE 2', '22P02', 'unexpected end of the text', 'Line 1, column 9 of template "new one". Expected is ";".', 'the last semicolon is missing');
SELECT pg_temp.bad('/* open', '22P02', '%', 'Line 1, column 8 of template%', 'an open comment');
SELECT pg_temp.bad('SnmpMibObject nope.0 Integer 1;', '42704', 'cannot resolve "nope.0"', 'Line 1, column 15 of template%', 'an unknown OID');
SELECT pg_temp.bad('ManufacturerCVC "/etc/passwd";', '0A000', '%', 'Line 1, column%of template%', 'a file');
SELECT pg_temp.bad(format('SwUpgradeFilename "%s";', repeat('x', 300)), '22001', '%', 'Line 1, column 1 of template%', 'a value too long');
SELECT pg_temp.bad('NoSuchThing {modem.id.0};', '42704', '%', 'Line 1, column 1 of template%', 'an unknown symbol with a placeholder');
SELECT pg_temp.bad('MaxCPE {modem.id.0}', '22P02', '%', 'Line 1% of template%', 'a semicolon is missing behind a placeholder');
SELECT alike((test.error_of('UPDATE nmsp.template SET source = ''Nope 1;'' WHERE name = ''middle''')).detail, '%of template "middle".', 'on UPDATE, too');
SELECT pg_temp.good(E'SnmpMibObject docsDevNmAccessIp.10 IPAddress {provbase.provisioning_server.0};\n', 'a placeholder where an address is expected');
SELECT pg_temp.good(E'CpeMacAddress {modem.mac.0};', 'a placeholder where a MAC is expected');
SELECT pg_temp.good(E'SnmpMibObject sysContact.0 String "{modem.name.0}";', 'a placeholder in a string');
SELECT pg_temp.good(E'SnmpMibObject sysContact.0 HexString {modem.hex.0};', 'a placeholder where hex is expected');
SELECT pg_temp.good(E'MaxCPE {modem.n.0};\nSwUpgradeServer {modem.server.0};', 'placeholders of options');
SELECT pg_temp.good(E'ModemCapabilities { ConcatenationSupport 1; }', 'a group on one line, which will be dropped');
SELECT pg_temp.good(E'UsServiceFlow\n{\n UsServiceFlowRef {modem.n.0};\n}', 'a placeholder in a group');
SELECT pg_temp.good('MaxCPE {{modem.n.0},?,5};', 'a default');
SELECT pg_temp.good(E'MaxCPE 2;\r\nGlobalPrivacyEnable 0;\r\n', 'line ends of Windows');
SELECT pg_temp.good('', 'an empty text');
SELECT pg_temp.good('SnmpMibObject sysContact.0 String "mta";', 'an MTA''s template', 'mta');
SELECT pg_temp.good(E'MtaConfigDelimiter 1;\nSnmpMibObject sysContact.0 String "mta";\nMtaConfigDelimiter 255;', 'an MTA''s template with its delimiters', 'mta');
SELECT pg_temp.bad('NoSuchThing 1;', '42704', '%', 'Line 1, column 1 of template%', 'an MTA''s template that is wrong', 'mta');

SELECT is((test.error_of(format('INSERT INTO nmsp.template (name, source) VALUES (%L, ''Nope 1;'')', repeat('n', g)))).detail, format('Line 1, column 1 of template "%s".', repeat('n', g)),
          format('a name of %s letters', g)) FROM unnest(ARRAY[1, 3, 12, 28, 60, 124]) g;

-- ---- errors of a file
SELECT test.refused($$SELECT pg_temp.file(E'GlobalPrivacyEnable 0;\nMaxCPE {modem.n.0};')$$, '22003', 'value 999 of "MaxCPE" is out of range', 'Line 2, column 8 of template "first". %', '%', 'a modem whose value is out of range');
UPDATE nmsp.template SET source = 'MaxCPE {modem.n.0};' WHERE name = 'first';
CREATE FUNCTION pg_temp.detail_with_name(template_name text) RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE d test.diagnostics;
BEGIN
    UPDATE nmsp.template SET name = template_name WHERE id = (SELECT template_id FROM nmsp.modem);
    d := test.error_of('SELECT nmsp.modem_config(id) FROM nmsp.modem');
    UPDATE nmsp.template SET name = 'first' WHERE id = (SELECT template_id FROM nmsp.modem);
    RETURN d.detail;
END
$fn$;
SELECT is(pg_temp.detail_with_name(repeat('n', g)), format('Line 1, column 8 of template "%s". "MaxCPE" allows 1 to 254.', repeat('n', g)), format('with a name of %s letters', g))
  FROM unnest(ARRAY[1, 4, 12, 28, 60, 124]) g;
SELECT test.refused($$SELECT pg_temp.file(E'GlobalPrivacyEnable {modem.wifi.0};')$$, '42804', '%', 'Line 1, column 21 of template "first". %', '%', 'or of the wrong kind');
UPDATE nmsp.template SET source = 'GlobalPrivacyEnable 0;', parent_id = NULL WHERE name = 'first';
UPDATE nmsp.modem SET netgw_id = :g2;
SELECT test.refused(format('SELECT nmsp.modem_config(%s)', :m1), '55000', '"cmts-2" has no shared secret', 'The CMTS MIC%', 'INSERT INTO nmsp.netgw_secret%', 'a gateway without secret');
UPDATE nmsp.modem SET netgw_id = :g1;
SELECT is(nmsp.modem_config(9999), NULL, 'no modem, no file');

-- ---- seals and forms
SELECT results_eq(format('SELECT * FROM docsis.verify(nmsp.modem_config(%s), ''DOCSIS'')', :m1), 'VALUES (true, true, NULL::boolean)', 'the file is sealed with the secret of its gateway');
SELECT is(nmsp.modem_config(m), nmsp.modem_config(m.id), 'by row and by id') FROM nmsp.modem m WHERE id = :m1;
SELECT results_eq('SELECT path, config::bytea FROM nmsp.modem_file', format('SELECT ''cm/cm-%s.cfg'', nmsp.modem_config(%1$s)::bytea', :m1), 'modem_file has its name');
UPDATE nmsp.netgw_secret SET shared_secret = 'other';
SELECT results_eq(format('SELECT * FROM docsis.verify(nmsp.modem_config(%s), ''other'')', :m1), 'VALUES (true, true, NULL::boolean)', 'a new secret counts at once');
UPDATE nmsp.netgw_secret SET shared_secret = 'DOCSIS';
SELECT is((SELECT t.value FROM docsis.tlvs((SELECT nmsp.modem_config(r) FROM (SELECT m.id, m.netgw_id, m.template_id, m.service_class_id, false AS internet_access FROM nmsp.modem m WHERE m.id = :m1) r)) t
            WHERE t.name = 'NetworkAccess'), '0', 'a row that is not stored');
SELECT is((test.error_of('SELECT nmsp.modem_config(ROW(1))')).code, '42804', 'a row that is no modem''s');

-- ---- the same bytes fast and plain: many modems, classes and templates, all kinds of lines
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) SELECT 'c' || g, g * 1000000, g * 500000 FROM generate_series(1, 5) g;
SELECT pg_temp.template('t1', E'MaxCPE {modem.n.0};\nSwUpgradeFilename "{modem.hostname.0}";\nUsServiceFlow\n{\n UsServiceFlowRef 1;\n MaxRateSustained {qos.us_rate_max_help.0};\n}'),
       pg_temp.template('t2', E'GlobalPrivacyEnable 0;\n/* MaxCPE {modem.n.0} */\nSnmpMibObject sysContact.0 String "{qos.name.0}";', 't1'),
       pg_temp.template('t3', E'SnmpMibObject sysLocation.0 String "{modem.where.0}"; /* {modem.id.0} */\nDsServiceFlow\n{\n  DsServiceFlowRef 1;\n  MaxRateSustained {{qos.ds_rate_max_help.0},*,{modem.n.0}};\n}\n', 't2'),
       pg_temp.template('t4', 'GlobalPrivacyEnable 0;') \g /dev/null
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, internet_access, name)
SELECT ('00:11:44:00:00:' || lpad(to_hex(g), 2, '0'))::macaddr, :g1, (SELECT id FROM nmsp.template WHERE name = 't' || 1 + g % 4),
       CASE WHEN g % 7 > 0 THEN (SELECT id FROM nmsp.service_class WHERE name = 'c' || 1 + g % 5) END, g % 3 > 0, 'n' || g FROM generate_series(1, 60) g;
INSERT INTO nmsp.modem_option SELECT id, 'n', (id % 9 + 1)::text FROM nmsp.modem WHERE id % 2 = 0 AND id <> :m1;
INSERT INTO nmsp.modem_option SELECT id, 'where', CASE id % 5 WHEN 0 THEN 'a"; SwUpgradeFilename "b' WHEN 1 THEN E'x*/y' ELSE 'here' END FROM nmsp.modem WHERE id % 3 = 0;
CREATE FUNCTION pg_temp.plain(m nmsp.modem) RETURNS bytea LANGUAGE plpgsql AS $fn$
DECLARE
    body text := nmsp.expand_template((nmsp.template_parts(m.template_id)).source, (nmsp.setting_values()).placeholders
        || coalesce(nmsp.service_class_values(m.service_class_id), '{}')
        || jsonb_build_object('modem.id.0', m.id, 'modem.hostname.0', 'cm-' || m.id, 'modem.name.0', m.name)
        || coalesce(nmsp.modem_options(m.id), '{}'));
BEGIN
    RETURN docsis.encode(convert_to(format(E'Main { NetworkAccess %s; %s\n%s\n}', m.internet_access::int,
        CASE WHEN regexp_replace(regexp_replace(body, '/\*.*?\*/', '', 'g'), '"[^"\n]*"', '', 'g') !~ '\yMaxCPE\y' THEN 'MaxCPE 2;' END, body), 'UTF8'), 'DOCSIS');
END
$fn$;
SELECT is_empty($$SELECT m.id, m.template_id FROM nmsp.modem m WHERE nmsp.modem_config(m)::bytea <> pg_temp.plain(m)$$, 'files made fast are those made the plain way');
SELECT is_empty($$SELECT m.id FROM nmsp.modem m WHERE nmsp.modem_config(m.id)::bytea <> pg_temp.plain(m)$$, 'again, one by one');

-- ---- the predecessor's default template, byte by byte
\set template `cat "$NMSP_VECTORS/templates/base-cm.template.txt" 2>/dev/null`
\set wanted `base64 -w0 "$NMSP_VECTORS/templates/base-cm.rendered.cfg" 2>/dev/null`
UPDATE nmsp.service_class SET us_rate = 10000000, ds_rate = 100000000 WHERE id = :c1;
SELECT :'template' = '' AS absent \gset
\if :absent
SELECT skip('no vectors in NMSP_VECTORS', 3);
\else
UPDATE nmsp.template SET source = :'template', parent_id = NULL WHERE name = 'first';
SELECT is(nmsp.modem_config(:m1)::bytea, decode(:'wanted', 'base64'), 'the default template gives the same bytes');
SELECT is(octet_length(nmsp.modem_config(:m1)), 928, 'all 928 of them');
\set seed `cat "$NMSP_VECTORS/templates/seed-cm-base.template.txt"`
UPDATE nmsp.template SET source = :'seed' WHERE name = 'first';
SELECT cmp_ok(octet_length(nmsp.modem_config(:m1)), '>', 500, 'the second default template, too');
\endif
\set mta `cat "$NMSP_VECTORS/templates/seed-fritzbox-mta.template.txt" 2>/dev/null`
SELECT CASE WHEN :'mta' = '' THEN skip('no vectors in NMSP_VECTORS', 1) ELSE pg_temp.good(:'mta', 'the predecessor''s MTA template is taken', 'mta') END;
SELECT * FROM finish();
ROLLBACK;
