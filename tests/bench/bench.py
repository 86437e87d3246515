#!/usr/bin/python3
"""Measures the codec and the rendering of files in a throw-away server.

usage: bench.py LIBRARY [NAME ...]      LIBRARY: bench_digest.so; NAME: these measurements only

BENCH_MODEMS   rows of nmsp.modem (default 1,000,000)
BENCH_CALLS    calls of each function whose memory is watched (default 10,000,000)
BENCH_ROUNDS   rounds; medians count (default 5)

Ratios come first: what a figure is compared with is measured in the same run, round by round. Each
measurement ends in a line

    bench NAME ours=... other=... ratio=... target=... met|short

A figure that falls short is no failure. Exit status: 0 unless something could not be measured.
"""

import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import cluster  # noqa: E402

MODEMS = int(os.environ.get("BENCH_MODEMS") or 1_000_000)
CALLS = int(os.environ.get("BENCH_CALLS") or 10_000_000)
ROUNDS = int(os.environ.get("BENCH_ROUNDS") or 5)
SECRET = "bench secret"
SETTINGS = {"shared_preload_libraries": "nmsp", "nmsp.databases": "", "fsync": "off",
            "autovacuum": "off", "shared_buffers": "512MB", "max_wal_size": "4GB", "jit": "off",
            "max_parallel_workers_per_gather": "0"}
# Files that take part in the floor: all there are, when modems of equal settings share theirs.
SAMPLE = 512


def say(line=""):
    print(line, flush=True)


def result(name, ours, other, ratio, target, met):
    """The line that counts."""
    verdict = "met" if met else "short"
    say(f"bench {name} ours={ours} other={other} ratio={ratio} target={target} {verdict}")


def rate(value):
    return f"{value:.0f}/s"


class Bench:
    """One session of a server that holds the model."""

    def __init__(self, db):
        self.db = db
        self.session = db.session("bench")
        self.run("SET session_replication_role = replica")

    def run(self, sql):
        return self.session.run(sql).strip()

    def value(self, sql):
        return self.run(sql).splitlines()[-1]

    def seconds(self, sql):
        """Time of a statement in the server, without the cost of watching its nodes."""
        plan = self.run(f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY ON) {sql}")
        return float(re.search(r"Execution Time: ([0-9.]+) ms", plan)[1]) / 1000

    def per_second(self, expression):
        """Calls per second of an expression over bench.input i, less what the empty loop costs."""
        empty, full = [], []
        loop = "FROM bench.rows r, bench.input i"
        for _ in range(ROUNDS):
            empty.append(self.seconds(f"SELECT count(i.bytes) {loop}"))
            full.append(self.seconds(f"SELECT count({expression}) {loop}"))
        return 100_000 / (statistics.median(full) - statistics.median(empty))

    def use_template(self, template):
        """Gives every modem this template, in a table without holes."""
        self.run(f"UPDATE nmsp.modem SET template_id = {template} WHERE template_id <> {template}")
        self.run("VACUUM (FULL, FREEZE, ANALYZE) nmsp.modem")

    def floor(self, count):
        """(way, seconds) of the fastest way to make the digests of that many modems' files."""
        self.run("DROP TABLE IF EXISTS bench.files")
        self.run("CREATE TABLE bench.files AS SELECT array_agg(nmsp.modem_config(m)::bytea) "
                 f"AS files FROM nmsp.modem m WHERE m.id <= {SAMPLE}")
        times = {way: [] for way in ("evp", "md5", "cryptohash")}
        loops = max(min(count, 500_000), 1)
        for _ in range(ROUNDS):
            for way, seconds in times.items():
                sql = f"SELECT bench.digests(files, '{SECRET}', {loops}, '{way}') FROM bench.files"
                seconds.append(float(self.value(sql)) * count / loops)
        medians = {way: statistics.median(seconds) for way, seconds in times.items()}
        say(f"  digests alone, of {count} files: " +
            ", ".join(f"{way} {seconds:.3f} s" for way, seconds in medians.items()))
        return min(medians.items(), key=lambda item: item[1])


