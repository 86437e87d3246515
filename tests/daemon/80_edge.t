#!/usr/bin/python3
"""An edge: PostgreSQL, feeder, dhcpd and nmsp-agent beside the network, fed by logical replication.

Changes at the centre are served at the edge in moments; with the centre away modems go on booting;
downloads come back; no restart, broken row, TRUNCATE or restore of the centre stops any of it."""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import daemons  # noqa: E402
import docsis_check  # noqa: E402
import edges  # noqa: E402
import isp as isps  # noqa: E402
import modem  # noqa: E402
import tap  # noqa: E402
import tftp  # noqa: E402
from waiting import wait_until  # noqa: E402

MACS = {"cmts-1": modem.macs(4, "02:00:00:01:00:01"), "cmts-2": modem.macs(4, "02:00:00:02:00:01")}
SECRETS = {"cmts-1": "first secret", "cmts-2": "the second one"}
ONE, FIXED = MACS["cmts-1"][0], MACS["cmts-1"][1]
ALL = [mac for macs in MACS.values() for mac in macs]
SYS_LOCATION = "1.3.6.1.2.1.1.6.0"
SUBSCRIPTION = "FROM nmsp.health() WHERE component LIKE 'subscription%'"
LEAVE = ("ALTER SUBSCRIPTION nmsp_north DISABLE; ALTER SUBSCRIPTION nmsp_north SET "
         "(slot_name = NONE); DROP SUBSCRIPTION nmsp_north")
DIGESTS = "SELECT * FROM nmsp_feed.edge_digest('nmsp_south')"
VISITOR, CHANGES = "10.1.0.200", 100


# A table of the operator's own that edges fill, a line in the list.
STATE = """CREATE TABLE public.state_of (edge text, n int, value text, PRIMARY KEY (edge, n));
INSERT INTO nmsp_feed.edge_table (relation, way, log)
VALUES ('public.state_of', 'from edges', false);
DO 'BEGIN PERFORM nmsp.migrate(); END'; CALL nmsp.grant_to('edge', 'edge')"""
STATES = "SELECT string_agg(n || value, ' ' ORDER BY n) FROM public.state_of"


class Bed:
    """8 modems behind two CMTSs; rows are made at the centre before the edge joins."""

    def __init__(self, stack):
        self.isp = isp = edges.EdgeIsp(stack)
        self.boots = 0
        self.cmts = {name: isp.add_cmts(name, secret) for name, secret in SECRETS.items()}
        self.silver = isp.add_service_class("silver", 100_000_000, 10_000_000)
        self.gold = isp.add_service_class("gold", 500_000_000, 50_000_000)
        self.base = isp.add_template("base", isp.TEMPLATE)
        self.ids = {mac: isp.add_modem(mac, self.cmts[name], fixed=number % 2 == 1,
                                       template_id=self.base, service_class_id=self.silver)
                    for name, macs in MACS.items() for number, mac in enumerate(macs)}
        for db in (isp.db, isp.edge):
            db.psql(STATE)
        isp.join()

    @property
    def centre(self):
        return self.isp.db

    @property
    def edge(self):
        return self.isp.edge

    def place(self, mac, text):
        """SQL that sets a modem's sysLocation."""
        return (f"INSERT INTO nmsp.modem_option VALUES ({self.ids[mac]}, 'place', '{text}') "
                "ON CONFLICT (modem_id, key) DO UPDATE SET value = excluded.value")

    def served(self, mac):
        """sysLocation in the modem's file as the edge serves it now."""
        data = tftp.fetch(self.isp.net.server_address, f"cm/cm-{self.ids[mac]}.cfg",
                          source=VISITOR, enter=self.cmts["cmts-1"].relay.entered).data
        return [value.decode() for oid, _, value in
                docsis_check.check(data, SECRETS["cmts-1"]).varbinds if oid == SYS_LOCATION]

    def rows(self, db):
        """A digest of each table that goes to edges, without what is the edge's own."""
        found = {}
        for table, in db.query("SELECT relation FROM nmsp_feed.edge_relation "
                               "WHERE way = 'to edges' AND NOT radius ORDER BY 1"):
            text = "to_jsonb(t) - 'provisioning_server'" if table == "nmsp.setting" else "t"
            found[table] = db.value("SELECT count(*) || ' ' || coalesce(md5(string_agg((" + text +
                                    ")::text, ',' ORDER BY (" + text + ")::text)), '') "
                                    f"FROM {table} t")
        return found

    def same(self, t, name):
        """One test: the edge has the centre's rows, and its files are as its own SQL says."""
        try:
            wait_until(lambda: (self.rows(self.edge), self.rows(self.centre)),
                       lambda two: two[0] == two[1], 30, "rows of centre and edge")
            self.isp.settle()
            wanted = dict(self.edge.query("SELECT modem_id, encode(config::bytea, 'hex') "
                                          "FROM nmsp.modem_file"))
            wait_until(lambda: {key: (self.isp.file(key) or b"").hex() for key in wanted},
                       lambda found: found == wanted, 20, "files of the edge")
            return t.ok(True, name)
        except Exception as error:
            return t.ok(False, name, error)

    def all_boot(self, t, name):
        """One test: every modem boots at the edge."""
        found = [result for macs in MACS.values() for result in self.isp.boot_all(macs)]
        self.boots += len(found)
        return t.is_([r.error for r in found if r.error], [], name)

    def health(self, db, pattern):
        """States of the rows of nmsp.health() whose component is like the pattern."""
        return [state for state, in db.query("SELECT state FROM nmsp.health() WHERE component "
                                             f"LIKE '{pattern}'")]

    def has_recorded(self):
        """Waits until the edge has the rows of all boots, and has them on disk."""
        self.edge.wait_for("SELECT count(*) FROM nmsp.download WHERE result = 'served' AND "
                           f"source <> '{VISITOR}'", lambda n: int(n) >= self.boots, 10)
        self.edge.psql("SELECT pg_logical_emit_message(true, 'x', 'commits of the agent wait not')")

    def downloads_are_back(self, t, name):
        """One test: every download of the edge is at the centre, once."""
        self.has_recorded()
        count = ["SELECT count(DISTINCT (at, source, path)) FROM nmsp.download",
                 "SELECT count(*) FROM nmsp.download"]
        try:
            wait_until(lambda: (self.edge.value(count[0]), *map(self.centre.value, count)),
                       lambda three: len(set(three)) == 1, 20, "downloads at edge and centre")
            return t.ok(True, name)
        except Exception as error:
            return t.ok(False, name, error)


