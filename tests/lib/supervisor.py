#!/usr/bin/python3
"""Keeps a daemon running and restarts it whenever a stamp file changes.

    supervisor.py --watch ROOT/ready --pid-file DAEMON.pid --log GAPS.jsonl -- argv...

Does what nmsp-dhcpd.path and nmsp-dhcpd.service do under systemd:

- starts the daemon when the stamp is there (it need not exist yet, nor its folder);
- restarts it when the stamp changes (a burst of changes becomes one restart);
- restarts it when it dies, at once the first time, then with growing pauses, or always after
  --pause seconds (RestartSec= of a unit);
- stops it on SIGTERM or SIGINT.

A restart is SIGKILL and start: ISC dhcpd fsyncs each lease before its ACK, so
nothing is lost, and the polite way takes a second longer. Daemons that need
another signal get it with --signal.

--ready-file is the pid file that the daemon itself writes when it serves; the
gap (kill .. ready) is measured up to it. Each start is a line of JSON in --log:
event, reason, old, new, gap_ms, stamp.
"""

import argparse
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from processes import die_with_parent, read_pid  # noqa: E402

IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_TO, IN_DELETE_SELF, IN_MOVE_SELF = 0x4, 0x8, 0x80, 0x400, 0x800
IN_NONBLOCK, IN_CLOEXEC = 0x800, 0x80000
POLL_SECONDS = 0.01
READY_SECONDS = 300.0
STEADY_SECONDS = 5.0


def identity(path):
    """What tells one stamp from the next: None while there is no file.

    The content counts too: two stamps within one tick of the clock may share inode
    number and time.
    """
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            return f"{status.st_ino}.{status.st_mtime_ns}.{zlib.crc32(file.read(4096)):08x}"
    except OSError:
        return None


class FolderWatch:
    """inotify on the folder of the stamp; only a reason to look again, never the truth."""

    def __init__(self, path):
        self.folder = os.path.dirname(os.path.abspath(path))
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        self.watched = None

    def arm(self):
        """Watches the folder as it is now (it may be new); True when watching."""
        try:
            folder = os.stat(self.folder).st_ino
        except OSError:
            self.watched = None
            return False
        if self.fd >= 0 and folder != self.watched:
            mask = IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
            if self.libc.inotify_add_watch(self.fd, os.fsencode(self.folder), mask) >= 0:
                self.watched = folder
        return self.watched is not None

    def drain(self):
        """Throws the events away."""
        try:
            while os.read(self.fd, 4096):
                pass
        except (BlockingIOError, OSError):
            pass


