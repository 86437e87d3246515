"""Starts and keeps the demo's daemons, and takes them away: a detached process per demo folder.

The keeper is the parent of the supervisor (of dhcpd) and of tftpd, which cannot outlive it.
`state.json` in the folder says who it is; `stop` ends what it names, in any state of decay.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ("lib", "modem")]

import isp as isps  # noqa: E402
import processes  # noqa: E402
from waiting import wait_until  # noqa: E402

FOLDER = os.environ.get("NMSP_DEMO") or "/var/tmp/nmsp-demo"
STATE = os.path.join(FOLDER, "state.json")
LOG = os.path.join(FOLDER, "keeper.log")
NAME = "nmsp-demo"
CMTS = {"cmts-1": ("10.1.0.1", ["10.1.0.0/20", "100.64.4.0/22"]),
        "cmts-2": ("10.2.0.1", ["10.2.0.0/20"])}


class Problem(Exception):
    """Something the user must know: what happened and what to do."""


def read_state():
    """What the keeper wrote, {} when there is none."""
    try:
        with open(STATE) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def write_state(**facts):
    """Puts the state in place in one piece."""
    with open(f"{STATE}.new", "w") as file:
        json.dump({"pid": os.getpid(), **facts}, file)
    os.replace(f"{STATE}.new", STATE)


def keep():
    """The keeper: starts everything, says so in the state, waits for its end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    write_state()
    with contextlib.ExitStack() as stack:
        isp = isps.Isp(stack, folder=os.path.join(FOLDER, "isp"), name=NAME)
        spaces = {name: isp.net.add_cmts(name, [giaddr], pools).name
                  for name, (giaddr, pools) in CMTS.items()}
        write_state(ready=True, sockets=isp.db.sockets, bindir=isp.db.bindir, spaces=spaces,
                    tftp_root=isp.tftp_root, dhcpd_root=isp.dhcpd_root, dhcpd_log=isp.boss.log,
                    leases=isp.dhcpd.leases, server=isp.net.server_address)
        while True:
            signal.pause()


def start():
    """Starts a keeper in a fresh folder; returns its state once all of it runs."""
    reason = isps.missing()
    if reason:
        raise Problem(f"The demo cannot run here: {reason}.")
    if os.path.exists(FOLDER) and not os.path.exists(STATE) and os.listdir(FOLDER):
        raise Problem(f"{FOLDER} is not a demo's folder. Name another one: "
                      "NMSP_DEMO=/var/tmp/other make demo")
    stop()
    os.makedirs(os.path.join(FOLDER, "isp"), mode=0o755)
    os.chmod(FOLDER, 0o755)
    with open(LOG, "wb") as log:
        process = subprocess.Popen([sys.executable, os.path.join(HERE, "demo.py"), "keep"],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                   start_new_session=True)

    def ready():
        if process.poll() is not None:
            raise Problem(f"The daemons did not start:\n{processes.tail(LOG)}")
        return read_state().get("ready")

    try:
        wait(ready)
    except Problem:
        stop()
        raise
    return read_state()


def wait(ready):
    """wait_until, but a Problem ends it at once."""
    problems = []

    def look():
        try:
            return ready()
        except Problem as problem:
            problems.append(problem)
            return True
    wait_until(look, deadline=120, what=f"start of the daemons (see {LOG})")
    if problems:
        raise problems[0]


def _runs(pid, *words):
    """True when process `pid` runs and its command line has all the words."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            line = file.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return False
    return processes.alive(pid) and all(word in line for word in words)


def _end(pid, signum, *words):
    """Ends a process that is what we think it is; SIGKILL when it does not listen."""
    if not pid or not _runs(pid, *words):
        return
    os.kill(pid, signum)
    try:
        wait_until(lambda: not _runs(pid, *words), deadline=20, what=f"end of process {pid}")
    except Exception:
        os.kill(pid, signal.SIGKILL)


def stop():
    """Takes a demo away, however much of it is left; True when there was one."""
    if not os.path.exists(STATE):
        return False
    pid = read_state().get("pid")
    _end(pid, signal.SIGTERM, "demo.py", "keep")
    data = os.path.join(FOLDER, "isp", "pg", "data")
    try:
        with open(os.path.join(data, "postmaster.pid")) as file:
            _end(int(file.readline()), signal.SIGQUIT, "postgres", data)
    except (OSError, ValueError):
        pass
    spaces = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    for name in spaces:
        if pid and name.startswith(f"{NAME}-{pid}-"):
            for inside in subprocess.run(["ip", "netns", "pids", name], capture_output=True,
                                         text=True).stdout.split():
                os.kill(int(inside), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name])
    shutil.rmtree(FOLDER, ignore_errors=True)
    return True
