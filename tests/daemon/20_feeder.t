#!/usr/bin/env python3
"""The feeder's life: commits reach disk, and whatever kills it, nothing is lost or half written.

Needs no daemon: two toy feeds (mode file and mode set) over a toy table, with a validator that is
a shell script.
"""

import glob
import os
import signal
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "lib"))

import processes
import tap
from cluster import Cluster, SqlError, literal, missing
from waiting import wait_until

TOY = r"""
CREATE TABLE public.toy (
    id bigint PRIMARY KEY, body text NOT NULL, note text, path text, owner bigint DEFAULT 0);
CREATE FUNCTION public.toy_keys(target bigint, cause text, ids bigint[], after_part text, after_id bigint, max_rows int)
RETURNS TABLE (part text, id bigint) LANGUAGE sql STABLE AS $$
    SELECT 'toy', k.id FROM (SELECT unnest(ids) WHERE cause = 'toy'
                             UNION SELECT t.id FROM public.toy t WHERE cause = 'all'
                             UNION SELECT t.id FROM public.toy t WHERE cause = 'owner' AND t.owner = ANY (ids)) k(id)
     WHERE after_id IS NULL OR k.id > after_id ORDER BY k.id LIMIT max_rows $$;
CREATE FUNCTION public.toy_render(target bigint, part text, ids bigint[])
RETURNS TABLE (id bigint, path text, content bytea) LANGUAGE sql STABLE AS $$
    SELECT t.id, coalesce(t.path, format('d%s/f%s.conf', t.id % 10, t.id)),
           convert_to(t.body || CASE WHEN t.body = 'boom' THEN (1 / (t.id - t.id))::text ELSE '' END || E'\n', 'UTF8')
      FROM public.toy t WHERE t.id = ANY (ids) $$;
INSERT INTO nmsp_feed.feed (name, mode, keys_function, render_function, validate_command, rank, batch_rows, bulk_rows, command_timeout)
VALUES ('toyfile', 'file', 'public.toy_keys', 'public.toy_render', NULL, 1, 500, 1000, '60 s'),
       ('toyset', 'set', 'public.toy_keys', 'public.toy_render', 'toy-check', 2, 500, 1000, '60 s');
INSERT INTO nmsp_feed.dependency (feed, relation, columns)
VALUES ('toyfile', 'public.toy', '{body,path}'), ('toyset', 'public.toy', '{body,path}');
SELECT nmsp_feed.install_triggers();
"""

# Refuses every file that says "broken", in the manner of a daemon: file, line, words.
CHECK = r"""#!/bin/sh
touch "$1/validating"
while [ -e "$1/slow" ]; do sleep 0.05; done
rm -f "$1/validating"
cd "$1/next" || exit 9
bad=$(grep -rl broken . | sort | head -1)
[ -z "$bad" ] && exit 0
printf '%s line 1: semicolon expected. \377\n' "${bad#./}"
exit 1
"""


def write(path, text, mode=0o644):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


class Bed:
    """A server with the two toy targets."""

    def __init__(self, stack):
        self.db = Cluster({"shared_preload_libraries": "nmsp", "nmsp.databases": "postgres", "nmsp.feeders": "1",
                           "fsync": "on"})
        self.db.init()
        stack.callback(self.db.close)
        self.roots = os.path.join(self.db.folder, "roots")
        os.makedirs(self.roots)
        os.chown(self.roots, os.stat(self.db.data).st_uid, -1)
        script = os.path.join(self.db.folder, "check.sh")
        write(script, CHECK, 0o755)
        commands = os.path.join(self.db.folder, "commands")
        write(commands, f"# names\ntoy-check {script} %r\n")
        self.db.configure({"nmsp.feed_roots": self.roots, "nmsp.command_file": commands})
        self.db.start()
        self.files = os.path.join(self.roots, "files")
        self.set = os.path.join(self.roots, "set")

    def sql(self, text):
        return self.db.psql(text)

    def file(self, number):
        return read(os.path.join(self.files, f"d{number % 10}", f"f{number}.conf"))

    def in_set(self, number):
        return read(os.path.join(self.set, "current", f"d{number % 10}", f"f{number}.conf"))

    def target(self, feed):
        return self.db.value(f"SELECT id FROM nmsp_feed.target WHERE feed = {literal(feed)}")

    def settled(self, deadline=30.0, where="true"):
        """Waits until nothing is queued, walked or checked any more."""
        return self.db.wait_for("SELECT string_agg(state || ' ' || coalesce(error, ''), ', ') FROM nmsp_feed.status "
                                f"WHERE {where} AND (state = 'working' OR check_requested IS NOT NULL)",
                                lambda value: value is None, deadline)

    def status(self, feed, column):
        return self.db.value(f"SELECT {column} FROM nmsp_feed.status WHERE feed = {literal(feed)}")

    def feeder(self):
        return self.db.wait_for("SELECT pid FROM nmsp.worker_status WHERE worker = 'feeder' AND state = 'running'",
                                lambda pid: pid is not None, 60)

    def leftovers(self):
        return [name for root in (self.files, self.set) for name in
                glob.glob(os.path.join(root, ".nmsp-*", "*")) + glob.glob(os.path.join(root, ".nmsp-[!t]*"))]


