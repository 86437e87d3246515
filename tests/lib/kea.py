"""Starts and stops Kea inside a network namespace, and speaks to its control socket.

    kea4 = kea.Kea(4, net.server, folder, config).start()
    kea4.command("config-get")

The configuration is to name `kea4.control`, `kea4.leases` and, for cm_flexid, `kea.HOOK`.
"""

import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import daemons
import isp as isps  # also puts tests/modem on the path
import processes
from cluster import literal
from waiting import wait_until

import dhcp6

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
HOOK = os.path.join(ROOT, "build", "kea", "libnmsp_cm_flexid.so")
APPLY = os.path.join(ROOT, "workers", "kea", "nmsp-kea-apply")
BINARIES = {4: "/usr/sbin/kea-dhcp4", 6: "/usr/sbin/kea-dhcp6"}


def missing():
    """None when Kea runs here and the hook can be built, else the reason in one line."""
    gone = [path for path in BINARIES.values() if not os.access(path, os.X_OK)]
    if gone:
        return f"not installed: {', '.join(gone)}"
    if not os.path.exists("/usr/include/kea/hooks/hooks.h"):
        return "kea-dev is not installed"
    return None


def build_hook():
    """Builds the hook (make kea-hook); returns its path."""
    done = subprocess.run(["make", "-s", "-C", ROOT, "kea-hook"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"make kea-hook: {done.stdout}")
    return HOOK


class Kea(daemons.Daemon):
    """kea-dhcp4 or kea-dhcp6 (`version`) with a folder of its own for sockets, leases and logs."""

    def __init__(self, version, namespace, folder, config):
        self.name = f"kea-dhcp{version}"
        super().__init__(namespace, folder)
        self.version, self.config = version, config
        self.binary = daemons.unconfined(BINARIES[version], folder)
        self.control = os.path.join(folder, f"kea{version}.sock")
        self.leases = os.path.join(folder, f"kea-leases{version}.csv")
        self.environment = {"KEA_LOCKFILE_DIR": "none", "KEA_PIDFILE_DIR": folder,
                            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def argv(self):
        # The control socket is for the feeder too, which is not root.
        return ["/bin/sh", "-c", 'umask 0; exec "$@"', "sh", self.binary, "-c", self.config]

    def start(self, deadline=30.0):
        if os.path.exists(self.control):
            os.unlink(self.control)
        self.process = processes.start(self.namespace.command(self.argv()), self.log,
                                       signal.SIGKILL, env=self.environment)
        processes.wait_ready(self.process, self.ready, self.log, deadline, self.name)
        return self

    def check_argv(self, config):
        """Command line that checks a configuration only."""
        return ["/usr/bin/env", "KEA_LOCKFILE_DIR=none", f"KEA_PIDFILE_DIR={self.folder}",
                self.binary, "-t", config]

    def ready(self):
        return self.command("status-get")["result"] == 0

    def command(self, name, arguments=None):
        """One command; returns Kea's whole answer."""
        message = {"command": name, **({} if arguments is None else {"arguments": arguments})}
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(60)
            sock.connect(self.control)
            sock.sendall(json.dumps(message).encode())
            answer = b""
            while part := sock.recv(1 << 20):
                answer += part
        return json.loads(answer)

    def lease_lines(self):
        """The lease file's rows as dicts, oldest first."""
        with open(self.leases) as file:
            names = file.readline().rstrip("\n").split(",")
            return [dict(zip(names, line.rstrip("\n").split(","))) for line in file]


class Supervised(daemons.Supervised):
    """The supervisor with a Kea in it, which it starts again `pause` seconds after each end."""

    def __init__(self, server, stamp, pause):
        super().__init__(server.namespace, server.folder, stamp, server)
        self.name, self.pause = f"supervisor{server.version}", pause
        self.log = os.path.join(self.folder, f"{self.name}.log")
        self.pid_file = os.path.join(self.folder, f"{self.name}.pid")
        self.events_file = os.path.join(self.folder, f"{self.name}.jsonl")

    def argv(self):
        variables = [f"{name}={value}" for name, value in self.dhcpd.environment.items()]
        return [sys.executable, os.path.join(HERE, "supervisor.py"), "--watch", self.stamp,
                "--pid-file", self.pid_file, "--log", self.events_file, "--pause", str(self.pause),
                "--", "/usr/bin/env", *variables, *self.dhcpd.argv()]


class KeaIsp(isps.Isp):
    """An Isp whose DHCP server is Kea: `kea4`, and `kea6` with `ipv6=True`, fed by the database."""

    SERVER6 = "2001:db8:ffff::1"

    def __init__(self, stack, ipv6=False, **options):
        self.kea, self.versions = {}, (4, 6) if ipv6 else (4,)
        super().__init__(stack, name="nmspkea", **options)
        self.hook = os.path.join(self.folder, os.path.basename(HOOK))
        shutil.copy2(build_hook(), self.hook)
        self.apply = shutil.copy2(APPLY, os.path.join(self.folder, "nmsp-kea-apply"))
        self.state = self._folder("feeds", "kea-state", owner="postgres")
        self.db.psql("CREATE ROLE kea LOGIN; CALL nmsp.grant_to('kea', 'kea')")
        commands = ""
        for version in self.versions:
            commands += self._prepare(version)
        self.write_commands(commands)

    def _prepare(self, version):
        root = self._folder("feeds", f"kea{version}", owner="postgres")
        config = os.path.join(root, "current", f"kea-dhcp{version}.conf")
        server = self.kea[version] = Kea(version, self.net.server, self.run_folder, config)
        self.db.psql(f"UPDATE nmsp_feed.feed SET reload_command = 'kea{version}-apply' "
                     f"WHERE name = 'kea{version}'")
        check = " ".join(server.check_argv(f"kea-dhcp{version}.conf"))
        return (f"kea{version}-check {check}\n"
                f"kea{version}-apply {self.apply} {server.control} "
                f"%r/current/kea-dhcp{version}.conf {self.state}/kea{version}.json\n")

    def kea_settings(self, version):
        """Settings of the target (see nmsp_kea.dhcp4_config)."""
        # Any interface: the check runs as PostgreSQL's user, outside of the namespace.
        server = self.kea[version]
        return {"interfaces": ["*"], "hook": self.hook,
                "control_socket": server.control, "lease_file": server.leases,
                "database": {"host": self.db.sockets, "name": "postgres"}}

    def feed(self, files=True):
        """Makes the targets (files: tftpd's too), waits for the configuration, and starts Kea."""
        rows = [("tftpd", self.tftp_root, {})] if files else []
        for version in self.versions:
            rows.append((f"kea{version}", os.path.join(self.folder, "feeds", f"kea{version}"),
                         self.kea_settings(version)))
        values = ", ".join(f"({literal(feed)}, {literal(root)}, {literal(json.dumps(settings))})"
                           for feed, root, settings in rows)
        self.db.psql(f"INSERT INTO nmsp_feed.target (feed, root, settings) VALUES {values}")
        self.wait_in_step()
        for server in self.kea.values():
            self.stack.enter_context(server)

    def wait_in_step(self, deadline=60.0):
        """Waits until every target is in step."""
        self.db.wait_for("SELECT string_agg(format('%s: %s, queue %s, error %s', feed, state, "
                         "queue, error), '; ') FROM nmsp_feed.status WHERE enabled AND state <> 'in step'",
                         lambda value: value is None, deadline)

    def trouble(self):
        """What a reader of a failed test wants to see."""
        logs = [f"-- {server.name}\n{server.tail(40)}" for server in self.kea.values()]
        return "\n".join(["-- server log", self.db.log_tail(25), *logs])

    def add_ipv6(self, cmts, interface="up0"):
        """IPv6 for a CMTS of `add_cmts`: pools, addresses in its namespace; returns the relay.

        Pools: 2001:db8:n::/64 for modems, 2001:db8:10n::/64 and prefixes /56 of
        2001:db8:n000::/40 for public CPEs, 2001:db8:20n::/64 for private ones.
        """
        number = cmts.number
        for purpose, name, delegated in (("cm", f"{number}", None),
                                         ("cpe_public", f"10{number}", f"2001:db8:{number}000::/40"),
                                         ("cpe_private", f"20{number}", None)):
            base = f"2001:db8:{name}::"
            cmts.pools[f"{purpose}6"] = self.insert(
                "pool", netgw_id=cmts.id, purpose=purpose, network=f"{base}/64",
                range_start=f"{base}1:0", range_end=f"{base}1:ffff", router=f"{base}1",
                delegated_prefix=delegated, delegated_length=56 if delegated else None)
            cmts.networks[f"{purpose}6"] = ipaddress.ip_network(f"{base}/64")
        space = self.net.cmts[cmts.relay.name]
        self.net.server.ip("addr", "replace", f"{self.SERVER6}/64", "dev", self.net.interface, "nodad")
        space.ip("addr", "replace", f"2001:db8:ffff::{number}1/64", "dev", interface, "nodad")
        # Every address of the modems' network is local, as in CmtsNamespace.add_pool.
        space.run(["sysctl", "-qw", "net.ipv6.ip_nonlocal_bind=1"])
        space.ip("-6", "route", "replace", "local", str(cmts.networks["cm6"]), "dev", "lo")
        self.net.server.ip("-6", "route", "replace", str(cmts.networks["cm6"]), "via",
                           f"2001:db8:ffff::{number}1")
        wait_until(lambda: space.ip("-6", "addr", "show", "dev", interface, "tentative"),
                   lambda text: not text, 10, "IPv6 addresses in use")
        return self.stack.enter_context(
            dhcp6.Relay6(space.entered, interface, f"2001:db8:{number}::1"))
