"""Starts and stops nmsp-agent inside a network namespace.

    agent = agents.Agent(net.server, folder, db.sockets, download_listen="*:69").start()

Further settings are keyword arguments as in the agent's configuration file. The agent is started
as root and becomes `user`; the database's socket must be open for it.
"""

import glob
import os
import shutil
import signal
import subprocess

import cluster
import daemons
import processes

ROLE = "nmsp_agent"


def binary():
    """Path of the installed program, or of the one in build/."""
    installed = os.path.join(cluster.bin_folder(), "nmsp-agent")
    built = os.path.join(os.path.dirname(daemons.HERE), os.pardir, "build", "nmsp-agent")
    return installed if os.access(installed, os.X_OK) else shutil.which("nmsp-agent") or built


def missing():
    """None when there is an agent to run, else the reason in one line."""
    return None if os.access(binary(), os.X_OK) else f"not built: {binary()}"


def make_role(db):
    """The role the agent connects as, with the rights it needs."""
    db.psql(f"CREATE ROLE {ROLE} LOGIN; CALL nmsp.grant_to('{ROLE}', 'agent')")


class Agent(daemons.Daemon):
    """nmsp-agent; `settings` go into its configuration file (None: left out)."""

    name = "agent"

    def __init__(self, namespace, folder, sockets, user="nobody", **settings):
        super().__init__(namespace, folder)
        self.file = os.path.join(folder, "nmsp-agent.conf")
        self.settings = {"name": "test", "user": user,
                         "database": f"host={sockets} dbname=postgres user={ROLE}", **settings}
        self.write()

    def write(self, **changes):
        """Writes the configuration file, with changes; they count after reload() or start()."""
        self.settings.update(changes)
        with open(self.file, "w") as file:
            for key, value in self.settings.items():
                if value is not None:
                    file.write(f"{key} = {value}\n")

    def argv(self):
        return [binary(), "-c", self.file]

    def ready(self):
        return 'LOG:  database is there' in processes.tail(self.log, 20)

    def start(self, deadline=30.0):
        if os.path.exists(self.log):
            os.unlink(self.log)
        return super().start(deadline)

    def reload(self):
        """Makes it read its file again."""
        self.process.send_signal(signal.SIGHUP)


def ldap_dhcpd(folder):
    """A dhcpd that can look hosts up: the installed one if it can, else that of the package
    isc-dhcp-server-ldap, unpacked into `folder` (nothing is installed). None: there is none."""
    if _can_look_up(daemons.DHCPD):
        return daemons.DHCPD
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    subprocess.run(["apt-get", "download", "isc-dhcp-server-ldap"], check=False, **quiet)
    for package in glob.glob(os.path.join(folder, "isc-dhcp-server-ldap_*.deb")):
        subprocess.run(["dpkg", "-x", package, folder], check=False, **quiet)
    unpacked = os.path.join(folder, "usr/sbin/dhcpd")
    return unpacked if _can_look_up(unpacked) else None


def _can_look_up(path):
    try:
        with open(path, "rb") as program:
            return b"ldap-method" in program.read()
    except OSError:
        return False
