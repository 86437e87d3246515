-- Feeds kea4 and kea6: the structure that Kea reads from a file: networks, pools, classes, how to
-- reach the database. Devices are not in it: Kea looks each one up (sql/views/60_kea.sql), so no
-- change of a device ever touches these files.
--
-- Classes are made in two steps. A host row says what the database knows: modem, adapter (an MTA),
-- public, private, blocked (declared without a test). The others join that with what the packet says, and networks
-- and pools look at them: cm, mta, stb-<pool>, cpe (guard of networks), cpe-public and cpe-private
-- (guards of pools: a fixed address is not bound to the class). member('KNOWN') puts them after the
-- look-up. Who is in no class is not served.

CREATE OR REPLACE FUNCTION nmsp_kea.address_list(addresses inet[], version int) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN nmsp.address_list(addresses, version);
COMMENT ON FUNCTION nmsp_kea.address_list(inet[], int) IS 'The addresses of one IP version (4 or 6) as Kea writes lists; null when there is none.';

CREATE OR REPLACE FUNCTION nmsp_kea.time_offset(time_zone text) RETURNS int
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (extract(epoch FROM (now() AT TIME ZONE time_zone) - (now() AT TIME ZONE 'UTC')))::int;
COMMENT ON FUNCTION nmsp_kea.time_offset(text) IS 'Seconds between UTC and a time zone at this moment (option 2).';

