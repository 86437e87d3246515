-- What the product has put into a database, one line per fact, in a fixed order: two databases whose
-- listings are equal have the same schema, however they came to it (fresh, upgraded, restored).
-- Run with psql -At. Oids and the order of making do not show; attribute numbers do not count.
SET search_path TO pg_catalog, pg_temp;
SET quote_all_identifiers TO off;
WITH ours AS (
    SELECT oid, nspname, nspacl, nspowner FROM pg_namespace WHERE nspname IN ('docsis', 'nmsp', 'nmsp_feed', 'nmsp_radius')
), relation AS (
    SELECT c.*, c.oid::regclass::text AS name FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM ours)
       AND NOT c.relispartition -- they come and go by the day
), line(kind, name, fact) AS (
    SELECT 'schema', nspname::text, concat_ws(' ', nspowner::regrole, nspacl, obj_description(oid, 'pg_namespace')) FROM ours
    UNION ALL
    SELECT 'relation', name, concat_ws(' ', relkind, relpersistence, relowner::regrole, relacl, reloptions, relrowsecurity, relforcerowsecurity,
           relreplident, obj_description(oid, 'pg_class')) FROM relation WHERE relkind NOT IN ('c', 't')
    UNION ALL
    SELECT 'column', r.name || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END,
           a.attidentity, a.attgenerated, a.attstorage, a.attcompression, a.attacl,
           (SELECT array_agg(o) FROM unnest(a.attoptions) o WHERE o !~ '^pg_'), -- pg_attver is the server's own mark
           CASE WHEN a.attcollation NOT IN (0, 100) THEN a.attcollation::regcollation END,
           pg_get_expr(d.adbin, d.adrelid), col_description(r.oid, a.attnum))
      FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
     WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'view', name, md5(pg_get_viewdef(oid)) FROM relation WHERE relkind IN ('v', 'm')
    UNION ALL
    SELECT 'constraint', r.name || '.' || c.conname, pg_get_constraintdef(c.oid) || CASE WHEN c.convalidated THEN '' ELSE ' not valid' END
      FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
    UNION ALL
    SELECT 'index', r.name, pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END
      FROM pg_index i JOIN relation r ON r.oid = i.indexrelid
    UNION ALL
    SELECT 'trigger', r.name || '.' || t.tgname, t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid)
      FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'policy', r.name || '.' || p.polname, concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::regrole[],
           pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
      FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text, concat_ws(' ', CASE WHEN p.prokind <> 'a' THEN
               md5(replace(pg_get_functiondef(p.oid), coalesce(pg_get_function_sqlbody(p.oid), '?'), '')) END,
           p.proowner::regrole, p.proacl, obj_description(p.oid, 'pg_proc'))
      FROM pg_proc p WHERE p.pronamespace IN (SELECT oid FROM ours)
    UNION ALL
    -- A body that was dumped and restored may print otherwise (x = ANY for x IN); migrate() makes it anew.
    SELECT 'body', p.oid::regprocedure::text, md5(pg_get_function_sqlbody(p.oid))
      FROM pg_proc p WHERE p.pronamespace IN (SELECT oid FROM ours) AND p.prosqlbody IS NOT NULL
    UNION ALL
    SELECT 'type', t.oid::regtype::text, concat_ws(' ', t.typtype, t.typowner::regrole, t.typacl, t.typinput, t.typoutput, t.typreceive, t.typsend,
           t.typsubscript, t.typstorage, obj_description(t.oid, 'pg_type'))
      FROM pg_type t WHERE t.typnamespace IN (SELECT oid FROM ours) AND t.typcategory <> 'A'
       AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relispartition)
    UNION ALL
    SELECT 'operator', o.oid::regoperator::text, concat_ws(' ', o.oprcode, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprrest, o.oprjoin,
           o.oprcanmerge, o.oprcanhash, obj_description(o.oid, 'pg_operator'))
      FROM pg_operator o WHERE o.oprnamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 'operator class', o.opcname || ' ' || m.amname, concat_ws(' ', o.opcintype::regtype, o.opckeytype::regtype, o.opcdefault,
           (SELECT string_agg(format('%s=%s', a.amopstrategy, a.amopopr::regoperator), ' ' ORDER BY a.amopstrategy) FROM pg_amop a WHERE a.amopfamily = o.opcfamily),
           (SELECT string_agg(format('%s=%s', a.amprocnum, a.amproc), ' ' ORDER BY a.amprocnum) FROM pg_amproc a WHERE a.amprocfamily = o.opcfamily))
      FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod WHERE o.opcnamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 'cast', c.castsource::regtype || ' ' || c.casttarget::regtype, concat_ws(' ', c.castfunc::regprocedure, c.castcontext, c.castmethod)
      FROM pg_cast c JOIN pg_type s ON s.oid = c.castsource JOIN pg_type t ON t.oid = c.casttarget
     WHERE s.typnamespace IN (SELECT oid FROM ours) OR t.typnamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 'extension', e.extname::text, concat_ws(' ', e.extversion, e.extnamespace::regnamespace, e.extconfig) FROM pg_extension e WHERE e.extname IN ('nmsp', 'btree_gist')
    UNION ALL
    SELECT 'member', pg_describe_object(d.classid, d.objid, 0), '' FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
     WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'nmsp'
    UNION ALL
    SELECT 'migration', number::text, '' FROM nmsp.schema_migration
)
SELECT kind || ' ' || name || ': ' || replace(fact, E'\n', '\n') FROM line ORDER BY kind COLLATE "C", name COLLATE "C", fact COLLATE "C";
