#!/usr/bin/python3
"""The feed engine outside the server: nmsp-agent -f keeps the targets that name it, through
restarts of the database and kill -9 of itself; the server's feeder leaves them alone."""

import os
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib")]

import agents  # noqa: E402
import cluster  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402
from waiting import wait_until  # noqa: E402

MODEL = """
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1');
INSERT INTO nmsp.netgw_secret VALUES (1, 'secret');
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router)
VALUES (1, 'cm', '10.1.0.0/20', '10.1.0.10', '10.1.15.250', '10.1.0.1');
INSERT INTO nmsp.template (name, source) VALUES ('base', 'SnmpMibObject sysContact.0 String "{modem.place.0}";');
INSERT INTO nmsp.modem (mac, netgw_id, template_id)
SELECT ('02:00:00:00:00:' || lpad(to_hex(i), 2, '0'))::macaddr, 1, 1 FROM generate_series(1, 50) i;
CREATE ROLE feeder LOGIN;
CALL nmsp.grant_to('feeder', 'worker');
"""
RELOAD = "#!/bin/sh\necho reloaded >> \"$1/../reloads\"\n"


class Feeder:
    """nmsp-agent -f over a cluster."""

    def __init__(self, db, folder):
        self.db, self.folder = db, folder
        self.root = os.path.join(folder, "tftp")
        self.log = os.path.join(folder, "feeder.log")
        self.file = os.path.join(folder, "agent.conf")
        script = os.path.join(folder, "reload.sh")
        for path, text in ((script, RELOAD), (os.path.join(folder, "commands"),
                                              f"noted {script} %r\n"),
                           (self.file, f"database = host={db.sockets} dbname=postgres user=feeder\n"
                            f"feed_agent = edge-1\nfeed_roots = {folder}\nfeed_poll_ms = 20000\n"
                            f"feed_command_file = {folder}/commands\n")):
            with open(path, "w") as file:
                file.write(text)
        os.chmod(script, 0o755)
        self.process = None

    def start(self):
        self.process = processes.start([agents.binary(), "-f", "-c", self.file], self.log)
        return self

    def stop(self, signum=signal.SIGTERM):
        begin = time.monotonic()
        status = processes.stop(self.process, signum)
        return status, time.monotonic() - begin

    def files(self):
        try:
            return {name: open(os.path.join(self.root, "cm", name), "rb").read()
                    for name in os.listdir(os.path.join(self.root, "cm"))}
        except FileNotFoundError:
            return {}

    def wanted(self):
        return {path[3:]: bytes.fromhex(content) for path, content in self.db.query(
            "SELECT path, encode(config::bytea, 'hex') FROM nmsp.modem_file")}

    def in_step(self):
        wait_until(lambda: self.files() == self.wanted(), bool, 15, "files as SQL says")
        return True


def story(t, stack):
    tap.require(cluster.missing() or agents.missing())
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-edge-"))
    db = stack.enter_context(cluster.Cluster({"shared_preload_libraries": "nmsp",
                                              "nmsp.databases": "postgres",
                                              "nmsp.feed_roots": folder}))
    db.psql("CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END'")
    db.psql(MODEL)
    db.psql("UPDATE nmsp_feed.feed SET reload_command = 'noted' WHERE name = 'tftpd'")
    feeder = Feeder(db, folder)
    stack.callback(lambda: t.diag(processes.tail(feeder.log)) if t.failed or sys.exc_info()[0]
                   else None)
    db.psql("INSERT INTO nmsp_feed.target (feed, root, settings) VALUES "
            f"('tftpd', '{feeder.root}', '{{\"agent\": \"edge-1\"}}')")
    db.wait_for("SELECT count(*) FROM nmsp.worker_status WHERE worker = 'feeder' AND "
                "state = 'running'", "2")
    t.is_(db.value("SELECT count(*) FROM nmsp_feed.targets()"), "0",
          "the target is none of the server's own")
    stack.callback(lambda: processes.stop(feeder.process))
    feeder.start()
    t.ok(feeder.in_step(), "50 files are in place")
    wait_until(lambda: os.path.exists(os.path.join(folder, "reloads")), bool, 10, "the reload command")
    t.ok(True, "the reload command was run, as the agent")
    t.is_(os.stat(os.path.join(feeder.root, "cm", "cm-1.cfg")).st_uid, os.geteuid(),
          "the agent wrote them")
    times = []
    for turn in range(10):
        db.psql("INSERT INTO nmsp.modem_option VALUES (7, 'place', 'p') ON CONFLICT (modem_id, key)"
                f" DO UPDATE SET value = 'place {turn}'")
        begin = time.monotonic()
        wait_until(lambda: feeder.files()["cm-7.cfg"] == feeder.wanted()["cm-7.cfg"], bool, 10)
        times.append(time.monotonic() - begin)
    t.diag(f"commit -> in place: median {sorted(times)[5] * 1000:.0f} ms (it looks every 20 s, and is notified)")
    t.is_(db.query("SELECT name, state, serves, pid FROM nmsp.worker_status WHERE worker = 'agent'"),
          [["edge-1", "running", "{feed}", str(feeder.process.pid)]], "the agent has reported")
    t.is_(db.value("SELECT state FROM nmsp.health() WHERE component = 'agent \"edge-1\" (feed)'"), "ok", "and is well")
    db.psql("UPDATE nmsp_feed.agent SET seen = seen - interval '1 min'")
    t.is_(db.value("SELECT state FROM nmsp.health() WHERE component = 'agent \"edge-1\" (feed)'"), "error",
          "health() shows one that is silent")
    db.psql("DELETE FROM nmsp.modem WHERE id = 9")
    t.ok(feeder.in_step(), "a deleted modem's file goes")
    db.restart("immediate")
    db.psql("UPDATE nmsp.netgw_secret SET shared_secret = 'another one'")
    t.ok(feeder.in_step(), "after a crash of the database it goes on by itself")
    t.is_(feeder.process.poll(), None, "the same process")
    feeder.stop(signal.SIGKILL)
    db.psql("UPDATE nmsp.setting SET max_cpe = 9")
    os.unlink(os.path.join(feeder.root, "cm", "cm-1.cfg"))
    feeder.start()
    t.ok(feeder.in_step(), "after kill -9 it mends what it missed and what was lost")
    db.psql("UPDATE nmsp_feed.target SET settings = '{}'")
    db.psql("UPDATE nmsp.setting SET max_cpe = 3")
    db.wait_for("SELECT error FROM nmsp_feed.target", lambda error: "another feeder" in (error or "")
                or "rights" in (error or "") or "ermission" in (error or ""), 20)
    t.ok(True, "two feeders never write one folder: the server's own says why it cannot")
    db.psql("UPDATE nmsp_feed.target SET settings = '{\"agent\": \"edge-1\"}'")
    t.ok(feeder.in_step(), "given back, the agent goes on")
    status, seconds = feeder.stop()
    t.is_(status, 0, "SIGTERM ends it")
    t.ok(seconds < 2, "at once", seconds)


tap.main(story)