CREATE OR REPLACE FUNCTION nmsp_kea.vendor_classes(version int) RETURNS TABLE (rank bigint, name text, test text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.rank, v.name, format('substring(%s,0,%s) == 0x%s', CASE version WHEN 4 THEN 'option[60].hex' ELSE 'vendor-class[4491].data[0]' END,
                                  octet_length(v.prefix), encode(convert_to(v.prefix, 'UTF8'), 'hex'))
      FROM (VALUES (-2::bigint, 'docsis', 'docsis'), (-1, 'packetcable', 'pktc')) v(rank, name, prefix)
    UNION ALL
    SELECT p.id, 'settop-' || p.id, format('substring(%s,0,%s) == 0x%s', CASE version WHEN 4 THEN 'option[60].hex' ELSE 'option[16].hex' END,
                                  octet_length(p.vendor_class), encode(convert_to(p.vendor_class, 'UTF8'), 'hex'))
      FROM nmsp.pool p WHERE p.purpose = 'stb' AND pg_catalog.family(p.network) = version;
END;
COMMENT ON FUNCTION nmsp_kea.vendor_classes(int) IS 'Classes by what a device says of itself (option 60, DHCPv6 option 16), for IP version 4 or 6.';

CREATE OR REPLACE FUNCTION nmsp_kea.guard(pool nmsp.pool) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN NOT (pool).active THEN 'nobody' WHEN (pool).purpose = 'stb' THEN 'stb-' || (pool).id
            WHEN (pool).purpose IN ('cpe_public', 'cpe_private') THEN 'cpe' WHEN (pool).purpose = 'cpe_unknown' THEN 'client' ELSE replace((pool).purpose, '_', '-') END;
COMMENT ON FUNCTION nmsp_kea.guard(nmsp.pool) IS 'Class that may use the network of a pool.';

CREATE OR REPLACE FUNCTION nmsp_kea.pool_guard(pool nmsp.pool) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (pool).purpose LIKE 'cpe%' THEN replace((pool).purpose, '_', '-') ELSE nmsp_kea.guard(pool) END;
COMMENT ON FUNCTION nmsp_kea.pool_guard(nmsp.pool) IS 'Class that may have an address of the pool that nobody has fixed.';

CREATE OR REPLACE FUNCTION nmsp_kea.client_classes(version int, settings jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH vendor AS (SELECT * FROM nmsp_kea.vendor_classes(version)),
    class(rank, name, test) AS (
        SELECT n - 100, t, NULL FROM pg_catalog.unnest(ARRAY['modem', 'adapter', 'public', 'private', 'blocked', 'nobody']) WITH ORDINALITY u(t, n)
        UNION ALL
        SELECT v.rank, v.name, v.test FROM vendor v
        UNION ALL
        -- A modem asks for itself: the gateway names it, or nobody does (it renews its lease).
        SELECT 9223372036854775801, 'cm', 'member(''KNOWN'') and member(''modem'') and member(''docsis'')'
               || CASE version WHEN 4 THEN ' and (not relay4[2].exists or relay4[2].hex == pkt4.mac)' ELSE '' END
        UNION ALL
        SELECT 9223372036854775802, 'mta', 'member(''KNOWN'') and member(''adapter'') and member(''packetcable'')'
        UNION ALL
        SELECT 9223372036854775803, 'stb-' || v.rank, format('member(''KNOWN'') and not member(''blocked'') and member(''%s'')', v.name) FROM vendor v WHERE v.rank > 0
        UNION ALL
        SELECT 9223372036854775804, 'cpe', 'member(''KNOWN'') and (member(''public'') or member(''private''))'
               || (SELECT pg_catalog.string_agg(format(' and not member(''%s'')', v.name), '' ORDER BY v.rank) FROM vendor v)
        UNION ALL
        SELECT 9223372036854775805, 'cpe-' || t, format('member(''cpe'') and member(''%s'')', t) FROM pg_catalog.unnest(ARRAY['private', 'public']) t
        UNION ALL
        -- Kea chooses a network before it knows that nobody knows the client: the guard of that network
        -- looks at the packet alone, that of its pool at the rest.
        SELECT 9223372036854775800, 'client', (SELECT pg_catalog.string_agg(format('not member(''%s'')', v.name), ' and ' ORDER BY v.rank) FROM vendor v)
         WHERE EXISTS (SELECT FROM nmsp.pool p WHERE p.purpose = 'cpe_unknown' AND pg_catalog.family(p.network) = version)
        UNION ALL
        -- Walled gardens: who is behind a blocked modem, and who is behind one that nobody knows.
        SELECT 9223372036854775805, g.name, g.test || (SELECT pg_catalog.string_agg(format(' and not member(''%s'')', v.name), '' ORDER BY v.rank) FROM vendor v)
          FROM (VALUES ('cpe-blocked', 'member(''KNOWN'') and member(''blocked'')'), ('cpe-unknown', 'not member(''KNOWN'')')) g(name, test)
         WHERE EXISTS (SELECT FROM nmsp.pool p WHERE p.purpose = replace(g.name, '-', '_') AND pg_catalog.family(p.network) = version)
        UNION ALL
        SELECT 9223372036854775805, c.name || '/' || h.name, format('member(''%s'') and member(''HA_%s'')', c.name, h.name)
          FROM nmsp_kea.halves(settings) h,
               (SELECT DISTINCT nmsp_kea.pool_guard(p) AS name FROM nmsp.pool p WHERE pg_catalog.family(p.network) = version AND p.active) c
        UNION ALL
        -- Who is not found gets no answer at all. For a moment after it lost the database Kea finds
        -- nobody, and would refuse the renewals of live clients.
        SELECT 9223372036854775806, 'DROP', CASE WHEN EXISTS (SELECT FROM nmsp.pool p WHERE p.purpose = 'cpe_unknown' AND pg_catalog.family(p.network) = version)
               THEN 'not member(''KNOWN'') and not member(''cpe-unknown'')' ELSE 'not member(''KNOWN'')' END)
    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('name', c.name, 'test', c.test)) ORDER BY c.rank, c.name)
      FROM class c;
END;
COMMENT ON FUNCTION nmsp_kea.client_classes(int, jsonb) IS 'client-classes of Kea''s configuration for IP version 4 or 6, in the order of their evaluation.';

