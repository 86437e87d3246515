-- Tables are the user's: nmsp.migrate() makes and updates them outside of the extension script.

CREATE FUNCTION nmsp.schema_steps(OUT kind text, OUT name text) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN p.proname LIKE '\_m%' THEN 'migration' ELSE 'repeatable' END, p.proname::text
      FROM pg_catalog.pg_proc p
     WHERE p.pronamespace = 'nmsp'::pg_catalog.regnamespace AND p.proname ~ '^_[mr][0-9]+'
       AND p.pronargs = 0
     ORDER BY 1, p.proname COLLATE "C";
END;
COMMENT ON FUNCTION nmsp.schema_steps() IS
'The steps that this version of the code brings: kind (migration: run once; repeatable: run at each nmsp.migrate()) and name, in order.';

CREATE FUNCTION nmsp.schema_version() RETURNS int
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF to_regclass('nmsp.schema_migration') IS NULL THEN
        RETURN 0;
    END IF;
    RETURN (SELECT coalesce(max(number), 0) FROM nmsp.schema_migration);
END
$fn$;
COMMENT ON FUNCTION nmsp.schema_version() IS
'Number of the last migration that was run in this database; 0 before the first nmsp.migrate().';

CREATE FUNCTION nmsp.code_version() RETURNS int
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.max(pg_catalog.substr(name, 3)::int) FROM nmsp.schema_steps() WHERE kind = 'migration';
END;
COMMENT ON FUNCTION nmsp.code_version() IS
'Number of the newest migration that the installed code brings; when greater than nmsp.schema_version(), call nmsp.migrate().';

CREATE FUNCTION nmsp.migrate() RETURNS int
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
SET client_min_messages TO warning
SET nmsp_feed.edge_write TO 'on' -- an edge's tables are changed with the centre's
AS $fn$
DECLARE
    step record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nmsp.migrate'));
    IF to_regclass('nmsp.schema_migration') IS NULL THEN
        CREATE TABLE nmsp.schema_migration (
            number     int PRIMARY KEY,
            applied_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE nmsp.schema_migration IS 'The migrations that were run in this database.';
        COMMENT ON COLUMN nmsp.schema_migration.number IS 'Number of the migration.';
        COMMENT ON COLUMN nmsp.schema_migration.applied_at IS 'When it was run.';
    END IF;
    IF nmsp.schema_version() > nmsp.code_version() THEN
        RAISE EXCEPTION USING errcode = 'object_not_in_prerequisite_state',
            message = format('the schema is at version %s, newer than the code (%s)',
                             nmsp.schema_version(), nmsp.code_version()),
            hint = 'Install the newer version of the extension and run ALTER EXTENSION nmsp UPDATE.';
    END IF;
    FOR step IN SELECT s.name, substr(s.name, 3)::int AS number FROM nmsp.schema_steps() s
                 WHERE s.kind = 'migration' AND substr(s.name, 3)::int > nmsp.schema_version() LOOP
        EXECUTE format('SELECT nmsp.%I()', step.name);
        INSERT INTO nmsp.schema_migration (number) VALUES (step.number);
    END LOOP;
    FOR step IN SELECT s.name FROM nmsp.schema_steps() s WHERE s.kind = 'repeatable' LOOP
        EXECUTE format('SELECT nmsp.%I()', step.name);
    END LOOP;
    RETURN nmsp.schema_version();
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.migrate() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.migrate() IS
'Makes or updates schemas, tables, views and triggers of this database; returns the schema''s version. Safe to call again at any time: after CREATE EXTENSION, after ALTER EXTENSION nmsp UPDATE, after a restore. Errors: 55000 when the schema is newer than the code.';
