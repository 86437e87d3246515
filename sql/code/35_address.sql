-- Addresses as daemons write them.

CREATE FUNCTION nmsp.address_list(addresses inet[], version int) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'nmsp_address_list';
COMMENT ON FUNCTION nmsp.address_list(inet[], int) IS 'The addresses of one IP version (4 or 6) as a list, separated by comma and space; null when there is none.';
