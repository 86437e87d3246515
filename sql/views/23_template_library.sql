-- The template library: texts that come with the product, for those who want them.

CREATE OR REPLACE FUNCTION nmsp.load_templates(names text DEFAULT '%', replace boolean DEFAULT false, OUT name text, OUT result text) RETURNS SETOF record
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    l record;
    own record;
BEGIN
    IF NOT EXISTS (SELECT FROM nmsp.template_library() t WHERE t.name LIKE names) THEN
        PERFORM nmsp.refuse('22023', format('no template of the library is called "%s"', names), 'The name may hold the wildcards of LIKE.',
            'SELECT name, description FROM nmsp.template_library() lists them.', 'template');
    END IF;
    -- what was asked for and what it builds upon, parents first
    FOR l IN WITH RECURSIVE wanted(name, depth) AS (
                 SELECT t.name, 0 FROM nmsp.template_library() t WHERE t.name LIKE names
                 UNION ALL
                 SELECT t.parent, w.depth + 1 FROM wanted w JOIN nmsp.template_library() t ON t.name = w.name WHERE t.parent IS NOT NULL)
             SELECT t.* FROM nmsp.template_library() t JOIN (SELECT w.name, max(w.depth) AS depth FROM wanted w GROUP BY w.name) w ON w.name = t.name
              ORDER BY w.depth DESC, t.name LOOP
        name := l.name;
        SELECT t.id, t.device, t.source INTO own FROM nmsp.template t WHERE t.name = l.name;
        IF NOT FOUND THEN
            INSERT INTO nmsp.template (name, device, parent_id, source, description)
            VALUES (l.name, l.device, (SELECT p.id FROM nmsp.template p WHERE p.name = l.parent), l.source, l.description);
            result := 'loaded';
        ELSIF own.source = l.source THEN
            result := 'current';
        ELSIF replace AND own.device = l.device THEN
            UPDATE nmsp.template t SET source = l.source, parent_id = (SELECT p.id FROM nmsp.template p WHERE p.name = l.parent), description = l.description WHERE t.id = own.id;
            result := 'replaced';
        ELSE
            result := 'kept';
        END IF;
        RETURN NEXT;
    END LOOP;
END
$fn$;
COMMENT ON FUNCTION nmsp.load_templates(text, boolean) IS
'Puts templates of nmsp.template_library() into nmsp.template: those whose name is like names, and their parents. result: loaded, current (there already), kept (another text has this name), or replaced (with replace). Errors: 22023 no such template.';
