-- Redundant DHCP servers: what a target of dhcpd or Kea is told of its partner, and which gateways
-- it serves. All of it is in the target's settings, so that an edge or another host has its own.

CREATE OR REPLACE FUNCTION nmsp_feed.dhcp_netgw(settings jsonb) RETURNS SETOF nmsp.netgw
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT g.* FROM nmsp.netgw g WHERE NOT settings ? 'netgws' OR settings -> 'netgws' ? g.name;
END;
COMMENT ON FUNCTION nmsp_feed.dhcp_netgw(jsonb) IS
'The gateways that a DHCP server with these settings serves: those that netgws (array of names) lists, without it all.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_failover(target bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    f jsonb := (SELECT t.settings -> 'failover' FROM nmsp_feed.target t WHERE t.id = target);
    wrong text;
BEGIN
    IF f IS NULL THEN
        RETURN NULL;
    END IF;
    f := '{"name": "nmsp", "port": 647, "peer_port": 647, "mclt": 1800, "split": 128, "max_response_delay": 10, "max_unacked_updates": 10, "load_balance_seconds": 3}'::jsonb || f;
    wrong := CASE
        WHEN coalesce(f ->> 'role', '') NOT IN ('primary', 'secondary') THEN 'role is primary or secondary'
        WHEN NOT coalesce(f ->> 'address', '') ~ '^\d+\.\d+\.\d+\.\d+$' THEN 'address is this server''s own IPv4 address'
        WHEN NOT coalesce(f ->> 'peer_address', '') ~ '^\d+\.\d+\.\d+\.\d+$' THEN 'peer_address is the partner''s IPv4 address'
        WHEN NOT coalesce(f ->> 'name', '') ~ '^[A-Za-z0-9_-]{1,40}$' THEN 'name has letters, digits, - and _'
        ELSE (SELECT format('%s is a number from %s to %s', k.key, k.low, k.high)
                FROM (VALUES ('port', 1, 65535), ('peer_port', 1, 65535), ('mclt', 10, 86400), ('split', 0, 256), ('max_response_delay', 2, 600),
                             ('max_unacked_updates', 1, 1000), ('load_balance_seconds', 0, 255), ('auto_partner_down', 0, 86400)) k(key, low, high)
               WHERE f ? k.key AND (NOT (f ->> k.key) ~ '^\d{1,6}$' OR NOT (f ->> k.key)::int BETWEEN k.low AND k.high) LIMIT 1)
    END;
    IF wrong IS NOT NULL THEN
        PERFORM nmsp.refuse('22023', format('target %s has no valid setting failover', target), format('In it, %s.', wrong),
            format('UPDATE nmsp_feed.target SET settings = jsonb_set(settings, ''{failover}'', ''{"role": "primary", "address": "172.20.0.1", "peer_address": "172.20.0.2"}'') WHERE id = %s.', target), 'target');
    END IF;
    RETURN f;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.dhcpd_failover(bigint) IS
