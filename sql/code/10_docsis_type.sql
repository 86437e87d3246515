-- The type docsis.config: a DOCSIS or PacketCable configuration file as a value.

CREATE SCHEMA docsis;
COMMENT ON SCHEMA docsis IS 'DOCSIS and PacketCable configuration files as values: encode, decode, seal, verify.';
GRANT USAGE ON SCHEMA docsis TO PUBLIC;

CREATE TYPE docsis.config;

CREATE FUNCTION docsis.config_in(cstring) RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'docsis_config_in';
COMMENT ON FUNCTION docsis.config_in(cstring) IS
'Input of docsis.config: the text language, Main { ... }. Errors with line and column: 22P02 syntax, 42704 unknown name or OID, 42804 wrong kind of value, 22003 out of range, 22001 too long, 0A000 statements that read files.';

CREATE FUNCTION docsis.config_out(docsis.config) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 350 AS 'MODULE_PATHNAME', 'docsis_config_out';
COMMENT ON FUNCTION docsis.config_out(docsis.config) IS 'Output of docsis.config: text that reads back to the same bytes.';

CREATE FUNCTION docsis.config_recv(internal) RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'docsis_config_recv';
COMMENT ON FUNCTION docsis.config_recv(internal) IS 'Binary input of docsis.config: the file. Errors: 22P03 when it is no sequence of TLVs.';

CREATE FUNCTION docsis.config_send(docsis.config) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'docsis_config_send';
COMMENT ON FUNCTION docsis.config_send(docsis.config) IS 'Binary output of docsis.config: the file.';

CREATE TYPE docsis.config (
    INPUT = docsis.config_in, OUTPUT = docsis.config_out,
    RECEIVE = docsis.config_recv, SEND = docsis.config_send,
    INTERNALLENGTH = VARIABLE, STORAGE = extended
);
COMMENT ON TYPE docsis.config IS
'A DOCSIS or PacketCable configuration file: exactly its TLVs. Text form: the operators'' language (Main { ... }); binary form and cast to bytea: the file; cast to jsonb: an array of TLVs in file order.';

CREATE FUNCTION docsis.config(bytea) RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'docsis_config_from_bytea';
COMMENT ON FUNCTION docsis.config(bytea) IS 'A file''s bytes as a value. Errors: 22P03 when they are no sequence of TLVs, with the offset.';

CREATE FUNCTION docsis.config(jsonb) RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'docsis_config_from_jsonb';
COMMENT ON FUNCTION docsis.config(jsonb) IS 'The value of its JSON form. Errors: 22P02 when it is not of that form; else as docsis.parse.';

CREATE FUNCTION docsis.jsonb(docsis.config) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 350 AS 'MODULE_PATHNAME', 'docsis_config_to_jsonb';
COMMENT ON FUNCTION docsis.jsonb(docsis.config) IS
'JSON form: an array of {"t": path, "n": name, "v": value or array} in file order, repeats kept; converts back to the same bytes.';

-- Implicit, so that =, octet_length, encode, sha256 ... work without docsis in the search_path.
CREATE CAST (docsis.config AS bytea) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (bytea AS docsis.config) WITH FUNCTION docsis.config(bytea);
CREATE CAST (docsis.config AS jsonb) WITH FUNCTION docsis.jsonb(docsis.config);
CREATE CAST (jsonb AS docsis.config) WITH FUNCTION docsis.config(jsonb);

