"""The whole house for the fault tests: every daemon, every worker, one database.

    server namespace     postgres with the feeder, dhcpd (supervised), tftpd, named, nmsp-agent
    another one          Kea, which wants the same port as dhcpd
    outside              nmsp-agent -f, the feeder of another machine ("edge-1")

Both agents reach the database through a proxy.Wire that can be cut.
"""

import json
import os
import random
import tempfile

import agents
import cluster
import daemons
import isp as isps
import kea
import modem
import named
import netns
import processes
from cluster import literal

import proxy

AGENT_ADDRESS, LOOKUP_PORT = "172.20.0.3", 3890
DOMAIN = "nmsp.test"
ZONES = [DOMAIN, "10.in-addr.arpa", "64.100.in-addr.arpa", "113.0.203.in-addr.arpa"]
FEEDS = {"tftpd": "tftp", "dhcpd": "dhcpd", "kea4": "kea4", "bind": "bind"}


def missing():
    """None when all of it can be made here, else the reason in one line."""
    return isps.missing() or agents.missing() or kea.missing() or named.missing()


class Server(cluster.Cluster):
    """A cluster inside a namespace."""

    namespace = None

    def start(self):
        with self.namespace.entered():
            return super().start()


class FeedAgent(agents.Agent):
    """nmsp-agent -f."""

    name = "feed-agent"

    def argv(self):
        return [agents.binary(), "-f", "-c", self.file]

    def ready(self):
        return "feeder of the targets" in processes.tail(self.log, 20)


class Host:
    """The machine itself, for daemons that live in no namespace."""

    @staticmethod
    def command(argv):
        return list(map(str, argv))


