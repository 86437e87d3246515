#!/usr/bin/python3
"""nmsp.mib_object between sessions, and its loader.

What a session has loaded must be what its snapshot sees, whatever other sessions commit meanwhile.
The loader needs smidump and is skipped without it; its MIB modules are in tests/sql/mib.
"""

import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

import cluster  # noqa: E402
import tap  # noqa: E402

MODE = "SELECT encode(nmsp.parse('Main { SnmpMibObject acmeMode.0 Integer 1; }'), 'hex')"
LOADER = os.path.join(ROOT, "extension", "symbols", "load_mib.py")
MODULES = os.path.join(HERE, "mib")



def set_arc(db, arc):
    db.psql("UPDATE nmsp.mib_object SET oid = '1.3.6.1.4.1.99999.%d' WHERE name = 'acmeMode'" % arc)


def mode(session):
    return session.run(MODE).strip()


def sessions_see_their_snapshot(t, db):
    want = db.value("SELECT encode(docsis.parse('Main { SnmpMibObject .1.3.6.1.4.1.99999.1.0 Integer 1; }'), 'hex')")
    db.psql("INSERT INTO nmsp.mib_object (name, module, oid) VALUES ('acmeMode', 'ACME-MIB', '1.3.6.1.4.1.99999.1')")
    with db.session() as old, db.session() as new:
        t.is_(mode(new), want, "a committed object is known")
        old.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        t.is_(mode(old), want, "in a transaction that keeps its snapshot as well")
        set_arc(db, 2)
        second = want.replace("1f01", "1f02")
        t.is_(mode(new), second, "a change of another session is seen by the next statement")
        t.is_(mode(old), want, "not by the snapshot from before")
        old.run("SELECT count(*) FROM pg_class")
        t.is_(mode(old), want, "however often it asks")
        old.run("COMMIT")
        t.is_(mode(old), second, "but as soon as that ends")
        new.run("BEGIN")
        new.run("UPDATE nmsp.mib_object SET oid = '1.3.6.1.4.1.99999.3'")
        t.is_(mode(new), want.replace("1f01", "1f03"), "the session that changes it sees its change")
        t.is_(mode(old), second, "others do not yet")
        new.run("ROLLBACK")
        t.is_(mode(new), second, "nor it after ROLLBACK")
        t.is_(mode(old), second, "nor they")


def notices(db, sql):
    """What psql says beside the result, in the lines of NOTICE, DETAIL and HINT."""
    done = subprocess.run(db.psql_argv("postgres", "-c", sql), capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.startswith(("NOTICE", "DETAIL", "HINT"))]


def ambiguity_is_told(t, db):
    parse = "docsis.parse('Main { SnmpMibObject %s.0 Integer 1; }')"
    said = notices(db, "SELECT %s FROM generate_series(1, 3)" % (parse % "pktcMtaDevEnabled"))
    t.is_(len(said), 3, "a name with several meanings is told once per statement")
    t.ok(said[0].endswith('MIB name "pktcMtaDevEnabled" is ambiguous'), "by its name", *said)
    t.ok("PKTC-MTA-MIB::pktcMtaDevEnabled (1.3.6.1.4.1.4491.2.2.1.1.1.7)" in said[1]
         and "PKTC-IETF-MTA-MIB::pktcMtaDevEnabled (1.3.6.1.2.1.140.1.1.6)" in said[1], "with both objects", *said)
    t.is_(len(notices(db, "SELECT %s, %s" % (parse % "pktcMtaDevEnabled", parse % "pktcMtaDevResetNow"))), 6, "each name")
    t.is_(notices(db, "SELECT " + parse % "PKTC-MTA-MIB::pktcMtaDevEnabled"), [], "not when the module is written")
    t.is_(notices(db, "INSERT INTO nmsp.template (name, source, device) VALUES "
                  "('m', 'SnmpMibObject pktcMtaDevEnabled.0 Integer 1;', 'mta')"), [], "nor for templates")


def load(db, *words):
    """Runs the loader and its SQL; returns what the loader said on stderr."""
    done = subprocess.run([sys.executable, LOADER, *words], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        psql = subprocess.run(db.psql_argv("postgres"), input=done.stdout, text=True, capture_output=True, check=False)
        return done.returncode or psql.returncode, psql.stderr
    return done.returncode, done.stderr


def loader_loads(t, db):
    if shutil.which("smidump") is None:
        t.skip("the loader", "smidump is not there (Debian: smitools)")
        return
    status, said = load(db, "-p", MODULES, os.path.join(MODULES, "NMSP-TEST-MIB"))
    t.ok(status == 0, "a module is loaded", said)
    status, said = load(db, "-p", MODULES, "NMSP-TEST-MIB")
    t.ok(status == 0, "by name, and again", said)
    t.is_(db.value("SELECT count(*) FROM nmsp.mib_object WHERE module = 'NMSP-TEST-MIB'"), "14", "its objects are there once")
    t.is_(db.value("SELECT string_agg(concat_ws('|', name, type, access, ranges, enums::text), ' ' ORDER BY name) FROM nmsp.mib_object "
                   "WHERE name IN ('nmspTestMode', 'nmspTestLabel', 'nmspTestLevel', 'nmspTestAddress')"),
          'nmspTestAddress|IpAddress|read-create nmspTestLabel|OCTET STRING|read-write|0..8 '
          'nmspTestLevel|Integer32|read-write|-5..5,100..100 nmspTestMode|INTEGER|read-write|{"quiet": 1, "loud-one": 2}',
          "with types, access, ranges and labels")
    for text, numeric in (("nmspTestMode.0 Integer loud-one", ".1.3.6.1.4.1.99999.1.1.0 Integer 2"),
                          ("nmspTestStatus.quiet.'ab' Integer createAndGo", ".1.3.6.1.4.1.99999.1.4.1.4.1.97.98 Integer 4"),
                          ("nmspTestMore.1.'ab' Gauge32 7", ".1.3.6.1.4.1.99999.1.5.1.1.1.97.98 Gauge32 7")):
        t.is_(db.value(f"SELECT nmsp.parse($$Main {{ SnmpMibObject {text}; }}$$) = docsis.parse($$Main {{ SnmpMibObject {numeric}; }}$$)"),
              "t", text)
    environment = {**os.environ, "SMIPATH": "/nowhere"}
    done = subprocess.run([sys.executable, LOADER, os.path.join(MODULES, "NMSP-TEST-MIB")], capture_output=True, text=True,
                          check=False, env=environment)
    t.ok(done.returncode == 1 and done.stdout == "" and "-p FOLDER" in done.stderr,
         "without the modules it imports nothing is written, and the cure is told", done.stdout, done.stderr)


def story(t, stack):
    tap.require(cluster.missing())
    db = stack.enter_context(cluster.Cluster({"shared_preload_libraries": "nmsp", "nmsp.databases": ""}))
    t.ok(db.value("SELECT to_regclass('nmsp.mib_object') IS NULL"), "no tables")
    db.psql("CREATE EXTENSION nmsp CASCADE")
    t.is_(db.value("SELECT nmsp.parse('Main { NetworkAccess 1; }')::bytea"), r"\x030101", "nmsp.parse works before nmsp.migrate()")
    db.psql("SELECT nmsp.migrate()")
    t.is_(db.value("SELECT nmsp.parse('Main { NetworkAccess 1; }')::bytea"), r"\x030101", "and after it")
    ambiguity_is_told(t, db)
    sessions_see_their_snapshot(t, db)
    loader_loads(t, db)


tap.main(story)
