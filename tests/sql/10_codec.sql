-- The codec through SQL: the type, its casts and functions, and what they say to bad input.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL client_min_messages TO error; -- warnings of the codec are expected here

CREATE TEMP TABLE sample (name text, config docsis.config);
INSERT INTO sample VALUES
    ('plain', 'Main { NetworkAccess 1; MaxCPE 5; }'),
    ('groups', E'Main {\n UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 10000000; }\n}'),
    ('varbind', 'Main { SnmpMibObject sysContact.0 String "n\"oc"; SnmpMibObject docsDevNmAccessIp.1 IPAddress 10.0.0.1; }'),
    ('generic', 'Main { GenericTLV TlvCode 250 TlvLength 2 TlvValue 0x0102; GenericTLV TlvCode 251 TlvLength 0 TlvValue 0x; }'),
    ('repeats', 'Main { CpeMacAddress 00:11:22:aa:bb:cc; CpeMacAddress 00:11:22:aa:bb:cd; NetworkAccess 1; }'),
    ('utf8', 'Main { SwUpgradeFilename "fw/größe.bin"; }'),
    ('bytes', 'Main { SwUpgradeFilename E"\xe9\xff\"\\"; }'),
    ('sealed', docsis.seal('Main { NetworkAccess 1; MaxCPE 5; }', 'secret')),
    ('mta', 'Main { MtaConfigDelimiter 1; SnmpMibObject sysContact.0 String "mta"; MtaConfigDelimiter 255; }'),
    ('empty', docsis.config('\x'::bytea)),
    ('only an end mark', docsis.config('\xff000000'::bytea)),
    ('broken group', docsis.config('\x18030109ff'::bytea)),
    ('wrong size', docsis.config('\x03020101'::bytea)),
    ('unknown vendor', docsis.config('\x2b0708031234560102ff'::bytea));

-- ---- text, binary, JSON
SELECT is('Main { NetworkAccess 1; MaxCPE 5; }'::docsis.config::bytea, '\x030101120105'::bytea, 'text is the bytes of its TLVs');
SELECT is('Main { NetworkAccess 1; MaxCPE 5; }'::docsis.config::text, E'Main {\n    NetworkAccess 1;\n    MaxCPE 5;\n}', 'output is the text language');
SELECT is_empty($$SELECT name FROM sample WHERE config::text::docsis.config::bytea <> config::bytea$$, 'text reads back to the same bytes');
SELECT is_empty($$SELECT name FROM sample WHERE docsis.parse(convert_to(config::text, 'UTF8')) <> config$$, 'docsis.parse reads it as well');
SELECT is_empty($$SELECT name FROM sample WHERE config::bytea::docsis.config <> config$$, 'bytea and back');
SELECT is_empty($$SELECT name FROM sample WHERE config::jsonb::docsis.config::bytea <> config::bytea$$, 'jsonb and back');
SELECT is_empty($$SELECT name FROM sample WHERE docsis.text(config) <> config::text$$, 'docsis.text says what the output says');
SELECT is_empty($$SELECT s.name, o FROM sample s, unnest(ARRAY['names', 'numeric', 'iso']) o
                   WHERE docsis.text(s.config, 'native', o)::docsis.config::bytea <> s.config::bytea$$, 'every form of object identifiers reads back');
SELECT is('Main { NetworkAccess 1; UsServiceFlow { UsServiceFlowRef 1; } }'::docsis.config::jsonb,
          '[{"t": "3", "n": "NetworkAccess", "v": 1}, {"t": "24", "n": "UsServiceFlow", "v": [{"t": "24.1", "n": "UsServiceFlowRef", "v": 1}]}]'::jsonb,
          'the JSON form');
