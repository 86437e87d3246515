#!/usr/bin/python3
"""Many artifacts, many targets: walks show how far they are, single changes overtake them, a change of
what is on its way is not lost, slow and failing targets delay nobody, old names stay for a while,
ranks hold across feeders, and two feeders never write one folder."""

import os
import statistics
import sys
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib")]

import cluster  # noqa: E402
import tap  # noqa: E402
from cluster import literal  # noqa: E402
from waiting import wait_until  # noqa: E402

COUNT = 3000
SCHEMA = r"""
CREATE TABLE public.toy (id bigint PRIMARY KEY, owner bigint NOT NULL DEFAULT 1, body text NOT NULL DEFAULT '', path text);
CREATE TABLE public.owner (id bigint PRIMARY KEY, body text NOT NULL);
CREATE FUNCTION public.toy_keys(target bigint, cause text, ids bigint[], after_part text, after_id bigint, max_rows int)
RETURNS TABLE (part text, id bigint) LANGUAGE sql STABLE AS $$
    SELECT 'toy', k.id FROM (SELECT unnest(ids) WHERE cause = 'toy'
                             UNION SELECT t.id FROM public.toy t WHERE cause = 'all' OR cause = 'owner' AND t.owner = ANY (ids)) k(id)
     WHERE after_id IS NULL OR k.id > after_id ORDER BY k.id LIMIT max_rows $$;
CREATE FUNCTION public.toy_render(target bigint, part text, ids bigint[])
RETURNS TABLE (id bigint, path text, content bytea) LANGUAGE sql STABLE AS $$
    SELECT t.id, coalesce(t.path, format('%s/%s.conf', t.id / 1000, t.id)), convert_to(format(E'%s %s\n', o.body, t.body), 'UTF8')
      FROM public.toy t JOIN public.owner o ON o.id = t.owner WHERE t.id = ANY (ids) $$;
CREATE FUNCTION public.list_keys(target bigint, cause text, ids bigint[], after_part text, after_id bigint, max_rows int)
RETURNS TABLE (part text, id bigint) LANGUAGE sql STABLE AS $$ SELECT 'list', 1::bigint WHERE after_id IS NULL $$;
CREATE FUNCTION public.list_render(target bigint, part text, ids bigint[])
RETURNS TABLE (id bigint, path text, content bytea) LANGUAGE sql STABLE AS $$
    SELECT 1::bigint, 'list', convert_to(string_agg(coalesce(t.path, '-'), E'\n' ORDER BY t.id), 'UTF8') FROM public.toy t WHERE t.id <= 20 $$;
INSERT INTO nmsp_feed.feed (name, mode, keys_function, render_function, validate_command, reload_command, rank, batch_rows, bulk_rows, grace)
VALUES ('toys', 'file', 'public.toy_keys', 'public.toy_render', NULL, NULL, 1, 100, 50, '2 s'),
       ('hangs', 'file', 'public.toy_keys', 'public.toy_render', NULL, 'hang', 1, 100, 50, '0'),
       ('list', 'set', 'public.list_keys', 'public.list_render', NULL, NULL, 2, 100, 50, '0');
INSERT INTO nmsp_feed.dependency (feed, relation, columns) SELECT f, 'public.toy', '{body,path}' FROM unnest('{toys,list,hangs}'::text[]) f;
INSERT INTO nmsp_feed.dependency (feed, relation, columns) VALUES ('toys', 'public.owner', '{body}');
SELECT nmsp_feed.install_triggers();
INSERT INTO public.owner VALUES (1, 'first'), (2, 'other');
"""
HANG = "#!/bin/sh\nwhile [ -e \"$1/hang\" ]; do sleep 0.1; done\n"


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


