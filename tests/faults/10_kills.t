#!/usr/bin/python3
"""kill -9 of every worker and daemon at random points of a storm of changes, by the hundred.

NMSP_FAULT_POINTS   how many (default 210)
NMSP_FAULT_SEED     what the storm and the points follow from (default: by the clock; printed)
NMSP_FAULT_TARGETS   only these targets: of tftpd, dhcpd, kea4, bind, edge (by commas)
NMSP_FAULT_KINDS    only kinds whose names hold one of these words (by commas)
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import paths  # noqa: E402,F401
import processes  # noqa: E402
import tap  # noqa: E402

import stories  # noqa: E402


def story(t, stack):
    processes.adopt_orphans()
    points = int(os.environ.get("NMSP_FAULT_POINTS") or 210)
    words = [word for word in (os.environ.get("NMSP_FAULT_KINDS") or "").split(",") if word]
    targets = os.environ.get("NMSP_FAULT_TARGETS")
    options = {"kinds": tuple(targets.split(","))} if targets else {}
    stories.kills(t, stories.moved_in(t, stack, **options), points, words)


tap.main(story)