SELECT is('[{"n": "MaxCPE", "v": 7}, {"t": "3", "v": 0}]'::jsonb::docsis.config, 'Main { MaxCPE 7; NetworkAccess 0; }'::docsis.config, 'JSON by name or by code');
SELECT is(docsis.config('\x'::bytea)::jsonb, '[]'::jsonb, 'an empty file is an empty array');
SELECT is(docsis.text('Main { NetworkAccess 1; SnmpMibObject sysContact.0 String "a"; }', 'docsis'),
          E'Main \n{\n\tNetworkAccess 1;\n\tSnmpMibObject sysContact.0 String "a";\n}\n', 'the docsis tool''s layout');
SELECT is(docsis.text(docsis.config('\x0901e9'::bytea), 'docsis'), E'Main \n{\n\tSwUpgradeFilename "\\xe9";\n}\n', 'and its escapes for bytes that are not UTF-8');
SELECT is(docsis.parse('\x4d61696e207b204e6574776f726b41636365737320313b207d'::bytea, 'ietf'), 'Main { NetworkAccess 1; }'::docsis.config, 'profile ietf');
SELECT is(docsis.parse('Main { SwUpgradeFilename "'::bytea || '\xe9'::bytea || '"; }'::bytea)::bytea, '\x0901e9'::bytea, 'docsis.parse takes bytes of any encoding');

-- binary send and receive, by COPY
CREATE TEMP TABLE received (name text, config docsis.config);
SELECT format('/tmp/nmsp-codec-%s', pg_backend_pid()) AS file \gset
COPY (SELECT * FROM sample) TO :'file' (FORMAT binary);
COPY received FROM :'file' (FORMAT binary);
SELECT set_eq('SELECT name, config::bytea FROM received', 'SELECT name, config::bytea FROM sample', 'COPY BINARY out and in keeps every byte');
COPY (SELECT name, '\x0301'::bytea FROM sample LIMIT 1) TO :'file' (FORMAT binary);
SELECT test.refused(format('COPY received FROM %L (FORMAT binary)', :'file'), '22P03', 'malformed DOCSIS configuration', 'Byte 0.%', '%complete%', 'binary input is checked');
COPY (SELECT * FROM sample) TO :'file';
TRUNCATE received;
COPY received FROM :'file';
SELECT set_eq('SELECT name, config::bytea FROM received', 'SELECT name, config::bytea FROM sample', 'COPY as text, too');
\setenv FILE :file
\! rm -f "$FILE"

-- ---- equality, order, indexes
SELECT is((SELECT count(DISTINCT config) FROM (SELECT * FROM sample UNION ALL SELECT * FROM received) x), (SELECT count(*) FROM sample), 'DISTINCT');
SELECT ok(docsis.config('\x030101'::bytea) = 'Main { NetworkAccess 1; }'::docsis.config, 'equal bytes are equal');
SELECT ok(docsis.config('\x030101'::bytea) OPERATOR(docsis.<) docsis.config('\x030102'::bytea)
      AND docsis.config('\x030101'::bytea) OPERATOR(docsis.<>) docsis.config('\x030102'::bytea), 'order is that of the bytes');
SELECT is((SELECT array_agg(name ORDER BY config USING OPERATOR(docsis.<)) FROM sample), (SELECT array_agg(name ORDER BY config::bytea) FROM sample), 'ORDER BY');
SET LOCAL enable_mergejoin TO off;
SET LOCAL enable_nestloop TO off;
SELECT is((SELECT count(*) FROM sample s JOIN received r ON s.config OPERATOR(docsis.=) r.config), (SELECT count(*) FROM sample), 'hash join');
SET LOCAL enable_mergejoin TO on;
SET LOCAL enable_hashjoin TO off;
SELECT is((SELECT count(*) FROM sample s JOIN received r ON s.config OPERATOR(docsis.=) r.config), (SELECT count(*) FROM sample), 'merge join');
RESET enable_mergejoin;
RESET enable_nestloop;
RESET enable_hashjoin;
CREATE TABLE public.stored (id int, file bytea);
INSERT INTO public.stored SELECT row_number() OVER (), config FROM sample;
CREATE INDEX stored_seal ON public.stored (docsis.seal(docsis.config(file), 'secret'));
CREATE INDEX stored_hash ON public.stored USING hash (docsis.config(file));
SET LOCAL enable_seqscan TO off;
SELECT is((SELECT id FROM public.stored WHERE docsis.seal(docsis.config(file), 'secret') OPERATOR(docsis.=) docsis.seal('Main { NetworkAccess 1; MaxCPE 5; }', 'secret') ORDER BY id LIMIT 1), 1, 'an index on an expression finds');
CREATE FUNCTION pg_temp.plan(statement text) RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE line text; result text := '';
BEGIN FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP result := result || line || E'\n'; END LOOP; RETURN result; END $fn$;
SELECT alike(pg_temp.plan($$SELECT FROM public.stored WHERE docsis.seal(docsis.config(file), 'secret') OPERATOR(docsis.=) docsis.config('\x030101'::bytea)$$),
             '%stored_seal%', 'and is used (btree)');