CREATE OR REPLACE FUNCTION nmsp_kea.options(VARIADIC pairs text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', pairs[i], 'data', pairs[i + 1]) ORDER BY i)
      FROM pg_catalog.generate_series(1, pg_catalog.cardinality(pairs), 2) i WHERE pairs[i + 1] IS NOT NULL;
END;
COMMENT ON FUNCTION nmsp_kea.options(text[]) IS 'option-data of Kea''s configuration from pairs of name and value; options without a value are left out, null when none is left (Kea 2.2 takes no empty list).';

CREATE OR REPLACE FUNCTION nmsp_kea.pools(pool nmsp.pool, settings jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Two servers that share the load each have a half of the range.
    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('pool', host(r.low) || ' - ' || host(r.high), 'client-class', nmsp_kea.pool_guard(pool) || r.suffix) ORDER BY r.low)
      FROM (SELECT (pool).range_start AS low, (pool).range_end AS high, '' AS suffix WHERE NOT EXISTS (SELECT FROM nmsp_kea.halves(settings))
            UNION ALL
            SELECT CASE h.half WHEN 0 THEN (pool).range_start ELSE (pool).range_start + ((pool).range_end - (pool).range_start + 1) / 2 END,
                   CASE h.half WHEN 0 THEN (pool).range_start + ((pool).range_end - (pool).range_start + 1) / 2 - 1 ELSE (pool).range_end END, '/' || h.name
              FROM nmsp_kea.halves(settings) h) r
     WHERE (pool).active AND r.low <= r.high AND (pool).range_start IS NOT NULL;
END;
COMMENT ON FUNCTION nmsp_kea.pools(nmsp.pool, jsonb) IS 'The address pools of a subnet: its range, in load-balancing HA two halves of it. Null: none.';

CREATE OR REPLACE FUNCTION nmsp_kea.prefix_pools(pool nmsp.pool, settings jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('prefix', host(r.prefix), 'prefix-len', r.length, 'delegated-len', (pool).delegated_length,
                                                              'client-class', nmsp_kea.pool_guard(pool) || r.suffix) ORDER BY r.prefix)
      FROM (SELECT (pool).delegated_prefix::inet AS prefix, masklen((pool).delegated_prefix) AS length, '' AS suffix
             WHERE NOT EXISTS (SELECT FROM nmsp_kea.halves(settings)) OR masklen((pool).delegated_prefix) = (pool).delegated_length
            UNION ALL
            -- the upper half has the next bit set
            SELECT CASE h.half WHEN 0 THEN (pool).delegated_prefix::inet
                   ELSE (SELECT pg_catalog.set_masklen((pool).delegated_prefix::inet, 128) | (pg_catalog.hostmask((pool).delegated_prefix::inet)
                                & pg_catalog.netmask(pg_catalog.set_masklen('::'::inet, masklen((pool).delegated_prefix) + 1)))) END,
                   masklen((pool).delegated_prefix) + 1, '/' || h.name
              FROM nmsp_kea.halves(settings) h WHERE masklen((pool).delegated_prefix) < (pool).delegated_length) r
     WHERE (pool).active AND (pool).delegated_prefix IS NOT NULL;
END;
COMMENT ON FUNCTION nmsp_kea.prefix_pools(nmsp.pool, jsonb) IS 'The prefix pools of a subnet: its delegated_prefix, in load-balancing HA two halves of it. Null: none.';

CREATE OR REPLACE FUNCTION nmsp_kea.pool_options(pool nmsp.pool) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Of a vendor's option Kea wants the enterprise, and sub-options in a space of their own.
    SELECT pg_catalog.jsonb_agg(x.option ORDER BY x.code, x.enterprise, x.suboption)
      FROM (SELECT d.code, 0::bigint AS enterprise, 0 AS suboption,
                   pg_catalog.jsonb_build_object('code', d.code, 'space', 'dhcp' || pg_catalog.family((pool).network), 'csv-format', false, 'data', encode(d.value, 'hex'), 'always-send', true) AS option
              FROM nmsp.pool_option_data(pool) d WHERE d.code <> CASE pg_catalog.family((pool).network) WHEN 4 THEN 125 ELSE 17 END
            UNION ALL
            SELECT v.code, v.enterprise, 0, pg_catalog.jsonb_build_object('code', v.code, 'space', 'dhcp' || pg_catalog.family((pool).network), 'data', v.enterprise::text, 'always-send', true)
              FROM nmsp.pool_option_value(pool) v WHERE v.vendor GROUP BY v.code, v.enterprise
            UNION ALL
            SELECT v.code, v.enterprise, v.suboption, pg_catalog.jsonb_build_object('code', v.suboption, 'space', 'vendor-' || v.enterprise, 'csv-format', false, 'data', encode(v.value, 'hex'), 'always-send', true)
              FROM nmsp.pool_option_value(pool) v WHERE v.vendor) x;
END;
REVOKE ALL ON FUNCTION nmsp_kea.pool_options(nmsp.pool) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_kea.pool_options(nmsp.pool) IS 'nmsp.pool_option as Kea''s option-data; null: the pool has none.';

CREATE OR REPLACE FUNCTION nmsp_kea.subnet(pool nmsp.pool, settings jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
        'id', (pool).id,
        'subnet', (pool).network::text,
        'client-class', nmsp_kea.guard(pool),
        'valid-lifetime', l.seconds,
        'max-valid-lifetime', l.seconds,
        'preferred-lifetime', CASE pg_catalog.family((pool).network) WHEN 6 THEN l.seconds::bigint * 5 / 8 END,
        'max-preferred-lifetime', CASE pg_catalog.family((pool).network) WHEN 6 THEN l.seconds::bigint * 5 / 8 END,
        'pools', nmsp_kea.pools(pool, settings),
        'pd-pools', nmsp_kea.prefix_pools(pool, settings),
        'option-data', nullif(coalesce(CASE pg_catalog.family((pool).network)
            WHEN 4 THEN nmsp_kea.options('routers', host((pool).router), 'domain-name-servers', nmsp_kea.address_list((pool).dns_server, 4))
            ELSE nmsp_kea.options('dns-servers', nmsp_kea.address_list((pool).dns_server, 6)) END, '[]')
            || coalesce(nmsp_kea.pool_options(pool), '[]'), '[]')))
      FROM nmsp.pool_lease_time(pool, now()) l(seconds);
