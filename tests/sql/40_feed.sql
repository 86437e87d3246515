-- Feeding in SQL alone: what triggers record, the snapshot rule, bulk, quarantine, pruning.
-- Needs a throw-away database where no feeder runs: the test itself plays the feeder.
\set QUIET on
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
\pset pager off
SET client_min_messages TO warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS nmsp CASCADE;
SELECT nmsp.migrate() \g /dev/null

CREATE TABLE public.thing (
    id bigint PRIMARY KEY, body text, doc json, remark text, holder_id bigint);
CREATE TABLE public.holder (key text PRIMARY KEY, value text);
CREATE FUNCTION public.thing_keys(target bigint, cause text, ids bigint[], after_part text, after_id bigint, max_rows int)
RETURNS TABLE (part text, id bigint) LANGUAGE sql STABLE AS $$
    SELECT 'thing', k.id FROM (SELECT unnest(ids) WHERE cause = 'thing'
                               UNION SELECT t.id FROM public.thing t WHERE cause = 'all' OR (cause = 'holder' AND t.holder_id = ANY (ids))) k(id)
     WHERE after_id IS NULL OR k.id > after_id ORDER BY k.id LIMIT max_rows $$;
CREATE FUNCTION public.thing_render(target bigint, part text, ids bigint[])
RETURNS TABLE (id bigint, path text, content bytea) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT t.id, coalesce(t.doc ->> 'path', 'thing/' || t.id),
                        convert_to(CASE t.body WHEN 'boom' THEN (1 / (t.id - t.id))::text ELSE t.body END, 'UTF8')
                   FROM public.thing t WHERE t.id = ANY (ids);
END $$;
INSERT INTO nmsp_feed.feed (name, mode, keys_function, render_function, batch_rows, bulk_rows, grace)
VALUES ('things', 'file', 'public.thing_keys', 'public.thing_render', 10, 20, '0'),
       ('thingset', 'set', 'public.thing_keys', 'public.thing_render', 10, 20, '0');
INSERT INTO nmsp_feed.dependency (feed, relation, columns, causes) VALUES
    ('things', 'public.thing', '{body,doc}', NULL),
    ('thingset', 'public.thing', '{body,holder_id}', '{"holder": "holder_id"}'),
    ('things', 'public.holder', NULL, NULL);

-- What triggers recorded since the last look, as text
CREATE FUNCTION public.recorded() RETURNS text LANGUAGE sql AS $$
    WITH d AS (DELETE FROM nmsp_feed.change RETURNING feed, cause, ids)
    SELECT coalesce(string_agg(format('%s:%s%s', feed, cause, coalesce(ids::text, '')), ' ' ORDER BY feed, cause, ids), 'nothing') FROM d $$;

-- The feeder's part without disk: pulls, and confirms all (or refuses the paths that match).
CREATE PROCEDURE public.feeder(target bigint, refuse text DEFAULT NULL, INOUT did text DEFAULT '')
LANGUAGE plpgsql AS $$
DECLARE
    w nmsp_feed.work[];
    v_token text;
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
    SELECT array_agg(p) FILTER (WHERE p.action <> 'batch'), max(p.token) FILTER (WHERE p.action = 'batch')
      INTO w, v_token FROM nmsp_feed.pull(target) p;
    COMMIT;
    IF v_token IS NOT NULL THEN
        PERFORM nmsp_feed.confirm(target, v_token, array_agg(x.action), array_agg(x.part), array_agg(x.id), array_agg(x.path),
                                  array_agg(x.sha256), array_agg(octet_length(x.content)::bigint),
                                  array_agg(CASE WHEN x.path ~ refuse THEN 'refused' END))
           FROM unnest(w) x;
    END IF;
    did := coalesce((SELECT string_agg(concat_ws(' ', x.action, x.path), ', ' ORDER BY x.action, x.id, x.path) FROM unnest(w) x), 'nothing');