def print_times(t, what, times):
    times = sorted(times)
    t.diag(f"commit at the centre -> {what}: p50 {statistics.median(times):.1f} ms, "
           f"p99 {times[int(len(times) * 0.99) - 1]:.1f} ms, longest {times[-1]:.1f} ms "
           f"of {len(times)}")


def first_copy(t, bed):
    bed.same(t, "after the first copy rows and files of the edge are the centre's")
    digests = bed.edge.query(DIGESTS)
    t.ok(digests == bed.centre.query(DIGESTS) and ["nmsp.modem", "8"] in [d[:2] for d in digests],
         "nmsp_feed.edge_digest() says so too", digests)
    t.is_(bed.edge.value("SELECT host(provisioning_server) FROM nmsp.setting"),
          bed.isp.net.server_address, "the edge announces itself as provisioning server")
    bed.all_boot(t, "modems boot at the edge")
    result = bed.isp.device(ONE).result
    t.is_((result.siaddr, result.rates), (bed.isp.net.server_address,
                                          {"us": [10_000_000], "ds": [100_000_000]}),
          "with the files that rows of the centre make")
    bed.downloads_are_back(t, "and what they loaded is known at the centre")
    t.is_(bed.centre.query("SELECT state, count(*) FROM nmsp.modem_status GROUP BY 1"),
          [["current", "8"]], "modem_status there: all have what is due")
    bed.edge.psql("INSERT INTO public.state_of SELECT 'north', n, 'a' "
                  "FROM generate_series(1, 4) n; UPDATE public.state_of SET value = 'b' "
                  "WHERE n = 2; DELETE FROM public.state_of WHERE n = 4")
    bed.centre.wait_for(STATES, "1a 2b 3a", 10)
    t.ok(True, "so are the rows of a table of one's own, with their changes")
    t.is_((bed.health(bed.edge, "subscription%"), bed.health(bed.centre, "%slot%")),
          (["ok"], ["ok"]), "health is well on both sides")


