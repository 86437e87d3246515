"""Starts and stops ISC dhcpd and tftpd-hpa inside a network namespace.

    dhcpd = daemons.Dhcpd(net.server, folder, config, interface=net.interface).start()
    tftpd = daemons.Tftpd(net.server, root, folder, net.server_address).start()
    boss = daemons.Supervised(net.server, folder, stamp, dhcpd).start()

All of them wait until the daemon serves, keep its log, and are context managers.
"""

import json
import os
import shutil
import signal
import sys

import processes
import supervisor
from waiting import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
DHCPD, TFTPD = "/usr/sbin/dhcpd", "/usr/sbin/in.tftpd"
APPARMOR_PROFILES = "/sys/kernel/security/apparmor/profiles"


def missing():
    """None when both daemons are installed, else the reason in one line."""
    gone = [path for path in (DHCPD, TFTPD) if not os.access(path, os.X_OK)]
    return f"not installed: {', '.join(gone)}" if gone else None


def confined(binary, profiles=APPARMOR_PROFILES):
    """True when AppArmor enforces a profile of `binary` here.

    Debian's profile of dhcpd forbids configurations outside /etc/dhcp.
    """
    try:
        with open(profiles) as lines:
            return any(line.split()[:2] == [binary, "(enforce)"] for line in lines)
    except OSError:
        return False


def unconfined(binary, folder):
    """`binary`, or a copy of it in `folder` (and a word on stderr) when AppArmor confines it."""
    if not confined(binary):
        return binary
    copy = os.path.join(folder, os.path.basename(binary))
    shutil.copy2(binary, copy)
    print(f"# AppArmor enforces a profile of {binary}: running the copy {copy}", file=sys.stderr)
    return copy


class Daemon:
    """A process in a namespace with a log; subclasses say argv and readiness."""

    name = "daemon"

    def __init__(self, namespace, folder):
        self.namespace = namespace
        self.folder = folder
        self.log = os.path.join(folder, f"{self.name}.log")
        self.process = None

    def argv(self):
        """The daemon's command line, as run inside the namespace."""
        raise NotImplementedError

    def ready(self):
        """True once the daemon serves."""
        raise NotImplementedError

    def start(self, deadline=30.0):
        """Starts and waits until it serves; returns self."""
        self.process = processes.start(self.namespace.command(self.argv()), self.log,
                                       signal.SIGTERM if self.name == "supervisor"
                                       else signal.SIGKILL)
        try:
            processes.wait_ready(self.process, self.ready, self.log, deadline, self.name)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, signum=signal.SIGTERM):
        """Ends it; safe to call twice."""
        if self.process is not None:
            processes.stop(self.process, signum)
            self.process = None

    def kill9(self):
        """Ends it as a crash does."""
        self.stop(signal.SIGKILL)

    @property
    def pid(self):
        """Its process id (`ip netns exec` becomes the daemon itself)."""
        return self.process.pid

    def tail(self, lines=30):
        """End of its log."""
        return processes.tail(self.log, lines)

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, *exception):
        self.stop()


class Dhcpd(Daemon):
    """ISC dhcpd for IPv4.

    config: path of dhcpd.conf; folder: where leases, pid file and log go; interface:
    where relayed packets come in (its subnet must be declared in the configuration).
    """

    name = "dhcpd"

    def __init__(self, namespace, folder, config, interface):
        super().__init__(namespace, folder)
        self.config, self.interface = config, interface
        self.leases = os.path.join(folder, "dhcpd.leases")
        self.pid_file = os.path.join(folder, "dhcpd.pid")
        self.binary = unconfined(DHCPD, folder)
        with open(self.leases, "a"):
            pass

    def argv(self):
        return [self.binary, "-4", "-f", "-d", "-cf", self.config, "-lf", self.leases,
                "-pf", self.pid_file, self.interface]

    def check_argv(self):
        """Command line that checks the configuration only."""
        return [self.binary, "-4", "-t", "-cf", self.config]

    def start(self, deadline=30.0):
        if os.path.exists(self.pid_file):
            os.unlink(self.pid_file)
        return super().start(deadline)

    def ready(self):
        return processes.read_pid(self.pid_file) == self.pid

    def leased(self):
        """Addresses whose last entry in the lease file says active."""
        state, address = {}, None
        with open(self.leases, encoding="utf-8", errors="replace") as lines:
            for words in (line.strip(" \t\n;").split() for line in lines):
                if words[:1] == ["lease"]:
                    address = words[1]
                elif words[:2] == ["binding", "state"]:
                    state[address] = words[2]
        return {address for address, word in state.items() if word == "active"}


class Tftpd(Daemon):
    """tftpd-hpa serving `root` on port 69 of `address`; files must be world-readable."""

    name = "tftpd"

    def __init__(self, namespace, root, folder, address, user="nobody"):
        super().__init__(namespace, folder)
        self.root, self.address, self.user = root, address, user

    def argv(self):
        return [TFTPD, "--foreground", "--listen", "--address", f"{self.address}:69",
                "--user", self.user, "--secure", self.root]

    def ready(self):
        return 69 in processes.udp_ports(self.pid)


class Supervised(Daemon):
    """The supervisor with a Dhcpd below it; `stamp` is the file it watches (may not exist yet)."""

    name = "supervisor"

    def __init__(self, namespace, folder, stamp, dhcpd):
        super().__init__(namespace, folder)
        self.stamp, self.dhcpd = stamp, dhcpd
        self.pid_file = os.path.join(folder, "supervised.pid")
        self.events_file = os.path.join(folder, "supervisor.jsonl")

    def argv(self):
        return [sys.executable, os.path.join(HERE, "supervisor.py"), "--watch", self.stamp,
                "--pid-file", self.pid_file, "--ready-file", self.dhcpd.pid_file,
                "--log", self.events_file, "--", *self.dhcpd.argv()]

    def ready(self):
        """The supervisor itself is ready at once; see `wait_event` for its daemon."""
        return True

    def events(self, kind=None):
        """Events so far as dicts (see supervisor.py), all or of one kind."""
        try:
            with open(self.events_file) as lines:
                found = [json.loads(line) for line in lines if line.endswith("\n")]
        except FileNotFoundError:
            return []
        return [event for event in found if kind is None or event["event"] == kind]

    def wait_event(self, kind, count=1, deadline=30.0):
        """Waits until there are `count` events of a kind; returns the last of them."""
        return wait_until(lambda: self.events(kind), lambda found: len(found) >= count, deadline,
                          f"{count} supervisor events {kind!r}")[-1]

    def wait_served(self, deadline=30.0):
        """Waits until the daemon was started with the stamp as it is now; returns that event."""
        stamp = supervisor.identity(self.stamp)
        return wait_until(lambda: self.events("start")[-1], lambda event: event["stamp"] == stamp,
                          deadline, f"start with stamp {stamp}")

    def daemon_pid(self):
        """Process id of the supervised daemon, None while there is none."""
        return processes.read_pid(self.pid_file)


def touch_stamp(stamp, text=None):
    """Rewrites a stamp file as the feeder does: temporary file, then rename."""
    temporary = f"{stamp}.new"
    with open(temporary, "w") as file:
        file.write(text or f"{os.urandom(8).hex()}\n")
    os.replace(temporary, stamp)