END $$;
\set feeder 'CALL public.feeder(:t) \\gset'

SELECT * FROM no_plan();

SELECT is(nmsp_feed.install_triggers() >= 2, true, 'install_triggers() makes triggers for the tables feeds depend on');
SELECT public.recorded() \g /dev/null

-- ---- what triggers record
INSERT INTO public.thing (id, body, holder_id) SELECT g, 'b', 1 FROM generate_series(1, 3) g;
SELECT is(public.recorded(), 'things:thing{1,2,3} thingset:holder{1}', 'one row per statement, feed and cause');
UPDATE public.thing SET remark = 'no matter';
SELECT is(public.recorded(), 'nothing', 'a column nobody depends on records nothing');
UPDATE public.thing SET body = body;
SELECT is(public.recorded(), 'nothing', 'an UPDATE without a change records nothing');
UPDATE public.thing SET body = CASE id WHEN 2 THEN 'new' ELSE body END;
SELECT is(public.recorded(), 'things:thing{2} thingset:holder{1}', 'only rows that really changed are recorded');
UPDATE public.thing SET doc = '{"a": 1}' WHERE id = 1;
SELECT is(public.recorded(), 'things:thing{1}', 'only feeds that depend on the column get a row; json is compared as text');
UPDATE public.thing SET doc = '{"a": 1}' WHERE id = 1;
SELECT is(public.recorded(), 'nothing', 'the same json again records nothing');
UPDATE public.thing SET holder_id = 2 WHERE id = 3;
SELECT is(public.recorded(), 'thingset:holder{1,2}', 'a cause from another column names its value before and after');
UPDATE public.thing SET id = 30 WHERE id = 3;
SELECT is(public.recorded(), 'things:thing{3,30} thingset:holder{2}', 'a changed key counts as both');
DELETE FROM public.thing WHERE id = 30;
SELECT is(public.recorded(), 'things:thing{30} thingset:holder{2}', 'DELETE is recorded');
DELETE FROM public.thing WHERE id = 99;
SELECT is(public.recorded(), 'nothing', 'a statement without rows records nothing');
INSERT INTO public.holder VALUES ('k', 'v');
SELECT is(public.recorded(), 'things:all', 'a table without a numeric id means all');
INSERT INTO public.thing (id) SELECT g FROM generate_series(1000, 101000) g;
SELECT is(public.recorded(), 'things:all', 'more than 100,000 rows mean all; rows without a value for the cause mean nothing');
TRUNCATE public.thing;
SELECT is(public.recorded(), 'things:all thingset:all', 'TRUNCATE means all');
BEGIN; INSERT INTO public.thing (id) VALUES (1); ROLLBACK;
SELECT is(public.recorded(), 'nothing', 'what is rolled back is not recorded');
INSERT INTO public.thing (id, body) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET body = excluded.body;
INSERT INTO public.thing (id, body) VALUES (1, 'y') ON CONFLICT (id) DO UPDATE SET body = excluded.body;
SELECT is(public.recorded(), 'things:thing{1} things:thing{1}', 'INSERT ON CONFLICT is recorded either way');
SELECT throws_ok($$INSERT INTO nmsp_feed.dependency VALUES ('things', 'public.holder', '{nope}') ON CONFLICT (feed, relation) DO UPDATE
                   SET columns = excluded.columns; SELECT nmsp_feed.install_triggers()$$, '42703', NULL, 'a dependency on a column that does not exist is refused');
SET session_replication_role TO replica;
UPDATE public.thing SET body = 'applied' WHERE id = 1;
RESET session_replication_role;
SELECT is(public.recorded(), 'things:thing{1}', 'changes that logical replication applies are recorded by a row trigger');
CREATE ROLE nmsp_test_writer;
GRANT INSERT, UPDATE, DELETE, SELECT ON public.thing TO nmsp_test_writer;
SET ROLE nmsp_test_writer;
UPDATE public.thing SET body = 'by a writer' WHERE id = 1;
SELECT throws_ok('INSERT INTO nmsp_feed.change (feed, cause) VALUES (''things'', ''all'')', '42501', NULL, 'nobody writes changes by hand');
SELECT throws_ok('SELECT * FROM nmsp_feed.pull(1)', '42501', NULL, 'nobody pulls');
RESET ROLE;
SELECT is(public.recorded(), 'things:thing{1}', 'a writer needs no right on the feed''s tables');

