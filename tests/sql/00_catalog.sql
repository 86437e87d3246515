-- House rules that the catalogs can tell: comments, rights, marks, what depends on what.
BEGIN;
SELECT * FROM no_plan();

CREATE TEMP VIEW ours AS SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('docsis', 'nmsp', 'nmsp_feed', 'nmsp_radius');
-- Functions of ours; not those PostgreSQL makes for a range type by itself.
CREATE TEMP VIEW function AS
SELECT p.*, p.oid::regprocedure::text AS name, l.lanname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.pronamespace IN (SELECT oid FROM ours)
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                      AND d.deptype = 'i' AND d.refclassid = 'pg_type'::regclass);
CREATE TEMP VIEW relation AS
SELECT c.*, c.oid::regclass::text AS name FROM pg_class c
 WHERE c.relnamespace IN (SELECT oid FROM ours) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition;
CREATE TEMP VIEW member AS
SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS name
  FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'nmsp';

SELECT cmp_ok((SELECT count(*)::int FROM function), '>', 90, 'functions are seen');
SELECT cmp_ok((SELECT count(*)::int FROM relation), '>', 20, 'tables and views are seen');
SELECT cmp_ok((SELECT count(*)::int FROM member), '>', 40, 'members are seen');

-- ---- comments
SELECT is_empty($$SELECT nspname FROM ours WHERE obj_description(oid, 'pg_namespace') IS NULL$$, 'every schema has a comment');
SELECT is_empty($$SELECT name FROM function WHERE proname !~ '^_' AND coalesce(obj_description(oid, 'pg_proc'), '') = ''$$,
                'every function has a comment');
SELECT is_empty($$SELECT t.oid::regtype FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
                   WHERE t.typnamespace IN (SELECT oid FROM ours) AND coalesce(c.relkind, 'c') = 'c' AND t.typcategory <> 'A'
                     AND t.typtype <> 'm' AND coalesce(obj_description(t.oid, 'pg_type'), '') = ''$$, 'every type has a comment');
SELECT is_empty($$SELECT o.oid::regoperator FROM pg_operator o WHERE o.oprnamespace IN (SELECT oid FROM ours)
                     AND coalesce(obj_description(o.oid, 'pg_operator'), '') = ''$$, 'every operator has a comment');
SELECT is_empty($$SELECT o.opcname FROM pg_opclass o WHERE o.opcnamespace IN (SELECT oid FROM ours)
                     AND coalesce(obj_description(o.oid, 'pg_opclass'), '') = ''$$, 'every operator class has a comment');
SELECT is_empty($$SELECT name FROM relation WHERE coalesce(obj_description(oid, 'pg_class'), '') = ''$$, 'every table and view has a comment');
SELECT is_empty($$SELECT r.name || '.' || a.attname FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
                   WHERE a.attnum > 0 AND NOT a.attisdropped AND coalesce(col_description(r.oid, a.attnum), '') = '' ORDER BY 1$$,
                'every column has a comment');

-- ---- functions
SELECT is_empty($$SELECT name FROM function WHERE prosecdef
                     AND NOT EXISTS (SELECT FROM unnest(proconfig) c WHERE c ~ '^search_path=.*pg_temp$')$$,
                'every SECURITY DEFINER function pins a search_path that ends with pg_temp');
SELECT is_empty($$SELECT name FROM function WHERE lanname = 'plpgsql'
                     AND NOT EXISTS (SELECT FROM unnest(proconfig) c WHERE c = 'search_path=pg_catalog, pg_temp')$$,
                'every PL/pgSQL function pins its search_path');
SELECT is_empty($$SELECT name FROM function WHERE lanname = 'sql' AND prosqlbody IS NULL$$,
                'every SQL function has a body that is bound when it is made');
SELECT is_empty($$SELECT name FROM function WHERE lanname = 'c' AND proparallel = 'u'$$, 'every C function is marked PARALLEL SAFE or RESTRICTED');
SELECT is_empty($$SELECT name FROM function WHERE lanname NOT IN ('c', 'internal', 'sql', 'plpgsql')$$, 'no other language is used');
SELECT is_empty($$SELECT name FROM function WHERE lanname = 'c' AND prosrc !~ '^(docsis|nmsp)_'$$, 'C names have our prefixes');

