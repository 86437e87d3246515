-- Campaigns: begin, one step further, pause, resume, and how far they are.

CREATE OR REPLACE FUNCTION nmsp.campaign_in_state(campaign_id bigint, states text[], verb text) RETURNS nmsp.firmware_campaign
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    c nmsp.firmware_campaign;
BEGIN
    SELECT x.* INTO c FROM nmsp.firmware_campaign x WHERE x.id = campaign_in_state.campaign_id FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM nmsp.refuse('42704', format('campaign %s does not exist', coalesce(campaign_id::text, 'null')), 'No row of nmsp.firmware_campaign has this id.',
            'SELECT id, name, state FROM nmsp.firmware_campaign lists those that exist.', 'firmware_campaign');
    ELSIF c.state <> ALL (states) THEN
        PERFORM nmsp.refuse('55000', format('campaign "%s" cannot be %s', c.name, verb), format('It is in state %s; it would have to be in %s.', c.state, array_to_string(states, ' or ')),
            'SELECT * FROM nmsp.firmware_campaign_progress shows how far campaigns are.', 'firmware_campaign');
    END IF;
    RETURN c;
END
$fn$;
COMMENT ON FUNCTION nmsp.campaign_in_state(bigint, text[], text) IS 'A campaign that must be in one of these states, locked. Errors: 42704 no such campaign, 55000 another state.';

CREATE OR REPLACE FUNCTION nmsp.start_campaign(campaign_id bigint, now timestamptz DEFAULT pg_catalog.now()) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    c CONSTANT nmsp.firmware_campaign := nmsp.campaign_in_state(campaign_id, '{draft}', 'started');
    image CONSTANT bigint := (SELECT r.image_id FROM nmsp.firmware_rule r WHERE r.id = c.rule_id);
    n int;
