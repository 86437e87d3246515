-- Each statement that changes nmsp.mib_object makes a new nmsp.mib_version.

CREATE OR REPLACE FUNCTION nmsp.mib_object_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    INSERT INTO nmsp.mib_version (version) VALUES (gen_random_uuid())
    ON CONFLICT (id) DO UPDATE SET version = excluded.version;
    RETURN NULL;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.mib_object_changed() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.mib_object_changed() IS 'Trigger of nmsp.mib_object: tells all sessions that its rows are others.';

DROP TRIGGER IF EXISTS mib_object_changed ON nmsp.mib_object;
CREATE TRIGGER mib_object_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nmsp.mib_object
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.mib_object_changed();
