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
SETTINGS = {"shared_preload_libraries": "nmsp", "nmsp.databases": "", "fsync": "off", "autovacuum": "off",
            "shared_buffers": "512MB", "max_wal_size": "4GB", "jit": "off", "max_parallel_workers_per_gather": "0"}
# Files that take part in the floor: enough for the real mix, few enough for the caches of the CPU to see
# what they would see between two files.
SAMPLE = 512

MODEL = """
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1'), ('cmts-2'), ('cmts-3');
INSERT INTO nmsp.netgw_secret SELECT id, '%(secret)s' FROM nmsp.netgw;
INSERT INTO nmsp.service_class (name, ds_rate, us_rate)
    SELECT 'class ' || i, 10000000 * i, 1000000 * i FROM generate_series(1, 20) i;
INSERT INTO nmsp.template (name, source) VALUES ('shared', $t$%(template)s$t$),
    ('own', 'SnmpMibObject sysName.0 String "{modem.hostname.0}";' || E'\\n' || $t$%(template)s$t$);
SET session_replication_role = replica;  -- no change feeds of what no daemon waits for
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id)
    SELECT ('02' || lpad(to_hex(i), 10, '0'))::macaddr, 1 + i %% 3, 1, 1 + i %% 20 FROM generate_series(1, %(modems)s) i;
RESET session_replication_role;
CREATE SCHEMA bench;
CREATE FUNCTION bench.digests(files bytea[], secret text, count bigint, way text) RETURNS float8
    LANGUAGE c STRICT PARALLEL SAFE AS '%(library)s', 'bench_digests';
CREATE TABLE bench.input AS
    SELECT source, convert_to(source, 'UTF8') AS bytes, docsis.parse(convert_to(source, 'UTF8')) AS config,
           docsis.seal(docsis.parse(convert_to(source, 'UTF8')), '%(secret)s') AS sealed
      FROM (SELECT E'Main {\\nNetworkAccess 1;\\nMaxCPE 2;\\n' ||
                   nmsp.expand_template(t.source, (nmsp.setting_values()).placeholders || nmsp.service_class_values(1)) || '}' AS source
              FROM nmsp.template t WHERE name = 'shared') x;
CREATE TABLE bench.rows AS SELECT i FROM generate_series(1, 100000) i;
CREATE TABLE bench.slices WITH (fillfactor = 10) AS SELECT i, repeat('x', 500) AS pad FROM generate_series(1, 1000) i;
ANALYZE;
"""


def say(line=""):
    print(line, flush=True)


def result(name, ours, other, ratio, target, met):
    """The line that counts."""
    say(f"bench {name} ours={ours} other={other} ratio={ratio} target={target} {'met' if met else 'short'}")


def rate(value):
    return f"{value:.0f}/s"


def machine(bench):
    """What this runs on."""
    with open("/proc/cpuinfo") as handle:
        model = re.search(r"model name\s*: (.*)", handle.read())
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=False).stdout.strip()
    say(f"machine  {model[1] if model else platform.processor()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}")
    say(f"system   {platform.platform()}, {bench.value('SELECT version()').split(' on ')[0]}, {openssl}")
    say(f"date     {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC")
    say(f"input    {bench.value('SELECT octet_length(source) FROM bench.input')} bytes of text, "
        f"{bench.value('SELECT octet_length(sealed::bytea) FROM bench.input')} bytes of sealed file; {MODEMS} modems, "
        f"{ROUNDS} rounds, medians")
    say()


class Bench:
    """One session of a server that holds the model."""

    def __init__(self, db):
        self.db = db
        self.session = db.session("bench")
        self.run("SET session_replication_role = replica")  # no triggers: nothing is fed here

    def run(self, sql):
        return self.session.run(sql).strip()

    def value(self, sql):
        return self.run(sql).splitlines()[-1]

    def seconds(self, sql):
        """Time of a statement in the server, as EXPLAIN ANALYZE tells it without looking at its nodes."""
        plan = self.run(f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY ON) {sql}")
        return float(re.search(r"Execution Time: ([0-9.]+) ms", plan)[1]) / 1000

    def per_second(self, expression, calls=100_000):
        """Calls per second of an expression over bench.input i, less what the empty loop costs."""
        empty, full = [], []
        for _ in range(ROUNDS):
            empty.append(self.seconds("SELECT count(i.bytes) FROM bench.rows r, bench.input i"))
            full.append(self.seconds(f"SELECT count({expression}) FROM bench.rows r, bench.input i"))
        return calls / (statistics.median(full) - statistics.median(empty))

    def files(self, template, count=SAMPLE):
        """SQL of an array of modems' files, as many as there are service classes and gateways in turn."""
        self.run(f"UPDATE nmsp.modem SET template_id = {template} WHERE id <= {count} AND template_id <> {template}")
        return f"(SELECT array_agg(nmsp.modem_config(m)::bytea) FROM nmsp.modem m WHERE id <= {count})"

    def floor(self, template, count):
        """(way, seconds) of the fastest way to make the digests of that many files."""
        files = self.files(template)
        self.run(f"DROP TABLE IF EXISTS bench.files; CREATE TABLE bench.files AS SELECT {files} AS files")
        times = {way: [] for way in ("evp", "md5", "cryptohash")}
        sample = max(min(count, 500_000), 1)
        for _ in range(ROUNDS):
            for way, seconds in times.items():
                seconds.append(float(self.value(
                    f"SELECT bench.digests(files, '{SECRET}', {sample}, '{way}') FROM bench.files")) * count / sample)
        medians = {way: statistics.median(seconds) for way, seconds in times.items()}
        say("  digests alone, of {} files: {}".format(count, ", ".join(f"{way} {s:.3f} s" for way, s in medians.items())))
        return min(medians.items(), key=lambda item: item[1])


