-- Feeding: how many artifacts are in place (kept as they change, so that nobody has to count a
-- million rows to see), and how far long runs are.

CREATE OR REPLACE FUNCTION nmsp_feed._count_artifacts() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE nmsp_feed.target t
           SET artifacts = t.artifacts + n.artifacts, quarantined = t.quarantined + n.quarantined, bytes = t.bytes + n.bytes
          FROM (SELECT r.target_id, count(r.path) AS artifacts, count(r.error) AS quarantined, coalesce(sum(r.size), 0) AS bytes
                  FROM new_rows r GROUP BY r.target_id) n
         WHERE t.id = n.target_id;
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE nmsp_feed.target t
           SET artifacts = t.artifacts - o.artifacts, quarantined = t.quarantined - o.quarantined, bytes = t.bytes - o.bytes
          FROM (SELECT r.target_id, count(r.path) AS artifacts, count(r.error) AS quarantined, coalesce(sum(r.size), 0) AS bytes
                  FROM old_rows r GROUP BY r.target_id) o
         WHERE t.id = o.target_id;
    ELSE
        UPDATE nmsp_feed.target t
           SET artifacts = t.artifacts + n.artifacts, quarantined = t.quarantined + n.quarantined, bytes = t.bytes + n.bytes
          FROM (SELECT r.target_id, sum(r.artifacts) AS artifacts, sum(r.quarantined) AS quarantined, sum(r.bytes) AS bytes
                  FROM (SELECT x.target_id, count(x.path) AS artifacts, count(x.error) AS quarantined, coalesce(sum(x.size), 0) AS bytes
                          FROM new_rows x GROUP BY x.target_id
                         UNION ALL
                        SELECT x.target_id, -count(x.path), -count(x.error), -coalesce(sum(x.size), 0)
                          FROM old_rows x GROUP BY x.target_id) r
                 GROUP BY r.target_id) n
         WHERE t.id = n.target_id AND (n.artifacts <> 0 OR n.quarantined <> 0 OR n.bytes <> 0);
    END IF;
    RETURN NULL;
END
$fn$;
COMMENT ON FUNCTION nmsp_feed._count_artifacts() IS
    'Trigger: nmsp_feed.target says how many artifacts are in place. The feeder writes both rows anyway, so no writer waits for another';

-- Not beneath other triggers: there the target itself is being changed, and takes care of it.
CREATE OR REPLACE TRIGGER artifact_inserted AFTER INSERT ON nmsp_feed.artifact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION nmsp_feed._count_artifacts();
CREATE OR REPLACE TRIGGER artifact_updated AFTER UPDATE ON nmsp_feed.artifact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION nmsp_feed._count_artifacts();
CREATE OR REPLACE TRIGGER artifact_deleted AFTER DELETE ON nmsp_feed.artifact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION nmsp_feed._count_artifacts();

UPDATE nmsp_feed.target t SET artifacts = a.artifacts, quarantined = a.quarantined, bytes = a.bytes
  FROM (SELECT x.id, count(r.path) AS artifacts, count(r.error) AS quarantined, coalesce(sum(r.size), 0) AS bytes
          FROM nmsp_feed.target x LEFT JOIN nmsp_feed.artifact r ON r.target_id = x.id GROUP BY x.id) a
 WHERE a.id = t.id AND (t.artifacts, t.quarantined, t.bytes) IS DISTINCT FROM (a.artifacts, a.quarantined, a.bytes);

CREATE OR REPLACE VIEW nmsp_feed.progress AS
SELECT r.target_id, r.feed, r.name, r.run, r.cause, r.done, r.total,
       round(r.done / nullif(r.seconds, 0)) AS rate,
       CASE WHEN r.done > 0 THEN make_interval(secs => round((greatest(r.total - r.done, 0) * r.seconds / r.done)::numeric)::double precision) END AS remaining,
       r.begun,
       CASE WHEN r.total > 0 THEN
           '[' || rpad(repeat('#', (20 * least(r.done, r.total) / r.total)::integer), 20, '.') || ']'
           || lpad((100 * least(r.done, r.total) / r.total)::text, 4) || ' %' END AS bar
  FROM (SELECT t.id AS target_id, t.feed, t.name, 'walk'::text AS run, b.cause, b.done,
               CASE WHEN b.total IS NOT NULL THEN greatest(b.total, b.done) END AS total, b.begun, extract(epoch FROM clock_timestamp() - b.begun)::double precision AS seconds, b.id AS nth
          FROM nmsp_feed.bulk b JOIN nmsp_feed.target t ON t.id = b.target_id
        UNION ALL
        SELECT t.id, t.feed, t.name, 'check'::text, NULL::text, least(t.check_done, t.artifacts), t.artifacts, t.check_begun,
               extract(epoch FROM clock_timestamp() - t.check_begun)::double precision, NULL::bigint
          FROM nmsp_feed.target t WHERE t.check_begun IS NOT NULL OR t.check_requested IS NOT NULL) r
 ORDER BY r.feed, r.name, r.run, r.nth;
COMMENT ON VIEW nmsp_feed.progress IS
    'Long runs that are under way or wait: walks over many artifacts, comparisons of disk with the manifest. In psql: SELECT * FROM nmsp_feed.progress \watch 1';
COMMENT ON COLUMN nmsp_feed.progress.target_id IS 'Target';
COMMENT ON COLUMN nmsp_feed.progress.feed IS 'Kind of daemon';
COMMENT ON COLUMN nmsp_feed.progress.name IS 'Name of the instance';
COMMENT ON COLUMN nmsp_feed.progress.run IS 'walk: artifacts are rendered, and put in place where they differ; check: what is in place is compared with the manifest';
COMMENT ON COLUMN nmsp_feed.progress.cause IS 'What a walk is about, as in nmsp_feed.change (all: whole reconcile)';
COMMENT ON COLUMN nmsp_feed.progress.done IS 'Artifacts done';
COMMENT ON COLUMN nmsp_feed.progress.total IS 'Artifacts to do; null = they are still being counted';
COMMENT ON COLUMN nmsp_feed.progress.rate IS 'Artifacts per second since it began';
COMMENT ON COLUMN nmsp_feed.progress.remaining IS 'Time left at this rate; null = not known yet';
COMMENT ON COLUMN nmsp_feed.progress.begun IS 'When it began; null = it waits';
COMMENT ON COLUMN nmsp_feed.progress.bar IS 'The same to look at';