-- ---- targets
DELETE FROM public.thing;
INSERT INTO public.thing (id, body) SELECT g, 'b' || g FROM generate_series(1, 5) g;
SELECT throws_ok($$INSERT INTO nmsp_feed.target (feed, root) VALUES ('things', 'relative')$$, '23514', NULL, 'a root must be absolute');
SELECT throws_ok($$INSERT INTO nmsp_feed.target (feed, root) VALUES ('things', '/srv/../etc')$$, '23514', NULL, 'and without ..');
INSERT INTO nmsp_feed.target (feed, root) VALUES ('things', '/srv/things') RETURNING id AS t \gset
SELECT throws_ok(format('SELECT * FROM nmsp_feed.pull(%s)', :t), '25000', NULL, 'pull() insists on one snapshot');
SELECT is((SELECT wait_ms FROM nmsp_feed.targets() WHERE id = :t), 0::bigint, 'a new target is due at once');
:feeder
SELECT is(:'did'::text, 'put thing/1, put thing/2, put thing/3, put thing/4, put thing/5', 'a new target is reconciled whole');
:feeder
SELECT is(:'did'::text, 'nothing', 'then there is nothing to do');
SELECT is((SELECT wait_ms FROM nmsp_feed.targets() WHERE id = :t), 10000::bigint, 'and nothing in sight: so far it looks ahead in time');
SELECT is((SELECT state || ' ' || artifacts || ' ' || bytes FROM nmsp_feed.status WHERE target_id = :t), 'in step 5 10', 'status counts what is in place');
CREATE VIEW public.miscounted AS
    SELECT t.id FROM nmsp_feed.target t LEFT JOIN nmsp_feed.artifact a ON a.target_id = t.id
     GROUP BY t.id HAVING (t.artifacts, t.quarantined, t.bytes) IS DISTINCT FROM (count(a.path), count(a.error), coalesce(sum(a.size), 0));

UPDATE public.thing SET body = 'c2' WHERE id = 2;
DELETE FROM public.thing WHERE id = 5;
SELECT is((SELECT queue FROM nmsp_feed.status WHERE target_id = :t), 2::bigint, 'status counts what waits');
:feeder
SELECT is(:'did'::text, 'drop thing/5, put thing/2', 'changes are pulled: put what differs, drop what is gone');
:feeder
SELECT is(:'did'::text, 'remove thing/5', 'the file of what is gone goes after it left the manifest');
:feeder
SELECT is((SELECT count(*) FROM nmsp_feed.gone), 0::bigint, 'once');
UPDATE public.thing SET body = 'x' WHERE id = 2; UPDATE public.thing SET body = 'c2' WHERE id = 2;
:feeder
SELECT is(:'did'::text, 'nothing', 'what is as it was is not written');

UPDATE nmsp_feed.feed SET grace = '1 h' WHERE name = 'things';
UPDATE public.thing SET doc = '{"path": "moved"}' WHERE id = 1;
:feeder
SELECT is(:'did'::text, 'put moved', 'a renamed artifact is put under its new name');
:feeder
SELECT is(:'did'::text, 'nothing', 'its old name is served on for the grace time');
SELECT ok((SELECT remove_after - clock_timestamp() FROM nmsp_feed.gone WHERE target_id = :t) BETWEEN '50 min' AND '1 h', 'it is known when the old name is due');
UPDATE public.thing SET doc = NULL WHERE id = 1;
:feeder
UPDATE nmsp_feed.gone SET remove_after = now() - interval '1 s';
:feeder
SELECT is(:'did'::text, 'remove moved', 'a name that is in use again is not removed');
UPDATE nmsp_feed.feed SET grace = '0' WHERE name = 'things';