BEGIN
    UPDATE nmsp.firmware_campaign x SET image_id = image, started_at = start_campaign.now, counted_from = start_campaign.now WHERE x.id = c.id;
    INSERT INTO nmsp.firmware_campaign_modem (campaign_id, modem_id, turn)
    SELECT c.id, t.modem_id, row_number() OVER (ORDER BY hashint8extended(t.modem_id, c.id), t.modem_id)
      FROM nmsp.firmware_target t JOIN nmsp.modem_version v ON v.modem_id = t.modem_id
     WHERE t.rule_id = c.rule_id AND v.version <> t.version
       AND NOT EXISTS (SELECT FROM nmsp.firmware_campaign_modem o WHERE o.modem_id = t.modem_id AND o.state IN ('waiting', 'released'));
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n = 0 THEN
        PERFORM nmsp.refuse('55000', format('campaign "%s" has no modem to upgrade', c.name),
            CASE WHEN c.rule_id IS NULL THEN 'Its rule is gone.'
                 ELSE format('No modem for which rule %s counts runs another version, or all of them are in campaigns that run.', c.rule_id) END,
            'SELECT state, why, count(*) FROM nmsp.modem_firmware GROUP BY 1, 2 shows where modems stand.', 'firmware_campaign');
    END IF;
    UPDATE nmsp.firmware_campaign_modem x SET canary = true WHERE x.campaign_id = c.id AND x.turn <= ceil(c.canary_share * n);
    UPDATE nmsp.firmware_campaign x SET state = CASE WHEN c.canary_share > 0 THEN 'canary' ELSE 'running' END, canary_passed = c.canary_share = 0 WHERE x.id = c.id;
    RETURN n;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.start_campaign(bigint, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.start_campaign(bigint, timestamptz) IS
'Begins a campaign: takes the modems its rule counts for that run another version, chooses the canaries, and returns their number. nmsp.advance_campaigns then releases them. Errors: 42704 no such campaign; 55000 begun before, or no modem to upgrade.';

-- Which released modems are through, and how.
CREATE OR REPLACE FUNCTION nmsp._finish_campaign_modems(now timestamptz) RETURNS bigint[]
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    result bigint[];
BEGIN
    WITH seen AS (
        SELECT x.campaign_id, x.modem_id, v.version, i.version AS wanted, v.problem, t.image_id IS DISTINCT FROM c.image_id AS elsewhere,
               x.released_at + c.patience <= _finish_campaign_modems.now AS late, c.patience,
               v.reported_at >= x.released_at AS reported, coalesce(d.at >= x.released_at, false) AS loaded
          FROM nmsp.firmware_campaign_modem x JOIN nmsp.firmware_campaign c ON c.id = x.campaign_id JOIN nmsp.firmware_image i ON i.id = c.image_id
          JOIN nmsp.modem_version v ON v.modem_id = x.modem_id
          LEFT JOIN nmsp.firmware_target t ON t.modem_id = x.modem_id
          LEFT JOIN nmsp.modem_download d ON d.modem_id = x.modem_id
         WHERE x.state = 'released'),
    verdict AS (
        SELECT s.*, CASE WHEN s.version = s.wanted THEN 'done' WHEN s.elsewhere THEN 'skipped' WHEN s.reported AND s.problem IS NOT NULL THEN 'failed'
                         WHEN s.late AND (s.reported OR s.loaded) THEN 'failed' WHEN s.late THEN 'absent' END AS state FROM seen s),
    changed AS (
        UPDATE nmsp.firmware_campaign_modem x SET state = v.state, finished_at = _finish_campaign_modems.now, after = v.version,
               note = CASE v.state WHEN 'skipped' THEN 'its rule is another one now'
                                   WHEN 'failed' THEN coalesce(CASE WHEN v.reported THEN v.problem END,
                                        format('%s: it reports version %s', CASE WHEN v.loaded THEN 'it loaded its configfile' ELSE 'it was heard of' END, v.version))
                                   WHEN 'absent' THEN format('nothing was heard of it for %s', v.patience) END
          FROM verdict v WHERE v.state IS NOT NULL AND x.campaign_id = v.campaign_id AND x.modem_id = v.modem_id RETURNING x.modem_id)
    SELECT array_agg(c.modem_id) INTO result FROM changed c;
    RETURN result;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp._finish_campaign_modems(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp._finish_campaign_modems(timestamptz) IS 'Of nmsp.advance_campaigns: released modems that are through get their state; returns them.';

CREATE OR REPLACE FUNCTION nmsp.campaign_count(campaign_id bigint, OUT total bigint, OUT waiting bigint, OUT released bigint, OUT done bigint, OUT failed bigint,
    OUT absent bigint, OUT skipped bigint, OUT canaries bigint, OUT canaries_open bigint, OUT canary_end timestamptz, OUT counted bigint, OUT counted_failed bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT count(*), count(*) FILTER (WHERE x.state = 'waiting'), count(*) FILTER (WHERE x.state = 'released'), count(*) FILTER (WHERE x.state = 'done'),
           count(*) FILTER (WHERE x.state = 'failed'), count(*) FILTER (WHERE x.state = 'absent'), count(*) FILTER (WHERE x.state = 'skipped'),
           count(*) FILTER (WHERE x.canary), count(*) FILTER (WHERE x.canary AND x.state IN ('waiting', 'released')), max(x.finished_at) FILTER (WHERE x.canary),
           count(*) FILTER (WHERE x.state IN ('done', 'failed') AND x.finished_at >= c.counted_from),
           count(*) FILTER (WHERE x.state = 'failed' AND x.finished_at >= c.counted_from)
      FROM nmsp.firmware_campaign c JOIN nmsp.firmware_campaign_modem x ON x.campaign_id = c.id WHERE c.id = campaign_count.campaign_id;
END;
COMMENT ON FUNCTION nmsp.campaign_count(bigint) IS 'The modems of a campaign by state; canaries; done and failed ones since it was begun or resumed (counted), failed ones of these.';

CREATE OR REPLACE FUNCTION nmsp.in_window(window_start time, window_end time, now timestamptz) RETURNS boolean
LANGUAGE sql STABLE
RETURN (SELECT CASE WHEN window_start IS NULL THEN true WHEN window_start < window_end THEN x.t >= window_start AND x.t < window_end
                    ELSE x.t >= window_start OR x.t < window_end END
          FROM (SELECT (now AT TIME ZONE s.time_zone)::time AS t FROM nmsp.setting s) x);
COMMENT ON FUNCTION nmsp.in_window(time, time, timestamptz) IS 'Whether a moment lies between two times of day in nmsp.setting.time_zone; an end before the start lies behind midnight; null: always.';

CREATE OR REPLACE FUNCTION nmsp.advance_campaigns(now timestamptz DEFAULT pg_catalog.now(), OUT released int, OUT finished int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    ids bigint[];
    c record;
    k record;
    fresh bigint[];
    resets bigint[] := '{}';
BEGIN
    released := 0;
    finished := 0;
    IF NOT EXISTS (SELECT FROM nmsp.firmware_campaign x WHERE x.state IN ('canary', 'running', 'paused')) OR NOT pg_try_advisory_xact_lock(hashtext('nmsp.advance_campaigns')) THEN
        RETURN;
    END IF;
    ids := nmsp._finish_campaign_modems(now);
    finished := coalesce(cardinality(ids), 0);
    FOR c IN SELECT x.* FROM nmsp.firmware_campaign x WHERE x.state IN ('canary', 'running') ORDER BY x.id FOR UPDATE LOOP
        -- Counting looks at all its modems: not when nothing can have come of the last step.
        CONTINUE WHEN c.state = 'running' AND NOT EXISTS (SELECT FROM nmsp.firmware_campaign_modem x WHERE x.campaign_id = c.id AND x.finished_at = advance_campaigns.now)
            AND (NOT nmsp.in_window(c.window_start, c.window_end, now)
                 OR (SELECT count(*) FROM nmsp.firmware_campaign_modem x WHERE x.campaign_id = c.id AND x.state = 'released') >= c.batch_size);
        SELECT n.* INTO k FROM nmsp.campaign_count(c.id) n;
        IF k.counted >= least(c.abort_minimum, CASE WHEN c.state = 'canary' THEN k.canaries END) AND k.counted > 0 AND k.counted_failed::numeric / k.counted > c.abort_share THEN
            ids := ids || nmsp._halt_campaign(c.id, 'aborted', format('%s of %s modems failed, more than %s %%', k.counted_failed, k.counted, trim_scale(100 * c.abort_share)));
            CONTINUE;
        END IF;
        IF c.state = 'canary' AND k.canaries_open = 0 AND coalesce(k.canary_end, now) + c.canary_wait <= now THEN
            UPDATE nmsp.firmware_campaign x SET state = 'running', canary_passed = true WHERE x.id = c.id;
            c.state := 'running';
        END IF;
        IF k.waiting + k.released = 0 AND c.state = 'running' THEN
            UPDATE nmsp.firmware_campaign x SET state = 'done', finished_at = advance_campaigns.now WHERE x.id = c.id;
            CONTINUE;
        END IF;
        CONTINUE WHEN NOT nmsp.in_window(c.window_start, c.window_end, now);
        fresh := nmsp._release_campaign_modems(c.id, (c.batch_size - k.released)::int, c.state = 'canary', now);
        ids := ids || fresh;
        released := released + coalesce(cardinality(fresh), 0);
        IF c.reset_modem THEN
            resets := resets || fresh;
        END IF;
    END LOOP;
    IF cardinality(ids) > 0 THEN
        PERFORM nmsp.refresh_releases(ids);
    END IF;
    IF cardinality(resets) > 0 THEN
        PERFORM nmsp.request_resets(resets, 'firmware campaign');
    END IF;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.advance_campaigns(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.advance_campaigns(timestamptz) IS
'Takes all campaigns a step further: modems that report the new version are done, late ones failed or absent; a campaign with too many failures aborts; canaries are followed by the others; within its window a campaign releases modems until batch_size are under way. nmsp-agent -a calls it every few seconds; calling it more often, or by several, does no harm.';

CREATE OR REPLACE FUNCTION nmsp._release_campaign_modems(campaign_id bigint, room int, canaries boolean, now timestamptz) RETURNS bigint[]
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    result bigint[];
BEGIN
    WITH next AS (
        SELECT x.modem_id FROM nmsp.firmware_campaign_modem x
         WHERE x.campaign_id = _release_campaign_modems.campaign_id AND x.state = 'waiting' AND (x.canary OR NOT canaries) ORDER BY x.turn LIMIT greatest(room, 0)),
    changed AS (
        UPDATE nmsp.firmware_campaign_modem x
           SET state = CASE WHEN v.version = i.version THEN 'done' WHEN t.image_id = c.image_id THEN 'released' ELSE 'skipped' END,
               before = v.version, released_at = _release_campaign_modems.now,
               after = CASE WHEN v.version = i.version THEN v.version END,
               finished_at = CASE WHEN v.version = i.version OR t.image_id IS DISTINCT FROM c.image_id THEN _release_campaign_modems.now END,
               note = CASE WHEN v.version = i.version THEN 'it had the version already' WHEN t.image_id IS DISTINCT FROM c.image_id THEN 'its rule is another one now' END
          FROM next n LEFT JOIN nmsp.modem_version v ON v.modem_id = n.modem_id LEFT JOIN nmsp.firmware_target t ON t.modem_id = n.modem_id,
               nmsp.firmware_campaign c JOIN nmsp.firmware_image i ON i.id = c.image_id
         WHERE x.campaign_id = _release_campaign_modems.campaign_id AND x.modem_id = n.modem_id AND c.id = x.campaign_id
        RETURNING x.modem_id, x.state)
    SELECT array_agg(c.modem_id) INTO result FROM changed c WHERE c.state = 'released';
    RETURN result;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp._release_campaign_modems(bigint, int, boolean, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp._release_campaign_modems(bigint, int, boolean, timestamptz) IS 'Of nmsp.advance_campaigns: releases the next modems of a campaign, as many as there is room for; returns them.';

CREATE OR REPLACE FUNCTION nmsp._halt_campaign(campaign_id bigint, state text, reason text) RETURNS bigint[]
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    result bigint[];
BEGIN
    UPDATE nmsp.firmware_campaign x SET state = _halt_campaign.state, reason = _halt_campaign.reason WHERE x.id = _halt_campaign.campaign_id;
    IF state = 'aborted' THEN
        -- Those that are under way are called back: whoever has not booted yet does not load the image.
        WITH back AS (UPDATE nmsp.firmware_campaign_modem x SET state = 'waiting', note = 'called back' WHERE x.campaign_id = _halt_campaign.campaign_id AND x.state = 'released' RETURNING x.modem_id)
        SELECT array_agg(b.modem_id) INTO result FROM back b;
    END IF;
    RETURN result;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp._halt_campaign(bigint, text, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp._halt_campaign(bigint, text, text) IS 'Pauses or aborts a campaign; returns the modems that are called back.';

CREATE OR REPLACE FUNCTION nmsp.pause_campaign(campaign_id bigint, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    PERFORM nmsp._halt_campaign((nmsp.campaign_in_state(campaign_id, '{canary,running}', 'paused')).id, 'paused', reason);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.pause_campaign(bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.pause_campaign(bigint, text) IS 'Pauses a campaign: nobody else is released; those that were go on, and their results are taken.';

CREATE OR REPLACE FUNCTION nmsp.abort_campaign(campaign_id bigint, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    PERFORM nmsp.refresh_releases(nmsp._halt_campaign((nmsp.campaign_in_state(campaign_id, '{canary,running,paused}', 'aborted')).id, 'aborted', reason));
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.abort_campaign(bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.abort_campaign(bigint, text) IS 'Aborts a campaign: modems that are under way are called back, their configfiles do not name the image any more.';

CREATE OR REPLACE FUNCTION nmsp.resume_campaign(campaign_id bigint, again boolean DEFAULT false, now timestamptz DEFAULT pg_catalog.now()) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    c CONSTANT nmsp.firmware_campaign := nmsp.campaign_in_state(campaign_id, CASE WHEN again THEN '{paused,aborted,done}' ELSE '{paused,aborted}'::text[] END, 'resumed');
BEGIN
    IF again THEN
        UPDATE nmsp.firmware_campaign_modem x SET state = 'waiting', note = 'once more', finished_at = NULL, after = NULL
         WHERE x.campaign_id = c.id AND x.state IN ('failed', 'absent')
           AND NOT EXISTS (SELECT FROM nmsp.firmware_campaign_modem o WHERE o.modem_id = x.modem_id AND o.campaign_id <> c.id AND o.state IN ('waiting', 'released'));
    END IF;
    UPDATE nmsp.firmware_campaign x SET state = CASE WHEN c.canary_passed THEN 'running' ELSE 'canary' END, reason = NULL, finished_at = NULL,
           counted_from = CASE WHEN c.state = 'paused' THEN c.counted_from ELSE resume_campaign.now END WHERE x.id = c.id;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.resume_campaign(bigint, boolean, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.resume_campaign(bigint, boolean, timestamptz) IS
'Goes on with a campaign that is paused or aborted; after an abort the share of failures is counted afresh. again: those that failed or were absent get another try (also of one that is done). Errors: 55000 another state.';

DROP VIEW IF EXISTS nmsp.firmware_campaign_progress;
CREATE VIEW nmsp.firmware_campaign_progress AS
SELECT c.id, c.name, c.state, c.reason, i.version, k.total, k.waiting, k.released, k.done, k.failed, k.absent, k.skipped,
       round(100.0 * (k.total - k.waiting - k.released) / nullif(k.total, 0), 1) AS percent,
       repeat('#', (20 * (k.total - k.waiting - k.released) / nullif(k.total, 0))::int) || repeat('.', 20 - (20 * (k.total - k.waiting - k.released) / nullif(k.total, 0))::int) AS bar,
       round(100.0 * k.failed / nullif(k.done + k.failed, 0), 1) AS failed_percent, nmsp.in_window(c.window_start, c.window_end, now()) AS in_window, c.started_at, c.finished_at
  FROM nmsp.firmware_campaign c LEFT JOIN nmsp.firmware_image i ON i.id = c.image_id CROSS JOIN LATERAL nmsp.campaign_count(c.id) k;
COMMENT ON VIEW nmsp.firmware_campaign_progress IS 'How far each campaign is.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.id IS 'The campaign.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.name IS 'Its name.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.state IS 'Its state.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.reason IS 'Why it is paused or aborted.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.version IS 'The version its modems get.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.total IS 'Its modems.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.waiting IS 'Modems that are yet to be released.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.released IS 'Modems under way.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.done IS 'Modems that run the new version.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.failed IS 'Modems that do not, though they tried or should have.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.absent IS 'Modems of which nothing was heard.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.skipped IS 'Modems for which the rule counts no more.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.percent IS 'Share of its modems that are through.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.bar IS 'The same as a bar.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.failed_percent IS 'Share of failures among those that are done or failed.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.in_window IS 'Whether its window is open now.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.started_at IS 'When it began.';
COMMENT ON COLUMN nmsp.firmware_campaign_progress.finished_at IS 'When it was through.';

DROP VIEW IF EXISTS nmsp.firmware_campaign_result;
CREATE VIEW nmsp.firmware_campaign_result AS
SELECT c.name AS campaign, x.modem_id, m.mac, m.name, g.name AS netgw, x.canary, x.state, x.before, coalesce(x.after, v.version) AS version, x.released_at, x.finished_at, x.note
  FROM nmsp.firmware_campaign_modem x JOIN nmsp.firmware_campaign c ON c.id = x.campaign_id JOIN nmsp.modem m ON m.id = x.modem_id
  JOIN nmsp.netgw g ON g.id = m.netgw_id LEFT JOIN nmsp.modem_version v ON v.modem_id = x.modem_id;
COMMENT ON VIEW nmsp.firmware_campaign_result IS 'What became of each modem in each campaign.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.campaign IS 'The campaign.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.mac IS 'Its hardware address.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.name IS 'Its name.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.netgw IS 'Its access gateway.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.canary IS 'Whether it went first.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.state IS 'As in nmsp.firmware_campaign_modem.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.before IS 'Version before.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.version IS 'Version after, or now.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.released_at IS 'When it was released.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.finished_at IS 'When it was through.';
COMMENT ON COLUMN nmsp.firmware_campaign_result.note IS 'Why it failed or was skipped.';
