"""kill -9 and cut connections at random points of a storm, each point judged by the oracle.

A kind is a function (house) that does the harm, brings back what does not come back by itself, and
returns once the workers run again.
"""

import contextlib
import os
import signal
import time

import processes
from waiting import Timeout, wait_until

import oracle

DEADLINE = 60.0  # after that a point counts as lost
BAR = 5.0        # seconds within which all is to be right again


def of_server(postmaster):
    """The postmaster and its children."""
    found = [postmaster]
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat") as stat:
            if int(stat.read().rsplit(")", 1)[1].split()[1]) == postmaster:
                found.append(int(entry))
    return found


def runs(pid):
    """True while it does; reaps it when it is ours (see processes.adopt_orphans)."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return os.path.exists(f"/proc/{pid}")


def gone(pids, deadline=20.0):
    """Waits until these processes are no more."""
    wait_until(lambda: [pid for pid in pids if runs(pid)], lambda left: not left, deadline,
               "the end of the killed", interval=0.005)


def kill(pids):
    """SIGKILL to all of them at once."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def feeder(house):
    """The in-server feeder: PostgreSQL restarts all backends, the launcher the feeder."""
    pid = house.feeder()
    kill([pid])
    gone([pid])
    house.db.wait_up()
    house.feeder()


def whole_server(house):
    """The postmaster and every process of it, as when the machine loses its memory."""
    pids = of_server(house.db.postmaster_pid())
    kill(pids)
    gone(pids)
    house.db.start()
    house.feeder()


def postmaster(house):
    """The postmaster alone: its children must notice and end by themselves."""
    pids = of_server(house.db.postmaster_pid())
    kill(pids[:1])
    gone(pids)
    house.db.start()
    house.feeder()


def restarted(daemon):
    """A kind: a daemon of tests/lib dies and is started again."""
    def harm(house):
        one = getattr(house, daemon)
        one.kill9()
        one.start()
    return harm


def named_down(house):
    """named is away for a while: updates fail meanwhile."""
    house.named.kill9()
    time_away(house)
    house.named.start()


def kea_down(house):
    """The same with Kea."""
    house.kea.kill9()
    time_away(house)
    house.kea.start()


def time_away(house):
    """Lets the storm go on: some 20 changes are made meanwhile."""
    end = time.monotonic() + 3
    seen = house.storm.committed
    with contextlib.suppress(Timeout):
        wait_until(lambda: house.storm.committed, lambda n: n > seen + 20, end - time.monotonic(), "changes")


def dhcpd(house):
    """dhcpd itself; its supervisor starts it again."""
    pid = house.boss.daemon_pid()
    if pid is not None:
        kill([pid])
    wait_until(house.boss.daemon_pid, lambda now: now not in (None, pid), 30, "dhcpd again")


def cut(name):
    """A kind: the agent's connections break amid a message."""
    def harm(house):
        wire = house.wires[name]
        wire.cut(after=house.rng.choice([1, 50, 500, 5000]))
        with contextlib.suppress(Timeout):
            wait_until(lambda: wire._cut_after, lambda after: after is None, 1.0, "the cut")
        wire.cut()
    return harm


def frozen(name):
    """A kind: the agent's connections carry nothing for a while, and nobody is told."""
    def harm(house):
        wire = house.wires[name]
        wire.freeze()
        time_away(house)
        wire.thaw()
    return harm


def without_database(house):
    """The machine comes up before the database: both agents wait for it; Kea exits, and comes up once
    whoever keeps it (Restart=always) starts it again."""
    pids = of_server(house.db.postmaster_pid())
    kill(pids)
    gone(pids)
    waiting = [house.agent] + ([house.feed_agent] if "edge" in house.kinds else [])
    for one in waiting:
        one.kill9()
        os.unlink(one.log)
        one.process = processes.start(one.namespace.command(one.argv()), one.log)
    if "kea4" in house.kinds:
        house.kea.kill9()
        with contextlib.suppress(Timeout):
            house.kea.start(20)
    house.db.start()
    house.feeder()
    if "kea4" in house.kinds and house.kea.process.poll() is not None:
        house.kea.start()
    for one in waiting:
        processes.wait_ready(one.process, one.ready, one.log, 20, one.name)


KINDS = {
    "feeder killed": feeder,
    "server killed": whole_server,
    "postmaster killed": postmaster,
    "agent (download, look-up) killed": restarted("agent"),
    "agent (feed) killed": restarted("feed_agent"),
    "dhcpd killed": dhcpd,
    "tftpd killed": restarted("tftpd"),
    "named killed": restarted("named"),
    "named away": named_down,
    "Kea killed": restarted("kea"),
    "Kea away": kea_down,
    "daemons started before database": without_database,
    "connection cut (download)": cut("serve"),
    "connection cut (feed)": cut("feed"),
    "connection silent (feed)": frozen("feed"),
}


def blow(house, least, most):
    """Lets the storm run for a random while."""
    end = time.monotonic() + house.rng.uniform(least, most)
    while time.monotonic() < end:
        time.sleep(0.005)


def point(house, tally, kind, storm):
    """One point: storm, harm, the storm's end, judgement. Returns the losses as text, and what came
    right last when that was late."""
    house.storm = storm
    storm.start()
    losses = []
    seconds = None
    try:
        blow(house, 0.05, 0.8)
        KINDS[kind](house)
        blow(house, 0.0, 0.2)
    finally:
        storm.stop()
    try:
        seconds, last = oracle.converge(house, time.monotonic(), DEADLINE)
    except Timeout as error:
        losses.append(str(error)[:1500])
    if storm.lost():
        losses.append(f"{storm.lost()} confirmed commits are gone")
    tally.add(kind, seconds, losses)
    return losses, f"{seconds:.2f} s: {last}" if seconds and seconds > BAR else None


@contextlib.contextmanager
def standing_still(house):
    """Inside, every process of the server stands still; afterwards there is none any more."""
    pids = of_server(house.db.postmaster_pid())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        kill(pids)
        gone(pids)
