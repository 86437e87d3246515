"""A whole small operator: database with feeder, dhcpd, tftpd and CMTSs in namespaces of their own.

    with contextlib.ExitStack() as stack:
        isp = Isp(stack)
        cmts = isp.add_cmts("cmts-1", "its shared secret")
        base = isp.add_template("base", isp.TEMPLATE)
        gold = isp.add_service_class("gold", 100_000_000, 10_000_000)
        isp.add_modem("02:00:00:00:00:01", cmts, template_id=base, service_class_id=gold)
        isp.wait_in_step()
        print(isp.boot("02:00:00:00:00:01").rates)

Nothing is done by hand: rows go in, and what dhcpd and tftpd serve is the feeder's work.
Network n (1, 2, ...) of a CMTS: 10.n.0.0/20 for modems, 10.n.16.0/24 for MTAs,
100.64.4n.0/22 for private and 203.0.113.32(n-1)/27 for public CPEs.
"""

import ipaddress
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "modem"))

import cluster  # noqa: E402
import daemons  # noqa: E402
import modem  # noqa: E402
import netns  # noqa: E402
import processes  # noqa: E402
from cluster import literal  # noqa: E402

FEED_SETTINGS = {"shared_preload_libraries": "nmsp", "nmsp.databases": "postgres",
                 "max_worker_processes": 16, "unix_socket_permissions": "0700"}


def missing():
    """None when one can be made here, else the reason in one line."""
    return netns.available() or daemons.missing() or cluster.missing()


class IspCmts:
    """A CMTS: its row (id), its pools' ids by purpose, networks, and the relay (`relay`)."""

    def __init__(self, row_id, number, relay, pools, networks):
        self.id, self.number, self.relay = row_id, number, relay
        self.pools, self.networks = pools, networks

    def holds(self, address, purpose="cm"):
        """True when an address lies in the network of a purpose."""
        return ipaddress.ip_address(address) in self.networks[purpose]


