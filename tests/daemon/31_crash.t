#!/usr/bin/python3
"""kill -9 amid a change of 2,000 files: never half a file, and afterwards all is right."""

import contextlib
import os
import random
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import docsis_check  # noqa: E402
import isp as isps  # noqa: E402
import modem  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402
from waiting import wait_until  # noqa: E402

COUNT = 2000
SECRET = "first secret"


class Watcher:
    """Reads files all the time; each read must be a whole file with right MICs."""

    def __init__(self, paths):
        self.paths = paths
        self.reads = 0
        self.broken = []
        self.rates = set()
        self._seen = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="watcher")
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            path = random.choice(self.paths)
            try:
                with open(path, "rb") as file:
                    data = file.read()
                if data not in self._seen:
                    self._seen[data] = docsis_check.check(data, SECRET).rates["ds"][0]
                self.rates.add(self._seen[data])
            except (OSError, docsis_check.ConfigError) as error:
                self.broken.append(f"{path}: {error}")
            self.reads += 1
            self._stop.wait(0.0005)  # leaves the processors to the server

    def stop(self):
        self._stop.set()
        self._thread.join()
        return self


class Bed:
    """2,000 modems of one service class."""

    def __init__(self, t, stack):
        self.isp = isps.Isp(stack, settings={"nmsp.crash_brake": "off", "fsync": "on"})
        self.db, self.sql = self.isp.db, self.isp.db.psql
        self.cmts = self.isp.add_cmts("cmts-1", SECRET)
        template = self.isp.add_template("base", self.isp.TEMPLATE)
        gold = self.isp.add_service_class("gold", self.rate(0), 10_000_000)
        self.isp.feed()
        self.isp.wait_in_step()
        begin = time.monotonic()
        self.sql("INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, name) "
                 "SELECT ('02:00:00:01:' || to_char(g / 100, 'FM00') || ':' "
                 f"|| to_char(g % 100, 'FM00'))::macaddr, {self.cmts.id}, {template}, {gold}, "
                 f"'m' || g FROM generate_series(1, {COUNT}) g")
        self.isp.wait_in_step()
        t.diag(f"INSERT of {COUNT} modems until all is served: {time.monotonic() - begin:.2f} s")
        self.paths = [os.path.join(self.isp.tftp_root, path) for path, in
                      self.db.query("SELECT path FROM nmsp.modem_file ORDER BY modem_id")]
        self.turn = 0

    @staticmethod
    def rate(turn):
        """Downstream rate of the service class after change number `turn`."""
        return 100_000_000 + turn

    def change(self):
        """Changes the rate of all; returns it."""
        self.turn += 1
        self.sql(f"UPDATE nmsp.service_class SET ds_rate = {self.rate(self.turn)}")
        return self.rate(self.turn)

    def new_files(self, rate):
        """How many of the first 200 files have this rate."""
        mark = rate.to_bytes(4, "big")
        return sum(mark in read(path) for path in self.paths[:200])

    def wait_middle(self, rate):
        """Waits until some files have the new rate and some do not."""
        wait_until(lambda: self.new_files(rate), bool, 30, "the first new files", interval=0)
        left = sum(rate.to_bytes(4, "big") not in read(path) for path in self.paths)
        return left

    def wrong_files(self):
        """Paths whose bytes differ from what the database says."""
        rows = self.db.query("SELECT path, encode(config::bytea, 'hex') FROM nmsp.modem_file")
        return [path for path, content in rows
                if read(os.path.join(self.isp.tftp_root, path)) != bytes.fromhex(content)]

    def leftovers(self):
        """Files below the TFTP root that are not configfiles."""
        return sorted({os.path.join(folder, name) for folder, _, names in
                       os.walk(self.isp.tftp_root) for name in names} - set(self.paths))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def afterwards(t, bed, what, watcher, rate):
    """All files, status and folders as they should be."""
    watcher.stop()
    t.is_(watcher.broken[:3], [], f"{what}: {watcher.reads} reads meanwhile, each a whole file")
    t.ok(watcher.rates <= {rate, rate - 1}, f"{what}: either the old or the new one", watcher.rates)
    t.is_(bed.wrong_files()[:3], [], f"{what}: all {COUNT} files are what nmsp.modem_file says")
    t.is_(bed.new_files(rate), 200, f"{what}: with the new rate")
    t.is_(bed.leftovers(), [], f"{what}: no temporary file is left over")
    t.is_(bed.isp.status(), [["dhcpd", "in step", None], ["tftpd", "in step", None]],
          f"{what}: both targets are in step")
    result = modem.CableModem("02:00:00:01:00:01", bed.cmts.relay).boot(expect={"ds_rate": rate})
    t.is_(result.error, None, f"{what}: a modem boots with it")