-- Equality and order are those of the bytes: the built-in functions of bytea serve.
CREATE FUNCTION docsis.config_eq(docsis.config, docsis.config) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'byteaeq';
CREATE FUNCTION docsis.config_ne(docsis.config, docsis.config) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'byteane';
CREATE FUNCTION docsis.config_lt(docsis.config, docsis.config) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'bytealt';
CREATE FUNCTION docsis.config_le(docsis.config, docsis.config) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'byteale';
CREATE FUNCTION docsis.config_gt(docsis.config, docsis.config) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'byteagt';
CREATE FUNCTION docsis.config_ge(docsis.config, docsis.config) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'byteage';
CREATE FUNCTION docsis.config_cmp(docsis.config, docsis.config) RETURNS int
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'byteacmp';
CREATE FUNCTION docsis.config_hash(docsis.config) RETURNS int
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashvarlena';
CREATE FUNCTION docsis.config_hash_extended(docsis.config, bigint) RETURNS bigint
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashvarlenaextended';
COMMENT ON FUNCTION docsis.config_eq(docsis.config, docsis.config) IS 'Same bytes.';
COMMENT ON FUNCTION docsis.config_ne(docsis.config, docsis.config) IS 'Different bytes.';
COMMENT ON FUNCTION docsis.config_lt(docsis.config, docsis.config) IS 'Order of the bytes: less.';
COMMENT ON FUNCTION docsis.config_le(docsis.config, docsis.config) IS 'Order of the bytes: less or equal.';
COMMENT ON FUNCTION docsis.config_gt(docsis.config, docsis.config) IS 'Order of the bytes: greater.';
COMMENT ON FUNCTION docsis.config_ge(docsis.config, docsis.config) IS 'Order of the bytes: greater or equal.';
COMMENT ON FUNCTION docsis.config_cmp(docsis.config, docsis.config) IS 'Order of the bytes: -1, 0 or 1.';
COMMENT ON FUNCTION docsis.config_hash(docsis.config) IS 'Hash of the bytes.';
COMMENT ON FUNCTION docsis.config_hash_extended(docsis.config, bigint) IS 'Hash of the bytes with a seed.';

CREATE OPERATOR docsis.= (LEFTARG = docsis.config, RIGHTARG = docsis.config, FUNCTION = docsis.config_eq,
    COMMUTATOR = OPERATOR(docsis.=), NEGATOR = OPERATOR(docsis.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR docsis.<> (LEFTARG = docsis.config, RIGHTARG = docsis.config, FUNCTION = docsis.config_ne,
    COMMUTATOR = OPERATOR(docsis.<>), NEGATOR = OPERATOR(docsis.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR docsis.< (LEFTARG = docsis.config, RIGHTARG = docsis.config, FUNCTION = docsis.config_lt,
    COMMUTATOR = OPERATOR(docsis.>), NEGATOR = OPERATOR(docsis.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR docsis.<= (LEFTARG = docsis.config, RIGHTARG = docsis.config, FUNCTION = docsis.config_le,
    COMMUTATOR = OPERATOR(docsis.>=), NEGATOR = OPERATOR(docsis.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR docsis.> (LEFTARG = docsis.config, RIGHTARG = docsis.config, FUNCTION = docsis.config_gt,
    COMMUTATOR = OPERATOR(docsis.<), NEGATOR = OPERATOR(docsis.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR docsis.>= (LEFTARG = docsis.config, RIGHTARG = docsis.config, FUNCTION = docsis.config_ge,
    COMMUTATOR = OPERATOR(docsis.<=), NEGATOR = OPERATOR(docsis.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR docsis.= (docsis.config, docsis.config) IS 'same bytes';
COMMENT ON OPERATOR docsis.<> (docsis.config, docsis.config) IS 'different bytes';
COMMENT ON OPERATOR docsis.< (docsis.config, docsis.config) IS 'less, by bytes';
COMMENT ON OPERATOR docsis.<= (docsis.config, docsis.config) IS 'less or equal, by bytes';
COMMENT ON OPERATOR docsis.> (docsis.config, docsis.config) IS 'greater, by bytes';
COMMENT ON OPERATOR docsis.>= (docsis.config, docsis.config) IS 'greater or equal, by bytes';

CREATE OPERATOR CLASS docsis.config_ops DEFAULT FOR TYPE docsis.config USING btree AS
    OPERATOR 1 docsis.<, OPERATOR 2 docsis.<=, OPERATOR 3 docsis.=, OPERATOR 4 docsis.>=, OPERATOR 5 docsis.>,
    FUNCTION 1 docsis.config_cmp(docsis.config, docsis.config);
CREATE OPERATOR CLASS docsis.config_ops DEFAULT FOR TYPE docsis.config USING hash AS
    OPERATOR 1 docsis.=, FUNCTION 1 docsis.config_hash(docsis.config),
    FUNCTION 2 docsis.config_hash_extended(docsis.config, bigint);
COMMENT ON OPERATOR CLASS docsis.config_ops USING btree IS 'Order of the bytes.';
COMMENT ON OPERATOR CLASS docsis.config_ops USING hash IS 'Equality of the bytes.';
