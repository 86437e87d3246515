"""Parts files and bind of feed_bench.py: what daemons read from disk or take as updates."""

import os
import random
import shutil
import struct
import subprocess
import threading
import time

import feed_bed as beds
import feed_download
from feed_bed import CHANGES, percentile, result, say

import agents
import named as binds
import tftp
from cluster import literal
from waiting import wait_until

FILES = int(os.environ.get("FEED_BENCH_FILES") or beds.MODEMS)
NO_ACCESS, ACCESS = feed_download.NO_ACCESS, feed_download.ACCESS
IN_STEP = ("SELECT string_agg(format('%s %s %s', feed, state, error), '; ') FROM nmsp_feed.status "
           "WHERE enabled AND (state <> 'in step' OR check_requested IS NOT NULL)")
POLL = 0.0005


def settle(database, deadline):
    """Waits until the targets are in step; a failed one is an error."""
    def look():
        state = database.value(IN_STEP)
        if state and "failed" in state:
            raise RuntimeError(f"{database.name}: {state}")
        return state
    wait_until(look, lambda state: state is None, deadline, f"targets of {database.name} in step", interval=0.1)


def feed(bed, database):
    """The feeder serves this database alone, in the daemons' namespace; returns its process id."""
    bed.db.configure({"nmsp.databases": database.name})
    bed.db.reload()
    return int(wait_until(lambda: database.value("SELECT pid FROM nmsp.worker_status WHERE worker = 'feeder' AND state = 'running'"),
                          bool, 60, "the feeder"))


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def until_file(path, test, deadline=60.0):
    """Milliseconds until the file at a path passes a test."""
    begin = time.monotonic()
    while not test(read(path)):
        if time.monotonic() - begin > deadline:
            raise RuntimeError(f"{path}: not right after {deadline} s")
        time.sleep(POLL)
    return (time.monotonic() - begin) * 1000


