"""Child processes that cannot outlive their maker, ended by process id only."""

import ctypes
import os
import signal
import subprocess

from waiting import Timeout, wait_until

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signum=signal.SIGKILL):
    """Makes a preexec function: the kernel sends `signum` to the child when its maker dies.

    The kernel means the maker's thread, so start long-lived children from the main thread.
    """
    def arrange():
        _libc.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    return arrange


def adopt_orphans():
    """Makes this process the parent of its grandchildren whose parent ends, such as a postmaster.

    Where process 1 reaps late or never, a dead one would look alive to PostgreSQL for ever.
    """
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(argv, log, death_signal=signal.SIGKILL, **options):
    """Starts `argv` as the leader of its own process group, output appended to file `log`."""
    with open(log, "ab") as out:
        return subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out,
                                stderr=out, start_new_session=True,
                                preexec_fn=die_with_parent(death_signal), **options)


def stop(process, signum=signal.SIGTERM, deadline=10.0):
    """Ends a child of `start` and its group (in.tftpd's children); returns its exit status."""
    if process.poll() is None:
        process.send_signal(signum)
        try:
            process.wait(deadline)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return process.returncode


def tail(path, lines=30):
    """The last lines of a log file, or a word why there are none."""
    try:
        with open(path, "rb") as log:
            text = log.read().decode("utf-8", "replace")
    except OSError as error:
        return f"({error})"
    return "\n".join(text.splitlines()[-lines:])


def read_pid(path):
    """The process id in a pid file, or None while there is none."""
    try:
        with open(path) as file:
            return int(file.read().strip() or 0) or None
    except (OSError, ValueError):
        return None


def alive(pid):
    """True while process `pid` runs (a zombie does not)."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def udp_ports(pid):
    """UDP ports bound in the network namespace of process `pid` (IPv4)."""
    with open(f"/proc/{pid}/net/udp") as table:
        return {int(line.split()[1].split(":")[1], 16) for line in table.readlines()[1:]}


def wait_ready(process, ready, log, deadline=10.0, what="daemon"):
    """Waits until `ready()` is true; a process that ended or is late raises with its log."""
    def look():
        if process.poll() is not None:
            raise Timeout(f"{what} ended with status {process.returncode}:\n{tail(log)}")
        return ready()
    try:
        return wait_until(look, deadline=deadline, what=f"{what} ready")
    except Timeout as error:
        raise Timeout(f"{error}\n{tail(log)}") from None
