-- Downloads: the file of this moment for who may have it, and what was served.

CREATE OR REPLACE FUNCTION nmsp.source_owner(source inet, modem_id bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    mac macaddr;
BEGIN
    IF family(source) = 4 THEN
        mac := (SELECT m.mac FROM nmsp.modem m WHERE m.address = source AND m.id <> source_owner.modem_id);
    ELSE
        mac := (SELECT m.mac FROM nmsp.modem m WHERE m.address6 = source AND m.id <> source_owner.modem_id);
    END IF;
    RETURN mac::text;
END
$fn$;
COMMENT ON FUNCTION nmsp.source_owner(inet, bigint) IS 'MAC of the modem, other than this one, that has the address as its fixed one; null: none.';

CREATE OR REPLACE FUNCTION nmsp.download_problem(m nmsp.modem, source inet, at timestamptz, pool nmsp.pool) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    setting record;
    owner text;
    fixed CONSTANT inet := CASE WHEN family(source) = 4 THEN m.address ELSE m.address6 END;
    last record;
BEGIN
    SELECT s.download_check, s.download_once INTO setting FROM nmsp.setting s;
    IF setting.download_check <> 'off' THEN
        owner := nmsp.source_owner(source, m.id);
        IF owner IS NOT NULL THEN
            RETURN 'the address belongs to modem ' || owner;
        ELSIF pool.purpose <> 'cm' THEN
            RETURN format('the address lies in pool %s (%s)', pool.network, pool.purpose);
        END IF;
    END IF;
    IF setting.download_check = 'strict' THEN
        IF pool.id IS NULL THEN
            RETURN 'the address lies in no pool';
        ELSIF pool.netgw_id = m.netgw_id AND fixed <> source THEN
            RETURN format('the modem has the address %s', host(fixed));
        END IF;
    END IF;
    IF setting.download_once IS NOT NULL THEN
        SELECT d.at, d.source INTO last FROM nmsp.modem_download d WHERE d.modem_id = m.id AND d.at > download_problem.at - setting.download_once;
        IF FOUND THEN
            RETURN format('%s has downloaded it already', host(last.source));
        END IF;
    END IF;
    RETURN NULL;
END
$fn$;
COMMENT ON FUNCTION nmsp.download_problem(nmsp.modem, inet, timestamptz, nmsp.pool) IS
'Why this source must not have the modem''s file, by nmsp.setting.download_check and download_once; null: it may. pool holds the source.';

CREATE OR REPLACE FUNCTION nmsp.path_modem(path text) RETURNS nmsp.modem
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    m nmsp.modem;
    key CONSTANT text := (SELECT x.download_key FROM nmsp.setting_secret x);
    hex text;
BEGIN
    SELECT x.* INTO m FROM nmsp.modem x WHERE x.id = substring(path FROM '^/?cm/cm-([1-9][0-9]{0,17})(?:-[0-9a-f]{16})?\.cfg$')::bigint;
    IF FOUND AND ltrim(path, '/') = nmsp.modem_path(m.id, key) THEN
        RETURN m;
    END IF;
    hex := substring(path FROM '^/?cm/mac-([0-9a-f]{1,2}(?:-[0-9a-f]{1,2}){5})\.cfg$');
    IF hex IS NULL OR key IS NOT NULL THEN
        RETURN NULL;
    END IF;
    hex := regexp_replace(hex, '\m([0-9a-f])\M', '0\1', 'g');
    SELECT x.* INTO m FROM nmsp.modem x WHERE x.mac = hex::macaddr;
    RETURN m;
END
$fn$;
COMMENT ON FUNCTION nmsp.path_modem(text) IS
'The modem whose configfile has this name: cm/cm-<id>.cfg, or the name with nmsp.setting_secret.download_key, or (without a key) cm/mac-<bytes of its MAC in hex, by hyphens>.cfg; null: none.';

CREATE OR REPLACE FUNCTION nmsp.download(path text, source inet, at timestamptz,
    OUT verdict text, OUT content bytea, OUT note text, OUT modem_id bigint, OUT netgw_id bigint, OUT config_sha256 bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    m nmsp.modem;
    pool nmsp.pool;
    config docsis.config;
BEGIN
    verdict := 'unknown';
    m := nmsp.path_modem(path);
    IF m.id IS NULL THEN
        RETURN;
    END IF;
    modem_id := m.id;
    -- The secret is that of the CMTS it comes through: after a node was moved to another one, its
    -- modems boot before anybody has changed their rows.
    SELECT p.* INTO pool FROM nmsp.pool p WHERE p.network >>= source;
    netgw_id := coalesce(pool.netgw_id, m.netgw_id);
    note := nmsp.download_problem(m, source, at, pool);
    IF note IS NOT NULL THEN
        verdict := 'refused';
        RETURN;
    END IF;
    note := CASE WHEN pool.id IS NULL THEN 'unknown source' WHEN netgw_id <> m.netgw_id THEN 'seen elsewhere' END;
    m.netgw_id := netgw_id;
    config := nmsp.modem_config(m);
    config_sha256 := sha256(config::bytea);
    IF (SELECT s.download_origin FROM nmsp.setting s) THEN
        config := docsis.seal(docsis.with_download(config, at, source), nmsp.shared_secret(netgw_id), family(source) = 6);
    END IF;
    content := config::bytea;
    verdict := 'served';
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.download(text, inet, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.download(text, inet, timestamptz) IS
'The configfile of this name for this source at this moment, sealed with the secret of the CMTS whose pool holds the source. verdict: served, unknown (no such file) or refused; note says why, or what is odd (unknown source, seen elsewhere). Errors: as nmsp.modem_config.';

CREATE OR REPLACE FUNCTION nmsp.download_batch(path text[], source inet[], at timestamptz,
    OUT n int, OUT verdict text, OUT content bytea, OUT note text, OUT modem_id bigint, OUT netgw_id bigint, OUT config_sha256 bytea) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    FOR i IN 1 .. cardinality(path) LOOP
        n := i;
        BEGIN
            SELECT d.verdict, d.content, d.note, d.modem_id, d.netgw_id, d.config_sha256
              INTO verdict, content, note, modem_id, netgw_id, config_sha256
              FROM nmsp.download(path[i], source[i], at) d;
        EXCEPTION WHEN OTHERS THEN
            verdict := 'failed';
            content := NULL;
            note := SQLERRM;
            modem_id := (nmsp.path_modem(path[i])).id;
            netgw_id := NULL;
            config_sha256 := NULL;
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
LANGUAGE sql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO nmsp.download (agent, at, source, path, result, modem_id, netgw_id, note, bytes, duration_ms, sha256, config_sha256)
    SELECT agent, r.* FROM unnest(at, source, path, result, modem_id, netgw_id, note, bytes, duration_ms, sha256, config_sha256) r;
    INSERT INTO nmsp.modem_download AS d (modem_id, at, netgw_id, source, note, sha256, config_sha256)
    SELECT DISTINCT ON (r.modem_id) r.modem_id, r.at, r.netgw_id, r.source, r.note, r.sha256, r.config_sha256
      FROM unnest(at, source, result, modem_id, netgw_id, note, sha256, config_sha256)
           r(at, source, result, modem_id, netgw_id, note, sha256, config_sha256)
     WHERE r.result IN ('served', 'unconfirmed') AND EXISTS (SELECT FROM nmsp.modem m WHERE m.id = r.modem_id)
     ORDER BY r.modem_id, r.at DESC
    ON CONFLICT ON CONSTRAINT modem_download_pkey DO UPDATE SET at = excluded.at, netgw_id = excluded.netgw_id, source = excluded.source, note = excluded.note,
        sha256 = excluded.sha256, config_sha256 = excluded.config_sha256
     WHERE d.at < excluded.at;
END;
REVOKE ALL ON FUNCTION nmsp.record_downloads(text, timestamptz[], inet[], text[], text[], bigint[], bigint[], text[], int[], real[], bytea[], bytea[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.record_downloads(text, timestamptz[], inet[], text[], text[], bigint[], bigint[], text[], int[], real[], bytea[], bytea[]) IS
'For nmsp-agent: stores a batch of downloads, arrays of equal length, in nmsp.download and nmsp.modem_download.';

CREATE OR REPLACE FUNCTION nmsp.keep_downloads(now timestamptz DEFAULT pg_catalog.now(), OUT made int, OUT dropped int)
LANGUAGE plpgsql SECURITY DEFINER
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
    PERFORM pg_advisory_xact_lock(hashtext('nmsp.keep_downloads'));
    FOR week IN SELECT generate_series(date_trunc('week', now), now + '14 days'::interval, '7 days'::interval) LOOP
        name := 'download_' || to_char(week, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('nmsp.' || name) IS NOT NULL;
        EXECUTE format('CREATE TABLE nmsp.%I (LIKE nmsp.download INCLUDING CONSTRAINTS INCLUDING COMMENTS)', name);
        EXECUTE format('COMMENT ON TABLE nmsp.%I IS %L', name, format('Partition of nmsp.download: the week from %s.', week::date));
        EXECUTE format('WITH early AS (DELETE FROM nmsp.download_other d WHERE d.at >= %L AND d.at < %L RETURNING d.*)
                        INSERT INTO nmsp.%I SELECT * FROM early', week, week + '7 days'::interval, name);
        EXECUTE format('ALTER TABLE nmsp.download ATTACH PARTITION nmsp.%I FOR VALUES FROM (%L) TO (%L)', name, week, week + '7 days'::interval);
        made := made + 1;
    END LOOP;
    FOR old IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'nmsp.download'::regclass AND c.relname ~ '^download_[0-9]{8}$'
                  AND to_date(right(c.relname, 8), 'YYYYMMDD') + 7 <= now - (SELECT s.download_retention FROM nmsp.setting s) LOOP
        EXECUTE format('DROP TABLE nmsp.%I', old.relname);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM nmsp.download_other d WHERE d.at < now - (SELECT s.download_retention FROM nmsp.setting s);
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