-- ---- quarantine
UPDATE public.thing SET body = CASE id WHEN 1 THEN 'boom' ELSE 'd' || id END;
:feeder
SELECT is(:'did'::text, 'put thing/2, put thing/3, put thing/4', 'an artifact that cannot be rendered does not stop the others');
SELECT is((SELECT string_agg(id || ' ' || path || ' ' || error, ',') FROM nmsp_feed.quarantine), '1 thing/1 division by zero', 'it is quarantined with its error, the old file stays');
SELECT is((SELECT state || ': ' || error FROM nmsp_feed.status WHERE target_id = :t), 'quarantine: division by zero', 'status says so');
UPDATE public.thing SET body = 'b1' WHERE id = 1;
:feeder
SELECT is((SELECT count(*) FROM nmsp_feed.quarantine), 0::bigint, 'rendered as before: the error clears without a write');
UPDATE public.thing SET doc = '{"path": "thing/2"}' WHERE id = 1;
:feeder
SELECT is((SELECT error FROM nmsp_feed.quarantine), 'path "thing/2" belongs to artifact 2 of part "thing"', 'two artifacts cannot have one path');
UPDATE public.thing SET doc = NULL, body = 'refuse me' WHERE id = 1;
CALL public.feeder(:t, 'thing/1') \gset
SELECT is((SELECT error FROM nmsp_feed.quarantine), 'refused', 'what the feeder refuses is quarantined');
UPDATE public.thing SET body = 'again' WHERE id = 1; UPDATE public.thing SET body = 'refuse me' WHERE id = 1;
:feeder
SELECT is(:'did'::text, 'nothing', 'refused content is not tried again');
UPDATE public.thing SET body = 'good' WHERE id = 1;
:feeder
SELECT is(:'did'::text, 'put thing/1', 'other content is');
SELECT is((SELECT count(*) FROM nmsp_feed.quarantine), 0::bigint, 'and clears the error');

-- ---- bulk
INSERT INTO public.thing (id, body) SELECT g, 'b' FROM generate_series(101, 125) g;
:feeder
SELECT is((SELECT cause || ' ' || done FROM nmsp_feed.bulk), 'thing 10', 'a cause of many artifacts becomes one row of bulk, walked in batches');
SELECT is((SELECT count(*) FROM nmsp_feed._pending(:t)), 0::bigint, 'and the snapshot moves on');
SELECT is((SELECT concat_ws(' ', run, cause, done, total) FROM nmsp_feed.progress), 'walk thing 10', 'progress shows the walk');
SELECT ok(nmsp_feed.count_more(:t), 'what a walk will see is counted in slices');
SELECT is((SELECT concat_ws(' ', done, total, bar, remaining IS NOT NULL) FROM nmsp_feed.progress), '10 25 [########............]  40 % t', 'then progress has a bar');
SELECT ok(NOT nmsp_feed.count_more(:t), 'until all is counted');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT token FROM nmsp_feed.pull(:t, 'many') WHERE action = 'batch' \gset
SELECT is((SELECT string_agg(path, ',' ORDER BY id) FILTER (WHERE id IN (110, 111, 120, 121)) FROM nmsp_feed.pull(:t, 'many')), 'thing/111,thing/120', 'lane many: the next batch of the walk');
SELECT is((SELECT count(*) FROM nmsp_feed.pull(:t, 'many', ARRAY[:'token']) WHERE action = 'put'), 5::bigint, 'and the one behind a batch on its way');
COMMIT;
UPDATE public.thing SET body = 'meets' WHERE id = 115;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT is((SELECT string_agg(action, ',') FROM nmsp_feed.pull(:t, 'single', ARRAY[:'token'])), 'wait', 'lane single: a change of what is on its way waits');
SELECT is((SELECT string_agg(action || coalesce(' ' || path, ''), ',') FROM nmsp_feed.pull(:t, 'single')), 'put thing/115,batch', 'else it is pulled alone');
ROLLBACK;
UPDATE public.thing SET body = 'single' WHERE id = 4;
:feeder
SELECT alike(:'did'::text, 'put thing/4%', 'a single change overtakes');
:feeder
:feeder
SELECT is((SELECT count(*) FROM nmsp_feed.bulk), 0::bigint, 'the walk ends');
SELECT is((SELECT count(*) FROM nmsp_feed.artifact WHERE target_id = :t), 29::bigint, 'with every artifact in place');
UPDATE public.thing SET remark = remark, body = body || '' WHERE id > 0;
INSERT INTO nmsp_feed.bulk (target_id, cause) VALUES (:t, 'all');
:feeder
SELECT is(:'did'::text, 'again', 'a batch in which nothing differs asks for the next one');
:feeder
:feeder
SELECT is((SELECT count(*) FROM nmsp_feed.bulk), 0::bigint, 'until the walk ends');
UPDATE nmsp_feed.feed SET behind_rows = 5 WHERE name = 'things';
DELETE FROM public.thing WHERE id > 110;
:feeder
SELECT is((SELECT cause FROM nmsp_feed.bulk), 'all', 'a target that is too far behind is reconciled whole');
:feeder
:feeder
SELECT is((SELECT count(*) FROM nmsp_feed.artifact WHERE target_id = :t), 14::bigint, 'which also drops what is gone');
UPDATE nmsp_feed.feed SET behind_rows = 100000 WHERE name = 'things';

