"""What the parts of feed_bench.py share: a server with two databases of the same model, a million
modems and ten thousand, and daemons in network namespaces.

The server runs with fsync as in production. What was built is kept in FEED_BENCH_FOLDER where that is
set, and found there by the next run; else it goes into a folder that is removed at the end.
"""

import csv
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import cluster  # noqa: E402
import kea  # noqa: E402
import netns  # noqa: E402
import processes  # noqa: E402

MODEMS = int(os.environ.get("NMSP_BENCH_MODEMS") or 1_000_000)
FEW = min(10_000, MODEMS)
CHANGES = int(os.environ.get("FEED_BENCH_CHANGES") or 1_000)
SECONDS = float(os.environ.get("FEED_BENCH_SECONDS") or 4)
ROUNDS = int(os.environ.get("FEED_BENCH_ROUNDS") or 3)
PER_NETWORK = 62_500
SECRET = "bench secret "
SERVER_SETTINGS = {"shared_preload_libraries": "nmsp", "unix_socket_permissions": "0777",
                   "shared_buffers": "1536MB", "max_wal_size": "4GB", "checkpoint_timeout": "15min",
                   "max_worker_processes": 16, "autovacuum_naptime": "1min", "wal_compression": "on"}

csv.field_size_limit(1 << 30)


def say(line=""):
    print(line, flush=True)


def result(name, ours, other, ratio, target, met):
    """The line that counts."""
    say(f"bench {name} ours={ours} other={other} ratio={ratio} target={target} {'met' if met else 'short'}")


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def high_water(pid):
    """Peak of a process's resident memory, in MB."""
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) / 1024


