#!/usr/bin/python3
"""A real FreeRADIUS with its stock queries on nmsp's views: subscribers, gateways, accounting."""

import contextlib
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))

import cluster  # noqa: E402
import netns  # noqa: E402
import processes  # noqa: E402
import radius  # noqa: E402
import tap  # noqa: E402
from waiting import wait_until  # noqa: E402

SETTINGS = {"shared_preload_libraries": "nmsp", "nmsp.databases": ""}
SECRET = "the-secret-of-bras-1"
ACCEPT, REJECT = "Access-Accept", "Access-Reject"
QUICK = {"timeout": 1, "retries": 1}
LOAD = 2000
MIDNIGHT = 86400 * (int(time.time()) // 86400)  # the last one, UTC


def missing():
    return netns.available() or radius.missing() or cluster.missing()


class Bed:
    """A database, FreeRADIUS in the server's namespace, two gateways (only one has a row)."""

    def __init__(self, stack):
        self.db = stack.enter_context(cluster.Cluster(SETTINGS))
        self.sql, self.value = self.db.psql, self.db.value
        self.net = stack.enter_context(netns.Network())
        self.folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-radius-"))
        os.chmod(self.folder, 0o755)
        self.one = self.gateway("bras-1", SECRET)
        self.two = self.gateway("bras-2", "the-secret-of-bras-2")
        self.rows()
        self.server = radius.Freeradius(self.net.server, self.folder, self.db)
        stack.callback(self.server.stop)

    def gateway(self, label, secret):
        space = self.net.add_cmts(label)
        return radius.Nas(space, self.net.server_address, secret, space.uplink)

    def rows(self):
        self.sql("CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END'; "
                 "CREATE ROLE freerad LOGIN; CALL nmsp.grant_to('freerad', 'radius')")
        self.sql(f"""
            INSERT INTO nmsp.netgw (name, kind, address, coa_port)
                VALUES ('bras-1', 'bras', '{self.one.source}', 3799);
            INSERT INTO nmsp.netgw_secret (netgw_id, radius_secret) VALUES (1, '{SECRET}');
            INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router)
                VALUES (1, 'cpe_private', '100.64.0.0/24', '100.64.0.10', '100.64.0.20',
                        '100.64.0.1'),
                       (1, 'cpe_public', '203.0.113.0/24', '203.0.113.10', '203.0.113.100', NULL);
            INSERT INTO nmsp.service_class (name, ds_rate, us_rate, ds_name)
                VALUES ('gold', 100000000, 10000000, NULL), ('silver', 50000000, 5000000, 'ds-50');
        """)
        self.account("alice", "wonderland", service_class_id=1)

    def account(self, username, password=None, **columns):
        """A row of nmsp.ppp_account (and its password); returns its id."""
        columns = {"username": username, "netgw_id": 1, **columns}
        row = self.value(f"INSERT INTO nmsp.ppp_account ({', '.join(columns)}) VALUES "
                         f"({', '.join(map(cluster.literal, columns.values()))}) RETURNING id")
        if password is not None:
            self.sql("INSERT INTO nmsp.ppp_account_secret VALUES "
                     f"({row}, {cluster.literal(password)})")
        return int(row)

    def code(self, *words, nas=None, **options):
        return (nas or self.one).auth(*words, **options).code

    def trouble(self):
        return f"-- freeradius\n{self.server.tail(30)}\n-- server log\n{self.db.log_tail(15)}"


def first_answer(t, bed):
    status, text = bed.server.check()
    t.ok(status == 0, "FreeRADIUS takes the configuration that nmsp_radius.config() prints",
         text[-2000:])
    for source in ("gateway", "database"):
        bed.sql(f"UPDATE nmsp_radius.setting SET address_source = '{source}'")
        status, text = bed.server.check_on_debian("{10.0.0.0/8,2001:db8::/32}")
        shutil.rmtree(os.path.join(bed.folder, "debian"))
        t.ok(status == 0, f"also within Debian's own, addresses from the {source}", text[-2000:])
    bed.sql("UPDATE nmsp_radius.setting SET address_source = 'gateway'")
    bed.server.start()
    answer = bed.one.auth("alice", "wonderland")
    t.is_(answer.code, ACCEPT, "a subscriber is accepted")
    got = answer.attributes
    t.is_([got.get(name) for name in ("Framed-Protocol", "Session-Timeout",
                                      "Acct-Interim-Interval", "Framed-MTU")],
          [["PPP"], ["86400"], ["600"], ["1492"]], "the default group's attributes")
    t.is_([got.get(name) for name in ("Ascend-Xmit-Rate", "Ascend-Data-Rate", "Cisco-AVPair")],
          [["100000000"], ["10000000"],
           ["ip:qos-policy-out=add-class(sub,(class-default),police(100000000))",
            "ip:qos-policy-in=add-class(sub,(class-default),police(10000000))"]],
          "those of the service class; none for a name it does not have")
    t.ok("Framed-IP-Address" not in got and "Framed-Pool" not in got,
         "no address: the gateway chooses", got)


def who_gets_in(t, bed):
    t.is_(bed.code("alice", "wrong"), REJECT, "a wrong password is rejected")
    t.is_(bed.code("Alice", "wonderland"), REJECT, "so is another spelling of the name")
    t.is_(bed.code("nobody", "wonderland"), REJECT, "and an unknown name")
    t.is_(bed.code("x' OR username = 'alice", "wonderland"), REJECT, "and an attempt on the query")
    chap = bed.one.auth("alice", more=[("CHAP-Password", '"wonderland"')])
    t.is_(chap.code, ACCEPT, "CHAP")
    for name, password in (("müller@example", "o'neil \"quoted\" back\\slash"),
                           ("é" * 60, "%{User-Name}"), ("eth 1/1/1:100.0", "ü"),
                           ("<#$%{User-Name}&()*+,;=?[]^|~!>", "$1")):
        bed.account(name, password, service_class_id=1)
        answer = bed.one.auth(name, password)
        t.is_([answer.code, answer.attributes.get("Ascend-Data-Rate")], [ACCEPT, ["10000000"]],
              f"name {name}, password {password}")
    bed.sql("UPDATE nmsp.ppp_account SET internet_access = false WHERE username = 'alice'")
    t.is_(bed.code("alice", "wonderland"), REJECT, "a blocked subscriber is rejected")
    bed.sql("UPDATE nmsp.ppp_account SET internet_access = true WHERE username = 'alice'")
    t.is_(bed.code("alice", "wonderland"), ACCEPT, "and accepted when it is over")
    t.is_(bed.value("SELECT count(*) FROM nmsp_radius.authentication WHERE password IS NOT NULL"),
          "0", "no password that was sent is stored")
    t.is_(bed.value("SELECT string_agg(DISTINCT reply, ' ') FROM nmsp_radius.authentication "
                    "WHERE username = 'alice'"), f"{ACCEPT} {REJECT}", "but every answer is")


def circuit(name):
    return [("ADSL-Agent-Circuit-Id", "0x" + name.encode().hex())]


def lines(t, bed):
    bed.account("line 1/1/7", authentication="port", circuit_id="olt-1 eth 1/1/7")
    bed.account("bob", "builder", circuit_id="olt-1 eth 1/1/8")
    bed.account("line 1/1/9", authentication="port")
    t.is_(bed.code("line 1/1/7", more=circuit("olt-1 eth 1/1/7")), ACCEPT,
          "authentication by port: no password is asked for")
    t.is_(bed.code("line 1/1/7", "x", more=circuit("olt-1 eth 1/1/8")), REJECT,
          "but from another line it is rejected")
    t.is_(bed.code("line 1/1/7", "x"), REJECT, "and from none")
    t.is_(bed.code("line 1/1/9"), ACCEPT, "by port without a circuit")
    t.is_([bed.code("bob", "builder", more=circuit(f"olt-1 eth 1/1/{n}")) for n in (8, 7)],
          [ACCEPT, REJECT], "a password may be bound to a line")


def addresses(t, bed):
    bed.sql("UPDATE nmsp.ppp_account SET address = nmsp.allocate_address(2), "
            "framed_prefix = '2001:db8:1::/64', delegated_prefix = '2001:db8:100::/56' "
            "WHERE username = 'alice'")
    got = bed.one.auth("alice", "wonderland").attributes
    t.is_([got.get(name) for name in ("Framed-IP-Address", "Framed-IPv6-Prefix",
                                      "Delegated-IPv6-Prefix")],
          [["203.0.113.100"], ["2001:db8:1::/64"], ["2001:db8:100::/56"]],
          "fixed address and prefixes")
    bed.sql("UPDATE nmsp_radius.setting SET framed_pool_private = 'CPEPriv'; UPDATE "
            "nmsp.ppp_account SET address = NULL, framed_prefix = NULL WHERE username = 'alice'")
    got = bed.one.auth("alice", "wonderland").attributes
    t.is_([got.get("Framed-IP-Address"), got.get("Framed-Pool")], [None, ["CPEPriv"]],
          "no fixed one: the gateway's own pool by name")


def changes(t, bed):
    bed.sql("UPDATE nmsp.ppp_account SET service_class_id = 2 WHERE username = 'alice'")
    got = bed.one.auth("alice", "wonderland").attributes
    t.is_([got.get("Ascend-Xmit-Rate"), "ip:sub-qos-policy-out=ds-50" in got["Cisco-AVPair"]],
          [["50000000"], True], "another service class: its rates at the next request")
    bed.sql("UPDATE nmsp.service_class SET ds_rate = 60000000 WHERE id = 2; "
            "UPDATE nmsp_radius.attribute SET value = '300' WHERE attribute = "
            "'Acct-Interim-Interval'; INSERT INTO nmsp_radius.attribute (scope, attribute, value) "
            "VALUES ('service_class', 'Filter-Id', 'class {qos.name.0} {qos.ds_rate_max.0}')")
    got = bed.one.auth("alice", "wonderland").attributes
    t.is_([got.get(name) for name in ("Ascend-Xmit-Rate", "Acct-Interim-Interval", "Filter-Id")],
          [["60000000"], ["300"], ["class silver 60"]],
          "another rate, an edited attribute, a new one")
    passwords(t, bed)


def passwords(t, bed):
    """Each changed password must count at the first request after the commit."""
    good, waits, asker = 0, [], radius.Asker(bed.one)
    with contextlib.closing(asker), bed.db.session() as session:
        for n in range(40):
            session.run("UPDATE nmsp.ppp_account_secret SET password = "
                        f"'new-{n}' WHERE ppp_account_id = 1")
            committed = time.monotonic()
            good += asker.ask("alice", f"new-{n}") == ACCEPT
            waits.append(time.monotonic() - committed)
    t.is_(good, 40, "40 changed passwords: each is in force at the first request after the commit")
    t.diag(f"commit -> accepted: p50 {1000 * statistics.median(waits):.1f} ms, "
           f"max {1000 * max(waits):.1f} ms")
    t.is_(bed.code("alice", "new-38"), REJECT, "and the old one is not")


def new_gateway(t, bed):
    pid = bed.server.pid
    t.is_(bed.code("alice", "new-39", nas=bed.two, **QUICK), None,
          "a gateway without a row hears nothing")
    t.is_(bed.value("INSERT INTO nmsp.netgw (name, kind, address) VALUES "
                    f"('bras-2', 'bras', '{bed.two.source}') RETURNING id"), "2", "its row comes")
    bed.sql("INSERT INTO nmsp.netgw_secret (netgw_id, radius_secret) "
            f"VALUES (2, '{bed.two.secret}')")
    t.is_(bed.code("alice", "new-39", nas=bed.two), ACCEPT,
          "and it is answered at its next request, without a restart")
    t.is_(bed.code("line 1/1/9", nas=bed.two), REJECT,
          "it cannot vouch for a line of another gateway")
    t.ok(bed.server.pid == pid and processes.alive(pid), "FreeRADIUS is the same process")


def accounting(t, bed):
    nas = bed.one
    framed = [("Framed-IP-Address", "203.0.113.7"), ("Calling-Station-Id", '"02:00:00:00:00:07"')]
    row = ("SELECT host(address), stopped_at IS NULL, input_octets, duration, terminate_cause "
           "FROM nmsp_radius.session WHERE session_id = 's1'")
    t.ok(nas.acct("Start", "alice", "s1", framed), "accounting: start is acknowledged")
    t.is_(bed.db.query(row), [["203.0.113.7", "t", "0", "0", None]], "and is a row")
    t.ok(nas.acct("Start", "alice", "s1", framed), "a start sent twice is acknowledged twice")
    t.ok(nas.acct("Interim-Update", "alice", "s1", [*framed, ("Acct-Session-Time", 600),
         ("Acct-Input-Octets", 5), ("Acct-Input-Gigawords", 2)]), "an update")
    t.is_(bed.db.query(row), [["203.0.113.7", "t", str((2 << 32) + 5), "600", None]],
          "is in the same row, with bytes past 32 bits")
    t.is_(bed.db.query("SELECT username, netgw, disconnect_at, disconnect_request FROM "
                       "nmsp_radius.open_session"),
          [["alice", "bras-1", f"{nas.source}:3799", 'User-Name = "alice", Acct-Session-Id = "s1", '
            f"NAS-IP-Address = {nas.source}"]], "the open session, and how it can be ended")
    disconnect(t, bed)
    stop = [*framed, ("Acct-Session-Time", 700), ("Acct-Terminate-Cause", "User-Request"),
            ("Acct-Input-Octets", 6)]
    t.ok(nas.acct("Stop", "alice", "s1", stop) and nas.acct("Stop", "alice", "s1", stop),
         "stop, sent twice")
    t.is_(bed.db.query(row), [["203.0.113.7", "f", "6", "700", "User-Request"]], "ends that row")
    t.ok(nas.acct("Interim-Update", "alice", "s2", framed) and nas.acct("Stop", "bob", "s3", stop),
         "an update without a start, and a stop")
    t.is_(bed.value("SELECT count(*) FROM nmsp_radius.radacct"), "3", "make rows of their own")
    t.ok(nas.acct("Accounting-On"), "the gateway restarts")
    t.is_(bed.db.query("SELECT terminate_cause FROM nmsp_radius.session WHERE session_id = 's2'"),
          [["NAS-Reboot"]], "which ends what was open")


def disconnect(t, bed):
    """radclient sends what nmsp_radius.open_session tells; here a socket is the gateway."""
    with bed.one.namespace.entered():
        gateway = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with gateway:
        gateway.bind((bed.one.source, 3799))
        gateway.settimeout(5)
        where, what = bed.db.query("SELECT disconnect_at, disconnect_request "
                                   "FROM nmsp_radius.open_session")[0]
        radius.send(bed.net.server, where, "disconnect", SECRET, what)
        packet = gateway.recv(4096)
    t.ok(packet[0] == 40 and b"alice" in packet and b"s1" in packet,
         "radclient ends it with just that", packet)


def simultaneous(t, bed):
    bed.sql("INSERT INTO nmsp_radius.attribute (scope, list, attribute, value) VALUES "
            "('default', 'check', 'Simultaneous-Use', '1')")
    bed.one.acct("Start", "bob", "s4")
    more = circuit("olt-1 eth 1/1/8")
    t.is_(bed.code("bob", "builder", more=more), REJECT, "Simultaneous-Use counts open sessions")
    bed.one.acct("Stop", "bob", "s4")
    t.is_(bed.code("bob", "builder", more=more), ACCEPT, "those that ended do not count")
    bed.sql("DELETE FROM nmsp_radius.attribute WHERE list = 'check'")


def partitions(t, bed):
    """Before the first maintain() everything is in the default partition; nothing is lost."""
    where = ("SELECT tableoid::regclass::text, count(*) FROM nmsp_radius.{} "
             "GROUP BY 1 ORDER BY 1")
    count = bed.value("SELECT count(*) FROM nmsp_radius.radpostauth")
    t.is_(bed.db.query(where.format("authentication")),
          [["nmsp_radius.authentication_default", count]], "answers wait for a partition")
    at = [("Event-Timestamp", MIDNIGHT - 10)], [("Event-Timestamp", MIDNIGHT - 1)], \
         [("Event-Timestamp", MIDNIGHT)]
    for session in ("before", "after"):
        bed.one.acct("Start", "alice", session, at[0])
    bed.one.acct("Stop", "alice", "before", at[1])
    bed.one.acct("Stop", "alice", "after", at[2])
    bed.one.acct("Start", "alice", "still open", at[2])
    total = bed.value("SELECT count(*) FROM nmsp_radius.accounting")
    today, before = [time.strftime("%Y%m%d", time.gmtime(MIDNIGHT - s)) for s in (0, 1)]
    bed.sql("UPDATE nmsp_radius.setting SET archive_after = '1 hour'")
    bed.sql("UPDATE nmsp_radius.session SET stopped_at = '1970-01-01' WHERE session_id = 's3'; "
            "INSERT INTO nmsp_radius.radpostauth (username, authdate) VALUES "
            f"('edge', to_timestamp({MIDNIGHT}) - interval '1 us'), "
            f"('edge', to_timestamp({MIDNIGHT}))")
    edges = bed.db.query("SELECT to_char(at AT TIME ZONE 'UTC', 'YYYYMMDD') FROM "
                         "nmsp_radius.authentication WHERE username = 'edge' ORDER BY at")
    t.is_(edges, [[before], [today]], "two answers around midnight")
    bed.sql("SELECT count(*) FROM nmsp_radius.maintain(); "
            "SELECT nmsp_radius.archive_sessions(now(), 1000)")
    t.is_(bed.value("SELECT count(*) FROM nmsp_radius.authentication_default"), "0",
          "maintain() makes partitions of days and moves what waited")
    t.is_(bed.db.query("SELECT tableoid::regclass::text FROM nmsp_radius.authentication "
                       "WHERE username = 'edge' ORDER BY at"),
          [[f"nmsp_radius.authentication_{day}"] for day in (before, today)],
          "each answer in its day's partition, to the microsecond")
    t.is_(bed.db.query("SELECT tableoid::regclass::text FROM nmsp_radius.session_archive WHERE "
                       "session_id IN ('before', 'after') ORDER BY stopped_at"),
          [[f"nmsp_radius.session_archive_{day}"] for day in (before, today)],
          "each session in the partition of its end")
    t.ok(bed.value("SELECT day > '1971-01-01' FROM nmsp_radius.session_archive WHERE "
                   "session_id = 's3'") == "t", "a wrong clock needs no partition of its own")
    t.is_(bed.value("SELECT count(*) FROM nmsp_radius.accounting"), total, "no session is lost")
    t.is_(bed.db.query("SELECT session_id FROM nmsp_radius.session"), [["still open"]],
          "the open one stays")
    t.ok(bed.one.acct("Stop", "alice", "still open"), "and goes on")
    t.is_(bed.code("alice", "new-39"), ACCEPT, "answers go on")
    bed.sql("UPDATE nmsp_radius.setting SET keep_session = 1, keep_authentication = 1")
    bed.sql("SELECT nmsp_radius.make_partition(t, (now() AT TIME ZONE 'UTC')::date - 2) FROM "
            "unnest('{nmsp_radius.session_archive,nmsp_radius.authentication}'::regclass[]) t")
    dropped = bed.value("SELECT count(*) FROM nmsp_radius.maintain() WHERE action = "
                        "'partition dropped'")
    t.ok(int(dropped) >= 2, "partitions older than what is kept are dropped", dropped)


def outage(t, bed):
    pid = bed.server.pid
    bed.db.stop()
    t.is_(bed.code("alice", "new-39", **QUICK), None,
          "while the database is away nobody is rejected: silence")
    t.ok(not bed.one.acct("Start", "alice", "lost", **QUICK), "and accounting is not acknowledged")
    bed.db.start()
    started = time.monotonic()
    wait_until(lambda: bed.code("alice", "new-39", **QUICK), lambda code: code == ACCEPT, 30,
               "accepted after the database's restart")
    t.diag(f"database up -> accepted: {time.monotonic() - started:.1f} s")
    t.ok(bed.server.pid == pid and processes.alive(pid),
         "it comes back, and FreeRADIUS is the same process")
    t.ok(bed.one.acct("Start", "alice", "back"), "accounting as well")
    bed.db.restart()
    wait_until(lambda: bed.code("alice", "new-39", **QUICK), lambda code: code == ACCEPT, 30,
               "accepted after a quick restart")
    t.ok(True, "after a quick restart, too")
    bed.server.stop()
    bed.db.stop()
    bed.server.start()
    bed.db.start()
    wait_until(lambda: bed.code("alice", "new-39", **QUICK), lambda code: code == ACCEPT, 30,
               "accepted though the database came later")
    t.ok(True, "it starts without the database")


def leases(t, bed):
    """sqlippool on nmsp.pool: no row for a free address."""
    bed.server.stop()
    bed.sql("UPDATE nmsp_radius.setting SET address_source = 'database'; UPDATE nmsp.ppp_account "
            "SET address = '100.64.0.12' WHERE username = 'bob'")
    bed.server.configure()
    bed.server.start()
    for n in range(12):
        bed.account(f"user-{n}", "pw")

    def ask(n):
        more = [("Calling-Station-Id", f'"02:00:00:00:01:{n:02x}"')]
        return bed.one.auth(f"user-{n}", "pw", more).attributes.get("Framed-IP-Address", [None])[0]

    given = [ask(n) for n in range(10)]
    t.is_(given, [f"100.64.0.{n}" for n in range(10, 21) if n != 12],
          "addresses from the pool's range, in order, but for a fixed one")
    t.is_([ask(n) for n in (3, 0)], [given[3], given[0]], "the same subscriber gets the same")
    t.is_(bed.value("SELECT count(*) FROM nmsp_radius.radippool"), "10",
          "rows for given addresses only")
    t.is_(ask(10), None, "an exhausted pool gives none")
    more = [("Calling-Station-Id", '"02:00:00:00:01:04"'), ("Framed-IP-Address", given[4])]
    bed.one.acct("Start", "user-4", "u4", more)
    t.is_(bed.value("SELECT expires_at > now() + interval '50 min' FROM nmsp_radius.lease WHERE "
                    f"address = '{given[4]}'"), "t", "accounting renews the lease")
    bed.one.acct("Stop", "user-4", "u4", more)
    t.is_(ask(11), given[4], "a stop ends it: the next subscriber gets the address")
    t.is_(ask(4), None, "which its former holder has lost")
    bed.sql("INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end) VALUES "
            "(1, 'cpe_private', '100.64.8.0/22', '100.64.8.1', '100.64.11.254'); UPDATE "
            "nmsp.ppp_account SET address = NULL WHERE username LIKE 'load-%'")
    users = [f"load-{n + 1}" for n in range(1000)]
    got = bed.one.load("auth", [[("User-Name", f'"{u}"'), ("User-Password", '"pw"'),
                                 ("NAS-IP-Address", bed.one.source),
                                 ("Calling-Station-Id", f'"{u}"')] for u in users])
    t.is_((got.get("Accepted"), bed.value("SELECT count(DISTINCT username) || ' ' || count(*) FROM "
                                          "nmsp_radius.lease WHERE username LIKE 'load-%'")),
          (1000, "1000 1000"), "1000 at once: each gets an address of its own")


def load(t, bed):
    bed.sql("BEGIN; SET LOCAL session_replication_role = replica; INSERT INTO nmsp.ppp_account "
            "(username, netgw_id, service_class_id, address) SELECT 'load-' || g, 1, 1, "
            "'10.0.0.0'::inet + g FROM generate_series(1, 20000) g; INSERT INTO "
            "nmsp.ppp_account_secret SELECT id, 'pw' FROM nmsp.ppp_account WHERE username LIKE "
            "'load-%'; COMMIT; ANALYZE nmsp.ppp_account, nmsp.ppp_account_secret")
    users = [f"load-{7 * n + 1}" for n in range(LOAD)]
    started = time.monotonic()
    got = bed.one.load("auth", [[("User-Name", f'"{u}"'), ("User-Password", '"pw"')]
                                for u in users])
    spent = time.monotonic() - started
    t.is_(got.get("Accepted"), LOAD, f"{LOAD} subscribers at once: every one is accepted")
    t.diag(f"{LOAD / spent:.0f} authentications/s (radclient, FreeRADIUS and database on "
           f"{os.cpu_count()} cores)")
    started = time.monotonic()
    bed.one.load("acct", [[("Acct-Status-Type", "Start"), ("User-Name", f'"{u}"'),
                           ("Acct-Session-Id", f'"{u}"'), ("NAS-IP-Address", bed.one.source)]
                          for u in users])
    spent = time.monotonic() - started
    t.is_(bed.value("SELECT count(*) FROM nmsp_radius.radacct WHERE username LIKE 'load-%'"),
          str(LOAD), "every accounting start is a row")
    t.diag(f"{LOAD / spent:.0f} accounting starts/s")


def story(t, stack):
    tap.require(missing())
    bed = Bed(stack)
    stack.callback(lambda: t.diag(bed.trouble()) if t.failed or sys.exc_info()[0] else None)
    first_answer(t, bed)
    who_gets_in(t, bed)
    lines(t, bed)
    addresses(t, bed)
    changes(t, bed)
    new_gateway(t, bed)
    accounting(t, bed)
    simultaneous(t, bed)
    partitions(t, bed)
    load(t, bed)
    outage(t, bed)
    leases(t, bed)
    t.is_(bed.db.query("SELECT component, message FROM nmsp.health() WHERE state <> 'ok'"),
          [], "nmsp.health() has no complaint")
    with contextlib.suppress(OSError):
        t.ok("Segmentation" not in bed.server.tail(500), "FreeRADIUS did not crash")


tap.main(story)