def starts(t, bed):
    db = bed.db
    wait_until(lambda: read(db.log), lambda log: log and "the schema of nmsp is absent" in log, 20, "log line")
    t.like(read(db.log), r"HINT:  CREATE EXTENSION nmsp CASCADE; SELECT nmsp\.migrate\(\)",
           "without a schema the feeder waits and says how to get one")
    bed.sql("CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate();")
    bed.sql(TOY)
    t.is_(db.value("SELECT count(*) FROM nmsp.worker_status WHERE state = 'running'"), "2",
          "worker_status shows launcher and feeder")
    bed.sql("INSERT INTO public.toy (id, body) SELECT g, 'first ' || g FROM generate_series(1, 20) g")
    bed.sql(f"INSERT INTO nmsp_feed.target (feed, root) VALUES ('toyfile', {literal(bed.files)})")
    wait_until(lambda: bed.file(20), lambda text: text == "first 20\n", 15, "first files")
    bed.settled()
    t.is_(len(glob.glob(bed.files + "/d*/f*.conf")), 20, "a new target is filled whole")
    t.is_(bed.status("toyfile", "state"), "in step", "and is in step")


def latency(t, bed):
    times = []
    with bed.db.session() as session:
        for turn in range(60):
            number = turn % 20 + 1
            text = f"turn {turn}"
            # psql reports after the commit; the clock starts before it, so this is an upper limit
            begin = time.perf_counter()
            session.run(f"UPDATE public.toy SET body = {literal(text)} WHERE id = {number}")
            end = begin + 10
            while bed.file(number) != text + "\n" and time.perf_counter() < end:
                pass
            times.append((time.perf_counter() - begin) * 1000)
    times = sorted(times[10:])
    t.diag(f"update to file: p50 {statistics.median(times):.1f} ms, p95 {times[int(len(times) * .95)]:.1f} ms")
    t.ok(statistics.median(times) < 500, "a committed change is on disk at once", times)
    before = os.stat(os.path.join(bed.files, "d1", "f1.conf")).st_mtime_ns
    bed.settled()
    bed.sql("UPDATE public.toy SET note = 'no matter' WHERE id = 1; UPDATE public.toy SET body = body WHERE id = 1")
    bed.sql("UPDATE public.toy SET body = 'marker' WHERE id = 2")
    wait_until(lambda: bed.file(2), lambda text: text == "marker\n", 10, "marker")
    t.is_(os.stat(os.path.join(bed.files, "d1", "f1.conf")).st_mtime_ns, before,
          "what does not change an artifact does not touch its file")
    bed.sql("DELETE FROM public.toy WHERE id = 3; UPDATE public.toy SET path = 'renamed.conf' WHERE id = 4")
    wait_until(lambda: (bed.file(3), bed.file(4), read(bed.files + "/renamed.conf") is not None),
               lambda got: got == (None, None, True), 10, "delete and rename")
    t.ok(True, "delete and rename reach disk")
    bed.sql("UPDATE public.toy SET path = NULL WHERE id = 4")


