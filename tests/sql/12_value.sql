-- A configuration as a value: JSON written directly, paths, subscripts, ||, @>, ?, GIN, numbers, diff.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL client_min_messages TO error;
SET LOCAL search_path TO docsis, public, test;

CREATE TEMP TABLE sample (name text PRIMARY KEY, c docsis.config);
INSERT INTO sample VALUES
    ('cm', 'Main { NetworkAccess 1; MaxCPE 5;
        UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 10000000; }
        UsServiceFlow { UsServiceFlowRef 2; MaxRateSustained 64000; }
        DsServiceFlow { DsServiceFlowRef 3; QosParamSetType 7; MaxRateSustained 4294967295; }
        SwUpgradeFilename "fw/größe.bin"; CpeMacAddress 00:11:22:aa:bb:cc; CpeMacAddress 00:11:22:aa:bb:cd;
        SnmpMibObject sysContact.0 String "n\"oc"; SnmpMibObject docsDevNmAccessIp.1 IPAddress 10.0.0.1;
        SnmpMibObject docsDevNmAccessControl.1 Integer 3; SnmpMibObject docsDevFilterIpDestPortHigh.1 Integer -5;
        SnmpMibObject sysObjectID.0 ObjectID .1.3.6.1.4.1; SnmpMibObject sysName.0 HexString 0x00ff;
        SnmpWriteControl docsDevNmAccessTable.1 1; GenericTLV TlvCode 250 TlvLength 2 TlvValue 0x0102; }'),
    ('mta', 'Main { MtaConfigDelimiter 1; SnmpMibObject sysContact.0 String "mta"; MtaConfigDelimiter 255; }'),
    ('sealed', docsis.seal('Main { NetworkAccess 1; MaxCPE 6; }', 'secret')),
    ('bytes', 'Main { SwUpgradeFilename E"\xe9\xff\"\\"; }'),
    ('control characters', 'Main { SwUpgradeFilename E"\x01\x1f\x7f\x0a"; }'),
    ('zero in a string', 'Main { SwUpgradeFilename E"a\x00b"; }'),
    ('empty', docsis.config('\x'::bytea)),
    ('pads', docsis.config('\x00000301010000ff000000'::bytea)),
    ('broken group', docsis.config('\x18030109ff'::bytea)),
    ('unknown vendor', docsis.config('\x2b0708031234560102ff'::bytea)),
    ('cablelabs vendor', docsis.config('\x2b080803ffffff010101'::bytea)),
    ('wrong size', docsis.config('\x03020101'::bytea));
CREATE FUNCTION pg_temp.cm() RETURNS docsis.config LANGUAGE sql AS $$SELECT c FROM sample WHERE name = 'cm'$$;

-- ---- jsonb: the direct writer against JSON text
\set behaviour `cut -f6 "$NMSP_ROOT"/tests/codec/vectors/cases-behaviour.tsv`
\set symbols `cut -f6 "$NMSP_ROOT"/tests/codec/vectors/cases-symbols.tsv`
CREATE FUNCTION pg_temp.well_formed(b bytea) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN PERFORM docsis.config(b); RETURN true; EXCEPTION WHEN invalid_binary_representation THEN RETURN false; END $$;
CREATE TEMP TABLE file AS
    SELECT docsis.config(b) AS c FROM (SELECT DISTINCT decode(h, 'hex') b FROM string_to_table(:'behaviour' || E'\n' || :'symbols', E'\n') h
                        WHERE h ~ '^([0-9a-f]{2})+$') v WHERE pg_temp.well_formed(b)
    UNION ALL SELECT c FROM sample;
