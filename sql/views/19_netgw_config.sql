-- Configuration of access gateways: proposals, and what differs on the gateway.

-- The languages that come with nmsp. Rows of other dialects are the operator's.
WITH shipped(dialect, subject, position, context, line) AS (VALUES
    ('cisco', 'name', 1, '', 'hostname {name}'),
    ('cisco', 'name', 2, '', 'ip domain name {domain}'),
    ('cisco', 'name', 3, '', 'ip dhcp relay information option'),
    ('cisco', 'name', 4, '', 'no ip dhcp relay information check'),
    ('cisco', 'secret', 1, '', 'cable shared-secret 0 {secret}'),
    ('cisco', 'interface', 1, 'interface Bundle{interface}', 'cable arp filter request-send 3 2'),
    ('cisco', 'interface', 2, 'interface Bundle{interface}', 'cable arp filter reply-accept 3 2'),
    ('cisco', 'interface', 3, 'interface Bundle{interface}', 'cable source-verify dhcp'),
    ('cisco', 'interface', 4, 'interface Bundle{interface}', 'cable dhcp-giaddr policy'),
    ('cisco', 'interface', 5, 'interface Bundle{interface}', 'ip access-group nmsp-cable in'),
    ('cisco', 'interface', 6, 'ip access-list extended nmsp-cable', 'permit udp any eq bootpc any eq bootps'),
    ('cisco', 'address', 1, 'interface Bundle{interface}', 'ip address {address} {mask}'),
    ('cisco', 'address_secondary', 1, 'interface Bundle{interface}', 'ip address {address} {mask} secondary'),
    ('cisco', 'address6', 1, 'interface Bundle{interface}', 'ipv6 address {address}/{length}'),
    ('cisco', 'address6', 2, 'interface Bundle{interface}', 'ipv6 enable'),
    ('cisco', 'address6', 3, 'interface Bundle{interface}', 'ipv6 nd managed-config-flag'),
    ('cisco', 'address6', 4, 'interface Bundle{interface}', 'ipv6 nd other-config-flag'),
    ('cisco', 'address6', 5, 'interface Bundle{interface}', 'cable ipv6 source-verify dhcp'),
    ('cisco', 'helper_cm', 1, 'interface Bundle{interface}', 'cable helper-address {server} cable-modem'),
    ('cisco', 'helper_mta', 1, 'interface Bundle{interface}', 'cable helper-address {server} mta'),
    ('cisco', 'helper_cpe', 1, 'interface Bundle{interface}', 'cable helper-address {server} host'),
    ('cisco', 'helper6', 1, 'interface Bundle{interface}', 'ipv6 dhcp relay destination {server}'),
    ('cisco', 'cm_network', 1, 'ip access-list extended nmsp-cable', 'permit ip {network} {wildcard} host {server}'),
    ('cisco', 'cm_network', 2, 'ip access-list extended nmsp-cable', 'deny ip any {network} {wildcard}'),
    ('cisco', 'cpe_network', 1, 'ip access-list extended nmsp-cable', 'permit ip {network} {wildcard} any'),
    ('cisco', 'snmp_read', 1, '', 'snmp-server community {community} RO'),
    ('cisco', 'snmp_write', 1, '', 'snmp-server community {community} RW'),
    ('cisco', 'time_server', 1, '', 'ntp server {server}'),
    ('cisco', 'log_server', 1, '', 'logging host {server}'),

    ('casa', 'name', 1, '', 'hostname {name}'),
    ('casa', 'secret', 1, '', 'cable shared-secret {secret}'),
    ('casa', 'interface', 1, 'interface docsis-mac {interface}', 'ip bundle {interface}'),
    ('casa', 'interface', 2, 'interface docsis-mac {interface}', 'ip-provisioning-mode dual-stack'),
    ('casa', 'interface', 3, 'interface ip-bundle {interface}', 'cable source-verify dhcp'),
    ('casa', 'address', 1, 'interface ip-bundle {interface}', 'ip address {address} {mask}'),
    ('casa', 'address_secondary', 1, 'interface ip-bundle {interface}', 'ip address {address} {mask} secondary'),
    ('casa', 'address6', 1, 'interface ip-bundle {interface}', 'ipv6 address {address}/{length}'),
    ('casa', 'helper_cm', 1, 'interface ip-bundle {interface}', 'cable helper-address {server} cable-modem'),
    ('casa', 'helper_mta', 1, 'interface ip-bundle {interface}', 'cable helper-address {server} mta'),
    ('casa', 'helper_cpe', 1, 'interface ip-bundle {interface}', 'cable helper-address {server} host'),
    ('casa', 'helper6', 1, 'interface ip-bundle {interface}', 'cable helper-ipv6-address {server}'),
    ('casa', 'snmp_read', 1, '', 'snmp community {community} ro'),
    ('casa', 'snmp_write', 1, '', 'snmp community {community} rw'),
    ('casa', 'time_server', 1, '', 'ntp server {server}'),
    ('casa', 'log_server', 1, '', 'logging host {server}'),

    ('arris', 'name', 1, '', 'configure hostname "{name}"'),
    ('arris', 'secret', 1, '', 'configure cable shared-secret {secret}'),
    ('arris', 'interface', 1, '', 'configure interface cable-mac {interface} cable source-verify dhcp authoritative'),
    ('arris', 'interface', 2, '', 'configure interface cable-mac {interface} cable dhcp-giaddr policy'),
    ('arris', 'address', 1, '', 'configure interface cable-mac {interface} ip address {address} {mask}'),
    ('arris', 'address_secondary', 1, '', 'configure interface cable-mac {interface} ip address {address} {mask} secondary'),
    ('arris', 'address6', 1, '', 'configure interface cable-mac {interface} ipv6 address {address}/{length}'),
    ('arris', 'helper_cm', 1, '', 'configure interface cable-mac {interface} cable helper-address {server} cable-modem'),
    ('arris', 'helper_mta', 1, '', 'configure interface cable-mac {interface} cable helper-address {server} mta'),
    ('arris', 'helper_cpe', 1, '', 'configure interface cable-mac {interface} cable helper-address {server} host'),
    ('arris', 'helper6', 1, '', 'configure interface cable-mac {interface} ipv6 dhcp relay destination {server}'),
    ('arris', 'snmp_read', 1, '', 'configure snmp-server community "{community}" ro'),
    ('arris', 'snmp_write', 1, '', 'configure snmp-server community "{community}" rw'),
    ('arris', 'time_server', 1, '', 'configure ntp server {server}'),
    ('arris', 'log_server', 1, '', 'configure logging host {server}'),

    ('router', 'name', 1, '', 'hostname {name}'),
    ('router', 'interface', 1, 'interface {interface}', 'description subscribers'),
    ('router', 'address', 1, 'interface {interface}', 'ip address {address} {mask}'),
    ('router', 'address_secondary', 1, 'interface {interface}', 'ip address {address} {mask} secondary'),
    ('router', 'address6', 1, 'interface {interface}', 'ipv6 address {address}/{length}'),
    ('router', 'helper', 1, 'interface {interface}', 'ip helper-address {server}'),
    ('router', 'helper6', 1, 'interface {interface}', 'ipv6 dhcp relay destination {server}'),
    ('router', 'snmp_read', 1, '', 'snmp-server community {community} RO'),
    ('router', 'snmp_write', 1, '', 'snmp-server community {community} RW'),
    ('router', 'time_server', 1, '', 'ntp server {server}'),
    ('router', 'log_server', 1, '', 'logging host {server}'))
