-- Edges: which tables go from the centre to edges and which come back, the publications, and what an
-- edge has beside: triggers that keep local writers away from the centre's tables, that make the first
-- copy of a table replace what is there, and that keep the edge's own settings.
--
-- The two ways never meet in one table, so nothing can go in circles: an edge publishes only tables
-- that the centre does not send.

INSERT INTO nmsp_feed.edge_table (relation, way, radius, netgw, note) VALUES
    ('nmsp.netgw', 'to edges', false, 'id', NULL),
    ('nmsp.netgw_secret', 'to edges', false, 'netgw_id', 'files are sealed with it'),
    ('nmsp.pool', 'to edges', false, 'netgw_id', NULL),
    ('nmsp.modem', 'to edges', false, 'netgw_id', NULL),
    ('nmsp.heartbeat', 'to edges', false, NULL, 'nmsp.health() tells by it how far behind an edge is'),
    ('nmsp.ppp_account', 'to edges', false, NULL, 'their fixed addresses are left out of dynamic ranges'),
    ('nmsp.ppp_account_secret', 'to edges', true, NULL, NULL),
    ('nmsp_radius.setting', 'to edges', true, NULL, NULL),
    ('nmsp_radius.attribute', 'to edges', true, NULL, NULL),
    ('nmsp.download', 'from edges', false, NULL, NULL),
    ('nmsp.lease', 'own', false, NULL, 'what is leased is known where the DHCP server runs'),
    ('nmsp.lease_history', 'own', false, NULL, 'what is leased is known where the DHCP server runs'),
    ('nmsp.pool_sample', 'own', false, NULL, 'counted from leases'),
    ('nmsp.modem_download', 'own', false, NULL, 'kept at the centre too, by what comes in nmsp.download'),
    ('nmsp.mta_download', 'own', false, NULL, 'kept at the centre too, by what comes in nmsp.download'),
    ('nmsp.device_mac', 'own', false, NULL, 'devices are entered at the centre'),
    ('nmsp.mib_version', 'own', false, NULL, 'kept by triggers of nmsp.mib_object'),
    ('nmsp.edge', 'own', false, NULL, 'what makes a database an edge'),
    ('nmsp_kea.ipv6_reservation', 'own', false, NULL, 'kept by triggers of nmsp.modem and nmsp.endpoint'),
    ('nmsp_radius.session', 'own', false, NULL, 'sessions of this FreeRADIUS'),
    ('nmsp_radius.session_archive', 'own', false, NULL, 'sessions of this FreeRADIUS'),
    ('nmsp_radius.authentication', 'own', false, NULL, 'answers of this FreeRADIUS'),
    ('nmsp_radius.gateway_restart', 'own', false, NULL, NULL),
    ('nmsp_radius.lease', 'own', false, NULL, 'an address pool must belong to one database')
ON CONFLICT (relation) DO UPDATE SET way = excluded.way, radius = excluded.radius, netgw = excluded.netgw, note = excluded.note;

CREATE OR REPLACE VIEW nmsp_feed.edge_relation AS
SELECT c.oid::regclass AS relation, coalesce(e.way, 'to edges') AS way, coalesce(e.radius, false) AS radius, e.netgw, coalesce(e.log, false) AS log,
       EXISTS (SELECT FROM nmsp_feed.dependency d WHERE nmsp_feed._relation(d.relation) = c.oid) AS fed
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN nmsp_feed.edge_table e ON e.relation = n.nspname || '.' || c.relname
 WHERE c.relkind IN ('r', 'p')
   AND (e.relation IS NOT NULL OR c.oid IN (SELECT nmsp_feed._relation(d.relation) FROM nmsp_feed.dependency d));
