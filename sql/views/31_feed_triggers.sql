-- Feeding: the triggers that record what changed, made from nmsp_feed.dependency.

CREATE OR REPLACE FUNCTION nmsp_feed._target_changed() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.root <> OLD.root OR NEW.feed <> OLD.feed THEN
            -- Nothing of what the manifest says is in the new folder.
            DELETE FROM nmsp_feed.artifact a WHERE a.target_id = NEW.id;
            DELETE FROM nmsp_feed.gone g WHERE g.target_id = NEW.id;
            NEW.artifacts := 0;
            NEW.quarantined := 0;
            NEW.bytes := 0;
        END IF;
        NEW.attempts := 0;
        NEW.next_attempt := NULL;
        IF (SELECT f.mode FROM nmsp_feed.feed f WHERE f.name = NEW.feed) = 'record' THEN
            -- Another server may be meant now: what it has must be asked.
            NEW.check_requested := clock_timestamp();
        END IF;
    END IF;
    NEW.snapshot := NULL;
    PERFORM nmsp_feed.wake();
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._target_changed() IS 'A target that is new, enabled again or changed is reconciled whole';

CREATE OR REPLACE TRIGGER target_changed
    BEFORE INSERT OR UPDATE OF feed, root, enabled, settings ON nmsp_feed.target
    FOR EACH ROW EXECUTE FUNCTION nmsp_feed._target_changed();

CREATE OR REPLACE FUNCTION nmsp_feed._relation(p_name text) RETURNS regclass
LANGUAGE sql STABLE
RETURN coalesce(to_regclass(p_name), to_regclass('nmsp.' || p_name));
COMMENT ON FUNCTION nmsp_feed._relation(text) IS 'The table a dependency names; schema nmsp when it names none';

CREATE OR REPLACE FUNCTION nmsp_feed._causes(p_relation regclass)
RETURNS TABLE (feed text, cause text, key_column text, columns text[])
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT d.feed, c.cause, k.attname::text,
           (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = p_relation AND a.attnum > 0 AND NOT a.attisdropped
               AND (d.columns IS NULL OR a.attname = ANY (d.columns) OR a.attname = k.attname))
      FROM nmsp_feed.dependency d
     CROSS JOIN LATERAL (
           SELECT x.key AS cause, x.value AS col FROM jsonb_each_text(d.causes) x
            UNION ALL
           SELECT r.relname::text, 'id' FROM pg_class r WHERE r.oid = p_relation AND d.causes IS NULL) c
      LEFT JOIN pg_attribute k ON k.attrelid = p_relation AND k.attname = c.col AND NOT k.attisdropped
                              AND k.atttypid IN ('int8'::regtype, 'int4'::regtype, 'int2'::regtype)
     WHERE nmsp_feed._relation(d.relation) = p_relation;
END;
COMMENT ON FUNCTION nmsp_feed._causes(regclass) IS
    'What a change of a table means to which feed: cause, column of its ids (null: cause all), columns that count';

CREATE OR REPLACE FUNCTION nmsp_feed._differs(p_relation regclass, p_columns text[]) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- json, xml and the like have no equality: their text has
    SELECT string_agg(format(CASE WHEN EXISTS (SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
                                                WHERE m.amname IN ('btree', 'hash') AND o.opcdefault
                                                  AND o.opcintype IN (a.atttypid, coalesce(nullif(y.typbasetype, 0), a.atttypid))
                                              ) OR y.typtype IN ('e', 'r', 'm') OR y.typelem <> 0 OR y.typname = 'varchar'
                                  THEN 'n.%1$I IS DISTINCT FROM o.%1$I'
                                  ELSE 'n.%1$I::text IS DISTINCT FROM o.%1$I::text' END, a.attname), ' OR ' ORDER BY a.attnum)
      FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
     WHERE a.attrelid = p_relation AND a.attname = ANY (p_columns);
END;
COMMENT ON FUNCTION nmsp_feed._differs(regclass, text[]) IS 'Condition that any of the columns changed between old row o and new row n';

CREATE OR REPLACE FUNCTION nmsp_feed._rows(p_relation regclass, p_event text, p_cause record) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    one_row text := CASE p_event WHEN 'insert' THEN 'new_rows n' ELSE 'old_rows o' END;
    ids text := CASE p_event WHEN 'insert' THEN 'n.%1$I' ELSE 'o.%1$I' END;
    key text;
    source text;