def out_of_order(t, bed):
    with bed.db.session() as one:
        one.run("BEGIN")
        one.run("UPDATE public.toy SET body = 'late commit' WHERE id = 5")
        bed.sql("UPDATE public.toy SET body = 'early commit' WHERE id = 6")
        wait_until(lambda: bed.file(6), lambda text: text == "early commit\n", 10, "the second writer's change")
        bed.settled()
        one.run("COMMIT")
        wait_until(lambda: bed.file(5), lambda text: text == "late commit\n", 10, "the first writer's change")
    t.ok(True, "a transaction that began first and commits last is not lost")
    bed.sql("BEGIN; UPDATE public.toy SET body = 'never' WHERE id = 5; ROLLBACK")
    bed.settled()
    t.is_(bed.file(5), "late commit\n", "what is rolled back never reaches disk")


def quarantine(t, bed):
    bed.sql("UPDATE public.toy SET body = CASE id WHEN 7 THEN 'boom' ELSE 'beside ' || id END WHERE id BETWEEN 6 AND 9")
    wait_until(lambda: [bed.file(n) for n in (6, 8, 9)],
               lambda got: got == ["beside 6\n", "beside 8\n", "beside 9\n"], 10, "neighbours")
    t.is_(bed.db.query("SELECT id, error FROM nmsp_feed.quarantine"), [["7", "division by zero"]],
          "an artifact that cannot be rendered is quarantined alone")
    bed.sql("UPDATE public.toy SET path = '../outside' WHERE id = 8; UPDATE public.toy SET path = '/etc/x' WHERE id = 9;"
            "UPDATE public.toy SET body = 'after' WHERE id = 10")
    wait_until(lambda: bed.file(10), lambda text: text == "after\n", 10, "the neighbour")
    bed.settled()
    errors = bed.db.value("SELECT string_agg(error, '; ' ORDER BY id) FROM nmsp_feed.quarantine WHERE id > 7")
    t.like(errors, r'\.\./outside" is refused: it has a component "\.\.".*absolute', "paths that lead out are refused")
    t.is_(os.path.exists(os.path.join(bed.roots, "outside")), False, "and nothing was written there")
    bed.sql("UPDATE public.toy SET path = NULL, body = 'well again' WHERE id IN (7, 8, 9)")
    wait_until(lambda: [bed.file(n) for n in (7, 8, 9)], lambda got: got == ["well again\n"] * 3, 10, "mended rows")
    bed.settled()
    t.is_(bed.db.value("SELECT count(*) FROM nmsp_feed.quarantine"), "0", "a mended row clears the error")


def symlink(t, bed):
    outside = os.path.join(bed.db.folder, "outside")
    os.makedirs(outside)
    os.chown(outside, os.stat(bed.db.data).st_uid, -1)
    os.symlink(outside, os.path.join(bed.files, "link"))
    bed.sql("UPDATE public.toy SET path = 'link/f' WHERE id = 11")
    bed.settled()
    t.like(bed.db.value("SELECT error FROM nmsp_feed.quarantine WHERE id = 11"), "could not write",
           "a symlink below the root is not followed")
    t.is_(os.listdir(outside), [], "nothing was written behind it")
    bed.sql("UPDATE public.toy SET path = NULL WHERE id = 11")
    bed.settled()
    for root in ("/tmp/not-allowed", bed.roots + "-beside/x"):
        bed.sql(f"INSERT INTO nmsp_feed.target (feed, name, root) VALUES ('toyfile', 'stray', {literal(root)})")
        bed.db.wait_for("SELECT error FROM nmsp_feed.status WHERE name = 'stray'", lambda value: value)
        t.like(bed.db.value("SELECT error FROM nmsp_feed.status WHERE name = 'stray'"), "not inside a folder",
               f"root {os.path.basename(os.path.dirname(root))} outside of nmsp.feed_roots is refused")
        t.is_(os.path.exists(root), False, "and not made")
        bed.sql("UPDATE public.toy SET body = 'not blocked by stray' WHERE id = 12")
        wait_until(lambda: bed.file(12), lambda text: text == "not blocked by stray\n", 10, "the other target")
        bed.sql("DELETE FROM nmsp_feed.target WHERE name = 'stray'; UPDATE public.toy SET body = 'x' WHERE id = 12")


