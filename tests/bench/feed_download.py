"""Part download of feed_bench.py: files made at the moment of download."""

import glob
import os
import shutil
import statistics
import subprocess
import time

import feed_bed as beds
from feed_bed import CHANGES, PER_NETWORK, ROUNDS, SECONDS, percentile, result, say

import agents
import daemons
import processes
import tftp

NO_ACCESS, ACCESS = b"\x03\x01\x00", b"\x03\x01\x01"
# Of tftpd-hpa's folder: enough that no file is asked for twice in a row.
FILES = 10_000
SETTINGS = {"download_rate": 0, "connections": 2}


class Memory(agents.Agent):
    """The agent with a database that is only memory (serve_memory.c)."""

    def argv(self):
        return [os.path.join(self.programs, "serve_memory"), "-c", self.file]


def compile_memory(bed):
    """Links the agent's objects with serve_memory.c in place of its database.c."""
    top = os.path.dirname(beds.TESTS)
    objects = [path for path in glob.glob(os.path.join(top, "build/agent/workers/**/*.o"), recursive=True)
               if not path.endswith("/serve/database.o")]
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-D_GNU_SOURCE", "-Wall", "-Wextra", f"-I{top}",
                    os.path.join(beds.HERE, "serve_memory.c"), *objects, "-o", os.path.join(bed.programs, "serve_memory"),
                    "-lpq", "-lcrypto", "-llber"], check=True)


def agent_of(bed, kind, database=None):
    """An agent on an address of its own; kind: agents.Agent or Memory."""
    address = bed.own_address()
    folder = bed.fresh_folder("run", address)
    shutil.chown(folder, "nobody")
    database = database or bed.few
    words = f"host={bed.db.sockets} dbname={database.name} user={agents.ROLE}"
    agent = kind(bed.net.server, folder, bed.db.sockets, database=words, download_listen=f"{address}:69", **SETTINGS)
    agent.address, agent.programs, agent.database = address, bed.programs, database
    agent.sessions = (lambda: database.sessions_of(agents.ROLE)) if kind is agents.Agent else list
    return agent


def fill_folder(bed, root):
    """The files of the first modems, for tftpd-hpa."""
    rows = bed.big.query(f"SELECT path, encode(config::bytea, 'hex') FROM nmsp.modem_file WHERE modem_id <= {FILES}")
    for path, content in rows:
        os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
        with open(os.path.join(root, path), "wb") as file:
            file.write(bytes.fromhex(content))
    return len(rows), sum(len(content) for _, content in rows) / 2 / len(rows)


class Contestant:
    """A TFTP server under load."""

    def __init__(self, what, address, server, names, sessions=list):
        self.what, self.address, self.server, self.names, self.sessions = what, address, server, names, sessions
        self.rates, self.cpu, self.last = [], [], None

    def round(self, bed, seconds, concurrent):
        pids = [self.server.pid], self.sessions()
        before = [beds.cpu_seconds(group) for group in pids]
        found = bed.tftp(self.address, self.names, concurrent, seconds)
        files = found["rate"] * seconds
        if found["errors"] or found["wrong"] or not files:
            raise RuntimeError(f"{self.what}: {found}")
        self.rates.append(found["rate"])
        self.cpu.append([(beds.cpu_seconds(group) - start) / files * 1e6 for group, start in zip(pids, before)])
        self.last = found

    def report(self):
        own, others = (statistics.median(values) for values in zip(*self.cpu))
        say(f"  {self.what}: {statistics.median(self.rates):.0f} files/s ({min(self.rates):.0f} to {max(self.rates):.0f}), p50 "
            f"{self.last['p50']:.2f} ms, p99 {self.last['p99']:.2f} ms, resent {self.last['resent']:.0f}; CPU per file: server "
            f"{own:.0f} us, database {others:.0f} us")
        peaks = ", ".join(f"{beds.high_water(pid):.0f}" for pid in self.sessions())
        if peaks:
            say(f"  {self.what}: memory of the agent {beds.high_water(self.server.pid):.0f} MB, of its sessions {peaks} MB")


def ratio_of(ours, other):
    return statistics.median(a / b for a, b in zip(ours.rates, other.rates))


def single_changes(bed, agent):
    """The next download after a commit: is it right, how soon?"""
    times, wrong = [], 0
    step = max(1, agent.database.modems // CHANGES)
    with agent.database.session() as session:
        for turn in range(CHANGES):
            number = 1 + turn * step % agent.database.modems
            source = f"10.{1 + (number - 1) // PER_NETWORK}.255.250"
            path = agent.database.value(f"SELECT nmsp.modem_path({number}, NULL)")
            for allowed, wanted in (("false", NO_ACCESS), ("true", ACCESS)):
                session.run(f"UPDATE nmsp.modem SET internet_access = {allowed} WHERE id = {number}")
                begin = time.monotonic()
                data = tftp.fetch(agent.address, path, source=source, enter=bed.load.entered).data
                if allowed == "false":
                    times.append((time.monotonic() - begin) * 1000)
                wrong += not data.startswith(wanted)
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    say(f"  download: {len(times)} single changes of {agent.database.modems} modems, the next download wrong {wrong} times; "
        f"commit to file p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    result("download-change", f"{p50:.2f}ms", f"{2 * len(times) - wrong}/{2 * len(times)}", f"{p50 / 3:.2f}", "3ms",
           p50 <= 3 and not wrong)


def download(bed):
    """The download service at a million and at ten thousand, the same core from memory, tftpd-hpa."""
    compile_memory(bed)
    fork = beds.numbers(subprocess.run([os.path.join(bed.programs, "fork_exit")], capture_output=True, text=True,
                                       check=True).stdout)["us"]
    root = bed.fresh_folder("run", "hpa")
    files, size = fill_folder(bed, root)
    say(f"  files of {size:.0f} bytes; fork, exit and wait take {fork:.0f} us here")
    big, few, memory = (agent_of(bed, *words) for words in
                        ((agents.Agent, bed.big), (agents.Agent, bed.few), (Memory,)))
    address = bed.own_address()
    hpa = daemons.Tftpd(bed.net.server, root, bed.run_folder, address)
    with big, few, memory, hpa:
        ours = Contestant("download service", big.address, big, bed.big.modems, big.sessions)
        small = Contestant("download service, few", few.address, few, bed.few.modems, few.sessions)
        core = Contestant("same core from memory", memory.address, memory, bed.big.modems)
        old = Contestant("tftpd-hpa", address, hpa, files)
        contestants = [ours, core, small, old]
        for turn in range(4 * ROUNDS + 1):
            for one in contestants:
                one.round(bed, SECONDS / 4, 16 if one is old else 64)
                if turn == 0:
                    one.rates, one.cpu = [], []
        for one in contestants:
            one.report()
        middle = {one: f"{statistics.median(one.rates):.0f}/s" for one in contestants}
        ratio = ratio_of(ours, core)
        result("download-core", middle[ours], middle[core], f"{ratio:.2f}", "0.6", ratio >= 0.6)
        ratio = ratio_of(ours, old)
        result("download-hpa", middle[ours], middle[old], f"{ratio:.1f}", "8", ratio >= 8)
        ratio = ratio_of(small, ours)
        result("download-scale", middle[ours], middle[small], f"{ratio:.2f}", "1.2", ratio <= 1.2)
        single_changes(bed, big)
