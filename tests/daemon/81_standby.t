#!/usr/bin/python3
"""A streaming standby takes over: the feeder starts there and mends its files, nmsp-agent follows.

Before that it can be read, and neither its feeder nor anything else of it writes."""

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import cluster  # noqa: E402
import tap  # noqa: E402
import tftp  # noqa: E402
from waiting import wait_until  # noqa: E402

MODEL = """
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1');
INSERT INTO nmsp.netgw_secret VALUES (1, 'secret');
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router)
VALUES (1, 'cm', '10.1.0.0/20', '10.1.0.10', '10.1.15.250', '10.1.0.1');
INSERT INTO nmsp.template (name, source)
VALUES ('base', 'SnmpMibObject sysContact.0 String "{modem.place.0}";');
INSERT INTO nmsp.modem (mac, netgw_id, template_id)
SELECT ('02:00:00:00:00:' || lpad(to_hex(i), 2, '0'))::macaddr, 1, 1 FROM generate_series(1, 20) i;
"""


class Here:
    """In place of a namespace: this one."""

    @staticmethod
    def command(argv):
        return [str(word) for word in argv]


class Standby(cluster.Cluster):
    """A copy of a running server that follows it."""

    def __init__(self, primary, **options):
        super().__init__(primary.settings, **options)
        self.primary = primary

    def init(self):
        os.makedirs(self.sockets, exist_ok=True)
        if self.owner:
            for path in (self.folder, self.sockets):
                shutil.chown(path, self.owner, self.owner)
        self._server_tool("pg_basebackup", "-h", self.primary.sockets, "-U", "postgres", "-D",
                          self.data, "-R", "-X", "stream", "-c", "fast", "-C", "-S", "standby")
        self.configure({"unix_socket_directories": self.sockets})
        return self


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Bed:
    """Primary with a fed folder, its standby, an agent that knows both."""

    def __init__(self, stack):
        self.folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-standby-"))
        os.chmod(self.folder, 0o755)
        self.root = os.path.join(self.folder, "feeds", "tftp")
        os.makedirs(self.root)
        for path in (os.path.dirname(self.root), self.root):
            if os.geteuid() == 0:
                shutil.chown(path, "postgres", "postgres")
        self.primary = stack.enter_context(cluster.Cluster({
            "shared_preload_libraries": "nmsp", "nmsp.databases": "postgres",
            "unix_socket_permissions": "0777", "max_worker_processes": 16,
            "nmsp.feed_roots": os.path.dirname(self.root)}))
        self.primary.psql("CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END'")
        self.primary.psql(MODEL + "INSERT INTO nmsp_feed.target (feed, root) "
                          f"VALUES ('tftpd', '{self.root}')")
        agents.make_role(self.primary)
        self.standby = stack.enter_context(Standby(self.primary))
        self.port = free_port()
        self.agent = stack.enter_context(agents.Agent(
            Here, self.folder, f"{self.primary.sockets},{self.standby.sockets}",
            user="nobody" if os.geteuid() == 0 else None,
            database=f"host={self.primary.sockets},{self.standby.sockets} dbname=postgres "
                     f"user={agents.ROLE} target_session_attrs=read-write",
            download_listen=f"127.0.0.1:{self.port}", download_rate=0))

    def load(self, modem=1, **options):
        """A modem's file as nmsp-agent serves it."""
        return tftp.fetch("127.0.0.1", f"cm/cm-{modem}.cfg", port=self.port, **options).data

    def files(self):
        """Files in the folder, by modem."""
        with contextlib.suppress(FileNotFoundError):
            folder = os.path.join(self.root, "cm")
            return {int(name[3:-4]): open(os.path.join(folder, name), "rb").read()
                    for name in os.listdir(folder) if name.endswith(".cfg")}
        return {}

    def in_place(self, db):
        """Waits until the folder holds what the database says."""
        wanted = {int(key): bytes.fromhex(text) for key, text in db.query(
            "SELECT modem_id, encode(config::bytea, 'hex') FROM nmsp.modem_file")}
        wait_until(self.files, lambda found: found == wanted, 30, "files as SQL says")
        return len(wanted)


def set_place(text, modem=1):
    return (f"INSERT INTO nmsp.modem_option VALUES ({modem}, 'place', '{text}') "
            "ON CONFLICT (modem_id, key) DO UPDATE SET value = excluded.value")


def followed(t, bed):
    t.is_(bed.in_place(bed.primary), 20, "the primary feeds 20 files")
    bed.primary.psql(set_place("before"))
    bed.standby.wait_for("SELECT value FROM nmsp.modem_option", "before", 20)
    t.ok(True, "the standby has what is changed")
    t.is_(bed.standby.value("SELECT count(*) FROM nmsp.worker_status WHERE worker = 'feeder' "
                            "AND pid IS NOT NULL"), "0", "no feeder runs there")
    t.ok(bed.standby.query("SELECT * FROM nmsp.health()"), "nmsp.health() can be asked there")
    t.is_(bed.standby.value("SELECT config::text LIKE '%before%' FROM nmsp.modem_file "
                            "WHERE modem_id = 1"), "t", "and files can be made there, for reports")
    bed.in_place(bed.primary)
    t.ok(b"before" in bed.load(), "nmsp-agent serves from the primary")


def taken_over(t, bed):
    lost = os.path.join(bed.root, "cm", "cm-7.cfg")
    answered, stop = [], threading.Event()

    def keep_loading():
        while not stop.is_set():
            with contextlib.suppress(tftp.TftpTimeout, tftp.TftpError):
                bed.load(2, timeout=0.1, tries=1)
                answered.append(time.monotonic())
    loader = threading.Thread(target=keep_loading)
    loader.start()
    try:
        wait_until(lambda: len(answered), lambda n: n > 20, 10, "downloads")
        bed.primary.kill9()
        begin = time.monotonic()
        os.unlink(lost)
        bed.standby.psql("SELECT pg_promote()")
        bed.standby.wait_for("SELECT count(*) FROM nmsp.worker_status WHERE worker = 'feeder' AND "
                             "state = 'running'", "2", 30)
        feeder = time.monotonic() - begin
        bed.standby.psql(set_place("after"))
        wait_until(lambda: b"after" in bed.load(timeout=0.2, tries=1), bool, 30, "served")
        served = time.monotonic() - begin
    finally:
        stop.set()
        loader.join()
    bed.in_place(bed.standby)
    t.ok(os.path.exists(lost),
         "promoted, its feeder starts, feeds what changes, and mends what is missing")
    t.ok(b"after" in bed.load(), "nmsp-agent has followed")
    gap = max(b - a for a, b in zip(answered, answered[1:]))
    t.diag(f"kill -9 of the primary and promotion -> feeder runs {feeder:.2f} s, a change is "
           f"downloaded {served:.2f} s; longest time without a download {gap:.2f} s")
    bed.standby.wait_for("SELECT count(*) FROM nmsp.download WHERE result = 'served' "
                         "AND modem_id = 1", lambda n: int(n) >= 2, 10)
    t.ok(True, "and records downloads there")


def story(t, stack):
    tap.require(cluster.missing() or agents.missing())
    bed = Bed(stack)
    stack.callback(lambda: t.diag("\n".join([bed.standby.log_tail(), "-- agent", bed.agent.tail()]))
                   if t.failed or sys.exc_info()[0] else None)
    followed(t, bed)
    taken_over(t, bed)


tap.main(story)