class Bed:
    def __init__(self, stack):
        self.db = cluster.Cluster({"shared_preload_libraries": "nmsp", "nmsp.databases": "postgres", "nmsp.feeders": "3",
                                   "max_worker_processes": 16, "fsync": "on"})
        self.db.init()
        stack.callback(self.db.close)
        self.roots = os.path.join(self.db.folder, "roots")
        os.makedirs(self.roots)
        os.chown(self.roots, os.stat(self.db.data).st_uid, -1)
        script = os.path.join(self.db.folder, "hang.sh")
        with open(script, "w") as file:
            file.write(HANG)
        os.chmod(script, 0o755)
        commands = os.path.join(self.db.folder, "commands")
        with open(commands, "w") as file:
            file.write(f"hang {script} %r\n")
        self.db.configure({"nmsp.feed_roots": self.roots, "nmsp.command_file": commands})
        self.db.start()
        self.sql("CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate();")
        self.sql(SCHEMA)
        self.sql(f"INSERT INTO public.toy (id) SELECT g FROM generate_series(1, {COUNT}) g")
        for feed in ("toys", "list", "hangs"):
            self.sql(f"INSERT INTO nmsp_feed.target (feed, root) VALUES ('{feed}', {literal(os.path.join(self.roots, feed))})")
        self.settled(60)

    def sql(self, text):
        return self.db.psql(text)

    def path(self, number, feed="toys"):
        return os.path.join(self.roots, feed, str(number // 1000), f"{number}.conf")

    def file(self, number, feed="toys"):
        return read(self.path(number, feed))

    def settled(self, deadline=30.0, where="true"):
        return self.db.wait_for("SELECT string_agg(feed || ' ' || state || ' ' || coalesce(error, ''), ', ') FROM nmsp_feed.status "
                                f"WHERE {where} AND (state <> 'in step' OR check_requested IS NOT NULL)",
                                lambda value: value is None, deadline)

    def wrong(self, feed="toys"):
        rows = self.db.query("SELECT t.id, o.body || ' ' || t.body FROM public.toy t JOIN public.owner o ON o.id = t.owner WHERE t.path IS NULL")
        return [number for number, text in rows if self.file(int(number), feed) != text + "\n"]


def filled(t, bed):
    t.is_(bed.db.value("SELECT count(*) FROM nmsp.worker_status WHERE worker = 'feeder' AND state = 'running'"), "3", "three feeders run")
    t.is_(bed.wrong(), [], f"{COUNT} files are in place")
    t.is_(bed.db.query("SELECT feed, artifacts, quarantined FROM nmsp_feed.status ORDER BY 1"),
          [["hangs", str(COUNT), "0"], ["list", "1", "0"], ["toys", str(COUNT), "0"]], "each target knows how many it has")
    t.is_(bed.db.value("SELECT count(*) FROM nmsp_feed.progress"), "0", "nothing is under way")


def overtaken(t, bed):
    times, bars = [], []
    begin = time.monotonic()
    bed.sql("UPDATE public.owner SET body = 'second' WHERE id = 1")
    with bed.db.session() as session:
        for turn in range(1000):
            number = 1 + (turn * 997) % COUNT
            start = time.perf_counter()
            session.run(f"UPDATE public.toy SET body = 'single {turn}' WHERE id = {number}")
            wait_until(lambda: bed.file(number), lambda text: text == f"second single {turn}\n", 20, "a single change", interval=0.001)
            times.append((time.perf_counter() - start) * 1000)
            row = bed.db.query("SELECT run, cause, done, total, bar FROM nmsp_feed.progress WHERE run = 'walk'")
            if not row:
                break
            bars.extend(row)
    bed.settled(60)
    t.diag(f"walk over {COUNT} files: {time.monotonic() - begin:.1f} s; {len(times)} single changes meanwhile: p50 "
           f"{statistics.median(times):.0f} ms, longest {max(times):.0f} ms")
    t.ok(len(times) > 1 and bars, "single changes overtake a walk", [times, bars])
    t.ok(all(bar[0] == "walk" and bar[1] == "owner" and int(bar[2]) <= COUNT for bar in bars), "progress shows it", bars)
    t.ok(any(bar[3] == str(COUNT) and bar[4].endswith("%") for bar in bars), "with the total, and a bar", bars)
    t.is_(bed.wrong(), [], "all files are right afterwards")


def same_files(t, bed):
    """Changes of just those files that the walk is writing, there and back again."""
    bed.sql("UPDATE public.toy SET body = ''")
    bed.settled(60)
    for turn in range(3):
        bed.sql(f"UPDATE public.owner SET body = 'turn {turn}' WHERE id = 1")
        with bed.db.session() as session:
            for number in range(1, COUNT, 60):
                session.run(f"UPDATE public.toy SET owner = 2, body = 'x' WHERE id = {number}")
                session.run(f"UPDATE public.toy SET owner = 1, body = CASE id % 2 WHEN 0 THEN '' ELSE '{turn}' END WHERE id = {number}")
        bed.settled(60)
        t.is_(bed.wrong()[:5], [], f"turn {turn}: changes of what is on its way are not lost")


def hanging(t, bed):
    flag = os.path.join(bed.roots, "hangs", "hang")
    open(flag, "w").close()
    bed.sql("UPDATE public.toy SET body = 'hangs' WHERE id = 5")
    wait_until(lambda: bed.file(5, "hangs"), lambda text: text and "hangs" in text, 10, "the target that hangs")
    times = []
    for turn in range(10):
        start = time.perf_counter()
        bed.sql(f"UPDATE public.toy SET body = 'beside {turn}' WHERE id = 6")
        wait_until(lambda: bed.file(6), lambda text: text and f"beside {turn}" in text, 10, "the other target", interval=0.002)
        times.append((time.perf_counter() - start) * 1000)
    t.ok("beside 9" not in (bed.file(6, "hangs") or ""), "a target whose command hangs is stuck")
    t.ok(max(times) < 5000, "and delays no other", times)
    t.diag(f"a change beside a command that hangs: p50 {statistics.median(times):.0f} ms, longest {max(times):.0f} ms")
    os.unlink(flag)
    bed.settled(60)
    t.like(bed.file(6, "hangs"), "beside 9", "it catches up")


def listed(bed):
    text = read(os.path.join(bed.roots, "list", "current", "list"))
    return [line for line in (text or "").split("\n") if line != "-"]


def names(t, bed):
    """The list announces names that the other target serves: never before they are there; old ones stay."""
    early, gone = [], []
    for turn in range(5):
        old, new = f"name-{turn}", f"name-{turn + 1}"
        bed.sql(f"UPDATE public.toy SET path = '{new}' WHERE id = 7")
        end = time.monotonic() + 15
        while listed(bed) != [new] and time.monotonic() < end:
            if turn and listed(bed) == [old] and read(os.path.join(bed.roots, "toys", old)) is None:
                gone.append(old)
        if read(os.path.join(bed.roots, "toys", new)) is None:
            early.append(new)
        if turn and read(os.path.join(bed.roots, "toys", old)) is None:
            gone.append(old)
    t.is_(listed(bed), ["name-5"], "the name is announced")
    t.is_(early, [], "by one feeder only when another one has put the file in place")
    t.is_(gone, [], "the old name is served on after that")
    wait_until(lambda: os.path.exists(os.path.join(bed.roots, "toys", "name-4")), lambda there: not there, 20, "the end of the grace time")
    t.ok(True, "until the grace time is over")
    bed.sql("UPDATE public.toy SET path = NULL WHERE id = 7")
    bed.settled(30)


def left(bed, numbers):
    """How many files of these are there, by feed."""
    return {feed: sum(os.path.exists(bed.path(number, feed)) for number in numbers) for feed in ("toys", "hangs")}


def removed(t, bed):
    """Many artifacts that go at once take their files with them, at once or when the grace time is over."""
    for count in (40, 500):
        numbers = range(2001, 2001 + count)
        begun = time.monotonic()
        bed.sql(f"DELETE FROM public.toy WHERE id BETWEEN {numbers[0]} AND {numbers[-1]}")
        wait_until(lambda: left(bed, numbers)["hangs"], lambda n: n == 0, 15, "files that have no grace time")
        first = time.monotonic() - begun
        wait_until(lambda: left(bed, numbers)["toys"], lambda n: n == 0, 15, "the end of the grace time")
        t.ok(True, f"{count} artifacts that go at once take their files with them")
        t.diag(f"without grace time {first:.1f} s, with 2 s of it {time.monotonic() - begun:.1f} s")
        bed.sql(f"INSERT INTO public.toy (id) SELECT g FROM generate_series({numbers[0]}, {numbers[-1]}) g")
        bed.settled(30)


def dealt_anew(t, bed):
    for feeders in (1, 3):
        bed.db.configure({"nmsp.feeders": str(feeders)})
        bed.db.reload()
        bed.db.wait_for("SELECT count(*) FROM nmsp.worker_status WHERE worker = 'feeder' AND state = 'running'", str(feeders), 30)
        bed.sql(f"UPDATE public.toy SET body = 'feeders {feeders}' WHERE id <= 40")
        wait_until(lambda: [bed.file(40), bed.file(40, "hangs")], lambda got: all(text and f"feeders {feeders}" in text for text in got), 30,
                   "files of all targets")
        bed.settled(30)
        t.ok(True, f"with {feeders} feeders every target has one that serves it")
    t.is_(bed.db.value("SELECT count(*) FROM nmsp_feed.target WHERE error IS NOT NULL"), "0", "no folder was fought over")


def checked(t, bed):
    bad = bed.path(1234)
    with open(bad, "w") as file:
        file.write("tampered")
    bed.sql("SELECT nmsp_feed.reconcile()")
    bed.settled(60)
    wait_until(bed.wrong, lambda wrong: wrong == [], 10, "mended files")
    t.ok(True, "a reconcile mends what was tampered with")
    t.is_(bed.db.value("SELECT count(*) FROM nmsp_feed.progress"), "0", "and is over")
    t.is_(bed.db.value("SELECT string_agg(t.feed, ',') FROM nmsp_feed.target t JOIN (SELECT target_id, count(path) AS a, count(error) AS q, sum(size) AS b "
                       "FROM nmsp_feed.artifact GROUP BY 1) m ON m.target_id = t.id WHERE (t.artifacts, t.quarantined, t.bytes) <> (m.a, m.q, m.b)"),
          None, "the numbers of each target are those of its manifest")


def story(t, stack):
    tap.require(cluster.missing())
    bed = Bed(stack)
    stack.callback(lambda: t.diag(bed.db.log_tail(25)) if t.failed or sys.exc_info()[0] else None)
    for part in (filled, overtaken, same_files, hanging, names, removed, dealt_anew, checked):
        t.diag(f"-- {part.__name__.replace('_', ' ')}")
        part(t, bed)


tap.main(story)