-- ---- snapshots, pruning, restore
:feeder
:feeder
:feeder
SELECT ok(nmsp_feed.prune() > 0, 'prune() says how many rows it deletes');
SELECT is((SELECT count(*) FROM nmsp_feed.change WHERE feed = 'things'), 0::bigint, 'what every target has is pruned');
UPDATE public.thing SET body = 'e' WHERE id = 1;
SELECT nmsp_feed.prune() \g /dev/null
SELECT is((SELECT count(*) FROM nmsp_feed.change WHERE feed = 'things'), 1::bigint, 'what a target does not have is kept');
UPDATE nmsp_feed.target SET home = 'elsewhere' WHERE id = :t;
INSERT INTO nmsp_feed.change (feed, cause, ids, xid) VALUES ('things', 'thing', '{1}', '999999999999');
:feeder
SELECT is((SELECT count(*) FROM nmsp_feed._pending(:t)), 0::bigint, 'after a restore elsewhere snapshots are void and foreign changes go');
SELECT ok((SELECT check_requested IS NOT NULL FROM nmsp_feed.target WHERE id = :t), 'and disk is compared');
SELECT nmsp_feed.checked(:t, (SELECT check_requested FROM nmsp_feed.target WHERE id = :t)) \g /dev/null
SELECT is((SELECT check_requested FROM nmsp_feed.target WHERE id = :t), NULL, 'checked() ends a comparison');