# ---- measurements ----------------------------------------------------------------


def encode(bench):
    """Text with symbolic OIDs to sealed file."""
    ours = bench.per_second(f"docsis.encode(i.bytes, '{SECRET}')")
    _, seconds = bench.floor(1, 100_000)
    floor = 100_000 / seconds
    result("encode", rate(ours), rate(floor), f"{ours / floor:.3f}", "50000/s", ours >= 50_000)


def decode(bench):
    """Sealed file to text, to jsonb, and its check."""
    for name, expression, target in (("text", "docsis.text(i.sealed)", 100_000),
                                     ("jsonb", "i.sealed::jsonb", 100_000),
                                     ("verify", f"(docsis.verify(i.sealed, '{SECRET}')).cmts_mic", 150_000)):
        ours = bench.per_second(expression)
        result(name, rate(ours), "-", f"{ours / target:.2f}", rate(target), ours >= target)


BARE = """SELECT count(*), sum(octet_length(t.source) + octet_length(x.shared_secret) + c.ds_rate + c.us_rate + s.max_cpe),
          count(m.mac) FROM nmsp.modem m JOIN nmsp.template t ON t.id = m.template_id
          JOIN nmsp.netgw_secret x ON x.netgw_id = m.netgw_id
          JOIN nmsp.service_class c ON c.id = m.service_class_id, nmsp.setting s"""
RENDER = "SELECT sum(octet_length(nmsp.modem_config(m)::bytea)) FROM nmsp.modem m"


def render(bench):
    """A row of nmsp.modem to its sealed file, all joins included; then with a file for each modem."""
    for name, template in (("render", 1), ("render-own", 2)):
        bench.run(f"UPDATE nmsp.modem SET template_id = {template} WHERE template_id <> {template}")
        bench.run("VACUUM (FULL, FREEZE, ANALYZE) nmsp.modem")
        way, floor = bench.floor(template, MODEMS)
        bare, full = [], []
        bench.seconds(BARE)
        for _ in range(max(ROUNDS, 3)):
            bare.append(bench.seconds(BARE))
            full.append(bench.seconds(RENDER))
        bare, full = statistics.median(bare), statistics.median(full)
        ratio = (full - bare) / floor
        say(f"  {name}: {full:.3f} s in all, {bare:.3f} s bare scan and joins, {floor:.3f} s digests ({way}); "
            f"{MODEMS / full:.0f} files/s, {(full - bare) / MODEMS * 1e6:.3f} us/file beside the scan")
        result(name, f"{full - bare:.3f}s", f"{floor:.3f}s", f"{ratio:.2f}", "1.4", ratio <= 1.4)


PARALLEL = ("SET max_parallel_workers_per_gather = {}; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; "
            "SET min_parallel_table_scan_size = 0")


def scaling(bench):
    """Two cores against one: rendering, and the digests alone."""
    bench.run("ALTER TABLE nmsp.modem SET (parallel_workers = 1); ALTER TABLE bench.slices SET (parallel_workers = 1)")
    template = bench.value("SELECT template_id FROM nmsp.modem WHERE id = 1")
    way, _ = bench.floor(int(template), 10_000)
    digests = f"SELECT sum(bench.digests(f.files, '{SECRET}', {max(MODEMS // 1000, 1)}, '{way}')) FROM bench.slices s, bench.files f"
    # Each process takes the files apart once per slice; that is no part of the digests, and little.
    times = {(what, cores): [] for what in ("render", "digests") for cores in (1, 2)}
    for _ in range(max(ROUNDS, 3)):
        for what, sql in (("render", RENDER), ("digests", digests)):
            for cores in (1, 2):
                bench.run(PARALLEL.format(cores - 1))
                times[what, cores].append(bench.seconds(sql))
    bench.run(PARALLEL.format(0))
    median = {key: statistics.median(seconds) for key, seconds in times.items()}
    ours = median["render", 1] / median["render", 2]
    other = median["digests", 1] / median["digests", 2]
    say(f"  scaling: render {median['render', 1]:.3f} s -> {median['render', 2]:.3f} s, "
        f"digests {median['digests', 1]:.3f} s -> {median['digests', 2]:.3f} s")
    result("scaling", f"{ours:.2f}x", f"{other:.2f}x", f"{ours / other:.2f}", "0.95", ours / other >= 0.95)