def live(t, bed):
    times, with_file, address = [], [], []
    client = bed.isp.device(FIXED).client
    with bed.centre.session() as session:
        for turn in range(CHANGES):
            session.run(bed.place(ONE, f"turn {turn}"))
            begin = time.monotonic()
            wait_until(lambda: bed.served(ONE), lambda got: got == [f"turn {turn}"], 10, "served",
                       interval=0)
            times.append((time.monotonic() - begin) * 1000)
        for turn in range(30):
            session.run(bed.place(ONE, f"file {turn}"))
            begin = time.monotonic()
            wait_until(lambda: bed.isp.file(bed.ids[ONE]),
                       lambda data: data and f"file {turn}".encode() in data, 10, "file",
                       interval=0.001)
            with_file.append((time.monotonic() - begin) * 1000)
        for turn in range(30):
            session.run(f"UPDATE nmsp.modem SET address = '10.1.15.{turn + 201}' "
                        f"WHERE mac = '{FIXED}'")
            begin = time.monotonic()
            wait_until(client.discover, lambda offer: offer.yiaddr == f"10.1.15.{turn + 201}", 10,
                       "offered", interval=0)
            address.append((time.monotonic() - begin) * 1000)
    t.ok(True, f"{CHANGES + 60} changes at the centre are served at the edge")
    print_times(t, "downloaded at the edge", times)
    print_times(t, "file of the edge's feeder in place", with_file)
    print_times(t, "offered by the edge's dhcpd", address)
    bed.isp.insert("pool", netgw_id=bed.cmts["cmts-1"].id, purpose="cm", network="10.77.0.0/24",
                   range_start="10.77.0.10", range_end="10.77.0.20", router="10.77.0.1")
    wait_until(lambda: "10.77.0.0" in open(os.path.join(bed.isp.dhcpd_root, "current", "netgw",
               f"{bed.cmts['cmts-1'].id}.conf")).read(), bool, 20, "the new pool in dhcpd's files")
    t.ok(True, "a new pool is in the edge's dhcpd")


def centre_away(t, bed):
    bed.isp.caught_up()
    bed.centre.stop("immediate")
    bed.all_boot(t, "the centre is down: modems boot")
    bed.edge.wait_for(f"SELECT state {SUBSCRIPTION}", "error", 20)
    t.like(bed.edge.value(f"SELECT message {SUBSCRIPTION}"),
           "does not run, .* tables as they were at the centre .* ago or later",
           "health at the edge says so, and how old is what it has")
    bed.has_recorded()
    bed.edge.restart("immediate")
    bed.isp.settle()
    bed.all_boot(t, "the edge crashes meanwhile: modems boot again")
    bed.centre.start()
    bed.centre.psql(bed.place(ONE, "back again"))
    wait_until(lambda: bed.served(ONE), lambda got: got == ["back again"], 30, "served")
    t.ok(True, "the centre is back: the edge catches up by itself")
    bed.downloads_are_back(t, "and what was loaded meanwhile is known there")


def edge_away(t, bed):
    bed.edge.stop("immediate")
    bed.centre.psql("".join(f"{bed.place(mac, f'while away {mac}')};" for mac in ALL))
    t.is_(bed.health(bed.centre, "%slot%"), ["warning"],
          "the edge is down: health at the centre says so")
    bed.edge.start()
    bed.same(t, "the edge is back: rows and files are the centre's")
    stop = threading.Event()

    def change():
        number = 0
        with bed.centre.session() as session:
            while not stop.is_set():
                number += 1
                try:
                    session.run(bed.place(ALL[number % 8], f"storm {number}"))
                except Exception:
                    return
    for victim in ("edge", "centre"):
        stop.clear()
        storm = threading.Thread(target=change)
        storm.start()
        wait_until(lambda: bed.edge.value("SELECT count(*) FROM nmsp.modem_option WHERE value LIKE "
                                          "'storm %'"), lambda n: n == "8", 20, "the storm")
        db = getattr(bed, victim)
        os.kill(db.postmaster_pid(), signal.SIGKILL)
        stop.set()
        storm.join()
        wait_until(db.postmaster_pid, lambda pid: pid is None, 10, "postmaster gone")
        wait_until(lambda: db.start() and True, bool, 20, "started again", interval=0.3)
        bed.same(t, f"kill -9 of the {victim}'s postmaster in a storm of changes: nothing is lost")


