-- A configuration is a value: JSON, paths, subscripts, concatenation, containment, differences.

CREATE FUNCTION docsis.json(docsis.config) RETURNS json
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 350 AS 'MODULE_PATHNAME', 'docsis_config_to_json';
COMMENT ON FUNCTION docsis.json(docsis.config) IS
'JSON text: as docsis.jsonb(config), with the members of an object in the order t, n, v.';
CREATE CAST (docsis.config AS json) WITH FUNCTION docsis.json(docsis.config);

-- ---- paths

CREATE FUNCTION docsis.get(config docsis.config, path text) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_config_get';
COMMENT ON FUNCTION docsis.get(docsis.config, text) IS
'The value of the first TLV that the path means, as in docsis.jsonb: a number, a string, or an array of the members of a group; null when there is none. Paths: codes (24.8), names (UsServiceFlow.MaxRateSustained), a name alone at any depth (MaxRateSustained), the n-th of several (24[2].8), the value of an SNMP object (sysContact.0, .1.3.6.1.2.1.1.4.0). Errors: 22023 malformed path or unknown name.';

CREATE FUNCTION docsis.get_text(config docsis.config, path text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_config_get_text';
COMMENT ON FUNCTION docsis.get_text(docsis.config, text) IS
'As docsis.get, as text: numbers in digits, strings without quotes, groups as JSON. Errors: 22023 malformed path or unknown name.';

CREATE FUNCTION docsis.get(config docsis.config, code int) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_config_get_code';
COMMENT ON FUNCTION docsis.get(docsis.config, int) IS
'The value of the first top-level TLV of this code, as jsonb. Errors: 22023 code not 0 to 255.';

CREATE FUNCTION docsis.get_text(config docsis.config, code int) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_config_get_code_text';
COMMENT ON FUNCTION docsis.get_text(docsis.config, int) IS
'The value of the first top-level TLV of this code, as text. Errors: 22023 code not 0 to 255.';

CREATE OPERATOR docsis.-> (LEFTARG = docsis.config, RIGHTARG = text, FUNCTION = docsis.get);
CREATE OPERATOR docsis.->> (LEFTARG = docsis.config, RIGHTARG = text, FUNCTION = docsis.get_text);
CREATE OPERATOR docsis.-> (LEFTARG = docsis.config, RIGHTARG = int, FUNCTION = docsis.get);
CREATE OPERATOR docsis.->> (LEFTARG = docsis.config, RIGHTARG = int, FUNCTION = docsis.get_text);
COMMENT ON OPERATOR docsis.-> (docsis.config, text) IS 'value by path, as jsonb';
COMMENT ON OPERATOR docsis.->> (docsis.config, text) IS 'value by path, as text';
COMMENT ON OPERATOR docsis.-> (docsis.config, int) IS 'value of a top-level TLV by code, as jsonb';
COMMENT ON OPERATOR docsis.->> (docsis.config, int) IS 'value of a top-level TLV by code, as text';

CREATE FUNCTION docsis.config_subscript(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'docsis_config_subscript';
COMMENT ON FUNCTION docsis.config_subscript(internal) IS
'Subscripts of docsis.config: config[''MaxCPE''], config[24][2][''MaxRateSustained'']. A text is a path, an integer a code; an integer behind either is an occurrence, counted from 1. The result is that of ->.';
ALTER TYPE docsis.config SET (SUBSCRIPT = docsis.config_subscript);

-- ---- concatenation

CREATE FUNCTION docsis.concat(docsis.config, docsis.config) RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 60 AS 'MODULE_PATHNAME', 'docsis_config_concat';
COMMENT ON FUNCTION docsis.concat(docsis.config, docsis.config) IS
'The TLVs of both in order, unsealed: MICs, end-of-data and padding of both are left out. Of two MTA files one pair of delimiters stays. Errors: 22023 one is of a CM, the other of an MTA.';
CREATE OPERATOR docsis.|| (LEFTARG = docsis.config, RIGHTARG = docsis.config, FUNCTION = docsis.concat);
COMMENT ON OPERATOR docsis.|| (docsis.config, docsis.config) IS 'concatenate, unsealed';

-- ---- numbers, for expression indexes:
--      CREATE INDEX ON file (docsis.max_number(config, '24.8'));

CREATE FUNCTION docsis.numbers(config docsis.config, path text) RETURNS bigint[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'docsis_config_numbers';
COMMENT ON FUNCTION docsis.numbers(docsis.config, text) IS
'The numbers of all TLVs that the path means, in file order; what is no number is passed over. Errors: 22023 malformed path or unknown name.';

CREATE FUNCTION docsis.min_number(config docsis.config, path text) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 35 AS 'MODULE_PATHNAME', 'docsis_config_min_number';
COMMENT ON FUNCTION docsis.min_number(docsis.config, text) IS
'The least number of docsis.numbers, or null. Errors: 22023 malformed path or unknown name.';

CREATE FUNCTION docsis.max_number(config docsis.config, path text) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 35 AS 'MODULE_PATHNAME', 'docsis_config_max_number';
COMMENT ON FUNCTION docsis.max_number(docsis.config, text) IS
'The greatest number of docsis.numbers, or null. To find modems by rate: CREATE INDEX ... (docsis.max_number(config, ''24.8'')). Errors: 22023 malformed path or unknown name.';

-- ---- containment. The text variant is what a literal of unknown type becomes; with a
-- (config, config) operator such a literal would be read as a configuration. bytea takes
-- configurations by their implicit cast.

CREATE FUNCTION docsis.contains(config docsis.config, pattern jsonb) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'docsis_config_contains_jsonb';
COMMENT ON FUNCTION docsis.contains(docsis.config, jsonb) IS
'Does the configuration have all that the pattern says? An object names values by path: {"MaxCPE": 2, "UsServiceFlow": {"UsServiceFlowRef": 1, "MaxRateSustained": 5}}; what stands in an inner object must be in the same group, its paths are relative to it. An array asks for each of its elements. {} as a value asks for presence. Errors: 22023 no such pattern, malformed path or unknown name.';

CREATE FUNCTION docsis.contains(config docsis.config, pattern text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'docsis_config_contains_text';
COMMENT ON FUNCTION docsis.contains(docsis.config, text) IS
'As docsis.contains(config, jsonb), of JSON text. Errors: 22P02 no JSON; 22023 no such pattern, malformed path or unknown name.';

CREATE FUNCTION docsis.contains(config docsis.config, part bytea) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 300 AS 'MODULE_PATHNAME', 'docsis_config_contains_config';
COMMENT ON FUNCTION docsis.contains(docsis.config, bytea) IS
'Is each TLV of the second configuration in the first, the members of a group in one and the same group? MICs, end-of-data and padding of the second do not count. Errors: 22P03 when it is no sequence of TLVs.';

CREATE FUNCTION docsis.has(config docsis.config, path text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_config_exists';
COMMENT ON FUNCTION docsis.has(docsis.config, text) IS
'Is there a TLV that the path means? Errors: 22023 malformed path or unknown name.';

CREATE OPERATOR docsis.@> (LEFTARG = docsis.config, RIGHTARG = jsonb, FUNCTION = docsis.contains,
    RESTRICT = contsel, JOIN = contjoinsel);
CREATE OPERATOR docsis.@> (LEFTARG = docsis.config, RIGHTARG = text, FUNCTION = docsis.contains,
    RESTRICT = contsel, JOIN = contjoinsel);
CREATE OPERATOR docsis.@> (LEFTARG = docsis.config, RIGHTARG = bytea, FUNCTION = docsis.contains,
    RESTRICT = contsel, JOIN = contjoinsel);
CREATE OPERATOR docsis.? (LEFTARG = docsis.config, RIGHTARG = text, FUNCTION = docsis.has,
    RESTRICT = contsel, JOIN = contjoinsel);
COMMENT ON OPERATOR docsis.@> (docsis.config, jsonb) IS 'has all that the pattern says';
COMMENT ON OPERATOR docsis.@> (docsis.config, text) IS 'has all that the pattern (JSON text) says';
COMMENT ON OPERATOR docsis.@> (docsis.config, bytea) IS 'has all TLVs of a configuration';
COMMENT ON OPERATOR docsis.? (docsis.config, text) IS 'has a TLV of this path';

CREATE FUNCTION docsis.gin_extract_value(docsis.config, internal, internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'docsis_gin_extract_value';
CREATE FUNCTION docsis.gin_extract_query(docsis.config, internal, smallint, internal, internal, internal, internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'docsis_gin_extract_query';
CREATE FUNCTION docsis.gin_consistent(internal, smallint, docsis.config, integer, internal, internal, internal, internal) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'docsis_gin_consistent';
CREATE FUNCTION docsis.gin_triconsistent(internal, smallint, docsis.config, integer, internal, internal, internal) RETURNS "char"
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'docsis_gin_triconsistent';
COMMENT ON FUNCTION docsis.gin_extract_value(docsis.config, internal, internal) IS 'GIN support.';
COMMENT ON FUNCTION docsis.gin_extract_query(docsis.config, internal, smallint, internal, internal, internal, internal) IS 'GIN support.';
COMMENT ON FUNCTION docsis.gin_consistent(internal, smallint, docsis.config, integer, internal, internal, internal, internal) IS 'GIN support.';
COMMENT ON FUNCTION docsis.gin_triconsistent(internal, smallint, docsis.config, integer, internal, internal, internal) IS 'GIN support.';

CREATE OPERATOR CLASS docsis.config_path_ops DEFAULT FOR TYPE docsis.config USING gin AS
    OPERATOR 7 docsis.@> (docsis.config, jsonb), OPERATOR 8 docsis.@> (docsis.config, text),
    OPERATOR 9 docsis.? (docsis.config, text), OPERATOR 10 docsis.@> (docsis.config, bytea),
    FUNCTION 1 btint8cmp(bigint, bigint),
    FUNCTION 2 docsis.gin_extract_value(docsis.config, internal, internal),
    FUNCTION 3 docsis.gin_extract_query(docsis.config, internal, smallint, internal, internal, internal, internal),
    FUNCTION 4 docsis.gin_consistent(internal, smallint, docsis.config, integer, internal, internal, internal, internal),
    FUNCTION 6 docsis.gin_triconsistent(internal, smallint, docsis.config, integer, internal, internal, internal),
    STORAGE bigint;
COMMENT ON OPERATOR CLASS docsis.config_path_ops USING gin IS 'Places and values of TLVs and SNMP objects: @> and ? by any path.';

-- ---- differences

CREATE FUNCTION docsis.diff(a docsis.config, b docsis.config, OUT change text, OUT path text, OUT name text,
    OUT occurrence int, OUT old_value text, OUT new_value text) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 400 ROWS 5 AS 'MODULE_PATHNAME', 'docsis_config_diff';
COMMENT ON FUNCTION docsis.diff(docsis.config, docsis.config) IS
'What is different, for people: change (added, removed, changed), path (understood by ->, in b, or in a when removed), name, occurrence of the outermost TLV, value before and after. Flows and classifiers are compared by their reference, vendor groups by their vendor, SNMP objects by their OID, all else by occurrence. MICs, end-of-data and padding do not count.';
