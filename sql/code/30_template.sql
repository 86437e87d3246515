-- Templates: the placeholder language and the way to a sealed file. See doc/reference.md.

CREATE FUNCTION nmsp.expand_template(source text, placeholders jsonb) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'nmsp_expand_template';
COMMENT ON FUNCTION nmsp.expand_template(text, jsonb) IS
'A template''s text with its placeholders replaced: {table.column.index} from the object''s keys, then one expression per line ({a,*,b}, {x,?,default}, {s,start,length}); a line with anything else in braces becomes empty. Errors: 22023 when placeholders is not an object.';

CREATE FUNCTION nmsp.check_template(source text, device text, name text) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'nmsp_check_template';
COMMENT ON FUNCTION nmsp.check_template(text, text, text) IS
'Refuses a template that encodes for no device, with line and column; device is cm or mta, name is for the message. Errors: those of docsis.parse.';

CREATE FUNCTION nmsp.render_cm(source text, placeholders jsonb, network_access boolean, max_cpe int, secret text, name text)
RETURNS docsis.config
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 300 AS 'MODULE_PATHNAME', 'nmsp_render_cm';
COMMENT ON FUNCTION nmsp.render_cm(text, jsonb, boolean, int, text, text) IS
'The sealed file of a cable modem: NetworkAccess and MaxCPE (unless the text has its own), then the expanded template, then the MICs with the CMTS''s secret (1 to 64 bytes). name is for messages. Errors: those of docsis.parse and docsis.seal, with line and column of the template.';
