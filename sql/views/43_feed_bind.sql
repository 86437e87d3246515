-- Feed bind: the zones of BIND, kept by dynamic updates (RFC 2136, signed by TSIG, through nsupdate)
-- and compared by zone transfer (dig). One artifact is one record set.
--
--   cm-<id>.<domain>          A, AAAA of modems with fixed addresses, and their PTR
--   mta-<id>.<domain>         the same of MTAs
--   <endpoint>.cpe.<domain>   A, AAAA of endpoints, and their PTR
--   <hash>.cpe.<domain>       A, AAAA: stable names of CPEs with public addresses, made of the
--                             hardware address, where nmsp.setting_secret.cpe_name_key is set
--
-- Names and zones end with a dot and are in lower case, as a zone transfer shows them.

-- ---------------------------------------------------------------- names
-- (in schema nmsp, since who reads nmsp.dns_record must be able to call them)

CREATE OR REPLACE FUNCTION nmsp.reverse_name(address inet) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN CASE pg_catalog.family(address)
    WHEN 4 THEN pg_catalog.regexp_replace(host(address), '^(\d+)\.(\d+)\.(\d+)\.(\d+)$', '\4.\3.\2.\1.in-addr.arpa.')
    ELSE pg_catalog.regexp_replace(pg_catalog.reverse(encode(pg_catalog.substr(pg_catalog.inet_send(address), 5), 'hex')), '(.)', '\1.', 'g') || 'ip6.arpa.'
END;
COMMENT ON FUNCTION nmsp.reverse_name(inet) IS 'The name of an address in in-addr.arpa or ip6.arpa (RFC 1035, 3596), with the dot at its end.';

CREATE OR REPLACE FUNCTION nmsp_feed.bind_reverse_zone(network cidr) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN pg_catalog.regexp_replace(nmsp.reverse_name(network::inet), '^([^.]+\.){' ||
    CASE pg_catalog.family(network) WHEN 4 THEN 4 - least(masklen(network), 24) / 8 ELSE 32 - least(masklen(network), 48) / 4 END || '}', '');
COMMENT ON FUNCTION nmsp_feed.bind_reverse_zone(cidr) IS
'Feed bind: the reverse zone that holds a whole network: cut at an octet (at most /24) or at a hexadecimal digit (at most /48).';

CREATE OR REPLACE FUNCTION nmsp_feed.bind_network(zone text) RETURNS cidr
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN CASE
    WHEN zone ~ '^(\d{1,3}\.){0,4}in-addr\.arpa\.$' THEN
        (SELECT (pg_catalog.string_agg(coalesce(l.labels[pg_catalog.cardinality(l.labels) + 1 - i], '0'), '.' ORDER BY i)
                 || '/' || 8 * pg_catalog.min(pg_catalog.cardinality(l.labels)))::cidr
           FROM pg_catalog.string_to_array(pg_catalog.rtrim(pg_catalog.left(zone, -13), '.'), '.') l(labels), pg_catalog.generate_series(1, 4) i)
    WHEN zone ~ '^([0-9a-f]\.){0,32}ip6\.arpa\.$' THEN
        (SELECT (pg_catalog.regexp_replace(pg_catalog.rpad(h.digits, 32, '0'), '(....)(?=.)', '\1:', 'g') || '/' || 4 * pg_catalog.length(h.digits))::cidr
           FROM pg_catalog.reverse(pg_catalog.replace(pg_catalog.left(zone, -9), '.', '')) h(digits))
END;
COMMENT ON FUNCTION nmsp_feed.bind_network(text) IS 'Feed bind: the network of a reverse zone; null for another zone.';

