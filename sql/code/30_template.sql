-- Templates: the placeholder language and the way to a sealed file. See doc/reference.md.

CREATE FUNCTION nmsp.expand_template(source text, placeholders jsonb) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'nmsp_expand_template';
COMMENT ON FUNCTION nmsp.expand_template(text, jsonb) IS
'A template''s text with its placeholders replaced: {table.column.index} from the object''s keys, then one expression per line ({a,*,b}, {x,?,default}, {s,start,length}); a line with anything else in braces becomes empty. Errors: 22023 when placeholders is not an object.';

CREATE FUNCTION nmsp.check_template(source text, device text, name text) RETURNS void
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'nmsp_check_template';
COMMENT ON FUNCTION nmsp.check_template(text, text, text) IS
'Refuses a template that encodes for no device, with line and column; device is cm or mta, name is for the message. Errors: those of docsis.parse.';

CREATE FUNCTION nmsp.join_templates(sources text[]) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'nmsp_join_templates';
COMMENT ON FUNCTION nmsp.join_templates(text[]) IS
'The texts of a template and its parents as one, line by line; what a text names in #override is blank in those that follow.';

CREATE FUNCTION nmsp.check_override(source text, parents text, name text) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'nmsp_check_override';
COMMENT ON FUNCTION nmsp.check_override(text, text, text) IS
'Refuses a template whose #override meets no statement of its parents'' text, with line and column; name is for the message. Errors: 42704.';

CREATE FUNCTION nmsp.encode_mta(source text, name text, placeholders jsonb) RETURNS docsis.config
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'nmsp_encode_mta';
COMMENT ON FUNCTION nmsp.encode_mta(text, text, jsonb) IS
'An MTA''s file from a template''s text and the values of its placeholders (see nmsp.expand_template), between MtaConfigDelimiter 1 and 255 unless the template has them; without a hash, see docsis.mta. name is for messages. Errors: those of docsis.parse, with line and column of the template; 22023 when placeholders is not an object.';

CREATE FUNCTION nmsp.modem_config(modem record) RETURNS docsis.config
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'nmsp_modem_config';
REVOKE ALL ON FUNCTION nmsp.modem_config(record) FROM PUBLIC; -- it seals with any gateway's secret
COMMENT ON FUNCTION nmsp.modem_config(record) IS
'The sealed configfile that a row of nmsp.modem calls for: SELECT m.mac, nmsp.modem_config(m) FROM nmsp.modem m. The row need not be stored (NEW in a trigger, a row to look ahead with). NetworkAccess and MaxCPE (unless the template has its own), the expanded template, then the MICs with the gateway''s secret. Null without a template. Errors: as docsis.parse and docsis.seal, with line and column of the template; 55000 when the gateway has no shared secret.';
