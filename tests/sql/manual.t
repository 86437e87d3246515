#!/usr/bin/python3
"""Runs every example of the manual: the ```sql blocks of README.md and doc/*.md.

A block that is followed by a ```text block must print just that (psql's aligned form); the others
must run without an error. ```sql fails: psql's error is what must be printed. ```sql skip: only for
reading. The blocks of one page run in order, in a database of their own.
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

BLOCK = re.compile(r"^```(sql|text)( skip| fails)?\n(.*?)^```$", re.M | re.S)
PLAIN = "\\set VERBOSITY default\n"


def examples(path):
    """(line, fails, sql, expected or None) of each example of a page."""
    page = open(path, encoding="utf-8").read()
    found = []
    end = 0
    for block in BLOCK.finditer(page):
        kind, flag, body = block.groups()
        if kind == "sql" and flag != " skip":
            found.append([page.count("\n", 0, block.start()) + 1, flag == " fails", body, None])
        elif kind == "text" and found and not page[end:block.start()].strip():
            found[-1][3] = body
        end = block.end()
    return found


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
    if not any("CREATE EXTENSION" in sql for _, _, sql, _ in examples(path)):
        db.psql("CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate()", database=database)
    for line, fails, sql, expected in examples(path):
        try:
            printed = db.psql(PLAIN + sql, database, "-P", "format=aligned", "-P", "tuples_only=off",
                              "-v", f"DBNAME={database}")
            failed = False
        except cluster.SqlError as error:
            printed, failed = str(error), True
        if failed != fails:
            t.ok(False, f"{name}:{line} {'fails' if fails else 'runs'}", printed)
        elif expected is None:
            t.ok(True, f"{name}:{line} {'fails' if fails else 'runs'}")
        else:
            t.ok(same(printed, expected), f"{name}:{line} prints what the page says", printed)


def story(t, stack):
    tap.require(cluster.missing())
    db = stack.enter_context(cluster.Cluster({"shared_preload_libraries": "nmsp"}))
    for path in [os.path.join(ROOT, "README.md"), *sorted(glob.glob(os.path.join(ROOT, "doc", "*.md")))]:
        if examples(path):
            run_page(t, db, path)


tap.main(story)