def tampered(t, bed):
    bed.settled()
    good = bed.file(13)
    write(os.path.join(bed.files, "d3", "f13.conf"), "tampered\n")
    os.unlink(os.path.join(bed.files, "d4", "f14.conf"))
    bed.sql("SELECT nmsp_feed.reconcile()")
    bed.settled()
    wait_until(lambda: (bed.file(13), bed.file(14) is not None), lambda got: got == (good, True), 10, "mended files")
    t.ok(True, "reconcile() mends a changed and a removed file")
    os.rename(bed.files, bed.files + ".old")
    bed.sql("UPDATE public.toy SET body = 'in a new folder' WHERE id = 15")
    wait_until(lambda: (bed.file(15), bed.file(13)), lambda got: got == ("in a new folder\n", good), 10, "a new root")
    t.ok(True, "a root that was replaced is filled again")
    pid = bed.feeder()
    write(os.path.join(bed.files, "d3", "f13.conf"), "tampered again\n")
    bed.sql(f"SELECT pg_terminate_backend({pid})")
    wait_until(lambda: bed.file(13), lambda text: text == good, 15, "mended at start")
    t.ok(bed.feeder() != pid, "a terminated feeder is started again and mends what it finds changed")


def kill_in_the_middle(t, bed):
    bed.sql("INSERT INTO public.toy (id, body) SELECT g, 'bulk 0' FROM generate_series(1001, 3000) g")
    bed.settled(60)
    begin = time.perf_counter()
    bed.sql("UPDATE public.toy SET body = 'bulk 1 ' || repeat('x', 900) WHERE id > 1000")
    bed.settled(60)
    t.diag(f"2,000 artifacts replaced in {(time.perf_counter() - begin) * 1000:.0f} ms")
    paths = [os.path.join(bed.files, f"d{n % 10}", f"f{n}.conf") for n in range(1001, 3001)]
    for turn in range(2, 4):
        texts = {f"bulk {n} " + "x" * 900 + "\n" for n in (turn - 1, turn)}
        pid = int(bed.feeder())
        bed.sql(f"UPDATE public.toy SET body = 'bulk {turn} ' || repeat('x', 900) WHERE id > 1000")
        wait_until(lambda: sum(read(path).startswith(f"bulk {turn}") for path in paths[:700]), lambda n: n > 100, 30,
                   "first files of the change", interval=0.001)
        bed.db.kill9(pid)
        found = [read(path) for path in paths]
        t.is_([text[:40] for text in found if text not in texts][:3], [], f"kill -9 no. {turn - 1}: no half file under a final name")
        bed.db.wait_up()
        bed.feeder()
        bed.settled(60)
        t.is_(sum(read(path) != f"bulk {turn} " + "x" * 900 + "\n" for path in paths), 0, "afterwards all is right")
        t.is_(bed.leftovers(), [], "no temp is left over")
    t.like(read(bed.db.log), "runs did not end cleanly", "the crash brake noticed")
    bed.sql("INSERT INTO nmsp_feed.bulk (target_id, cause) SELECT id, 'all' FROM nmsp_feed.target; SELECT nmsp_feed.wake()")
    bed.settled(10)
    t.ok(True, "a walk in which nothing differs goes on to its end")
    bed.sql("DELETE FROM public.toy WHERE id > 1000")
    bed.settled(60)
    t.is_([path for path in paths if os.path.exists(path)][:3], [], "2,000 artifacts removed")


