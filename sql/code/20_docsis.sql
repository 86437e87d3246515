-- Functions over configuration files.

CREATE FUNCTION docsis.parse(source bytea, profile text DEFAULT 'cablelabs', limits text DEFAULT 'current') RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'docsis_parse';
COMMENT ON FUNCTION docsis.parse(bytea, text, text) IS
'Text language to value; the text is taken as bytes of any encoding. profile (cablelabs, ietf or excentis) decides which MIB wins where several define the same name; a NOTICE names them unless the module is written (PKTC-MTA-MIB::pktcMtaDevEnabled.0). limits: current, or docsis for those of the docsis tool, some of which later specifications raised. Errors: as the input of docsis.config; 22023 unknown profile or limits. nmsp.parse knows the operator''s own MIB objects as well.';

CREATE FUNCTION docsis.encode(source bytea, secret text, profile text DEFAULT 'cablelabs', long_varbind boolean DEFAULT false, limits text DEFAULT 'current') RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 60 AS 'MODULE_PATHNAME', 'docsis_encode';
COMMENT ON FUNCTION docsis.encode(bytea, text, text, boolean, text) IS
'Text language to sealed file in one step. long_varbind: SNMP objects longer than 255 bytes in a CM file are written as TLV 64 with a two-byte length, as the docsis tool does (a CMTS takes TLV 64 for static multicast). Errors: as docsis.parse and docsis.seal.';

CREATE FUNCTION docsis.text(config docsis.config, style text DEFAULT 'native', oid text DEFAULT 'names') RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_text';
COMMENT ON FUNCTION docsis.text(docsis.config, text, text) IS
'Value to text. style native reads back to the same bytes; style docsis is laid out as the docsis tool''s decoder does. oid: names, numeric or iso. Bytes of strings that are not UTF-8 are shown as \xHH. Errors: 22023 unknown style or form.';

CREATE FUNCTION docsis.seal(config docsis.config, secret text, ipv6_address boolean DEFAULT false) RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_seal_config';
COMMENT ON FUNCTION docsis.seal(docsis.config, text, boolean) IS
'Adds CM MIC (6), CMTS MIC (7, HMAC-MD5 with the CMTS''s secret of 1 to 64 bytes), end-of-data and padding; old ones are replaced. An MTA file is returned as it is. ipv6_address: TLV 59 stands in the place of 20 in the CMTS MIC when present (MULPI 4.0). Source: MULPI Annex D.1.3, D.2. Errors: 22023 when the secret is empty or too long.';

CREATE FUNCTION docsis.verify(config docsis.config, secret text, ipv6_address boolean DEFAULT false, OUT cm_mic boolean, OUT cmts_mic boolean)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_verify_config';
COMMENT ON FUNCTION docsis.verify(docsis.config, text, boolean) IS
'Checks both MICs: true right, false wrong, null absent. Source: MULPI Annex D.2. Errors: 22023 when the secret is empty or longer than 64 bytes.';

CREATE FUNCTION docsis.mta(config docsis.config, hash text DEFAULT 'none') RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_mta';
COMMENT ON FUNCTION docsis.mta(docsis.config, text) IS
'An MTA file with its SHA-1 in the varbind that the provisioning flow asks for: na (CableLabs), eu (EuroPacketCable), ietf (RFC 4682) or none. Errors: 22023 unknown hash or no MTA file.';

CREATE FUNCTION docsis.tlvs(config docsis.config, OUT path text, OUT name text, OUT type text, OUT value text,
    OUT "offset" int, OUT length int, OUT depth int, OUT data bytea) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 ROWS 60 AS 'MODULE_PATHNAME', 'docsis_tlvs';
COMMENT ON FUNCTION docsis.tlvs(docsis.config) IS
'One row per TLV in file order, groups before their members: path (24.8), name (null when unknown), type, value as text (null for groups), offset of its first byte, length of its value, depth (0 = top level), and the value''s bytes.';