def cpu_seconds(pids):
    """User and system time of processes that are still there."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                words = stat.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(words[11]) + int(words[12])
    return total / os.sysconf("SC_CLK_TCK")


def numbers(text):
    """"name=1.5 ..." as a dict."""
    return {name: float(value) for name, value in re.findall(r"(\w+)=([0-9.]+)", text)}


class Database:
    """One of the two databases: `name`, `modems`."""

    def __init__(self, db, name, modems):
        self.db, self.name, self.modems = db, name, modems

    def sql(self, text):
        return self.db.psql(text, self.name)

    def value(self, text):
        return self.db.value(text, self.name)

    def query(self, text):
        return self.db.query(text, self.name)

    def session(self):
        return self.db.session(self.name)

    def sessions_of(self, user):
        """Process ids of a role's sessions."""
        return [int(pid) for pid, in self.query("SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                                                f"AND usename = '{user}' ORDER BY pid")]

    def build(self):
        begin = time.monotonic()
        self.db.psql(f"CREATE DATABASE {self.name}")
        self.sql("CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END'")
        with open(os.path.join(HERE, "template.txt")) as text:
            words = {"template": text.read(), "modems": self.modems, "secret": SECRET,
                     "per_network": PER_NETWORK, "server": "172.20.0.1"}
        self.db.psql("", self.name, *[word for name, value in words.items() for word in ("-v", f"{name}={value}")],
                     "-f", os.path.join(HERE, "feed_model.sql"))
        size = self.value("SELECT pg_size_pretty(pg_database_size(current_database()))")
        say(f"  {self.name}: {self.modems} modems in {time.monotonic() - begin:.0f} s, {size}")


class Bed:
    """See the module. Attributes: db, net, load (the namespace of all CMTSs), big, few, folder."""

    def __init__(self, stack):
        self.stack = stack
        folder = os.environ.get("FEED_BENCH_FOLDER")
        self.keep = bool(folder)
        if folder is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-feed-", ignore_cleanup_errors=True))
        self.folder = os.path.abspath(folder)
        self.run_folder = self.make_folder("run")
        self.roots = self.make_folder("feeds", owner="postgres")
        self.net, self.load = self.make_network()
        self.addresses = itertools.count(2)
        self.programs = self._compile()
        self._start_database()
        if self.db.value("SELECT 1 FROM pg_roles WHERE rolname = 'kea'") is None:
            self.db.psql(f"CREATE ROLE kea LOGIN; CREATE ROLE {agents.ROLE} LOGIN")
        self.few = self.database("few", FEW)
        self.big = self.database("big", MODEMS)

    def make_network(self):
        """A provisioning network of its own: (it, the namespace of all its CMTSs)."""
        net = self.stack.enter_context(netns.Network(prefix="nmspbench"))
        return net, net.add_cmts("all", pools=["10.0.0.0/8", "100.64.0.0/10"])

    def make_folder(self, *names, owner=None):
        path = self.folder
        for name in ("", *names):
            path = os.path.join(path, name)
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o755)
        if owner:
            shutil.chown(path, owner, owner)
        return path

    def fresh_folder(self, *names, owner=None):
        shutil.rmtree(os.path.join(self.folder, *names), ignore_errors=True)
        return self.make_folder(*names, owner=owner)

    def _compile(self):
        folder = self.make_folder("bin")
        for name in ("dhcp_load", "tftp_load", "fork_exit", "write_files"):
            subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wno-sign-compare",
                            "-Wno-unused-parameter", "-Wno-missing-field-initializers", "-Werror",
                            os.path.join(HERE, f"{name}.c"), "-o", os.path.join(folder, name)], check=True)
        return folder

    def _start_database(self):
        place = self.make_folder("pg")
        there = os.path.exists(os.path.join(place, "data", "PG_VERSION"))
        self.commands = os.path.join(self.folder, "commands")
        open(self.commands, "a").close()
        self.db = cluster.Cluster({**SERVER_SETTINGS, "nmsp.databases": "", "nmsp.feed_roots": self.roots,
                                   "nmsp.command_file": self.commands}, folder=place)
        if self.keep:
            self.db.close = self.db.stop
        if not there:
            self.db.init()
        # in the server's namespace: what it runs speaks to the daemons there
        with self.net.server.entered():
            self.db.start()
        self.stack.callback(self.db.close)

    def database(self, name, modems):
        """The database of that name; built when it is not there."""
        one = Database(self.db, name, modems)
        if self.db.value(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") is None:
            one.build()
            one.sql(f"CALL nmsp.grant_to('kea', 'kea'); CALL nmsp.grant_to('{agents.ROLE}', 'agent'); CHECKPOINT")
        elif int(one.value("SELECT count(*) FROM nmsp.modem")) != modems:
            raise RuntimeError(f"{self.folder} holds another number of modems")
        return one

    # -- load

    def _numbers(self, argv, load=None):
        done = subprocess.run((load or self.load).command(argv), capture_output=True, text=True, check=True)
        found = numbers(done.stdout)
        found["said"] = done.stderr.strip()
        return found

    def dhcp(self, server, database, concurrent=32, seconds=SECONDS, which="all", load=None):
        """Four-way exchanges of that database's modems with the server at an address: what dhcp_load.c prints."""
        return self._numbers([os.path.join(self.programs, "dhcp_load"), server, self.net.server_address, database.modems,
                              PER_NETWORK, concurrent, seconds, which], load)

    def tftp(self, server, names, concurrent=64, seconds=SECONDS, form="cm/%scm-%d.cfg"):
        """Downloads from the server at an address: what tftp_load.c prints."""
        return self._numbers([os.path.join(self.programs, "tftp_load"), server, 69, form, names, concurrent, seconds])

    # -- daemons

    def own_address(self):
        """One more address of the server's namespace: daemons beside each other, taking turns under load."""
        address = f"172.20.0.{next(self.addresses)}"
        self.net.server.ip("addr", "add", f"{address}/24", "dev", self.net.interface)
        return address

    def kea4(self, database, hosts=None):
        """kea-dhcp4 on an address of its own (`address`), with the configuration that the database makes
        (`text`); hosts: changes of hosts-database."""
        address = self.own_address()
        folder = self.fresh_folder("run", address)
        hook = shutil.copy2(kea.build_hook(), folder)
        config = os.path.join(folder, "kea-dhcp4.conf")
        server = kea.Kea(4, self.net.server, folder, config)
        server.address = address
        settings = {"interfaces": [f"{self.net.interface}/{address}"], "hook": hook, "severity": "WARN",
                    "control_socket": server.control, "lease_file": server.leases,
                    "database": {"host": self.db.sockets, "name": database.name, **(hosts or {})}}
        text = database.value(f"SELECT nmsp_kea.dhcp4_config({cluster.literal(json.dumps(settings))})")
        with open(config, "w") as file:
            file.write(text)
        server.text = json.loads(text)
        return server
