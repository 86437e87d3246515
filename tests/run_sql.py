#!/usr/bin/python3
"""Runs pgTAP files against a throw-away server and joins their output to one TAP stream.

usage: run_sql.py [FILE ...]        default: tests/sql/[0-9]*.sql

Each file gets a database of its own, made from a template with pgTAP, the extension, its tables
and tests/sql/helpers.sql. No feeder runs. A file is told by the environment where it finds

    NMSP_ROOT      the source tree
    NMSP_VECTORS   conformance vectors (default: <root>/../shared/vectors; tests that need them
                   are skipped where they are absent)

Runs as root (the server is then user postgres's) or as an ordinary user. Exit status: 0 = all
passed.
"""

import glob
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
sys.path.insert(0, os.path.join(TESTS, "lib"))

import cluster  # noqa: E402
import tap  # noqa: E402

TEMPLATE = "nmsp_template"
LINE = 400  # of what a file says beside its tests, this much of a line is shown
SETTINGS = {"shared_preload_libraries": "nmsp", "nmsp.databases": "", "fsync": "off"}


def default_files():
    """The files of tests/sql in order; helpers.sql is none of them."""
    return sorted(glob.glob(os.path.join(TESTS, "sql", "[0-9]*.sql")))


def make_template(db):
    """The database that the others are copied from."""
    db.psql(f"CREATE DATABASE {TEMPLATE}")
    db.psql("CREATE EXTENSION pgtap; CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate()",
            TEMPLATE)
    db.psql_file(os.path.join(TESTS, "sql", "helpers.sql"), TEMPLATE)


def environment():
    """What the files find in \\getenv."""
    vectors = os.path.join(os.path.dirname(ROOT), "shared", "vectors")
    return {**os.environ, "NMSP_ROOT": ROOT,
            "NMSP_VECTORS": os.environ.get("NMSP_VECTORS", vectors)}


def run_file(t, db, path):
    """Runs one file in a fresh database; its tests go on in t's count."""
    name = os.path.basename(path)
    database = "t_" + re.sub(r"[^a-z0-9]", "_", name.lower().removesuffix(".sql"))
    db.psql(f"CREATE DATABASE {database} TEMPLATE {TEMPLATE}")
    t.diag(name)
    process = subprocess.Popen(db.psql_argv(database, "-P", "pager=off", "-f", path), text=True,
                               errors="backslashreplace", env=environment(), cwd="/",
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    planned, seen = None, 0
    for line in process.stdout:
        line = line.rstrip("\n")
        test = re.match(r"(not )?ok \d+( - )?(.*?)(?<!\\)(#\s*(?:SKIP|TODO)\b.*)?$", line, re.I)
        plan = re.match(r"1\.\.(\d+)", line)
        if test:
            seen += 1
            directive = test[4] or ""
            t._line(not test[1], f"{name}: {test[3]}", f" {directive}" if directive else "")
        elif plan:
            planned = int(plan[1])
        elif line:
            t.diag(line.removeprefix("# ")[:LINE])
    status = process.wait()
    t.ok(status == 0 and planned == seen and seen > 0, f"{name} ran to its end",
         f"{seen} tests of {planned}, psql ended with {status}")
    db.psql(f"DROP DATABASE {database}")


def story(t, stack):
    tap.require(cluster.missing())
    db = stack.enter_context(cluster.Cluster(SETTINGS))
    make_template(db)
    for path in sys.argv[1:] or default_files():
        run_file(t, db, os.path.abspath(path))


if __name__ == "__main__":
    tap.main(story)