-- Random: well-formed TLVs of any code, and real files with bytes changed.
SELECT setseed(0.5);
CREATE TEMP TABLE random_file AS
WITH bytes AS MATERIALIZED (
    SELECT n, (SELECT string_agg(decode(lpad(to_hex((random() * 254)::int), 2, '0'), 'hex')
                       || decode(lpad(to_hex(l), 2, '0'), 'hex')
                       || coalesce((SELECT string_agg(decode(lpad(to_hex(CASE WHEN random() < 0.5 THEN (random() * 3)::int ELSE (random() * 255)::int END), 2, '0'), 'hex'), '')
                                      FROM generate_series(1, l) WHERE n > 0), ''), '')
                 FROM (SELECT (random() * 8 + n * 0)::int AS l FROM generate_series(1, 12)) t) AS b
      FROM generate_series(1, 400) n
    UNION ALL
    SELECT 0, set_byte(set_byte(c::bytea, (random() * (octet_length(c::bytea) - 1))::int, (random() * 255)::int),
                       (random() * (octet_length(c::bytea) - 1))::int, (random() * 8)::int)
      FROM file, generate_series(1, 4) WHERE octet_length(c::bytea) BETWEEN 8 AND 700)
SELECT docsis.config(b) AS c FROM bytes WHERE b IS NOT NULL AND pg_temp.well_formed(b);
SELECT cmp_ok((SELECT count(*) FROM file), '>', 900::bigint, 'vectors of the codec are there');
SELECT cmp_ok((SELECT count(*) FROM random_file), '>', 800::bigint, 'most random files are well-formed');
INSERT INTO file SELECT c FROM random_file;
SELECT is_empty($$SELECT c FROM file WHERE c::jsonb <> docsis.json(c)::jsonb$$, 'jsonb equals that of the JSON text');
SELECT is_empty($$SELECT c FROM file WHERE c::jsonb::text <> docsis.json(c)::jsonb::text$$, '... and reads the same');
SELECT is_empty($$SELECT c FROM file WHERE pg_column_size(c::jsonb) <> pg_column_size(docsis.json(c)::jsonb)$$, '... and is as large');
SELECT is_empty($$SELECT c FROM file WHERE jsonb_hash(c::jsonb) <> jsonb_hash(docsis.json(c)::jsonb)$$, '... and hashes the same');
SELECT is_empty($$SELECT c FROM file WHERE c::jsonb::docsis.config::bytea <> c::bytea$$, '... and converts back to the same bytes');
SELECT is((SELECT jsonb_array_length(x::jsonb) = 70 AND (x::jsonb) -> 69 ->> 'v' = '70' AND (x::jsonb) -> 33 ->> 'v' = '34' AND x::jsonb = docsis.json(x)::jsonb
             FROM (SELECT docsis.config(string_agg('\x1201'::bytea || set_byte('\x00', 0, n), '' ORDER BY n)) x FROM generate_series(1, 70) n) s), true,
          'more elements than the stride of offsets');
SELECT is((SELECT x::jsonb = docsis.json(x)::jsonb FROM (SELECT docsis.config(string_agg('\xc8f0'::bytea || decode(repeat('ab', 240), 'hex'), '')) x FROM generate_series(1, 5000)) s),
          true, 'a file over a megabyte');

-- ---- -> and ->>
SELECT is(pg_temp.cm() -> 'MaxCPE', '5'::jsonb, 'a number by name');
SELECT is(pg_temp.cm() -> '18', '5'::jsonb, '... by code in a path');
SELECT is(pg_temp.cm() -> 18, '5'::jsonb, '... by code');
SELECT is(pg_temp.cm() ->> 18, '5', '... as text');
SELECT is(pg_temp.cm() -> '24.8', '10000000'::jsonb, 'a member by codes');
SELECT is(pg_temp.cm() -> 'UsServiceFlow.MaxRateSustained', '10000000'::jsonb, '... by names');
SELECT is(pg_temp.cm() -> 'MaxRateSustained', '10000000'::jsonb, 'a name alone is found at any depth, the first counts');
SELECT is(pg_temp.cm() -> 'DsServiceFlow.8', '4294967295'::jsonb, 'names and codes mixed');
SELECT is(pg_temp.cm() -> '24[2].MaxRateSustained', '64000'::jsonb, 'the second group');
SELECT is(pg_temp.cm() -> 'UsServiceFlow[2].UsServiceFlowRef', '2'::jsonb, '... by name');
SELECT is(pg_temp.cm() -> '24[3].8', NULL, 'a group that is not there');
SELECT is(pg_temp.cm() -> '24.6', '7'::jsonb, 'the first group that has the member');
SELECT is(pg_temp.cm() -> '24[2].6', NULL, '... but not another than the one asked for');
SELECT is(pg_temp.cm() -> 'CpeMacAddress[2]', '"00:11:22:aa:bb:cd"'::jsonb, 'the second of a leaf');
SELECT is(pg_temp.cm() -> 24, '[{"n": "UsServiceFlowRef", "t": "24.1", "v": 1}, {"n": "QosParamSetType", "t": "24.6", "v": 7}, {"n": "MaxRateSustained", "t": "24.8", "v": 10000000}]'::jsonb,
          'a group is the array of its members');