END;
COMMENT ON FUNCTION nmsp_kea.subnet(nmsp.pool, jsonb) IS 'The subnet4 or subnet6 of a pool; its number is the id of the pool. Fixed addresses stay in the range: Kea asks before it gives one out.';

CREATE OR REPLACE FUNCTION nmsp_kea.shared_networks(version int, settings jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- One per gateway and kind of client, not one per gateway: Kea looks a client up in each subnet of
    -- its shared network, or, where these are many, asks for all hosts of the client with all options
    -- of both IP versions. The guards of the subnets lead each client to its own.
    SELECT pg_catalog.jsonb_agg(n.network ORDER BY n.id, n.kind)
      FROM (SELECT g.id, pg_catalog.split_part(p.purpose, '_', 1) AS kind, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
                'name', g.name || '/' || pg_catalog.split_part(p.purpose, '_', 1),
                'relay', (SELECT pg_catalog.jsonb_build_object('ip-addresses', pg_catalog.jsonb_agg(host(r.router) ORDER BY r.router))
                            FROM nmsp.pool r WHERE r.netgw_id = g.id AND pg_catalog.family(r.router) = version HAVING count(*) > 0),
                'subnet' || version, pg_catalog.jsonb_agg(nmsp_kea.subnet(p, settings) ORDER BY p.network))) AS network
              FROM nmsp_feed.dhcp_netgw(settings) g JOIN nmsp.pool p ON p.netgw_id = g.id
             WHERE pg_catalog.family(p.network) = version GROUP BY g.id, g.name, pg_catalog.split_part(p.purpose, '_', 1)) n;
END;
COMMENT ON FUNCTION nmsp_kea.shared_networks(int, jsonb) IS 'shared-networks of Kea''s configuration for IP version 4 or 6: per gateway one for each kind of client (cm, mta, cpe, stb), found by the router addresses of the gateway''s pools (giaddr, link-address).';