class Supervisor:
    """One daemon, one stamp."""

    def __init__(self, args):
        self.args = args
        self.child = None
        self.applied = None
        self.started = 0.0
        self.failures = 0
        self.not_before = 0.0
        self.stopping = False
        self.watch = FolderWatch(args.watch)
        self.wake_in, self.wake_out = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self):
        """Works until told to stop; returns the exit status."""
        signal.set_wakeup_fd(self.wake_out, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        try:
            while not self.stopping:
                armed = self.watch.arm()
                self._step()
                self._wait(armed)
        finally:
            self._end()
        return 0

    def _stop(self, *_):
        self.stopping = True

    def _step(self):
        """Compares what should be with what is, and acts once."""
        stamp = identity(self.args.watch)
        if self.child is not None and self.child.poll() is not None:
            self._died()
        elif self.child is not None and stamp is not None and stamp != self.applied:
            self._replace(stamp)
        elif self.child is None and stamp is not None:
            if stamp != self.applied:
                self._start("stamp", None, None)
            elif time.monotonic() >= self.not_before:
                self._start("died", None, None)

    def _wait(self, armed):
        """Sleeps until a signal, an event of the folder or the next thing due."""
        seconds = 1.0 if armed else POLL_SECONDS
        if self.child is None:
            seconds = min(seconds, max(0.0, self.not_before - time.monotonic()) or seconds)
        if self.stopping:
            return
        ready, _, _ = select.select([self.wake_in] + [self.watch.fd] * armed, [], [], seconds)
        if self.wake_in in ready:
            os.read(self.wake_in, 4096)
        if self.watch.fd in ready:
            self.watch.drain()

    def _replace(self, stamp):
        """Kills the running daemon and starts the next at once."""
        old = self.child.pid
        begin = time.monotonic()
        self.child.send_signal(self.args.signal)
        self._reap()
        self._start("stamp", old, begin)

    def _reap(self):
        try:
            self.child.wait(self.args.stop_seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child = None

    def _start(self, reason, old, begin):
        """Starts the daemon and waits until it is ready; the stamp is read before, so a
        change during the start leads to another restart and none is lost."""
        self.applied = identity(self.args.watch)
        ready_file = self.args.ready_file
        if ready_file and os.path.exists(ready_file):
            os.unlink(ready_file)
        begin = begin or time.monotonic()
        self.started = time.monotonic()
        self.child = subprocess.Popen(self.args.argv, stdin=subprocess.DEVNULL,
                                      preexec_fn=die_with_parent())
        self._write_pid()
        ready = self._ready()
        self._log("start" if ready else "not-ready", reason=reason, old=old, new=self.child.pid,
                  gap_ms=round((time.monotonic() - begin) * 1000, 1), stamp=self.applied)

    def _ready(self):
        """True once the daemon wrote its own pid file (at once without --ready-file)."""
        if not self.args.ready_file:
            return self.child.poll() is None
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end and not self.stopping and self.child.poll() is None:
            if read_pid(self.args.ready_file) == self.child.pid:
                return True
            time.sleep(0.001)
        return False

    def _died(self):
        """Notes the death; the first is mended at once, repeated ones with growing pauses."""
        lived = time.monotonic() - self.started
        self.failures = 1 if lived > STEADY_SECONDS else self.failures + 1
        pause = self.args.pause
        if pause is None:
            pause = 0.0 if self.failures == 1 else min(0.1 * 2 ** self.failures, 10.0)
        self.not_before = time.monotonic() + pause
        self._log("died", old=self.child.pid, status=self.child.returncode,
                  lived_ms=round(lived * 1000, 1), pause_ms=round(pause * 1000))
        self.child = None

    def _write_pid(self):
        if self.args.pid_file:
            temporary = f"{self.args.pid_file}.new"
            with open(temporary, "w") as file:
                file.write(f"{self.child.pid}\n")
            os.replace(temporary, self.args.pid_file)

    def _log(self, event, **facts):
        line = {"time": round(time.time(), 3), "event": event, **facts}
        print(" ".join(f"{key}={value}" for key, value in line.items()), flush=True)
        if self.args.log:
            with open(self.args.log, "a") as log:
                log.write(json.dumps(line) + "\n")

    def _end(self):
        if self.child is not None and self.child.poll() is None:
            old = self.child.pid
            self.child.terminate()
            self._reap()
            self._log("stopped", old=old)


def _signal_number(name):
    return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]


def _arguments(argv):
    parser = argparse.ArgumentParser(description="Restarts a daemon when a stamp file changes.")
    parser.add_argument("--watch", required=True, help="the stamp file")
    parser.add_argument("--pid-file", help="where to write the daemon's pid")
    parser.add_argument("--ready-file", help="pid file that the daemon writes when it serves")
    parser.add_argument("--log", help="JSON lines, one per event")
    parser.add_argument("--signal", type=_signal_number, default=signal.SIGKILL,
                        help="signal of a restart (default KILL)")
    parser.add_argument("--pause", type=float,
                        help="seconds between a death and the next start (default: growing)")
    parser.add_argument("--stop-seconds", type=float, default=5.0,
                        help="patience after the signal before SIGKILL")
    parser.add_argument("argv", nargs="+", help="the daemon, after --")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(Supervisor(_arguments(sys.argv[1:])).run())
