-- What is wrong or odd about a configuration. The rules one by one: tests/codec/lint.c.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL search_path TO docsis, public, test;

CREATE FUNCTION pg_temp.flows() RETURNS text LANGUAGE sql AS
    $$SELECT 'NetworkAccess 1; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; } '$$;
CREATE FUNCTION pg_temp.sealed(settings text) RETURNS docsis.config LANGUAGE sql AS
    $$SELECT docsis.seal(('Main { ' || pg_temp.flows() || settings || '}')::docsis.config, 'secret')$$;

-- ---- shape
SELECT is_empty($$SELECT * FROM docsis.lint(pg_temp.sealed('MaxCPE 5; SnmpMibObject sysContact.0 String "noc";'))$$,
    'a clean file has no finding');
SELECT results_eq($$SELECT severity, path, occurrence, "offset", rule, message, spec, hint FROM docsis.lint(pg_temp.sealed('MaxCPE 1; MaxCPE 2;'))$$,
    $$VALUES ('error', '18[2]', 2, 24, 'duplicate-setting', 'MaxCPE occurs again, with another value',
              'MULPIv3.0-I24 Annex C.1.1.7', 'Keep one of them.')$$, 'a finding has all its columns');
SELECT results_eq($$SELECT severity, path, occurrence, "offset", rule, hint FROM docsis.lint('Main { NetworkAccess 1; }')$$,
    $$VALUES ('error', NULL::text, NULL::int, NULL::int, 'mandatory-missing', 'Add the setting; 6, 7 and 255 are made by sealing.'),
             ('error', NULL, NULL, NULL, 'mandatory-missing', 'Add the setting; 6, 7 and 255 are made by sealing.'),
             ('error', NULL, NULL, NULL, 'not-sealed', 'Seal it: docsis.seal(config, secret).')$$,
    'what concerns the whole file has no place');
SELECT results_eq($$SELECT path FROM docsis.lint('Main { NetworkAccess 1; NetworkAccess 0; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }
        UsServiceFlow { UsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained 1; MaxRateSustained 2; } }') WHERE path IS NOT NULL$$,
    $$VALUES ('3[2]'), ('24[2].8[2]')$$, 'in the order of the file');
SELECT is((SELECT c -> path FROM docsis.lint(c) WHERE rule = 'duplicate-setting'), '2'::jsonb, 'a path can be used as one')
    FROM pg_temp.sealed('MaxCPE 1; MaxCPE 2;') c;
SELECT is((SELECT spec FROM docsis.lint(pg_temp.sealed('SnmpMibObject docsDevNmAccessControl.0 Integer 9;')) WHERE rule = 'snmp-enum'),
    (SELECT spec FROM docsis.mib_object WHERE name = 'docsDevNmAccessControl'), 'SNMP findings name the document of the MIB');
SELECT is_empty($$SELECT * FROM docsis.lint(NULL)$$, 'null has none');

-- ---- versions
SELECT results_eq($$SELECT v, count(*) FILTER (WHERE rule = 'newer-than-version'), count(*) FILTER (WHERE severity = 'error')
        FROM unnest('{1.0,1.1,2.0,3.0,3.1,4.0}'::text[]) v, docsis.lint(pg_temp.sealed('DTPModeConfiguration 1;'), v) GROUP BY 1 ORDER BY 1$$,
    $$VALUES ('1.0', 3::bigint, 1::bigint), ('1.1', 1, 0), ('2.0', 1, 0), ('3.0', 1, 0)$$, 'a file is checked for a version');
SELECT results_eq($$SELECT v, severity, rule FROM unnest('{1.0,1.1,3.1,4.0}'::text[]) v,
        docsis.lint(docsis.seal('Main { NetworkAccess 1; ClassOfService { ClassID 1; } }', 's'), v)
        WHERE rule IN ('class-of-service', 'removed-setting') ORDER BY 1$$,
    $$VALUES ('1.1', 'warning', 'class-of-service'), ('3.1', 'warning', 'class-of-service'), ('4.0', 'error', 'removed-setting')$$,
    'DOCSIS 1.0 settings in later versions');
SELECT refused($$SELECT docsis.lint('Main { MaxCPE 1; }', '5.0')$$, '22023', 'unknown DOCSIS version "5.0"', '%version.', 'Use 1.0%',
    'another version is refused');

-- ---- MICs
SELECT is((SELECT array_agg(rule) FROM docsis.lint((substr(c::bytea, 1, 2) || '\x00'::bytea || substr(c::bytea, 4))::docsis.config) WHERE severity = 'error'),
    '{cm-mic-wrong}', 'a file changed after sealing') FROM pg_temp.sealed('') c;
SELECT is_empty($$SELECT * FROM docsis.lint(docsis.seal(('Main { ' || pg_temp.flows() || 'SubMgmtControl6 1; }')::docsis.config, 's', extended => $$ || quote_literal(f) || $$))$$,
    'an Extended CMTS MIC (' || f || ') covers what needs it') FROM unnest('{implicit,explicit}'::text[]) f;
