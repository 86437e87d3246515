-- What a change would do to devices, before it is made: the statement is run, the devices it
-- touches are found by the same keys that feeding uses, and all of it is rolled back.

CREATE OR REPLACE FUNCTION nmsp.previewed_device(OUT modem_ids bigint[], OUT mta_ids bigint[], OUT row_modem_ids bigint[], OUT row_mta_ids bigint[],
    OUT structure boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER -- the keys of feeds are for the feeder alone
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    WITH change AS (
        SELECT x.feed, x.cause, array_agg(DISTINCT i.id) AS ids
          FROM nmsp_feed.change x LEFT JOIN LATERAL unnest(x.ids) i(id) ON true
         WHERE x.xid = pg_current_xact_id_if_assigned() GROUP BY x.feed, x.cause),
    by_row AS (
        SELECT CASE c.cause WHEN 'modem' THEN 'cm' ELSE 'mta' END AS part, u.id FROM change c, unnest(c.ids) u(id) WHERE c.cause IN ('modem', 'mta')
        UNION
        SELECT 'cm', x.modem_id FROM change c JOIN nmsp.contract_modem x ON x.contract_id = ANY (c.ids) WHERE c.cause = 'contract'
        UNION
        SELECT 'cm', e.modem_id FROM change c JOIN nmsp.endpoint e ON e.id = ANY (c.ids) WHERE c.feed = 'bind' AND c.cause = 'endpoint'),
    by_file AS (
        SELECT t.part, t.id FROM change c, nmsp_feed.tftpd_keys(NULL, c.cause, c.ids, NULL, NULL, 2147483647) t WHERE c.feed = 'tftpd'
        UNION
        SELECT r.part, r.id FROM by_row r),
    every AS (
        SELECT f.part, array_agg(f.id ORDER BY f.id) AS ids, array_agg(f.id ORDER BY f.id) FILTER (WHERE r.id IS NOT NULL) AS row_ids
          FROM by_file f LEFT JOIN by_row r ON r.part = f.part AND r.id = f.id GROUP BY f.part)
    SELECT coalesce((SELECT e.ids FROM every e WHERE e.part = 'cm'), '{}'), coalesce((SELECT e.ids FROM every e WHERE e.part = 'mta'), '{}'),
           (SELECT e.row_ids FROM every e WHERE e.part = 'cm'), (SELECT e.row_ids FROM every e WHERE e.part = 'mta'),
           (SELECT coalesce(bool_or(c.cause IN ('netgw', 'all')), false) FROM change c)
      INTO modem_ids, mta_ids, row_modem_ids, row_mta_ids, structure;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.previewed_device() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.previewed_device() IS
'Whom this transaction has touched so far: modems and MTAs whose file may differ, those of them whose own row or endpoints changed (so that DHCP may answer otherwise), and whether anything of networks or settings changed.';

CREATE OR REPLACE FUNCTION nmsp.dhcp_state(macs macaddr[]) RETURNS TABLE (mac macaddr, item text, value text)
LANGUAGE sql STABLE ROWS 1000
BEGIN ATOMIC
    -- OFFSET 0: each look-up by its key, as Kea does it; the views are not for joins of many.
    WITH h AS MATERIALIZED (
        SELECT u.mac, k.* FROM unnest(macs) u(mac) CROSS JOIN LATERAL (
            SELECT x.* FROM nmsp_kea.hosts x WHERE x.dhcp_identifier = macaddr_send(u.mac) AND x.dhcp_identifier_type = 0 OFFSET 0) k
        UNION ALL
        SELECT u.mac, k.* FROM unnest(macs) u(mac) CROSS JOIN LATERAL (
            SELECT x.* FROM nmsp_kea.hosts x WHERE x.dhcp_identifier = '\x43'::bytea || macaddr_send(u.mac) AND x.dhcp_identifier_type = 4 OFFSET 0) k),
    said AS (
        SELECT h.mac, v.item, v.value
          FROM h CROSS JOIN LATERAL (VALUES
               (CASE WHEN h.dhcp_identifier_type = 4 THEN 'address behind it' ELSE 'address' END, host('0.0.0.0'::inet + h.ipv4_address)),
               (CASE WHEN h.dhcp_identifier_type = 4 THEN 'class of CPEs' ELSE 'class' END, coalesce(h.dhcp4_client_classes, h.dhcp6_client_classes)),
               ('boot file', h.dhcp4_boot_file_name),
               ('next server', host('0.0.0.0'::inet + h.dhcp4_next_server)),
               ('host name', h.hostname)) v(item, value)
        UNION ALL
        SELECT h.mac, 'option ' || o.code, coalesce(o.formatted_value, encode(o.value, 'hex'))
          FROM h CROSS JOIN LATERAL (SELECT x.* FROM nmsp_kea.dhcp4_options x WHERE x.host_id = h.host_id OFFSET 0) o WHERE h.dhcp4_subnet_id IS NOT NULL
        UNION ALL
        SELECT h.mac, 'v6 option ' || CASE WHEN o.space = 'dhcp6' THEN '' ELSE o.space || ' ' END || o.code, coalesce(o.formatted_value, encode(o.value, 'hex'))
          FROM h CROSS JOIN LATERAL (SELECT x.* FROM nmsp_kea.dhcp6_options x WHERE x.host_id = h.host_id OFFSET 0) o WHERE h.dhcp6_subnet_id IS NOT NULL
        UNION ALL
        SELECT h.mac, CASE r.type WHEN 2 THEN 'delegated prefix' ELSE 'v6 address' END, r.address || CASE r.type WHEN 2 THEN '/' || r.prefix_len ELSE '' END
          FROM h JOIN nmsp_kea.ipv6_reservations r ON r.host_id = h.host_id WHERE h.dhcp6_subnet_id IS NOT NULL)
    SELECT s.mac, s.item, string_agg(DISTINCT s.value, ', ' ORDER BY s.value) FROM said s WHERE s.value IS NOT NULL GROUP BY s.mac, s.item;
END;
COMMENT ON FUNCTION nmsp.dhcp_state(macaddr[]) IS
'What DHCP says to hardware addresses at this moment, as Kea''s views have it: fixed addresses, classes, boot file, options, prefixes; and what it says to whoever is behind them.';

CREATE OR REPLACE FUNCTION nmsp.preview_file(kind text, of_ids bigint[], OUT kinds text[], OUT devices text[], OUT files bytea[], OUT problems text[])
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    d record;
    file bytea;
    problem text;
BEGIN
    BEGIN
        IF kind = 'modem' THEN
            SELECT array_agg(kind), array_agg(x.mac::text), array_agg(nmsp.modem_config(x)::bytea), array_agg(NULL::text)
              INTO kinds, devices, files, problems FROM nmsp.modem x WHERE x.id = ANY (of_ids);
        ELSE
            SELECT array_agg(kind), array_agg(x.mac::text), array_agg(nmsp.mta_config(x)::bytea), array_agg(NULL::text)
              INTO kinds, devices, files, problems FROM nmsp.mta x WHERE x.id = ANY (of_ids);
        END IF;
        RETURN;
    EXCEPTION WHEN OTHERS THEN
        kinds := NULL; devices := NULL; files := NULL; problems := NULL;
    END;
    -- One of them has none: each on its own, to tell which.
    FOR d IN SELECT x.id, x.mac FROM nmsp.modem x WHERE kind = 'modem' AND x.id = ANY (of_ids)
             UNION ALL SELECT x.id, x.mac FROM nmsp.mta x WHERE kind = 'mta' AND x.id = ANY (of_ids) LOOP
        problem := NULL;
        BEGIN
            file := CASE kind WHEN 'modem' THEN nmsp.modem_config(d.id)::bytea ELSE nmsp.mta_config(d.id)::bytea END;
        EXCEPTION WHEN OTHERS THEN
            file := NULL;
            problem := SQLERRM;
        END;
        problems := array_append(problems, problem);
        kinds := kinds || kind;
        devices := devices || d.mac::text;
        files := array_append(files, file);
    END LOOP;
END
$fn$;
COMMENT ON FUNCTION nmsp.preview_file(text, bigint[]) IS
'The files of these devices (kind modem or mta) as they are due now: arrays of equal length; where a file cannot be made it is null and problems says why.';

CREATE OR REPLACE FUNCTION nmsp.preview_state(touched record, OUT kinds text[], OUT devices text[], OUT files bytea[], OUT problems text[], OUT facts jsonb)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    mta record;
BEGIN
    SELECT f.* INTO kinds, devices, files, problems FROM nmsp.preview_file('modem', touched.modem_ids) f;
    mta := nmsp.preview_file('mta', touched.mta_ids);
    kinds := kinds || mta.kinds;
    devices := devices || mta.devices;
    files := files || mta.files;
    problems := problems || mta.problems;
    SELECT jsonb_agg(jsonb_build_array(f.kind, f.device, f.item, f.value)) INTO facts FROM (
        SELECT w.kind, w.device, d.item, d.value
          FROM (SELECT 'modem' AS kind, x.mac, x.mac::text AS device FROM nmsp.modem x WHERE x.id = ANY (touched.row_modem_ids)
                UNION ALL
                SELECT 'endpoint', e.mac, e.name FROM nmsp.endpoint e WHERE e.modem_id = ANY (touched.row_modem_ids) AND e.mac IS NOT NULL
                UNION ALL
                SELECT 'mta', a.mac, a.mac::text FROM nmsp.mta a WHERE a.id = ANY (touched.row_mta_ids)) w
          JOIN nmsp.dhcp_state((
                SELECT array_agg(y.mac) FROM (
                    SELECT x.mac FROM nmsp.modem x WHERE x.id = ANY (touched.row_modem_ids)
                    UNION ALL
                    SELECT e.mac FROM nmsp.endpoint e WHERE e.modem_id = ANY (touched.row_modem_ids) AND e.mac IS NOT NULL
                    UNION ALL
                    SELECT a.mac FROM nmsp.mta a WHERE a.id = ANY (touched.row_mta_ids)) y)) d ON d.mac = w.mac
        UNION ALL
        SELECT 'modem', x.mac::text, v.item, v.value
          FROM nmsp.modem x JOIN nmsp.template t ON t.id = x.template_id JOIN nmsp.netgw g ON g.id = x.netgw_id
         CROSS JOIN LATERAL (VALUES ('template', t.name), ('gateway', g.name)) v(item, value)
         WHERE x.id = ANY (touched.row_modem_ids)
        UNION ALL
        SELECT r.kind, r.device, c.key, c.value FROM (
            SELECT 'pool' AS kind, p.network::text AS device, to_jsonb(p) - 'id' - 'network' AS row FROM nmsp.pool p
            UNION ALL
            SELECT 'gateway', g.name, to_jsonb(g) - 'id' - 'name' FROM nmsp.netgw g
            UNION ALL
            SELECT 'setting', NULL, to_jsonb(s) - 'id' FROM nmsp.setting s) r, jsonb_each_text(r.row) c
         WHERE touched.structure AND c.value IS NOT NULL) f;
END
$fn$;
COMMENT ON FUNCTION nmsp.preview_state(record) IS
'The present state of what nmsp.preview compares for those whom nmsp.previewed_device() names: files (arrays of equal length), and facts as [kind, device, item, value].';

CREATE OR REPLACE FUNCTION nmsp.preview(statement text, max_devices int DEFAULT 1000000)
RETURNS TABLE (kind text, device text, item text, before text, after text)
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    touched record;
    old record;
    new record;
BEGIN
    BEGIN
        EXECUTE statement;
        SET CONSTRAINTS ALL IMMEDIATE;
        touched := nmsp.previewed_device();
        IF cardinality(touched.modem_ids) > max_devices THEN
            PERFORM nmsp.refuse('54000', format('the change touches %s modems', cardinality(touched.modem_ids)),
                format('A preview of more than %s was not asked for.', max_devices),
                'Give max_devices a greater value: nmsp.preview(''...'', max_devices => 5000000).', 'modem');
        END IF;
        new := nmsp.preview_state(touched);
        RAISE EXCEPTION USING errcode = 'NMPRE', message = 'rolled back';
    EXCEPTION
        WHEN SQLSTATE 'NMPRE' THEN
            NULL; -- everything the statement did is undone; what was seen is kept
        WHEN undefined_table OR undefined_function THEN
            RAISE EXCEPTION USING errcode = SQLSTATE, message = SQLERRM, hint = 'In a preview names need their schema: UPDATE nmsp.modem SET ...';
    END;
    old := nmsp.preview_state(touched);
    RETURN QUERY
    WITH o AS (
        SELECT * FROM unnest(old.kinds, old.devices, old.files, old.problems) u(kind, device, file, problem)),
    n AS (
        SELECT * FROM unnest(new.kinds, new.devices, new.files, new.problems) u(kind, device, file, problem)),
    j AS MATERIALIZED (
        SELECT coalesce(o.kind, n.kind) AS kind, coalesce(o.device, n.device) AS device, o.file AS old_file, n.file AS new_file,
               coalesce(o.problem, length(o.file) || ' bytes') AS old_word, coalesce(n.problem, length(n.file) || ' bytes') AS new_word
          FROM o FULL JOIN n ON n.kind = o.kind AND n.device = o.device WHERE (o.file, o.problem) IS DISTINCT FROM (n.file, n.problem)),
    -- Files of many modems are the same: each pair is compared once.
    pair AS MATERIALIZED (
        SELECT DISTINCT j.old_file, j.new_file FROM j WHERE j.old_file <> j.new_file),
    d AS MATERIALIZED (
        SELECT p.old_file, p.new_file, CASE WHEN x.path IS NULL THEN 'seal' ELSE format('TLV %s %s', x.path, x.name) END AS item,
               CASE WHEN x.path IS NULL THEN docsis.config(p.old_file) OPERATOR(docsis.->>) '7' ELSE x.old_value END AS before,
               CASE WHEN x.path IS NULL THEN docsis.config(p.new_file) OPERATOR(docsis.->>) '7' ELSE x.new_value END AS after
          FROM pair p LEFT JOIN LATERAL docsis.diff(docsis.config(p.old_file), docsis.config(p.new_file)) x ON true),
    old_fact AS (
        SELECT f ->> 0 AS kind, f ->> 1 AS device, f ->> 2 AS item, f ->> 3 AS value FROM jsonb_array_elements(old.facts) f),
    new_fact AS (
        SELECT f ->> 0 AS kind, f ->> 1 AS device, f ->> 2 AS item, f ->> 3 AS value FROM jsonb_array_elements(new.facts) f)
    SELECT j.kind, j.device, d.item, d.before, d.after
      FROM j JOIN d ON d.old_file = j.old_file AND d.new_file = j.new_file
    UNION ALL
    SELECT j.kind, j.device, 'file', j.old_word, j.new_word FROM j WHERE j.old_file IS NULL OR j.new_file IS NULL
    UNION ALL
    SELECT coalesce(x.kind, y.kind), coalesce(x.device, y.device), coalesce(x.item, y.item), x.value, y.value
      FROM old_fact x FULL JOIN new_fact y ON (y.kind, coalesce(y.device, ''), y.item) = (x.kind, coalesce(x.device, ''), x.item)
     WHERE x.value IS DISTINCT FROM y.value
     ORDER BY 1, 2, 3;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.preview(text, int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.preview(text, int) IS
'What a statement (or several, with semicolons) would change for each device: it is run with the caller''s rights and rolled back. One row per difference: kind (modem, mta, endpoint, pool, gateway, setting), device (MAC, name or network), item (a TLV of the configfile, file, seal, address, class, option ...), value before and after (null: is not there). Only numbers of sequences are used up. Errors: those of the statement; 54000 it touches more than max_devices modems.';

CREATE OR REPLACE FUNCTION nmsp.preview_rows(relation regclass, changes jsonb, max_devices int DEFAULT 1000000)
RETURNS TABLE (kind text, device text, item text, before text, after text)
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    key text;
    statement text;
BEGIN
    SELECT a.attname INTO key FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
     WHERE i.indrelid = relation AND i.indisprimary AND i.indnkeyatts = 1;
    IF key IS NULL OR jsonb_typeof(changes) <> 'array' THEN
        PERFORM nmsp.refuse('22023', 'a preview of rows needs an array of rows and a table with a key of one column',
            format('Table %s, %s.', relation, coalesce(jsonb_typeof(changes), 'null')),
            'nmsp.preview_rows(''nmsp.modem'', ''[{"id": 7, "service_class_id": 2}]''), or give a statement.', relation::text);
    END IF;
    -- Rows of the same columns are one statement: with a known key an UPDATE, otherwise an INSERT.
    SELECT string_agg(format(CASE WHEN c.known THEN 'UPDATE %1$s t SET %2$s FROM jsonb_populate_recordset(NULL::%1$s, %3$L) r WHERE t.%4$I = r.%4$I'
                                  ELSE 'INSERT INTO %1$s (%5$s) %6$s SELECT %7$s FROM jsonb_populate_recordset(NULL::%1$s, %3$L) r' END,
                             relation, c.assignments, c.rows, key, c.columns, CASE WHEN c.has_key THEN 'OVERRIDING SYSTEM VALUE' ELSE '' END, c.r_columns), '; ')
      INTO statement
      FROM (SELECT g.known, g.columns, g.has_key, g.assignments, g.r_columns, jsonb_agg(g.row) AS rows
              FROM (SELECT e.value AS row, k.known, k.has_key, k.columns, k.assignments, k.r_columns
                      FROM jsonb_array_elements(changes) e CROSS JOIN LATERAL (
                           SELECT bool_or(u.k = key) AS has_key, nmsp.preview_knows(relation, key, e.value ->> key) AS known,
                                  string_agg(quote_ident(u.k), ', ' ORDER BY u.k) AS columns,
                                  string_agg(format('%1$I = r.%1$I', u.k), ', ' ORDER BY u.k) FILTER (WHERE u.k <> key) AS assignments,
                                  string_agg('r.' || quote_ident(u.k), ', ' ORDER BY u.k) AS r_columns
                             FROM jsonb_object_keys(e.value) u(k)) k) g
             GROUP BY 1, 2, 3, 4, 5) c;
    RETURN QUERY SELECT * FROM nmsp.preview(coalesce(statement, ''), max_devices);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.preview_rows(regclass, jsonb, int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.preview_rows(regclass, jsonb, int) IS
'The same for a set of changed rows, a JSON array of objects: those with the key of an existing row change the columns they name, the others are new rows. Errors: 22023 no array, or a table without a key of one column; those of the statements.';

CREATE OR REPLACE FUNCTION nmsp.preview_knows(relation regclass, key text, value text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    known boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s t WHERE t.%I = %L)', relation, key, value) INTO known;
    RETURN known;
END
$fn$;
COMMENT ON FUNCTION nmsp.preview_knows(regclass, text, text) IS 'Whether a table has a row with this key.';
