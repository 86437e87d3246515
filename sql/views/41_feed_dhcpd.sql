-- Feed dhcpd: the configuration of ISC dhcpd for IPv4, as one validated set of files:
--   dhcpd.conf      what dhcpd reads; includes the others from <root>/current
--   check.conf      the same with relative paths, for the check before a set goes into service
--   global.conf     options and classes
--   netgw/<id>.conf the shared network of one access gateway
--   restart.json    how nmsp-dhcpd-restart is to restart, where the target's settings say so
--   device/<n>.conf hosts and subclasses: modems, their CPEs' class, MTAs, endpoints; by modem id modulo
-- Structure (global, netgw) and devices are apart: a device never touches the structure's files.
--
-- With the target's setting lookup ("ldap://127.0.0.1:3890") dhcpd asks nmsp-agent for each modem
-- and each CPE's class instead; the device files then only hold what cannot be looked up: endpoints
-- that are bound by the modem they are behind.

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_shards() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 16;
COMMENT ON FUNCTION nmsp_feed.dhcpd_shards() IS 'Feed dhcpd: number of device files.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_keys(target bigint, cause text, ids bigint[], after_part text, after_id bigint, max_rows int)
RETURNS TABLE (part text, id bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT k.part, k.id FROM (
        SELECT 'device' AS part, pg_catalog.unnest(ids) % nmsp_feed.dhcpd_shards() AS id WHERE cause = 'modem'
        UNION
        SELECT 'device', x.modem_id % nmsp_feed.dhcpd_shards() FROM nmsp.contract_modem x WHERE cause = 'contract' AND x.contract_id = ANY (ids)
        UNION
        SELECT 'device', s FROM pg_catalog.generate_series(0::bigint, nmsp_feed.dhcpd_shards() - 1) s WHERE cause IN ('all', 'voice_setting')
        UNION
        SELECT 'netgw', pg_catalog.unnest(ids) WHERE cause IN ('netgw', 'account_netgw')
        UNION
        SELECT 'netgw', p.netgw_id FROM nmsp.ppp_account a JOIN nmsp.pool p ON p.network >>= a.address
         WHERE cause = 'account' AND a.netgw_id IS NULL AND a.id = ANY (ids)
        UNION
        SELECT 'netgw', p.netgw_id FROM nmsp.pool p WHERE cause = 'pool' AND p.id = ANY (ids)
        UNION
        SELECT 'netgw', g.id FROM nmsp.netgw g
         WHERE cause = 'all' OR (cause = 'endpoint' AND (g.id IN (SELECT m.netgw_id FROM nmsp.modem m WHERE m.id = ANY (ids))
                                OR EXISTS (SELECT FROM pg_catalog.unnest(ids) i WHERE NOT EXISTS (SELECT FROM nmsp.modem m WHERE m.id = i))))
        UNION
        SELECT 'main', m FROM pg_catalog.generate_series(0::bigint, 2) m WHERE cause IN ('all', 'netgw')
        UNION
        SELECT 'global', 0 WHERE cause IN ('all', 'netgw', 'pool', 'voice_setting')) k
     WHERE after_part IS NULL OR (k.part, k.id) > (after_part, after_id)
     ORDER BY k.part, k.id LIMIT max_rows;
END;
REVOKE ALL ON FUNCTION nmsp_feed.dhcpd_keys(bigint, text, bigint[], text, bigint, int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.dhcpd_keys(bigint, text, bigint[], text, bigint, int) IS
'Feed dhcpd: the files a change touches. Parts: main, global, netgw (id of the gateway), device (id of the modem modulo the number of device files).';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_list(addresses inet[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.string_agg(host(a), ', ' ORDER BY n) FROM pg_catalog.unnest(addresses) WITH ORDINALITY u(a, n) WHERE pg_catalog.family(a) = 4;
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_list(inet[]) IS 'Feed dhcpd: IPv4 addresses as a list; null when there is none.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_lookup(target bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    place text := (SELECT CASE WHEN t.settings ->> 'hosts' = 'files' THEN NULL
                               WHEN t.settings ->> 'hosts' = 'lookup' THEN coalesce(t.settings ->> 'lookup', 'ldap://127.0.0.1:3890')
                               WHEN t.settings ? 'hosts' THEN t.settings ->> 'hosts'
                               ELSE t.settings ->> 'lookup' END
                     FROM nmsp_feed.target t WHERE t.id = target);
    parts text[] := regexp_match(place, '^ldap://([0-9.]+):([0-9]{1,5})$');
BEGIN
    IF place IS NULL THEN
        RETURN NULL;
    ELSIF parts IS NULL THEN
        PERFORM nmsp.refuse('22023', format('"%s" is no place of a look-up', place),
            'nmsp-agent answers dhcpd on an IPv4 loopback address.',
            format('UPDATE nmsp_feed.target SET settings = jsonb_set(settings, ''{hosts}'', ''"lookup"'') WHERE id = %s.', target), 'target');
    END IF;
    RETURN format(E'ldap-server "%s";\nldap-port %s;\nldap-base-dn "o=nmsp";\nldap-dhcp-server-cn "nmsp";\nldap-method dynamic;\nldap-ssl off;\n'
        'ldap-username "cn=nmsp";\nldap-password "nmsp";\nldap-init-retry 60;\n', parts[1], parts[2]);
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.dhcpd_lookup(bigint) IS
'Feed dhcpd: the statements that make dhcpd ask nmsp-agent, null when its hosts are in files. Settings of the target: hosts (lookup or files), lookup (where, default ldap://127.0.0.1:3890; alone it means hosts = lookup). Errors: 22023 the setting is no ldap://ADDRESS:PORT.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_main(target bigint, folder text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT E'# Written by nmsp. Changes here are overwritten.\n'
        -- not in the check: that must not depend on an agent that runs
        || CASE WHEN folder <> '' AND nmsp_feed.dhcpd_lookup(target) IS NOT NULL THEN nmsp_feed.dhcpd_lookup(target) ELSE '' END
        || 'include "' || folder || E'global.conf";\n'
        || coalesce((SELECT pg_catalog.string_agg('include "' || folder || 'netgw/' || g.id || E'.conf";\n', '' ORDER BY g.id)
                       FROM nmsp_feed.target t, nmsp_feed.dhcp_netgw(t.settings) g
                      WHERE t.id = target AND EXISTS (SELECT FROM nmsp.pool p WHERE p.netgw_id = g.id AND pg_catalog.family(p.network) = 4)), '')
        || (SELECT pg_catalog.string_agg('include "' || folder || 'device/' || s || E'.conf";\n', '' ORDER BY s)
              FROM pg_catalog.generate_series(0::bigint, nmsp_feed.dhcpd_shards() - 1) s);
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_main(bigint, text) IS 'Feed dhcpd: the main file, with its includes from this folder (ends with / or is empty).';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_hex(value bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.regexp_replace(encode(value, 'hex'), '(..)(?=.)', '\1:', 'g');
COMMENT ON FUNCTION nmsp_feed.dhcpd_hex(bytea) IS 'Feed dhcpd: bytes as dhcpd writes them: 01:04:ac:14:00:01.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_mta(lookup boolean) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT concat(format(E'\n  option cablelabs %s;', nmsp_feed.dhcpd_hex(nmsp.mta_option_122(v, s.provisioning_server, NULL))),
                  format(E'\n  option tftp-server-name "%s";', host(s.provisioning_server)),
                  format(E'\n  option domain-name "%s";', coalesce(v.mta_domain, s.domain_name)),
                  CASE WHEN lookup THEN E'\n  filename = concat("mta/mac-", binary-to-ascii(16, 8, "-", substring(hardware, 1, 6)), ".cfg");' END)
      FROM nmsp.setting s, nmsp.voice_setting v;
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_mta(boolean) IS 'Feed dhcpd: what all MTAs are told.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_garden() RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM nmsp.pool p WHERE p.purpose IN ('cpe_blocked', 'cpe_unknown') AND p.active AND pg_catalog.family(p.network) = 4);
COMMENT ON FUNCTION nmsp_feed.dhcpd_garden() IS 'Feed dhcpd: whether there are pools for CPEs that are blocked or unknown.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_classes(max_cpe int, lookup boolean, garden boolean) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- A class with a lease limit counts every lease of its members. Modems and MTAs carry the
    -- modem's remote-id too: "match if" keeps them out before "match" looks the modem up. It also
    -- lives on in the lease file: a modem that was deleted, blocked or moved to the other class
    -- remains a member while a lease is counted there. So the -limit classes only count; pools
    -- look at the other ones. A class that was looked up has no lease limit: there one class counts
    -- by itself, whatever modem it is. Packets of kind 1 are requests: dhcpd also sees its own answers to
    -- relays go out, and would look those up as well.
    WITH other(rank, name, condition) AS (
        VALUES (0::bigint, 'cm', 'substring(option vendor-class-identifier, 0, 6) = "docsis"'),
               (0, 'mta', 'substring(option vendor-class-identifier, 0, 4) = "pktc"')
        UNION ALL
        SELECT p.id, 'stb-' || p.id, format('substring(option vendor-class-identifier, 0, %s) = "%s"',
               octet_length(p.vendor_class), replace(replace(p.vendor_class, '\', '\\'), '"', '\"'))
          FROM nmsp.pool p WHERE p.purpose = 'stb' AND pg_catalog.family(p.network) = 4)
    SELECT concat(
        pg_catalog.string_agg(format(E'class "%s" {\n  match if %s;%s\n}\n', o.name, o.condition,
            CASE WHEN o.rank > 0 THEN format(E'\n  spawn with option agent.remote-id;\n  lease limit %s;', max_cpe)
                 -- dhcpd leaves a host aside whose fixed address is in another network: a modem that
                 -- came here with its node. Its file is found by its hardware address then.
                 WHEN lookup AND o.name = 'cm' THEN
                     E'\n  filename = concat("cm/mac-", binary-to-ascii(16, 8, "-", substring(hardware, 1, 6)), ".cfg");'
                 WHEN o.name = 'mta' THEN nmsp_feed.dhcpd_mta(lookup) END), '' ORDER BY o.rank, o.name),
        (SELECT pg_catalog.string_agg(format(E'class "cpe-%s" {\n  match if binary-to-ascii(10, 8, "", packet(0, 1)) = "1" and not (%s);\n  match option agent.remote-id;%s\n}\n', c.name,
                    (SELECT pg_catalog.string_agg(o.condition, E'\n    or ' ORDER BY o.rank, o.name) FROM other o),
                    CASE WHEN c.name LIKE '%-limit' THEN format(E'\n  lease limit %s;', max_cpe) END), '')
           FROM pg_catalog.unnest(CASE WHEN lookup THEN ARRAY['private', 'public'] || CASE WHEN garden THEN ARRAY['blocked'] END
                                     ELSE ARRAY['blocked', 'blocked-limit', 'private', 'private-limit', 'public', 'public-limit'] END) c(name)),
        CASE WHEN lookup THEN format(E'class "limit" {\n  match if binary-to-ascii(10, 8, "", packet(0, 1)) = "1" and not (%s);\n  spawn with option agent.remote-id;\n  lease limit %s;\n}\n',
            (SELECT pg_catalog.string_agg(o.condition, E'\n    or ' ORDER BY o.rank, o.name) FROM other o), max_cpe) END,
        CASE WHEN garden THEN format(E'class "cpe" {\n  match if not (%s);\n}\n',
            (SELECT pg_catalog.string_agg(o.condition, E'\n    or ' ORDER BY o.rank, o.name) FROM other o)) END)
      FROM other o;
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_classes(int, boolean, boolean) IS
'Feed dhcpd: the classes. cm, mta and stb-<pool> by option 60; everybody else is a CPE and has the class of its modem. garden: there are pools for CPEs that are blocked or unknown. Each modem''s CPEs and set-top boxes have at most max_cpe leases.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_global(target bigint) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT concat(E'# Written by nmsp. Changes here are overwritten.\n',
        E'option cablelabs code 122 = string;\n',
        -- dhcpd takes definitions only here, not where they are needed
        (SELECT pg_catalog.string_agg(format(E'option nmsp-%1$s code %1$s = string;\n', c.code), '' ORDER BY c.code)
           FROM (SELECT DISTINCT o.code FROM nmsp.pool_option o JOIN nmsp.pool p ON p.id = o.pool_id WHERE pg_catalog.family(p.network) = 4 AND o.code <> 122) c),
        E'authoritative;\nping-check false;\ndeny bootp;\nddns-update-style none;\n',
        format(E'default-lease-time %s;\nmax-lease-time %s;\n', s.default_lease_time, s.max_lease_time),
        format(E'option domain-name "%s";\n', s.domain_name),
        E'option domain-name-servers ' || nmsp_feed.dhcpd_list(s.dns_server) || E';\n',
        E'option ntp-servers ' || nmsp_feed.dhcpd_list(s.ntp_server) || E';\n',
        format(E'next-server %1$s;\noption time-servers %1$s;\n', host(s.provisioning_server)),
        format(E'option log-servers %s;\n', coalesce(nmsp_feed.dhcpd_list(s.log_server), host(s.provisioning_server))),
        format(E'option time-offset %s;\n', nmsp.time_offset(s.time_zone, now())),
        E'\n# Who asks: option 60 tells modems, MTAs and set-top boxes; everybody else is a CPE and has the\n',
        E'# class of the modem it is behind (option 82 remote-id).\n',
        nmsp_feed.dhcpd_classes(s.max_cpe, nmsp_feed.dhcpd_lookup(target) IS NOT NULL, nmsp_feed.dhcpd_garden()),
        nmsp_feed.dhcpd_peer(target),
        E'\n# The network of the server itself: nobody boots there.\n',
        (SELECT pg_catalog.string_agg(format(E'subnet %s netmask %s { deny booting; }\n', host(n), host(netmask(n))), '' ORDER BY n)
           FROM (SELECT DISTINCT network(v::inet) AS n
                   FROM nmsp_feed.target t,
                        pg_catalog.jsonb_array_elements_text(coalesce(t.settings -> 'server_networks',
                            pg_catalog.jsonb_build_array(host(s.provisioning_server) || '/24'))) v
                  WHERE t.id = target AND NOT EXISTS (SELECT FROM nmsp.pool p WHERE p.network && network(v::inet))) own))
      FROM nmsp.setting s;
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_global(bigint) IS
'Feed dhcpd: options and classes. The target''s setting server_networks (array of networks, default: the provisioning server''s /24) names the networks of dhcpd''s own interfaces.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_range_end(pool nmsp.pool) RETURNS inet
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- nmsp.allocate_address() goes from the end of the range down. The range is taken as 32 blocks:
    -- as long as those above are half full or more, a block that has one fixed address is left to
    -- them as a whole, so that a new one hardly ever changes dhcpd's files.
    WITH size AS (
        SELECT greatest(1, ((pool).range_end - (pool).range_start + 1) / 32) AS n),
    used AS (
        SELECT ((pool).range_end - a) / size.n AS block, count(*) AS n
          FROM size, nmsp.used_address((pool).range_start, (pool).range_end) a GROUP BY 1),
    filled AS (
        SELECT count(*) AS blocks FROM used, size
         WHERE NOT EXISTS (
             SELECT FROM pg_catalog.generate_series(0, used.block) b LEFT JOIN used above ON above.block = b
              WHERE above.block IS NULL OR (b < used.block AND above.n * 2 < size.n)))
    SELECT (pool).range_end - filled.blocks * size.n FROM size, filled;
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_range_end(nmsp.pool) IS
'Feed dhcpd with look-up: the last address that dhcpd may give to anybody; those above are left to fixed addresses.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_ranges(pool nmsp.pool, range_end inet) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- The range without the fixed addresses in it: dhcpd must not give those to anybody else.
    SELECT pg_catalog.string_agg(CASE WHEN low = high THEN format(E'      range %s;\n', host(low))
                                      ELSE format(E'      range %s %s;\n', host(low), host(high)) END, '' ORDER BY low)
      FROM (SELECT coalesce(lag(u.a) OVER (ORDER BY u.a) + 1, (pool).range_start) AS low, u.a - 1 AS high
              FROM (SELECT x AS a FROM nmsp.used_address((pool).range_start, range_end) x
                    UNION ALL SELECT range_end + 1) u) gap
     WHERE low <= high;
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_ranges(nmsp.pool, inet) IS
'Feed dhcpd: the range statements of a pool up to this address, without the fixed addresses; null when nothing is left.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_members(pool nmsp.pool) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN NOT (pool).active THEN E'      deny all clients;\n'
        ELSE CASE (pool).purpose
            WHEN 'cm' THEN E'      allow members of "cm";\n      deny unknown-clients;\n'
            WHEN 'mta' THEN E'      allow members of "mta";\n      deny unknown-clients;\n'
            WHEN 'stb' THEN format(E'      allow members of "stb-%s";\n', (pool).id)
            WHEN 'cpe_unknown' THEN E'      allow members of "cpe";\n      deny known-clients;\n      deny members of "cpe-private";\n      deny members of "cpe-public";\n      deny members of "cpe-blocked";\n'
            ELSE format(E'      allow members of "%s";\n', replace((pool).purpose, '_', '-'))
        END END;
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_members(nmsp.pool) IS 'Feed dhcpd: who may have an address of this pool.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_text(pool nmsp.pool) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    -- What dhcpd's parser sees: no strings, no comments.
    code text := regexp_replace(pool.dhcpd_text, '"([^"\\]|\\.)*"|#[^\n]*', ' ', 'g');
    word text := substring(code FROM '(?i)\m(include|execute)\M');
    depth int := 0;
    brace text;
BEGIN
    IF word IS NOT NULL THEN
        PERFORM nmsp.refuse('42501', format('dhcpd_text of pool %s must not use "%s"', pool.network, word),
            'dhcpd runs as root: it would read other files or run programs for whoever may change a pool.',
            format('UPDATE nmsp.pool SET dhcpd_text = ... WHERE id = %s, without it.', pool.id), 'pool');
    END IF;
    FOR brace IN SELECT m[1] FROM regexp_matches(code, '[{}]', 'g') m LOOP
        depth := depth + CASE brace WHEN '{' THEN 1 ELSE -1 END;
        IF depth < 0 THEN
            PERFORM nmsp.refuse('42601', format('dhcpd_text of pool %s closes a brace that it did not open', pool.network),
                'The text must stay inside its subnet.',
                format('UPDATE nmsp.pool SET dhcpd_text = ... WHERE id = %s, with balanced braces.', pool.id), 'pool');
        END IF;
    END LOOP;
    RETURN pool.dhcpd_text;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.dhcpd_text(nmsp.pool) IS
'Feed dhcpd: the pool''s further statements. Errors: 42501 it includes a file or runs a program, 42601 it leaves its subnet; everything else is dhcpd''s to judge.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_subnet(pool nmsp.pool, lookup boolean, peer text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT concat(format(E'  subnet %s netmask %s {\n', host((pool).network), host(netmask((pool).network))),
        E'    option routers ' || host((pool).router) || E';\n',
        format(E'    option broadcast-address %s;\n', host(broadcast((pool).network))),
        E'    option domain-name-servers ' || nmsp_feed.dhcpd_list((pool).dns_server) || E';\n',
        (SELECT pg_catalog.string_agg(format(E'    option %s %s;\n', CASE o.code WHEN 122 THEN 'cablelabs' ELSE 'nmsp-' || o.code END, nmsp_feed.dhcpd_hex(o.value)), '' ORDER BY o.code)
           FROM nmsp.pool_option_data(pool) o),
        (SELECT format(E'    default-lease-time %1$s;\n    max-lease-time %1$s;\n', l) FROM nmsp.pool_lease_time(pool, now()) l WHERE l IS NOT NULL),
        E'    pool {\n' || CASE WHEN peer IS NULL THEN '' ELSE format(E'      failover peer "%s";\n', peer) END || nmsp_feed.dhcpd_members(pool)
            || nmsp_feed.dhcpd_ranges(pool, CASE WHEN lookup THEN nmsp_feed.dhcpd_range_end(pool) ELSE (pool).range_end END) || E'    }\n',
        CASE WHEN (pool).dhcpd_text <> '' THEN nmsp_feed.dhcpd_text(pool) || E'\n' END,
        -- Only the gateway itself may ask who has an address (source verification): giaddr.
        (SELECT format(E'    if packet(24, 4) = %s { allow leasequery; }\n', pg_catalog.string_agg(pg_catalog.to_hex(o::int), ':' ORDER BY n))
           FROM pg_catalog.string_to_table(host((pool).router), '.') WITH ORDINALITY u(o, n) HAVING count(*) = 4),
        E'  }\n');
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_subnet(nmsp.pool, boolean, text) IS 'Feed dhcpd: the subnet of one pool; peer: name of the failover pair, or null.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_device(shard bigint, lookup boolean DEFAULT false) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT E'# Written by nmsp. Changes here are overwritten.\n' || coalesce(pg_catalog.string_agg(d.line, '' ORDER BY d.modem_id, d.rank NULLS FIRST), '')
      FROM (SELECT m.id AS modem_id, NULL::bigint AS rank, -- MTAs, then endpoints
                   concat(format(E'host cm-%1$s { hardware ethernet %2$s; filename "%3$s"; option host-name "cm-%1$s";',
                                 m.id, m.mac, nmsp.modem_path(m.id, x.download_key)),
                          ' fixed-address ' || host(m.address) || ';',
                          CASE WHEN EXISTS (SELECT FROM nmsp.mta t WHERE t.modem_id = m.id)
                               THEN ' option cablelabs ' || nmsp_feed.dhcpd_hex(nmsp.cm_option_122(v, s.provisioning_server)) || ';' END,
                          E' }\n',
                          -- Blocked: an address for its CPEs only where there is a pool for such.
                          format(E'subclass "cpe-%1$s" %2$s; subclass "cpe-%1$s-limit" %2$s;\n', nmsp.cpe_class(m.id, m.internet_access, m.public_cpe), m.mac)) AS line
              FROM nmsp.modem m, nmsp.setting_secret x, nmsp.setting s, nmsp.voice_setting v WHERE m.id % nmsp_feed.dhcpd_shards() = shard AND NOT lookup
            UNION ALL
            SELECT t.modem_id, -t.id,
                   concat(format('host mta-%1$s { hardware ethernet %2$s; filename "%3$s"; option bootfile-name "%3$s"; option host-name "mta-%1$s";',
                                 t.id, t.mac, nmsp.mta_path(t.id, x.download_key)),
                          ' fixed-address ' || host(t.address) || ';',
                          CASE WHEN t.provisioning IS NOT NULL
                               THEN ' option cablelabs ' || nmsp_feed.dhcpd_hex(nmsp.mta_option_122(v, s.provisioning_server, t.provisioning)) || ';' END,
                          E' }\n')
              FROM nmsp.mta t, nmsp.setting_secret x, nmsp.setting s, nmsp.voice_setting v WHERE t.modem_id % nmsp_feed.dhcpd_shards() = shard AND NOT lookup
            UNION ALL
            SELECT m.id, e.id,
                   format(E'host %s { %s; fixed-address %s; }\n', e.name,
                          CASE WHEN e.mac IS NOT NULL THEN 'hardware ethernet ' || e.mac
                               ELSE 'host-identifier option agent.remote-id ' || m.mac END, host(e.address))
              FROM nmsp.endpoint e JOIN nmsp.modem m ON m.id = e.modem_id
             WHERE m.id % nmsp_feed.dhcpd_shards() = shard AND e.address IS NOT NULL AND nmsp.cpe_class(m.id, m.internet_access, m.public_cpe) <> 'blocked'
               AND (e.mac IS NULL OR NOT lookup)) d;
END;
COMMENT ON FUNCTION nmsp_feed.dhcpd_device(bigint, boolean) IS
'Feed dhcpd: one device file: modems, the class of their CPEs, MTAs, endpoints; with lookup only what cannot be looked up.';

CREATE OR REPLACE FUNCTION nmsp_feed.dhcpd_render(target bigint, part text, ids bigint[])
RETURNS TABLE (id bigint, path text, content bytea)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT f.id, f.path, convert_to(f.content, 'UTF8') FROM (
        SELECT i AS id, CASE i WHEN 0 THEN 'dhcpd.conf' ELSE 'check.conf' END AS path,
               nmsp_feed.dhcpd_main(target, CASE i WHEN 0 THEN t.root || '/current/' ELSE '' END) AS content
          FROM pg_catalog.unnest(ids) i, nmsp_feed.target t WHERE part = 'main' AND t.id = target AND i IN (0, 1)
        UNION ALL
        SELECT 2, 'restart.json', r FROM nmsp_feed.dhcpd_restart(target) r WHERE part = 'main' AND 2 = ANY (ids) AND r IS NOT NULL
        UNION ALL
        SELECT 0, 'global.conf', nmsp_feed.dhcpd_global(target) WHERE part = 'global' AND 0 = ANY (ids)
        UNION ALL
        SELECT g.id, 'netgw/' || g.id || '.conf',
               format(E'# Written by nmsp. Changes here are overwritten.\nshared-network "%s" {\n', g.name)
                   || pg_catalog.string_agg(nmsp_feed.dhcpd_subnet(p, nmsp_feed.dhcpd_lookup(target) IS NOT NULL, nmsp_feed.dhcpd_failover(target) ->> 'name'), '' ORDER BY p.purpose <> 'cm', p.network) || E'}\n'
          FROM nmsp_feed.target t, nmsp_feed.dhcp_netgw(t.settings) g JOIN nmsp.pool p ON p.netgw_id = g.id
         WHERE t.id = target AND part = 'netgw' AND g.id = ANY (ids) AND pg_catalog.family(p.network) = 4
         GROUP BY g.id, g.name
        UNION ALL
        SELECT i, 'device/' || i || '.conf', nmsp_feed.dhcpd_device(i, nmsp_feed.dhcpd_lookup(target) IS NOT NULL)
          FROM pg_catalog.unnest(ids) i WHERE part = 'device' AND i < nmsp_feed.dhcpd_shards()) f;
END;
REVOKE ALL ON FUNCTION nmsp_feed.dhcpd_render(bigint, text, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.dhcpd_render(bigint, text, bigint[]) IS 'Feed dhcpd: the files of one part.';

-- main is vital: dhcpd.conf and check.conf are the same but for their paths, so neither may be held
-- back alone.
INSERT INTO nmsp_feed.feed (name, mode, keys_function, render_function, validate_command, rank, vital_parts)
VALUES ('dhcpd', 'set', 'nmsp_feed.dhcpd_keys', 'nmsp_feed.dhcpd_render', 'dhcpd-check', 20, '{main}')
ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, keys_function = excluded.keys_function, render_function = excluded.render_function,
    vital_parts = excluded.vital_parts;

INSERT INTO nmsp_feed.dependency (feed, relation, columns, causes) VALUES
    ('dhcpd', 'nmsp.modem', '{mac,netgw_id,address,public_cpe,internet_access}', '{"modem": "id", "endpoint": "id"}'),
    ('dhcpd', 'nmsp.endpoint', '{name,modem_id,mac,address}', '{"modem": "modem_id", "endpoint": "modem_id"}'),
    ('dhcpd', 'nmsp.mta', '{mac,modem_id,provisioning,address}', '{"modem": "modem_id", "endpoint": "modem_id"}'),
    ('dhcpd', 'nmsp.voice_setting', '{provisioning,kerberos_realm,provisioning_host,dhcp_server,second_dhcp_server,mta_domain}', '{"voice_setting": "id"}'),
    ('dhcpd', 'nmsp.contract', '{validity}', '{"contract": "id"}'),
    ('dhcpd', 'nmsp.entitlement', '{contract_id,kind,validity,service_class_id}', '{"contract": "contract_id"}'),
    ('dhcpd', 'nmsp.contract_modem', NULL, '{"modem": "modem_id"}'),
    ('dhcpd', 'nmsp.service_block', '{contract_id,modem_id,scope,during}', '{"contract": "contract_id", "modem": "modem_id"}'),
    -- Fixed addresses of accounts are left out of ranges. One that is behind no certain gateway is looked
    -- for; the range that a deleted one leaves behind grows at the next look.
    ('dhcpd', 'nmsp.ppp_account', '{netgw_id,address}', '{"account_netgw": "netgw_id", "account": "id"}'),
    ('dhcpd', 'nmsp.netgw', '{name}', '{"netgw": "id"}'),
    ('dhcpd', 'nmsp.pool', '{netgw_id,purpose,network,range_start,range_end,router,dns_server,lease_time,renumber_at,vendor_class,active,dhcpd_text}', '{"netgw": "netgw_id"}'),
    ('dhcpd', 'nmsp.pool_option', '{pool_id,code,suboption,enterprise,kind,value}', '{"pool": "pool_id"}'),
    ('dhcpd', 'nmsp.setting', '{provisioning_server,domain_name,dns_server,ntp_server,log_server,time_zone,default_lease_time,max_lease_time,max_cpe}', NULL),
    ('dhcpd', 'nmsp.setting_secret', '{download_key}', NULL)
ON CONFLICT (feed, relation) DO UPDATE SET columns = excluded.columns, causes = excluded.causes;

PERFORM nmsp_feed.install_triggers();
