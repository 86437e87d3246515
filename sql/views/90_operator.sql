-- What an operator calls first: rights and health.

-- Whoever may pull may make the feeder write files; nobody but the owner, unless granted. Here,
-- behind all feeds, so that the functions of each are meant.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA nmsp_feed FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA nmsp_radius FROM PUBLIC;

CREATE OR REPLACE PROCEDURE nmsp.grant_to(grantee regrole, level text)
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    relation record;
    secret CONSTANT text[] := ARRAY['setting_secret', 'netgw_secret', 'ppp_account_secret', 'phone_number_secret', 'radcheck', 'nas'];
    writable CONSTANT text[] := ARRAY['setting', 'netgw', 'pool', 'service_class', 'template', 'modem', 'modem_option', 'endpoint', 'mib_object', 'netgw_format', 'customer', 'contract', 'entitlement', 'contract_modem', 'service_block',
                                      'ppp_account', 'attribute', 'voice_setting', 'dial_plan', 'mta', 'phone_number', 'firmware_image', 'firmware_rule', 'firmware_campaign', 'reset_method', 'carrier_code', 'ekp_code', 'trc_class'];
BEGIN
    IF level NOT IN ('reader', 'operator', 'admin', 'worker', 'agent', 'action', 'kea', 'radius', 'edge') THEN
        RAISE EXCEPTION USING errcode = 'invalid_parameter_value', message = format('unknown level "%s"', level),
            detail = 'Levels are reader (sees everything but secrets), operator (changes the model and sees files), admin (secrets and targets too), worker (what the feeder needs), agent (what nmsp-agent asks, nothing else), action (what nmsp-agent -a asks, secrets for SNMP and RADIUS among it), kea (the views that Kea reads), radius (the views that FreeRADIUS reads and writes), edge (the tables that an edge copies, or the centre from an edge).',
            hint = format('CALL nmsp.grant_to(%L, ''operator'');', grantee);
    END IF;
    IF level = 'agent' THEN
        EXECUTE format('GRANT USAGE ON SCHEMA nmsp TO %s', grantee);
        EXECUTE format('GRANT EXECUTE ON FUNCTION nmsp.report_agent(text, text, text, text[], integer, interval), nmsp.download_batch(text[], inet[], timestamptz), nmsp.keep_downloads(timestamptz),
            nmsp.record_downloads(text, timestamptz[], inet[], text[], text[], bigint[], bigint[], text[], int[], real[], bytea[], bytea[]),
            nmsp.record_leases(text, text, inet[], int[], macaddr[], bytea[], text[], text[], timestamptz[], timestamptz[], text[]),
            nmsp.lookup_host(macaddr), nmsp.lookup_class(macaddr, text) TO %s', grantee);
        RETURN;
    END IF;
    IF level = 'action' THEN
        EXECUTE format('GRANT USAGE ON SCHEMA nmsp TO %s', grantee);
        EXECUTE format('GRANT EXECUTE ON FUNCTION nmsp.begin_actions(text), nmsp.claim_actions(text, int), nmsp.finish_actions(text, bigint[], boolean[], text[], real[]),
            nmsp.advance_campaigns(timestamptz), nmsp.reset_changed_modems(int), nmsp.keep_actions(timestamptz) TO %s', grantee);
        RETURN;
    END IF;
    IF level = 'kea' THEN
        CALL nmsp_kea.grant_to(grantee);
        RETURN;
    END IF;
    IF level = 'radius' THEN
        CALL nmsp_radius.grant_to(grantee);
        RETURN;
    END IF;
    IF level = 'edge' THEN
        CALL nmsp_feed.grant_edge(grantee);
        RETURN;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA nmsp, nmsp_feed, nmsp_kea, nmsp_radius TO %s', grantee);
    FOR relation IN SELECT c.oid::regclass AS name, c.relname, c.relkind, n.nspname
                      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE n.nspname IN ('nmsp', 'nmsp_feed', 'nmsp_kea', 'nmsp_radius') AND c.relkind IN ('r', 'v', 'p') AND NOT c.relispartition LOOP
        CONTINUE WHEN level = 'worker' AND (relation.nspname = 'nmsp_radius' OR relation.relname = 'ppp_account_secret');
        CONTINUE WHEN relation.relname = ANY (secret) AND level NOT IN ('admin', 'worker');
        CONTINUE WHEN relation.relname IN ('modem_file', 'mta_file') AND level = 'reader';
        EXECUTE format('GRANT SELECT ON %s TO %s', relation.name, grantee);
        IF (level IN ('operator', 'admin') AND relation.nspname IN ('nmsp', 'nmsp_radius') AND relation.relname = ANY (writable))
           OR (level = 'admin' AND relation.relname = ANY (secret) AND relation.relkind = 'r')
           OR (level = 'worker' AND relation.nspname = 'nmsp_feed' AND relation.relkind = 'r') THEN
            EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %s TO %s', relation.name, grantee);
        END IF;
        IF level = 'admin' AND relation.nspname = 'nmsp_feed' AND relation.relname = 'target' THEN
            EXECUTE format('GRANT INSERT (feed, name, root, enabled, settings), UPDATE (name, root, enabled, settings), DELETE ON %s TO %s', relation.name, grantee);
        END IF;
    END LOOP;
    EXECUTE format('GRANT EXECUTE ON FUNCTION nmsp.health(), nmsp.cpe_class(bigint, boolean, boolean), nmsp.contract_service(bigint), nmsp_feed.boundary(timestamptz, timestamptz),
        nmsp.modem_due(nmsp.modem, bigint), nmsp.mta_due(nmsp.mta), nmsp_radius.fill(text, nmsp.service_class, numeric, numeric),
        nmsp_radius.quote(text) TO %s', grantee);
    IF level IN ('operator', 'admin') THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION nmsp.modem_config(bigint), nmsp.modem_config(record), nmsp.mta_config(bigint), nmsp.mta_config(nmsp.mta), nmsp.allocate_address(bigint), nmsp.load_templates(text, boolean),
            nmsp.explain_modem(macaddr), nmsp.who_had(inet, timestamptz), nmsp.adopt_modem(macaddr, bigint, bigint, text), nmsp.preview(text, int), nmsp.preview_rows(regclass, jsonb, int), nmsp.previewed_device(), nmsp_kea.time_offset(text),
            nmsp_kea.address_list(inet[], int), nmsp.address_list(inet[], int) TO %s', grantee);
        EXECUTE format('GRANT EXECUTE ON FUNCTION nmsp.report_version(macaddr, text, text, text, timestamptz, text, text),
            nmsp.report_versions(macaddr[], text[], text[], text[], timestamptz[], text[], text[]), nmsp.start_campaign(bigint, timestamptz), nmsp.pause_campaign(bigint, text),
            nmsp.abort_campaign(bigint, text), nmsp.resume_campaign(bigint, boolean, timestamptz), nmsp.advance_campaigns(timestamptz),
            nmsp.request_reset(macaddr, text), nmsp.request_resets(bigint[], text), nmsp.request_disconnect(text, text), nmsp.cancel_action(bigint) TO %s', grantee);
        -- Who sets a password need not see those that are set.
        EXECUTE format('GRANT SELECT (ppp_account_id), INSERT, UPDATE (password), DELETE ON nmsp.ppp_account_secret TO %s', grantee);
        EXECUTE format('GRANT SELECT (phone_number_id), INSERT, UPDATE (password), DELETE ON nmsp.phone_number_secret TO %s', grantee);
    END IF;
    IF level = 'admin' THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION nmsp_feed.reconcile(bigint, boolean), nmsp_radius.maintain(int), nmsp_radius.config(text, cidr[]),
            nmsp.netgw_config(bigint), nmsp.diff_config(bigint, text), nmsp.netgw_line(bigint), nmsp.netgw_subject(bigint) TO %s', grantee);
    END IF;
    IF level = 'worker' THEN
        EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA nmsp, nmsp_feed TO %s', grantee);
        EXECUTE format('GRANT pg_read_all_settings TO %s', grantee);
    END IF;
END
$fn$;
REVOKE ALL ON PROCEDURE nmsp.grant_to(regrole, text) FROM PUBLIC;
COMMENT ON PROCEDURE nmsp.grant_to(regrole, text) IS
'Gives a role the rights of a level: reader, operator, admin, worker, agent, action, kea, radius or edge (kea and radius also set the role''s search_path and planner settings in this database). Errors: 22023 unknown level.';

CREATE OR REPLACE FUNCTION nmsp.health()
RETURNS TABLE (component text, state text, message text, hint text)
LANGUAGE plpgsql STABLE SECURITY DEFINER -- it looks whether gateways have secrets, not at them
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN QUERY SELECT 'schema'::text, CASE WHEN nmsp.schema_version() < nmsp.code_version() THEN 'error' ELSE 'ok' END,
        format('schema version %s, code version %s', nmsp.schema_version(), nmsp.code_version()),
        CASE WHEN nmsp.schema_version() < nmsp.code_version() THEN 'SELECT nmsp.migrate();' END;
    IF EXISTS (SELECT FROM nmsp_feed.target t WHERE t.enabled AND coalesce(t.settings ->> 'agent', '') = '') THEN
        RETURN QUERY SELECT 'feeder'::text, CASE WHEN w.n > 0 THEN 'ok' ELSE 'error' END,
            CASE WHEN w.n > 0 THEN 'the feeder of this database runs' ELSE 'no feeder runs for this database' END,
            CASE WHEN w.n = 0 THEN format('Put into postgresql.conf: shared_preload_libraries = ''nmsp'' and nmsp.databases = %L, and restart the server.', current_database()) END
          FROM (SELECT count(*) AS n FROM nmsp.worker_status s WHERE s.worker = 'feeder' AND s.database = current_database() AND s.pid IS NOT NULL) w;
    END IF;
    RETURN QUERY SELECT format('feed %s "%s"', s.feed, s.name), CASE WHEN s.error IS NULL THEN 'ok' ELSE 'error' END,
        coalesce(s.error, format('%s artifacts in place, %s changes waiting', s.artifacts, s.queue)),
        CASE WHEN s.error IS NOT NULL THEN 'The last good state stays in service. Mend the rows the message speaks of; SELECT * FROM nmsp_feed.quarantine shows which.' END
      FROM nmsp_feed.status s WHERE s.enabled;
    RETURN QUERY SELECT a.* FROM nmsp_feed.agent_health() a;
    RETURN QUERY SELECT e.* FROM nmsp_feed.edge_health() e;
    RETURN QUERY SELECT 'netgw'::text, 'warning'::text, format('"%s" has modems but no shared secret', g.name),
        format('INSERT INTO nmsp.netgw_secret (netgw_id, shared_secret) VALUES (%s, ''...'');', g.id)
      FROM nmsp.netgw g
     WHERE EXISTS (SELECT FROM nmsp.modem m WHERE m.netgw_id = g.id)
       AND NOT EXISTS (SELECT FROM nmsp.netgw_secret x WHERE x.netgw_id = g.id AND x.shared_secret IS NOT NULL);
    RETURN QUERY SELECT 'voice'::text, 'warning'::text, format('"%s" has MTAs but no active pool for them', g.name),
        format('INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES (%s, ''mta'', ...);', g.id)
      FROM nmsp.netgw g
     WHERE EXISTS (SELECT FROM nmsp.mta t JOIN nmsp.modem m ON m.id = t.modem_id WHERE m.netgw_id = g.id)
       AND NOT EXISTS (SELECT FROM nmsp.pool p WHERE p.netgw_id = g.id AND p.purpose = 'mta' AND p.active);
    -- Two transactions at a time may each enter one: neither sees the other's row.
    RETURN QUERY SELECT 'voice'::text, 'error'::text, format('MTA %s has the hardware address of another device, %s', t.id, t.mac),
        format('Correct one of them, or delete it: DELETE FROM nmsp.mta WHERE id = %s;', t.id)
      FROM nmsp.mta t
     WHERE EXISTS (SELECT FROM nmsp.modem m WHERE m.mac = t.mac) OR EXISTS (SELECT FROM nmsp.endpoint e WHERE e.mac = t.mac);
    RETURN QUERY SELECT 'radius'::text, 'warning'::text, format('"%s" has PPP accounts but is no RADIUS client', g.name),
        format('UPDATE nmsp.netgw SET address = ... WHERE id = %s; INSERT INTO nmsp.netgw_secret (netgw_id, radius_secret) VALUES (%1$s, ''...'');', g.id)
      FROM nmsp.netgw g
     WHERE EXISTS (SELECT FROM nmsp.ppp_account a WHERE a.netgw_id = g.id)
       AND NOT EXISTS (SELECT FROM nmsp_radius.nas n WHERE n.id = g.id);
    RETURN QUERY SELECT 'firmware'::text, 'warning'::text, format('campaign "%s" is aborted: %s', c.name, coalesce(c.reason, 'by hand')),
        format('SELECT * FROM nmsp.firmware_campaign_result WHERE campaign = %L AND state = ''failed''; then SELECT nmsp.resume_campaign(%s), or delete it.', c.name, c.id)
      FROM nmsp.firmware_campaign c WHERE c.state = 'aborted';
    RETURN QUERY SELECT 'actions'::text, 'error'::text, format('%s actions wait and no nmsp-agent -a works on them', w.n),
        'Start nmsp-agent-action.service; its role needs CALL nmsp.grant_to(..., ''action'').'
      FROM (SELECT (SELECT count(*) FROM nmsp.action a WHERE a.state = 'waiting' AND a.requested_at < now() - interval '5 minutes') AS n) w
     WHERE w.n > 0 AND NOT EXISTS (SELECT FROM nmsp.action a WHERE a.claimed_at > now() - interval '5 minutes');
    RETURN QUERY SELECT 'radius'::text, 'warning'::text, 'nobody has called nmsp_radius.maintain() for a while',
        'Call SELECT nmsp_radius.maintain() daily, e.g. by the timer nmsp-radius-maintain: it makes partitions, archives sessions and deletes what is not to be kept.'
     WHERE EXISTS (SELECT FROM nmsp_radius.authentication_default a WHERE a.at < now() - interval '2 days' AND a.at > now() - interval '3650 days')
        OR EXISTS (SELECT FROM nmsp_radius.session s, nmsp_radius.setting c WHERE s.stopped_at < now() - c.archive_after - interval '2 days');
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.health() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.health() IS
'One row per part of the system: component, state (ok, warning, error), message, and what to do about it.';
