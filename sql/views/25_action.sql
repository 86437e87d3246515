-- Actions: asking for them, giving them out to agents, their results, resets by policy.

CREATE OR REPLACE FUNCTION nmsp.request_resets(modem_ids bigint[], reason text DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    n int;
BEGIN
    INSERT INTO nmsp.action (kind, modem_id, mac, netgw_id, reason)
    SELECT 'reset_modem', m.id, m.mac, coalesce(d.netgw_id, m.netgw_id), request_resets.reason
      FROM nmsp.modem m LEFT JOIN nmsp.modem_download d ON d.modem_id = m.id WHERE m.id = ANY (modem_ids) ORDER BY m.id
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.request_resets(bigint[], text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.request_resets(bigint[], text) IS 'Asks for resets of these modems; one that waits already is not asked for twice. Returns how many are new.';

CREATE OR REPLACE FUNCTION nmsp.request_reset(mac macaddr, reason text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    modem CONSTANT bigint := (SELECT m.id FROM nmsp.modem m WHERE m.mac = request_reset.mac);
BEGIN
    IF modem IS NULL THEN
        PERFORM nmsp.refuse('42704', format('modem %s does not exist', coalesce(mac::text, 'null')), 'There is no modem with this hardware address.',
            'SELECT mac, name FROM nmsp.modem lists those that exist.', 'modem');
    END IF;
    PERFORM nmsp.request_resets(ARRAY[modem], reason);
    RETURN (SELECT max(a.id) FROM nmsp.action a WHERE a.modem_id = modem AND a.kind = 'reset_modem');
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.request_reset(macaddr, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.request_reset(macaddr, text) IS 'Asks for a reset of a modem; returns the row of nmsp.action (that which waits already, if one does). Errors: 42704 no such modem.';

CREATE OR REPLACE FUNCTION nmsp.request_disconnect(username text, reason text DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    n int;
BEGIN
    INSERT INTO nmsp.action (kind, username, session_key, netgw_id, reason)
    SELECT 'disconnect_session', s.username, s.unique_id, g.id, request_disconnect.reason
      FROM nmsp_radius.session s LEFT JOIN nmsp.netgw g ON g.address = s.nas_address
     WHERE s.username = request_disconnect.username AND s.stopped_at IS NULL ORDER BY s.started_at
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.request_disconnect(text, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.request_disconnect(text, text) IS 'Asks for the end of all open sessions of a subscriber (RFC 5176); returns their number.';

CREATE OR REPLACE FUNCTION nmsp.cancel_action(action_id bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    UPDATE nmsp.action a SET state = 'cancelled', finished_at = now() WHERE a.id = action_id AND a.state = 'waiting';
    RETURN FOUND;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.cancel_action(bigint) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.cancel_action(bigint) IS 'Takes back what waits; false: it does not wait any more.';

-- ---- how a thing is done

CREATE OR REPLACE FUNCTION nmsp.snmp_target(address inet) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE family(address) WHEN 4 THEN 'udp:' || host(address) || ':161' ELSE 'udp6:[' || host(address) || ']:161' END;
COMMENT ON FUNCTION nmsp.snmp_target(inet) IS 'An address as net-snmp''s programs take it.';

CREATE OR REPLACE FUNCTION nmsp.mac_oid(mac macaddr) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.string_agg(get_byte(b, n)::text, '.' ORDER BY n) FROM decode(pg_catalog.replace(mac::text, ':', ''), 'hex') b, generate_series(0, 5) n;
END;
COMMENT ON FUNCTION nmsp.mac_oid(macaddr) IS 'A hardware address as the index of an SNMP table: six numbers with points.';

CREATE OR REPLACE FUNCTION nmsp.action_way(a nmsp.action, OUT method text, OUT address inet, OUT program text, OUT arguments text[], OUT secret text, OUT input text, OUT problem text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    g nmsp.netgw;
    r nmsp.reset_method;
    community text;
BEGIN
    SELECT x.* INTO g FROM nmsp.netgw x WHERE x.id = a.netgw_id;
    IF a.kind = 'disconnect_session' THEN
        method := 'radius';
        program := 'radclient';
        address := g.address;
        SELECT x.radius_secret INTO secret FROM nmsp.netgw_secret x WHERE x.netgw_id = g.id;
        SELECT s.disconnect_request INTO input FROM nmsp_radius.open_session s JOIN nmsp_radius.session o ON o.username = s.username AND o.started_at = s.started_at
         WHERE o.unique_id = a.session_key AND o.stopped_at IS NULL AND s.disconnect_request LIKE '%' || nmsp_radius.quote(o.session_id) || '%' LIMIT 1;
        problem := CASE WHEN g.id IS NULL THEN 'its gateway is not known' WHEN g.coa_port IS NULL THEN format('gateway "%s" takes no Disconnect requests (coa_port)', g.name)
                        WHEN secret IS NULL THEN format('gateway "%s" has no RADIUS secret', g.name) WHEN input IS NULL THEN 'the session has ended' END;
        arguments := ARRAY[CASE family(address) WHEN 4 THEN host(address) ELSE '[' || host(address) || ']' END || ':' || g.coa_port, 'disconnect'];
        RETURN;
    END IF;
    program := 'snmpset';
    IF NOT EXISTS (SELECT FROM nmsp.modem m WHERE m.id = a.modem_id AND m.mac = a.mac) THEN
        problem := 'the modem is not there any more';
        RETURN;
    END IF;
    SELECT x.snmp_write_community INTO community FROM nmsp.netgw_secret x WHERE x.netgw_id = g.id;
    SELECT x.* INTO r FROM nmsp.reset_method x WHERE starts_with(lower(g.vendor), x.vendor) ORDER BY length(x.vendor) DESC LIMIT 1;
    IF g.reset_by IS DISTINCT FROM 'modem' AND r.vendor IS NOT NULL AND g.address IS NOT NULL AND community IS NOT NULL THEN
        method := 'cmts';
        address := g.address;
        secret := community;
        arguments := ARRAY[nmsp.snmp_target(address), replace(r.oid, '{mac}', nmsp.mac_oid(a.mac)), r.type, replace(r.value, '{hex}', replace(a.mac::text, ':', ''))];
        RETURN;
    END IF;
    method := 'modem';
    IF g.reset_by = 'cmts' THEN
        problem := format('gateway "%s" has %s', g.name, CASE WHEN r.vendor IS NULL THEN format('a vendor that nmsp.reset_method does not know (%s)', coalesce(g.vendor, 'null'))
                                                             WHEN g.address IS NULL THEN 'no address' ELSE 'no SNMP community for writing' END);
        RETURN;
    END IF;
    SELECT coalesce(m.address, d.source, m.address6) INTO address FROM nmsp.modem m LEFT JOIN nmsp.modem_download d ON d.modem_id = m.id WHERE m.id = a.modem_id;
    SELECT x.rw_community INTO secret FROM nmsp.setting_secret x;
    IF address IS NULL THEN
        problem := 'the modem''s address is not known: it has no fixed one and has downloaded nothing';
    END IF;
    arguments := ARRAY[nmsp.snmp_target(address), '1.3.6.1.2.1.69.1.1.3.0', 'i', '1'];
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.action_way(nmsp.action) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.action_way(nmsp.action) IS
'How an action is done now: program (a name in the agent''s command file), its arguments, the secret and the input it gets; problem: why it cannot be done.';

CREATE OR REPLACE FUNCTION nmsp.claim_actions(agent text, room int) RETURNS TABLE (id bigint, program text, arguments text[], secret text, input text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    -- One at a time: the limits count what all agents have taken.
    PERFORM pg_advisory_xact_lock(hashtext('nmsp.claim_actions'));
    UPDATE nmsp.action a SET state = 'expired', finished_at = now() WHERE a.state = 'waiting' AND a.expires_at <= now();
    RETURN QUERY
    WITH used AS (
        SELECT a.netgw_id, count(*) AS n FROM nmsp.action a WHERE a.claimed_at > now() - interval '1 minute' GROUP BY a.netgw_id),
    turn AS (
        SELECT a.id, a.netgw_id, row_number() OVER (PARTITION BY a.netgw_id ORDER BY a.id) AS nth FROM nmsp.action a WHERE a.state = 'waiting'),
    chosen AS (
        SELECT t.id FROM turn t CROSS JOIN nmsp.setting s LEFT JOIN nmsp.netgw g ON g.id = t.netgw_id LEFT JOIN used u ON u.netgw_id IS NOT DISTINCT FROM t.netgw_id
         WHERE t.nth + coalesce(u.n, 0) <= coalesce(g.action_rate, s.action_rate) ORDER BY t.nth, t.id LIMIT greatest(room, 0)),
    locked AS (
        SELECT a.id AS action_id, w.* FROM nmsp.action a CROSS JOIN LATERAL nmsp.action_way(a) w
         WHERE a.id IN (SELECT c.id FROM chosen c) AND a.state = 'waiting' FOR UPDATE OF a SKIP LOCKED),
    taken AS (
        UPDATE nmsp.action a SET state = CASE WHEN l.problem IS NULL THEN 'running' ELSE 'failed' END, method = l.method, address = l.address, agent = claim_actions.agent,
               claimed_at = clock_timestamp(), finished_at = CASE WHEN l.problem IS NOT NULL THEN clock_timestamp() END, message = l.problem
          FROM locked l WHERE a.id = l.action_id RETURNING a.id, l.program, l.arguments, l.secret, l.input, l.problem)
    SELECT t.id, t.program, t.arguments, t.secret, t.input FROM taken t WHERE t.problem IS NULL ORDER BY t.id;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.claim_actions(text, int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.claim_actions(text, int) IS
'For nmsp-agent -a: takes up to room actions that wait, in turn over the gateways and within their limits per minute. They are running from the commit on and are given out once; secrets are among the answer.';

CREATE OR REPLACE FUNCTION nmsp.finish_actions(agent text, id bigint[], done boolean[], message text[], latency_ms real[]) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE nmsp.action a SET state = CASE WHEN r.done THEN 'done' ELSE 'failed' END, finished_at = clock_timestamp(), message = pg_catalog.left(r.message, 1000), latency_ms = r.latency_ms
      FROM unnest(finish_actions.id, finish_actions.done, finish_actions.message, finish_actions.latency_ms) r(id, done, message, latency_ms)
     WHERE a.id = r.id AND a.agent = finish_actions.agent AND a.state IN ('running', 'unknown');
END;
REVOKE ALL ON FUNCTION nmsp.finish_actions(text, bigint[], boolean[], text[], real[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.finish_actions(text, bigint[], boolean[], text[], real[]) IS 'For nmsp-agent -a: stores results, arrays of equal length.';

CREATE OR REPLACE FUNCTION nmsp.begin_actions(agent text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    n int;
BEGIN
    UPDATE nmsp.action a SET state = 'unknown', finished_at = now(), message = 'the agent ended amid it'
     WHERE a.state = 'running' AND (a.agent = begin_actions.agent OR a.claimed_at < now() - interval '1 hour');
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.begin_actions(text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.begin_actions(text) IS
'For nmsp-agent -a when it starts: what an agent of this name had taken and never finished becomes unknown, as does what any agent took more than an hour ago. Nothing of it is repeated. Returns their number.';

CREATE OR REPLACE FUNCTION nmsp.reset_changed_modems(room int DEFAULT 500) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    ids bigint[];
    changed bigint[];
    last bigint;
BEGIN
    -- whoever comes while another one is at it has nothing to do
    SELECT w.after_id INTO last FROM nmsp.reset_walk w FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR NOT EXISTS (SELECT FROM nmsp.netgw g, nmsp.setting s WHERE coalesce(g.reset_changed, s.reset_changed)) THEN
        RETURN 0;
    END IF;
    SELECT array_agg(x.id), coalesce(max(x.id) FILTER (WHERE x.n = room), 0) INTO ids, last
      FROM (SELECT d.modem_id AS id, row_number() OVER (ORDER BY d.modem_id) AS n FROM nmsp.modem_download d
             WHERE d.modem_id > last ORDER BY d.modem_id LIMIT room) x;
    UPDATE nmsp.reset_walk w SET after_id = last;
    SELECT array_agg(m.modem_id) INTO changed
      FROM nmsp.modem_status m CROSS JOIN nmsp.setting s JOIN nmsp.netgw g ON g.id = coalesce(m.seen_netgw_id, m.netgw_id)
     WHERE m.modem_id = ANY (ids) AND m.state = 'outdated' AND coalesce(g.reset_changed, s.reset_changed)
       -- one that did not help is not repeated every minute
       AND NOT EXISTS (SELECT FROM nmsp.action a WHERE a.modem_id = m.modem_id AND a.kind = 'reset_modem' AND a.requested_at > now() - interval '1 hour' AND a.requested_at > m.served_at);
    RETURN nmsp.request_resets(changed, 'its configfile has changed');
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.reset_changed_modems(int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.reset_changed_modems(int) IS
'Asks for resets of modems whose configfile has changed since they loaded it, where nmsp.netgw.reset_changed or nmsp.setting.reset_changed says so. Looks at the next so many modems, and begins anew behind the last; nmsp-agent -a calls it every few seconds. Returns how many resets it asked for.';

CREATE OR REPLACE FUNCTION nmsp.keep_actions(now timestamptz DEFAULT pg_catalog.now()) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    n bigint;
BEGIN
    DELETE FROM nmsp.action a USING nmsp.setting s WHERE a.state NOT IN ('waiting', 'running') AND a.finished_at < keep_actions.now - s.action_retention;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.keep_actions(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.keep_actions(timestamptz) IS 'Deletes finished actions older than nmsp.setting.action_retention; nmsp-agent -a calls it hourly.';

DROP VIEW IF EXISTS nmsp.action_status;
CREATE VIEW nmsp.action_status AS
SELECT a.netgw_id, g.name AS netgw, coalesce(g.action_rate, s.action_rate) AS per_minute, count(*) FILTER (WHERE a.state = 'waiting') AS waiting,
       count(*) FILTER (WHERE a.state = 'running') AS running, count(*) FILTER (WHERE a.claimed_at > now() - interval '1 minute') AS last_minute,
       count(*) FILTER (WHERE a.state = 'done' AND a.finished_at > now() - interval '1 day') AS done, count(*) FILTER (WHERE a.state IN ('failed', 'unknown') AND a.finished_at > now() - interval '1 day') AS failed,
       avg(a.latency_ms) FILTER (WHERE a.state = 'done' AND a.finished_at > now() - interval '1 day') AS latency_ms
  FROM nmsp.action a CROSS JOIN nmsp.setting s LEFT JOIN nmsp.netgw g ON g.id = a.netgw_id GROUP BY a.netgw_id, g.name, g.action_rate, s.action_rate;
COMMENT ON VIEW nmsp.action_status IS 'Actions by gateway: what waits, and how the last day went.';
COMMENT ON COLUMN nmsp.action_status.netgw_id IS 'The gateway; null: not known.';
COMMENT ON COLUMN nmsp.action_status.netgw IS 'Its name.';
COMMENT ON COLUMN nmsp.action_status.per_minute IS 'Its limit.';
COMMENT ON COLUMN nmsp.action_status.waiting IS 'Actions that wait.';
COMMENT ON COLUMN nmsp.action_status.running IS 'Actions under way.';
COMMENT ON COLUMN nmsp.action_status.last_minute IS 'Actions begun within the last minute.';
COMMENT ON COLUMN nmsp.action_status.done IS 'Done within the last day.';
COMMENT ON COLUMN nmsp.action_status.failed IS 'Failed, or not known to have been done, within the last day.';
COMMENT ON COLUMN nmsp.action_status.latency_ms IS 'Mean latency of those that were done.';