def machine(bench):
    """What this runs on, and what it runs over."""
    with open("/proc/cpuinfo") as handle:
        model = re.search(r"model name\s*: (.*)", handle.read())
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=False)
    server = bench.value("SELECT version()").split(" on ")[0]
    sizes = bench.value("SELECT octet_length(source) || ' bytes of text, ' || "
                        "octet_length(sealed::bytea) || ' bytes of sealed file' FROM bench.input")
    say(f"machine  {model[1] if model else platform.processor()}, {os.cpu_count()} processors, "
        f"load {os.getloadavg()[0]:.2f}")
    say(f"system   {platform.platform()}, {server}, {openssl.stdout.split('(')[0].strip()}")
    say(f"date     {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC")
    say(f"input    {sizes}; {MODEMS} modems; medians of {ROUNDS} rounds")
    say()


# ---- measurements ----------------------------------------------------------------


def encode(bench):
    """Text with symbolic OIDs to sealed file."""
    ours = bench.per_second(f"docsis.encode(i.bytes, '{SECRET}')")
    _, seconds = bench.floor(100_000)
    floor = 100_000 / seconds
    result("encode", rate(ours), rate(floor), f"{ours / floor:.3f}", "50000/s", ours >= 50_000)


def decode(bench):
    """Sealed file to text, to jsonb, and its check."""
    verify = f"(docsis.verify(i.sealed, '{SECRET}')).cmts_mic"
    for name, expression, target in (("text", "docsis.text(i.sealed)", 100_000),
                                     ("jsonb", "i.sealed::jsonb", 100_000),
                                     ("verify", verify, 150_000)):
        ours = bench.per_second(expression)
        result(name, rate(ours), "-", f"{ours / target:.2f}", rate(target), ours >= target)


BARE = """SELECT count(*), count(m.mac), sum(octet_length(t.source) + octet_length(x.shared_secret)
          + c.ds_rate + c.us_rate + s.max_cpe) FROM nmsp.modem m
          JOIN nmsp.template t ON t.id = m.template_id
          JOIN nmsp.netgw_secret x ON x.netgw_id = m.netgw_id
          JOIN nmsp.service_class c ON c.id = m.service_class_id, nmsp.setting s"""
RENDER = "SELECT sum(octet_length(nmsp.modem_config(m)::bytea)) FROM nmsp.modem m"


def render(bench):
    """Rows of nmsp.modem to sealed files, joins included; then with a file of its own for each."""
    for name, template in (("render", 1), ("render-own", 2)):
        bench.use_template(template)
        way, floor = bench.floor(MODEMS)
        bare, full = [], []
        bench.seconds(BARE)
        for _ in range(ROUNDS):
            bare.append(bench.seconds(BARE))
            full.append(bench.seconds(RENDER))
        bare, full = statistics.median(bare), statistics.median(full)
        net = full - bare
        say(f"  {name}: {full:.3f} s in all ({MODEMS / full:.0f} files/s), {bare:.3f} s bare scan "
            f"and joins, {floor:.3f} s digests alone ({way}); {net / MODEMS * 1e6:.2f} us a file")
        result(name, f"{net:.3f}s", f"{floor:.3f}s", f"{net / floor:.2f}", "1.4",
               net / floor <= 1.4)


def scaling(bench):
    """Two processes against one: rendering a file for each modem, and the digests alone."""
    bench.use_template(2)
    way, _ = bench.floor(10_000)
    # 1000 slices. Each takes its array apart once, so it is a short one; a literal, since a query
    # for it would be no parallel plan.
    files = bench.value("SELECT files[1:16] FROM bench.files")
    digests = (f"SELECT sum(bench.digests('{files}', '{SECRET}', {max(MODEMS // 1000, 1)}, "
               f"'{way}')) FROM bench.slices s")
    times = {(what, processes): [] for what in ("render", "digests") for processes in (1, 2)}
    for name in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
        bench.run(f"SET {name} = 0")
    for _ in range(ROUNDS):
        for (what, processes), seconds in times.items():
            bench.run(f"SET max_parallel_workers_per_gather = {processes - 1}")
            sql = RENDER if what == "render" else digests
            if processes == 2 and "Partial Aggregate" not in bench.run(f"EXPLAIN {sql}"):
                raise RuntimeError(f"no parallel plan: {sql[:200]}")
            seconds.append(bench.seconds(sql))
    bench.run("RESET max_parallel_workers_per_gather")
    median = {key: statistics.median(seconds) for key, seconds in times.items()}
    for what in ("render", "digests"):
        say(f"  {what}: {median[what, 1]:.3f} s in one process, {median[what, 2]:.3f} s in two")
    ours = median["render", 1] / median["render", 2]
    other = median["digests", 1] / median["digests", 2]
    result("scaling", f"{ours:.2f}x", f"{other:.2f}x", f"{ours / other:.2f}", "0.95",
           ours / other >= 0.95)


