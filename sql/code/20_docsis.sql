-- Functions over configuration files.

CREATE FUNCTION docsis.parse(source bytea, profile text DEFAULT 'cablelabs', limits text DEFAULT 'current') RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'docsis_parse';
COMMENT ON FUNCTION docsis.parse(bytea, text, text) IS
'Text language to value; the text is taken as bytes of any encoding. profile (cablelabs, ietf or excentis) decides which MIB wins where several define the same name; a NOTICE names them unless the module is written (PKTC-MTA-MIB::pktcMtaDevEnabled.0). limits: current, or docsis for those of the docsis tool, some of which later specifications raised. Errors: as the input of docsis.config; 22023 unknown profile or limits. nmsp.parse knows the operator''s own MIB objects as well.';

CREATE FUNCTION docsis.encode(source bytea, secret text, profile text DEFAULT 'cablelabs', long_varbind boolean DEFAULT false, limits text DEFAULT 'current') RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 60 AS 'MODULE_PATHNAME', 'docsis_encode';
COMMENT ON FUNCTION docsis.encode(bytea, text, text, boolean, text) IS
'Text language to sealed file in one step. long_varbind: SNMP objects longer than 255 bytes in a CM file are written as TLV 64 with a two-byte length, as the docsis tool does (a CMTS takes TLV 64 for static multicast). An Extended CMTS MIC (43.6) stays as the text has it. Errors: as docsis.parse and docsis.seal.';

CREATE FUNCTION docsis.text(config docsis.config, style text DEFAULT 'native', oid text DEFAULT 'names') RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_text';
COMMENT ON FUNCTION docsis.text(docsis.config, text, text) IS
'Value to text. style native reads back to the same bytes; style docsis is laid out as the docsis tool''s decoder does. oid: names, numeric or iso. Bytes of strings that are not UTF-8 are shown as \xHH. Errors: 22023 unknown style or form.';

CREATE FUNCTION docsis.seal(config docsis.config, secret text, ipv6_address boolean DEFAULT false, extended text DEFAULT 'keep') RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_seal_config';
COMMENT ON FUNCTION docsis.seal(docsis.config, text, boolean, text) IS
'Adds CM MIC (6), CMTS MIC (7, HMAC-MD5 with the CMTS''s secret of 1 to 64 bytes), end-of-data and padding; old ones are replaced, and sealing twice is sealing once. An MTA file is returned as it is. ipv6_address: TLV 59 stands in the place of 20 in the CMTS MIC when present (MULPI 4.0). extended: what becomes of the Extended CMTS MIC (43.6, HMAC-MD5). keep: one that the config holds is computed, in its form and with its bitmap; none: it stays as it stands; explicit, implicit: it is made anew in that form, with a bitmap of the settings that a modem passes on to the CMTS, as the last setting. In the implicit form TLV 7 carries the extended digest. Source: MULPI Annex C.1.1.18.1.6, D.1.3, D.2. Errors: 22023 when the secret is empty or too long, or 43.6 makes no sense; 0A000 when it is of another kind (MMH, vendor).';

CREATE FUNCTION docsis.verify(config docsis.config, secret text, ipv6_address boolean DEFAULT false, OUT cm_mic boolean, OUT cmts_mic boolean, OUT extended_cmts_mic boolean)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_verify_config';
COMMENT ON FUNCTION docsis.verify(docsis.config, text, boolean) IS
'Checks the MICs: true right, false wrong, null absent. cmts_mic is TLV 7 as the MIC of DOCSIS 1.0 to 2.0. A config with an implicit Extended CMTS MIC (43.6 without a digest of its own) has none: TLV 7 is then checked as the extended digest, cmts_mic is null and extended_cmts_mic says whether it is right. extended_cmts_mic is null as well for kinds other than HMAC-MD5. Source: MULPI Annex D.2. Errors: 22023 when the secret is empty or longer than 64 bytes.';