CREATE FUNCTION docsis.symbols(OUT path text, OUT name text, OUT type text, OUT minimum bigint, OUT maximum bigint, OUT spec text,
    OUT unit text, OUT length_bytes int, OUT docsis_maximum bigint) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 1600 AS 'MODULE_PATHNAME', 'docsis_dictionary';
COMMENT ON FUNCTION docsis.symbols() IS 'The dictionary of TLVs: path, name, type, limits (of the number, or of the length; null = none), where the specification defines it, unit, octets of the length field, the docsis tool''s maximum.';

CREATE VIEW docsis.symbol AS SELECT * FROM docsis.symbols();
COMMENT ON VIEW docsis.symbol IS 'The dictionary of TLVs of configuration files, to search: SELECT * FROM docsis.symbol WHERE name ILIKE ''%burst%''.';
COMMENT ON COLUMN docsis.symbol.path IS 'Codes from the top: 24.8.';
COMMENT ON COLUMN docsis.symbol.name IS 'Name in the text language.';
COMMENT ON COLUMN docsis.symbol.type IS 'Kind of value.';
COMMENT ON COLUMN docsis.symbol.minimum IS 'Least number, or least length.';
COMMENT ON COLUMN docsis.symbol.maximum IS 'Greatest number, or greatest length.';
COMMENT ON COLUMN docsis.symbol.spec IS 'Section of the specification; null when not known.';
COMMENT ON COLUMN docsis.symbol.unit IS 'Unit of the number (of rates: unless DataRateUnitSetting says otherwise); null when there is none or it is not known.';
COMMENT ON COLUMN docsis.symbol.length_bytes IS 'Octets of the TLV''s length field: 1, or 2 for some of DOCSIS 4.0.';
COMMENT ON COLUMN docsis.symbol.docsis_maximum IS 'Maximum with limits => ''docsis''; another one than maximum where later specifications raised it.';
GRANT SELECT ON docsis.symbol TO PUBLIC;

CREATE FUNCTION docsis.mib_objects(OUT name text, OUT module text, OUT oid text, OUT type text, OUT access text, OUT ranges text,
    OUT enums jsonb, OUT index_columns text[], OUT index_implied boolean, OUT spec text) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 3800 AS 'MODULE_PATHNAME', 'docsis_mib_objects';
COMMENT ON FUNCTION docsis.mib_objects() IS 'The MIB objects whose names the text language knows without nmsp.mib_object.';

CREATE VIEW docsis.mib_object AS SELECT * FROM docsis.mib_objects();
COMMENT ON VIEW docsis.mib_object IS 'MIB objects whose names the text language knows, to search: SELECT * FROM docsis.mib_object WHERE name ILIKE ''%nmaccess%''. An operator adds others in nmsp.mib_object.';
COMMENT ON COLUMN docsis.mib_object.name IS 'Name.';
COMMENT ON COLUMN docsis.mib_object.module IS 'MIB module that defines it; MODULE::name is never ambiguous.';
COMMENT ON COLUMN docsis.mib_object.oid IS 'Object identifier.';
COMMENT ON COLUMN docsis.mib_object.type IS 'Base type in SMI''s words (INTEGER, OCTET STRING, ...); null for nodes without values.';
COMMENT ON COLUMN docsis.mib_object.access IS 'not-accessible, accessible-for-notify, read-only, read-write or read-create; null for nodes without values.';
COMMENT ON COLUMN docsis.mib_object.ranges IS 'Ranges of the number, or of the length in bytes: 0..255,300..400; null = none.';
COMMENT ON COLUMN docsis.mib_object.enums IS 'Labels and numbers of an enumeration; labels may be written as values: SnmpMibObject docsDevNmAccessControl.1 Integer readWrite.';
COMMENT ON COLUMN docsis.mib_object.index_columns IS 'Of a table''s row: names of its INDEX columns.';
COMMENT ON COLUMN docsis.mib_object.index_implied IS 'true: the last INDEX column is IMPLIED, its strings have no length in front.';
COMMENT ON COLUMN docsis.mib_object.spec IS 'Document that defines the module; null when not known.';
GRANT SELECT ON docsis.mib_object TO PUBLIC;
