#!/usr/bin/python3
"""The throw-away cluster of the daemon stories proves itself (without the extension)."""

import os
import sys

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))

import cluster  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402
from waiting import Timeout, wait_until  # noqa: E402


def clients(t, db):
    t.is_(db.query("SELECT 1, NULL, '', E'a,\"b\"\\nc'"), [["1", None, "", 'a,"b"\nc']],
          "rows come back exactly: NULL, empty, comma, quote, line break")
    t.is_(db.query("SELECT 1 WHERE false"), [], "no rows")
    t.raises(cluster.SqlError, lambda: db.psql("SELECT 1/0"), "an error raises", "division by zero")
    try:
        db.psql("SELECT 1/0")
    except cluster.SqlError as error:
        t.is_(error.sqlstate, "22012", "with its SQLSTATE")
    t.is_(db.value("SHOW work_mem"), "5MB", "settings of the caller count")


def sessions(t, db):
    db.psql("CREATE TABLE public.tried (id int)")
    with db.session() as one:
        one.run("BEGIN")
        one.run("INSERT INTO public.tried VALUES (1)")
        t.is_(db.value("SELECT count(*) FROM public.tried"), "0", "a session holds a transaction")
        t.raises(cluster.SqlError, lambda: one.run("SELECT nothing"), "its errors raise", "42703")
        one.run("ROLLBACK")
        t.is_(one.run("SELECT 7").strip(), "7", "and do not end it")


def waits(t, db):
    t.is_(db.wait_for("SELECT count(*) FROM public.tried", "0"), "0", "a condition that holds")
    t.raises(Timeout, lambda: db.wait_for("SELECT 'last'", "never", deadline=0.1),
             "a deadline tells the last value", "last value: 'last'")


def crashes(t, db):
    first = db.pids("checkpointer")
    t.is_(len(first), 1, "processes are found by kind")
    db.kill9(first[0])
    wait_until(lambda: db.pids("checkpointer"), lambda now: now and now != first, 30,
               "restart after a crash")
    t.ok(True, "the server is back after a killed process")
    db.restart()
    t.is_(db.wait_up(), "1", "a plain restart")
    db.kill9()
    wait_until(db.postmaster_pid, lambda pid: pid is None, 10, "postmaster gone")
    wait_until(lambda: db.start().value("SELECT 1"), lambda one: one == "1", 30, "start again")
    t.is_(db.value("SELECT count(*) FROM public.tried"), "0", "start after a killed postmaster")


def story(t, stack):
    tap.require(cluster.missing())
    db = stack.enter_context(cluster.Cluster({"work_mem": "5MB", "fsync": "off"}))
    clients(t, db)
    sessions(t, db)
    waits(t, db)
    crashes(t, db)
    pid = db.postmaster_pid()
    db.close()
    t.ok(not os.path.exists(db.folder), "the folder is gone")
    t.ok(not processes.alive(pid), "the server is gone")


tap.main(story)
