#!/usr/bin/python3
"""The table and the line over all stories: summary.py RESULTS. Status 1 when something was lost."""

import sys

sys.dont_write_bytecode = True

import tally  # noqa: E402

total = tally.Tally().merge(sys.argv[1])
print("\n".join([*total.table(), total.summary()]))
sys.exit(1 if total.total("losses") else 0)