SELECT alike(pg_temp.plan($$SELECT FROM public.stored WHERE docsis.config(file) OPERATOR(docsis.=) docsis.config('\x030101'::bytea)$$),
             '%stored_hash%', 'and a hash index');
RESET enable_seqscan;

-- ---- seals
SELECT is(docsis.seal('Main { NetworkAccess 1; MaxCPE 5; }', 'secret')::bytea, docsis.encode('Main { NetworkAccess 1; MaxCPE 5; }', 'secret'), 'seal and encode agree');
SELECT is(docsis.seal(docsis.seal('Main { NetworkAccess 1; }', 'old'), 'secret'), docsis.seal('Main { NetworkAccess 1; }', 'secret'), 'a seal is replaced');
SELECT is(octet_length(docsis.seal('Main { NetworkAccess 1; }', 'secret')) % 4, 0, 'a sealed file is padded to four bytes');
SELECT results_eq($$SELECT * FROM docsis.verify((SELECT config FROM sample WHERE name = 'sealed'), 'secret')$$, 'VALUES (true, true, NULL::boolean)', 'the right secret verifies');
SELECT results_eq($$SELECT * FROM docsis.verify((SELECT config FROM sample WHERE name = 'sealed'), 'other')$$, 'VALUES (true, false, NULL::boolean)', 'a wrong one fails the CMTS MIC only');
SELECT results_eq($$SELECT * FROM docsis.verify(docsis.config(set_byte((SELECT config::bytea FROM sample WHERE name = 'sealed'), 2, 0)), 'secret')$$, 'VALUES (false, false, NULL::boolean)', 'a changed byte fails both');
SELECT results_eq($$SELECT * FROM docsis.verify('Main { NetworkAccess 1; }', 'secret')$$, 'VALUES (NULL::boolean, NULL::boolean, NULL::boolean)', 'absent is null');
SELECT is(docsis.seal((SELECT config FROM sample WHERE name = 'mta'), 'secret'), (SELECT config FROM sample WHERE name = 'mta'), 'an MTA file is left as it is');
SELECT is(docsis.seal(NULL, 'secret'), NULL, 'null in, null out');
SELECT is((SELECT encode(data, 'hex') FROM docsis.tlvs(docsis.seal('Main { NetworkAccess 1; }', 'DOCSIS')) WHERE name = 'CmMic'),
          md5('\x030101'::bytea), 'the CM MIC is an MD5 over the TLVs before it');
SELECT isnt(docsis.mta((SELECT config FROM sample WHERE name = 'mta'), 'na'), docsis.mta((SELECT config FROM sample WHERE name = 'mta'), 'eu'), 'hashes of the two continents differ');
SELECT is(docsis.mta(docsis.mta(config, 'ietf'), 'ietf'), docsis.mta(config, 'ietf'), 'hashing is idempotent') FROM sample WHERE name = 'mta';
SELECT is(docsis.mta(config), config, 'no hash by default') FROM sample WHERE name = 'mta';