'Feed dhcpd: the target''s setting failover with its defaults, null without one. Keys: role (primary, secondary), address, peer_address, port, peer_port, name, mclt, split, max_response_delay, max_unacked_updates, load_balance_seconds, auto_partner_down. Errors: 22023.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_peer(target bigint) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- mclt and split are the primary's to say.
    SELECT format(E'failover peer "%s" {\n  %s;\n  address %s;\n  port %s;\n  peer address %s;\n  peer port %s;\n  max-response-delay %s;\n  max-unacked-updates %s;\n  load balance max seconds %s;\n%s%s}\n',
               f ->> 'name', f ->> 'role', f ->> 'address', f ->> 'port', f ->> 'peer_address', f ->> 'peer_port', f ->> 'max_response_delay',
               f ->> 'max_unacked_updates', f ->> 'load_balance_seconds',
               CASE f ->> 'role' WHEN 'primary' THEN format(E'  mclt %s;\n  split %s;\n', f ->> 'mclt', f ->> 'split') END,
               '  auto-partner-down ' || (f ->> 'auto_partner_down') || E';\n')
      FROM nmsp_feed.dhcpd_failover(target) f WHERE f IS NOT NULL;
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_peer(bigint) IS 'Feed dhcpd: the declaration of the failover pair, null for a server that is alone.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_restart(target bigint) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_pretty(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('pause_ms', t.settings -> 'restart_pause_ms',
               'failover', f ->> 'name', 'role', f ->> 'role', 'turn_ms', t.settings -> 'restart_turn_ms'))) || E'\n'
      FROM nmsp_feed.target t, nmsp_feed.dhcpd_failover(t.id) f
     WHERE t.id = target AND (f IS NOT NULL OR t.settings ? 'restart_pause_ms');
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_restart(bigint) IS
'Feed dhcpd: restart.json for nmsp-dhcpd-restart: the pause between two restarts (setting restart_pause_ms), the failover pair, how long the secondary waits for the primary to restart before it (restart_turn_ms). Null: neither is set.';

