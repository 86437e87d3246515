#!/usr/bin/python3
"""Measures how a million modems are fed: make bench-feed (doc/performance.md).

usage: feed_bench.py [PART ...]     default: FEED_BENCH, else all parts

NMSP_BENCH_MODEMS    modems (default 1,000,000)
FEED_BENCH           parts, separated by spaces: download kea dhcpd bind files
FEED_BENCH_FILES     modems of the parts bind and files (default: all)
FEED_BENCH_CHANGES   single changes whose time is taken (default 1,000)
FEED_BENCH_SECONDS   length of a round of load (default 4)
FEED_BENCH_ROUNDS    rounds; medians count (default 3)
FEED_BENCH_FOLDER    keep the built databases here for the next run

Each measurement ends in a line

    bench NAME ours=... other=... ratio=... target=... met|short

What falls short is no failure. Exit status: 0 unless something could not be measured.
"""

import contextlib
import os
import platform
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import feed_bed as beds  # noqa: E402
import feed_dhcp  # noqa: E402
import feed_download  # noqa: E402
import feed_push  # noqa: E402
from feed_bed import say  # noqa: E402

PARTS = {"download": feed_download.download, "kea": feed_dhcp.kea, "dhcpd": feed_dhcp.dhcpd,
         "bind": feed_push.bind, "files": feed_push.files}


def machine():
    """What this runs on."""
    with open("/proc/cpuinfo") as handle:
        model = re.search(r"model name\s*: (.*)", handle.read())
    say(f"machine  {model[1] if model else platform.processor()}, {os.cpu_count()} processors, "
        f"load {os.getloadavg()[0]:.2f}, {platform.platform()}")
    say(f"date     {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC")
    say(f"input    {beds.MODEMS} modems against {beds.FEW}; rounds of {beds.SECONDS} s, medians of {beds.ROUNDS}")
    say()


def main():
    names = sys.argv[1:] or os.environ.get("FEED_BENCH", "").split() or list(PARTS)
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    machine()
    with contextlib.ExitStack() as stack:
        bed = beds.Bed(stack)
        for name in names:
            say(f"{name}: load {os.getloadavg()[0]:.2f}")
            PARTS[name](bed)


if __name__ == "__main__":
    main()