COMMENT ON VIEW nmsp_feed.edge_relation IS 'Every table that has to do with edges: those that feeds depend on, and those of nmsp_feed.edge_table.';
COMMENT ON COLUMN nmsp_feed.edge_relation.relation IS 'The table.';
COMMENT ON COLUMN nmsp_feed.edge_relation.way IS 'As in nmsp_feed.edge_table.';
COMMENT ON COLUMN nmsp_feed.edge_relation.radius IS 'Only for edges that run FreeRADIUS.';
COMMENT ON COLUMN nmsp_feed.edge_relation.netgw IS 'Column with the access gateway of a row.';
COMMENT ON COLUMN nmsp_feed.edge_relation.log IS 'As in nmsp_feed.edge_table.';
COMMENT ON COLUMN nmsp_feed.edge_relation.fed IS 'Whether a feed depends on it.';

-- at the centre ---------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp_feed._edge_identity(p_relation regclass, p_column text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    index_name text;
BEGIN
    -- A row filter needs its column in the replica identity: without, an edge could not be told that
    -- a modem has left it. An index of column and key does, and costs no more WAL than the key.
    IF EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                WHERE i.indrelid = p_relation AND a.attname = p_column
                  AND (i.indisreplident OR i.indisprimary AND (SELECT c.relreplident FROM pg_class c WHERE c.oid = p_relation) = 'd')) THEN
        RETURN;
    END IF;
    index_name := left((SELECT c.relname FROM pg_class c WHERE c.oid = p_relation), 40) || '_edge_identity';
    EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON %s (%I, %s)', index_name, p_relation, p_column,
                   (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                     WHERE i.indrelid = p_relation AND i.indisprimary));
    EXECUTE format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', p_relation, index_name);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._edge_identity(regclass, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._edge_identity(regclass, text) IS 'Makes sure that this column is part of the table''s replica identity';

CREATE OR REPLACE FUNCTION nmsp_feed._mend_publication(p_name text, p_always boolean) RETURNS int
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    p nmsp_feed.edge_publication;
    r record;
    tables text[] := '{}';
    named regclass[] := '{}';