def sets(t, bed):
    bed.sql("DELETE FROM public.toy WHERE id > 20")
    bed.sql(f"INSERT INTO nmsp_feed.target (feed, root) VALUES ('toyset', {literal(bed.set)})")
    wait_until(lambda: bed.in_set(20), deadline=15, what="the first generation")
    bed.settled()
    first = os.readlink(os.path.join(bed.set, "current"))
    t.is_(read(os.path.join(bed.set, "ready")), first + "\n", "the stamp names the generation in service")
    unchanged = os.stat(os.path.join(bed.set, "current/d2/f2.conf")).st_ino
    bed.sql("UPDATE public.toy SET body = 'new generation' WHERE id = 1")
    wait_until(lambda: bed.in_set(1), lambda text: text == "new generation\n", 10, "the second generation")
    t.is_(os.stat(os.path.join(bed.set, "current/d2/f2.conf")).st_ino, unchanged, "unchanged files are hard links")
    bed.settled()
    second = os.readlink(os.path.join(bed.set, "current"))
    ready = os.stat(os.path.join(bed.set, "ready")).st_mtime_ns
    bed.sql("UPDATE public.toy SET body = 'broken' WHERE id = 2")
    bed.db.wait_for("SELECT count(*) FROM nmsp_feed.quarantine WHERE feed = 'toyset'", "1")
    t.is_(os.readlink(os.path.join(bed.set, "current")), second, "a refused set leaves the generation in service")
    t.is_(os.stat(os.path.join(bed.set, "ready")).st_mtime_ns, ready, "and the daemon is left alone")
    t.like(bed.status("toyset", "error"), r"d2/f2\.conf line 1: semicolon expected. \?$", "status shows the daemon's message")
    old = bed.in_set(2)
    bed.sql("UPDATE public.toy SET body = 'the rest goes on' WHERE id BETWEEN 4 AND 5")
    wait_until(lambda: bed.in_set(5), lambda text: text == "the rest goes on\n", 10, "the rest")
    t.is_(bed.in_set(2), old, "the refused file keeps its old version")
    bed.sql("UPDATE public.toy SET body = 'mended' WHERE id = 2")
    wait_until(lambda: bed.in_set(2), lambda text: text == "mended\n", 10, "the mended file")
    bed.settled()
    t.is_(bed.status("toyset", "error"), None, "a mended row clears the message")
    bed.sql("INSERT INTO public.toy (id, body) VALUES (21, 'broken from birth'); UPDATE public.toy SET body = 'beside it' WHERE id = 6")
    wait_until(lambda: bed.in_set(6), lambda text: text == "beside it\n", 10, "the rest")
    t.is_(bed.in_set(21), "", "an empty file stands in for a refused one that never was")
    bed.sql("DELETE FROM public.toy WHERE id IN (2, 21); UPDATE public.toy SET path = 'moved' WHERE id = 1")
    wait_until(lambda: (bed.in_set(1), bed.in_set(2), read(bed.set + "/current/moved") is not None),
               lambda got: got == (None, None, True), 10, "delete and rename in a set")
    bed.settled()
    t.is_(bed.in_set(21), None, "it goes with its row")
    t.ok(len(glob.glob(bed.set + "/g-*")) <= 2, "old generations are removed", glob.glob(bed.set + "/*"))


def whole_set(t, bed):
    """The validator fails and names nobody."""
    commands = os.path.join(bed.db.folder, "commands")
    good = read(commands)
    write(commands, "toy-check /bin/sh -c \"echo out of memory; exit 3\"\n")
    before = os.readlink(os.path.join(bed.set, "current"))
    bed.sql("UPDATE public.toy SET body = 'not yet' WHERE id = 5")
    bed.db.wait_for("SELECT error FROM nmsp_feed.target WHERE feed = 'toyset'", lambda value: value)
    t.is_(bed.status("toyset", "error"), 'command "toy-check" failed with status 3: out of memory',
          "a failure that names no file is the target's")
    t.is_(os.readlink(os.path.join(bed.set, "current")), before, "the old generation stays whole")
    write(commands, good, 0o664)
    bed.db.wait_for("SELECT error FROM nmsp_feed.target WHERE feed = 'toyset'",
                    lambda value: value and "nobody else may write" in value)
    t.ok(True, "a command file that others may write is refused")
    write(commands, good)
    bed.sql("UPDATE public.toy SET body = 'now' WHERE id = 5")
    wait_until(lambda: bed.in_set(5), lambda text: text == "now\n", 15, "the set after the failure")
    t.is_(bed.status("toyset", "error"), None, "it is tried again and the error clears")


def child_runs(bed):
    wait_until(lambda: os.path.exists(os.path.join(bed.set, "validating")), bool, 10, "the validator")


def ranks(t, bed):
    slow = os.path.join(bed.set, "slow")
    write(slow, "")
    bed.sql("UPDATE public.toy SET body = 'set waits' WHERE id = 6")
    child_runs(bed)
    bed.sql("UPDATE public.toy SET body = 'came meanwhile' WHERE id = 16")
    t.ok(bed.in_set(6) != "set waits\n", "the set is not in service while it is validated")
    os.unlink(slow)
    wait_until(lambda: bed.in_set(6), lambda text: text == "set waits\n", 10, "the set")
    t.is_(bed.file(16), "came meanwhile\n", "a lower rank is brought up to date before the set goes into service")
    bed.settled()