CREATE OR REPLACE FUNCTION nmsp_kea.ha(settings jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    ha jsonb := settings -> 'ha';
    peers jsonb := ha -> 'peers';
    wrong text;
BEGIN
    IF ha IS NULL THEN
        RETURN NULL;
    END IF;
    wrong := CASE
        WHEN coalesce(ha ->> 'mode', '') NOT IN ('load-balancing', 'hot-standby') THEN 'mode is load-balancing or hot-standby'
        WHEN jsonb_typeof(peers) IS DISTINCT FROM 'array' OR jsonb_array_length(peers) <> 2 THEN 'peers is an array of the two servers'
        WHEN EXISTS (SELECT FROM jsonb_array_elements(peers) p WHERE NOT coalesce(p ->> 'name', '') ~ '^[A-Za-z0-9_-]{1,40}$') THEN 'each peer has a name'
        WHEN EXISTS (SELECT FROM jsonb_array_elements(peers) p WHERE NOT coalesce(p ->> 'url', '') ~ '^https?://[^/ ]+:\d+/$') THEN 'each peer has an url like http://172.20.0.1:8001/'
        WHEN NOT EXISTS (SELECT FROM jsonb_array_elements(peers) p WHERE p ->> 'name' = ha ->> 'this-server-name') THEN 'this-server-name is the name of one of the peers'
    END;
    IF wrong IS NOT NULL THEN
        PERFORM nmsp.refuse('22023', 'the setting ha is not valid', format('In it, %s.', wrong),
            'UPDATE nmsp_feed.target SET settings = jsonb_set(settings, ''{ha}'', ''{"mode": "hot-standby", "this-server-name": "kea-1", "peers": '
            '[{"name": "kea-1", "url": "http://172.20.0.1:8001/"}, {"name": "kea-2", "url": "http://172.20.0.2:8001/"}]}'') WHERE id = ....', 'target');
    END IF;
    -- The servers listen for each other themselves (no kea-ctrl-agent): that is Kea's way with more
    -- than one thread. One thread for it is enough: what it carries is a lease update per client.
    RETURN '{"heartbeat-delay": 1000, "max-response-delay": 4000, "max-ack-delay": 2000, "max-unacked-clients": 2}'::jsonb
        || jsonb_build_object('multi-threading', '{"enable-multi-threading": true, "http-dedicated-listener": true, "http-listener-threads": 1, "http-client-threads": 1}'::jsonb)
        || ha || jsonb_build_object('peers', (SELECT jsonb_agg(p.value || jsonb_build_object('auto-failover', true, 'role',
                CASE WHEN p.n = 1 THEN 'primary' WHEN ha ->> 'mode' = 'hot-standby' THEN 'standby' ELSE 'secondary' END) ORDER BY p.n)
              FROM jsonb_array_elements(peers) WITH ORDINALITY p(value, n)));
END
$fn$;
COMMENT ON FUNCTION nmsp_kea.ha(jsonb) IS
'The high availability of a Kea from its target''s settings: ha = {"mode": "hot-standby" or "load-balancing", "this-server-name", "peers": [{"name", "url"}, {"name", "url"}]}; the first peer is the primary. Other keys go to Kea''s hook as they are. Null: it is alone. Errors: 22023.';

CREATE OR REPLACE FUNCTION nmsp_kea.halves(settings jsonb) RETURNS TABLE (half int, name text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 2
BEGIN ATOMIC
    SELECT p.n::int - 1, p.value ->> 'name' FROM pg_catalog.jsonb_array_elements(nmsp_kea.ha(settings) -> 'peers') WITH ORDINALITY p(value, n)
     WHERE settings #>> '{ha,mode}' = 'load-balancing';
END;
COMMENT ON FUNCTION nmsp_kea.halves(jsonb) IS 'The servers that share the load: half 0 or 1 of each range is theirs. No row: nothing is shared.';

CREATE OR REPLACE FUNCTION nmsp_kea.hooks(settings jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('library', h.library, 'parameters', h.parameters)) ORDER BY h.n)
      FROM (SELECT 1 AS n, coalesce(settings ->> 'hook', d.folder || 'libnmsp_cm_flexid.so') AS library, NULL::jsonb AS parameters
              FROM (SELECT '/usr/lib/x86_64-linux-gnu/kea/hooks/') d(folder) WHERE coalesce(settings ->> 'hook', '-') <> ''
            UNION ALL
            SELECT u.n, coalesce(settings ->> 'hook_folder', '/usr/lib/x86_64-linux-gnu/kea/hooks') || '/' || u.name,
                   CASE u.name WHEN 'libdhcp_ha.so' THEN pg_catalog.jsonb_build_object('high-availability', pg_catalog.jsonb_build_array(nmsp_kea.ha(settings))) END
              FROM (VALUES (2, 'libdhcp_lease_cmds.so'), (3, 'libdhcp_ha.so')) u(n, name) WHERE settings ? 'ha') h;
END;
COMMENT ON FUNCTION nmsp_kea.hooks(jsonb) IS 'hooks-libraries of Kea: cm_flexid, and for high availability lease_cmds and ha. Null: none.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcp_boundary(after timestamptz, upto timestamptz)
RETURNS TABLE (at timestamptz, cause text, id bigint, feeds text[], note text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.at, 'all', NULL::bigint, c.feeds, c.note FROM (
        -- The offset at the end of the time asked for tells whether it changed in between; a year ahead is enough.
        SELECT nmsp.next_time_offset(s.time_zone, after) AS at, ARRAY['dhcpd', 'kea4'] AS feeds, format('the offset of %s changes', s.time_zone) AS note
          FROM nmsp.setting s WHERE nmsp.time_offset(s.time_zone, after) <> nmsp.time_offset(s.time_zone, upto)
        UNION ALL
        SELECT p.renumber_at - pg_catalog.make_interval(secs => 600 * 2 ^ k), CASE pg_catalog.family(p.network) WHEN 4 THEN ARRAY['dhcpd', 'kea4'] ELSE ARRAY['kea6'] END,
               format('lease times of pool %s shrink', p.network)
          FROM nmsp.pool p, pg_catalog.generate_series(0, 13) k WHERE p.renumber_at > after) c
     WHERE c.at > after AND c.at <= upto;
END;
REVOKE ALL ON FUNCTION nmsp_feed.dhcp_boundary(timestamptz, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.dhcp_boundary(timestamptz, timestamptz) IS
'Source of nmsp_feed.boundary: when DHCP servers'' files change by the clock alone (daylight saving, a step of a renumbering), later than after, not later than upto.';
INSERT INTO nmsp_feed.boundary_source (name, source_function) VALUES ('dhcp', 'nmsp_feed.dhcp_boundary')
ON CONFLICT (name) DO UPDATE SET source_function = excluded.source_function;
