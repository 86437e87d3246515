-- Downloads: the file of this moment for who may have it, and what was served.

CREATE OR REPLACE FUNCTION nmsp.path_modem_id(path text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- What is before and behind the number is compared by who calls this: cheaper than one long pattern.
RETURN CASE WHEN split_part(split_part(split_part(path, '/cm-', 2), '.', 1), '-', 1) ~ '^[1-9][0-9]{0,17}$'
            THEN split_part(split_part(split_part(path, '/cm-', 2), '.', 1), '-', 1)::bigint END;
COMMENT ON FUNCTION nmsp.path_modem_id(text) IS 'The number in what may be the name of a configfile; whether it is that of this modem is for nmsp.modem_path to say. Null: none.';

CREATE OR REPLACE FUNCTION nmsp.path_modem_mac(path text) RETURNS macaddr
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN path LIKE '%/mac-%' THEN
    regexp_replace(substring(path FROM '^/?cm/mac-([0-9a-f]{1,2}(?:-[0-9a-f]{1,2}){5})\.cfg$'), '\m([0-9a-f])\M', '0\1', 'g')::macaddr END;
COMMENT ON FUNCTION nmsp.path_modem_mac(text) IS 'The hardware address in a name cm/mac-<bytes in hex, by hyphens>.cfg; null: none.';

CREATE OR REPLACE FUNCTION nmsp.path_modem(path text) RETURNS nmsp.modem
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m FROM nmsp.modem m, nmsp.setting_secret x
     WHERE m.id = nmsp.path_modem_id(path) AND ltrim(path, '/') = nmsp.modem_path(m.id, x.download_key)
    UNION ALL
    SELECT m FROM nmsp.modem m, nmsp.setting_secret x WHERE x.download_key IS NULL AND m.mac = nmsp.path_modem_mac(path);
END;
COMMENT ON FUNCTION nmsp.path_modem(text) IS
'The modem whose configfile has this name: cm/cm-<id>.cfg, from number 1000 on cm/<id / 1000>/cm-<id>.cfg, or the name with nmsp.setting_secret.download_key, or (without a key) cm/mac-<bytes of its MAC in hex, by hyphens>.cfg; null: none.';

CREATE OR REPLACE FUNCTION nmsp.path_mta(path text) RETURNS nmsp.mta
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    t nmsp.mta;
    key CONSTANT text := (SELECT x.download_key FROM nmsp.setting_secret x);
    hex text;
BEGIN
    SELECT x.* INTO t FROM nmsp.mta x WHERE x.id = substring(path FROM '^/?mta/(?:[1-9][0-9]{0,14}/)?mta-([1-9][0-9]{0,17})(?:-[0-9a-f]{16})?\.cfg$')::bigint;
    IF FOUND AND ltrim(path, '/') = nmsp.mta_path(t.id, key) THEN
        RETURN t;
    END IF;
    hex := substring(path FROM '^/?mta/mac-([0-9a-f]{1,2}(?:-[0-9a-f]{1,2}){5})\.cfg$');
    IF hex IS NULL OR key IS NOT NULL THEN
        RETURN NULL;
    END IF;
    hex := regexp_replace(hex, '\m([0-9a-f])\M', '0\1', 'g');
    SELECT x.* INTO t FROM nmsp.mta x WHERE x.mac = hex::macaddr;
    RETURN t;
END
$fn$;
COMMENT ON FUNCTION nmsp.path_mta(text) IS
'The MTA whose file has this name: mta/mta-<id>.cfg, from number 1000 on mta/<id / 1000>/mta-<id>.cfg, or the name with nmsp.setting_secret.download_key, or (without a key) mta/mac-<bytes of its MAC in hex, by hyphens>.cfg; null: none.';

CREATE OR REPLACE FUNCTION nmsp.mta_download_problem(t nmsp.mta, source inet, at timestamptz, pool nmsp.pool) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    setting record;
    owner macaddr;
    fixed CONSTANT inet := CASE WHEN family(source) = 4 THEN t.address ELSE t.address6 END;
    last record;
BEGIN
    SELECT s.download_check, s.download_once INTO setting FROM nmsp.setting s;
    IF setting.download_check <> 'off' THEN
        SELECT o.mac INTO owner FROM nmsp.mta o WHERE (o.address = source OR o.address6 = source) AND o.id <> t.id;
        IF FOUND THEN
            RETURN 'the address belongs to MTA ' || owner;
        ELSIF pool.purpose <> 'mta' THEN
            RETURN format('the address lies in pool %s (%s)', pool.network, pool.purpose);
        END IF;
    END IF;
    IF setting.download_check = 'strict' THEN
        IF pool.id IS NULL THEN
            RETURN 'the address lies in no pool';
        ELSIF fixed <> source THEN
            RETURN format('the MTA has the address %s', host(fixed));
        END IF;
    END IF;
    IF setting.download_once IS NOT NULL THEN
        SELECT d.source INTO last FROM nmsp.mta_download d WHERE d.mta_id = t.id AND d.at > mta_download_problem.at - setting.download_once;
        IF FOUND THEN
            RETURN format('%s has downloaded it already', host(last.source));
        END IF;
    END IF;
    RETURN NULL;
END
$fn$;
COMMENT ON FUNCTION nmsp.mta_download_problem(nmsp.mta, inet, timestamptz, nmsp.pool) IS
'Why this source must not have the MTA''s file, by nmsp.setting.download_check and download_once; null: it may. pool holds the source.';

CREATE OR REPLACE FUNCTION nmsp.mta_download(path text, source inet, at timestamptz,
    OUT verdict text, OUT content bytea, OUT note text, OUT netgw_id bigint, OUT config_sha256 bytea)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    t CONSTANT nmsp.mta := nmsp.path_mta(path);
    pool nmsp.pool;
BEGIN
    verdict := 'unknown';
    IF t.id IS NULL THEN
        RETURN;
    END IF;
    SELECT p.* INTO pool FROM nmsp.pool p WHERE p.network >>= source;
    netgw_id := coalesce(pool.netgw_id, (SELECT m.netgw_id FROM nmsp.modem m WHERE m.id = t.modem_id));
    note := nmsp.mta_download_problem(t, source, at, pool);
    IF note IS NOT NULL THEN
        verdict := 'refused';
        RETURN;
    END IF;
    note := CASE WHEN pool.id IS NULL THEN 'unknown source' END;
    content := nmsp.mta_config(t)::bytea;
    config_sha256 := sha256(content);
    verdict := 'served';
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.mta_download(text, inet, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.mta_download(text, inet, timestamptz) IS 'nmsp.download for the name of an MTA''s file.';

CREATE OR REPLACE FUNCTION nmsp.file_download(path text, source inet,
    OUT verdict text, OUT content bytea, OUT note text, OUT modem_id bigint, OUT netgw_id bigint, OUT sha256 bytea)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    wanted_path CONSTANT text := ltrim(path, '/');
    check_source CONSTANT text := (SELECT s.download_check FROM nmsp.setting s);
    purposes text[] := '{cm}';
    pool nmsp.pool;
BEGIN
    verdict := 'unknown';
    IF starts_with(wanted_path, 'fw/') THEN
        SELECT 'file', convert_to(i.size || ' fw/' || i.file_name, 'UTF8'), i.sha256 INTO verdict, content, sha256
          FROM nmsp.firmware_image i WHERE i.file_name = substr(wanted_path, 4);
    ELSE
        SELECT 'served', convert_to(d.digit_map, 'UTF8') INTO verdict, content
          FROM nmsp.dial_plan d WHERE d.id = substring(wanted_path FROM '^dialplan/([1-9][0-9]{0,17})\.txt$')::bigint;
        sha256 := pg_catalog.sha256(content);
        purposes := '{cm,mta}';
    END IF;
    IF NOT FOUND THEN
        verdict := 'unknown';
        RETURN;
    END IF;
    SELECT p.* INTO pool FROM nmsp.pool p WHERE p.network >>= source;
    netgw_id := pool.netgw_id;
    SELECT m.id INTO modem_id FROM nmsp.modem m WHERE family(source) = 4 AND m.address = source OR family(source) = 6 AND m.address6 = source;
    note := CASE WHEN check_source <> 'off' AND pool.purpose <> ALL (purposes) THEN format('the address lies in pool %s (%s)', pool.network, pool.purpose)
                 WHEN check_source = 'strict' AND pool.id IS NULL THEN 'the address lies in no pool' END;
    IF note IS NOT NULL THEN
        verdict := 'refused';
        content := NULL;
        sha256 := NULL;
    ELSIF pool.id IS NULL THEN
        note := 'unknown source';
    END IF;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.file_download(text, inet) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.file_download(text, inet) IS
'nmsp.download for names that are of no device: fw/<name>, an image in the agent''s folder (content is its size and its name there), and dialplan/<id>.txt.';

CREATE OR REPLACE FUNCTION nmsp.download_rows(path text[], source inet[], at timestamptz)
RETURNS TABLE (n bigint, verdict text, content bytea, note text, modem_id bigint, netgw_id bigint, config_sha256 bytea, sha256 bytea)
LANGUAGE sql STABLE ROWS 64
BEGIN ATOMIC
    -- One statement for all requests of a moment, in steps (q, f, p, ...) that each look at what the ones
    -- before have found. OFFSET 0: what is costly is done once per row.
    SELECT q.n, CASE WHEN f.id IS NULL THEN 'unknown' WHEN w.problem IS NOT NULL THEN 'refused' ELSE 'served' END, t.content,
           CASE WHEN f.id IS NULL OR w.problem IS NOT NULL THEN w.problem WHEN p.id IS NULL THEN 'unknown source'
                WHEN p.netgw_id <> f.netgw_id THEN 'seen elsewhere' END,
           f.id, CASE WHEN f.id IS NOT NULL THEN g.netgw_id END, c.hash, CASE WHEN s.download_origin THEN pg_catalog.sha256(t.content) ELSE c.hash END
      FROM unnest(path, source) WITH ORDINALITY q(path, source, n)
     CROSS JOIN nmsp.setting s CROSS JOIN nmsp.setting_secret x
      LEFT JOIN LATERAL (
           SELECT m.id, m.netgw_id, CASE pg_catalog.family(q.source) WHEN 4 THEN m.address ELSE m.address6 END AS fixed, m
             FROM nmsp.modem m WHERE m.id = nmsp.path_modem_id(q.path) AND ltrim(q.path, '/') = nmsp.modem_path(m.id, x.download_key)
           UNION ALL
           SELECT m.id, m.netgw_id, CASE pg_catalog.family(q.source) WHEN 4 THEN m.address ELSE m.address6 END, m
             FROM nmsp.modem m WHERE x.download_key IS NULL AND m.mac = nmsp.path_modem_mac(q.path)) f ON true
      LEFT JOIN nmsp.pool p ON p.network >>= q.source
      -- The secret is that of the CMTS it comes through: after a node was moved to another one, its
      -- modems boot before anybody has changed their rows.
     CROSS JOIN LATERAL (SELECT coalesce(p.netgw_id, f.netgw_id) AS netgw_id) g
      LEFT JOIN LATERAL (
           SELECT m.mac FROM nmsp.modem m
            WHERE s.download_check <> 'off' AND pg_catalog.family(q.source) = 4 AND m.address = q.source AND m.id <> f.id
           UNION ALL
           SELECT m.mac FROM nmsp.modem m
            WHERE s.download_check <> 'off' AND pg_catalog.family(q.source) = 6 AND m.address6 = q.source AND m.id <> f.id) o ON true
     CROSS JOIN LATERAL (
           SELECT CASE WHEN f.id IS NULL THEN NULL
                       WHEN o.mac IS NOT NULL THEN 'the address belongs to modem ' || o.mac
                       WHEN s.download_check <> 'off' AND p.purpose <> 'cm' THEN format('the address lies in pool %s (%s)', p.network, p.purpose)
                       WHEN s.download_check = 'strict' AND p.id IS NULL THEN 'the address lies in no pool'
                       WHEN s.download_check = 'strict' AND p.netgw_id = f.netgw_id AND f.fixed <> q.source
                           THEN format('the modem has the address %s', host(f.fixed))
                       -- no join: the planner would read all of the table for a handful of modems
                       WHEN s.download_once IS NOT NULL THEN
                           (SELECT format('%s has downloaded it already', host(d.source)) FROM nmsp.modem_download d
                             WHERE d.modem_id = f.id AND d.at > download_rows.at - s.download_once) END AS problem OFFSET 0) w
     CROSS JOIN LATERAL (
           SELECT CASE WHEN f.id IS NULL OR w.problem IS NOT NULL THEN NULL
                       WHEN g.netgw_id = f.netgw_id THEN nmsp.modem_config(f.m)
                       ELSE nmsp.modem_config(jsonb_populate_record(f.m, jsonb_build_object('netgw_id', g.netgw_id))) END AS config OFFSET 0) b
     CROSS JOIN LATERAL (SELECT pg_catalog.sha256(b.config::bytea) AS hash OFFSET 0) c
     CROSS JOIN LATERAL (
           SELECT CASE WHEN s.download_origin AND b.config IS NOT NULL
                       THEN docsis.seal(docsis.with_download(b.config, at, q.source), nmsp.shared_secret(g.netgw_id), pg_catalog.family(q.source) = 6)
                       ELSE b.config END::bytea AS content OFFSET 0) t
     WHERE NOT starts_with(ltrim(q.path, '/'), 'mta/') AND NOT starts_with(ltrim(q.path, '/'), 'fw/') AND NOT starts_with(ltrim(q.path, '/'), 'dialplan/')
     UNION ALL
    SELECT q.n, d.verdict, d.content, d.note, d.modem_id, d.netgw_id, d.sha256, d.sha256
      FROM unnest(path, source) WITH ORDINALITY q(path, source, n) CROSS JOIN LATERAL nmsp.file_download(q.path, q.source) d
     WHERE starts_with(ltrim(q.path, '/'), 'fw/') OR starts_with(ltrim(q.path, '/'), 'dialplan/')
     UNION ALL
    SELECT q.n, d.verdict, d.content, d.note, NULL, d.netgw_id, d.config_sha256, d.config_sha256
      FROM unnest(path, source) WITH ORDINALITY q(path, source, n) CROSS JOIN LATERAL nmsp.mta_download(q.path, q.source, at) d
     WHERE starts_with(ltrim(q.path, '/'), 'mta/');
END;
REVOKE ALL ON FUNCTION nmsp.download_rows(text[], inet[], timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.download_rows(text[], inet[], timestamptz) IS
'What nmsp.download says of each request (n counts them from 1), and the SHA-256 of content; an error of one file is an error of all.';

CREATE OR REPLACE FUNCTION nmsp.download(path text, source inet, at timestamptz,
    OUT verdict text, OUT content bytea, OUT note text, OUT modem_id bigint, OUT netgw_id bigint, OUT config_sha256 bytea)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT d.verdict, d.content, d.note, d.modem_id, d.netgw_id, d.config_sha256 FROM nmsp.download_rows(ARRAY[path], ARRAY[source], at) d;
END;
REVOKE ALL ON FUNCTION nmsp.download(text, inet, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.download(text, inet, timestamptz) IS
'The file of this name, a modem''s or an MTA''s, for this source at this moment; a modem''s is sealed with the secret of the CMTS whose pool holds the source. verdict: served, unknown (no such file), refused, or file: a firmware image fw/<name>, which lies in the agent''s download_folder; content is then its size and name there (a dial plan dialplan/<id>.txt is served as it is); note says why, or what is odd (unknown source, seen elsewhere). Errors: as nmsp.modem_config and nmsp.mta_config.';

CREATE OR REPLACE FUNCTION nmsp.download_batch(path text[], source inet[], at timestamptz,
    OUT n int, OUT verdict text, OUT content bytea, OUT note text, OUT modem_id bigint, OUT netgw_id bigint, OUT config_sha256 bytea,
    OUT sha256 bytea) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
SET plan_cache_mode TO force_generic_plan -- a plan of this size takes longer to make than to run
SET enable_memoize TO off
AS $fn$
BEGIN
    BEGIN
        -- sorted, and not as the requests are: so that no row is out before all are made
        RETURN QUERY SELECT r.n::int, r.verdict, r.content, r.note, r.modem_id, r.netgw_id, r.config_sha256, r.sha256
                       FROM nmsp.download_rows(path, source, at) r ORDER BY r.n DESC;
        RETURN;
    EXCEPTION WHEN OTHERS THEN
        NULL; -- one cannot be made: each by itself
    END;
    FOR i IN 1 .. cardinality(path) LOOP
        n := i;
        BEGIN
            SELECT r.verdict, r.content, r.note, r.modem_id, r.netgw_id, r.config_sha256, r.sha256
              INTO verdict, content, note, modem_id, netgw_id, config_sha256, sha256
              FROM nmsp.download_rows(path[i:i], source[i:i], at) r;
        EXCEPTION WHEN OTHERS THEN
            verdict := 'failed';
            content := NULL;
            note := SQLERRM;
            modem_id := (nmsp.path_modem(path[i])).id;
            netgw_id := NULL;
            config_sha256 := NULL;
            sha256 := NULL;
        END;
        RETURN NEXT;
    END LOOP;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.download_batch(text[], inet[], timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.download_batch(text[], inet[], timestamptz) IS
'For nmsp-agent: nmsp.download of many requests at once, in one snapshot, so that what they have in common is read once. A file that cannot be made has the verdict failed and the error''s message as note.';

CREATE OR REPLACE FUNCTION nmsp.record_downloads(agent text, at timestamptz[], source inet[], path text[], result text[], modem_id bigint[],
    netgw_id bigint[], note text[], bytes int[], duration_ms real[], sha256 bytea[], config_sha256 bytea[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
#variable_conflict use_variable
BEGIN
    INSERT INTO nmsp.download (agent, at, source, path, result, modem_id, netgw_id, note, bytes, duration_ms, sha256, config_sha256)
    SELECT agent, r.* FROM unnest(at, source, path, result, modem_id, netgw_id, note, bytes, duration_ms, sha256, config_sha256) r;
    INSERT INTO nmsp.modem_download AS d (modem_id, at, netgw_id, source, note, sha256, config_sha256)
    SELECT DISTINCT ON (r.modem_id) r.modem_id, r.at, r.netgw_id, r.source, r.note, r.sha256, r.config_sha256
      FROM unnest(at, source, path, result, modem_id, netgw_id, note, sha256, config_sha256)
           r(at, source, path, result, modem_id, netgw_id, note, sha256, config_sha256)
     WHERE r.result IN ('served', 'unconfirmed') AND r.path !~ '^/?fw/' AND EXISTS (SELECT FROM nmsp.modem m WHERE m.id = r.modem_id)
     ORDER BY r.modem_id, r.at DESC
    ON CONFLICT ON CONSTRAINT modem_download_pkey DO UPDATE SET at = excluded.at, netgw_id = excluded.netgw_id, source = excluded.source, note = excluded.note,
        sha256 = excluded.sha256, config_sha256 = excluded.config_sha256
     WHERE d.at < excluded.at;
    INSERT INTO nmsp.mta_download AS d (mta_id, at, netgw_id, source, note, sha256)
    SELECT DISTINCT ON (t.id) t.id, r.at, r.netgw_id, r.source, r.note, r.sha256
      FROM unnest(at, source, path, result, netgw_id, note, sha256) r(at, source, path, result, netgw_id, note, sha256)
     CROSS JOIN LATERAL nmsp.path_mta(r.path) t
     WHERE r.result IN ('served', 'unconfirmed') AND r.path ~ '^/?mta/' AND t.id IS NOT NULL
     ORDER BY t.id, r.at DESC
    ON CONFLICT ON CONSTRAINT mta_download_pkey DO UPDATE SET at = excluded.at, netgw_id = excluded.netgw_id, source = excluded.source, note = excluded.note,
        sha256 = excluded.sha256
     WHERE d.at < excluded.at;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.record_downloads(text, timestamptz[], inet[], text[], text[], bigint[], bigint[], text[], int[], real[], bytea[], bytea[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.record_downloads(text, timestamptz[], inet[], text[], text[], bigint[], bigint[], text[], int[], real[], bytea[], bytea[]) IS
'For nmsp-agent: stores a batch of downloads, arrays of equal length, in nmsp.download, nmsp.modem_download and nmsp.mta_download.';

CREATE OR REPLACE FUNCTION nmsp.keep_weeks(parent text, key text, retention interval, now timestamptz, OUT made int, OUT dropped int)
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
SET timezone TO 'UTC'
AS $fn$
DECLARE
    week timestamptz;
    name text;
    old record;
BEGIN
    made := 0;
    dropped := 0;
    PERFORM pg_advisory_xact_lock(hashtext('nmsp.keep_weeks ' || parent));
    FOR week IN SELECT generate_series(date_trunc('week', now), now + '14 days'::interval, '7 days'::interval) LOOP
        name := format('%s_%s', parent, to_char(week, 'YYYYMMDD'));
        CONTINUE WHEN to_regclass('nmsp.' || name) IS NOT NULL;
        EXECUTE format('CREATE TABLE nmsp.%I (LIKE nmsp.%I INCLUDING CONSTRAINTS INCLUDING COMMENTS)', name, parent);
        EXECUTE format('COMMENT ON TABLE nmsp.%I IS %L', name, format('Partition of nmsp.%s: the week from %s.', parent, week::date));
        EXECUTE format('WITH early AS (DELETE FROM nmsp.%I d WHERE d.%I >= %L AND d.%I < %L RETURNING d.*)
                        INSERT INTO nmsp.%I SELECT * FROM early', parent || '_other', key, week, key, week + '7 days'::interval, name);
        EXECUTE format('ALTER TABLE nmsp.%I ATTACH PARTITION nmsp.%I FOR VALUES FROM (%L) TO (%L)', parent, name, week, week + '7 days'::interval);
        made := made + 1;
    END LOOP;
    FOR old IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = format('nmsp.%I', parent)::regclass AND c.relname ~ format('^%s_[0-9]{8}$', parent)
                  AND to_date(right(c.relname, 8), 'YYYYMMDD') + 7 <= now - retention LOOP
        EXECUTE format('DROP TABLE nmsp.%I', old.relname);
        dropped := dropped + 1;
    END LOOP;
    EXECUTE format('DELETE FROM nmsp.%I d WHERE d.%I < %L', parent || '_other', key, now - retention);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.keep_weeks(text, text, interval, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.keep_weeks(text, text, interval, timestamptz) IS
'For a table of schema nmsp partitioned by week of a timestamptz key, with a default partition <name>_other: makes the partitions of this week and the next two, drops those older than the retention. Returns how many.';

CREATE OR REPLACE FUNCTION nmsp.keep_downloads(now timestamptz DEFAULT pg_catalog.now(), OUT made int, OUT dropped int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    SELECT k.made, k.dropped INTO made, dropped
      FROM nmsp.keep_weeks('download', 'at', (SELECT s.download_retention FROM nmsp.setting s), keep_downloads.now) k;
    IF to_regprocedure('nmsp.keep_leases(timestamptz)') IS NOT NULL THEN
        PERFORM nmsp.keep_leases(now);
    END IF;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.keep_downloads(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.keep_downloads(timestamptz) IS
'Makes the partitions of nmsp.download for this week and the next two, drops those older than nmsp.setting.download_retention. The agent calls it hourly.';
PERFORM nmsp.keep_downloads();

CREATE OR REPLACE FUNCTION nmsp.modem_due(m nmsp.modem, netgw_id bigint) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    m.netgw_id := coalesce(modem_due.netgw_id, m.netgw_id);
    RETURN sha256(nmsp.modem_config(m)::bytea);
EXCEPTION WHEN OTHERS THEN
    RETURN NULL; -- nmsp.modem_config(m) says why
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.modem_due(nmsp.modem, bigint) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.modem_due(nmsp.modem, bigint) IS
'SHA-256 of the file due now to a modem behind this gateway (null: its own); null when the file cannot be made.';

CREATE OR REPLACE VIEW nmsp.modem_status AS
SELECT s.modem_id, s.mac, s.name, s.netgw_id, s.seen_netgw_id, s.seen_netgw_id IS NOT NULL AND s.seen_netgw_id <> s.netgw_id AS seen_elsewhere,
       CASE WHEN s.due_sha256 IS NULL THEN 'broken' WHEN s.served_sha256 IS NULL THEN 'never' WHEN s.served_sha256 = s.due_sha256 THEN 'current' ELSE 'outdated' END AS state,
       s.served_at, s.source, s.served_sha256, s.due_sha256, s.note
  FROM (SELECT m.id AS modem_id, m.mac, m.name, m.netgw_id, d.netgw_id AS seen_netgw_id, d.at AS served_at, d.source,
               d.config_sha256 AS served_sha256, nmsp.modem_due(m, d.netgw_id) AS due_sha256, d.note
          FROM nmsp.modem m LEFT JOIN nmsp.modem_download d ON d.modem_id = m.id) s;
COMMENT ON VIEW nmsp.modem_status IS 'Each modem: what it last downloaded against what is due now.';
COMMENT ON COLUMN nmsp.modem_status.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.modem_status.mac IS 'Its hardware address.';
COMMENT ON COLUMN nmsp.modem_status.name IS 'Its name.';
COMMENT ON COLUMN nmsp.modem_status.netgw_id IS 'The gateway its row says.';
COMMENT ON COLUMN nmsp.modem_status.seen_netgw_id IS 'The gateway its last download came through.';
COMMENT ON COLUMN nmsp.modem_status.seen_elsewhere IS 'true: these two differ.';
COMMENT ON COLUMN nmsp.modem_status.state IS
'current: it has the file that is due; outdated: it gets another one at its next boot; never: it has downloaded nothing; broken: its file cannot be made.';
COMMENT ON COLUMN nmsp.modem_status.served_at IS 'When it last downloaded its file.';
COMMENT ON COLUMN nmsp.modem_status.source IS 'From which address.';
COMMENT ON COLUMN nmsp.modem_status.served_sha256 IS 'SHA-256 of that file, without what is added at download.';
COMMENT ON COLUMN nmsp.modem_status.due_sha256 IS 'SHA-256 of the file due now, behind the gateway it was seen at.';
COMMENT ON COLUMN nmsp.modem_status.note IS 'What was odd about that download.';

CREATE OR REPLACE FUNCTION nmsp.mta_due(t nmsp.mta) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN sha256(nmsp.mta_config(t)::bytea);
EXCEPTION WHEN OTHERS THEN
    RETURN NULL; -- nmsp.mta_config(t) says why
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.mta_due(nmsp.mta) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.mta_due(nmsp.mta) IS 'SHA-256 of the file due now to an MTA; null when the file cannot be made.';

CREATE OR REPLACE VIEW nmsp.mta_status AS
SELECT s.mta_id, s.mac, s.modem_id,
       CASE WHEN s.due_sha256 IS NULL THEN 'broken' WHEN s.served_sha256 IS NULL THEN 'never' WHEN s.served_sha256 = s.due_sha256 THEN 'current' ELSE 'outdated' END AS state,
       s.served_at, s.source, s.served_sha256, s.due_sha256, s.note, s.lines
  FROM (SELECT t.id AS mta_id, t.mac, t.modem_id, d.at AS served_at, d.source, d.sha256 AS served_sha256, nmsp.mta_due(t) AS due_sha256, d.note,
               (SELECT pg_catalog.jsonb_object_agg(l.port, l.number || ' ' || l.state) FROM nmsp.phone_line l WHERE l.mta_id = t.id AND l.state NOT IN ('ended', 'ported out', 'planned')) AS lines
          FROM nmsp.mta t LEFT JOIN nmsp.mta_download d ON d.mta_id = t.id) s;
COMMENT ON VIEW nmsp.mta_status IS 'Each MTA: what it last downloaded against what is due now, and its numbers.';
COMMENT ON COLUMN nmsp.mta_status.mta_id IS 'The MTA.';
COMMENT ON COLUMN nmsp.mta_status.mac IS 'Its hardware address.';
COMMENT ON COLUMN nmsp.mta_status.modem_id IS 'The modem it is in or behind.';
COMMENT ON COLUMN nmsp.mta_status.state IS
'current: it has the file that is due; outdated: it gets another one at its next boot; never: it has downloaded nothing from nmsp-agent; broken: its file cannot be made.';
COMMENT ON COLUMN nmsp.mta_status.served_at IS 'When it last downloaded its file.';
COMMENT ON COLUMN nmsp.mta_status.source IS 'From which address.';
COMMENT ON COLUMN nmsp.mta_status.served_sha256 IS 'SHA-256 of that file.';
COMMENT ON COLUMN nmsp.mta_status.due_sha256 IS 'SHA-256 of the file due now.';
COMMENT ON COLUMN nmsp.mta_status.note IS 'What was odd about that download.';
COMMENT ON COLUMN nmsp.mta_status.lines IS 'Its numbers by port, with their states; null: none.';