def trouble(t, bed):
    """Rows that the edge's rules would refuse, TRUNCATE, a row of the edge's own."""
    last = MACS["cmts-2"][3]
    broken = bed.centre.value(
        "SET session_replication_role = replica; INSERT INTO nmsp.template (name, source) VALUES "
        "('broken', 'Nonsense 1;') RETURNING id")
    bed.centre.psql(f"UPDATE nmsp.modem SET template_id = {broken} WHERE mac = '{last}';"
                    + bed.place(ONE, "after a broken row"))
    wait_until(lambda: bed.served(ONE), lambda got: got == ["after a broken row"], 10, "served")
    bed.edge.wait_for("SELECT count(*) FROM nmsp_feed.quarantine", "1", 20)
    t.ok(True, "a template that does not encode: one file is in quarantine, the rest goes on")
    bed.centre.psql(f"UPDATE nmsp.modem SET template_id = {bed.base}; TRUNCATE nmsp.modem_option")
    wait_until(lambda: bed.served(ONE), lambda got: got == [""] or got == [], 10, "served")
    bed.same(t, "mended; TRUNCATE of options is served too")
    bed.centre.psql(
        "BEGIN; CREATE TEMP TABLE kept AS TABLE nmsp.modem; TRUNCATE nmsp.modem CASCADE; "
        "INSERT INTO nmsp.modem OVERRIDING SYSTEM VALUE SELECT * FROM kept WHERE mac <> "
        f"'{last}'; COMMIT; {bed.place(ONE, 'after TRUNCATE')}")
    wait_until(lambda: bed.served(ONE), lambda got: got == ["after TRUNCATE"], 20, "served")
    bed.same(t, "TRUNCATE nmsp.modem CASCADE does not stop the edge")
    MACS["cmts-2"].remove(last)
    t.raises(edges.cluster.SqlError, lambda: bed.edge.psql("UPDATE nmsp.modem SET name = 'x'"),
             "who changes the centre's rows at the edge is told", "written at the centre")
    bed.edge.psql("SET nmsp_feed.edge_write = 'on'; INSERT INTO nmsp.service_class "
                  "(id, name, ds_rate, us_rate) OVERRIDING SYSTEM VALUE VALUES (77, 'iron', 1, 1)")
    bed.isp.insert("service_class", name="iron", ds_rate=2, us_rate=2)
    bed.edge.wait_for(f"SELECT message {SUBSCRIPTION}", lambda text: "errors so far" in text,
                      20)
    bed.all_boot(t, "one who insists, and collides: modems boot")
    bed.edge.psql("SET nmsp_feed.edge_write = 'on'; DELETE FROM nmsp.service_class WHERE id = 77")
    bed.same(t, "with that row gone it goes on by itself")


def schema_changes(t, bed):
    """A column and a table of the operator's own."""
    bed.centre.psql("ALTER TABLE nmsp.modem ADD floor int; UPDATE nmsp.modem SET floor = 3; " +
                    bed.place(ONE, "on the third floor"))
    bed.edge.wait_for(f"SELECT state || message {SUBSCRIPTION}",
                      lambda text: "error" in text and "errors so far" in text, 20)
    bed.edge.psql("ALTER TABLE nmsp.modem ADD floor int")
    wait_until(lambda: bed.served(ONE), lambda got: got == ["on the third floor"], 20, "served")
    bed.same(t, "a column that only the centre has stops the subscription until the edge has it")
    for db in (bed.edge, bed.centre):
        name = "edge" if db is bed.edge else "centre"
        db.psql("CREATE TABLE public.label (id bigint PRIMARY KEY, text text); "
                f"INSERT INTO public.label VALUES (1, 'of the {name}'); INSERT INTO "
                "nmsp_feed.dependency (feed, relation) VALUES ('tftpd', 'public.label'); "
                "DO 'BEGIN PERFORM nmsp_feed.install_triggers(); PERFORM nmsp.migrate(); END'; "
                "CALL nmsp.grant_to('edge', 'edge')")
    t.is_(bed.edge.value("SELECT message FROM nmsp.health() WHERE component LIKE 'edge%'"),
          "these tables do not come from the centre: public.label",
          "a table that a feed depends on is published; health at the edge misses it")
    bed.edge.psql("ALTER SUBSCRIPTION nmsp_north REFRESH PUBLICATION")
    bed.isp.copied()
    bed.centre.psql("INSERT INTO public.label VALUES (2, 'new')")
    bed.edge.wait_for("SELECT string_agg(text, ', ' ORDER BY id) FROM public.label",
                      "of the centre, new", 10)
    t.is_(bed.health(bed.edge, "edge%"), [], "and then it comes, over what was there")
    for db in (bed.centre, bed.edge):
        db.psql("DELETE FROM nmsp_feed.dependency WHERE relation = 'public.label'; "
                "DO 'BEGIN PERFORM nmsp_feed.install_triggers(); PERFORM nmsp.migrate(); END'; "
                "DROP TABLE public.label; ALTER TABLE nmsp.modem DROP floor")
    bed.edge.psql("ALTER SUBSCRIPTION nmsp_north REFRESH PUBLICATION")
    bed.same(t, "column and table are gone again")