BEGIN
    SELECT string_agg(format('n.%1$I = o.%1$I', a.attname), ' AND ') INTO key
      FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
     WHERE i.indrelid = p_relation AND i.indisprimary;
    IF p_event <> 'update' THEN
        source := one_row;
    ELSIF key IS NULL THEN
        -- Rows cannot be paired: all of them count.
        source := '(SELECT * FROM old_rows UNION ALL SELECT * FROM new_rows) o';
    ELSE
        source := format('new_rows n FULL JOIN old_rows o ON %s', key);
        ids := 'unnest(ARRAY[o.%1$I, n.%1$I])';
    END IF;
    IF p_event = 'update' AND key IS NOT NULL THEN
        source := source || format(' WHERE %s', nmsp_feed._differs(p_relation, p_cause.columns));
    END IF;
    IF p_cause.key_column IS NULL THEN
        RETURN format('SELECT %L, %L, %L::bigint[] WHERE EXISTS (SELECT FROM %s)', p_cause.feed, 'all', '{}', source);
    END IF;
    RETURN format('SELECT %L, %L, array_agg(DISTINCT k.id) FROM (SELECT %s::bigint AS id FROM %s) k WHERE k.id IS NOT NULL',
                  p_cause.feed, p_cause.cause, format(ids, p_cause.key_column), source);
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._rows(regclass, text, record) IS 'Query that finds what a statement changed for one cause of one feed';

