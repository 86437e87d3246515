-- Leases: what nmsp-agent tells from DHCP servers' files, whose they are, who had an address when.

CREATE OR REPLACE FUNCTION nmsp.lease_owner(mac macaddr, remote_id text, address inet, OUT kind text, OUT modem_id bigint, OUT pool_id bigint, OUT netgw_id bigint)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    relay macaddr := CASE WHEN remote_id ~ '^([0-9a-f]{2}){6}$' THEN remote_id::macaddr END;
BEGIN
    SELECT p.id, p.netgw_id INTO pool_id, netgw_id FROM nmsp.pool p WHERE p.network >>= address OR p.delegated_prefix >>= address LIMIT 1;
    SELECT o.kind, o.modem_id INTO kind, modem_id FROM (
        SELECT 1 AS rank, 'cm' AS kind, m.id AS modem_id FROM nmsp.modem m WHERE m.mac = lease_owner.mac
        UNION ALL
        SELECT 2, 'mta', t.modem_id FROM nmsp.mta t WHERE t.mac = lease_owner.mac
        UNION ALL
        SELECT 3, 'cpe', m.id FROM nmsp.modem m WHERE m.mac = relay
        UNION ALL
        SELECT 4, 'cpe', e.modem_id FROM nmsp.endpoint e WHERE e.mac = lease_owner.mac) o ORDER BY o.rank LIMIT 1;
    kind := coalesce(kind, 'unknown');
END
$fn$;
COMMENT ON FUNCTION nmsp.lease_owner(macaddr, text, inet) IS
'Whose a lease is: a modem or MTA by its hardware address, else a CPE by the modem that the relay says it is behind (remote-id) or by its endpoint; and the pool and gateway of the address.';

