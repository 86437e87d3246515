#!/usr/bin/python3
"""Faults, the short form of `make check-faults`: workers killed amid a storm of changes, troubles
that last, a power cut, floods. The long form kills every daemon by the hundred."""

import contextlib
import os
import sys

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "faults"))

import paths  # noqa: E402,F401
import disks  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402

import stories  # noqa: E402


def story(t, stack):
    processes.adopt_orphans()
    with contextlib.ExitStack() as inner:
        house = stories.moved_in(t, inner, kinds=("tftpd", "dhcpd", "edge"), modems=80)
        stories.kills(t, house, 6)
        stories.floods(t, house, 2000, ("names that lead out or nowhere", "half-open transfers",
                                        "silent connections to the look-up"))
    stories.disks_fail(t, stack, ("disk full", "reload hangs"), 1)


disks.own_mounts()
tap.main(story)