-- ---- rights
CREATE TEMP VIEW open_to_public AS
SELECT f.name, f.proname, f.pronamespace::regnamespace::text AS schema, f.prorettype, f.prosecdef FROM function f
 WHERE EXISTS (SELECT FROM aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE');
SELECT is_empty($$SELECT name FROM open_to_public WHERE schema = 'nmsp' AND (proname ~ '^_' OR proname IN
                     ('migrate', 'modem_config', 'setting_placeholders', 'grant_to', 'health'))$$,
                'what reads secrets or changes the schema is not open to PUBLIC');
SELECT is_empty($$SELECT name FROM open_to_public WHERE schema IN ('nmsp_feed', 'nmsp_radius')$$, 'no function of feeding or RADIUS is open to PUBLIC');
SELECT is_empty($$SELECT name FROM open_to_public WHERE prosecdef AND prorettype <> 'trigger'::regtype$$,
                'no SECURITY DEFINER function is open to PUBLIC');
SELECT is_empty($$SELECT r.name, a.privilege_type FROM relation r, aclexplode(r.relacl) a
                   WHERE a.grantee = 0 AND r.name NOT IN ('docsis.symbol', 'docsis.mib_object', 'docsis.lint_rule')$$, 'PUBLIC has no right on a table');
SELECT is_empty($$SELECT r.name, t.attname FROM relation r JOIN pg_attribute t ON t.attrelid = r.oid, aclexplode(t.attacl) a
                   WHERE a.grantee = 0$$, 'nor on a column');
SELECT is_empty($$SELECT n.nspname, a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a
                   WHERE a.grantee = 0 AND n.oid IN (SELECT oid FROM ours) AND (n.nspname, a.privilege_type) <> ('docsis', 'USAGE')$$,
                'PUBLIC may use schema docsis, nothing else');

-- ---- code is the extension's, tables are the user's
SELECT is_empty($$SELECT m.name FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
                   WHERE c.relkind NOT IN ('v', 'c')$$, 'no member is a table, sequence or index');
SELECT is_empty($$SELECT name FROM member WHERE classid = 'pg_trigger'::regclass$$, 'no member is a trigger');
SELECT results_eq($$SELECT objid::regnamespace::text FROM member WHERE classid = 'pg_namespace'::regclass$$, ARRAY['docsis'],
                  'the only schema that is a member is docsis');
SELECT is_empty($$SELECT pg_describe_object(d.classid, d.objid, d.objsubid), m.name
                    FROM pg_depend d JOIN member m ON m.classid = d.refclassid AND m.objid = d.refobjid
                   WHERE (d.classid = 'pg_class'::regclass AND (SELECT c.relkind FROM pg_class c WHERE c.oid = d.objid) IN ('r', 'p', 'i', 'I', 'S'))
                      OR d.classid IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_policy'::regclass)$$,
                'no stored column, default, check or index depends on a member');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
                   WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND c.relnamespace IN (SELECT oid FROM ours)
                     AND t.oid IN (SELECT objid FROM member WHERE classid = 'pg_type'::regclass)$$, 'no column has a member type');

-- ---- names that read
SELECT is_empty($$SELECT r.name, c.conname FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
                   WHERE (c.contype IN ('c', 'x') AND c.conname ~ '_(check|excl)[0-9]*$') OR c.conname ~ '_key$' OR c.conname ~ '_fkey[0-9]*$'$$,
                'every constraint has a name that says what is wrong');
SELECT is_empty($$SELECT name FROM relation WHERE relnamespace <> 'nmsp_feed'::regnamespace AND relname ~ 's$' AND relname !~ '(ss|us)$' AND name <> 'nmsp_radius.nas'$$,
                'names of tables and views are singular');
SELECT is_empty($$SELECT r.name, c.conname FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
                   WHERE c.contype = 'f' AND r.relnamespace = 'nmsp'::regnamespace
                     AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = r.oid AND i.indkey[0] = c.conkey[1])$$,
                'every foreign key has an index to look from');

-- ---- migrations
SELECT is(nmsp.schema_version(), nmsp.code_version(), 'the schema is as new as the code');
SELECT results_eq('SELECT number FROM nmsp.schema_migration ORDER BY number',
                  $$SELECT substr(name, 3)::int FROM nmsp.schema_steps() WHERE kind = 'migration' ORDER BY name COLLATE "C"$$,
                  'every migration is recorded');
SELECT is(nmsp.migrate(), nmsp.schema_version(), 'migrate() again is safe');
INSERT INTO nmsp.schema_migration (number) VALUES (9999);
SELECT test.refused('SELECT nmsp.migrate()', '55000', 'the schema is at version 9999, newer than the code%', '', '%ALTER EXTENSION nmsp UPDATE%',
                    'a schema newer than the code is refused');
SELECT * FROM finish();
ROLLBACK;
