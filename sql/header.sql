\echo Use "CREATE EXTENSION nmsp CASCADE" to load this file. \quit
SET LOCAL search_path TO pg_catalog, pg_temp;
SET LOCAL client_min_messages TO warning;

-- The schema outlives the extension (the tables in it are the user's), so it may be there already.
-- It must then belong to the one who installs: nobody else may have prepared objects in it.
DO $do$
BEGIN
    IF (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'nmsp')
       IS DISTINCT FROM (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION USING errcode = 'duplicate_schema',
            message = 'schema "nmsp" belongs to another role',
            hint = 'Drop the schema, or ALTER SCHEMA nmsp OWNER TO the role that installs the extension.';
    END IF;
END
$do$;