INSERT INTO nmsp.netgw_format (dialect, subject, position, context, line)
SELECT s.* FROM shipped s
ON CONFLICT (dialect, subject, position) DO UPDATE SET context = excluded.context, line = excluded.line;

CREATE OR REPLACE FUNCTION nmsp.netgw_dialect(g nmsp.netgw) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce((g).dialect, CASE
    WHEN (g).vendor ~* 'cisco' OR (g).model ~* '^(cbr|ubr)' THEN 'cisco'
    WHEN (g).vendor ~* 'casa' THEN 'casa'
    WHEN (g).vendor ~* 'arris|commscope|vecima' OR (g).model ~* '^(e6000|c4)' THEN 'arris'
    WHEN (g).kind = 'cmts' THEN 'cisco'
    ELSE 'router' END);
COMMENT ON FUNCTION nmsp.netgw_dialect(nmsp.netgw) IS 'The language of a gateway''s configuration: its own, else by vendor and model; where these say nothing, cisco for a CMTS and router for all else.';

CREATE OR REPLACE FUNCTION nmsp.netgw_subject(netgw_id bigint) RETURNS TABLE (rank int, subject text, value jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH p AS (
        SELECT x.*, row_number() OVER (PARTITION BY family(x.network) ORDER BY x.purpose <> 'cm', x.id) AS n
          FROM nmsp.pool x WHERE x.netgw_id = netgw_subject.netgw_id AND x.active),
    s AS (SELECT x.*, host(x.provisioning_server) AS server, host(x.provisioning_server6) AS server6 FROM nmsp.setting x),
    kind AS (SELECT DISTINCT CASE WHEN p.purpose IN ('cm', 'mta') THEN p.purpose ELSE 'cpe' END AS name FROM p WHERE family(p.network) = 4)
    SELECT 10, 'name', jsonb_build_object('domain', s.domain_name) FROM s
    UNION ALL
    SELECT 20, 'secret', jsonb_build_object('secret', x.shared_secret) FROM nmsp.netgw_secret x
     WHERE x.netgw_id = netgw_subject.netgw_id AND x.shared_secret IS NOT NULL
    UNION ALL
    SELECT 30, CASE WHEN family(p.network) = 6 THEN 'address6' WHEN p.n = 1 THEN 'address' ELSE 'address_secondary' END,
           jsonb_build_object('address', host(p.router), 'mask', host(netmask(p.network)), 'length', masklen(p.network), 'purpose', p.purpose)
      FROM p WHERE p.router IS NOT NULL
    UNION ALL
    SELECT 40, 'interface', '{}'
    UNION ALL
    SELECT 50, 'helper', jsonb_build_object('server', s.server) FROM s WHERE EXISTS (SELECT FROM kind)
    UNION ALL
    SELECT 50, 'helper_' || kind.name, jsonb_build_object('server', s.server) FROM s, kind
    UNION ALL
    SELECT 55, 'helper6', jsonb_build_object('server', s.server6) FROM s WHERE s.server6 IS NOT NULL AND EXISTS (SELECT FROM p WHERE family(p.network) = 6)
    UNION ALL
    SELECT 60, CASE WHEN p.purpose IN ('cm', 'mta') THEN 'cm_network' ELSE 'cpe_network' END,
           jsonb_build_object('network', host(p.network), 'length', masklen(p.network), 'wildcard', host(hostmask(p.network)), 'server', s.server, 'purpose', p.purpose)
      FROM p, s WHERE family(p.network) = 4
    UNION ALL
    SELECT 62, 'delegated', jsonb_build_object('network', host(p.delegated_prefix), 'length', p.delegated_length) FROM p WHERE p.delegated_prefix IS NOT NULL
    UNION ALL
    SELECT 70, v.subject, jsonb_build_object('community', v.community)
      FROM nmsp.setting_secret x CROSS JOIN LATERAL (VALUES ('snmp_read', x.ro_community), ('snmp_write', x.rw_community)) v(subject, community)
    UNION ALL
    SELECT 80, 'time_server', jsonb_build_object('server', host(u.a)) FROM s, unnest(s.ntp_server) u(a)
    UNION ALL
    SELECT 90, 'log_server', jsonb_build_object('server', host(u.a)) FROM s, unnest(CASE WHEN s.log_server = '{}' THEN ARRAY[s.provisioning_server] ELSE s.log_server END) u(a);
END;
REVOKE ALL ON FUNCTION nmsp.netgw_subject(bigint) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.netgw_subject(bigint) IS 'What a gateway must know, whatever its language: rank (order), subject, values of the placeholders. Reads secrets.';

CREATE OR REPLACE FUNCTION nmsp.fill_format(format text, value jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    -- Each placeholder once, so that a value with braces is left as it is.
    RETURN (SELECT coalesce(string_agg(CASE WHEN p.part ~ '^\{[a-z]+\}$' THEN coalesce(value ->> btrim(p.part, '{}'), p.part) ELSE p.part END, '' ORDER BY p.n), '')
              FROM regexp_matches(format, '\{[a-z]+\}|[^{]+|\{', 'g') WITH ORDINALITY m(parts, n), LATERAL (SELECT m.parts[1] AS part, m.n) p);
END
$fn$;
COMMENT ON FUNCTION nmsp.fill_format(text, jsonb) IS 'A line of nmsp.netgw_format with values in place of its placeholders.';

CREATE OR REPLACE FUNCTION nmsp.netgw_line(netgw_id bigint) RETURNS TABLE (n bigint, context text, line text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT row_number() OVER (ORDER BY l.rank, l.value ->> 'address', l.value ->> 'network', l.subject, l.position), l.context, l.line
      FROM (SELECT DISTINCT ON (r.context, r.line) u.rank, u.value, u.subject, f.position, r.context, r.line
              FROM nmsp.netgw g
             CROSS JOIN LATERAL nmsp.netgw_subject(g.id) u
              JOIN nmsp.netgw_format f ON f.dialect = nmsp.netgw_dialect(g) AND f.subject = u.subject
             CROSS JOIN LATERAL (
                   SELECT nmsp.fill_format(f.context, v.value) AS context, nmsp.fill_format(f.line, v.value) AS line
                     FROM (SELECT u.value || jsonb_build_object('name', g.name, 'interface', coalesce(g.interface, '1')) AS value) v) r
             WHERE g.id = netgw_line.netgw_id
             ORDER BY r.context, r.line, u.rank, u.subject, f.position) l;
END;
REVOKE ALL ON FUNCTION nmsp.netgw_line(bigint) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.netgw_line(bigint) IS 'The lines of a gateway''s proposal, each with the line it stands below (context). Reads secrets.';

CREATE OR REPLACE FUNCTION nmsp.netgw_config(netgw_id bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    g nmsp.netgw;
BEGIN
    SELECT x.* INTO g FROM nmsp.netgw x WHERE x.id = netgw_config.netgw_id;
    IF NOT FOUND THEN
        PERFORM nmsp.refuse('23503', format('access gateway %s does not exist', coalesce(netgw_id::text, 'null')),
            'A proposal is made for a row of nmsp.netgw.', 'SELECT id, name FROM nmsp.netgw lists those that exist.', 'netgw');
    END IF;
    IF NOT EXISTS (SELECT FROM nmsp.netgw_format f WHERE f.dialect = nmsp.netgw_dialect(g)) THEN
        PERFORM nmsp.refuse('22023', format('"%s" has the unknown dialect "%s"', g.name, nmsp.netgw_dialect(g)),
            'nmsp.netgw_format has no rows of it.', 'SELECT DISTINCT dialect FROM nmsp.netgw_format lists those that exist; add rows for another one.', 'netgw');
    END IF;
    RETURN format(E'! Proposal for %s by nmsp, in the language of %s. Lines that it does not name are yours.\n', g.name, nmsp.netgw_dialect(g))
        || (SELECT string_agg(b.text, '' ORDER BY b.n)
              FROM (SELECT min(l.n) AS n, CASE WHEN l.context = '' THEN '' ELSE l.context || E'\n' END
                           || string_agg(CASE WHEN l.context = '' THEN '' ELSE ' ' END || l.line || E'\n', '' ORDER BY l.n)
                           || CASE WHEN l.context = '' THEN '' ELSE E'!\n' END AS text
                      FROM (SELECT x.*, x.n - row_number() OVER (PARTITION BY x.context ORDER BY x.n) AS run FROM nmsp.netgw_line(g.id) x) l
                     GROUP BY l.context, CASE WHEN l.context = '' THEN l.run END) b);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.netgw_config(bigint) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.netgw_config(bigint) IS
'The configuration that a gateway needs for what the model says of it: addresses of its pools, DHCP relay, access lists, source verification, shared secret, SNMP, servers. A proposal: interfaces and channels are the operator''s. Contains secrets. Errors: 23503 no such gateway, 22023 unknown dialect.';

CREATE OR REPLACE FUNCTION nmsp.type_7(hidden text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    key CONSTANT text := 'dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87';
    seed int;
    bytes bytea;
BEGIN
    IF hidden !~ '^[0-9]{2}([0-9A-Fa-f]{2})+$' THEN
        RETURN NULL;
    END IF;
    seed := left(hidden, 2)::int;
    bytes := decode(substr(hidden, 3), 'hex');
    RETURN (SELECT string_agg(chr(get_byte(bytes, i) # ascii(substr(key, (seed + i) % 53 + 1, 1))), '' ORDER BY i)
              FROM generate_series(0, length(bytes) - 1) i WHERE get_byte(bytes, i) # ascii(substr(key, (seed + i) % 53 + 1, 1)) > 0);
END
$fn$;
COMMENT ON FUNCTION nmsp.type_7(text) IS 'The word behind Cisco''s "7" form, which a running configuration shows instead of it; null when it is none.';

CREATE OR REPLACE FUNCTION nmsp.running_line(running text) RETURNS TABLE (n bigint, context text, line text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    -- A line that is indented stands below the last one that is not.
    WITH raw AS (
        SELECT r.n, r.line ~ '^\s' AS below, btrim(regexp_replace(r.line, '\s+', ' ', 'g')) AS line
          FROM pg_catalog.regexp_split_to_table(replace(running, E'\r', ''), E'\n') WITH ORDINALITY r(line, n)),
    said AS (
        SELECT raw.n, raw.below, count(*) FILTER (WHERE NOT raw.below) OVER (ORDER BY raw.n) AS part,
               CASE WHEN raw.line ~ '^(.* )?7 [0-9]{2}([0-9A-Fa-f]{2})+$'
                    THEN regexp_replace(raw.line, '7 [0-9A-Fa-f]+$', '') || '0 ' || coalesce(nmsp.type_7(substring(raw.line FROM '[0-9A-Fa-f]+$')), '?')
                    ELSE raw.line END AS line
          FROM raw WHERE raw.line <> '' AND raw.line !~ '^[!#]')
    SELECT s.n, CASE WHEN s.below THEN coalesce(first_value(s.line) OVER (PARTITION BY s.part ORDER BY s.n), '') ELSE '' END, s.line FROM said s;
END;
COMMENT ON FUNCTION nmsp.running_line(text) IS 'The lines of a running configuration, each with the line it stands below; comments left out, white space made one blank, "7" forms opened.';

CREATE OR REPLACE FUNCTION nmsp.diff_config(netgw_id bigint, running text) RETURNS TABLE (state text, context text, line text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH due AS (
        SELECT l.n, l.context, regexp_replace(l.line, '\s+', ' ', 'g') AS line FROM nmsp.netgw_line(netgw_id) l),
    has AS (
        SELECT r.n, r.context, r.line FROM nmsp.running_line(running) r),
    -- What a line of the language begins with, up to its first value: the gateway's other lines of
    -- that kind are the proposal's business too.
    managed AS (
        SELECT DISTINCT nmsp.fill_format(f.context, jsonb_build_object('name', g.name, 'interface', coalesce(g.interface, '1'))) AS context,
               split_part(nmsp.fill_format(f.line, jsonb_build_object('interface', coalesce(g.interface, '1'))), '{', 1) AS beginning
          FROM nmsp.netgw g JOIN nmsp.netgw_format f ON f.dialect = nmsp.netgw_dialect(g)
         WHERE g.id = netgw_id AND f.line ~ '\{' AND f.subject <> 'interface')
    SELECT d.state, d.context, d.line FROM (
        SELECT 'missing' AS state, due.context, due.line, 1 AS part, due.n FROM due
         WHERE NOT EXISTS (SELECT FROM has WHERE has.context = due.context AND has.line = due.line)
        UNION ALL
        SELECT 'unexpected', has.context, has.line, 2, has.n FROM has
         WHERE EXISTS (SELECT FROM managed m WHERE m.context = has.context AND pg_catalog.starts_with(has.line, m.beginning))
           AND NOT EXISTS (SELECT FROM due WHERE due.context = has.context AND due.line = has.line)) d
     ORDER BY d.part, d.n;
END;
REVOKE ALL ON FUNCTION nmsp.diff_config(bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.diff_config(bigint, text) IS
'A gateway''s running configuration against the proposal: missing (due, but not there) and unexpected (there, of a kind that the proposal speaks of, but not due) lines, with the line they stand below. No row: all is as due.';
