"""The fault stories in parts, for the long form (tests/faults/*.t) and the short one
(tests/daemon/90_faults.t)."""

import contextlib
import os
import random
import sys
import time

import cluster
import daemons
import tap

import attacks
import barn as barns
import disks
import honest
import house as houses
import kills as harms
import oracle
import power
import storm as storms
import tally as tallies
import troubles as harm_that_lasts
import watcher


def seed():
    """NMSP_FAULT_SEED, else the clock's."""
    return int(os.environ.get("NMSP_FAULT_SEED") or time.time_ns() % 10**9)


def moved_in(t, stack, **options):
    """A house that is in step, with its watcher; failures show its logs."""
    tap.require(houses.missing())
    number = seed()
    t.diag(f"seed {number}")
    begin = time.monotonic()
    house = houses.House(stack, number, **options)
    stack.callback(lambda: t.diag(house.trouble()) if t.failed or sys.exc_info()[0] else None)
    house.wait_in_step()
    house.start_kea()
    oracle.converge(house, begin, 60)
    t.diag(f"the house is in step after {time.monotonic() - begin:.1f} s")
    house.watcher = watcher.Watcher(
        [root for kind, root in (("tftpd", house.tftp_root), ("edge", house.edge_root))
         if kind in house.kinds],
        [house.root(feed) for feed in house.kinds if feed in ("dhcpd", "kea4")])
    stack.callback(house.watcher.stop)
    return house


def kills_of(house, words):
    """Kinds that fit this house and the words asked for."""
    needs = {"Kea": "kea4", "named": "bind", "(feed)": "edge", "dhcpd": "dhcpd"}
    return [kind for kind in harms.KINDS
            if (not words or any(word in kind for word in words))
            and all(target in house.kinds for word, target in needs.items() if word in kind)]


def kills(t, house, points, words=()):
    """`points` points, kinds in turn."""
    number = house.seed
    storm = storms.Storm(house.db, number)
    tally = tallies.Tally()
    kinds = kills_of(house, words)
    for turn in range(points):
        kind = kinds[turn % len(kinds)]
        losses, late = harms.point(house, tally, kind, storm)
        if late:
            t.diag(f"point {turn + 1}, {kind}: right after {late}")
        if losses:
            t.ok(False, f"point {turn + 1}, {kind}", *losses)
            break
    house.watcher.stop()
    t.is_(house.watcher.broken[:3], [], f"{house.watcher.reads} reads meanwhile: never half a file")
    t.diag(f"{storm.committed} changes committed, {storm.refused} refused, "
           f"{storm.broken} connections lost")
    return ended(t, tally, "kills")


def ended(t, tally, name):
    """The test, the table and the line at the end."""
    t.is_(tally.total("losses"), 0, f"{tally.total('points')} {name}: nothing is lost")
    tally.keep()
    for line in (*tally.table(), tally.summary()):
        t.diag(line)
    return tally


def barn_for(t, stack, make_disk, server_there=False):
    """A barn; failures show its log."""
    barn = barns.Barn(stack, make_disk, server_there)
    stack.callback(lambda: t.diag(barn.db.log_tail(25)) if t.failed or sys.exc_info()[0] else None)
    return barn


def troubles(t, barn, kinds, number):
    """Every trouble named."""
    tally, rng = tallies.Tally(), random.Random(number)
    look = watcher.Watcher([barn.tftp_root], [barn.root("dhcpd")])
    try:
        for kind in kinds:
            losses, told = harm_that_lasts.trouble(barn, tally, kind, rng)
            t.ok(not losses, f"{kind}: status says why, others go on, all is right afterwards", *losses)
            for line in told:
                t.diag(line)
    finally:
        look.stop()
    t.is_(look.broken[:3], [], f"{look.reads} reads meanwhile: never half a file")
    return ended(t, tally, "troubles")


def power_cuts(t, barn, cuts, kind, number):
    """The power of a barn's disk is cut amid a storm, again and again."""
    tally, rng, storm = tallies.Tally(), random.Random(number), storms.Storm(barn.db, number)
    for turn in range(cuts):
        losses = power.cut(barn, tally, storm, kind, rng)
        if losses:
            t.ok(False, f"{kind} {turn + 1}", *losses)
            break
    return ended(t, tally, f"times {kind}")


def disks_fail(t, stack, kinds, cuts):
    """Troubles, then power cuts: half of them with the database on the same disk."""
    tap.require(cluster.missing() or daemons.missing())
    number = seed()
    t.diag(f"seed {number}")
    no_loop = disks.missing_loop()
    with contextlib.ExitStack() as inner:
        barn = barn_for(t, inner, harm_that_lasts.make_disk if no_loop else power.make_disk)
        troubles(t, barn, kinds, number)
        if no_loop:
            t.skip("power cuts", no_loop)
            return
        power_cuts(t, barn, (cuts + 1) // 2, "power cut (files)", number)
    if cuts > 1:
        with contextlib.ExitStack() as inner:
            power_cuts(t, barn_for(t, inner, power.make_disk, True), cuts // 2, "power cut (files, database)", number)


MEMORY_MB, LOG_BYTES, AMPLIFIED = 48, 20_000, 12


def memory_mb(pid):
    """The most memory that a process ever had."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def house_for_floods(t, stack, limited):
    """A house with the agent alone. limited: with its own limit of requests per source, else
    without any."""
    tap.require(houses.missing())
    house = houses.House(stack, seed(), kinds=(), modems=40, agent={"download_rate": None if limited else 0})
    stack.callback(lambda: t.diag(house.trouble()) if t.failed or sys.exc_info()[0] else None)
    return house


def floods(t, house, packets, kinds=None):
    """Every attack, or those named; honest clients are served meanwhile."""
    tally = tallies.Tally()
    process, before, first = house.agent.pid, memory_mb(house.agent.pid), time.monotonic()
    for kind in kinds or attacks.ATTACKS:
        attack, part = attacks.ATTACKS[kind]
        logged = os.path.getsize(house.agent.log)
        clients = honest.Honest(house).start()
        begin = time.monotonic()
        try:
            sent, size, back = attack(house, max(20, int(packets * part)))
        finally:
            clients.stop()
        logged = os.path.getsize(house.agent.log) - logged
        t.diag(f"{kind}: {sent} in {time.monotonic() - begin:.1f} s, {size} bytes in, {back} out; log {logged} bytes")
        t.diag(f"    honest meanwhile: {clients.told()}")
        losses = [word for word in (
            None if house.agent.process.poll() is None else "the agent ended",
            None if sum(clients.vain.values()) == 0 else f"honest clients in vain: {clients.wrong[:2]}",
            None if logged < LOG_BYTES else f"{logged} bytes of log",
            None if back <= AMPLIFIED * (size + 28 * sent) else f"{back} bytes out for {size} in") if word]
        t.ok(not losses, f"{kind}: bounded, and honest clients are served", *losses)
        tally.add(f"flood: {kind}", None, losses)
    after = memory_mb(process)
    t.diag(f"VmHWM of the agent: {before:.1f} MB before, {after:.1f} MB after")
    t.ok(after - before < MEMORY_MB, "the agent's memory is bounded", before, after)
    t.is_(house.agent.process.poll(), None, "it is the same process")
    vain = int(house.db.value("SELECT count(*) FROM nmsp.download WHERE result <> 'served'"))
    seconds = time.monotonic() - first
    t.ok(vain <= 1000 + 100 * (seconds + 1), f"{vain} rows of downloads in vain in {seconds:.0f} s: bounded")
    return ended(t, tally, "attacks")