SELECT is(pg_temp.cm() -> 24, pg_temp.cm()::jsonb #> '{2,v}', '... the same as in the whole JSON');
SELECT is(pg_temp.cm() ->> 'SwUpgradeFilename', 'fw/größe.bin', 'a string has no quotes');
SELECT is(pg_temp.cm() -> 'sysContact.0', '"n\"oc"'::jsonb, 'an SNMP object by name');
SELECT is(pg_temp.cm() ->> '.1.3.6.1.2.1.1.4.0', 'n"oc', '... by number');
SELECT is(pg_temp.cm() -> 'docsDevNmAccessControl.1', '3'::jsonb, '... a number');
SELECT is(pg_temp.cm() ->> 'docsDevFilterIpDestPortHigh.1', '-5', '... below zero');
SELECT is(pg_temp.cm() ->> 'docsDevNmAccessIp.1', '10.0.0.1', '... an address');
SELECT is(pg_temp.cm() ->> 'sysObjectID.0', '1.3.6.1.4.1', '... an OID');
SELECT is(pg_temp.cm() ->> 'sysName.0', '0x00ff', '... bytes');
SELECT is(pg_temp.cm() -> 'SnmpMibObject', '{"oid": "1.3.6.1.2.1.1.4.0", "name": "sysContact.0", "type": "String", "value": "n\"oc"}'::jsonb, 'by its code an SNMP object is whole');
SELECT is(pg_temp.cm() -> 250, '"0x0102"'::jsonb, 'a value of no type');
SELECT is(pg_temp.cm() -> 'sysContact.1', NULL, 'an SNMP object that is not there');
SELECT is(pg_temp.cm() -> 'PrivacyEnable', NULL, 'a TLV that is not there') WHERE EXISTS (SELECT FROM docsis.symbol WHERE name = 'PrivacyEnable');
SELECT is((SELECT c -> 'EndOfDataMkr' FROM sample WHERE name = 'sealed'), 'null'::jsonb, 'a TLV without a value');
SELECT is((SELECT c ->> 'sysContact.0' FROM sample WHERE name = 'mta'), 'mta', 'in an MTA file');
SELECT is((SELECT c -> 'SnmpMibObject' ->> 'value' FROM sample WHERE name = 'mta'), 'mta', '... by the name of TLV 11');
SELECT is_empty($$SELECT f.c, t FROM file f, docsis.tlvs(f.c) t
                   WHERE t.depth = 0 AND t.path <> '0' AND t.type <> 'varbind' AND coalesce(f.c ->> t.path, '') <>
                     coalesce((SELECT coalesce(e ->> 'v', '0x' || (e ->> 'hex')) FROM jsonb_array_elements(f.c::jsonb) WITH ORDINALITY AS x (e, n) WHERE e ->> 't' = t.path ORDER BY n LIMIT 1), '')$$,
                'whatever stands at the top level is found by its code');

-- ---- subscripts
SELECT is((c)['MaxCPE'], '5'::jsonb, 'subscript by name') FROM sample WHERE name = 'cm';
SELECT is((c)[18], '5'::jsonb, 'subscript by code') FROM sample WHERE name = 'cm';
SELECT is((c)[24]['MaxRateSustained'], '10000000'::jsonb, 'code, then name') FROM sample WHERE name = 'cm';
SELECT is((c)['UsServiceFlow'][2]['MaxRateSustained'], '64000'::jsonb, 'name, occurrence, name') FROM sample WHERE name = 'cm';
SELECT is((c)[24][2][8], '64000'::jsonb, 'code, occurrence, code') FROM sample WHERE name = 'cm';
SELECT is((c)['24[2].8'], '64000'::jsonb, 'a path') FROM sample WHERE name = 'cm';
SELECT is((c)['sysContact.0'], '"n\"oc"'::jsonb, 'an SNMP object') FROM sample WHERE name = 'cm';
SELECT is((c)[NULL::text], NULL, 'null') FROM sample WHERE name = 'cm';
SELECT results_eq($$SELECT (c)[p] FROM sample, unnest('{MaxCPE,24.1,24.1,MaxCPE}'::text[]) WITH ORDINALITY AS u (p, n) WHERE name = 'cm' ORDER BY n$$,
                  $$VALUES ('5'::jsonb), ('1'), ('1'), ('5')$$, 'a subscript that differs from row to row');
SELECT refused($$UPDATE sample SET c['MaxCPE'] = '1'$$, '0A000', 'a part of a configuration cannot be assigned to', '', '%||%', 'assignment');
SELECT refused($$SELECT c[1:2] FROM sample$$, '0A000', 'docsis.config has no slices', '', '%24[2].8%', 'slices');
SELECT refused($$SELECT c[now()] FROM sample$$, '42804', 'subscript type % is not supported', '', '%text%integer%', 'another type');
SELECT refused($$SELECT c[18][0] FROM sample$$, '22023', '0 is not an occurrence here', '', '%count from 1%', 'occurrence zero');
SELECT refused($$SELECT c['sysContact.0'][1] FROM sample$$, '22023', '1 is not an occurrence here', '', '%', 'occurrence of an SNMP object');
SELECT refused($$SELECT c['sysContact.0']['MaxCPE'] FROM sample$$, '22023', 'a path of these subscripts%', '%stand alone%', '%', 'member of an SNMP object');
SELECT refused($$SELECT c[24]['MaxCPE'] FROM sample$$, '22023', 'unknown name "MaxCPE" in a path', '%no such member%', '%', 'a name that is no member');

-- ---- what paths refuse
SELECT refused(format('SELECT pg_temp.cm() -> %L', p), '22023', m, d, '%', 'path ' || p)
  FROM (VALUES ('', 'malformed path ""', '%empty%'), ('24.', 'malformed path%', '%missing%'), ('24..8', 'malformed path%', '%missing%'),
               ('24[0]', 'malformed path%', '%from 1%'), ('24[', 'malformed path%', '%from 1%'), ('24[1', 'malformed path%', '%from 1%'),
               ('24[99999999999]', 'malformed path%', '%from 1%'), ('256', 'malformed path%', '%255%'), ('24.999999999999', 'malformed path%', '%255%'),
               ('24/8', 'malformed path%', '%dots%'), ('1.2.3.4.5.6.7.8.9.10.11.12.13', 'malformed path%', '%deeper%'),
               ('24.nonsense', 'unknown name "nonsense"%', '%No TLV%'), ('nonsense', 'unknown name%', '%'), ('UsServiceFlow.MaxCPE', 'unknown name "MaxCPE"%', '%no such member%'),
               ('sysNonsense.0', 'unknown name%', '%'), ('.1.3..6', 'unknown name%', '%'), ('.9.9', 'unknown name%', '%'), (E'Max\u00e9', 'unknown name%', '%')) t (p, m, d);
SELECT refused('SELECT pg_temp.cm() -> 256', '22023', '256 is not the code of a TLV', '%0 to 255%', '%', 'a code above 255');
SELECT refused('SELECT pg_temp.cm() ->> -1', '22023', '-1 is not the code of a TLV', '%', '%', 'a code below 0');
SELECT is(pg_temp.cm() -> '24.200', NULL, 'a code that no specification has is just not there');

-- Random paths give a value or 22023, never another error.
CREATE FUNCTION pg_temp.code_of(p text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_temp.cm() -> p, pg_temp.cm() ->> p, pg_temp.cm() ? p, docsis.numbers(pg_temp.cm(), p); RETURN '22023'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
SELECT is_empty($$SELECT p, pg_temp.code_of(p) FROM (SELECT n, string_agg((ARRAY['24', '8', '.', '.', '[', ']', '[2]', '1', '0', 'UsServiceFlow', 'MaxRateSustained', 'SnmpMibObject', 'sysContact', 'vacmGroupName', '"', 'a', '-', ' ', '43', '11', '999', 'é'])[1 + (random() * 21)::int], '') p
                   FROM generate_series(1, 3000) n, generate_series(1, 1 + n % 6) GROUP BY n) s WHERE pg_temp.code_of(p) <> '22023'$$, 'random paths');

-- ---- ||
SELECT is(('Main { NetworkAccess 1; }'::docsis.config || docsis.seal('Main { MaxCPE 3; }', 'x') || 'Main { MaxCPE 4; }')::bytea, '\x030101120103120104'::bytea, 'concatenation is unsealed');
SELECT is((docsis.seal('Main { NetworkAccess 1; }', 'x') || docsis.config('\x'::bytea))::bytea, '\x030101'::bytea, 'an empty one takes the seal away');
SELECT is(a.c || b.c, a.c, 'mta || empty') FROM sample a, sample b WHERE a.name = 'mta' AND b.name = 'empty';
SELECT is((c || c)::docsis.config, 'Main { MtaConfigDelimiter 1; SnmpMibObject sysContact.0 String "mta"; SnmpMibObject sysContact.0 String "mta"; MtaConfigDelimiter 255; }'::docsis.config,
          'two MTA files have one pair of delimiters') FROM sample WHERE name = 'mta';
SELECT refused($$SELECT pg_temp.cm() || c FROM sample WHERE name = 'mta'$$, '22023', 'cannot concatenate a CM and an MTA configuration', 'The right one%', '%same kind%', 'CM and MTA');
SELECT is_empty($$SELECT x FROM (SELECT a.c || b.c AS x FROM random_file a, (SELECT c FROM random_file WHERE octet_length(c::bytea) > 0 AND get_byte(c::bytea, 0) <> 254 LIMIT 5) b
                   WHERE octet_length(a.c::bytea) = 0 OR get_byte(a.c::bytea, 0) <> 254) s WHERE docsis.config(x::bytea) <> x$$, 'any two give a well-formed one');

-- ---- @> and ?
SELECT ok(pg_temp.cm() @> '{"MaxCPE": 5}', 'a literal is a pattern');
SELECT ok(pg_temp.cm() @> '{"MaxCPE": 5}'::jsonb, 'jsonb is a pattern');
SELECT ok(NOT pg_temp.cm() @> '{"MaxCPE": 6}', 'another value');
SELECT ok(pg_temp.cm() @> '{"MaxCPE": 5.0}', 'numbers are numbers');
SELECT ok(NOT pg_temp.cm() @> '{"MaxCPE": 5.5}', 'no TLV holds a fraction');
SELECT ok(NOT pg_temp.cm() @> '{"MaxCPE": 99999999999999999999999}', '... or a giant');
SELECT ok(NOT pg_temp.cm() @> '{"MaxCPE": "5"}', 'a string is no number');
SELECT ok(pg_temp.cm() @> '{"UsServiceFlow": {"UsServiceFlowRef": 1, "MaxRateSustained": 10000000}}', 'two members of one group');
SELECT ok(NOT pg_temp.cm() @> '{"UsServiceFlow": {"UsServiceFlowRef": 1, "MaxRateSustained": 64000}}', 'members of two groups are not one group');
SELECT ok(pg_temp.cm() @> '{"UsServiceFlow": [{"UsServiceFlowRef": 1}, {"8": 64000}]}', 'an array asks for each');
SELECT ok(pg_temp.cm() @> '{"MaxRateSustained": [64000, 4294967295]}', '... of numbers as well');
SELECT ok(pg_temp.cm() @> '{"24[2]": {"8": 64000}, "24[1].8": 10000000}', 'occurrences');
SELECT ok(NOT pg_temp.cm() @> '{"24[1].8": 64000}', '... count');
SELECT ok(pg_temp.cm() @> '{"sysContact.0": "n\"oc", ".1.3.6.1.2.1.69.1.2.1.2.1": "10.0.0.1", "docsDevNmAccessControl.1": 3}', 'SNMP objects');
SELECT ok(pg_temp.cm() @> '{"250": "0x0102", "CpeMacAddress": "00:11:22:aa:bb:cd", "SwUpgradeFilename": "fw/größe.bin"}', 'strings in the form of the JSON');
SELECT ok(pg_temp.cm() @> '{"UsServiceFlow": {}, "MaxCPE": {}, "sysContact.0": []}', 'presence');
SELECT ok(pg_temp.cm() @> '{}' AND pg_temp.cm() @> '[]', 'nothing is in everything');
SELECT ok(pg_temp.cm() @> '[{"MaxCPE": 5}, {"NetworkAccess": 1}]', 'an array of patterns');
SELECT ok(pg_temp.cm() @> pg_temp.cm() AND pg_temp.cm() @> docsis.seal(pg_temp.cm(), 'x'), 'a config is in itself, whatever its seal');
SELECT ok(pg_temp.cm() @> 'Main { UsServiceFlow { MaxRateSustained 64000; } MaxCPE 5; }'::docsis.config, 'a config in a config');
SELECT ok(NOT pg_temp.cm() @> 'Main { UsServiceFlow { UsServiceFlowRef 1; MaxRateSustained 64000; } }'::docsis.config, '... a group in one group');
SELECT ok(pg_temp.cm() ? 'MaxCPE' AND pg_temp.cm() ? '24[2].8' AND pg_temp.cm() ? 'sysName.0' AND NOT pg_temp.cm() ? '24[2].6' AND NOT pg_temp.cm() ? 'CmMic', 'presence of a path');
SELECT refused(format('SELECT pg_temp.cm() @> %L', p), '22023', 'invalid pattern of a configuration', d, '%{"MaxCPE": 2}%', 'pattern ' || p)
  FROM (VALUES ('1', '%single value%'), ('[1]', '%no object%'), ('{"MaxCPE": true}', '%numbers, strings%'), ('{"MaxCPE": null}', '%numbers, strings%'),
               ('{"UsServiceFlow": {"MaxCPE": 5}}', '%no member%'), ('{"sysContact.0": {"a": 1}}', '%no members%')) t (p, d);
SELECT is((error_of('SELECT pg_temp.cm() @> ''{"nonsense": 1}''')).code, '22023', 'an unknown name in a pattern');
SELECT is((error_of('SELECT pg_temp.cm() @> ''{''')).code, '22P02', 'no JSON');
SELECT is((error_of('SELECT pg_temp.cm() @> ''\x0305''::bytea')).code, '22P03', 'bytes that are no config');
SELECT is((SELECT count(*) FROM sample, unnest('{"{\"MaxCPE\": 5}", "{\"MaxCPE\": 6}", "{\"MaxCPE\": 5}"}'::text[]) p WHERE c @> p), 3::bigint, 'a pattern that differs from row to row');

-- ---- GIN says what a scan says
CREATE TEMP TABLE indexed AS SELECT row_number() OVER () AS id, c FROM file;
CREATE INDEX indexed_gin ON indexed USING gin (c);
ANALYZE indexed;
CREATE TEMP TABLE question (q text);
INSERT INTO question
    SELECT format('c ? %L', p) FROM (SELECT DISTINCT path FROM file f, docsis.tlvs(f.c) UNION SELECT DISTINCT name FROM file f, docsis.tlvs(f.c) WHERE name IS NOT NULL
                                     UNION SELECT unnest('{24[2],24[2].8,UsServiceFlow.MaxRateSustained,sysContact.0,.1.3.6.1.2.1.1.4.0,24.8,200.5}'::text[])) t (p)
    UNION ALL SELECT format('c @> %L', p) FROM unnest(ARRAY['{"MaxCPE": 5}', '{"UsServiceFlow": {"UsServiceFlowRef": 1}}', '{"24": {"1": 1, "8": 10000000}}', '{"MaxRateSustained": [64000, 4294967295]}',
        '{"sysContact.0": "n\"oc"}', '{"sysContact.0": "mta"}', '{"SnmpMibObject": {}}', '{"64": {}}', '{"250": "0x0102"}', '{}', '{"MaxCPE": 5.5}', '{"43": {"8": "0xffffff"}}', '{"VendorSpecific": {"VendorIdentifier": {}}}']) p;
INSERT INTO question SELECT format('c @> docsis.config(%L::bytea)', c::bytea) FROM (SELECT c FROM file ORDER BY md5(c::bytea) LIMIT 150) s;
INSERT INTO question SELECT format('c @> docsis.config(%L::bytea)', substring(c::bytea, t."offset" + 1, t.length + 2))
                       FROM (SELECT c FROM file ORDER BY md5(c::bytea) LIMIT 40) s, docsis.tlvs(s.c) t WHERE t.depth = 0 AND t.path NOT IN ('0', '255', '64', '254') AND octet_length(c::bytea) >= t."offset" + t.length + 2;
CREATE FUNCTION pg_temp.ids(q text, indexed boolean) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE r bigint[];
BEGIN
    PERFORM set_config('enable_seqscan', CASE WHEN indexed THEN 'off' ELSE 'on' END, true), set_config('enable_bitmapscan', CASE WHEN indexed THEN 'on' ELSE 'off' END, true);
    EXECUTE 'SELECT array_agg(id ORDER BY id) FROM indexed WHERE ' || q INTO r;
    PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_bitmapscan', 'on', true);
    RETURN r;
END $$;
CREATE FUNCTION pg_temp.plan(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; r text := '';
BEGIN
    PERFORM set_config('enable_seqscan', 'off', true);
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || q LOOP r := r || line || E'\n'; END LOOP;
    PERFORM set_config('enable_seqscan', 'on', true);
    RETURN r;
END $$;
SELECT matches(pg_temp.plan('SELECT * FROM indexed WHERE c @> ''{"MaxCPE": 5}'''), 'Bitmap Index Scan on indexed_gin', '@> of a literal uses the index');
SELECT matches(pg_temp.plan('SELECT * FROM indexed WHERE c @> ''{"MaxCPE": 5}''::jsonb'), 'Bitmap Index Scan on indexed_gin', '@> of jsonb uses the index');
SELECT matches(pg_temp.plan('SELECT * FROM indexed WHERE c @> ''Main { MaxCPE 5; }''::docsis.config'), 'Bitmap Index Scan on indexed_gin', '@> of a config uses the index');
SELECT matches(pg_temp.plan('SELECT * FROM indexed WHERE c ? ''MaxCPE'''), 'Bitmap Index Scan on indexed_gin', '? uses the index');
SELECT cmp_ok((SELECT count(*) FROM question), '>', 500::bigint, 'enough questions');
SELECT is_empty($$SELECT q, pg_temp.ids(q, true), pg_temp.ids(q, false) FROM question WHERE pg_temp.ids(q, true) IS DISTINCT FROM pg_temp.ids(q, false)$$, 'index and scan find the same rows');
SELECT ok(count(*) FILTER (WHERE pg_temp.ids(q, true) IS NOT NULL) > 400, 'most questions find something') FROM question;

-- ---- numbers and their index
SELECT is(docsis.numbers(pg_temp.cm(), 'MaxRateSustained'), '{10000000,64000,4294967295}'::bigint[], 'all numbers of a name');
SELECT is(docsis.numbers(pg_temp.cm(), '24.8'), '{10000000,64000}'::bigint[], '... of a path');
SELECT is(docsis.numbers(pg_temp.cm(), 'SwUpgradeFilename'), '{}'::bigint[], 'strings are none');
SELECT is(docsis.numbers(pg_temp.cm(), 'docsDevNmAccessControl.1'), '{3}'::bigint[], 'of an SNMP object');
SELECT is(docsis.max_number(pg_temp.cm(), '24.8'), 10000000::bigint, 'the greatest');
SELECT is(docsis.min_number(pg_temp.cm(), '24.8'), 64000::bigint, 'the least');
SELECT is(docsis.max_number(pg_temp.cm(), '22.1'), NULL, 'of none');
CREATE TEMP TABLE modem AS SELECT n, docsis.config('\x1806080400'::bytea || substring(int4send(n * 1000) from 2)) c FROM generate_series(1, 2000) n;
CREATE INDEX modem_rate ON modem (docsis.max_number(c, '24.8'));
ANALYZE modem;
SELECT matches(pg_temp.plan($$SELECT * FROM modem WHERE docsis.max_number(c, '24.8') > 1990000$$), 'Index.*modem_rate', 'a question about rates uses the index');
SELECT is((SELECT count(*) FROM modem WHERE docsis.max_number(c, '24.8') > 1990000), 10::bigint, '... and is answered');

-- ---- storage and statistics
CREATE TEMP TABLE plain AS SELECT docsis.seal(pg_temp.cm() || docsis.config('\x1201'::bytea || set_byte('\x00', 0, n % 256)), 's') AS c FROM generate_series(1, 1000) n;
ANALYZE plain;
SELECT ok((SELECT n_distinct <> 0 AND avg_width > 100 FROM pg_stats WHERE tablename = 'plain' AND attname = 'c'), 'ANALYZE knows the column');
SELECT cmp_ok((SELECT round(sum(pg_column_size(c))::numeric / sum(octet_length(c::bytea)), 3) FROM plain), '<=', 1.1, 'a stored config is as large as its file');

-- ---- diff
SELECT is_empty($$SELECT sample.name FROM sample, docsis.diff(c, docsis.seal(c, 'x'))$$, 'a seal is no difference');
SELECT is_empty($$SELECT f.c FROM file f, docsis.diff(f.c, f.c)$$, 'nothing differs from itself');
SELECT results_eq($$SELECT * FROM docsis.diff(
    'Main { NetworkAccess 1; UsServiceFlow { UsServiceFlowRef 1; MaxRateSustained 1000; } UsServiceFlow { UsServiceFlowRef 2; QosParamSetType 7; } SnmpMibObject sysContact.0 String "a"; SnmpMibObject sysName.0 String "n"; }',
    'Main { NetworkAccess 0; UsServiceFlow { UsServiceFlowRef 3; } UsServiceFlow { UsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained 9; } UsServiceFlow { UsServiceFlowRef 1; MaxRateSustained 2000; } MaxCPE 1; SnmpMibObject sysName.0 String "n"; SnmpMibObject sysContact.0 HexString 0x00; }')$$,
    $$VALUES ('changed', '3', 'NetworkAccess', 1, '1', '0'), ('changed', '24[3].8', 'UsServiceFlow.MaxRateSustained', 3, '1000', '2000'),
             ('added', '24[2].8', 'UsServiceFlow.MaxRateSustained', 2, NULL, '9'), ('changed', '.1.3.6.1.2.1.1.4.0', 'sysContact.0', 2, 'String "a"', 'HexString 0x00'),
             ('added', '24', 'UsServiceFlow', 1, NULL, '{ UsServiceFlowRef 3; }'), ('added', '18', 'MaxCPE', 1, NULL, '1')$$, 'flows by reference, SNMP objects by OID');
SELECT results_eq($$SELECT change, path, old_value, new_value FROM docsis.diff('Main { CpeMacAddress 00:00:00:00:00:01; CpeMacAddress 00:00:00:00:00:02; }', 'Main { CpeMacAddress 00:00:00:00:00:01; }')$$,
                  $$VALUES ('removed', '14[2]', '00:00:00:00:00:02', NULL)$$, 'the rest by occurrence');
SELECT is_empty($$SELECT a.c, b.c, d FROM sample a, sample b, docsis.diff(a.c, b.c) d
                   WHERE d.change = 'added' AND d.new_value <> '' AND NOT b.c ? d.path$$, 'paths of differences are understood by the operators');
SELECT lives_ok($$SELECT count(*) FROM (SELECT c FROM file ORDER BY md5(c::bytea) LIMIT 60) a, (SELECT c FROM file ORDER BY md5(c::bytea) DESC LIMIT 60) b, docsis.diff(a.c, b.c)$$, 'any two can be compared');

SELECT * FROM finish();
ROLLBACK;