CREATE OR REPLACE FUNCTION nmsp_kea.server(version int, settings jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- on-fail: without the database Kea is silent and comes back by itself. serve-retry-continue
    -- would serve on without reservations and refuse renewals.
    -- multi-threading: one worker beside the thread that receives. With several, Kea 2.2 counts a loss of
    -- the database once per connection but its return only once, and stays silent for good when it
    -- was busy in that moment. Without a worker it does not see the loss while packets keep coming.
    -- host-reservation-identifiers: an IPv4 endpoint by its MAC goes before one by its modem, behind the
    -- same modem (IPv6 has none by modem; there the modem goes first, because no class can see that who
    -- claims to be a modem is behind another one).
    -- reservations-out-of-pool: false, because fixed addresses may lie in the ranges.
    SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
        'interfaces-config', pg_catalog.jsonb_build_object('interfaces', coalesce(settings -> 'interfaces', '["*"]'))
            || CASE version WHEN 4 THEN '{"dhcp-socket-type": "udp"}'::jsonb ELSE '{}' END,
        'control-socket', pg_catalog.jsonb_build_object('socket-type', 'unix', 'socket-name',
            coalesce(settings ->> 'control_socket', format('/run/kea/kea%s-ctrl-socket', version))),
        'lease-database', pg_catalog.jsonb_build_object('type', 'memfile', 'persist', true, 'lfc-interval', 3600,
            'name', coalesce(settings ->> 'lease_file', format('/var/lib/kea/kea-leases%s.csv', version))),
        'hosts-database', pg_catalog.jsonb_build_object('type', 'postgresql', 'readonly', true, 'on-fail', 'stop-retry-exit',
                'max-reconnect-tries', 1000000, 'reconnect-wait-time', 1000,
                'host', '/var/run/postgresql', 'name', current_database(), 'user', 'kea')
            || coalesce(settings -> 'database', '{}'),
        'multi-threading', pg_catalog.jsonb_build_object('enable-multi-threading', true,
            'thread-pool-size', coalesce((settings ->> 'threads')::int, 1), 'packet-queue-size', 64),
        'hooks-libraries', nmsp_kea.hooks(settings),
        'host-reservation-identifiers', CASE version WHEN 4 THEN '["hw-address", "flex-id"]'::jsonb ELSE '["flex-id", "hw-address"]' END,
        'early-global-reservations-lookup', true,
        'reservations-global', true, 'reservations-in-subnet', true, 'reservations-out-of-pool', false,
        'store-extended-info', true,
        'valid-lifetime', s.default_lease_time, 'max-valid-lifetime', s.max_lease_time, 'calculate-tee-times', true,
        'client-classes', nmsp_kea.client_classes(version, settings),
        'shared-networks', nmsp_kea.shared_networks(version, settings),
        -- options: at INFO it writes a line per class and packet.
        'loggers', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', l.name, 'severity', l.severity,
                               'output_options', pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object('output', coalesce(settings ->> 'log', 'stdout')))))
                      FROM (VALUES ('kea-dhcp' || version, coalesce(settings ->> 'severity', 'INFO')),
                                   (format('kea-dhcp%s.options', version), 'WARN')) l(name, severity))))
      FROM nmsp.setting s;
END;
COMMENT ON FUNCTION nmsp_kea.server(int, jsonb) IS 'What dhcp4_config and dhcp6_config have in common.';

CREATE OR REPLACE FUNCTION nmsp_kea.dhcp4_config(settings jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_build_object('Dhcp4', nmsp_kea.server(4, settings) || pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
        'authoritative', true,
        'next-server', CASE pg_catalog.family(s.provisioning_server) WHEN 4 THEN host(s.provisioning_server) END,
        'option-data', nmsp_kea.options(
            'domain-name', s.domain_name,
            'domain-name-servers', nmsp_kea.address_list(s.dns_server, 4),
            'ntp-servers', nmsp_kea.address_list(s.ntp_server, 4),
            'time-servers', nmsp_kea.address_list(ARRAY[s.provisioning_server], 4),
            'log-servers', coalesce(nmsp_kea.address_list(s.log_server, 4), nmsp_kea.address_list(ARRAY[s.provisioning_server], 4)),
            'time-offset', nmsp_kea.time_offset(s.time_zone)::text))))
      FROM nmsp.setting s;
END;
COMMENT ON FUNCTION nmsp_kea.dhcp4_config(jsonb) IS
'Configuration of kea-dhcp4. Settings (all optional): interfaces (array), database (object: host, port, name, user, ... of hosts-database), control_socket, lease_file, hook (path of cm_flexid; empty: none), threads, log, severity, netgws (names of the gateways it serves; default: all), ha (see nmsp_kea.ha).';