-- ---- rows of TLVs, the dictionary
SELECT results_eq($$SELECT path, name, type, value, "offset", length, depth, data FROM docsis.tlvs(
    'Main { NetworkAccess 1; UsServiceFlow { UsServiceFlowRef 1; } SnmpMibObject sysContact.0 String "a"; GenericTLV TlvCode 250 TlvLength 2 TlvValue 0x0102; }')$$,
    $$VALUES ('3', 'NetworkAccess', 'u8', '1', 0, 1, 0, '\x01'::bytea),
             ('24', 'UsServiceFlow', 'group', NULL, 3, 4, 0, '\x01020001'),
             ('24.1', 'UsServiceFlowRef', 'u16', '1', 5, 2, 1, '\x0001'),
             ('11', 'SnmpMibObject', 'varbind', 'sysContact.0 String "a"', 9, 15, 0, '\x300d06082b06010201010400040161'),
             ('250', NULL, 'generic', '0x0102', 26, 2, 0, '\x0102')$$, 'docsis.tlvs: one row per TLV, groups before their members');
SELECT is_empty($$SELECT s.name, t.path FROM sample s, docsis.tlvs(s.config) t WHERE t.data IS DISTINCT FROM
                     substr(s.config::bytea, t."offset" + 1 + CASE WHEN t.name IN ('Pad', 'EndOfDataMkr') THEN 1 ELSE 2 END, t.length) AND s.name <> 'mta'$$,
                'offset and length point at the value');
SELECT cmp_ok((SELECT count(*)::int FROM docsis.symbol), '>', 1500, 'the dictionary');
SELECT is_empty('SELECT path FROM docsis.symbol WHERE path IS NULL OR name IS NULL OR type IS NULL OR minimum > maximum', 'is complete');
SELECT is((SELECT format('%s %s %s-%s', path, type, minimum, maximum) FROM docsis.symbol WHERE name = 'MaxCPE'), '18 u8 1-254', 'and has limits');