def many(t, bed):
    """A large transaction."""
    bed.centre.psql("INSERT INTO nmsp.modem (mac, netgw_id, template_id) "
                    "SELECT lpad(to_hex(x'021000000000'::bigint + i), 12, '0')::macaddr, "
                    f"{bed.cmts['cmts-1'].id}, {bed.base} FROM generate_series(1, 500) i")
    begin = time.monotonic()
    bed.edge.wait_for("SELECT count(*) FROM nmsp.modem", "507", 60)
    t.diag(f"500 modems in one transaction: at the edge after {time.monotonic() - begin:.2f} s")
    bed.same(t, "500 modems in one transaction: rows and files")
    bed.centre.psql("DELETE FROM nmsp.modem WHERE mac >= '02:10:00:00:00:00'")
    bed.same(t, "and gone again")


def too_long_away(t, bed):
    """An edge that was away for longer than the centre keeps WAL is copied anew."""
    bed.edge.stop()
    bed.centre.psql("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'")
    bed.centre.reload()
    for _ in range(6):
        bed.centre.psql("SELECT pg_logical_emit_message(true, 'x', repeat('x', 1000)); "
                        "SELECT pg_switch_wal()")
    bed.centre.psql("CHECKPOINT")
    bed.centre.wait_for("SELECT state || ' ' || message FROM nmsp.health() WHERE component LIKE "
                        "'%slot%'", lambda text: "away for too long" in text, 20)
    bed.centre.psql("ALTER SYSTEM RESET max_slot_wal_keep_size; DELETE FROM nmsp.endpoint; " +
                    bed.place(ONE, "too late"))
    bed.centre.reload()
    bed.edge.start()
    bed.edge.wait_for(f"SELECT state {SUBSCRIPTION}", "error", 20)
    bed.all_boot(t, "away for longer than WAL is kept: health says so on both sides, modems boot")
    bed.edge.psql("DROP SUBSCRIPTION nmsp_north")
    bed.isp.subscribe()
    wait_until(lambda: bed.served(ONE), lambda got: got == ["too late"], 20, "served")
    bed.same(t, "copied anew")


def filtered(t, bed):
    """A second edge gets the modems of one gateway only, as they come and go."""
    south = bed.isp.stack.enter_context(edges.make_centre(bed.isp._folder("south")))
    edges.prepare(south)
    bed.centre.psql("DO $$BEGIN PERFORM nmsp_feed.create_publication('nmsp_south', '{cmts-2}'); "
                    "END$$; " + bed.place(ONE, "it comes along"))
    south.psql("DO $$BEGIN PERFORM nmsp_feed.become_edge('south'); END$$")
    south.psql(f"CREATE SUBSCRIPTION nmsp_south CONNECTION {edges.connection(bed.centre)} "
               "PUBLICATION nmsp_south")
    south.wait_for(edges.NOT_READY, "0", 30)
    macs = "SELECT string_agg(mac::text, ' ' ORDER BY mac) FROM nmsp.modem"
    t.is_(south.query(f"SELECT ({macs}), (SELECT count(*) FROM nmsp.netgw_secret), "
                      "(SELECT count(DISTINCT netgw_id) FROM nmsp.pool)"),
          [[" ".join(MACS["cmts-2"]), "1", "1"]], "an edge of one gateway has its rows, no other")
    t.is_(south.query(DIGESTS), bed.centre.query(DIGESTS), "their digests are the same")
    there = bed.cmts["cmts-2"].id
    bed.centre.psql(f"UPDATE nmsp.modem SET netgw_id = {there} WHERE mac = '{ONE}'")
    south.wait_for(macs, " ".join([ONE, *MACS["cmts-2"]]), 10)
    t.is_(south.value(f"SELECT nmsp.modem_config({bed.ids[ONE]})::text LIKE '%it comes along%'"),
          "t", "a modem that moves to the gateway comes, with what belongs to it")
    south.psql("DELETE FROM nmsp_feed.change")
    bed.centre.psql(f"UPDATE nmsp.modem SET netgw_id = {bed.cmts['cmts-1'].id} "
                    f"WHERE mac = '{ONE}'")
    south.wait_for(macs, " ".join(MACS["cmts-2"]), 10)
    t.is_(south.value("SELECT ids FROM nmsp_feed.change WHERE feed = 'tftpd'"),
          f"{{{bed.ids[ONE]}}}", "and one that moves away goes, files and all")
    bed.same(t, "the edge without a filter has all of them")
    south.psql("DROP SUBSCRIPTION nmsp_south")
    bed.centre.psql("DO $$BEGIN PERFORM nmsp_feed.drop_publication('nmsp_south'); END$$")