class Target:
    """A tftpd target of a database."""

    def __init__(self, bed, database):
        self.database = database
        self.root = bed.fresh_folder("feeds", f"tftp-{database.name}", owner="postgres")
        self.pid = feed(bed, database)

    def path(self, number):
        folder = f"{number // 1000}/" if number >= 1000 else ""
        return os.path.join(self.root, "cm", folder, f"cm-{number}.cfg")

    def fill(self):
        """Seconds until all files are there."""
        self.database.sql("DELETE FROM nmsp_feed.target WHERE feed = 'tftpd'")
        begin = time.monotonic()
        self.database.sql(f"INSERT INTO nmsp_feed.target (feed, root) VALUES ('tftpd', {literal(self.root)})")
        settle(self.database, 7200)
        return time.monotonic() - begin

    def singles(self, count):
        """Milliseconds from commit to file of single changes."""
        times = []
        with self.database.session() as session:
            for turn in range(count):
                number = 1 + turn * max(1, self.database.modems // count) % self.database.modems
                for allowed, wanted in (("false", NO_ACCESS), ("true", ACCESS)):
                    session.run(f"UPDATE nmsp.modem SET internet_access = {allowed} WHERE id = {number}")
                    times.append(until_file(self.path(number), lambda data, start=wanted: data.startswith(start)))
        return times

    def fan_out(self, bed, agent):
        """One service class of all modems changes. Returns seconds until all files are right, the
        milliseconds of single changes meanwhile, and downloads meanwhile: (all, stale)."""
        rate = 200_000_000 + random.randrange(10**6)
        wanted = struct.pack("!I", rate)
        singles, downloads, stale = [], 0, 0
        done = threading.Event()

        def wait():
            try:
                settle(self.database, 7200)
            finally:
                done.set()

        with self.database.session() as session:
            begin = time.monotonic()
            session.run(f"UPDATE nmsp.service_class SET ds_rate = {rate}")
            waiter = threading.Thread(target=wait)
            waiter.start()
            while not done.is_set():
                number = random.randrange(1, self.database.modems + 1)
                data = tftp.fetch(agent.address, os.path.relpath(self.path(number), self.root), enter=bed.load.entered).data
                downloads, stale = downloads + 1, stale + (wanted not in data)
                session.run(f"UPDATE nmsp.modem SET internet_access = false WHERE id = {number}")
                singles.append(until_file(self.path(number), lambda data: data.startswith(NO_ACCESS)))
                session.run(f"UPDATE nmsp.modem SET internet_access = true WHERE id = {number}")
                done.wait(0.2)
            waiter.join()
        seconds = time.monotonic() - begin
        wrong = sum(wanted not in read(self.path(random.randrange(1, self.database.modems + 1))) for _ in range(1000))
        if wrong:
            raise RuntimeError(f"{wrong} of 1000 files are not right")
        return seconds, singles, (downloads, stale)


def bare_loop(bed, root):
    """(seconds for new files, seconds for replaced ones) of write_files.c with the same names and bytes."""
    place = bed.fresh_folder("feeds", "bare", owner="postgres")
    done = subprocess.run(["runuser", "-u", "postgres", "--", os.path.join(bed.programs, "write_files"), place, "-c", root,
                           "-r", "2"], capture_output=True, text=True, check=True)
    say("  bare loop: " + "; ".join(done.stdout.split("\n")[:2]))
    shutil.rmtree(place, ignore_errors=True)
    return tuple(beds.numbers(line)["seconds"] for line in done.stdout.splitlines()[:2])


def files(bed):
    """Files for tftpd-hpa: single changes, and one service class of all modems."""
    database = bed.database("big" if FILES == beds.MODEMS else "files", FILES)
    few = Target(bed, bed.few)
    few_new = few.fill()
    agent = feed_download.agent_of(bed, agents.Agent, bed.few)
    with agent:
        few_again = few.fan_out(bed, agent)[0]
    bed.few.sql("DELETE FROM nmsp_feed.target")
    target = Target(bed, database)
    new = target.fill()
    say(f"  {database.modems} files made in {new:.1f} s ({database.modems / new:.0f}/s)")
    times = target.singles(CHANGES // 2)
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    say(f"  files: {len(times)} single changes of {database.modems} modems, commit to file p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    result("files-change", f"{p50:.2f}ms", f"p99={p99:.2f}ms", f"{p50 / 10:.2f}", "10ms", p50 <= 10)
    agent = feed_download.agent_of(bed, agents.Agent, database)
    with agent:
        seconds, singles, (downloads, stale) = target.fan_out(bed, agent)
    say(f"  one service class of {database.modems} modems: all files right after {seconds:.1f} s ({database.modems / seconds:.0f}/s); "
        f"meanwhile {len(singles)} single changes, p50 {percentile(singles, 0.5):.1f} ms, p99 {percentile(singles, 0.99):.1f} ms, "
        f"longest {max(singles):.1f} ms; {downloads} downloads, {stale} of them stale")
    say(f"  memory of the feeder {beds.high_water(target.pid):.0f} MB, with {bed.few.modems} modems {beds.high_water(few.pid) if os.path.exists(f'/proc/{few.pid}') else 0:.0f} MB")
    result("fanout-stale", f"{stale}/{downloads}", "-", f"{stale}", "0", not stale)
    slowest = percentile(singles, 0.99)
    result("fanout-singles", f"{slowest:.1f}ms", "-", f"{slowest / 100:.2f}", "100ms", slowest <= 100)
    bare = bare_loop(bed, target.root)
    result("files-new", f"{new:.1f}s", f"{bare[0]:.1f}s", f"{new / bare[0]:.2f}", "1.2", new / bare[0] <= 1.2)
    result("fanout-files", f"{seconds:.1f}s", f"{bare[1]:.1f}s", f"{seconds / bare[1]:.2f}", "1.2", seconds / bare[1] <= 1.2)
    for name, large, small in (("files-scale", new, few_new), ("fanout-scale", seconds, few_again)):
        ours, other = large / database.modems * 1e6, small / bed.few.modems * 1e6
        result(name, f"{ours:.0f}us", f"{other:.0f}us", f"{ours / other:.2f}", "1.2", ours / other <= 1.2)
    database.sql("DELETE FROM nmsp_feed.target")
    bed.db.configure({"nmsp.databases": ""})
    bed.db.reload()
    shutil.rmtree(target.root, ignore_errors=True)


# -- BIND


def bind(bed):
    """named, by dynamic updates: the whole zones, then single changes."""
    if binds.missing():
        say(f"bench bind absent: {binds.missing()}")
        return
    database = bed.database("big" if FILES == beds.MODEMS else "files", FILES)
    folder = bed.fresh_folder("run", "named")
    shutil.chown(folder, "bind")
    bed.net.server.run(["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"])
    server = binds.Named(bed.net.server, folder, bed.own_address())
    server.probe = "example.test"
    key = binds.make_key()
    key_file = os.path.join(bed.folder, "tsig.key")
    with open(key_file, "w") as out:
        out.write(key)
    os.chmod(key_file, 0o600)
    shutil.chown(key_file, "postgres")
    with open(bed.commands, "w") as out:
        out.write(f"bind-update /usr/bin/nsupdate -v -t 30 -k {key_file}\nbind-read /usr/bin/dig -k {key_file} -f -\n")
    root = os.path.join(bed.roots, "bind")
    shutil.rmtree(root, ignore_errors=True)
    settings = f"jsonb_build_object('server', {literal(server.address)}, 'folder', {literal(folder)})"
    database.sql("DELETE FROM nmsp_feed.target; INSERT INTO nmsp_feed.target (feed, root, enabled, settings) VALUES "
                 f"('bind', {literal(root)}, false, {settings})")
    zones = dict(database.query("SELECT file, content FROM nmsp_feed.bind_zones()"))
    server.configure(key, zones.pop("named.conf"), zones.items())
    with server:
        pid = feed(bed, database)
        begin = time.monotonic()
        database.sql("UPDATE nmsp_feed.target SET enabled = true")
        settle(database, 7200)
        seconds = time.monotonic() - begin
        count = int(database.value("SELECT artifacts FROM nmsp_feed.target"))
        say(f"  {count} record sets served after {seconds:.1f} s ({count / seconds:.0f}/s); memory of named "
            f"{beds.high_water(server.pid):.0f} MB, of the feeder {beds.high_water(pid):.0f} MB")
        times = []
        with database.session() as session:
            for turn in range(CHANGES):
                number = 2 + 2 * turn
                address = f"10.1.{252 + turn // 250 % 4}.{turn % 250}"
                old = session.run(f"SELECT host(address) FROM nmsp.modem WHERE id = {number}").strip()
                session.run(f"UPDATE nmsp.modem SET address = '{address}' WHERE id = {number}")
                begin = time.monotonic()
                while server.query(f"cm-{number}.example.test", "A") != [address]:
                    time.sleep(POLL)
                times.append((time.monotonic() - begin) * 1000)
                session.run(f"UPDATE nmsp.modem SET address = '{old}' WHERE id = {number}")
                while server.query(f"cm-{number}.example.test", "A") != [old]:
                    time.sleep(POLL)
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        say(f"  bind: {len(times)} single changes among {count} record sets, commit to answer p50 {p50:.2f} ms, p99 {p99:.2f} ms")
        result("bind-change", f"{p50:.2f}ms", f"p99={p99:.2f}ms", f"{p50 / 10:.2f}", "10ms", p50 <= 10)
        database.sql("DELETE FROM nmsp_feed.target")
    bed.db.configure({"nmsp.databases": ""})
    bed.db.reload()