def storage(bench):
    """Bytes of a stored file, with its header, against the file's own."""
    bench.run("CREATE TABLE IF NOT EXISTS bench.stored (config docsis.config)")
    bench.run("TRUNCATE bench.stored")
    bench.run("INSERT INTO bench.stored SELECT nmsp.modem_config(m) FROM nmsp.modem m "
              "WHERE m.id <= 10000")
    stored = float(bench.value("SELECT avg(pg_column_size(config)) FROM bench.stored"))
    file = float(bench.value("SELECT avg(octet_length(config::bytea)) FROM bench.stored"))
    result("storage", f"{stored:.1f}B", f"{file:.1f}B", f"{stored / file:.3f}", "1.1",
           stored / file <= 1.1)


MEMORY = {
    "parse": "docsis.parse(i.bytes)",
    "seal": f"docsis.seal(i.config, '{SECRET}')",
    "verify": f"(docsis.verify(i.sealed, '{SECRET}')).cm_mic",
    "text": "docsis.text(i.sealed)",
    "jsonb": "i.sealed::jsonb",
    "render": "nmsp.modem_config(m)",
}


def high_water(pid):
    """Peak of a process's resident memory, in kB."""
    with open(f"/proc/{pid}/status") as handle:
        return int(re.search(r"VmHWM:\s+(\d+)", handle.read())[1])


def call(session, name, count):
    """Calls a function of MEMORY that often."""
    if name != "render":
        session.run(f"SELECT count({MEMORY[name]}) FROM generate_series(1, {count}), bench.input i")
        return
    while count > 0:
        session.run(f"SELECT count({MEMORY[name]}) FROM (SELECT * FROM nmsp.modem LIMIT {count}) m")
        count -= MODEMS


def memory(bench):
    """Memory after 100,000 calls and after all: the session's contexts, and the process's peak."""
    contexts = "SELECT sum(total_bytes) FROM pg_backend_memory_contexts"
    first = min(100_000, CALLS)
    for name in MEMORY:
        session = Bench(bench.db)
        pid = session.value("SELECT pg_backend_pid()")
        session.value(contexts)
        session.run("SELECT count(*) FROM nmsp.modem")  # shared buffers that are seen count as well
        call(session, name, first)
        before, peak = int(session.value(contexts)), high_water(pid)
        for _ in range(10):
            call(session, name, (CALLS - first) // 10)
        after, last_peak = int(session.value(contexts)), high_water(pid)
        session.session.close()
        say(f"  {name}: contexts {before} B after {first} calls, {after} B after {CALLS}; "
            f"peak of the process {peak} kB, {last_peak} kB")
        # Some kB of catalog caches come late; a leak of one byte per call would be 10 MB.
        result("memory-" + name, f"{after}B", f"{before}B", f"{after / before:.3f}", "1.02",
               after <= 1.02 * before and last_peak <= 1.1 * peak)


def tool(bench):
    """The docsis tool, where there is one: a process per file."""
    program = shutil.which("docsis")
    if program is None:
        say("bench tool absent: there is no program docsis on PATH")
        return
    with tempfile.TemporaryDirectory() as folder:
        text, key, file = (os.path.join(folder, name) for name in ("text", "key", "file"))
        with open(text, "w") as handle:
            handle.write(bench.run("SELECT source FROM bench.input"))
        with open(key, "w") as handle:
            handle.write(SECRET + "\n")
        for name, words in (("tool-encode", ["-e", text, key, file]),
                            ("tool-decode", ["-d", file])):
            start = time.monotonic()
            for _ in range(200):
                subprocess.run([program, *words], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, check=True)
            say(f"bench {name} other={rate(200 / (time.monotonic() - start))}")


MEASUREMENTS = [encode, decode, render, scaling, storage, memory, tool]


def main():
    names = sys.argv[2:]
    with open(os.path.join(HERE, "template.txt")) as handle:
        variables = {"template": handle.read(), "secret": SECRET, "modems": MODEMS,
                     "library": os.path.abspath(sys.argv[1])}
    words = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
    with cluster.Cluster(SETTINGS) as db:
        db.psql("CREATE DATABASE bench")
        db.psql("CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate()", "bench")
        db.psql("", "bench", *words, "-f", os.path.join(HERE, "model.sql"))
        bench = Bench(db)
        machine(bench)
        for measure in MEASUREMENTS:
            if not names or measure.__name__ in names:
                measure(bench)


if __name__ == "__main__":
    main()
