-- The schema is the user's (it outlives the extension); errors look like PostgreSQL's own.

COMMENT ON SCHEMA nmsp IS 'Back office of a cable operator: the provisioning model and what operators call.';

CREATE FUNCTION nmsp.refuse(code text, message text, detail text, hint text, relation text, constraint_name text DEFAULT '')
RETURNS void
LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'nmsp_refuse';
COMMENT ON FUNCTION nmsp.refuse(text, text, text, text, text, text) IS
'Raises an error with this SQLSTATE, message, DETAIL, HINT, table of schema nmsp and constraint name; never returns. For triggers and functions of the product.';
