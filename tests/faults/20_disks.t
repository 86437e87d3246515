#!/usr/bin/python3
"""Power cuts of the disk, and troubles that last: full, read-only, wrong owner, a daemon that
refuses or hangs, a clock that jumps.

NMSP_FAULT_CUTS   power cuts (default 24), half of them with the database on the same disk
NMSP_FAULT_SEED   as in 10_kills.t
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import paths  # noqa: E402,F401
import disks  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402

import stories  # noqa: E402
import troubles  # noqa: E402


def story(t, stack):
    processes.adopt_orphans()
    stories.disks_fail(t, stack, troubles.TROUBLES, int(os.environ.get("NMSP_FAULT_CUTS") or 24))


disks.own_mounts()
tap.main(story)
