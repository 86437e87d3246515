"""Power cuts: what a target had confirmed is on disk afterwards, and nothing there is half."""

import hashlib
import os
import re
import time


import disks
import kills
import oracle
import watcher

MEGABYTES = 400


def make_disk(path):
    """The disk whose power is cut."""
    return disks.Image(path, MEGABYTES)


def half_files(barn):
    """Files under final names that are not whole."""
    found = []
    for name, data in oracle.disk(barn.tftp_root).items():
        problem = watcher.whole_configfile(data)
        if problem:
            found.append(f"{name}, {len(data)} bytes: {problem}")
    return found


def confirmed_tick(barn):
    """The last tick that target tftpd has confirmed; None when a walk in bulk hides it."""
    return barn.db.value(
        "SELECT CASE WHEN NOT EXISTS (SELECT FROM nmsp_feed.bulk b WHERE b.target_id = t.id) THEN "
        "(SELECT max(n) FROM public.tick k WHERE pg_visible_in_snapshot(k.xid, t.snapshot)) END "
        "FROM nmsp_feed.target t WHERE t.feed = 'tftpd'")


def tick_on_disk(barn):
    """The tick in the first modem's file."""
    path = barn.db.value("SELECT path FROM nmsp.modem_file WHERE modem_id = 1")
    try:
        with open(os.path.join(barn.tftp_root, path), "rb") as file:
            found = re.search(rb"tick-(\d+)-", file.read())
        return int(found.group(1)) if found else 0
    except OSError:
        return -1


def missing_files(barn):
    """Files of the manifest that are not there at all."""
    rows = barn.db.query("SELECT path FROM nmsp_feed.artifact a JOIN nmsp_feed.target t ON t.id = "
                         "a.target_id WHERE t.feed = 'tftpd' AND a.path IS NOT NULL "
                         "AND a.path IN (SELECT path FROM nmsp.modem_file)")
    return [path for path, in rows if not os.path.exists(os.path.join(barn.tftp_root, path))]


def broken_generation(barn):
    """Files of dhcpd's generation in service that are not as the manifest says, when the stamp and
    the manifest speak of the same one (a newer one may be in place, not yet confirmed)."""
    root = barn.root("dhcpd")
    current = os.path.join(root, "current")
    if not os.path.isdir(current):
        return ["there is no generation in service"]
    empty = [name for name, data in oracle.disk(current).items()
             if not data and name in ("dhcpd.conf", "check.conf", "global.conf")]
    rows = barn.db.query("SELECT path, encode(sha256, 'hex') FROM nmsp_feed.artifact a JOIN "
                         "nmsp_feed.target t ON t.id = a.target_id WHERE t.feed = 'dhcpd' AND path IS NOT NULL")
    have = {name: hashlib.sha256(data).hexdigest() for name, data in oracle.disk(current).items()}
    lacking = [path for path, _ in rows if path not in have]
    return [f"{name} is empty" for name in empty] + [f"{path} is missing" for path in lacking]


def cut(barn, tally, storm, kind, rng):
    """One power cut amid a storm; returns the losses as text."""
    storm.start()
    end = time.monotonic() + rng.uniform(0.3, 2.0)
    try:
        while time.monotonic() < end:
            time.sleep(0.005)
        with kills.standing_still(barn):
            barn.disk.cut()
    finally:
        storm.stop()
    barn.disk.unmount()
    barn.disk.mount()
    barn.without_feeder()
    losses = [f"half: {line}" for line in half_files(barn)]
    tick = confirmed_tick(barn)
    if tick is not None and tick_on_disk(barn) < int(tick):
        losses.append(f"tick {tick} was confirmed, on disk is {tick_on_disk(barn)}")
    losses += [f"missing: {path}" for path in missing_files(barn)]
    losses += [f"dhcpd: {line}" for line in broken_generation(barn)]
    if storm.lost():
        losses.append(f"{storm.lost()} confirmed commits are gone")
    barn.with_feeder()
    seconds = None
    try:
        seconds, _ = oracle.converge(barn, time.monotonic(), kills.DEADLINE)
    except kills.Timeout as error:
        losses.append(str(error)[:1500])
    tally.add(kind, seconds, losses)
    return losses