class House(isps.Isp):
    """See the module. kinds: which targets there are (keys of FEEDS, and edge); modems: rows;
    agent: more settings of the agent that serves."""

    def __init__(self, stack, seed=1, modems=180, kinds=(*FEEDS, "edge"), settings=None,
                 agent=None):
        self.kinds, self.seed, self.rng = kinds, seed, random.Random(seed)
        self.agent_settings = {"download_rate": 0, **(agent or {})}
        super().__init__(stack, settings={"nmsp.crash_brake": "off", "fsync": "on", "jit": "off",
                                          "unix_socket_permissions": "0777", **(settings or {})},
                         name="nmspflt")
        self.edge_root = self._folder("edge")
        self.log_folder = self._folder("agents")
        self._wires()
        self._rows(modems)
        commands = f"dhcpd-check {self.dhcpd.binary} -t -4 -cf check.conf\n"
        if "bind" in kinds:
            commands += self._prepare_named()
        if "kea4" in kinds:
            commands += self._prepare_kea()
        self.write_commands(commands)
        self._targets()
        self._agents()

    # -- making it

    def _start_database(self, settings):
        Server.namespace = self.net.server
        self.net.server.run(["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"])
        self.net.server.ip("addr", "add", f"{AGENT_ADDRESS}/24", "dev", self.net.interface)
        self.commands = os.path.join(self.folder, "commands")
        self.write_commands("")
        self.db = Server({**isps.FEED_SETTINGS,
                          "nmsp.feed_roots": os.path.dirname(self.tftp_root),
                          "nmsp.command_file": self.commands, **settings},
                         folder=self._folder("pg"))
        self.stack.enter_context(self.db)
        self.db.psql("CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END'")
        self.db.psql(f"UPDATE nmsp.setting SET domain_name = '{DOMAIN}', provisioning_server = "
                     f"{literal(self.net.server_address)}, default_lease_time = 3600, "
                     "max_lease_time = 7200; UPDATE nmsp_feed.feed SET grace = '0'")

    def _wires(self):
        self.wires = {}
        for name in ("serve", "feed"):
            wire = self.wires[name] = proxy.Wire(self.db.sockets, os.path.join(self.folder, f"w-{name}"))
            self.stack.callback(wire.close)

    def _rows(self, modems):
        for name, secret in (("cmts-1", "first secret"), ("cmts-2", "the second one")):
            self.add_cmts(name, secret)
        base = self.add_template("base", self.TEMPLATE.replace("noc@", "noc1@"))
        self.add_template("short", 'SnmpMibObject sysContact.0 String "noc2@example.net";', parent_id=base)
        for number, name in enumerate(("bronze", "silver", "gold"), 1):
            self.add_service_class(name, number * 10_000_000, number * 1_000_000)
        self.db.psql(
            "INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id) SELECT "
            "('02:00:00:00:' || lpad(to_hex(g / 256), 2, '0') || ':' || lpad(to_hex(g % 256), 2, '0'))"
            f"::macaddr, 1 + g % 2, {base}, 1 + g % 3 FROM generate_series(1, {modems}) g;"
            "UPDATE nmsp.modem SET address = nmsp.allocate_address((SELECT id FROM nmsp.pool p WHERE "
            "p.netgw_id = modem.netgw_id AND purpose = 'cm')) WHERE id <= 2")

    def _prepare_named(self):
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-named-"))
        os.chmod(folder, 0o755)
        self.named = named.Named(self.net.server, folder, self.net.server_address)
        self.named.probe = DOMAIN
        self.stack.callback(self.named.stop)
        self.key = named.make_key()
        key_file = os.path.join(self.folder, "tsig.key")
        with open(os.open(key_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            out.write(self.key)
        owner = os.stat(self.db.data)
        os.chown(key_file, owner.st_uid, owner.st_gid)
        return (f"bind-update /usr/bin/nsupdate -v -t 5 -k {key_file}\n"
                f"bind-read /usr/bin/dig -k {key_file} -f -\n")

    def _start_named(self):
        files = dict(self.db.query("SELECT file, content FROM nmsp_feed.bind_zones()"))
        self.named.configure(self.key, files.pop("named.conf"), files.items()).start()
        self.db.psql("UPDATE nmsp_feed.target SET enabled = true WHERE feed = 'bind'")

    def _prepare_kea(self):
        self.net2 = self.stack.enter_context(netns.Network(prefix="nmspflk"))
        self.relays2 = {}
        for name, cmts in self.cmts.items():
            giaddr = cmts.relay.giaddr
            space = self.net2.add_cmts(name, giaddrs=[giaddr], pools=cmts.networks.values())
            self.relays2[name] = self.stack.enter_context(
                modem.Cmts(name, self.net2.server_address, giaddr, None, space.name))
        hook = os.path.join(self.folder, os.path.basename(kea.HOOK))
        for path, copy in ((kea.build_hook(), hook), (kea.APPLY, os.path.join(self.folder, "apply"))):
            with open(path, "rb") as source, open(copy, "wb") as out:
                out.write(source.read())
            os.chmod(copy, 0o755)
        self.kea_root = self._folder("feeds", "kea4", owner="postgres")
        state = self._folder("kea-state", owner="postgres")
        self.kea = kea.Kea(4, self.net2.server, self.run_folder,
                           os.path.join(self.kea_root, "current", "kea-dhcp4.conf"))
        self.kea_settings = {"interfaces": ["*"], "hook": hook, "control_socket": self.kea.control,
                             "lease_file": self.kea.leases,
                             "database": {"host": self.db.sockets, "name": "postgres"}}
        self.db.psql("CREATE ROLE kea LOGIN; CALL nmsp.grant_to('kea', 'kea'); UPDATE nmsp_feed.feed "
                     "SET reload_command = 'kea4-apply' WHERE name = 'kea4'")
        check = " ".join(self.kea.check_argv("kea-dhcp4.conf"))
        return (f"kea4-check {check}\nkea4-apply {self.folder}/apply {self.kea.control} "
                f"%r/current/kea-dhcp4.conf {state}/kea4.json\n")

    def root(self, feed):
        """Folder of a target of the server's own feeder."""
        return os.path.join(os.path.dirname(self.tftp_root), FEEDS[feed])

    def _targets(self):
        settings = {"kea4": getattr(self, "kea_settings", {}), "bind": {
            "server": self.net.server_address, "zones": ZONES,
            "folder": self.named.folder if "bind" in self.kinds else ""}}
        for feed in self.kinds:
            if feed == "edge":
                self._target("tftpd", self.edge_root, {"agent": "edge-1"}, "edge")
            else:
                self._target(feed, self.root(feed), settings.get(feed, {}), enabled=feed != "bind")
        if "bind" in self.kinds:
            self._start_named()

    def _target(self, feed, root, settings, name="default", enabled=True):
        self.db.psql("INSERT INTO nmsp_feed.target (feed, name, root, settings, enabled) VALUES "
                     f"({literal(feed)}, {literal(name)}, {literal(root)}, "
                     f"{literal(json.dumps(settings))}, {enabled})")

    def _agents(self):
        agents.make_role(self.db)
        self.db.psql("CREATE ROLE feeder LOGIN; CALL nmsp.grant_to('feeder', 'worker')")
        self.agent = agents.Agent(
            self.net.server, self._folder("agents", "serve"), self.wires["serve"].folder,
            download_listen=f"{AGENT_ADDRESS}:69", time_listen=f"{AGENT_ADDRESS}:37",
            lookup_listen=f"127.0.0.1:{LOOKUP_PORT}", **self.agent_settings)
        self.feed_agent = FeedAgent(
            Host, self._folder("agents", "feed"), self.wires["feed"].folder, user=None,
            database=f"host={self.wires['feed'].folder} dbname=postgres user=feeder",
            feed_agent="edge-1", feed_roots=self.edge_root, feed_poll_ms=50)
        self.stack.enter_context(self.agent)
        if "edge" in self.kinds:
            self.stack.enter_context(self.feed_agent)

    def start_kea(self):
        """Kea, once its configuration is there."""
        if "kea4" in self.kinds:
            self.stack.enter_context(self.kea)

    # -- what runs

    def wait_in_step(self, deadline=60.0):
        """Waits until every target is in step, and dhcpd runs with what is in place."""
        self.db.wait_for("SELECT string_agg(concat_ws(' ', feed, name, state, error), '; ') FROM nmsp_feed.status "
                         "WHERE enabled AND state <> 'in step'", lambda value: value is None, deadline)
        if "dhcpd" in self.kinds:
            self.boss.wait_served(deadline)

    def feeder(self, deadline=60.0):
        """Waits for the server's feeder; returns its process id."""
        return self.feeder_pid(deadline)

    def trouble(self):
        """What a reader of a failed test wants to see."""
        logs = [self.agent.log, self.feed_agent.log]
        logs += [daemon.log for daemon in (getattr(self, "kea", None), getattr(self, "named", None)) if daemon]
        return "\n".join([super().trouble(), *(f"-- {log}\n{processes.tail(log, 12)}" for log in logs)])