def kill_while_validating(t, bed):
    slow = os.path.join(bed.set, "slow")
    write(slow, "")
    before = bed.in_set(17)
    bed.sql("UPDATE public.toy SET body = 'killed' WHERE id BETWEEN 17 AND 18")
    child_runs(bed)
    bed.db.kill9(int(bed.feeder()))
    bed.db.wait_up()
    t.is_(bed.in_set(17), before, "kill -9 while a set is validated: the old generation stays")
    os.unlink(slow)
    wait_until(lambda: (bed.in_set(17), bed.in_set(18)), lambda got: got == ("killed\n", "killed\n"), 30, "the set after the kill")
    bed.settled()
    t.ok(len(glob.glob(bed.set + "/g-*")) <= 2, "and goes into service after it", glob.glob(bed.set + "/*"))


def fast_stop(t, bed):
    write(os.path.join(bed.set, "slow"), "")
    bed.sql("UPDATE public.toy SET body = 'while a child runs' WHERE id = 6")
    child_runs(bed)
    begin = time.perf_counter()
    bed.db.stop("fast")
    took = time.perf_counter() - begin
    t.ok(took < 2, f"stop -m fast takes {took:.2f} s while a child runs")
    os.unlink(os.path.join(bed.set, "slow"))
    bed.db.start()
    wait_until(lambda: bed.in_set(6), lambda text: text == "while a child runs\n", 20, "the set after the restart")
    t.ok(True, "and the set goes into service after the restart")


def brake(t, bed):
    bed.db.configure({"nmsp.databases": "postgres"})
    waits = []
    for turn in range(2):
        pid = int(bed.feeder())
        os.kill(pid, signal.SIGSEGV)
        wait_until(lambda: processes.alive(pid), lambda alive: not alive, 10, "the crash")
        begin = time.perf_counter()
        bed.db.wait_up()
        bed.feeder()
        waits.append(time.perf_counter() - begin)
    t.diag(f"crashing worker waited {waits[0]:.1f} s, then {waits[1]:.1f} s")
    t.ok(waits[0] >= 1.9 and waits[1] >= 3.9, "the crash brake slows down a worker that crashes again", waits)
    with bed.db.session() as session:
        session.run("SELECT 1")
    bed.sql("UPDATE public.toy SET body = 'after the crashes' WHERE id = 7")
    wait_until(lambda: bed.file(7), lambda text: text == "after the crashes\n", 15, "the file after the crashes")
    t.ok(True, "and then it works on")


def databases(t, bed):
    db = bed.db
    db.configure({"nmsp.databases": "postgres, later"})
    db.reload()
    db.wait_for("SELECT count(*) FROM nmsp.worker_status WHERE database = 'postgres' AND state = 'running'", "1")
    bed.sql("CREATE DATABASE later")
    db.wait_for("SELECT state FROM nmsp.worker_status WHERE database = 'later'", "running", 30)
    t.ok(True, "a database that is made later gets its feeder")
    bed.sql("DROP DATABASE later WITH (FORCE)")
    db.wait_for("SELECT state FROM nmsp.worker_status WHERE database = 'later'", "stopped", 10)
    t.ok(True, "DROP DATABASE WITH (FORCE) is survived")
    db.configure({"nmsp.databases": "postgres"})
    db.reload()
    bed.sql("DROP EXTENSION nmsp CASCADE; UPDATE public.toy SET body = 'without code' WHERE id = 8")
    t.ok(True, "after DROP EXTENSION the user's tables still take writes")
    bed.sql("CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate()")
    wait_until(lambda: bed.file(8), lambda text: text == "without code\n", 15, "the change made without code")
    t.ok(True, "and the feeder catches up after CREATE EXTENSION")


def pruned(t, bed):
    bed.settled()
    bed.sql("SELECT nmsp_feed.prune()")
    t.is_(bed.db.value("SELECT count(*) FROM nmsp_feed.change"), "0", "changes that every target has are deleted")


def story(t, stack):
    tap.require(missing())
    bed = Bed(stack)
    stack.callback(lambda: t.diag(bed.db.log_tail(25)) if t.failed or sys.exc_info()[0] else None)
    bed.db  # the server runs from here on
    for part in (starts, latency, out_of_order, quarantine, symlink, tampered, kill_in_the_middle, sets, whole_set,
                 ranks, kill_while_validating, fast_stop, brake, databases, pruned):
        t.diag(f"-- {part.__name__.replace('_', ' ')}")
        part(t, bed)


tap.main(story)