def centre_restored(t, bed):
    """The centre is lost and restored from a dump: the edge serves on, and is copied anew."""
    old = bed.centre
    dump = os.path.join(bed.isp.folder, "centre.sql")
    subprocess.run([os.path.join(old.bindir, "pg_dump"), "-h", old.sockets, "-U", "postgres",
                    "-f", dump, "postgres"], check=True)
    old.psql(bed.place(ONE, "after the dump"))
    wait_until(lambda: bed.served(ONE), lambda got: got == ["after the dump"], 10, "served")
    bed.isp.boot_all(MACS["cmts-2"])
    old.stop("immediate")
    new = bed.isp.db = bed.isp.stack.enter_context(edges.make_centre(bed.isp._folder("restored")))
    new.psql("CREATE ROLE edge LOGIN REPLICATION")
    new.psql_file(dump)
    new.psql("ALTER SUBSCRIPTION nmsp_from_north SET (slot_name = NONE); "
             "DROP SUBSCRIPTION nmsp_from_north")
    t.is_(new.value("SELECT nmsp.migrate() - nmsp.code_version()"), "0",
          "the dump restores, migrate() has nothing to do")
    new.psql("UPDATE nmsp.modem SET service_class_id = "
             f"{bed.gold} WHERE mac = '{ONE}'")
    bed.all_boot(t, "modems boot at the edge, whose centre is another one now")
    failures, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            try:
                bed.served(ONE)
            except Exception as error:
                failures.append(error)
    loader = threading.Thread(target=load)
    loader.start()
    try:
        bed.edge.psql(LEAVE)
        bed.isp.subscribe()
        bed.edge.psql("SELECT pg_drop_replication_slot('nmsp_from_north')")
        bed.isp.take_back()
        bed.same(t, "copied anew: rows and files are the restored centre's")
    finally:
        stop.set()
        loader.join()
    t.is_(failures, [], "and no download failed meanwhile")
    bed.edge.psql("UPDATE public.state_of SET value = 'c' WHERE n = 3")
    bed.centre.wait_for(STATES, "1a 2b 3c", 10)
    t.ok(True, "a table that comes back from edges was copied over what the dump had")
    t.is_(bed.isp.boot(ONE).rates["ds"], [500_000_000],
          "what changed at the restored centre counts")
    bed.downloads_are_back(t, "downloads are at the restored centre, each once")


def promoted(t, bed):
    """The centre is gone for good: the edge takes its place."""
    bed.centre.stop("immediate")
    bed.edge.psql(f"{LEAVE}; DO 'BEGIN PERFORM nmsp_feed.leave_centre(); END'")
    mac = "02:00:00:01:ff:01"
    with bed.isp.at_edge():
        bed.isp.add_modem(mac, bed.cmts["cmts-1"], template_id=bed.base, service_class_id=bed.gold)
    t.is_(bed.isp.boot(mac).error, None,
          "an edge that leaves its centre is a database of its own: a new modem boots")


def story(t, stack):
    tap.require(isps.missing() or agents.missing())
    package = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-ldap-"))
    os.chmod(package, 0o777)
    daemons.DHCPD = agents.ldap_dhcpd(package)
    tap.require(None if daemons.DHCPD else "no dhcpd with LDAP (isc-dhcp-server-ldap)")
    bed = Bed(stack)
    stack.callback(lambda: t.diag(bed.isp.trouble()) if t.failed or sys.exc_info()[0] else None)
    for part in (first_copy, live, centre_away, edge_away, trouble, schema_changes, many,
                 too_long_away, filtered, centre_restored, promoted):
        begin = time.monotonic()
        part(t, bed)
        t.diag(f"{part.__name__}: {time.monotonic() - begin:.1f} s")


tap.main(story)
