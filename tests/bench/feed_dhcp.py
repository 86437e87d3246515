"""Parts kea and dhcpd of feed_bench.py: how fast a change is served, and exchanges per second."""

import contextlib
import functools
import json
import os
import statistics
import subprocess
import time

import feed_bed as beds
from feed_bed import CHANGES, PER_NETWORK, ROUNDS, SECONDS, percentile, result, say

import dhcp

NATIVE_SCRIPT = "/usr/share/kea/scripts/pgsql/dhcpdb_create.pgsql"


def modem_mac(number):
    return ":".join(f"{byte:02x}" for byte in (2, *number.to_bytes(5, "big")))


def client(bed, relays, number):
    """The DHCP client of a modem of the model."""
    giaddr = f"10.{1 + (number - 1) // PER_NETWORK}.0.1"
    one = dhcp.Client(relays, modem_mac(number), giaddr, modem_mac(number), "docsis3.1:", timeout=1.0)
    return one


def single_changes(bed, address, database, name):
    """The next DISCOVER after a commit that gives a modem another address: is it right, how soon?"""
    relays = dhcp.Relay(address, bed.load.entered)
    times, wrong = [], 0
    step = max(2, database.modems // CHANGES // 2 * 2)
    try:
        with database.session() as session:
            session.run("SET synchronous_commit = on")
            for turn in range(CHANGES):
                number = 2 + turn * step % (database.modems - 1) // 2 * 2
                network = 1 + (number - 1) // PER_NETWORK
                wanted = f"10.{network}.{252 + turn // 250 % 4}.{turn % 250}"
                one = client(bed, relays, number)
                old = session.run(f"SELECT host(address) FROM nmsp.modem WHERE id = {number}").strip()
                session.run(f"UPDATE nmsp.modem SET address = '{wanted}' WHERE id = {number}")
                begin = time.monotonic()
                offer = one.discover()
                times.append((time.monotonic() - begin) * 1000)
                wrong += offer.yiaddr != wanted
                session.run(f"UPDATE nmsp.modem SET address = '{old}' WHERE id = {number}")
    finally:
        relays.close()
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    say(f"  {name}: {len(times)} single changes of {database.modems} modems, the next packet is right "
        f"{len(times) - wrong} times; commit to answer p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    result(f"{name}-change", f"{p50:.2f}ms", f"{len(times) - wrong}/{len(times)}", f"{p50 / 3:.2f}", "3ms",
           p50 <= 3 and not wrong)


class Contestant:
    """A server under load: rates, and the CPU time that it and the others use per exchange."""

    def __init__(self, what, address, server, others, database):
        self.what, self.address, self.server, self.others, self.database = what, address, server, others, database
        self.rates, self.cpu = [], []

    def round(self, bed, seconds, which, concurrent=32):
        pids = [self.server.pid], self.others()
        before = [beds.cpu_seconds(group) for group in pids]
        found = bed.dhcp(self.address, self.database, concurrent, seconds, which)
        if found["wrong"] or found["nak"] or not found["dora"]:
            raise RuntimeError(f"{self.what}: {found}")
        used = [(beds.cpu_seconds(group) - start) / found["dora"] * 1e6 for group, start in zip(pids, before)]
        self.rates.append(found["rate"])
        self.cpu.append(used)
        self.last = found

    def report(self):
        own, others = (statistics.median(values) for values in zip(*self.cpu))
        self.cost = own + others
        say(f"  {self.what}: {statistics.median(self.rates):.0f} DORA/s ({min(self.rates):.0f} to {max(self.rates):.0f}), "
            f"p50 {self.last['p50']:.1f} ms, p99 {self.last['p99']:.1f} ms, timeouts {self.last['timeouts']:.0f}; CPU per "
            f"DORA: server {own:.0f} us, database and agent {others:.0f} us")
        peaks = ", ".join(f"{beds.high_water(pid):.0f}" for pid in self.others())
        say(f"  {self.what}: memory of the server {beds.high_water(self.server.pid):.0f} MB, of the others {peaks} MB")


def compete(bed, contestants, which="all", rounds=4 * ROUNDS, seconds=SECONDS / 4):
    """Short rounds in turn, so that what else the machine does hits all alike."""
    for one in contestants:
        one.round(bed, 2 * seconds, which)
        one.rates, one.cpu = [], []
    for _ in range(rounds):
        for one in contestants:
            one.round(bed, seconds, which)
    for one in contestants:
        one.report()


def compare(name, ours, other, target, smaller=False):
    """Ratio of rates (of times, when smaller is better): the median of the rounds' ratios."""
    ratios = [a / b for a, b in zip(ours.rates, other.rates)]
    if smaller:
        ratios = [1 / ratio for ratio in ratios]
    ratio = statistics.median(ratios)
    cost = ours.cost / other.cost
    say(f"  {name}: CPU time per DORA against the other's: {cost:.2f}")
    result(name, f"{statistics.median(ours.rates):.0f}/s", f"{statistics.median(other.rates):.0f}/s", f"{ratio:.2f}",
           target, ratio <= float(target) if smaller else ratio >= float(target))


# -- Kea


def make_native(bed):
    """Kea's own tables with the same rows, in the big database."""
    if bed.big.value("SELECT to_regclass('kea_native.hosts')"):
        return
    begin = time.monotonic()
    bed.big.sql("CREATE SCHEMA kea_native")
    done = subprocess.run(bed.db.psql_argv("big", "-o", "/dev/null", "-f", NATIVE_SCRIPT), capture_output=True, text=True,
                          env={**os.environ, "PGOPTIONS": "-c search_path=kea_native"})
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    bed.db.psql_file(os.path.join(beds.HERE, "feed_native.sql"), "big")
    rows = bed.big.query("SELECT reltuples::bigint FROM pg_class WHERE oid IN ('kea_native.hosts'::regclass, "
                         "'kea_native.dhcp4_options'::regclass) ORDER BY relname DESC")
    say(f"  Kea's own tables: {rows[0][0]} hosts, {rows[1][0]} options, in {time.monotonic() - begin:.0f} s")


def kea(bed):
    """Kea on views against Kea on its own tables; a million against ten thousand; single changes."""
    make_native(bed)
    contestants = []
    with contextlib.ExitStack() as stack:
        for what, database, hosts in (("views", bed.big, {}), ("own tables", bed.big, {"user": "kea_native"}),
                                      ("views, few", bed.few, {})):
            server = bed.kea4(database, hosts)
            block = server.text["Dhcp4"]["hosts-database"]
            say(f"  Kea, {what}: hosts-database {json.dumps(block)}")
            user = block["user"]
            stack.enter_context(server)
            contestants.append(Contestant(f"Kea, {what}", server.address, server,
                                          functools.partial(database.sessions_of, user), database))
        compete(bed, contestants)
        views, native, few = contestants
        compare("kea-dora", views, native, "1.1")
        compare("kea-scale", views, few, "1.2", smaller=True)
        single_changes(bed, views.address, bed.big, "kea")