def undisturbed(t, bed):
    watcher = Watcher(bed.paths)
    begin = time.monotonic()
    rate = bed.change()
    bed.isp.wait_in_step()
    t.diag(f"change of all {COUNT}, undisturbed: {time.monotonic() - begin:.2f} s")
    afterwards(t, bed, "undisturbed", watcher, rate)


def feeder_killed(t, bed):
    pid, postmaster = bed.isp.feeder_pid(), bed.db.postmaster_pid()
    watcher = Watcher(bed.paths)
    rate = bed.change()
    left = bed.wait_middle(rate)
    bed.db.kill9(pid)
    begin = time.monotonic()
    t.ok(0 < left < COUNT, f"feeder killed: {left} of {COUNT} files were old at that moment", left)
    wait_until(lambda: processes.alive(pid), lambda runs: not runs, 10, "the feeder's end")
    bed.db.wait_up()
    up = time.monotonic() - begin
    bed.isp.wait_in_step()
    t.diag(f"kill -9 of the feeder: server up after {up:.2f} s, all served after "
           f"{time.monotonic() - begin:.2f} s")
    t.is_(bed.db.postmaster_pid(), postmaster, "feeder killed: the server restarted on its own")
    afterwards(t, bed, "feeder killed", watcher, rate)


def processes_of(postmaster):
    """The postmaster and all its children."""
    found = [postmaster]
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == postmaster:
            found.append(int(entry))
    return found


def kill_server(bed):
    """kill -9 to every process of the server, as a power cut does; waits until they are gone."""
    found = processes_of(bed.db.postmaster_pid())
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in found:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    wait_until(lambda: [pid for pid in found if processes.alive(pid)], lambda left: not left, 10,
               "the server's end")


def server_killed(t, bed):
    watcher = Watcher(bed.paths)
    rate = bed.change()
    left = bed.wait_middle(rate)
    kill_server(bed)
    begin = time.monotonic()
    t.ok(0 < left < COUNT, f"server killed: {left} of {COUNT} files were old at that moment", left)
    bed.db.start()
    up = time.monotonic() - begin
    bed.isp.wait_in_step()
    t.diag(f"kill -9 of all server processes: started after {up:.2f} s, all served after "
           f"{time.monotonic() - begin:.2f} s")
    afterwards(t, bed, "server killed", watcher, rate)


def tampered(t, bed):
    rate = bed.rate(bed.turn)
    kill_server(bed)
    for path in bed.paths[:20]:
        os.unlink(path)
    for path in bed.paths[20:40]:
        with open(path, "r+b") as file:
            file.write(b"\x03\x01\x00")
    with open(bed.paths[40], "ab") as file:
        file.write(b"tail")
    with open(bed.paths[41], "wb"):
        pass
    with open(f"{bed.isp.tftp_root}/.nmsp-tmp/stray", "wb"):
        pass
    current = os.path.join(bed.isp.dhcpd_root, "current")
    with open(f"{current}/device/3.conf", "w") as file:
        file.write("nonsense;\n")
    os.unlink(f"{current}/device/4.conf")
    begin = time.monotonic()
    bed.db.start()
    wait_until(bed.wrong_files, lambda wrong: not wrong, 60, "mended files")
    bed.isp.wait_in_step()
    t.diag(f"files deleted and changed by hand while it was down: mended "
           f"{time.monotonic() - begin:.2f} s after the start")
    t.is_(sorted(os.listdir(f"{current}/device")), sorted(f"{shard}.conf" for shard in range(16)),
          "tampered: dhcpd's files are complete again")
    t.ok(b"nonsense" not in read(f"{current}/device/3.conf"), "tampered: and right")
    afterwards(t, bed, "tampered", Watcher(bed.paths), rate)


def story(t, stack):
    tap.require(isps.missing())
    processes.adopt_orphans()
    bed = Bed(t, stack)
    stack.callback(lambda: t.diag(bed.isp.trouble()) if t.failed or sys.exc_info()[0] else None)
    for part in (undisturbed, feeder_killed, server_killed, tampered):
        part(t, bed)


tap.main(story)
