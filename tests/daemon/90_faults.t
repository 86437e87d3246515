#!/usr/bin/python3
"""Faults, the short form of `make check-faults`: workers killed amid a storm of changes, troubles
that last, a power cut. The long form kills every daemon by the hundred."""

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
    stories.kills(t, stack, 6, kinds=("tftpd", "dhcpd", "edge"), modems=80)
    stories.troubles(t, stack, ("disk full", "reload hangs"))
    stories.power_cuts(t, stack, 1)


disks.own_mounts()
tap.main(story)
