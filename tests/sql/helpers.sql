-- What the pgTAP files share; tests/run_sql.py loads it into each database.
CREATE SCHEMA test;

CREATE TYPE test.diagnostics AS (code text, message text, detail text, hint text, constraint_name text,
                                 relation text, context text);

-- Runs a statement that is expected to fail, undoes it, and tells what the error said; null when it did not fail.
CREATE FUNCTION test.error_of(statement text) RETURNS test.diagnostics LANGUAGE plpgsql AS $fn$
DECLARE
    d test.diagnostics;
BEGIN
    EXECUTE statement;
    RAISE EXCEPTION USING errcode = 'TST00';
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE = 'TST00' THEN
        RETURN NULL;
    END IF;
    GET STACKED DIAGNOSTICS d.code = RETURNED_SQLSTATE, d.message = MESSAGE_TEXT, d.detail = PG_EXCEPTION_DETAIL,
        d.hint = PG_EXCEPTION_HINT, d.constraint_name = CONSTRAINT_NAME, d.relation = TABLE_NAME,
        d.context = PG_EXCEPTION_CONTEXT;
    RETURN d;
END
$fn$;

-- One test: the statement fails with this SQLSTATE; message, DETAIL and HINT match these LIKE
-- patterns; the message is written as PostgreSQL writes its own; DETAIL and HINT are sentences.
CREATE FUNCTION test.refused(statement text, code text, message text, detail text, hint text, name text)
RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE
    d test.diagnostics := test.error_of(statement);
    good boolean := coalesce(d.code = refused.code AND d.message LIKE refused.message AND d.detail LIKE refused.detail
                             AND d.hint LIKE refused.hint AND d.message !~ '^[A-Z][a-z]' AND d.message !~ '\.$'
                             AND (refused.detail = '' OR d.detail ~ '[.)]$') AND (refused.hint = '' OR d.hint ~ '[.;?)]$'), false);
BEGIN
    RETURN ok(good, name) || CASE WHEN good THEN '' ELSE E'\n' || diag(format(E'have: %s %s\nDETAIL: %s\nHINT: %s\nwant: %s %s\nDETAIL: %s\nHINT: %s',
        coalesce(d.code, 'no error'), d.message, d.detail, d.hint, refused.code, refused.message, refused.detail, refused.hint)) END;
END
$fn$;

-- The same for a violated rule of the model, which must also name its constraint.
CREATE FUNCTION test.violates(statement text, code text, constraint_name text, message text, name text)
RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE
    d test.diagnostics := test.error_of(statement);
    good boolean := coalesce(d.code = violates.code AND d.constraint_name = violates.constraint_name AND d.message LIKE violates.message
                             AND d.detail ~ '.[.)]$' AND d.hint ~ '.[.;?)]$', false);
BEGIN
    RETURN ok(good, name) || CASE WHEN good THEN '' ELSE E'\n' || diag(format(E'have: %s %s (%s)\nDETAIL: %s\nHINT: %s\nwant: %s %s (%s), DETAIL and HINT',
        coalesce(d.code, 'no error'), d.message, d.constraint_name, d.detail, d.hint, violates.code, violates.message, violates.constraint_name)) END;
END
$fn$;

-- Runs a statement as a role; 'ok', or the SQLSTATE of what it raised.
CREATE FUNCTION test.try(role name, statement text) RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE
    result text := 'ok';
BEGIN
    BEGIN
        EXECUTE format('SET LOCAL ROLE %I', role);
        EXECUTE statement;
    EXCEPTION WHEN OTHERS THEN
        result := SQLSTATE;
    END;
    RESET ROLE;
    RETURN result;
END
$fn$;