class Isp:
    """See the module. stack: an ExitStack that takes all of it down; folder: kept when given;
    settings: more for postgresql.conf; name: beginning of the namespaces' names.

    Attributes: db (cluster.Cluster), net, dhcpd, boss (its supervisor), tftpd, cmts (by name),
    tftp_root, dhcpd_root.
    """

    TEMPLATE = """
        UsServiceFlow
        {
            UsServiceFlowRef 1;
            QosParamSetType 7;
            MaxRateSustained {qos.us_rate_max_help.0};
        }
        DsServiceFlow
        {
            DsServiceFlowRef 2;
            QosParamSetType 7;
            MaxRateSustained {qos.ds_rate_max_help.0};
        }
        SnmpMibObject sysContact.0 String "noc@example.net";
        SnmpMibObject sysLocation.0 String "{modem.place.0}";
    """

    def __init__(self, stack, folder=None, settings=None, name="nmsp"):
        self.folder = folder or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="nmsp-isp-", ignore_cleanup_errors=True))
        os.chmod(self.folder, 0o755)
        self.stack = stack
        self.cmts = {}
        self._devices = {}
        self.tftp_root = self._folder("feeds", "tftp", owner="postgres")
        self.dhcpd_root = self._folder("feeds", "dhcpd", owner="postgres")
        self.run_folder = self._folder("run")
        self._start_network(name)
        self._start_database(settings or {})

    def _folder(self, *names, owner=None):
        path = self.folder
        for name in names:
            path = os.path.join(path, name)
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o755)
            if owner:
                shutil.chown(path, owner, owner)
        return path

    def _start_network(self, name):
        self.net = self.stack.enter_context(netns.Network(prefix=name))
        self.stamp = os.path.join(self.dhcpd_root, "ready")
        self.dhcpd = daemons.Dhcpd(self.net.server, self.run_folder,
                                   os.path.join(self.dhcpd_root, "current", "dhcpd.conf"),
                                   self.net.interface)
        self.boss = self.stack.enter_context(
            daemons.Supervised(self.net.server, self.run_folder, self.stamp, self.dhcpd))
        self.tftpd = self.stack.enter_context(
            daemons.Tftpd(self.net.server, self.tftp_root, self.run_folder,
                          self.net.server_address))

    def _start_database(self, settings):
        self.commands = os.path.join(self.folder, "commands")
        self.write_commands(f"dhcpd-check {self.dhcpd.binary} -t -4 -cf check.conf\n")
        self.db = cluster.Cluster(
            {**FEED_SETTINGS, "nmsp.feed_roots": os.path.dirname(self.tftp_root),
             "nmsp.command_file": self.commands, **settings},
            folder=self._folder("pg"))
        self.stack.enter_context(self.db)
        self.db.psql("CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END'")
        self.db.psql(f"UPDATE nmsp.setting SET provisioning_server = "
                     f"{literal(self.net.server_address)}, dns_server = '{{9.9.9.9,1.1.1.1}}', "
                     "default_lease_time = 3600, max_lease_time = 7200")

    def write_commands(self, text):
        """Writes the command file (nmsp.command_file)."""
        with open(self.commands, "w") as file:
            file.write(text)
        os.chmod(self.commands, 0o644)

    def feed(self):
        """Makes the targets: from here on the feeder keeps tftpd and dhcpd equal to the rows."""
        self.db.psql("INSERT INTO nmsp_feed.target (feed, root) VALUES "
                     f"('tftpd', {literal(self.tftp_root)}), ('dhcpd', {literal(self.dhcpd_root)})")

    # -- rows

    def insert(self, table, **columns):
        """INSERT of one row; returns its id."""
        names = ", ".join(columns)
        values = ", ".join(literal(value) for value in columns.values())
        return int(self.db.value(f"INSERT INTO nmsp.{table} ({names}) VALUES ({values}) "
                                 "RETURNING id"))

    def add_cmts(self, name, secret, purposes=("cm", "cpe_private", "cpe_public", "mta")):
        """A CMTS with its secret, pools, namespace and relay; returns a IspCmts."""
        number = len(self.cmts) + 1
        networks = {key: ipaddress.ip_network(net) for key, net in (
            ("cm", f"10.{number}.0.0/20"), ("mta", f"10.{number}.16.0/24"),
            ("cpe_private", f"100.64.{4 * number}.0/22"),
            ("cpe_public", f"203.0.113.{32 * (number - 1)}/27")) if key in purposes}
        row_id = self.insert("netgw", name=name)
        self.db.psql(f"INSERT INTO nmsp.netgw_secret VALUES ({row_id}, {literal(secret)})")
        pools = {key: self.insert("pool", netgw_id=row_id, purpose=key, network=net,
                                  range_start=net[10], range_end=net[-6], router=net[1])
                 for key, net in networks.items()}
        giaddr = str(networks["cm"][1])
        space = self.net.add_cmts(name, giaddrs=[giaddr], pools=networks.values())
        relay = self.stack.enter_context(
            modem.Cmts(name, self.net.server_address, giaddr, secret, space.name))
        self.cmts[name] = IspCmts(row_id, number, relay, pools, networks)
        return self.cmts[name]

    def add_service_class(self, name, ds_rate, us_rate):
        """A service class (bit/s); returns its id."""
        return self.insert("service_class", name=name, ds_rate=ds_rate, us_rate=us_rate)

    def add_template(self, name, source, **columns):
        """A template; returns its id."""
        return self.insert("template", name=name, source=source, **columns)

    def add_modem(self, mac, cmts, fixed=False, **columns):
        """A modem behind a IspCmts, with an address from its pool when `fixed`; returns its id."""
        row_id = self.insert("modem", mac=mac, netgw_id=cmts.id, **columns)
        if fixed:
            self.db.psql("UPDATE nmsp.modem SET address = "
                         f"nmsp.allocate_address({cmts.pools['cm']}) WHERE id = {row_id}")
        self.place(mac, cmts)
        return row_id

    MTA_TEMPLATE = """
        SnmpMibObject pktcMtaDevEnabled.0 Integer 1;
        SnmpMibObject sysName.0 String "{mta.hostname.0}";
        SnmpMibObject sysContact.0 String "{phonenumber.e164.0} {phonenumber.username.0}";
        SnmpMibObject sysLocation.0 String "{phonenumber.e164.1} {phonenumber.username.1}";
        SnmpMibObject ifAdminStatus.9 Integer {{phonenumber.active.0},?,2};
        SnmpMibObject ifAdminStatus.10 Integer {{phonenumber.active.1},?,2};
    """

    def add_mta(self, mac, modem_id, **columns):
        """An MTA in or behind a modem, with MTA_TEMPLATE unless it has a template_id; returns its id."""
        if "template_id" not in columns:
            self.db.psql("INSERT INTO nmsp.template (name, device, source) VALUES ('mta', 'mta', "
                         f"{literal(self.MTA_TEMPLATE)}) ON CONFLICT (name) DO NOTHING")
            columns["template_id"] = self.db.value("SELECT id FROM nmsp.template WHERE name = 'mta'")
        return self.insert("mta", mac=mac, modem_id=modem_id, **columns)

    # -- devices

    def place(self, mac, cmts, **options):
        """Plugs a modem in behind a CMTS (its row is another matter); returns the CableModem."""
        self._devices[mac] = modem.CableModem(mac, cmts.relay, **options)
        return self._devices[mac]

    def device(self, mac):
        """The CableModem that `place` or `add_modem` made."""
        return self._devices[mac]

    def boot(self, mac, **options):
        """Boots a modem -> BootResult (see modem.py); raises BootError."""
        return self.device(mac).boot(**options)

    def boot_all(self, macs, **options):
        """Boots modems side by side; returns results in order, failed ones with `error`."""
        return modem.boot_all([self.device(mac) for mac in macs], **options)

    # -- state

    def status(self):
        """Rows of nmsp_feed.status: [feed, state, error]."""
        return self.db.query("SELECT feed, state, error FROM nmsp_feed.status ORDER BY feed")

    def wait_in_step(self, deadline=60.0):
        """Waits until both targets are in step and dhcpd runs with what is in place."""
        self.db.wait_for("SELECT string_agg(format('%s: %s, queue %s, bulk %s of %s, error %s', "
                         "feed, state, queue, bulk_done, bulk_total, error), '; ') "
                         "FROM nmsp_feed.status WHERE state <> 'in step'",
                         lambda value: value is None, deadline)
        self.boss.wait_served(deadline)

    def feeder_pid(self, deadline=60.0):
        """Process id of the feeder, waited for."""
        return int(self.db.wait_for("SELECT pid FROM nmsp.worker_status "
                                    "WHERE worker = 'feeder' AND state = 'running'",
                                    lambda pid: pid is not None, deadline))

    def trouble(self):
        """What a reader of a failed test wants to see."""
        return "\n".join(["-- server log", self.db.log_tail(25), "-- supervisor and dhcpd",
                          processes.tail(self.boss.log, 25)])