CREATE OR REPLACE FUNCTION nmsp_kea.dhcp6_config(settings jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_build_object('Dhcp6', nmsp_kea.server(6, settings) || pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
        -- where it keeps its DUID
        'data-directory', pg_catalog.regexp_replace(settings ->> 'lease_file', '/[^/]*$', ''),
        'mac-sources', pg_catalog.jsonb_build_array('client-link-addr-option', 'docsis-modem', 'duid'),
        'preferred-lifetime', s.default_lease_time::bigint * 5 / 8, 'max-preferred-lifetime', s.max_lease_time::bigint * 5 / 8,
        'option-data', nmsp_kea.options('dns-servers', nmsp_kea.address_list(s.dns_server, 6), 'domain-search', s.domain_name))))
      FROM nmsp.setting s;
END;
COMMENT ON FUNCTION nmsp_kea.dhcp6_config(jsonb) IS 'Configuration of kea-dhcp6. Settings as for nmsp_kea.dhcp4_config.';

-- feeds -----------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp_feed.kea_keys(target bigint, cause text, ids bigint[], after_part text, after_id bigint, max_rows int)
RETURNS TABLE (part text, id bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT 'config', 0::bigint WHERE after_part IS NULL LIMIT max_rows;
END;
REVOKE ALL ON FUNCTION nmsp_feed.kea_keys(bigint, text, bigint[], text, bigint, int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.kea_keys(bigint, text, bigint[], text, bigint, int) IS 'Feeds kea4 and kea6: whatever changes touches the one file.';

CREATE OR REPLACE FUNCTION nmsp_feed.kea_render(target bigint, part text, ids bigint[])
RETURNS TABLE (id bigint, path text, content bytea)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT 0::bigint, CASE t.feed WHEN 'kea4' THEN 'kea-dhcp4.conf' ELSE 'kea-dhcp6.conf' END,
           convert_to(pg_catalog.jsonb_pretty(CASE t.feed WHEN 'kea4' THEN nmsp_kea.dhcp4_config(t.settings)
                                                          ELSE nmsp_kea.dhcp6_config(t.settings) END) || E'\n', 'UTF8')
      FROM nmsp_feed.target t WHERE t.id = target AND part = 'config' AND 0 = ANY (ids);
END;
REVOKE ALL ON FUNCTION nmsp_feed.kea_render(bigint, text, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.kea_render(bigint, text, bigint[]) IS 'Feeds kea4 and kea6: Kea''s configuration.';

-- rank: networks need not wait until files are in place; what Kea announces to a modem, it looks up.
INSERT INTO nmsp_feed.feed (name, mode, keys_function, render_function, validate_command, rank, vital_parts) VALUES
    ('kea4', 'set', 'nmsp_feed.kea_keys', 'nmsp_feed.kea_render', 'kea4-check', 5, '{config}'),
    ('kea6', 'set', 'nmsp_feed.kea_keys', 'nmsp_feed.kea_render', 'kea6-check', 5, '{config}')
ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, keys_function = excluded.keys_function, render_function = excluded.render_function,
    vital_parts = excluded.vital_parts, rank = excluded.rank;

INSERT INTO nmsp_feed.dependency (feed, relation, columns, causes)
SELECT f.name, d.relation, d.columns, NULL
  FROM (VALUES ('kea4'), ('kea6')) f(name),
       (VALUES ('nmsp.netgw', '{name}'::text[]),
               ('nmsp.pool', '{netgw_id,purpose,network,range_start,range_end,router,dns_server,lease_time,renumber_at,vendor_class,delegated_prefix,delegated_length,active}'),
               ('nmsp.pool_option', '{pool_id,code,suboption,enterprise,kind,value}'),
               ('nmsp.setting', '{provisioning_server,domain_name,dns_server,ntp_server,log_server,time_zone,default_lease_time,max_lease_time}')) d(relation, columns)
ON CONFLICT (feed, relation) DO UPDATE SET columns = excluded.columns, causes = excluded.causes;

PERFORM nmsp_feed.install_triggers();