CREATE OR REPLACE FUNCTION nmsp.record_leases(agent text, daemon text, address inet[], prefix_length int[], mac macaddr[], client_id bytea[], hostname text[],
    remote_id text[], starts timestamptz[], ends timestamptz[], state text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
#variable_conflict use_column
DECLARE
    rounds int;
BEGIN
    -- Lines of one address have an order: the first of each, then the second ...
    SELECT coalesce(max(u.n), 0) INTO rounds
      FROM (SELECT count(*) AS n FROM unnest(address, prefix_length) u(address, prefix_length) GROUP BY u.address, u.prefix_length) u;
    FOR round IN 1 .. rounds LOOP
        -- Another client, or the same one after a gap: the one before is history. What is older than
        -- what is known was told before.
        INSERT INTO nmsp.lease_history (address, prefix_length, mac, client_id, hostname, remote_id, kind, modem_id, netgw_id, since, until)
        SELECT l.address, l.prefix_length, l.mac, l.client_id, l.hostname, l.remote_id, l.kind, l.modem_id, l.netgw_id, l.since, least(l.ends, t.starts)
          FROM (SELECT row_number() OVER (PARTITION BY u.address, u.prefix_length ORDER BY u.n) AS n, u.address, u.prefix_length, u.mac, u.client_id, u.hostname,
                       lower(u.remote_id) AS remote_id, u.starts, u.ends, u.state
                  FROM unnest(address, prefix_length, mac, client_id, hostname, remote_id, starts, ends, state) WITH ORDINALITY
                       u(address, prefix_length, mac, client_id, hostname, remote_id, starts, ends, state, n)) t
          JOIN nmsp.lease l ON l.address = t.address AND l.prefix_length = t.prefix_length
         WHERE t.n = round AND t.starts > l.starts AND t.state = 'active' AND l.since < least(l.ends, t.starts)
           AND ((l.mac, l.client_id) IS DISTINCT FROM (t.mac, t.client_id) OR t.starts > l.ends);
        INSERT INTO nmsp.lease AS l (address, prefix_length, mac, client_id, hostname, remote_id, kind, modem_id, pool_id, netgw_id, state, since, starts, ends, daemon, agent)
        SELECT t.address, t.prefix_length, t.mac, t.client_id, t.hostname, t.remote_id, o.kind, o.modem_id, o.pool_id, o.netgw_id, t.state, t.starts, t.starts, t.ends,
               record_leases.daemon, record_leases.agent
          FROM (SELECT row_number() OVER (PARTITION BY u.address, u.prefix_length ORDER BY u.n) AS n, u.address, u.prefix_length, u.mac, u.client_id, u.hostname,
                       lower(u.remote_id) AS remote_id, u.starts, u.ends, u.state
                  FROM unnest(address, prefix_length, mac, client_id, hostname, remote_id, starts, ends, state) WITH ORDINALITY
                       u(address, prefix_length, mac, client_id, hostname, remote_id, starts, ends, state, n)) t
         CROSS JOIN LATERAL nmsp.lease_owner(t.mac, t.remote_id, t.address) o
         WHERE t.n = round
        ON CONFLICT ON CONSTRAINT lease_is_there_already DO UPDATE SET
            mac = CASE WHEN excluded.state = 'active' THEN excluded.mac ELSE l.mac END,
            client_id = CASE WHEN excluded.state = 'active' THEN excluded.client_id ELSE l.client_id END,
            hostname = coalesce(excluded.hostname, CASE WHEN l.mac = excluded.mac THEN l.hostname END),
            remote_id = coalesce(excluded.remote_id, CASE WHEN l.mac = excluded.mac THEN l.remote_id END),
            kind = CASE WHEN excluded.kind = 'unknown' AND l.mac = excluded.mac THEN l.kind ELSE excluded.kind END,
            modem_id = coalesce(excluded.modem_id, CASE WHEN l.mac = excluded.mac THEN l.modem_id END),
            pool_id = excluded.pool_id, netgw_id = excluded.netgw_id, state = excluded.state,
            since = CASE WHEN excluded.state <> 'active' OR ((l.mac, l.client_id) IS NOT DISTINCT FROM (excluded.mac, excluded.client_id) AND excluded.starts <= l.ends)
                         THEN l.since ELSE excluded.starts END,
            starts = CASE WHEN excluded.state = 'active' THEN excluded.starts ELSE l.starts END,
            ends = CASE WHEN excluded.state = 'active' THEN excluded.ends ELSE least(l.ends, greatest(excluded.ends, l.starts)) END,
            daemon = excluded.daemon, agent = excluded.agent, told_at = now()
         -- a row that says nothing new is not written
         WHERE (excluded.starts > l.starts OR (excluded.starts = l.starts AND (excluded.ends, excluded.state) IS DISTINCT FROM (l.ends, l.state)))
           -- what ended does not come to life by being told again how it began; a declined address is nobody's any more
           AND CASE excluded.state WHEN 'active' THEN l.state = 'active' OR excluded.starts > l.starts
                                   WHEN 'declined' THEN l.state <> 'declined'
                                   ELSE l.state = 'active' AND (l.mac = excluded.mac OR l.client_id = excluded.client_id) END;
    END LOOP;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.record_leases(text, text, inet[], int[], macaddr[], bytea[], text[], text[], timestamptz[], timestamptz[], text[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.record_leases(text, text, inet[], int[], macaddr[], bytea[], text[], text[], timestamptz[], timestamptz[], text[]) IS
'For nmsp-agent: stores lines of a lease file (arrays of equal length, in the file''s order) in nmsp.lease and nmsp.lease_history. Told again, they change nothing. remote_id in hex.';

CREATE OR REPLACE VIEW nmsp.active_lease AS
SELECT l.address, l.prefix_length, l.mac, l.client_id, l.hostname, l.kind, l.modem_id, m.mac AS modem_mac, l.pool_id, l.netgw_id, g.name AS netgw, l.since, l.starts, l.ends, l.daemon
  FROM nmsp.lease l LEFT JOIN nmsp.modem m ON m.id = l.modem_id LEFT JOIN nmsp.netgw g ON g.id = l.netgw_id
 WHERE l.state = 'active' AND l.ends > now();
COMMENT ON VIEW nmsp.active_lease IS 'The leases in force now, and whose they are.';
COMMENT ON COLUMN nmsp.active_lease.address IS 'The address, or the first one of the prefix.';
COMMENT ON COLUMN nmsp.active_lease.prefix_length IS '32, 128, or that of a delegated prefix.';
COMMENT ON COLUMN nmsp.active_lease.mac IS 'Hardware address of the client.';
COMMENT ON COLUMN nmsp.active_lease.client_id IS 'Client identifier or DUID.';
COMMENT ON COLUMN nmsp.active_lease.hostname IS 'The name the client said.';
COMMENT ON COLUMN nmsp.active_lease.kind IS 'cm, mta, cpe or unknown.';
COMMENT ON COLUMN nmsp.active_lease.modem_id IS 'The modem, or that the client is behind.';
COMMENT ON COLUMN nmsp.active_lease.modem_mac IS 'Its hardware address.';
COMMENT ON COLUMN nmsp.active_lease.pool_id IS 'The pool.';
COMMENT ON COLUMN nmsp.active_lease.netgw_id IS 'The gateway.';
COMMENT ON COLUMN nmsp.active_lease.netgw IS 'Its name.';
COMMENT ON COLUMN nmsp.active_lease.since IS 'Since when without a gap.';
COMMENT ON COLUMN nmsp.active_lease.starts IS 'Given or renewed last.';
COMMENT ON COLUMN nmsp.active_lease.ends IS 'When it ends.';
COMMENT ON COLUMN nmsp.active_lease.daemon IS 'kea4, kea6 or dhcpd.';

CREATE OR REPLACE FUNCTION nmsp.who_had(address inet, at timestamptz)
RETURNS TABLE (lease inet, mac macaddr, client_id bytea, kind text, modem_id bigint, modem_mac macaddr, hostname text, since timestamptz, until timestamptz, contract text, customer text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- The address itself, or a delegated prefix that it lies in.
    WITH place AS (
        SELECT set_masklen(who_had.address, CASE family(who_had.address) WHEN 4 THEN 32 ELSE 128 END) AS start, CASE family(who_had.address) WHEN 4 THEN 32 ELSE 128 END AS length
        UNION ALL
        SELECT set_masklen(network(set_masklen(who_had.address, n))::inet, 128), n FROM pg_catalog.generate_series(16, 127) n WHERE family(who_had.address) = 6),
    had AS (
        SELECT l.address, l.prefix_length, l.mac, l.client_id, l.kind, l.modem_id, l.hostname, l.since, l.ends AS until
          FROM place p JOIN nmsp.lease l ON l.address = p.start AND l.prefix_length = p.length
         WHERE l.since <= who_had.at AND l.ends > who_had.at
        UNION ALL
        SELECT h.address, h.prefix_length, h.mac, h.client_id, h.kind, h.modem_id, h.hostname, h.since, h.until
          FROM place p JOIN nmsp.lease_history h ON h.address = p.start AND h.prefix_length = p.length
         WHERE h.since <= who_had.at AND h.until > who_had.at)
    SELECT set_masklen(h.address, h.prefix_length), h.mac, h.client_id, h.kind, h.modem_id, m.mac, h.hostname, h.since, h.until, c.number, k.number
      FROM had h LEFT JOIN nmsp.modem m ON m.id = h.modem_id
      LEFT JOIN nmsp.contract_modem x ON x.modem_id = h.modem_id AND x.validity @> nmsp.day(who_had.at)
      LEFT JOIN nmsp.contract c ON c.id = x.contract_id LEFT JOIN nmsp.customer k ON k.id = c.customer_id;
END;
REVOKE ALL ON FUNCTION nmsp.who_had(inet, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.who_had(inet, timestamptz) IS
'Who had an address at a moment, by the lease of it or of a delegated prefix that it lies in: client, modem, and the contract and customer that the modem served that day. No row: nobody, or it is not kept any more (nmsp.setting.lease_retention).';

-- pools -----------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW nmsp.pool_usage AS
SELECT p.id AS pool_id, g.name AS netgw, p.purpose, p.network, (p.range_end - p.range_start + 1)::numeric AS size, u.fixed, u.leased,
       (p.range_end - p.range_start + 1)::numeric - u.fixed - u.leased AS free,
       round(100.0 * (u.fixed + u.leased) / (p.range_end - p.range_start + 1), 1) AS percent,
       CASE WHEN t.slope > 0 THEN now() + make_interval(secs => least(((p.range_end - p.range_start + 1) - u.fixed - u.leased) / t.slope, 3e9)) END AS full_at
  FROM nmsp.pool p JOIN nmsp.netgw g ON g.id = p.netgw_id
 CROSS JOIN LATERAL (
       SELECT (SELECT count(*) FROM nmsp.used_address(p.range_start, p.range_end)) AS fixed,
              (SELECT count(*) FROM nmsp.lease l WHERE l.pool_id = p.id AND l.state = 'active' AND l.ends > now() AND l.address BETWEEN p.range_start AND p.range_end
                  AND NOT EXISTS (SELECT FROM nmsp.used_address(l.address, l.address))) AS leased) u
  LEFT JOIN LATERAL (
       SELECT regr_slope(s.used, extract(epoch FROM s.at)::float8) AS slope FROM nmsp.pool_sample s
        WHERE s.pool_id = p.id AND s.at > now() - interval '14 days' HAVING count(*) >= 24) t ON true
 WHERE p.range_start IS NOT NULL;
COMMENT ON VIEW nmsp.pool_usage IS 'How full the ranges of pools are, and when they will be full if it goes on as in the last two weeks.';
COMMENT ON COLUMN nmsp.pool_usage.pool_id IS 'The pool.';
COMMENT ON COLUMN nmsp.pool_usage.netgw IS 'Name of its gateway.';
COMMENT ON COLUMN nmsp.pool_usage.purpose IS 'Who gets addresses.';
COMMENT ON COLUMN nmsp.pool_usage.network IS 'The network.';
COMMENT ON COLUMN nmsp.pool_usage.size IS 'Addresses of its range.';
COMMENT ON COLUMN nmsp.pool_usage.fixed IS 'Fixed addresses in it.';
COMMENT ON COLUMN nmsp.pool_usage.leased IS 'Other addresses with a lease in force.';
COMMENT ON COLUMN nmsp.pool_usage.free IS 'What is left.';
COMMENT ON COLUMN nmsp.pool_usage.percent IS 'Share in use.';
COMMENT ON COLUMN nmsp.pool_usage.full_at IS 'When nothing will be left at the present trend (a line through the hourly samples of 14 days); null: it does not grow, or there are no samples of a day yet.';

-- devices that are not as they should be --------------------------------------------------------

CREATE OR REPLACE VIEW nmsp.unknown_modem AS
SELECT l.mac, l.netgw_id, g.name AS netgw, l.address, l.since AS first_seen, l.starts AS last_seen
  FROM nmsp.lease l JOIN nmsp.pool p ON p.id = l.pool_id AND p.purpose = 'cm' JOIN nmsp.netgw g ON g.id = l.netgw_id
 WHERE l.mac IS NOT NULL AND NOT EXISTS (SELECT FROM nmsp.modem m WHERE m.mac = l.mac)
UNION ALL
SELECT r.mac, r.netgw_id, g.name, NULL, min(r.since), max(r.starts)
  FROM (SELECT l.remote_id::macaddr AS mac, l.netgw_id, l.since, l.starts FROM nmsp.lease l WHERE l.kind = 'unknown' AND l.remote_id ~ '^([0-9a-f]{2}){6}$') r
  JOIN nmsp.netgw g ON g.id = r.netgw_id
 WHERE NOT EXISTS (SELECT FROM nmsp.modem m WHERE m.mac = r.mac) GROUP BY r.mac, r.netgw_id, g.name;
COMMENT ON VIEW nmsp.unknown_modem IS 'Modems seen in DHCP that have no row: by a lease of a cm pool, or as the relay of somebody behind them. nmsp.adopt_modem() makes a row of one.';
COMMENT ON COLUMN nmsp.unknown_modem.mac IS 'Hardware address.';
COMMENT ON COLUMN nmsp.unknown_modem.netgw_id IS 'The gateway it was seen behind.';
COMMENT ON COLUMN nmsp.unknown_modem.netgw IS 'Its name.';
COMMENT ON COLUMN nmsp.unknown_modem.address IS 'Its address; null: seen as a relay only.';
COMMENT ON COLUMN nmsp.unknown_modem.first_seen IS 'First seen.';
COMMENT ON COLUMN nmsp.unknown_modem.last_seen IS 'Last seen.';

CREATE OR REPLACE FUNCTION nmsp.adopt_modem(mac macaddr, template_id bigint, service_class_id bigint DEFAULT NULL, name text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    place bigint := (SELECT u.netgw_id FROM nmsp.unknown_modem u WHERE u.mac = adopt_modem.mac ORDER BY u.last_seen DESC LIMIT 1);
    answer bigint;
BEGIN
    IF place IS NULL THEN
        PERFORM nmsp.refuse('P0002', format('no unknown modem %s was seen', mac),
            CASE WHEN EXISTS (SELECT FROM nmsp.modem m WHERE m.mac = adopt_modem.mac) THEN 'It has a row already.' ELSE 'No lease speaks of it.' END,
            'SELECT * FROM nmsp.unknown_modem lists those that were seen; any other is an INSERT INTO nmsp.modem.', 'modem');
    END IF;
    INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, name) VALUES (mac, place, template_id, service_class_id, name) RETURNING id INTO answer;
    RETURN answer;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.adopt_modem(macaddr, bigint, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.adopt_modem(macaddr, bigint, bigint, text) IS
'Makes a row of a modem of nmsp.unknown_modem, behind the gateway where it was seen last; returns its id. Errors: P0002 it was not seen; those of an INSERT INTO nmsp.modem.';

CREATE OR REPLACE VIEW nmsp.lease_anomaly AS
SELECT 'two gateways' AS kind, l.mac, m.id AS modem_id, NULL::bigint AS netgw_id,
       format('%s has leases behind %s: a clone, or a move', l.mac, string_agg(DISTINCT format('"%s" (%s since %s)', g.name, host(l.address), l.since), ' and ')) AS note
  FROM nmsp.lease l JOIN nmsp.netgw g ON g.id = l.netgw_id AND g.lease_policy = 'notice' LEFT JOIN nmsp.modem m ON m.mac = l.mac
 WHERE l.state = 'active' AND l.ends > now() AND l.mac IS NOT NULL
 GROUP BY l.mac, m.id HAVING count(DISTINCT l.netgw_id) > 1
UNION ALL
SELECT 'too many CPEs', m.mac, m.id, m.netgw_id, format('%s CPEs have leases behind %s, %s may', c.n, m.mac, s.max_cpe - s.mtas)
  FROM (SELECT l.modem_id, count(DISTINCT coalesce(l.mac::text, encode(l.client_id, 'hex'))) AS n FROM nmsp.lease l
         WHERE l.kind = 'cpe' AND l.state = 'active' AND l.ends > now() GROUP BY l.modem_id HAVING count(DISTINCT coalesce(l.mac::text, encode(l.client_id, 'hex'))) > 1) c
  JOIN nmsp.modem m ON m.id = c.modem_id JOIN nmsp.netgw g ON g.id = m.netgw_id AND g.lease_policy = 'notice'
  JOIN nmsp.modem_service s ON s.modem_id = m.id WHERE c.n > s.max_cpe - s.mtas;
COMMENT ON VIEW nmsp.lease_anomaly IS 'Leases that should not be: one hardware address behind two gateways at once, more CPEs behind a modem than it may have. nmsp.netgw.lease_policy says where nobody cares.';
COMMENT ON COLUMN nmsp.lease_anomaly.kind IS 'two gateways, or too many CPEs.';
COMMENT ON COLUMN nmsp.lease_anomaly.mac IS 'The hardware address, or that of the modem.';
COMMENT ON COLUMN nmsp.lease_anomaly.modem_id IS 'The modem; null: it is none of ours.';
COMMENT ON COLUMN nmsp.lease_anomaly.netgw_id IS 'The gateway; null: several.';
COMMENT ON COLUMN nmsp.lease_anomaly.note IS 'In words.';

-- A fixed address that somebody else holds by a lease would be given twice.
CREATE OR REPLACE FUNCTION nmsp.lease_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER -- whoever enters a device need not be able to read leases
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    l record;
BEGIN
    SELECT x.address, x.mac, x.ends, x.kind, m.mac AS modem INTO l FROM nmsp.lease x LEFT JOIN nmsp.modem m ON m.id = x.modem_id
     WHERE x.address IN (NEW.address, NEW.address6) AND x.state = 'active' AND x.ends > now() AND x.mac <> NEW.mac LIMIT 1;
    IF FOUND THEN
        PERFORM nmsp.refuse('23514', format('address %s is leased to another device', host(l.address)),
            format('%s%s has it until %s; %s %s would get it too.', l.mac, CASE WHEN l.kind = 'cpe' THEN format(' (behind modem %s)', l.modem) ELSE '' END, l.ends, TG_TABLE_NAME, NEW.mac),
            'Take another one (nmsp.allocate_address), or wait until that lease has ended.', TG_TABLE_NAME, TG_TABLE_NAME || '_address_is_leased');
    END IF;
    RETURN NEW;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.lease_check() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.lease_check() IS 'Trigger: a fixed address is not one that another device holds by a lease now.';
CREATE OR REPLACE TRIGGER b_lease_insert BEFORE INSERT ON nmsp.modem FOR EACH ROW WHEN (NEW.address IS NOT NULL OR NEW.address6 IS NOT NULL) EXECUTE FUNCTION nmsp.lease_check();
CREATE OR REPLACE TRIGGER b_lease_update BEFORE UPDATE OF address, address6 ON nmsp.modem FOR EACH ROW
    WHEN (NEW.address IS DISTINCT FROM OLD.address OR NEW.address6 IS DISTINCT FROM OLD.address6) EXECUTE FUNCTION nmsp.lease_check();
CREATE OR REPLACE TRIGGER b_lease_insert BEFORE INSERT ON nmsp.mta FOR EACH ROW WHEN (NEW.address IS NOT NULL OR NEW.address6 IS NOT NULL) EXECUTE FUNCTION nmsp.lease_check();
CREATE OR REPLACE TRIGGER b_lease_update BEFORE UPDATE OF address, address6 ON nmsp.mta FOR EACH ROW
    WHEN (NEW.address IS DISTINCT FROM OLD.address OR NEW.address6 IS DISTINCT FROM OLD.address6) EXECUTE FUNCTION nmsp.lease_check();
CREATE OR REPLACE TRIGGER b_lease_insert BEFORE INSERT ON nmsp.endpoint FOR EACH ROW WHEN (NEW.mac IS NOT NULL) EXECUTE FUNCTION nmsp.lease_check();
CREATE OR REPLACE TRIGGER b_lease_update BEFORE UPDATE OF address, address6 ON nmsp.endpoint FOR EACH ROW
    WHEN (NEW.mac IS NOT NULL AND (NEW.address IS DISTINCT FROM OLD.address OR NEW.address6 IS DISTINCT FROM OLD.address6)) EXECUTE FUNCTION nmsp.lease_check();

-- upkeep ----------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.keep_leases(now timestamptz DEFAULT pg_catalog.now(), OUT made int, OUT dropped int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
SET timezone TO 'UTC'
AS $fn$
DECLARE
    retention CONSTANT interval := (SELECT s.lease_retention FROM nmsp.setting s);
BEGIN
    SELECT k.made, k.dropped INTO made, dropped FROM nmsp.keep_weeks('lease_history', 'until', retention, keep_leases.now) k;
    DELETE FROM nmsp.lease l WHERE l.ends < now - retention;
    INSERT INTO nmsp.pool_sample (pool_id, at, used, size)
    SELECT u.pool_id, date_trunc('hour', now), u.fixed + u.leased, u.size FROM nmsp.pool_usage u
    ON CONFLICT ON CONSTRAINT pool_sample_is_there_already DO NOTHING;
    DELETE FROM nmsp.pool_sample s WHERE s.at < now - interval '30 days';
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.keep_leases(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.keep_leases(timestamptz) IS
'Makes the partitions of nmsp.lease_history for this week and the next two, drops what is older than nmsp.setting.lease_retention, and takes the hour''s sample of pools. nmsp.keep_downloads() calls it, so the agent does hourly.';
PERFORM nmsp.keep_leases();