-- ---- errors of the text language: SQLSTATE, message, DETAIL with line and column, HINT
CREATE FUNCTION pg_temp.bad(source text, code text, message text, detail text, hint text, name text) RETURNS text LANGUAGE sql AS
$$SELECT test.refused(format('SELECT %L::docsis.config', source), code, message, detail, hint, name)$$;
SELECT pg_temp.bad(E'Main {\n  NetworkAccess 1\n  MaxCPE 2;\n}', '22P02', 'unexpected "MaxCPE"', 'Line 3, column 3. Expected is ";".', 'A statement is%', 'a semicolon is missing');
SELECT pg_temp.bad('', '22P02', 'unexpected end of the text', 'Line 1, column 1. Expected is "Main".', '%', 'nothing');
SELECT pg_temp.bad('NetworkAccess 1;', '22P02', 'unexpected "NetworkAccess"', 'Line 1, column 1.%', '%', 'no Main');
SELECT pg_temp.bad(E'Main {\nNetworkAccess 1;\n', '22P02', 'unexpected end of the text', 'Line 3, column 1.%closing brace.', '%', 'an open brace');
SELECT pg_temp.bad('Main { NetworkAccess 1; } }', '22P02', 'unexpected "}"', 'Line 1, column 27.%', '%', 'a brace too many');
SELECT pg_temp.bad('Main { NetworkAccess 1; /* open', '22P02', 'unexpected end%', 'Line 1%', '%', 'an open comment');
SELECT pg_temp.bad('Main { SwUpgradeFilename "open; }', '22P02', 'unterminated string', 'Line 1, column 26.', '%', 'an open string');
SELECT pg_temp.bad('Main { SwUpgradeFilename E"\q"; }', '22P02', 'invalid escape%', 'Line 1, column 28.', '%', 'a bad escape');
SELECT pg_temp.bad(E'Main { \x01 }', '22P02', 'unexpected character "\\x01"', 'Line 1, column 8.', '%', 'a control character');
SELECT pg_temp.bad(E'Main {\n\n  NoSuchThing 5;\n}', '42704', 'unknown symbol "NoSuchThing"', 'Line 3, column 3.', '%GenericTLV%', 'an unknown symbol');
SELECT pg_temp.bad('Main { NetworkAccess "yes"; }', '42804', 'value of "NetworkAccess" has the wrong type', 'Line 1, column 22. "NetworkAccess" takes a number, not a string.', 'SELECT * FROM docsis.symbol%', 'a string for a number');
SELECT pg_temp.bad('Main { UsServiceFlow 1; }', '42804', '%wrong type', '%takes a group in braces, not a number.', '%', 'a number for a group');
SELECT pg_temp.bad('Main { CpeMacAddress 10.0.0.1; }', '42804', '%wrong type', '%takes a MAC address%', '%', 'an address for a MAC');
SELECT pg_temp.bad('Main { SnmpMibObject sysContact.0 Integer "x"; }', '42804', 'value of type "Integer" expected', 'Line 1, column 43.%', '%', 'the wrong kind in an SNMP object');
SELECT pg_temp.bad('Main { SnmpMibObject sysContact.0 Nonsense 5; }', '22P02', 'unknown SNMP type "Nonsense"', '%The types are Integer%', '%', 'an unknown SNMP type');
SELECT pg_temp.bad('Main { SnmpMibObject noSuchObject.0 Integer 1; }', '42704', 'cannot resolve "noSuchObject.0"', 'Line 1, column 22.%', '%numerically%', 'an unknown OID');
SELECT pg_temp.bad('Main { NetworkAccess 2; }', '22003', 'value 2 of "NetworkAccess" is out of range', '%allows 0 to 1.', '%', 'out of range');
SELECT pg_temp.bad('Main { MaxCPE 255; }', '22003', 'value 255 of "MaxCPE"%', '%allows 1 to 254.', '%', 'out of range by one');
SELECT pg_temp.bad('Main { MaxCPE 99999999999999999999; }', '22003', '%out of range', '%', '%', 'far out of range');
SELECT pg_temp.bad('Main { MaxCPE -1; }', '22003', '%out of range', '%', '%', 'negative');
SELECT pg_temp.bad('Main { CmMic 0x123; }', '22P02', '%odd number of digits', 'Line 1, column 14.', '%two digits.', 'odd hex');
SELECT pg_temp.bad('Main { GenericTLV TlvCode 43 TlvLength 3 TlvValue 0x1234; }', '22003', '%does not match its value', '%is 3%2 bytes.', '%', 'a length that lies');
SELECT pg_temp.bad(format('Main { SwUpgradeFilename "%s"; }', repeat('x', 256)), '22001', 'value of "SwUpgradeFilename" is too long', '%256 bytes%255.', '%', 'too long');
SELECT pg_temp.bad(format('Main { UsServiceFlow { %s } }', repeat('MaxRateSustained 1; ', 60)), '22001', '%too long', '%', '%', 'a group too long');
SELECT pg_temp.bad(format('Main { ManufacturerCVC "%s"; }', f), '0A000', '%', 'Line 1, column%', '%', 'no statement reads ' || f) FROM unnest(ARRAY['/etc/passwd', 'PG_VERSION']) f;
SELECT pg_temp.bad(format('Main { %s { %s } }', 'UsServiceFlow', 'Main { }'), '42704', '%', '%', '%', 'Main within a group');
SELECT ok((test.error_of(format('SELECT %L::docsis.config', 'Main { ' || repeat('UsServiceFlow { ', 5000)))).code IN ('22P02', '54000'), 'braces without end do not bring the server down');
SELECT pg_temp.bad('Main { SnmpMibObject ' || repeat('1.', 200) || '1 Integer 1; }', '54000', '%', 'Line 1%', '%', 'an object identifier beyond limits');

