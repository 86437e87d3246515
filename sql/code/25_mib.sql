-- The codec with the operator's own MIB objects (table nmsp.mib_object). The functions of schema
-- docsis are IMMUTABLE and know the built-in objects alone.

CREATE FUNCTION nmsp.parse(source bytea, profile text DEFAULT 'cablelabs', limits text DEFAULT 'current') RETURNS docsis.config
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'nmsp_parse';
COMMENT ON FUNCTION nmsp.parse(bytea, text, text) IS
'As docsis.parse, with the names of nmsp.mib_object. Of several objects of a name those of the profile come first, and among those the rows of nmsp.mib_object before the built-in ones. Errors: as docsis.parse.';

CREATE FUNCTION nmsp.text(config docsis.config, style text DEFAULT 'docsis', oid text DEFAULT 'names') RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'nmsp_text';
COMMENT ON FUNCTION nmsp.text(docsis.config, text, text) IS
'As docsis.text, for people: in style docsis objects and enumerations have their names of nmsp.mib_object too. Style native stays free of them, so that it reads back anywhere. Errors: 22023 unknown style or form.';