def storage(bench):
    """Bytes of a stored file, with its header, against the file's own."""
    bench.run("DROP TABLE IF EXISTS bench.stored; CREATE TABLE bench.stored (config docsis.config)")
    bench.run("INSERT INTO bench.stored SELECT nmsp.modem_config(m) FROM nmsp.modem m WHERE id <= 10000")
    stored, file = (float(part) for part in bench.value(
        "SELECT sum(pg_column_size(config))::float8 / 10000 || ' ' || sum(octet_length(config::bytea))::float8 / 10000 "
        "FROM bench.stored").split())
    result("storage", f"{stored:.1f}B", f"{file:.1f}B", f"{stored / file:.3f}", "1.1", stored / file <= 1.1)


MEMORY = {
    "parse": "docsis.parse(i.bytes)",
    "seal": f"docsis.seal(i.config, '{SECRET}')",
    "verify": f"(docsis.verify(i.sealed, '{SECRET}')).cm_mic",
    "text": "docsis.text(i.sealed)",
    "jsonb": "i.sealed::jsonb",
    "render": "nmsp.modem_config(m)",
}


def high_water(pid):
    """Peak of a process's resident memory, in kB, since the last reset."""
    with open(f"/proc/{pid}/status") as handle:
        return int(re.search(r"VmHWM:\s+(\d+)", handle.read())[1])


def memory(bench):
    """Memory after 100,000 calls and after CALLS: contexts of the session, and the process's peak."""
    first = min(100_000, CALLS)
    for name, expression in MEMORY.items():
        session = Bench(bench.db)
        table = "nmsp.modem m" if name == "render" else "bench.input i"
        pid = session.value("SELECT pg_backend_pid()")

        def calls(count):
            if name == "render":
                for _ in range(max(1, count // MODEMS)):
                    session.run(f"SELECT count({expression}) FROM (SELECT * FROM {table.split()[0]} LIMIT {count}) m")
            else:
                session.run(f"SELECT count({expression}) FROM generate_series(1, {count}) g, {table}")

        contexts = "SELECT sum(total_bytes) FROM pg_backend_memory_contexts"
        session.value(contexts)
        calls(first)
        before, peak = int(session.value(contexts)), high_water(pid)
        for _ in range(10):
            calls(max(1, (CALLS - first) // 10))
        after, last_peak = int(session.value(contexts)), high_water(pid)
        session.session.close()
        say(f"  {name}: contexts {before} B after {first} calls, {after} B after {CALLS}; peak {peak} kB, {last_peak} kB")
        # A few kB of catalog caches come late; a leak of one byte per call would be 10 MB.
        flat = after <= 1.02 * before and last_peak <= 1.02 * peak
        result("memory-" + name, f"{after}B", f"{before}B", f"{after / before:.3f}", "1.02", flat)


def tool(bench):
    """The docsis tool, where there is one: a process per file."""
    program = shutil.which("docsis")
    if program is None:
        say("bench tool absent: no program docsis on PATH")
        return
    with tempfile.TemporaryDirectory() as folder:
        text, key, file = (os.path.join(folder, name) for name in ("text", "key", "file"))
        with open(text, "w") as handle:
            handle.write(bench.run("SELECT source FROM bench.input"))
        with open(key, "w") as handle:
            handle.write(SECRET + "\n")
        for name, argv in (("tool-encode", [program, "-e", text, key, file]), ("tool-decode", [program, "-d", file])):
            start = time.monotonic()
            for _ in range(200):
                subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            say(f"bench {name} other={rate(200 / (time.monotonic() - start))}")


MEASUREMENTS = [encode, decode, render, scaling, storage, memory, tool]


def main():
    names = sys.argv[2:]
    with cluster.Cluster(SETTINGS) as db:
        db.psql("CREATE DATABASE bench")
        db.psql("CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate()", "bench")
        with open(os.path.join(HERE, "template.txt")) as handle:
            template = handle.read()
        db.psql(MODEL % {"secret": SECRET, "template": template, "modems": MODEMS, "library": sys.argv[1]}, "bench")
        bench = Bench(db)
        machine(bench)
        for measure in MEASUREMENTS:
            if not names or measure.__name__ in names:
                measure(bench)


if __name__ == "__main__":
    main()