-- ---- errors of bytes and JSON
SELECT test.refused($$SELECT '\x0301'::bytea::docsis.config$$, '22P03', 'malformed DOCSIS configuration', 'Byte 0. TLV 3 at offset 0 is longer%', '%complete%', 'bytes that end too early');
SELECT test.refused($$SELECT '\x030101ffaa'::bytea::docsis.config$$, '22P03', 'malformed%', 'Byte 4.%behind the end-of-data mark%', '%', 'garbage behind the end');
SELECT test.refused($$SELECT 'no config'::bytea::docsis.config$$, '22P03', 'malformed%', 'Byte %', '%', 'garbage');
SELECT test.refused($$SELECT '{}'::jsonb::docsis.config$$, '22P02', 'invalid JSON', 'Line 1, column 1. Expected is an array.', '%', 'JSON of another form');
SELECT test.refused($$SELECT '[{"v": 1}]'::jsonb::docsis.config$$, '22P02', 'JSON is not of the form%', '%', '%', 'a TLV without name');
SELECT test.refused($$SELECT '[{"n": "Foo", "v": 1}]'::jsonb::docsis.config$$, '42704', 'unknown symbol "Foo"', '%', '%', 'an unknown name');
SELECT test.refused($$SELECT '[{"t": "3", "v": 2}]'::jsonb::docsis.config$$, '22003', 'value 2 of "NetworkAccess"%', '%allows 0 to 1.', '%', 'a value out of range');
SELECT test.refused($$SELECT '[{"t": "3", "v": "yes"}]'::jsonb::docsis.config$$, '42804', '%', '%takes a number%', '%', 'a value of the wrong kind');
SELECT test.refused($$SELECT '[{"t": "300", "hex": "00"}]'::jsonb::docsis.config$$, '22P02', '%', '%0 to 255%', '%', 'a code too great');
SELECT test.refused($$SELECT '[{"t": "3", "hex": "0"}]'::jsonb::docsis.config$$, '22P02', '%', '%', '%', 'odd hex');
SELECT test.refused($$SELECT '[{"t": "11", "v": {"oid": "nope.0", "type": "Integer", "value": 1}}]'::jsonb::docsis.config$$, '42704', 'cannot resolve "nope.0"', '%', '%', 'an unknown OID');

-- ---- errors of arguments
SELECT test.refused($$SELECT docsis.seal('Main { NetworkAccess 1; }', '')$$, '22023', 'shared secret is empty', '%', '%', 'an empty secret');
SELECT test.refused($$SELECT docsis.seal('Main { NetworkAccess 1; }', repeat('x', 65))$$, '22023', 'shared secret is too long', '%65 bytes%', '%', 'a secret of 65 bytes');
SELECT test.refused($$SELECT docsis.seal('Main { NetworkAccess 1; }', repeat('ö', 33))$$, '22023', 'shared secret is too long', '%66 bytes%', '%', 'a secret counts in bytes');
SELECT lives_ok($$SELECT docsis.seal('Main { NetworkAccess 1; }', repeat('x', 64))$$, 'a secret of 64 bytes is fine');
SELECT test.refused($$SELECT docsis.verify('Main { NetworkAccess 1; }', '')$$, '22023', 'shared secret is empty', '%', '%', 'an empty secret to verify with');
SELECT test.refused($$SELECT docsis.parse('Main { NetworkAccess 1; }', 'bogus')$$, '22023', 'unknown MIB profile "bogus"', '%', '%cablelabs, ietf or excentis.', 'an unknown profile');
SELECT test.refused($$SELECT docsis.encode('Main { NetworkAccess 1; }', 'secret', 'bogus')$$, '22023', 'unknown MIB profile "bogus"', '%', '%', 'in encode as well');
SELECT test.refused($$SELECT docsis.text('Main { NetworkAccess 1; }', 'bogus')$$, '22023', 'unknown text style "bogus"', '%', 'Use native or docsis.', 'an unknown style');
SELECT test.refused($$SELECT docsis.text('Main { NetworkAccess 1; }', 'native', 'bogus')$$, '22023', 'unknown form of object identifiers "bogus"', '%', '%iso.', 'an unknown form of OIDs');
SELECT test.refused($$SELECT docsis.mta('Main { NetworkAccess 1; }', 'bogus')$$, '22023', 'unknown hash of an MTA file "bogus"', '%', '%ietf.', 'an unknown hash');
SELECT test.refused($$SELECT docsis.mta('Main { NetworkAccess 1; }', 'na')$$, '22023', 'not an MTA configuration', '%', '%', 'a hash for a file of a modem');
CREATE TEMP TABLE long AS SELECT 'Main { SnmpMibObject .1.3.6.1.4.1.9999.1.0 String "' || repeat('x', 300) || '"; }' AS source;
SELECT test.refused(format('SELECT docsis.encode(%L, ''secret'')', source), '22001', '%', 'Line 1%', '%', 'an SNMP object of 300 bytes') FROM long;
SELECT ok(octet_length(docsis.encode(source::bytea, 'secret', long_varbind => true)) > 300, 'fits with long_varbind') FROM long;

