#!/usr/bin/python3
"""Junk, floods, forgeries and slow connections against every port of nmsp-agent: it does not crash,
its memory and its log stay bounded, it is no amplifier, and honest clients are served meanwhile.

NMSP_FAULT_PACKETS   how many requests a flood has (default 100000)
"""

import contextlib
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
    packets = int(os.environ.get("NMSP_FAULT_PACKETS") or 100_000)
    for limited in (True, False):
        t.diag("with the limit of requests per source" if limited else "without it")
        with contextlib.ExitStack() as inner:
            stories.floods(t, stories.house_for_floods(t, inner, limited), packets)


tap.main(story)
