"""The fault stories in parts, for the long form (tests/faults/*.t) and the short one
(tests/daemon/90_faults.t)."""

import contextlib
import os
import random
import sys
import tempfile
import time

import cluster
import daemons
import tap

import barn as barns
import disks
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


def moved_in(t, stack, number, **options):
    """A house that is in step, with its watcher; failures show its logs."""
    tap.require(houses.missing())
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


def kills(t, stack, points, words=(), **options):
    """`points` points, kinds in turn."""
    number = seed()
    house = moved_in(t, stack, number, **options)
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


def troubles(t, stack, kinds=None):
    """Every trouble, or those named."""
    tap.require(cluster.missing() or daemons.missing())
    tally, number = tallies.Tally(), seed()
    t.diag(f"seed {number}")
    barn = barns.Barn(stack, harm_that_lasts.make_disk)
    stack.callback(lambda: t.diag(barn.db.log_tail(25)) if t.failed or sys.exc_info()[0] else None)
    rng = random.Random(number)
    look = watcher.Watcher([barn.tftp_root], [barn.root("dhcpd")])
    stack.callback(look.stop)
    for kind in kinds or harm_that_lasts.TROUBLES:
        losses, told = harm_that_lasts.trouble(barn, tally, kind, rng)
        t.ok(not losses, f"{kind}: status says why, others go on, all is right afterwards", *losses)
        for line in told:
            t.diag(line)
    look.stop()
    t.is_(look.broken[:3], [], f"{look.reads} reads meanwhile: never half a file")
    return ended(t, tally, "troubles")


def power_cuts(t, stack, cuts):
    """Half of them with the database on the same disk."""
    tap.require(cluster.missing() or daemons.missing())
    tally, number = tallies.Tally(), seed()
    t.diag(f"seed {number}")
    with tempfile.TemporaryDirectory() as folder:
        reason = disks.missing_loop(folder)
    if reason:
        t.skip("power cuts", reason)
        return tally
    rng = random.Random(number)
    for server_there, kind in ((False, "power cut (files)"), (True, "power cut (files, database)")):
        with contextlib.ExitStack() as inner:
            barn = barns.Barn(inner, power.make_disk, server_there)
            inner.callback(lambda: t.diag(barn.db.log_tail(25)) if t.failed or sys.exc_info()[0] else None)
            storm = storms.Storm(barn.db, number)
            for turn in range((cuts + 1 - server_there) // 2):
                losses = power.cut(barn, tally, storm, kind, rng)
                if losses:
                    t.ok(False, f"{kind} {turn + 1}", *losses)
                    break
    return ended(t, tally, "power cuts")
