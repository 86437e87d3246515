"""A centre and an edge: two PostgreSQL servers, the daemons at the edge.

    isp = edges.EdgeIsp(stack)      # isp.db is the centre: rows go in there; isp.edge serves
    cmts = isp.add_cmts("cmts-1", "its shared secret")
    isp.join()                      # publication, subscriptions, targets; all tables are copied
    isp.boot(mac)                   # dhcpd and nmsp-agent at the edge answer

Subscriptions connect over the other side's socket folder, as role `edge` there.
"""

import contextlib
import os

import agents
import cluster
import isp as isps
from cluster import literal

ROLE = "edge"
SETTINGS = {"wal_level": "logical", "unix_socket_permissions": "0777", "max_worker_processes": 16,
            "wal_retrieve_retry_interval": "200ms", "wal_receiver_timeout": "5s",
            "max_slot_wal_keep_size": "1GB", "nmsp.crash_brake": "off"}
DOWNLOADS = {"download_listen": "*:69", "time_listen": "*:37", "lookup_listen": "127.0.0.1:3890",
             "download_rate": 0}
NOT_READY = "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'"


def make_centre(folder, settings=None):
    """A server that is a centre to be: extension, tables, role; not started as a context."""
    centre = cluster.Cluster({"shared_preload_libraries": "nmsp", "nmsp.databases": "",
                              **SETTINGS, **(settings or {})}, folder=folder)
    return centre


def prepare(db):
    """Extension, tables and the role that the other side's subscription connects as."""
    db.psql("CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END'")
    grant(db)


def grant(db):
    """The role that the other side's subscription connects as."""
    db.psql(f"CREATE ROLE {ROLE} LOGIN REPLICATION; CALL nmsp.grant_to('{ROLE}', 'edge')")


def connection(db):
    """Connection string to a server, as a literal."""
    return literal(f"host={db.sockets} dbname=postgres user={ROLE}")


class EdgeIsp(isps.Isp):
    """See the module: `db` is the centre, `edge` the server beside the daemons."""

    def __init__(self, stack, **options):
        super().__init__(stack, name="nmspedge", **options)

    def _start_database(self, settings):
        super()._start_database({**SETTINGS, **settings})
        self.edge = self.db
        grant(self.edge)
        self.db = self.stack.enter_context(make_centre(self._folder("centre")))
        prepare(self.db)
        self.db.psql("UPDATE nmsp.setting SET provisioning_server = '192.0.2.1', dns_server = "
                     "'{9.9.9.9,1.1.1.1}', default_lease_time = 3600, max_lease_time = 7200")

    @contextlib.contextmanager
    def at_edge(self):
        """Methods of Isp mean the edge for a while."""
        centre, self.db = self.db, self.edge
        try:
            yield
        finally:
            self.db = centre

    def subscribe(self, deadline=30.0):
        """CREATE SUBSCRIPTION at the edge; waits until every table is copied."""
        self.edge.psql(f"CREATE SUBSCRIPTION nmsp_north CONNECTION {connection(self.db)} "
                       "PUBLICATION nmsp_edge")
        self.copied(deadline)

    def copied(self, deadline=30.0):
        """Waits until the first copy is done."""
        self.edge.wait_for(NOT_READY, "0", deadline)

    def take_back(self):
        """The centre subscribes to what the edge sends."""
        self.db.psql(f"CREATE SUBSCRIPTION nmsp_from_north CONNECTION {connection(self.edge)} "
                     "PUBLICATION nmsp_back, nmsp_back_state")

    def join(self):
        """Makes the edge one, with its targets, daemons and agent."""
        self.db.psql("DO 'BEGIN PERFORM nmsp_feed.create_publication(); END'")
        settings = f'{{"provisioning_server": "{self.net.server_address}"}}'
        self.edge.psql("DO $$BEGIN PERFORM nmsp_feed.become_edge('north', "
                       f"{literal(settings)}); END$$")
        self.subscribe()
        self.take_back()
        agents.make_role(self.edge)
        self.tftpd.stop()
        self.agent = self.stack.enter_context(agents.Agent(
            self.net.server, self.run_folder, self.edge.sockets, name="north", **DOWNLOADS))
        self.edge.psql("INSERT INTO nmsp_feed.target (feed, root, settings) VALUES ('dhcpd', "
                       f"'{self.dhcpd_root}', '{{\"lookup\": \"ldap://127.0.0.1:3890\"}}'), "
                       f"('tftpd', '{self.tftp_root}', '{{}}')")
        self.settle()

    def settle(self, deadline=60.0):
        """Waits until the edge's targets are in step."""
        with self.at_edge():
            self.wait_in_step(deadline)

    def caught_up(self, deadline=30.0):
        """Waits until the edge has applied all that is committed at the centre now."""
        here = self.db.value("SELECT pg_current_wal_lsn()")
        self.db.wait_for("SELECT bool_and(confirmed_flush_lsn >= "
                         f"'{here}') FROM pg_replication_slots WHERE slot_name = 'nmsp_north'",
                         "t", deadline)

    def trouble(self):
        """What a reader of a failed test wants to see."""
        with self.at_edge():
            edge = super().trouble()
        return "\n".join([edge, "-- centre", self.db.log_tail(25)])

    def file(self, modem_id):
        """Bytes of a modem's file in the folder of target tftpd; None while there is none."""
        try:
            with open(os.path.join(self.tftp_root, "cm", f"cm-{modem_id}.cfg"), "rb") as file:
                return file.read()
        except OSError:
            return None
