-- Agents: they are woken, and they say that they live.

CREATE OR REPLACE FUNCTION nmsp_feed.relay() RETURNS integer
LANGUAGE plpgsql VOLATILE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    -- By a feeder, never by the transaction that changes something: NOTIFY makes commits queue.
    RETURN (SELECT count(pg_notify('nmsp_feed', a.name))::integer
      FROM (SELECT DISTINCT t.settings ->> 'agent' AS name FROM nmsp_feed.target t
             WHERE t.enabled AND t.settings ->> 'agent' <> ''
               AND (t.snapshot IS NULL OR t.check_requested IS NOT NULL OR EXISTS (SELECT FROM nmsp_feed._pending(t.id)))) a);
END
$fn$;
COMMENT ON FUNCTION nmsp_feed.relay() IS
    'For the server''s feeders, when they are woken: notifies the agents whose targets have something to do (channel nmsp_feed, payload = name)';

CREATE OR REPLACE FUNCTION nmsp.report_agent(p_name text, p_work text, p_version text, p_serves text[], p_pid integer, p_age interval)
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO nmsp_feed.agent AS a (name, work, version, serves, address, pid, began, seen)
    VALUES (p_name, p_work, p_version, p_serves, inet_client_addr(), p_pid, clock_timestamp() - p_age, clock_timestamp())
        ON CONFLICT (name, work) DO UPDATE
       SET version = excluded.version, serves = excluded.serves, address = excluded.address, seen = excluded.seen,
           began = CASE WHEN a.pid = excluded.pid AND abs(extract(epoch FROM excluded.began - a.began)) < 60 THEN a.began ELSE excluded.began END,
           pid = excluded.pid;
END;
REVOKE ALL ON FUNCTION nmsp.report_agent(text, text, text, text[], integer, interval) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.report_agent(text, text, text, text[], integer, interval) IS
    'For nmsp-agent: it lives. p_age: how long it runs';

DROP VIEW IF EXISTS nmsp.worker_status;
CREATE VIEW nmsp.worker_status AS
SELECT w.*, NULL::text AS name, NULL::text AS version, NULL::text[] AS serves, NULL::inet AS address, NULL::timestamptz AS seen
  FROM nmsp.worker_status() w
UNION ALL
SELECT 'agent', current_database(), a.pid, CASE WHEN a.seen > clock_timestamp() - interval '30 s' THEN 'running' ELSE 'silent' END, a.began,
       NULL, NULL, NULL, NULL, NULL, NULL, a.name, a.version, CASE a.work WHEN 'feed' THEN '{feed}' ELSE a.serves END, a.address, a.seen
  FROM nmsp_feed.agent a;
COMMENT ON VIEW nmsp.worker_status IS
    'The workers of this server (none when nmsp is not in shared_preload_libraries) and the agents of this database: who runs where, since when, how often restarted, last error';
COMMENT ON COLUMN nmsp.worker_status.worker IS 'launcher, feeder or agent (a process of nmsp-agent)';
COMMENT ON COLUMN nmsp.worker_status.database IS 'Database it works in; null for the launcher';
COMMENT ON COLUMN nmsp.worker_status.pid IS 'Process id (of an agent: on its machine); null = it does not run';
COMMENT ON COLUMN nmsp.worker_status.state IS 'starting, running, crash brake (waits after a crash), stopped or silent (an agent that has not reported for 30 s)';
COMMENT ON COLUMN nmsp.worker_status.started_at IS 'When it was started last';
COMMENT ON COLUMN nmsp.worker_status.starts IS 'How often it was started since the server was';
COMMENT ON COLUMN nmsp.worker_status.batches IS 'Batches put in place';
COMMENT ON COLUMN nmsp.worker_status.artifacts IS 'Artifacts in these batches';
COMMENT ON COLUMN nmsp.worker_status.failures IS 'Attempts that failed';
COMMENT ON COLUMN nmsp.worker_status.last_error IS 'The last failure; shown to members of pg_read_all_stats';
COMMENT ON COLUMN nmsp.worker_status.last_error_at IS 'When that was';
COMMENT ON COLUMN nmsp.worker_status.name IS 'Name of an agent';
COMMENT ON COLUMN nmsp.worker_status.version IS 'Its version';
COMMENT ON COLUMN nmsp.worker_status.serves IS 'What it serves: download, time, lookup, leases; feed';
COMMENT ON COLUMN nmsp.worker_status.address IS 'Where it connects from; null: from this machine';
COMMENT ON COLUMN nmsp.worker_status.seen IS 'When it reported last';

CREATE OR REPLACE FUNCTION nmsp_feed.agent_health() RETURNS TABLE (component text, state text, message text, hint text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT format('agent "%s" (%s)', a.name, a.work), CASE WHEN a.seen > clock_timestamp() - interval '30 s' THEN 'ok' ELSE 'error' END,
           CASE WHEN a.seen > clock_timestamp() - interval '30 s' THEN format('runs since %s, version %s, serves %s', to_char(a.began, 'YYYY-MM-DD HH24:MI'), a.version, array_to_string(a.serves, ', '))
                ELSE format('was heard last at %s', to_char(a.seen, 'YYYY-MM-DD HH24:MI:SS')) END,
           CASE WHEN a.seen <= clock_timestamp() - interval '30 s' THEN format('Look at nmsp-agent on its machine. When it is gone for good: DELETE FROM nmsp_feed.agent WHERE name = %L AND work = %L;', a.name, a.work) END
      FROM nmsp_feed.agent a
    UNION ALL
    SELECT format('agent "%s" (feed)', x.name), 'error', 'targets name it, and it has never reported',
           'Start nmsp-agent -f with feed_agent = ' || x.name || ' in its configuration, or mend nmsp_feed.target.settings.'
      FROM (SELECT DISTINCT t.settings ->> 'agent' AS name FROM nmsp_feed.target t WHERE t.enabled AND t.settings ->> 'agent' <> '') x
     WHERE NOT EXISTS (SELECT FROM nmsp_feed.agent a WHERE a.name = x.name AND a.work = 'feed');
END;
COMMENT ON FUNCTION nmsp_feed.agent_health() IS 'The part of nmsp.health() about agents';
