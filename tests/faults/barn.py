"""A server with feed targets on a disk that may fail; no daemons but dhcpd's own check.

What the oracle wants of a house, a barn has too: db, kinds, root(), tftp_root.
"""

import os
import tempfile

import cluster
import daemons
import isp as isps
from cluster import literal


class Barn:
    """disk: made by `make_disk(path)`; server_there: the database is on it too."""

    kinds = ("tftpd", "dhcpd")

    def __init__(self, stack, make_disk, server_there=False, modems=150):
        self.folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="nmsp-barn-", ignore_cleanup_errors=True))
        os.chmod(self.folder, 0o755)
        self.disk = make_disk(os.path.join(self.folder, "disk"))
        self.feeds = os.path.join(self.disk.path, "feeds")
        self.tftp_root = os.path.join(self.feeds, "tftp")
        place = self.disk.path if server_there else self.folder
        self.commands = os.path.join(self.folder, "commands")
        self.write_commands()
        os.makedirs(os.path.join(place, "pg"))
        os.makedirs(self.feeds)
        self.db = cluster.Cluster(
            {**isps.FEED_SETTINGS, "nmsp.crash_brake": "off", "fsync": "on", "jit": "off",
             "wal_init_zero": "off", "min_wal_size": "32MB", "max_wal_size": "64MB", "nmsp.feed_roots": self.feeds,
             "nmsp.command_file": self.commands}, folder=os.path.join(place, "pg"))
        self.db.init()
        owner = os.stat(self.db.data)
        self.owner = (owner.st_uid, owner.st_gid)
        os.chown(self.feeds, *self.owner)
        stack.callback(self._away)
        self.db.start()
        self._rows(modems)
        self.in_step()

    def _away(self):
        try:
            self.db.stop("immediate")
        finally:
            self.disk.unmount()

    def write_commands(self, **more):
        """The command file: dhcpd's check and whatever a test wants."""
        with open(self.commands, "w") as file:
            file.write(f"dhcpd-check {daemons.unconfined(daemons.DHCPD, self.folder)} -t -4 -cf check.conf\n")
            for name, line in more.items():
                file.write(f"{name} {line}\n")
        os.chmod(self.commands, 0o644)

    def _rows(self, modems):
        sql = self.db.psql
        sql("CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END'")
        sql("UPDATE nmsp_feed.feed SET grace = '0'; UPDATE nmsp.setting SET default_lease_time = 3600, max_lease_time = 7200;"
            "INSERT INTO nmsp.netgw (name) VALUES ('cmts-1'), ('cmts-2');"
            "INSERT INTO nmsp.netgw_secret VALUES (1, 'one'), (2, 'two');"
            "INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES "
            "(1, 'cm', '10.1.0.0/20', '10.1.0.10', '10.1.15.250', '10.1.0.1'),"
            "(2, 'cm', '10.2.0.0/20', '10.2.0.10', '10.2.15.250', '10.2.0.1'),"
            "(1, 'cpe_public', '203.0.113.0/27', '203.0.113.10', '203.0.113.26', '203.0.113.1'),"
            "(2, 'cpe_public', '203.0.113.32/27', '203.0.113.42', '203.0.113.58', '203.0.113.33');"
            "INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES ('a', 1, 1), ('b', 2, 2), ('c', 3, 3)")
        source = isps.Isp.TEMPLATE.replace("noc@", "noc1@") + 'SnmpMibObject sysName.0 String "{modem.tick.0}";'
        sql(f"INSERT INTO nmsp.template (name, source) VALUES ('base', {literal(source)});"
            "INSERT INTO nmsp.template (name, source, parent_id) VALUES ('short', "
            "'SnmpMibObject sysContact.0 String \"noc2@example.net\";', 1);"
            "INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id) SELECT "
            "('02:00:00:00:' || lpad(to_hex(g / 256), 2, '0') || ':' || lpad(to_hex(g % 256), 2, '0'))"
            f"::macaddr, 1 + g % 2, 1, 1 + g % 3 FROM generate_series(1, {modems}) g;"
            f"INSERT INTO nmsp_feed.target (feed, root) VALUES ('tftpd', {literal(self.tftp_root)}), "
            f"('dhcpd', {literal(self.root('dhcpd'))})")

    def root(self, feed):
        """Folder of a target."""
        return os.path.join(self.feeds, {"tftpd": "tftp"}.get(feed, feed))

    def feeder(self, deadline=60.0):
        """Waits for the feeder; returns its process id."""
        return int(self.db.wait_for("SELECT pid FROM nmsp.worker_status WHERE worker = 'feeder' AND "
                                    "state = 'running'", lambda pid: pid is not None, deadline))

    def in_step(self, deadline=60.0):
        """Waits until every target is in step."""
        self.db.wait_for("SELECT string_agg(concat_ws(' ', feed, state, error), '; ') FROM nmsp_feed.status "
                         "WHERE state <> 'in step'", lambda value: value is None, deadline)

    def error(self, feed, words, deadline=30.0):
        """Waits until a target's error holds these words; returns it."""
        return self.db.wait_for(f"SELECT error FROM nmsp_feed.status WHERE feed = {literal(feed)}",
                                lambda text: text is not None and words in text, deadline)

    def without_feeder(self):
        """Starts the server so that no worker touches anything."""
        self.db.configure({"nmsp.databases": ""})
        self.db.start()

    def with_feeder(self):
        """Ends `without_feeder`."""
        self.db.configure({"nmsp.databases": "postgres"})
        self.db.reload()
        self.feeder()