BEGIN
    SELECT x.* INTO STRICT p FROM nmsp_feed.edge_publication x WHERE x.name = p_name;
    FOR r IN SELECT x.* FROM nmsp_feed.edge_relation x WHERE x.way = 'to edges' AND (p.radius OR NOT x.radius) ORDER BY x.relation::text LOOP
        IF NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = r.relation AND i.indisprimary) THEN
            RAISE WARNING 'table % has no primary key, so it cannot be published', r.relation USING HINT = 'Give it one, then call nmsp.migrate().';
            CONTINUE;
        END IF;
        IF p.netgws IS NOT NULL AND r.netgw IS NOT NULL THEN
            PERFORM nmsp_feed._edge_identity(r.relation, r.netgw);
            tables := tables || format('%s WHERE (%I = ANY (%L::bigint[]))', r.relation, r.netgw, p.netgws);
        ELSE
            tables := tables || r.relation::text;
        END IF;
        named := named || r.relation;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_publication x WHERE x.pubname = p_name) THEN
        EXECUTE format('CREATE PUBLICATION %I FOR TABLE %s WITH (publish_via_partition_root = true)', p_name, array_to_string(tables, ', '));
        EXECUTE format('COMMENT ON PUBLICATION %I IS %L', p_name, 'Provisioning tables for edges; kept by nmsp.migrate()');
    ELSIF p_always OR EXISTS (SELECT x.relation FROM unnest(named) x(relation) EXCEPT
                              SELECT pr.prrelid FROM pg_publication_rel pr JOIN pg_publication x ON x.oid = pr.prpubid WHERE x.pubname = p_name)
          OR EXISTS (SELECT pr.prrelid FROM pg_publication_rel pr JOIN pg_publication x ON x.oid = pr.prpubid WHERE x.pubname = p_name
                     EXCEPT SELECT x.relation FROM unnest(named) x(relation)) THEN
        EXECUTE format('ALTER PUBLICATION %I SET TABLE %s', p_name, array_to_string(tables, ', '));
    END IF;
    RETURN cardinality(named);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._mend_publication(text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._mend_publication(text, boolean) IS 'Makes a publication for edges, or gives it the tables it should have';

CREATE OR REPLACE FUNCTION nmsp_feed.beat() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER -- a feeder's role need not be able to write tables of nmsp
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    -- At an edge not even a statement that writes no row is let through.
    IF EXISTS (SELECT FROM nmsp_feed.edge_publication) AND NOT EXISTS (SELECT FROM nmsp.edge) THEN
        INSERT INTO nmsp.heartbeat AS h (at) VALUES (clock_timestamp())
            ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE h.at < excluded.at - '10 s'::interval OR h.at > excluded.at;
    END IF;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.beat() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.beat() IS 'At a centre with edges: writes nmsp.heartbeat. The feeder calls it from time to time, by nmsp_feed.prune().';

CREATE OR REPLACE FUNCTION nmsp_feed.create_publication(name text DEFAULT 'nmsp_edge', netgws text[] DEFAULT NULL, radius boolean DEFAULT false) RETURNS int
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    ids bigint[];
    unknown text;
BEGIN
    IF EXISTS (SELECT FROM nmsp.edge) THEN
        RAISE EXCEPTION USING errcode = 'object_not_in_prerequisite_state', message = 'this database is an edge',
            detail = 'Edges subscribe to the centre; they have no edges of their own.', hint = 'Call it at the centre.';
    END IF;
    unknown := (SELECT u.n FROM unnest(netgws) u(n) WHERE NOT EXISTS (SELECT FROM nmsp.netgw g WHERE g.name = u.n) LIMIT 1);
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION USING errcode = 'undefined_object', message = format('access gateway "%s" does not exist', unknown),
            detail = 'The publication was to be limited to it.', hint = 'SELECT name FROM nmsp.netgw lists those that exist.';
    END IF;
    IF netgws IS NOT NULL THEN
        ids := ARRAY(SELECT g.id FROM nmsp.netgw g WHERE g.name = ANY (netgws) ORDER BY g.id);
    END IF;
    INSERT INTO nmsp_feed.edge_publication AS p (name, netgws, radius) VALUES (create_publication.name, ids, create_publication.radius)
        ON CONFLICT ON CONSTRAINT edge_publication_pkey DO UPDATE SET netgws = excluded.netgws, radius = excluded.radius;
    PERFORM nmsp_feed.beat();
    RETURN nmsp_feed._mend_publication(create_publication.name, true);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.create_publication(text, text[], boolean) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.create_publication(text, text[], boolean) IS
'Makes, or changes, the publication that edges subscribe to; returns its number of tables. netgws: names of the access gateways whose modems, pools and secrets it has (null: all). radius: also PPP accounts with their passwords. Errors: 42704 unknown gateway, 55000 called at an edge.';

CREATE OR REPLACE FUNCTION nmsp_feed.drop_publication(name text DEFAULT 'nmsp_edge') RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    DELETE FROM nmsp_feed.edge_publication p WHERE p.name = drop_publication.name;
    EXECUTE format('DROP PUBLICATION IF EXISTS %I', drop_publication.name);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.drop_publication(text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.drop_publication(text) IS 'Takes a publication of nmsp_feed.create_publication() away.';

-- What edges have served. A trigger of replication only; the edge has checked the row.
CREATE OR REPLACE FUNCTION nmsp_feed._download_arrives() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    -- A subscription made anew copies all that the edge still has.
    IF EXISTS (SELECT FROM nmsp.download d WHERE d.modem_id IS NOT DISTINCT FROM NEW.modem_id AND d.at = NEW.at AND d.agent = NEW.agent
                  AND d.source = NEW.source AND d.path = NEW.path AND d.result = NEW.result) THEN
        RETURN NULL;
    END IF;
    IF NEW.result NOT IN ('served', 'unconfirmed') OR NEW.path ~ '^/?fw/' OR NEW.sha256 IS NULL THEN
        RETURN NEW;
    END IF;
    IF NEW.path ~ '^/?mta/' THEN
        INSERT INTO nmsp.mta_download AS d (mta_id, at, netgw_id, source, note, sha256)
        SELECT t.id, NEW.at, NEW.netgw_id, NEW.source, NEW.note, NEW.sha256
          FROM nmsp.mta t WHERE t.id = (nmsp.path_mta(NEW.path)).id FOR KEY SHARE
            ON CONFLICT (mta_id) DO UPDATE SET at = excluded.at, netgw_id = excluded.netgw_id, source = excluded.source, note = excluded.note,
                sha256 = excluded.sha256
         WHERE d.at < excluded.at;
        RETURN NEW;
    END IF;
    IF NEW.config_sha256 IS NULL THEN
        RETURN NEW;
    END IF;
    UPDATE nmsp.modem_download d SET at = NEW.at, netgw_id = NEW.netgw_id, source = NEW.source, note = NEW.note, sha256 = NEW.sha256, config_sha256 = NEW.config_sha256
     WHERE d.modem_id = NEW.modem_id AND d.at < NEW.at;
    IF NOT FOUND THEN
        -- No foreign key is checked here: the lock keeps the modem, which may be gone by now.
        PERFORM FROM nmsp.modem m WHERE m.id = NEW.modem_id AND NOT EXISTS (SELECT FROM nmsp.modem_download d WHERE d.modem_id = NEW.modem_id) FOR KEY SHARE OF m;
        IF FOUND THEN
            INSERT INTO nmsp.modem_download AS d (modem_id, at, netgw_id, source, note, sha256, config_sha256)
            VALUES (NEW.modem_id, NEW.at, NEW.netgw_id, NEW.source, NEW.note, NEW.sha256, NEW.config_sha256)
                ON CONFLICT (modem_id) DO UPDATE SET at = excluded.at, netgw_id = excluded.netgw_id, source = excluded.source, note = excluded.note,
                    sha256 = excluded.sha256, config_sha256 = excluded.config_sha256
             WHERE d.at < excluded.at;
        END IF;
    END IF;
    RETURN NEW;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._download_arrives() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._download_arrives() IS 'Trigger: a download that an edge sends is taken once, and nmsp.modem_download or nmsp.mta_download follows';

-- Rows of other tables from edges: who comes last is right.
CREATE OR REPLACE FUNCTION nmsp_feed._state_arrives() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    EXECUTE format('DELETE FROM %s t WHERE %s', TG_ARGV[0], TG_ARGV[1]) USING NEW;
    RETURN NEW;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._state_arrives() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._state_arrives() IS 'Trigger: a row that an edge sends takes the place of the one with its key. Arguments: table, condition by which t is the row $1';

CREATE OR REPLACE FUNCTION nmsp_feed._mend_centre() RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT x.relation, (SELECT string_agg(format('t.%1$I = ($1).%1$I', a.attname), ' AND ') FROM pg_index i
                                   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = x.relation AND i.indisprimary) AS key
               FROM nmsp_feed.edge_relation x WHERE x.way = 'from edges' AND NOT x.log LOOP
        PERFORM nmsp_feed._trigger(r.relation, 'edge_arrives',
            format('CREATE TRIGGER edge_arrives BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION nmsp_feed._state_arrives(%L, %L)', r.relation, r.relation, r.key), 'REPLICA');
    END LOOP;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._mend_centre() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._mend_centre() IS 'Gives tables that edges send the triggers they should have';

-- at an edge ------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp_feed._edge_guard() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF coalesce(current_setting('nmsp_feed.edge_write', true), '') <> 'on' THEN
        RAISE EXCEPTION USING errcode = 'read_only_sql_transaction',
            message = format('%s.%s is written at the centre', TG_TABLE_SCHEMA, TG_TABLE_NAME),
            detail = 'This database is an edge: it gets the table by logical replication, and a row of its own would stop that.',
            hint = 'Change it at the centre. Settings of this edge: UPDATE nmsp.edge SET settings = ....';
    END IF;
    RETURN NULL;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._edge_guard() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._edge_guard() IS 'Trigger: at an edge nobody but replication writes the centre''s tables';

CREATE OR REPLACE FUNCTION nmsp_feed._edge_copy() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    -- The first copy of a table replaces what is there, in one transaction: an edge that is copied
    -- anew serves what it had until then. Rows of settings that migrate() made go the same way.
    IF EXISTS (SELECT FROM pg_stat_get_subscription(NULL) s WHERE s.pid = pg_backend_pid() AND s.relid IS NOT NULL) THEN
        PERFORM nmsp_feed._record_whole(TG_RELID);
        EXECUTE format('DELETE FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
    END IF;
    RETURN NULL;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._edge_copy() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._edge_copy() IS 'Trigger: the first copy of a table from the centre replaces what the edge has';

CREATE OR REPLACE FUNCTION nmsp_feed._edge_setting() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    ours nmsp.setting;
BEGIN
    SELECT (jsonb_populate_record(NEW, e.settings)).* INTO ours FROM nmsp.edge e;
    IF FOUND THEN
        UPDATE nmsp.edge e SET centre = to_jsonb(NEW);
        RETURN ours;
    END IF;
    RETURN NEW;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'the settings of this edge do not count: %', SQLERRM USING HINT = 'Mend nmsp.edge.settings.';
    RETURN NEW;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._edge_setting() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._edge_setting() IS 'Trigger: over the settings that come from the centre lie those of the edge';

CREATE OR REPLACE FUNCTION nmsp_feed.edge_settings() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{provisioning_server,provisioning_server6,dns_server,ntp_server,log_server,time_zone,download_check,download_origin,download_once,download_retention}'::text[];
REVOKE ALL ON FUNCTION nmsp_feed.edge_settings() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.edge_settings() IS 'Columns of nmsp.setting that an edge may have otherwise than the centre: those that no rule ties to another one.';

CREATE OR REPLACE FUNCTION nmsp_feed._edge_changed() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
SET nmsp_feed.edge_write TO 'on'
AS $fn$
DECLARE
    wrong text := (SELECT k FROM jsonb_object_keys(NEW.settings) k WHERE k <> ALL (nmsp_feed.edge_settings()) LIMIT 1);
BEGIN
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING errcode = 'invalid_parameter_value', message = format('setting "%s" is the centre''s', wrong),
            detail = format('An edge may have its own: %s.', array_to_string(nmsp_feed.edge_settings(), ', ')), hint = 'Leave it out of nmsp.edge.settings.';
    END IF;
    IF NEW.centre IS NULL THEN
        NEW.centre := (SELECT to_jsonb(s) FROM nmsp.setting s);
    END IF;
    EXECUTE format('UPDATE nmsp.setting s SET (%1$s) = ROW(%2$s) FROM jsonb_populate_record(NULL::nmsp.setting, $1) v',
                   array_to_string(nmsp_feed.edge_settings(), ', '), 'v.' || array_to_string(nmsp_feed.edge_settings(), ', v.'))
      USING NEW.centre || NEW.settings;
    RETURN NEW;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._edge_changed() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._edge_changed() IS 'Trigger: an edge''s settings are checked and put into nmsp.setting';
CREATE OR REPLACE TRIGGER edge_changed BEFORE INSERT OR UPDATE OF settings ON nmsp.edge
    FOR EACH ROW EXECUTE FUNCTION nmsp_feed._edge_changed();

CREATE OR REPLACE FUNCTION nmsp_feed._orphans(p_constraint oid) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT format('DELETE FROM %s x WHERE (%s) AND NOT EXISTS (SELECT FROM %s y WHERE %s)', c.conrelid::regclass,
                  string_agg(format('x.%I IS NOT NULL', a.attname), ' AND '), c.confrelid::regclass, string_agg(format('x.%I = y.%I', a.attname, b.attname), ' AND '))
      FROM pg_constraint c
     CROSS JOIN unnest(c.conkey, c.confkey) u(i, j)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.i
      JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = u.j
     WHERE c.oid = p_constraint
     GROUP BY c.conrelid, c.confrelid;
END;
REVOKE ALL ON FUNCTION nmsp_feed._orphans(oid) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._orphans(oid) IS 'Statement that deletes rows which a foreign key forbids: replication checks none';

CREATE OR REPLACE FUNCTION nmsp_feed._edge_foreign_keys() RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    k record;
BEGIN
    -- TRUNCATE is repeated for the tables that were truncated at the centre, and PostgreSQL refuses
    -- it where another table has a foreign key to one of them.
    FOR k IN SELECT c.oid, c.conname, c.conrelid::regclass AS relation
               FROM pg_constraint c
               JOIN nmsp_feed.edge_relation t ON t.relation = c.confrelid AND t.way = 'to edges'
               LEFT JOIN nmsp_feed.edge_relation f ON f.relation = c.conrelid AND f.way = 'to edges'
              WHERE c.contype = 'f' AND c.conparentid = 0 AND (f.relation IS NULL OR f.radius AND NOT t.radius) LOOP
        UPDATE nmsp.edge e SET dropped = e.dropped || jsonb_build_object('relation', k.relation::text, 'name', k.conname,
            'definition', pg_get_constraintdef(k.oid), 'orphans', nmsp_feed._orphans(k.oid));
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', k.relation, k.conname);
    END LOOP;
    -- Without them, what belongs to a row that is gone is taken away here.
    FOR k IN SELECT x.d ->> 'orphans' AS statement FROM nmsp.edge e, jsonb_array_elements(e.dropped) x(d)
              WHERE to_regclass(x.d ->> 'relation') NOT IN (SELECT r.relation FROM nmsp_feed.edge_relation r WHERE r.way = 'to edges') LOOP
        EXECUTE k.statement;
    END LOOP;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._edge_foreign_keys() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._edge_foreign_keys() IS 'Takes foreign keys away that would refuse the repetition of a TRUNCATE; nmsp.edge.dropped keeps them';

CREATE OR REPLACE FUNCTION nmsp_feed._mend_back(p_name text, p_log boolean, p_publish text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    r record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_publication x WHERE x.pubname = p_name) THEN
        EXECUTE format('CREATE PUBLICATION %I WITH (publish = %L, publish_via_partition_root = true)', p_name, p_publish);
        EXECUTE format('COMMENT ON PUBLICATION %I IS %L', p_name, 'What an edge sends to the centre; kept by nmsp.migrate()');
    END IF;
    FOR r IN SELECT coalesce(w.relation, h.prrelid::regclass) AS relation, CASE WHEN h.prrelid IS NULL THEN 'ADD' ELSE 'DROP' END AS what
               FROM (SELECT x.relation FROM nmsp_feed.edge_relation x WHERE x.way = 'from edges' AND x.log = p_log) w
               FULL JOIN (SELECT pr.prrelid FROM pg_publication_rel pr JOIN pg_publication x ON x.oid = pr.prpubid AND x.pubname = p_name) h ON h.prrelid = w.relation
              WHERE w.relation IS NULL OR h.prrelid IS NULL LOOP
        EXECUTE format('ALTER PUBLICATION %I %s TABLE %s', p_name, r.what, r.relation);
    END LOOP;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._mend_back(text, boolean, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._mend_back(text, boolean, text) IS 'Makes one of the publications of an edge, or gives it the tables it should have';

CREATE OR REPLACE FUNCTION nmsp_feed._mend_edge() RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT x.relation FROM nmsp_feed.edge_relation x WHERE x.way = 'to edges' LOOP
        PERFORM nmsp_feed._trigger(r.relation, 'edge_guard',
            format('CREATE TRIGGER edge_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION nmsp_feed._edge_guard()', r.relation));
        PERFORM nmsp_feed._trigger(r.relation, 'edge_copy',
            format('CREATE TRIGGER edge_copy BEFORE INSERT ON %s FOR EACH STATEMENT EXECUTE FUNCTION nmsp_feed._edge_copy()', r.relation), 'REPLICA');
    END LOOP;
    PERFORM nmsp_feed._trigger('nmsp.setting', 'edge_setting',
        'CREATE TRIGGER edge_setting BEFORE INSERT OR UPDATE ON nmsp.setting FOR EACH ROW EXECUTE FUNCTION nmsp_feed._edge_setting()', 'REPLICA');
    PERFORM nmsp_feed._edge_foreign_keys();
    -- Of logs rows go back when they are made; that old ones are dropped here is no business of the centre.
    PERFORM nmsp_feed._mend_back('nmsp_back', true, 'insert');
    PERFORM nmsp_feed._mend_back('nmsp_back_state', false, 'insert, update, delete');
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._mend_edge() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._mend_edge() IS 'Gives an edge the triggers and the publication it should have';

CREATE OR REPLACE FUNCTION nmsp_feed.become_edge(name text, settings jsonb DEFAULT '{}', replace boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF EXISTS (SELECT FROM nmsp_feed.edge_publication) THEN
        RAISE EXCEPTION USING errcode = 'object_not_in_prerequisite_state', message = 'this database has edges of its own',
            detail = 'A centre cannot be an edge at the same time.', hint = 'SELECT nmsp_feed.drop_publication(name) FROM nmsp_feed.edge_publication; first.';
    END IF;
    IF NOT replace AND NOT EXISTS (SELECT FROM nmsp.edge) AND EXISTS (SELECT FROM nmsp.netgw) THEN
        RAISE EXCEPTION USING errcode = 'object_not_in_prerequisite_state', message = 'this database has a network of its own',
            detail = 'The centre''s rows take the place of all rows that are here.', hint = 'SELECT nmsp_feed.become_edge(..., replace => true); if that is meant.';
    END IF;
    INSERT INTO nmsp.edge AS e (name, settings) VALUES (become_edge.name, become_edge.settings)
        ON CONFLICT ON CONSTRAINT edge_pkey DO UPDATE SET name = excluded.name, settings = excluded.settings;
    PERFORM nmsp_feed._mend_edge();
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.become_edge(text, jsonb, boolean) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.become_edge(text, jsonb, boolean) IS
'Makes this database an edge, ready for CREATE SUBSCRIPTION: nobody but replication writes the centre''s tables, a first copy replaces what is there, publications nmsp_back and nmsp_back_state offer what is to go back. settings: see nmsp.edge.settings. replace: although there are rows of a network here. Errors: 55000.';

CREATE OR REPLACE FUNCTION nmsp_feed.leave_centre() RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    r record;
    d jsonb;
BEGIN
    IF EXISTS (SELECT FROM pg_subscription s JOIN pg_database x ON x.oid = s.subdbid WHERE x.datname = current_database()) THEN
        RAISE EXCEPTION USING errcode = 'object_not_in_prerequisite_state', message = 'this database still subscribes to the centre',
            detail = 'Rows of both would collide.', hint = 'ALTER SUBSCRIPTION ... DISABLE; ALTER SUBSCRIPTION ... SET (slot_name = NONE); DROP SUBSCRIPTION ...; first.';
    END IF;
    FOR r IN SELECT t.tgrelid::regclass AS relation, t.tgname FROM pg_trigger t WHERE t.tgname IN ('edge_guard', 'edge_copy', 'edge_setting') AND NOT t.tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', r.tgname, r.relation);
    END LOOP;
    -- A publication of some gateways leaves rows without what they belong to.
    FOR r IN SELECT nmsp_feed._orphans(c.oid) AS statement FROM pg_constraint c JOIN nmsp_feed.edge_relation t ON t.relation = c.confrelid AND t.way = 'to edges'
              WHERE c.contype = 'f' AND c.conparentid = 0 LOOP
        EXECUTE r.statement;
    END LOOP;
    FOR d IN SELECT x FROM nmsp.edge e, jsonb_array_elements(e.dropped) x LOOP
        EXECUTE d ->> 'orphans';
        EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', d ->> 'relation', d ->> 'name', d ->> 'definition');
    END LOOP;
    DROP PUBLICATION IF EXISTS nmsp_back, nmsp_back_state;
    -- The numbers went to the centre's rows.
    FOR r IN SELECT x.relation, a.attname, pg_get_serial_sequence(x.relation::text, a.attname) AS sequence
               FROM nmsp_feed.edge_relation x JOIN pg_attribute a ON a.attrelid = x.relation AND a.attidentity <> '' WHERE x.way = 'to edges' LOOP
        EXECUTE format('SELECT setval(%L, (SELECT coalesce(max(%I), 0) + 1 FROM %s), false)', r.sequence, r.attname, r.relation);
    END LOOP;
    DELETE FROM nmsp.edge;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.leave_centre() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.leave_centre() IS
'Makes an edge a database of its own, with the rows it has: to take the centre''s place when that is lost for good. Errors: 55000 it still has a subscription.';

-- on both sides ---------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp_feed.edge_digest(publication text DEFAULT 'nmsp_edge') RETURNS TABLE (relation regclass, n bigint, digest numeric)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
SET extra_float_digits TO 1
SET timezone TO 'UTC'
SET datestyle TO 'ISO'
SET intervalstyle TO 'postgres'
SET bytea_output TO 'hex'
AS $fn$
DECLARE
    p nmsp_feed.edge_publication;
    r record;
BEGIN
    SELECT x.* INTO p FROM nmsp_feed.edge_publication x WHERE x.name = publication;
    FOR r IN SELECT x.* FROM nmsp_feed.edge_relation x WHERE x.way = 'to edges' AND NOT x.radius AND x.relation <> 'nmsp.heartbeat'::regclass ORDER BY x.relation::text LOOP
        relation := r.relation;
        -- A sum does not depend on the order of rows.
        EXECUTE format('SELECT count(*), coalesce(sum(hashtextextended((%s)::text, 0)::numeric), 0) FROM %s t WHERE $1 IS NULL OR %s',
                       CASE r.relation WHEN 'nmsp.setting'::regclass THEN 'to_jsonb(t) - nmsp_feed.edge_settings()' ELSE 't' END, r.relation,
                       CASE WHEN r.netgw IS NULL THEN 'true' ELSE format('t.%I = ANY ($1)', r.netgw) END)
           INTO n, digest USING p.netgws;
        RETURN NEXT;
    END LOOP;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.edge_digest(text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.edge_digest(text) IS
'Number and digest of the rows of each table that goes to edges, to compare an edge with the centre (where the name of its publication matters). Without what an edge may have otherwise. A second or two for a million modems.';

-- Sessions are told that MIB names are others by a version (see 15_mib.sql); rows that replication
-- brings count too.
CREATE OR REPLACE FUNCTION nmsp_feed._enable(p_relation regclass, p_trigger text, p_mode "char") RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = p_relation AND t.tgname = p_trigger AND t.tgenabled <> p_mode) THEN
        EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER %I', p_relation, CASE p_mode WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END, p_trigger);
    END IF;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed._enable(regclass, text, "char") FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed._enable(regclass, text, "char") IS 'Makes a trigger fire under replication as well (A) or only there (R)';

PERFORM nmsp_feed._enable('nmsp.mib_object', 'mib_object_changed', 'A');
PERFORM nmsp_feed._trigger('nmsp.mib_object', 'mib_object_replica',
    format('CREATE TRIGGER mib_object_replica AFTER INSERT OR UPDATE OR DELETE ON nmsp.mib_object FOR EACH ROW '
           'WHEN (current_setting(%L, true) IS DISTINCT FROM ''yes'') EXECUTE FUNCTION nmsp.mib_object_changed()', nmsp_feed._whole_flag('nmsp.mib_object')), 'REPLICA');
PERFORM nmsp_feed._trigger('nmsp.download', 'download_arrives',
    'CREATE TRIGGER download_arrives BEFORE INSERT ON nmsp.download FOR EACH ROW EXECUTE FUNCTION nmsp_feed._download_arrives()', 'REPLICA');
PERFORM nmsp_feed._enable(i.inhrelid, 'download_arrives', 'R') FROM pg_inherits i WHERE i.inhparent = 'nmsp.download'::regclass;

PERFORM nmsp_feed._mend_publication(p.name, false) FROM nmsp_feed.edge_publication p;
PERFORM nmsp_feed._mend_centre();
PERFORM nmsp_feed._mend_edge() FROM nmsp.edge;