CREATE OR REPLACE FUNCTION nmsp.stable_label(hash bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN (SELECT pg_catalog.string_agg(pg_catalog.substr('abcdefghijklmnopqrstuvwxyz234567', ((n.bits >> (25 - 5 * i)) & 31)::int + 1, 1), '' ORDER BY i)
          FROM (SELECT ('x' || encode(pg_catalog.substr(hash, 1, 4), 'hex'))::bit(32)::bigint >> 2) n(bits), pg_catalog.generate_series(0, 5) i);
COMMENT ON FUNCTION nmsp.stable_label(bytea) IS 'Stable name of a CPE: the first 30 bits of a hash in base 32 (RFC 4648), in lower case.';

CREATE OR REPLACE FUNCTION nmsp.hmac_pad(key bytea, pad int) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN (SELECT pg_catalog.string_agg(pg_catalog.set_byte('\x00', 0, (CASE WHEN i < octet_length(key) THEN pg_catalog.get_byte(key, i) ELSE 0 END) # pad), ''::bytea ORDER BY i)
          FROM pg_catalog.generate_series(0, 63) i);
COMMENT ON FUNCTION nmsp.hmac_pad(bytea, int) IS
'A key of up to 64 bytes as HMAC with SHA-256 (RFC 2104) prepends it: hmac = sha256(hmac_pad(key, 92) || sha256(hmac_pad(key, 54) || data)).';

CREATE OR REPLACE FUNCTION nmsp.is_public(address inet) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN NOT (address <<= '10.0.0.0/8' OR address <<= '172.16.0.0/12' OR address <<= '192.168.0.0/16' OR address <<= '100.64.0.0/10'
            OR address <<= 'fc00::/7' OR address <<= 'fe80::/10');
COMMENT ON FUNCTION nmsp.is_public(inet) IS 'Whether an address is neither private (RFC 1918, 4193), nor shared (RFC 6598), nor link-local.';

-- ---------------------------------------------------------------- records

-- (constants say their type, so that a restored dump has the same view)
CREATE OR REPLACE VIEW nmsp_feed.bind_record AS
WITH base AS MATERIALIZED (
    SELECT lower(s.domain_name) || '.' AS domain, s.dns_ttl AS ttl,
           nmsp.hmac_pad(x.cpe_name_key, 54) AS inner_pad, nmsp.hmac_pad(x.cpe_name_key, 92) AS outer_pad
      FROM nmsp.setting s, nmsp.setting_secret x LIMIT 1) -- each has one row; the planner must know
SELECT r.part, r.id, r.name, r.type, b.ttl, r.data, r.address
  FROM base b CROSS JOIN LATERAL (
       SELECT 'cm-a'::text AS part, m.id, 'cm-' || m.id || '.' || b.domain AS name, 'A'::text AS type, host(m.address) AS data, NULL::inet AS address
         FROM nmsp.modem m WHERE m.address IS NOT NULL
       UNION ALL
       SELECT 'cm-aaaa'::text, m.id, 'cm-' || m.id || '.' || b.domain, 'AAAA'::text, host(m.address6), NULL::inet FROM nmsp.modem m WHERE m.address6 IS NOT NULL
       UNION ALL
       SELECT 'cm-ptr4'::text, m.id, nmsp.reverse_name(m.address), 'PTR'::text, 'cm-' || m.id || '.' || b.domain, m.address FROM nmsp.modem m WHERE m.address IS NOT NULL
       UNION ALL
       SELECT 'cm-ptr6'::text, m.id, nmsp.reverse_name(m.address6), 'PTR'::text, 'cm-' || m.id || '.' || b.domain, m.address6 FROM nmsp.modem m WHERE m.address6 IS NOT NULL
       UNION ALL
       SELECT CASE family(a.address) WHEN 4 THEN 'mta-a' ELSE 'mta-aaaa' END, t.id, 'mta-' || t.id || '.' || b.domain,
              CASE family(a.address) WHEN 4 THEN 'A' ELSE 'AAAA' END, host(a.address), NULL::inet
         FROM nmsp.mta t CROSS JOIN LATERAL (VALUES (t.address), (t.address6)) a(address) WHERE a.address IS NOT NULL
       UNION ALL
       SELECT CASE family(a.address) WHEN 4 THEN 'mta-ptr4' ELSE 'mta-ptr6' END, t.id, nmsp.reverse_name(a.address), 'PTR'::text, 'mta-' || t.id || '.' || b.domain, a.address
         FROM nmsp.mta t CROSS JOIN LATERAL (VALUES (t.address), (t.address6)) a(address) WHERE a.address IS NOT NULL
       UNION ALL
       SELECT 'ep-a'::text, e.id, lower(e.name) || '.cpe.' || b.domain, 'A'::text, host(e.address), NULL::inet FROM nmsp.endpoint e WHERE e.address IS NOT NULL
       UNION ALL
       SELECT 'ep-aaaa'::text, e.id, lower(e.name) || '.cpe.' || b.domain, 'AAAA'::text, host(e.address6), NULL::inet FROM nmsp.endpoint e WHERE e.address6 IS NOT NULL
       UNION ALL
       SELECT 'ep-ptr4'::text, e.id, nmsp.reverse_name(e.address), 'PTR'::text, lower(e.name) || '.cpe.' || b.domain, e.address FROM nmsp.endpoint e WHERE e.address IS NOT NULL
       UNION ALL
       SELECT 'ep-ptr6'::text, e.id, nmsp.reverse_name(e.address6), 'PTR'::text, lower(e.name) || '.cpe.' || b.domain, e.address6 FROM nmsp.endpoint e WHERE e.address6 IS NOT NULL
       UNION ALL
       SELECT CASE family(a.address) WHEN 4 THEN 'mac-a' ELSE 'mac-aaaa' END, e.id,
              nmsp.stable_label(sha256(b.outer_pad || sha256(b.inner_pad || macaddr_send(e.mac)))) || '.cpe.' || b.domain,
              CASE family(a.address) WHEN 4 THEN 'A' ELSE 'AAAA' END, host(a.address), NULL::inet
         FROM nmsp.endpoint e CROSS JOIN LATERAL (VALUES (e.address), (e.address6)) a(address)
        WHERE b.inner_pad IS NOT NULL AND e.mac IS NOT NULL AND nmsp.is_public(a.address)) r;
COMMENT ON VIEW nmsp_feed.bind_record IS 'Feed bind: the record sets that should exist, with the artifact each one is';
COMMENT ON COLUMN nmsp_feed.bind_record.part IS 'Part of the artifact: device and type of record';
COMMENT ON COLUMN nmsp_feed.bind_record.id IS 'Id of the artifact: modem (cm-), MTA (mta-) or endpoint';
COMMENT ON COLUMN nmsp_feed.bind_record.name IS 'Owner name, with the dot at its end';
COMMENT ON COLUMN nmsp_feed.bind_record.type IS 'A, AAAA or PTR';
COMMENT ON COLUMN nmsp_feed.bind_record.ttl IS 'Time to live in seconds';
COMMENT ON COLUMN nmsp_feed.bind_record.data IS 'Address or name, as zone files write it';
COMMENT ON COLUMN nmsp_feed.bind_record.address IS 'Of a PTR: the address that its name stands for';

CREATE OR REPLACE VIEW nmsp.dns_record AS
SELECT r.name, r.type, r.ttl, r.data FROM nmsp_feed.bind_record r;
COMMENT ON VIEW nmsp.dns_record IS 'The DNS records that the model gives: forward and reverse names of modems, MTAs, endpoints and CPEs with known addresses.';
COMMENT ON COLUMN nmsp.dns_record.name IS 'Owner name, with the dot at its end.';
COMMENT ON COLUMN nmsp.dns_record.type IS 'A, AAAA or PTR.';
COMMENT ON COLUMN nmsp.dns_record.ttl IS 'Time to live in seconds.';
COMMENT ON COLUMN nmsp.dns_record.data IS 'Address or name, as zone files write it.';

-- ---------------------------------------------------------------- a target's settings

CREATE OR REPLACE FUNCTION nmsp_feed.bind_cut(network cidr) RETURNS cidr
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN pg_catalog.set_masklen(network, CASE pg_catalog.family(network) WHEN 4 THEN least(pg_catalog.masklen(network), 24) / 8 * 8 ELSE least(pg_catalog.masklen(network), 48) / 4 * 4 END);
COMMENT ON FUNCTION nmsp_feed.bind_cut(cidr) IS 'Feed bind: the network of the reverse zone that holds a whole network: as bind_reverse_zone() cuts it.';

CREATE OR REPLACE FUNCTION nmsp_feed.bind_zone(target bigint) RETURNS TABLE (zone text, network cidr)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    settings jsonb := (SELECT t.settings FROM nmsp_feed.target t WHERE t.id = target);
    wrong text;
BEGIN
    IF settings -> 'zones' IS NULL THEN
        RETURN QUERY SELECT lower(s.domain_name) || '.', NULL::cidr FROM nmsp.setting s;
        RETURN QUERY WITH z AS MATERIALIZED (
                SELECT DISTINCT nmsp_feed.bind_cut(p.network) AS network FROM nmsp.pool p)
            SELECT nmsp_feed.bind_reverse_zone(z.network), z.network FROM z WHERE NOT EXISTS (SELECT FROM z wider WHERE wider.network >> z.network);
        RETURN;
    END IF;
    SELECT v INTO wrong FROM jsonb_array_elements_text(settings -> 'zones') v
     WHERE v !~* '^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?$' LIMIT 1;
    IF FOUND THEN
        PERFORM nmsp.refuse('22023', format('"%s" is not the name of a zone', wrong), format('It stands in the setting zones of target %s.', target),
            'Give zones as ["example.net", "10.in-addr.arpa"].', 'target');
    END IF;
    RETURN QUERY SELECT x.zone, nmsp_feed.bind_network(x.zone)
                   FROM (SELECT DISTINCT rtrim(lower(v), '.') || '.' FROM jsonb_array_elements_text(settings -> 'zones') v) x(zone);
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.bind_zone(bigint) IS
'Feed bind: the zones of a target: its setting zones (array of names), or else the domain and the reverse zones of all pools. network: of a reverse zone.';

CREATE OR REPLACE FUNCTION nmsp_feed.bind_server(target bigint, OUT server text, OUT port int)
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Casts, so that nothing but an address and a number gets into what nsupdate and dig read.
    SELECT host(coalesce((t.settings ->> 'server')::inet, s.provisioning_server)), coalesce((t.settings ->> 'port')::int, 53)
      FROM nmsp_feed.target t, nmsp.setting s WHERE t.id = target;
END;
COMMENT ON FUNCTION nmsp_feed.bind_server(bigint) IS
'Feed bind: where the server of a target listens: its settings server (an address; default: the provisioning server) and port.';

-- ---------------------------------------------------------------- the feed's functions

CREATE OR REPLACE FUNCTION nmsp_feed.bind_keys(target bigint, cause text, ids bigint[], after_part text, after_id bigint, max_rows int)
RETURNS TABLE (part text, id bigint)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    room int := max_rows;
    given int;
    behind bigint;
    p record;
BEGIN
    FOR p IN SELECT x.name, x.relation, x.address
               FROM (VALUES ('cm-a', 'modem', 'address'), ('cm-aaaa', 'modem', 'address6'), ('cm-ptr4', 'modem', 'address'), ('cm-ptr6', 'modem', 'address6'),
                            ('ep-a', 'endpoint', 'address'), ('ep-aaaa', 'endpoint', 'address6'), ('ep-ptr4', 'endpoint', 'address'), ('ep-ptr6', 'endpoint', 'address6'),
                            ('mac-a', 'endpoint', 'address'), ('mac-aaaa', 'endpoint', 'address6'),
                            ('mta-a', 'mta', 'address'), ('mta-aaaa', 'mta', 'address6'), ('mta-ptr4', 'mta', 'address'), ('mta-ptr6', 'mta', 'address6')) x(name, relation, address)
              WHERE (after_part IS NULL OR x.name >= after_part) AND (cause NOT IN ('modem', 'endpoint', 'mta') OR x.relation = cause)
              ORDER BY x.name LOOP
        EXIT WHEN room <= 0;
        behind := CASE WHEN p.name = after_part THEN after_id ELSE -9223372036854775808 END;
        IF cause IN ('modem', 'endpoint', 'mta') THEN
            RETURN QUERY SELECT p.name, u.k FROM (SELECT DISTINCT x.k FROM unnest(ids) x(k)) u WHERE u.k > behind ORDER BY u.k LIMIT room;
        ELSE
            RETURN QUERY EXECUTE format('SELECT $1, x.id FROM nmsp.%I x WHERE x.id > $2 AND x.%I IS NOT NULL ORDER BY x.id LIMIT $3', p.relation, p.address)
                USING p.name, behind, room;
        END IF;
        GET DIAGNOSTICS given = ROW_COUNT;
        room := room - given;
    END LOOP;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.bind_keys(bigint, text, bigint[], text, bigint, int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.bind_keys(bigint, text, bigint[], text, bigint, int) IS
'Feed bind: the record sets a change of a modem, an MTA or an endpoint touches; any other cause touches all.';

CREATE OR REPLACE FUNCTION nmsp_feed.bind_render(target bigint, part text, ids bigint[])
RETURNS TABLE (id bigint, path text, content bytea)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
SET plan_cache_mode TO force_generic_plan
AS $fn$
#variable_conflict use_column
BEGIN
    -- In plpgsql, as is bind_script(): the plans are kept (and
    -- made for any part, else they are made anew for each). Making them took longer than an update of the zone.
    RETURN QUERY
    WITH own AS MATERIALIZED (SELECT t.settings -> 'zones' IS NOT NULL AS zones FROM nmsp_feed.target t WHERE t.id = bind_render.target),
    z AS MATERIALIZED (
        -- the zones without their names, which take longer to make than to ask for one address
        SELECT x.zone, x.network FROM own CROSS JOIN LATERAL nmsp_feed.bind_zone(bind_render.target) x WHERE own.zones
        UNION ALL
        SELECT lower(s.domain_name) || '.', NULL::cidr FROM own, nmsp.setting s WHERE NOT own.zones
        UNION ALL
        SELECT NULL::text, x.network FROM (SELECT DISTINCT nmsp_feed.bind_cut(p.network) FROM own, nmsp.pool p WHERE NOT own.zones) x(network))
    SELECT r.id, r.name || ' ' || r.type, convert_to(r.ttl || ' ' || r.data || E'\n', 'UTF8')
      FROM nmsp_feed.bind_record r
     WHERE r.part = bind_render.part AND r.id = ANY (bind_render.ids)
       AND EXISTS (SELECT FROM z WHERE CASE WHEN r.address IS NOT NULL THEN z.network >>= r.address
                                            ELSE right('.' || r.name, length(z.zone) + 1) = '.' || z.zone END);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.bind_render(bigint, text, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.bind_render(bigint, text, bigint[]) IS
'Feed bind: record sets of one part that lie in zones of the target; path = name and type, content = a line of ttl and data per record.';

CREATE OR REPLACE FUNCTION nmsp_feed.bind_script(target bigint, action text[], path text[], content bytea[])
RETURNS TABLE (name text, script text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
SET plan_cache_mode TO force_generic_plan
AS $fn$
#variable_conflict use_column
BEGIN
    -- One run per zone, so that a message tells which zone it is about; several UPDATE messages in it,
    -- since one has 64 KB. Within a message order counts (RFC 2136 3.4.2): what goes, goes first, and a
    -- record set is replaced in one message, so nobody ever sees it absent.
    RETURN QUERY
    WITH z AS MATERIALIZED (SELECT x.zone FROM nmsp_feed.bind_zone(bind_script.target) x),
    changed AS (
        SELECT u.action, u.n, split_part(u.path, ' ', 1) AS name, split_part(u.path, ' ', 2) AS type, convert_from(u.content, 'UTF8') AS content
          FROM unnest(bind_script.action, bind_script.path, bind_script.content) WITH ORDINALITY u(action, path, content, n)),
    placed AS (
        -- What lies in no zone of the target (any more) is not ours to change.
        SELECT c.*, z.zone FROM changed c
         CROSS JOIN LATERAL (SELECT z.zone FROM z WHERE right('.' || c.name, length(z.zone) + 1) = '.' || z.zone ORDER BY length(z.zone) DESC LIMIT 1) z),
    written AS (
        SELECT p.zone, p.n, p.action,
               CASE p.action WHEN 'probe' THEN ''
                    ELSE concat(format(E'update delete %s %s\n', p.name, p.type),
                                (SELECT string_agg(format(E'update add %s %s %s %s\n', p.name, split_part(l, ' ', 1), p.type, substr(l, strpos(l, ' ') + 1)), '')
                                   FROM string_to_table(p.content, E'\n') l WHERE l <> '')) END AS line
          FROM placed p),
    counted AS (
        SELECT w.*, sum(length(w.line)) OVER (PARTITION BY w.zone ORDER BY w.action = 'drop' DESC, w.n) / 50000 AS message FROM written w),
    message AS (
        SELECT c.zone, c.message,
               format(E'zone %s\n', c.zone)
               || CASE WHEN bool_or(c.action = 'probe') THEN format(E'prereq yxrrset %s SOA\n', c.zone) ELSE '' END
               || string_agg(c.line, '' ORDER BY c.action = 'drop' DESC, c.n) || E'send\n' AS text
          FROM counted c GROUP BY c.zone, c.message)
    SELECT 'zone ' || rtrim(m.zone, '.'), format(E'server %s %s\n', s.server, s.port) || string_agg(m.text, '' ORDER BY m.message)
      FROM message m, nmsp_feed.bind_server(bind_script.target) s GROUP BY m.zone, s.server, s.port ORDER BY m.zone LIKE '%.arpa.', m.zone;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.bind_script(bigint, text[], text[], bytea[]) IS
'Feed bind: changes as nsupdate reads them, one run per zone. A probe is an UPDATE without changes that needs the zone and the key.';

CREATE OR REPLACE FUNCTION nmsp_feed.bind_question(target bigint) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT string_agg(format(E'@%s -p %s %s axfr +noall +answer +time=5 +tries=1\n', s.server, s.port, z.zone), '' ORDER BY z.zone)
      FROM nmsp_feed.bind_zone(target) z, nmsp_feed.bind_server(target) s;
END;
COMMENT ON FUNCTION nmsp_feed.bind_question(bigint) IS 'Feed bind: what dig is asked (dig -f -): a transfer of each zone.';

CREATE OR REPLACE FUNCTION nmsp_feed.bind_seen(target bigint, output text) RETURNS TABLE (path text, content text, owned boolean)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    domain text := (SELECT replace(lower(s.domain_name), '.', '\.') || '\.' FROM nmsp.setting s);
    -- Names that only we make; what else is in these zones is the operator's own.
    ours text := format('^(?:(?:cm|mta)-\d+|[^.]+\.cpe)\.%s$', domain);
    missing text;
BEGIN
    IF output IS NULL THEN
        -- A transfer begins and ends with the SOA record (RFC 5936); dig exits with 0 all the same.
        SELECT z.zone INTO missing FROM nmsp_feed.bind_zone(target) z
         WHERE (SELECT count(*) FROM nmsp_feed.seen s WHERE s.target_id = target AND s.path = z.zone || ' SOA') <> 2
         ORDER BY z.zone LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING errcode = 'data_exception', message = format('zone "%s" could not be read', rtrim(missing, '.')),
                detail = coalesce((SELECT string_agg(DISTINCT s.content, E'\n') FROM nmsp_feed.seen s WHERE s.target_id = target AND s.path = ';'),
                                  'its transfer is not complete');
        END IF;
        RETURN;
    END IF;
    -- Name, ttl, class, type, data; the data of these types has no spaces that matter.
    RETURN QUERY
        SELECT r.name || ' ' || r.type, r.ttl || ' ' || r.data, CASE r.type WHEN 'SOA' THEN false WHEN 'PTR' THEN r.data ~ ours ELSE r.name ~ ours END
          FROM (SELECT lower(f[1]) AS name, f[2] AS ttl, f[4] AS type,
                       CASE f[4] WHEN 'A' THEN f[5] WHEN 'AAAA' THEN host(f[5]::inet) ELSE lower(f[5]) END AS data
                  FROM string_to_table(output, E'\n') line, string_to_array(regexp_replace(line, '\s+', ' ', 'g'), ' ') f
                 WHERE f[3] = 'IN' AND f[4] IN ('A', 'AAAA', 'PTR', 'CNAME', 'SOA') AND line NOT LIKE ';%') r
        UNION ALL
        SELECT ';', line, false FROM string_to_table(output, E'\n') line WHERE line LIKE ';%';
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.bind_seen(bigint, text) IS
'Feed bind: reads what dig prints of zone transfers; null: checks that all zones were transferred. Owned are names that only this feed makes, and PTR records that lead to them.';

-- ---------------------------------------------------------------- what named needs once

CREATE OR REPLACE FUNCTION nmsp_feed.bind_zones(target bigint DEFAULT NULL) RETURNS TABLE (file text, content text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    t nmsp_feed.target;
    folder text;
    key_name text;
    name_server text;
    domain text := (SELECT lower(s.domain_name) || '.' FROM nmsp.setting s);
    server text;
BEGIN
    SELECT * INTO t FROM nmsp_feed.target x WHERE x.feed = 'bind' AND (target IS NULL OR x.id = target) ORDER BY x.id LIMIT 1;
    IF NOT FOUND THEN
        PERFORM nmsp.refuse('23503', CASE WHEN target IS NULL THEN 'there is no target of feed bind' ELSE format('target %s of feed bind does not exist', target) END,
            'The zones are those of a target.', 'INSERT INTO nmsp_feed.target (feed, root, settings) VALUES (''bind'', ''/var/lib/nmsp/bind'', ''{"server": "127.0.0.1"}'');', 'target');
    END IF;
    folder := coalesce(t.settings ->> 'folder', '/var/lib/bind');
    key_name := coalesce(t.settings ->> 'key_name', 'nmsp');
    name_server := coalesce(rtrim(t.settings ->> 'name_server', '.') || '.', 'ns.' || domain);
    server := (nmsp_feed.bind_server(t.id)).server;
    RETURN QUERY SELECT 'named.conf'::text, string_agg(format(
E'zone "%s" {\n    type primary;\n    file "%s/%s.db";\n    update-policy { grant %s zonesub A AAAA CNAME PTR; };\n    allow-transfer { key %s; };\n};\n',
            rtrim(z.zone, '.'), folder, rtrim(z.zone, '.'), key_name, key_name), '' ORDER BY z.network IS NOT NULL, z.network, z.zone)
      FROM nmsp_feed.bind_zone(t.id) z;
    RETURN QUERY SELECT format('%s/%s.db', folder, rtrim(z.zone, '.')),
        format(E'$TTL 3600\n@ IN SOA %s hostmaster.%s 1 3600 900 1209600 300\n@ IN NS %s\n', name_server, domain, name_server)
        || CASE WHEN right('.' || name_server, length(z.zone) + 1) = '.' || z.zone
                THEN format(E'%s IN %s %s\n', name_server, CASE WHEN server LIKE '%:%' THEN 'AAAA' ELSE 'A' END, server) ELSE '' END
      FROM nmsp_feed.bind_zone(t.id) z ORDER BY z.network IS NOT NULL, z.network, z.zone;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.bind_zones(bigint) IS
'Feed bind: what named needs before the feed can keep its zones: the zone statements for named.conf, and for each zone its first file. Settings of the target: folder (/var/lib/bind), key_name (nmsp), name_server (ns.<domain>). Errors: 23503 no such target.';

INSERT INTO nmsp_feed.feed (name, mode, keys_function, render_function, apply_command, apply_function, read_command, read_function, seen_function, session, rank, bulk_rows)
VALUES ('bind', 'record', 'nmsp_feed.bind_keys', 'nmsp_feed.bind_render', 'bind-update', 'nmsp_feed.bind_script', 'bind-read', 'nmsp_feed.bind_question',
        'nmsp_feed.bind_seen',
        -- nsupdate, once told to debug, prints each answer at once
        ARRAY[E'debug\n', 'send', 'Reply from update query:', ';; ->>HEADER<<- opcode: UPDATE, status: NOERROR,', '; '], 30, 4000)
ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, keys_function = excluded.keys_function, render_function = excluded.render_function,
    apply_function = excluded.apply_function, read_function = excluded.read_function, seen_function = excluded.seen_function,
    session = excluded.session;

INSERT INTO nmsp_feed.dependency (feed, relation, columns, causes) VALUES
    ('bind', 'nmsp.modem', '{address,address6}', '{"modem": "id"}'),
    ('bind', 'nmsp.endpoint', '{name,mac,address,address6}', '{"endpoint": "id"}'),
    ('bind', 'nmsp.mta', '{address,address6}', '{"mta": "id"}'),
    ('bind', 'nmsp.pool', '{network}', NULL),
    ('bind', 'nmsp.setting', '{domain_name,dns_ttl}', NULL),
    ('bind', 'nmsp.setting_secret', '{cpe_name_key}', NULL)
ON CONFLICT (feed, relation) DO UPDATE SET columns = excluded.columns, causes = excluded.causes;

PERFORM nmsp_feed.install_triggers();