-- A name outside its group is taken, with a warning
SELECT is('Main { MaxRateSustained 5; }'::docsis.config::bytea, '\x080400000005'::bytea, 'a name outside its group binds to its code');

-- ---- anything at all: no internal error, no crash, and what is taken comes back
CREATE TEMP TABLE outcome (kind text, code text, input text);
DO $do$
DECLARE
    s record; b bytea; t text; d test.diagnostics; n int; value docsis.config;
BEGIN
    PERFORM setseed(0.42);
    FOR i IN 1..3000 LOOP
        SELECT config::bytea AS bytes, config::text AS body, config::jsonb AS json INTO s FROM sample WHERE name <> 'empty' ORDER BY random() LIMIT 1;
        b := s.bytes; t := CASE i % 3 WHEN 0 THEN s.json::text ELSE s.body END;
        FOR j IN 1..1 + i % 3 LOOP
            b := set_byte(b, (random() * (octet_length(b) - 1))::int, (random() * 255)::int);
            n := 1 + (random() * length(t))::int;
            t := overlay(t PLACING substr('{};"\ 0x9azÄ/*.-', 1 + (random() * 15)::int, (random() * 2)::int) FROM n FOR (random() * 2)::int);
        END LOOP;
        BEGIN
            CASE i % 3 WHEN 0 THEN value := t::jsonb::docsis.config; WHEN 1 THEN value := t::docsis.config; ELSE value := b::docsis.config; END CASE;
            IF value::text::docsis.config::bytea <> value::bytea OR value::jsonb::docsis.config::bytea <> value::bytea THEN
                INSERT INTO outcome VALUES ('differs', NULL, CASE i % 3 WHEN 2 THEN b::text ELSE t END);
            END IF;
            PERFORM * FROM docsis.tlvs(value);
            PERFORM docsis.seal(value, 'secret'), docsis.verify(value, 'secret');
            INSERT INTO outcome VALUES ('taken');
        EXCEPTION WHEN OTHERS THEN
            INSERT INTO outcome VALUES ('refused', SQLSTATE, CASE i % 3 WHEN 2 THEN b::text ELSE t END);
        END;
    END LOOP;
END
$do$;
SELECT is_empty($$SELECT * FROM outcome WHERE kind = 'differs'$$, 'random changes: what is taken reads back to the same bytes');
SELECT is_empty($$SELECT DISTINCT ON (code) code, input FROM outcome WHERE kind = 'refused'
                     AND code NOT IN ('22P02', '42704', '42804', '22003', '22001', '0A000', '22P03', '54000', '22P05')$$,
                'random changes: nothing fails with an error that is not in the manual');
SELECT cmp_ok((SELECT count(*)::int FROM outcome WHERE kind = 'taken'), '>', 300, 'random changes: many are taken');
SELECT cmp_ok((SELECT count(*)::int FROM outcome WHERE kind = 'refused'), '>', 300, 'random changes: many are refused');
SELECT * FROM finish();
ROLLBACK;