CREATE FUNCTION docsis.mta(config docsis.config, hash text DEFAULT 'none', dialplan docsis.config DEFAULT NULL) RETURNS docsis.config
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_mta';
COMMENT ON FUNCTION docsis.mta(docsis.config, text, docsis.config) IS
'An MTA file with its SHA-1 in the varbind that the provisioning flow asks for: na (CableLabs), eu (EuroPacketCable), ietf (RFC 4682) or none. dialplan: what docsis.dialplan gives, put in before the closing delimiter and the hash; one that was there is replaced. Errors: 22023 unknown hash or no MTA file.';

CREATE FUNCTION docsis.dialplan(plan bytea, form text DEFAULT 'option') RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_dialplan_config';
COMMENT ON FUNCTION docsis.dialplan(bytea, text) IS
'A dial plan (digit map) as the varbind pktcEUERSTDMValue.1, in an MTA file that holds nothing else; for docsis.mta. form option: the bytes that the docsis tool''s option -dialplan writes, always TLV 64; digitmap: those of its statement DigitMap, TLV 11, or 64 when long. Errors: 22023 empty, longer than 65,000 bytes (digitmap: 8,192), or unknown form.';

CREATE FUNCTION docsis.dialplan(plan text, form text DEFAULT 'option') RETURNS docsis.config
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN docsis.dialplan(pg_catalog.convert_to(plan, 'UTF8'), form);
COMMENT ON FUNCTION docsis.dialplan(text, text) IS 'The same for a dial plan given as text.';

CREATE FUNCTION docsis.with_download(config docsis.config, sent_at timestamptz DEFAULT NULL, modem inet DEFAULT NULL) RETURNS docsis.config
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'docsis_with_download';
COMMENT ON FUNCTION docsis.with_download(docsis.config, timestamptz, inet) IS
'The settings of a CM file with what a provisioning server adds at download, to be sealed after: TFTP timestamp (19) and address of the modem (20, or 59 for IPv6), in the place of those that it has. Null: that one stays as it is. Source: MULPI Annex C.1.1.8, C.1.1.9, C.1.1.10. Errors: 22023 an MTA file; 22008 a time that 32 bits do not hold.';

CREATE FUNCTION docsis.cvc(certificate bytea, cosigner boolean DEFAULT false) RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'docsis_cvc';
COMMENT ON FUNCTION docsis.cvc(bytea, boolean) IS
'The code verification certificate of a manufacturer (TLV 32) or co-signer (33) as settings of 254 bytes each. certificate: DER of an X.509 certificate, or a PKCS#7 SignedData with it, as a code file begins with (what follows is ignored). Of several certificates it is the one that issued none of the others. Nothing is verified: modems do that. Source: MULPI Annex C.1.2.10, C.1.2.11. Errors: 22P03 no certificate in DER; 22023 more than one such certificate.';

CREATE FUNCTION docsis.cvc_chain(certificates bytea, cosigner boolean DEFAULT false) RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'docsis_cvc_chain';
COMMENT ON FUNCTION docsis.cvc_chain(bytea, boolean) IS
'A certificate and its issuers as the CVC chain of a manufacturer (TLV 81) or co-signer (82): a PKCS#7 SignedData that holds certificates only, in settings of 254 bytes each. certificates: two or more X.509 certificates in DER one behind the other, or a PKCS#7 SignedData. Source: MULPI Annex C.1.2.21, C.1.2.22. Errors: 22P03 no certificates in DER; 22023 a single one.';

CREATE FUNCTION docsis.certificates(certificates bytea, OUT n int, OUT signer int, OUT subject text, OUT issuer text, OUT serial text,
    OUT valid_from timestamptz, OUT valid_until timestamptz, OUT certificate bytea) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 3 AS 'MODULE_PATHNAME', 'docsis_certificates';
COMMENT ON FUNCTION docsis.certificates(bytea) IS
'What the certificates of a code file say, one row each in their order: signer (1 the manufacturer''s, 2 the co-signer''s, null an issuer''s), names as in RFC 2253, serial number in hex, validity, and the certificate in DER. Input as of docsis.cvc. In a signed file the signatures tell whose is whose, elsewhere the one that issued none of the others is the manufacturer''s. Nothing is verified. Source: SECv3.1 section 14. Errors: 22P03 no certificate in DER.';

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