CREATE OR REPLACE FUNCTION nmsp_feed._statement_function(p_relation regclass, p_name text, p_event text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    c record;
    parts text[] := '{}';
BEGIN
    FOR c IN SELECT x.* FROM nmsp_feed._causes(p_relation) x ORDER BY x.feed, x.cause LOOP
        IF p_event = 'truncate' THEN
            parts := parts || format('SELECT %L, %L, %L::bigint[]', c.feed, 'all', '{}');
        ELSE
            parts := parts || nmsp_feed._rows(p_relation, p_event, c);
        END IF;
    END LOOP;
    EXECUTE format($body$
        CREATE OR REPLACE FUNCTION nmsp_feed.%I() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
        AS $trigger$
        BEGIN
            INSERT INTO nmsp_feed.change (feed, cause, ids)
            SELECT DISTINCT x.feed, CASE WHEN y.named THEN x.cause ELSE 'all' END, CASE WHEN y.named THEN x.ids END
              FROM (%s) x(feed, cause, ids),
                   LATERAL (SELECT cardinality(x.ids) BETWEEN 1 AND 100000) y(named)
             WHERE x.ids IS NOT NULL;
            IF FOUND AND to_regprocedure('nmsp.feed_wake()') IS NOT NULL THEN
                PERFORM nmsp.feed_wake();
            END IF;
            RETURN NULL;
        END
        $trigger$
        $body$, p_name, array_to_string(parts, E'\n                    UNION ALL '));
    EXECUTE format('REVOKE ALL ON FUNCTION nmsp_feed.%I() FROM PUBLIC', p_name);
    EXECUTE format('COMMENT ON FUNCTION nmsp_feed.%I() IS %L', p_name,
                   format('Made by nmsp_feed.install_triggers(): records what %s of %s changes for feeds', p_event, p_relation));
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._statement_function(regclass, text, text) IS 'Makes the function of one statement trigger, with static SQL';

-- What logical replication applies. It fires row triggers, one row at a time; statement triggers only
-- for TRUNCATE and for the first copy of a table. None of them may raise an error: that would stop
-- the subscription. What cannot be told by key is recorded as cause all.

CREATE OR REPLACE FUNCTION nmsp_feed._whole_flag(p_relation regclass) RETURNS text
LANGUAGE sql STABLE
RETURN (SELECT 'nmsp_feed.whole_' || md5(format('%s.%s', n.nspname, c.relname))
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p_relation);
COMMENT ON FUNCTION nmsp_feed._whole_flag(regclass) IS
    'Setting that is yes for the rest of a transaction which has recorded cause all for this table: single rows need not be recorded then';

CREATE OR REPLACE FUNCTION nmsp_feed._record_whole(p_relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    INSERT INTO nmsp_feed.change (feed, cause)
    SELECT DISTINCT d.feed, 'all' FROM nmsp_feed.dependency d WHERE nmsp_feed._relation(d.relation) = p_relation;
    PERFORM set_config(nmsp_feed._whole_flag(p_relation), 'yes', true);
    PERFORM nmsp_feed.wake();
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'change of % not recorded for feeds: %', p_relation, SQLERRM USING HINT = 'SELECT nmsp_feed.reconcile(NULL, true)';
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._record_whole(regclass) IS
    'Records that everything that depends on this table is to be looked at, once per transaction; never raises an error';

CREATE OR REPLACE FUNCTION nmsp_feed._replica_function(p_relation regclass, p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    c record;
    parts text[] := '{}';
BEGIN
    FOR c IN SELECT x.* FROM nmsp_feed._causes(p_relation) x ORDER BY x.feed, x.cause LOOP
        parts := parts || (format('SELECT %L, %L, %s WHERE (TG_OP <> ''UPDATE'' OR %s)', c.feed,
            CASE WHEN c.key_column IS NULL THEN 'all' ELSE c.cause END,
            CASE WHEN c.key_column IS NULL THEN 'NULL::bigint[]'
                 ELSE format('CASE WHEN TG_OP = ''INSERT'' OR TG_OP = ''UPDATE'' AND OLD.%1$I = NEW.%1$I THEN ARRAY[NEW.%1$I] '
                             'WHEN TG_OP = ''DELETE'' THEN ARRAY[OLD.%1$I] ELSE array_remove(ARRAY[OLD.%1$I, NEW.%1$I], NULL) END::bigint[]', c.key_column) END,
            coalesce(replace(replace(nmsp_feed._differs(p_relation, c.columns), 'n.', 'NEW.'), 'o.', 'OLD.'), 'true'))
            || CASE WHEN c.key_column IS NULL THEN '' ELSE format(
                   ' AND (TG_OP <> ''INSERT'' AND OLD.%1$I IS NOT NULL OR TG_OP <> ''DELETE'' AND NEW.%1$I IS NOT NULL)', c.key_column) END);
    END LOOP;
    EXECUTE format($body$
        CREATE OR REPLACE FUNCTION nmsp_feed.%I() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
        AS $trigger$
        DECLARE
            n CONSTANT integer := coalesce(nullif(current_setting('nmsp_feed.rows', true), ''), '0')::integer + 1;
        BEGIN
            IF TG_LEVEL = 'STATEMENT' OR n > 100000 THEN
                PERFORM nmsp_feed._record_whole(TG_RELID);
                RETURN NULL;
            END IF;
            BEGIN
                PERFORM set_config('nmsp_feed.rows', n::text, true);
                INSERT INTO nmsp_feed.change (feed, cause, ids)
                    %s;
                IF n = 1 THEN
                    PERFORM nmsp_feed.wake();
                END IF;
            EXCEPTION WHEN OTHERS THEN
                PERFORM nmsp_feed._record_whole(TG_RELID);
            END;
            RETURN NULL;
        END
        $trigger$
        $body$, p_name, array_to_string(parts, E'\n                    UNION ALL '));
    EXECUTE format('REVOKE ALL ON FUNCTION nmsp_feed.%I() FROM PUBLIC', p_name);
    EXECUTE format('COMMENT ON FUNCTION nmsp_feed.%I() IS %L', p_name,
                   format('Made by nmsp_feed.install_triggers(): records what logical replication changes in %s', p_relation));
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._replica_function(regclass, text) IS
    'Makes the function of the triggers that fire where logical replication applies changes';

CREATE OR REPLACE FUNCTION nmsp_feed._replica_triggers(p_relation regclass, p_function text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    PERFORM nmsp_feed._trigger(p_relation, 'nmsp_feed_replica',
        format('CREATE TRIGGER nmsp_feed_replica AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW '
               'WHEN (current_setting(%L, true) IS DISTINCT FROM ''yes'') EXECUTE FUNCTION nmsp_feed.%I()',
               p_relation, nmsp_feed._whole_flag(p_relation), p_function), 'REPLICA');
    PERFORM nmsp_feed._trigger(p_relation, 'nmsp_feed_replica_truncate',
        format('CREATE TRIGGER nmsp_feed_replica_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION nmsp_feed.%I()',
               p_relation, p_function), 'REPLICA');
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._replica_triggers(regclass, text) IS 'Makes these triggers where they are missing';

CREATE OR REPLACE FUNCTION nmsp_feed._trigger(p_relation regclass, p_name text, p_definition text, p_enable text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    -- Making a trigger locks out writers: only where it is missing.
    IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = p_relation AND t.tgname = p_name) THEN
        EXECUTE p_definition;
        IF p_enable IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER %I', p_relation, p_enable, p_name);
        END IF;
    END IF;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._trigger(regclass, text, text, text) IS 'Makes a trigger unless the table has it';

CREATE OR REPLACE FUNCTION nmsp_feed.install_triggers() RETURNS integer
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    r record;
    d record;
    event text;
    function_name text;
    n integer := 0;
BEGIN
    FOR r IN SELECT x.feed, x.relation, u.name FROM nmsp_feed.dependency x, unnest(x.columns) u(name)
              WHERE nmsp_feed._relation(x.relation) IS NOT NULL
                AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = nmsp_feed._relation(x.relation)
                                   AND a.attname = u.name AND a.attnum > 0 AND NOT a.attisdropped) LOOP
        RAISE EXCEPTION USING errcode = 'undefined_column',
            message = format('feed "%s" depends on column "%s" of table "%s", which does not exist', r.feed, r.name, r.relation),
            hint = 'Mend nmsp_feed.dependency.columns.';
    END LOOP;
    FOR r IN SELECT DISTINCT nmsp_feed._relation(x.relation) AS oid, c.relname
               FROM nmsp_feed.dependency x JOIN pg_class c ON c.oid = nmsp_feed._relation(x.relation) ORDER BY c.relname LOOP
        FOREACH event IN ARRAY ARRAY['insert', 'update', 'delete', 'truncate'] LOOP
            function_name := format('_%s_%s', left(r.relname, 50), event);
            PERFORM nmsp_feed._statement_function(r.oid, function_name, event);
            PERFORM nmsp_feed._trigger(r.oid, 'nmsp_feed_' || event,
                format('CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION nmsp_feed.%I()',
                       'nmsp_feed_' || event, event, r.oid,
                       CASE event WHEN 'insert' THEN 'REFERENCING NEW TABLE AS new_rows'
                                  WHEN 'delete' THEN 'REFERENCING OLD TABLE AS old_rows'
                                  WHEN 'update' THEN 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'
                                  ELSE '' END, function_name));
        END LOOP;
        function_name := format('_%s_replica', left(r.relname, 50));
        PERFORM nmsp_feed._replica_function(r.oid, function_name);
        PERFORM nmsp_feed._replica_triggers(r.oid, function_name);
        n := n + 1;
    END LOOP;
    -- Tables that no feed depends on any more
    FOR d IN SELECT t.tgrelid::regclass AS relation, t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
              WHERE p.pronamespace = 'nmsp_feed'::regnamespace AND t.tgname ~ '^nmsp_feed_(insert|update|delete|truncate|replica|replica_truncate)$'
                AND NOT EXISTS (SELECT FROM nmsp_feed.dependency x WHERE nmsp_feed._relation(x.relation) = t.tgrelid) LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', d.tgname, d.relation);
    END LOOP;
    FOR d IN SELECT x.feed, x.relation FROM nmsp_feed.dependency x WHERE nmsp_feed._relation(x.relation) IS NULL LOOP
        RAISE WARNING 'feed "%" depends on table "%", which does not exist', d.feed, d.relation;
    END LOOP;
    RETURN n;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.install_triggers() IS
    'Makes the triggers that record changes, from nmsp_feed.dependency; call it after a change there. Returns the number of tables';

-- What was refused may be the fault of functions that are mended now.
UPDATE nmsp_feed.target t SET check_requested = clock_timestamp()
 WHERE EXISTS (SELECT FROM nmsp_feed.artifact a WHERE a.target_id = t.id AND a.error IS NOT NULL);

-- The feeder may be waiting for just this schema.
PERFORM nmsp_feed.wake();