-- ---- failures
SELECT nmsp_feed.fail(:t, NULL, 'disk full') \g /dev/null
UPDATE public.thing SET body = 'f' WHERE id = 1;
SELECT ok((SELECT blocked AND wait_ms BETWEEN 1 AND 1000 FROM nmsp_feed.targets() WHERE id = :t), 'a failed target is tried again after a while');
UPDATE nmsp_feed.target SET attempted_at = now() - interval '2 s', next_attempt = now() + interval '1 h' WHERE id = :t;
SELECT ok((SELECT NOT blocked AND wait_ms = 0 FROM nmsp_feed.targets() WHERE id = :t), 'or at once when there is a newer change');
UPDATE nmsp_feed.target SET attempted_at = now() + interval '1 h', next_attempt = now() + interval '1 h 1 s' WHERE id = :t;
SELECT ok((SELECT NOT blocked FROM nmsp_feed.targets() WHERE id = :t), 'or when the clock was set back since');
UPDATE nmsp_feed.target SET attempts = 20 WHERE id = :t;
SELECT nmsp_feed.fail(:t, NULL, 'still full') \g /dev/null
SELECT ok((SELECT next_attempt - attempted_at BETWEEN '3 s' AND '4.1 s' FROM nmsp_feed.target WHERE id = :t), 'a cheap attempt is made every 4 s at least');
SELECT nmsp_feed.fail(:t, jsonb_build_object('at', clock_timestamp() - interval '9 s')::text, 'dear') \g /dev/null
SELECT ok((SELECT next_attempt - attempted_at BETWEEN '90 s' AND '91 s' FROM nmsp_feed.target WHERE id = :t), 'a dear one after ten times as long as it took');
SELECT nmsp_feed.unblock() \g /dev/null
SELECT ok((SELECT NOT blocked FROM nmsp_feed.targets() WHERE id = :t), 'a feeder that starts waits for nothing');
:feeder
:feeder
SELECT is((SELECT error FROM nmsp_feed.status WHERE target_id = :t), NULL, 'success clears the error');
SELECT throws_ok('SELECT nmsp_feed.reconcile(999999)', 'P0002', NULL, 'reconcile() of a target that is not there');
SELECT is(nmsp_feed.reconcile(:t, true), 1::bigint, 'reconcile() whole');
SELECT is((SELECT snapshot::text FROM nmsp_feed.target WHERE id = :t), NULL, 'voids the snapshot');
UPDATE nmsp_feed.target SET root = '/srv/elsewhere' WHERE id = :t;
SELECT is((SELECT count(*) FROM nmsp_feed.artifact WHERE target_id = :t), 0::bigint, 'a new root has an empty manifest');

-- ---- sets
INSERT INTO nmsp_feed.target (feed, root) VALUES ('thingset', '/srv/set') RETURNING id AS t \gset
:feeder
SELECT is((SELECT count(*) FROM nmsp_feed.artifact WHERE target_id = :t), 14::bigint, 'a set is pulled in one piece');
UPDATE public.thing SET holder_id = 7, body = 'g' WHERE id IN (1, 2);
CALL public.feeder(:t, 'thing/1$') \gset
UPDATE public.thing SET holder_id = 8, body = 'h' WHERE id = 3;
:feeder
SELECT is(:'did'::text, 'put thing/1, put thing/3', 'what was refused is tried again with the next change of a set');

SELECT is_empty('SELECT * FROM public.miscounted', 'after all that the numbers of each target are those of its manifest');
DROP VIEW public.miscounted;
SELECT is((SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'nmsp_feed'::regnamespace AND a.grantee = 0), 0::bigint, 'PUBLIC has no right on feed tables');
SELECT is((SELECT string_agg(c.relname, ', ') FROM pg_class c WHERE c.relnamespace = 'nmsp_feed'::regnamespace AND c.relkind IN ('r', 'v')
              AND obj_description(c.oid) IS NULL), NULL, 'every table and view has a comment');
SELECT is((SELECT count(*) FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'nmsp'
            WHERE d.deptype = 'e' AND (d.classid, d.objid) IN (SELECT 'pg_class'::regclass, oid FROM pg_class WHERE relnamespace = 'nmsp_feed'::regnamespace)),
          0::bigint, 'no table belongs to the extension');
SELECT * FROM finish();

DELETE FROM nmsp_feed.target WHERE feed IN ('things', 'thingset');
DROP TABLE public.thing, public.holder;
DELETE FROM nmsp_feed.feed WHERE name IN ('things', 'thingset');
DELETE FROM nmsp_feed.change;
DROP FUNCTION public.recorded(), public.thing_keys, public.thing_render;
DROP PROCEDURE public.feeder;
DROP ROLE nmsp_test_writer;
