"""Parts kea and dhcpd of feed_bench.py: how fast a change is served, and exchanges per second."""

import contextlib
import functools
import json
import os
import shutil
import statistics
import subprocess
import time

import feed_bed as beds
from feed_bed import CHANGES, PER_NETWORK, ROUNDS, SECONDS, percentile, result, say

import agents
import cluster
import daemons
import dhcp

NATIVE_SCRIPT = "/usr/share/kea/scripts/pgsql/dhcpdb_create.pgsql"


def modem_mac(number):
    return ":".join(f"{byte:02x}" for byte in (2, *number.to_bytes(5, "big")))


def client(bed, relays, number):
    """The DHCP client of a modem of the model."""
    giaddr = f"10.{1 + (number - 1) // PER_NETWORK}.0.1"
    one = dhcp.Client(relays, modem_mac(number), giaddr, modem_mac(number), "docsis3.1:", timeout=1.0)
    return one


def single_changes(bed, address, database, name, load):
    """The next DISCOVER after a commit that gives a modem another address: is it right, how soon?"""
    relays = dhcp.Relay(address, load.entered)
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

    def __init__(self, what, address, server, others, database, load=None):
        self.what, self.address, self.server, self.others, self.database = what, address, server, others, database
        self.load = load
        self.rates, self.cpu = [], []

    def round(self, bed, seconds, which, concurrent=32):
        pids = [self.server.pid], self.others()
        before = [beds.cpu_seconds(group) for group in pids]
        found = bed.dhcp(self.address, self.database, concurrent, seconds, which, self.load)
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
        say(f"  {self.what}: memory of the server {beds.high_water(self.server.pid):.0f} MB" + (peaks and f", of the others {peaks} MB"))


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
    rates = [a / b for a, b in zip(ours.rates, other.rates)]
    ratio = statistics.median([1 / rate for rate in rates] if smaller else rates)
    say(f"  {name}: CPU time per DORA against the other's: {ours.cost / other.cost:.2f}")
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
        single_changes(bed, views.address, bed.big, "kea", bed.load)


# -- ISC dhcpd


def dhcpd_of(bed, database, lookup=None):
    """dhcpd in a network of its own, with the files that the database makes; lookup: where it asks
    nmsp-agent instead of reading hosts from files. Returns (dhcpd, address, namespace of the CMTSs, network)."""
    net, load = bed.make_network()
    name = f"dhcpd-{database.name}"
    root = bed.fresh_folder("run", name)
    settings = cluster.literal(json.dumps({"lookup": lookup} if lookup else {}))
    database.sql("DELETE FROM nmsp_feed.target WHERE feed = 'dhcpd'; INSERT INTO nmsp_feed.target (feed, root, enabled, settings) "
                 f"VALUES ('dhcpd', {cluster.literal(root)}, false, {settings})")
    for part in ("main", "global", "netgw", "device"):
        rows = database.query("SELECT f.path, encode(f.content, 'hex') FROM nmsp_feed.target t, nmsp_feed.dhcpd_render(t.id, "
                              f"'{part}', ARRAY(SELECT k.id FROM nmsp_feed.dhcpd_keys(t.id, 'all', NULL, NULL, NULL, 10000) k "
                              f"WHERE k.part = '{part}')) f WHERE t.feed = 'dhcpd'")
        for path, content in rows:
            path = os.path.join(root, "current", path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(bytes.fromhex(content or ""))
    server = daemons.Dhcpd(net.server, bed.fresh_folder("run", name, "state"), os.path.join(root, "current", "dhcpd.conf"),
                           net.interface)
    return server, net.server_address, load, net


def dhcpd(bed):
    """dhcpd that looks a million modems up against dhcpd that has ten thousand in its files."""
    binary = agents.ldap_dhcpd(bed.programs)
    if binary is None:
        say("bench dhcpd absent: there is no dhcpd with ldap-method here (isc-dhcp-server-ldap)")
        return
    with contextlib.ExitStack() as stack:
        contestants = []
        for what, database, lookup in (("look-up", bed.big, "ldap://127.0.0.1:3890"), ("look-up, few", bed.few, "ldap://127.0.0.1:3890"),
                                       ("hosts in its file", bed.few, None)):
            server, address, load, net = dhcpd_of(bed, database, lookup)
            others = list
            if lookup:
                server.binary = binary
                folder = bed.fresh_folder("run", f"lookup-{database.name}")
                shutil.chown(folder, "nobody")
                agent = agents.Agent(net.server, folder, bed.db.sockets, lookup_listen="127.0.0.1:3890", connections=1,
                                     database=f"host={bed.db.sockets} dbname={database.name} user={agents.ROLE}")
                stack.enter_context(agent)
                others = functools.partial(lambda a, d: [a.pid, *d.sessions_of(agents.ROLE)], agent, database)
            stack.enter_context(server)
            contestants.append(Contestant(f"dhcpd, {what}", address, server, others, database, load))
        compete(bed, contestants, "fixed")
        lookup, few, file = contestants
        compare("dhcpd-dora", lookup, file, "0.7")
        compare("dhcpd-scale", lookup, few, "1.2", smaller=True)
        single_changes(bed, lookup.address, bed.big, "dhcpd", lookup.load)