SELECT is((SELECT array_agg(rule) FROM docsis.lint(pg_temp.sealed('SubMgmtControl6 1;'))), '{needs-extended-mic}', 'without one it is told');

-- ---- MTA files
SELECT is_empty($$SELECT * FROM docsis.lint(docsis.mta('Main { MtaConfigDelimiter 1; SnmpMibObject sysContact.0 String "a"; MtaConfigDelimiter 255; }', $$ || quote_literal(h) || $$))$$,
    'an MTA file with its hash: ' || h) FROM unnest('{na,eu,ietf}'::text[]) h;
SELECT is((SELECT array_agg(rule || ' ' || severity) FROM docsis.lint('Main { MtaConfigDelimiter 1; NetworkAccess 1; MtaConfigDelimiter 254; }')),
    '{"mta-setting warning","mta-delimiter error","mta-delimiter error","mta-hash-missing notice"}', 'an MTA file with faults');

-- ---- the operator's own MIB objects
INSERT INTO nmsp.mib_object (name, module, oid, type, ranges) VALUES ('acmeLevel', 'ACME-MIB', '1.3.6.1.4.1.99999.1', 'INTEGER', '1..5');
SELECT is((SELECT array_agg(rule) FROM docsis.lint(pg_temp.sealed('SnmpMibObject .1.3.6.1.4.1.99999.1.0 Integer 9;'))), '{snmp-unknown}',
    'docsis.lint does not know them');
SELECT results_eq($$SELECT rule, message FROM nmsp.lint(pg_temp.sealed('SnmpMibObject .1.3.6.1.4.1.99999.1.0 Integer 9; SnmpMibObject .1.3.6.1.4.1.99999.1.7 Gauge32 3;'))$$,
    $$VALUES ('snmp-range', 'acmeLevel.0 is 9; the MIB allows 1 to 5'), ('snmp-index', 'acmeLevel.7: a scalar ends with .0'),
             ('snmp-number-type', 'acmeLevel.7 has a value of tag 0x42; its type is Integer')$$, 'nmsp.lint does');

-- ---- rules
SELECT set_eq($$SELECT DISTINCT severity FROM docsis.lint_rule$$, $$VALUES ('error'), ('warning'), ('notice')$$, 'severities');
SELECT ok(count(*) > 50 AND count(DISTINCT rule) = count(*) AND bool_and(rule ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND meaning ~ '\.$' AND coalesce(hint ~ '[.?]$', true)),
    'each rule has an identifier, a meaning, a hint') FROM docsis.lint_rule;
\set reference `cat "$NMSP_ROOT"/doc/reference.md`
SELECT is_empty($$SELECT rule, severity FROM docsis.lint_rule WHERE position('| `' || rule || '` | ' || severity || ' |' IN $$ || quote_literal(:'reference') || $$) = 0$$,
    'the manual has each rule with its severity');

-- ---- the vectors
\set behaviour `cut -f6 "$NMSP_ROOT"/tests/codec/vectors/cases-behaviour.tsv`
\set symbols `cut -f6 "$NMSP_ROOT"/tests/codec/vectors/cases-symbols.tsv`
CREATE FUNCTION pg_temp.well_formed(b bytea) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN PERFORM docsis.config(b); RETURN true; EXCEPTION WHEN invalid_binary_representation THEN RETURN false; END $$;
CREATE TEMP TABLE file AS
    SELECT docsis.config(b) AS c FROM (SELECT DISTINCT decode(h, 'hex') b FROM string_to_table(:'behaviour' || E'\n' || :'symbols', E'\n') h
                        WHERE h ~ '^([0-9a-f]{2})+$') v WHERE pg_temp.well_formed(b);
SELECT ok(count(DISTINCT c::bytea) > 900 AND bool_and(message <> '' AND message !~ '\.$' AND (path IS NULL) = ("offset" IS NULL)
            AND (path IS NULL OR c -> path IS NOT NULL OR (c -> path) IS NULL)), 'files of all symbols: each finding is of its form')
    FROM file, docsis.lint(c, '3.1');
SELECT is_empty($$SELECT c, l FROM file, docsis.lint(c, '3.1') l WHERE rule IN ('value-length', 'value-range', 'unknown-tlv', 'misplaced-tlv')
        AND c::text !~ 'GenericTLV|SnmpWriteControl'$$, 'what the text language encodes has values of the right length and range');
SELECT set_eq($$SELECT rule FROM file, docsis.lint(c, '3.1') WHERE rule LIKE 'cm-mic%' OR rule LIKE 'padding%' OR rule LIKE 'mic-%'$$,
    ARRAY[]::text[], 'sealed files are sealed');

SELECT * FROM finish();
ROLLBACK;
