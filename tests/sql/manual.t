#!/usr/bin/python3
"""Runs every example of the manual: the ```sql blocks of README.md and doc/*.md.

A block that is followed by a ```text block must print just that (psql's aligned form); the others
must run without an error. The blocks of one file run in order, in a database of their own. Blocks
marked ```sql -- not run (in the info string: ```sql skip) are for reading.
"""

import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

import cluster  # noqa: E402
import tap  # noqa: E402

BLOCK = re.compile(r"^```(sql|text)( skip)?\n(.*?)^```$", re.M | re.S)


def examples(path):
    """(line, sql, expected or None) of each example of a page."""
    page = open(path, encoding="utf-8").read()
    found = []
    for block in BLOCK.finditer(page):
        kind, skip, body = block.groups()
        if kind == "sql" and not skip:
            found.append([page.count("\n", 0, block.start()) + 1, body, None])
        elif kind == "text" and found and found[-1][2] is None \
                and not page[found[-1][3]:block.start()].strip():
            found[-1][2] = body
        if found and kind == "sql":
            found[-1][3:] = [block.end()]
    return [(line, sql, expected) for line, sql, expected, _ in found]


def same(printed, expected):
    """Equal but for blanks at the ends of lines."""
    def lines(text):
        return [line.rstrip() for line in text.strip("\n").splitlines()]
    return lines(printed) == lines(expected)


def run_page(t, db, path):
    """All examples of one page; they share a database, each is a psql of its own."""
    name = os.path.relpath(path, ROOT)
    database = re.sub(r"\W", "_", name).lower()
    db.psql(f"CREATE DATABASE {database}")
    if "CREATE EXTENSION" not in open(path, encoding="utf-8").read():
        db.psql("CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate()", database=database)
    for line, sql, expected in examples(path):
        try:
            printed = db.psql(sql, database, "-P", "format=aligned", "-P", "tuples_only=off")
        except cluster.SqlError as error:
            t.ok(False, f"{name}:{line} runs")
            t.diag(str(error))
            continue
        if expected is None:
            t.ok(True, f"{name}:{line} runs")
        elif not t.ok(same(printed, expected), f"{name}:{line} prints what the page says"):
            t.diag("printed:\n" + printed)


def story(t, stack):
    tap.require(cluster.missing())
    db = stack.enter_context(cluster.Cluster({"shared_preload_libraries": "nmsp"}))
    for path in [os.path.join(ROOT, "README.md"), *sorted(glob.glob(os.path.join(ROOT, "doc", "*.md")))]:
        if examples(path):
            run_page(t, db, path)


tap.main(story)
