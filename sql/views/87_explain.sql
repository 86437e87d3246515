-- Why does this modem not do what it should: the chain from contract to last boot, each link with
-- its state, the first broken one marked, with its cure.

CREATE OR REPLACE FUNCTION nmsp.explain_modem(mac macaddr)
RETURNS TABLE (n int, link text, state text, says text, cure text, first_broken boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER -- it looks whether a file can be made; it shows none
SET search_path TO pg_catalog, pg_temp
SET jit TO off -- it is about one modem: compiling would take longer than running
AS $fn$
DECLARE
    m nmsp.modem;
    g nmsp.netgw;
BEGIN
    SELECT x.* INTO m FROM nmsp.modem x WHERE x.mac = explain_modem.mac;
    SELECT x.* INTO g FROM nmsp.netgw x WHERE x.id = m.netgw_id;
    RETURN QUERY
    SELECT row_number() OVER (ORDER BY l.rank, l.link)::int, l.link, l.state, l.says, CASE WHEN l.state <> 'ok' THEN l.cure END,
           l.state = 'broken' AND NOT coalesce(bool_or(l.state = 'broken') OVER (ORDER BY l.rank, l.link ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false)
      FROM (SELECT x.rank, x.link, x.state, x.says, x.cure FROM nmsp.explain_row(m, mac) x
            UNION ALL
            SELECT x.* FROM nmsp.explain_service(m) x WHERE m.id IS NOT NULL
            UNION ALL
            SELECT x.* FROM nmsp.explain_file(m, g) x WHERE m.id IS NOT NULL
            UNION ALL
            SELECT x.* FROM nmsp.explain_address(m, g) x WHERE m.id IS NOT NULL
            UNION ALL
            SELECT x.* FROM nmsp.explain_feed(m) x WHERE m.id IS NOT NULL
            UNION ALL
            SELECT x.* FROM nmsp.explain_boot(m) x WHERE m.id IS NOT NULL) l
     ORDER BY 1;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.explain_modem(macaddr) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.explain_modem(macaddr) IS
'The chain of a modem: row, contract, service, template, secret, file, network, address, each daemon, feeder, last lease and download. One row per link: state (ok, notice, broken), what it says, the cure where it is not ok; first_broken marks where to begin. Another device''s MAC is explained too.';

CREATE OR REPLACE FUNCTION nmsp.explain_row(m nmsp.modem, mac macaddr, OUT rank int, OUT link text, OUT state text, OUT says text, OUT cure text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    other record;
BEGIN
    rank := 10;
    link := 'row';
    state := 'ok';
    says := format('modem %s%s, behind "%s"', m.id, coalesce(' "' || m.name || '"', ''), (SELECT g.name FROM nmsp.netgw g WHERE g.id = m.netgw_id));
    IF m.id IS NULL THEN
        state := 'broken';
        SELECT t.what, t.modem INTO other FROM (
            SELECT format('MTA %s', a.id) AS what, x.mac AS modem FROM nmsp.mta a JOIN nmsp.modem x ON x.id = a.modem_id WHERE a.mac = explain_row.mac
            UNION ALL
            SELECT format('endpoint "%s"', e.name), x.mac FROM nmsp.endpoint e JOIN nmsp.modem x ON x.id = e.modem_id WHERE e.mac = explain_row.mac) t LIMIT 1;
        IF FOUND THEN
            says := format('%s is no modem but %s, behind modem %s', mac, other.what, other.modem);
            cure := format('SELECT * FROM nmsp.explain_modem(%L);', other.modem);
        ELSE
            says := format('no modem has the address %s: DHCP gives it nothing', mac);
            cure := format('INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES (%L, ...);', mac);
        END IF;
    END IF;
END
$fn$;
COMMENT ON FUNCTION nmsp.explain_row(nmsp.modem, macaddr) IS 'Part of nmsp.explain_modem: whether there is a row.';

CREATE OR REPLACE FUNCTION nmsp.explain_service(m nmsp.modem) RETURNS TABLE (rank int, link text, state text, says text, cure text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN QUERY
    SELECT 20, 'contract',
           CASE WHEN s.code = 'no contract' THEN 'broken' ELSE 'ok' END,
           CASE WHEN NOT s.derived THEN 'serves no contract; its own row decides' WHEN s.contract_id IS NULL THEN
                coalesce((SELECT string_agg(format('contract %s (%s, serves %s)', c.number, c.validity, x.validity), '; ' ORDER BY x.validity) FROM nmsp.contract_modem x
                            JOIN nmsp.contract c ON c.id = x.contract_id WHERE x.modem_id = m.id), '') || ': not today'
                ELSE (SELECT format('contract %s of %s (%s), %s', c.number, k.name, k.number, c.validity) FROM nmsp.contract c JOIN nmsp.customer k ON k.id = c.customer_id
                       WHERE c.id = s.contract_id) END,
           format('Begin or prolong one: UPDATE nmsp.contract SET validity = ...; or INSERT INTO nmsp.contract_modem (modem_id, contract_id, validity) VALUES (%s, ...);', m.id)
      FROM nmsp.modem_service s WHERE s.modem_id = m.id
    UNION ALL
    SELECT 30, 'service', CASE WHEN s.internet THEN 'ok' WHEN s.voice_only AND s.code <> 'blocked' THEN 'notice' WHEN s.code = 'no contract' THEN 'notice' ELSE 'broken' END,
           s.why || CASE WHEN s.internet THEN format('; at most %s CPEs, %s addresses', s.max_cpe, CASE WHEN s.public_cpe THEN 'public' ELSE 'private' END) ELSE '' END,
           CASE s.code WHEN 'blocked' THEN format('End the block: UPDATE nmsp.service_block SET during = tstzrange(lower(during), now()) WHERE %s AND during @> now();',
                                                  CASE WHEN EXISTS (SELECT FROM nmsp.service_block b WHERE b.modem_id = m.id AND b.during @> now())
                                                       THEN 'modem_id = ' || m.id ELSE 'contract_id = ' || s.contract_id END)
                       WHEN 'off' THEN format('UPDATE nmsp.modem SET internet_access = true WHERE id = %s;', m.id)
                       WHEN 'no internet' THEN format('INSERT INTO nmsp.entitlement (contract_id, kind, service_class_id) VALUES (%s, ''internet'', ...);', s.contract_id)
                       ELSE 'See the link before.' END
      FROM nmsp.modem_service s WHERE s.modem_id = m.id;
END
$fn$;
COMMENT ON FUNCTION nmsp.explain_service(nmsp.modem) IS 'Part of nmsp.explain_modem: contract and service.';

CREATE OR REPLACE FUNCTION nmsp.explain_file(m nmsp.modem, g nmsp.netgw) RETURNS TABLE (rank int, link text, state text, says text, cure text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    template text := (SELECT t.name FROM nmsp.template t WHERE t.id = m.template_id);
    has_secret boolean := EXISTS (SELECT FROM nmsp.netgw_secret x WHERE x.netgw_id = g.id AND x.shared_secret IS NOT NULL);
    message text;
    detail text;
    config docsis.config;
BEGIN
    RETURN QUERY SELECT 40, 'secret', CASE WHEN has_secret THEN 'ok' ELSE 'broken' END,
        format(CASE WHEN has_secret THEN '"%s" has a shared secret' ELSE '"%s" has no shared secret: no file of its modems can be sealed' END, g.name),
        format('INSERT INTO nmsp.netgw_secret (netgw_id, shared_secret) VALUES (%s, ''...'');', g.id);
    BEGIN
        config := nmsp.modem_config(m);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    END;
    RETURN QUERY SELECT 50, 'file', CASE WHEN config IS NOT NULL THEN 'ok' WHEN NOT has_secret THEN 'notice' ELSE 'broken' END,
        CASE WHEN config IS NOT NULL THEN format('%s, %s bytes from template "%s"', nmsp.modem_path(m.id, (SELECT x.download_key FROM nmsp.setting_secret x)), length(config::bytea), template)
             ELSE concat_ws(' ', format('template "%s" makes no file for it: %s.', template, message), detail) END,
        CASE WHEN has_secret THEN format('Mend the template, or the value it takes: SELECT source FROM nmsp.template_text WHERE id = %s; SELECT * FROM nmsp.modem_option WHERE modem_id = %s;', m.template_id, m.id)
             ELSE 'See the link before.' END;
    RETURN QUERY SELECT 51, 'lint', 'notice', f.message || coalesce(' (TLV ' || nullif(f.path, '') || ')', ''), 'A modem or CMTS may refuse or ignore this: mend the template.'
      FROM nmsp.lint(config) f WHERE config IS NOT NULL AND f.severity = 'error' LIMIT 3;
END
$fn$;
COMMENT ON FUNCTION nmsp.explain_file(nmsp.modem, nmsp.netgw) IS 'Part of nmsp.explain_modem: secret, template and file.';

CREATE OR REPLACE FUNCTION nmsp.explain_address(m nmsp.modem, g nmsp.netgw) RETURNS TABLE (rank int, link text, state text, says text, cure text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    s nmsp.modem_service;
    cpe_purpose text;
BEGIN
    SELECT x.* INTO s FROM nmsp.modem_service x WHERE x.modem_id = m.id;
    cpe_purpose := CASE WHEN s.public_cpe THEN 'cpe_public' ELSE 'cpe_private' END;
    RETURN QUERY
    SELECT 60, 'address',
           CASE WHEN m.address IS NOT NULL THEN CASE WHEN p.networks IS NULL THEN 'broken' WHEN f.active THEN 'ok' ELSE 'broken' END
                WHEN p.networks IS NULL THEN 'broken' WHEN p.free > 0 THEN 'ok' ELSE 'broken' END,
           CASE WHEN p.networks IS NULL THEN format('"%s" has no active pool for modems', g.name)
                WHEN m.address IS NOT NULL THEN format('fixed address %s%s', host(m.address), CASE WHEN f.active THEN '' ELSE ', whose pool is not active' END)
                WHEN p.free > 0 THEN format('any address of %s', p.networks)
                ELSE format('pools %s have no address that is not fixed for another device', p.networks) END,
           CASE WHEN m.address IS NOT NULL OR p.networks IS NULL THEN format('UPDATE nmsp.pool SET active = true WHERE netgw_id = %s AND purpose = ''cm''; or INSERT one.', g.id)
                ELSE format('Widen a range or add a pool: INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES (%s, ''cm'', ...);', g.id) END
      FROM (SELECT string_agg(x.network::text, ', ' ORDER BY x.network) AS networks,
                   sum(CASE WHEN x.range_start IS NULL THEN 0 ELSE x.range_end - x.range_start + 1 - (SELECT count(*) FROM nmsp.used_address(x.range_start, x.range_end)) END) AS free
              FROM nmsp.pool x WHERE x.netgw_id = g.id AND x.purpose = 'cm' AND x.active AND family(x.network) = 4) p
      LEFT JOIN nmsp.pool f ON f.network >>= m.address
    UNION ALL
    SELECT 70, 'CPE network', CASE WHEN NOT s.internet THEN 'ok' WHEN EXISTS (SELECT FROM nmsp.pool x WHERE x.netgw_id = g.id AND x.purpose = cpe_purpose AND x.active)
                                   THEN 'ok' ELSE 'broken' END,
           CASE WHEN NOT s.internet THEN 'CPEs get no address' ELSE coalesce('CPEs get addresses of ' ||
                (SELECT string_agg(x.network::text, ', ' ORDER BY x.network) FROM nmsp.pool x WHERE x.netgw_id = g.id AND x.purpose = cpe_purpose AND x.active),
                format('"%s" has no active %s pool for its CPEs', g.name, cpe_purpose)) END,
           format('INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES (%s, %L, ...);', g.id, cpe_purpose);
END
$fn$;
COMMENT ON FUNCTION nmsp.explain_address(nmsp.modem, nmsp.netgw) IS 'Part of nmsp.explain_modem: its address and those of its CPEs.';

CREATE OR REPLACE FUNCTION nmsp.explain_feed(m nmsp.modem) RETURNS TABLE (rank int, link text, state text, says text, cure text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN QUERY
    SELECT 80, 'feeder', CASE WHEN w.n > 0 THEN 'ok' ELSE 'broken' END,
           CASE WHEN w.n > 0 THEN 'the feeder of this database runs' ELSE 'no feeder runs for this database: daemons are not fed' END,
           format('Put into postgresql.conf: shared_preload_libraries = ''nmsp'' and nmsp.databases = %L, and restart the server.', current_database())
      FROM (SELECT count(*) AS n FROM nmsp.worker_status s WHERE s.database = current_database() AND s.pid IS NOT NULL) w
     WHERE EXISTS (SELECT FROM nmsp_feed.target t WHERE t.enabled AND t.settings ->> 'agent' IS NULL)
    UNION ALL
    SELECT 90, format('%s "%s"', s.feed, s.name),
           CASE WHEN a.error IS NOT NULL OR s.state = 'failed' OR NOT s.enabled THEN 'broken' WHEN s.state = 'in step' THEN 'ok' ELSE 'notice' END,
           CASE WHEN NOT s.enabled THEN 'switched off' WHEN a.error IS NOT NULL THEN format('%s is held back: %s', coalesce(a.path, 'its artifact'), a.error)
                WHEN s.state = 'failed' THEN s.error ELSE s.state || CASE WHEN s.queue > 0 THEN format(', %s changes waiting', s.queue) ELSE '' END END,
           CASE WHEN NOT s.enabled THEN format('UPDATE nmsp_feed.target SET enabled = true WHERE id = %s;', s.target_id)
                WHEN a.error IS NOT NULL THEN 'Mend the rows the message speaks of; the last good state stays in service until then.'
                WHEN s.state = 'failed' THEN 'The last good state stays in service. What the message says must be mended; then it goes on by itself.'
                ELSE 'Wait: SELECT * FROM nmsp_feed.progress.' END
      FROM nmsp_feed.status s
      LEFT JOIN LATERAL (SELECT x.path, x.error FROM nmsp_feed.artifact x
                          WHERE x.target_id = s.target_id AND x.error IS NOT NULL
                            AND (x.part, x.id) IN (('cm', m.id), ('netgw', m.netgw_id), ('device', m.id % nmsp_feed.dhcpd_shards())) LIMIT 1) a ON true
     WHERE s.feed IN ('tftpd', 'dhcpd', 'kea4', 'kea6', 'bind');
END
$fn$;
COMMENT ON FUNCTION nmsp.explain_feed(nmsp.modem) IS 'Part of nmsp.explain_modem: the feeder and each daemon''s state.';

CREATE OR REPLACE FUNCTION nmsp.explain_boot(m nmsp.modem) RETURNS TABLE (rank int, link text, state text, says text, cure text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN QUERY
    SELECT 100, 'lease', CASE WHEN l.ends > now() AND l.state = 'active' THEN 'ok' ELSE 'notice' END,
           CASE WHEN l.address IS NULL THEN 'no DHCP server has told of a lease' WHEN l.state = 'active' AND l.ends > now()
                THEN format('%s since %s, until %s (%s)', host(l.address), l.since, l.ends, l.daemon)
                ELSE format('had %s until %s', host(l.address), l.ends) END,
           'Has it power and signal? Does the CMTS relay DHCP to here? Is its pool what the CMTS has (nmsp.diff_config)?'
      FROM (SELECT 1) one LEFT JOIN LATERAL (SELECT x.* FROM nmsp.lease x WHERE x.mac = m.mac ORDER BY x.starts DESC LIMIT 1) l ON true
     WHERE EXISTS (SELECT FROM nmsp.lease);
    RETURN QUERY
    SELECT 110, 'download', CASE WHEN r.at > coalesce(s.served_at, '-infinity') THEN 'broken' WHEN s.state = 'outdated' THEN 'broken' WHEN s.seen_elsewhere THEN 'notice'
                                 WHEN s.state = 'current' THEN 'ok' ELSE 'notice' END,
           CASE WHEN r.at > coalesce(s.served_at, '-infinity') THEN format('refused %s to %s: %s', r.at, host(r.source), r.note)
                WHEN s.state = 'outdated' THEN format('it runs a file of %s; another one is due', s.served_at)
                WHEN s.seen_elsewhere THEN format('it boots through "%s", its row says "%s"', (SELECT g.name FROM nmsp.netgw g WHERE g.id = s.seen_netgw_id),
                                                  (SELECT g.name FROM nmsp.netgw g WHERE g.id = s.netgw_id))
                WHEN s.state = 'current' THEN format('it has the file that is due, since %s', s.served_at)
                WHEN s.state = 'broken' THEN 'there is no file to download'
                ELSE 'it has downloaded nothing from the download service' END,
           CASE WHEN r.at > coalesce(s.served_at, '-infinity') THEN 'Another device has that address, or nmsp.setting.download_check is too strict: SELECT * FROM nmsp.download WHERE modem_id = ' || m.id || ' ORDER BY at DESC LIMIT 5;'
                WHEN s.state = 'outdated' THEN 'Reset the modem: it takes its file when it boots.'
                WHEN s.seen_elsewhere THEN format('UPDATE nmsp.modem SET netgw_id = %s WHERE id = %s;', s.seen_netgw_id, m.id)
                ELSE 'Has it power and signal? Does the CMTS relay DHCP to here (nmsp.netgw_config)? tftpd-hpa leaves no rows here.' END
      FROM nmsp.modem_status s
      LEFT JOIN LATERAL (SELECT d.at, d.source, d.note FROM nmsp.download d WHERE d.modem_id = m.id AND d.result IN ('refused', 'failed') ORDER BY d.at DESC LIMIT 1) r ON true
     WHERE s.modem_id = m.id;
END
$fn$;
COMMENT ON FUNCTION nmsp.explain_boot(nmsp.modem) IS 'Part of nmsp.explain_modem: its last lease and download.';
