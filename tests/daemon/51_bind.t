#!/usr/bin/python3
"""BIND follows the database: a real named, fed by dynamic updates from rows, through restarts,
outages, changes by hand, refused names and a wrong key."""

import base64
import hashlib
import hmac
import ipaddress
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "lib"))

import cluster  # noqa: E402
import named as binds  # noqa: E402
import netns  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402
from cluster import literal  # noqa: E402
from waiting import wait_until  # noqa: E402

DOMAIN = "example.test"
CPE_KEY = bytes(range(32))
MODEL = f"""
UPDATE nmsp.setting SET domain_name = '{DOMAIN}';
UPDATE nmsp.setting_secret SET cpe_name_key = '\\x{CPE_KEY.hex()}';
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1');
INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES
    (1, 'cm', '10.1.0.0/16'), (1, 'cm', '2001:db8:1::/64'), (1, 'cpe_public', '203.0.113.0/24'),
    (1, 'cpe_private', '100.64.0.0/22'), (1, 'cpe_public', '2001:db8:f::/48');
INSERT INTO nmsp.template (name, source) VALUES ('base', 'MaxCPE 3;');
"""


class Bed:
    """A namespace with named and the database in it, and a target of feed bind."""

    def __init__(self, stack):
        self.net = stack.enter_context(netns.Network())
        space = self.net.server
        space.run(["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"])
        self.db = cluster.Cluster({"shared_preload_libraries": "nmsp", "nmsp.databases": "postgres"}).init()
        stack.callback(self.db.close)
        self.roots = os.path.join(self.db.folder, "roots")
        os.makedirs(self.roots)
        self.commands = os.path.join(self.db.folder, "commands")
        self.key_file = os.path.join(self.db.folder, "tsig.key")
        self.key = binds.make_key()
        self.write_key(self.key)
        with open(self.commands, "w") as out:
            out.write(f"bind-update /usr/bin/nsupdate -v -t 5 -k {self.key_file}\n"
                      f"bind-read /usr/bin/dig -k {self.key_file} -f -\n")
        self.db.configure({"nmsp.feed_roots": self.roots, "nmsp.command_file": self.commands})
        owner = os.stat(self.db.data)
        os.chown(self.roots, owner.st_uid, owner.st_gid)
        with space.entered():
            self.db.start()
        self.sql, self.value = self.db.psql, self.db.value
        folder = tempfile.mkdtemp(prefix="nmsp-named-")
        stack.callback(lambda: subprocess.run(["rm", "-rf", folder], check=True))
        os.chmod(folder, 0o755)
        self.named = binds.Named(space, folder, self.net.server_address)
        self.named.probe = DOMAIN
        stack.callback(self.named.stop)

    def write_key(self, text):
        """The key as nsupdate reads it, for the server's user alone."""
        with open(self.key_file, "w") as out:
            out.write(text)
        os.chmod(self.key_file, 0o600)
        owner = os.stat(self.db.data)
        os.chown(self.key_file, owner.st_uid, owner.st_gid)

    def ask(self, name, kind="A"):
        return self.named.query(name if name.endswith((".", DOMAIN)) else f"{name}.{DOMAIN}", kind)

    def served(self, name, kind, wanted, deadline=20.0):
        """Waits until named answers what is wanted; returns it."""
        wanted = [wanted] if isinstance(wanted, str) else wanted
        return wait_until(lambda: self.ask(name, kind), lambda got: got == wanted, deadline, f"{name} {kind} = {wanted}")

    def status(self, column):
        return self.value(f"SELECT {column} FROM nmsp_feed.status WHERE feed = 'bind'")

    def settled(self, deadline=60.0, states=("in step",)):
        return wait_until(lambda: self.status("state || ' ' || (check_requested IS NULL)"),
                          lambda got: got in {f"{state} true" for state in states}, deadline, "the target in step")

    def failed(self, text):
        return wait_until(lambda: self.status("error"), lambda got: got and text in got, 30, f"an error with {text!r}")

    def dig(self, *words):
        with self.net.server.entered():
            return subprocess.run(["dig", f"@{self.named.address}", "-p", str(self.named.port), "-k", self.named.key, *words],
                                  capture_output=True, text=True, check=True).stdout

    def nsupdate(self, text):
        """A change by hand."""
        with self.net.server.entered():
            subprocess.run(["nsupdate", "-v", "-k", self.named.key], text=True, check=True, capture_output=True,
                           input=f"server {self.named.address} {self.named.port}\n{text}\nsend\n")

    def zone_is_right(self):
        """What the zones hold and what the model says, where they differ."""
        want = {tuple(row) for row in self.db.query("SELECT name, type, ttl, data FROM nmsp.dns_record")}
        have = set()
        for zone, in self.db.query("SELECT z.zone FROM nmsp_feed.target t, nmsp_feed.bind_zone(t.id) z WHERE t.feed = 'bind'"):
            for line in self.dig("axfr", zone, "+noall", "+answer").splitlines():
                name, ttl, _, kind, data = line.split(None, 4)
                if kind in ("A", "AAAA", "PTR", "CNAME") and not name.startswith(("ns.", "www.")):
                    have.add((name, kind, ttl, str(ipaddress.ip_address(data)) if kind == "AAAA" else data))
        return sorted(want ^ have)


def begins(t, bed):
    bed.sql("CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate();")
    bed.sql(MODEL)
    bed.sql(f"""INSERT INTO nmsp_feed.target (feed, root, enabled, settings)
        VALUES ('bind', {literal(bed.roots + "/bind")}, false, jsonb_build_object('server', {literal(bed.named.address)},
                'folder', {literal(bed.named.folder)}))""")
    files = dict(bed.db.query("SELECT file, content FROM nmsp_feed.bind_zones()"))
    zones = files.pop("named.conf")
    t.is_(zones.count("zone "), 6, "bind_zones() prints a forward zone and five reverse ones")
    zones = zones.replace("{ grant", f"{{ deny nmsp name forbidden.cpe.{DOMAIN}. ANY; grant")
    bed.named.configure(bed.key, zones, files.items()).start()
    t.is_(bed.ask("ns"), [bed.named.address], "named loads what it prints")
    bed.sql("UPDATE nmsp_feed.target SET enabled = true")
    bed.sql("INSERT INTO nmsp.modem (mac, netgw_id, template_id, address, address6) "
            "VALUES ('02:00:00:00:00:01', 1, 1, '10.1.0.5', '2001:db8:1::5')")
    bed.served("cm-1", "A", "10.1.0.5")
    bed.settled()
    t.is_(bed.ask("cm-1", "AAAA"), ["2001:db8:1::5"], "one row: a modem has its name, AAAA too")
    t.is_(bed.ask("5.0.1.10.in-addr.arpa.", "PTR"), [f"cm-1.{DOMAIN}."], "and its address leads back")
    t.is_(bed.ask(ipaddress.ip_address("2001:db8:1::5").reverse_pointer + ".", "PTR"), [f"cm-1.{DOMAIN}."], "so does the IPv6 address")
    t.is_(bed.dig("+short", "-x", "2001:db8:1::5").strip(), f"cm-1.{DOMAIN}.", "dig -x agrees")
    t.is_(bed.zone_is_right(), [], "the zones hold what nmsp.dns_record says and nothing else")


def latency(t, bed):
    times = []
    with bed.db.session() as session:
        for turn in range(40):
            address = f"10.1.1.{turn + 1}"
            begin = time.perf_counter()
            session.run(f"UPDATE nmsp.modem SET address = '{address}' WHERE id = 1")
            wait_until(lambda: bed.ask("cm-1"), lambda got, want=address: got == [want], 10, address, interval=0.001)
            times.append((time.perf_counter() - begin) * 1000)
            bed.settled()
    times = sorted(times[5:])
    t.diag(f"commit to served: p50 {statistics.median(times):.1f} ms, p99 {times[int(len(times) * .99)]:.1f} ms")
    t.ok(statistics.median(times) < 1000, "a committed change is served at once", times)
    t.is_(bed.ask("5.0.1.10.in-addr.arpa.", "PTR"), [], "the old address leads nowhere")
    before = bed.dig("+short", DOMAIN, "SOA")
    bed.sql("UPDATE nmsp.modem SET name = 'no-matter', model = 'x' WHERE id = 1; UPDATE nmsp.modem SET address = address")
    bed.sql("INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES ('02:00:00:00:00:02', 1, 1)")
    bed.settled()
    t.is_(bed.dig("+short", DOMAIN, "SOA"), before, "what changes no record sends no update")


def updaters(key_file):
    """Process ids of the nsupdate processes that run with this key."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode().split("\0")
        except OSError:
            continue
        if words[0].endswith("nsupdate") and key_file in words:
            found.append(int(pid))
    return found


def session(t, bed):
    """nsupdate stays running between small changes; whatever becomes of it, changes are served."""
    def change(address):
        bed.sql(f"UPDATE nmsp.modem SET address = '{address}' WHERE id = 1")
        bed.served("cm-1", "A", address)
        bed.settled()
        return updaters(bed.key_file)

    first = change("10.1.5.1")
    t.is_([len(first), change("10.1.5.2")], [1, first], "one nsupdate stays running and takes change after change")
    os.kill(first[0], signal.SIGKILL)
    second = change("10.1.5.3")
    t.ok(len(second) == 1 and second != first, "killed, another takes its place at the next change", [first, second])
    os.kill(second[0], signal.SIGSTOP)
    bed.sql("UPDATE nmsp_feed.feed SET command_timeout = '1 s' WHERE name = 'bind'")
    bed.sql("UPDATE nmsp.modem SET address = '10.1.5.4' WHERE id = 1")
    t.like(bed.failed("took too long"), 'command "bind-update" took too long and was killed', "one that hangs is killed after command_timeout")
    bed.served("cm-1", "A", "10.1.5.4")
    bed.settled()
    t.is_(second[0] in updaters(bed.key_file), False, "and the change is sent again by another")
    bed.sql("UPDATE nmsp_feed.feed SET command_timeout = '60 s' WHERE name = 'bind'")
    third = change("10.1.5.5")
    bed.write_key(bed.key)
    t.ok(change("10.1.5.6") != third, "a key file that was written anew is read anew", third)
    last = updaters(bed.key_file)
    with bed.net.server.entered():
        bed.db.restart("immediate")
    wait_until(lambda: [pid for pid in updaters(bed.key_file) if pid in last], lambda left: left == [], 20, "no nsupdate left behind")
    t.ok(change("10.1.5.7") != last, "the server crashes: no nsupdate is left behind, and the next change is served", last)


def many(t, bed):
    begin = time.perf_counter()
    bed.sql("""INSERT INTO nmsp.modem (mac, netgw_id, template_id, address)
               SELECT ('02:00:00:01:' || to_char(g / 100, 'FM00') || ':' || to_char(g % 100, 'FM00'))::macaddr, 1, 1, '10.1.10.0'::inet + g
                 FROM generate_series(1, 1000) g""")
    last = bed.value("SELECT max(id) FROM nmsp.modem")
    bed.served(f"cm-{last}", "A", "10.1.13.232", 60)
    bed.settled()
    t.diag(f"1,000 modems inserted: 2,000 record sets served after {(time.perf_counter() - begin) * 1000:.0f} ms")
    t.is_(bed.zone_is_right(), [], "1,000 modems are in both zones")
    begin = time.perf_counter()
    bed.sql("UPDATE nmsp.modem SET address = address + 2048 WHERE address >= '10.1.10.1'")
    bed.settled()
    t.diag(f"1,000 addresses changed: served after {(time.perf_counter() - begin) * 1000:.0f} ms")
    t.is_(bed.zone_is_right(), [], "1,000 new addresses, old ones lead nowhere")
    bed.sql("DELETE FROM nmsp.modem WHERE id > 500")
    bed.settled()
    t.is_(bed.zone_is_right(), [], "deleted modems are gone from both zones")
    one, other = (row[0] for row in bed.db.query("SELECT id FROM nmsp.modem WHERE address > '10.1.10.0' ORDER BY id LIMIT 2"))
    old = dict(bed.db.query("SELECT id, host(address) FROM nmsp.modem"))
    bed.sql(f"BEGIN; UPDATE nmsp.modem SET address = '10.1.9.9' WHERE id = {one}; UPDATE nmsp.modem SET address = '{old[one]}' WHERE id = {other};"
            f"UPDATE nmsp.modem SET address = '{old[other]}' WHERE id = {one}; COMMIT")
    bed.settled()
    t.is_([bed.zone_is_right(), bed.ask(f"cm-{one}")], [[], [old[other]]], "two modems exchange addresses in one transaction")


def endpoints(t, bed):
    mac = "02:00:00:0a:0b:0c"
    bed.sql(f"""INSERT INTO nmsp.endpoint (name, modem_id, mac, address, address6)
                VALUES ('Shop', 1, '{mac}', '203.0.113.80', '2001:db8:f::80'), ('till', 1, '02:00:00:0a:0b:0d', '100.64.0.80', NULL)""")
    bed.served("shop.cpe", "A", "203.0.113.80")
    bed.settled()
    t.is_(bed.ask("80.113.0.203.in-addr.arpa.", "PTR"), [f"shop.cpe.{DOMAIN}."], "an endpoint has name and PTR")
    t.is_(bed.ask(ipaddress.ip_address("2001:db8:f::80").reverse_pointer + ".", "PTR"), [f"shop.cpe.{DOMAIN}."], "in IPv6 too")
    digest = hmac.new(CPE_KEY, bytes.fromhex(mac.replace(":", "")), hashlib.sha256).digest()
    stable = base64.b32encode(digest).decode()[:6].lower()
    t.is_([bed.ask(f"{stable}.cpe"), bed.ask(f"{stable}.cpe", "AAAA")], [["203.0.113.80"], ["2001:db8:f::80"]],
          "a public CPE has its stable name: HMAC-SHA-256 of its hardware address in base 32")
    digest = hmac.new(CPE_KEY, bytes.fromhex("0200000a0b0d"), hashlib.sha256).digest()
    t.is_(bed.ask(base64.b32encode(digest).decode()[:6].lower() + ".cpe"), [], "a private one has none")
    bed.sql("UPDATE nmsp.endpoint SET name = 'store' WHERE name = 'Shop'")
    bed.served("store.cpe", "A", "203.0.113.80")
    bed.settled()
    t.is_([bed.ask("shop.cpe"), bed.zone_is_right()], [[], []], "a renamed one leaves nothing behind")
    bed.sql("INSERT INTO nmsp.endpoint (name, modem_id, address) VALUES ('STORE', 1, '203.0.113.81')")
    bed.settled(states=["quarantine"])
    t.like(bed.status("error"), 'store.cpe.example.test. A" belongs to', "names that differ only in case: the second waits")
    bed.sql("DELETE FROM nmsp.endpoint WHERE name = 'store'")
    bed.served("store.cpe", "A", "203.0.113.81")
    bed.settled()
    t.is_(bed.zone_is_right(), [], "and has its turn when the first is gone")


def restarts(t, bed):
    bed.named.stop()
    bed.named.start()
    t.is_(bed.zone_is_right(), [], "named restarted: the zones are as before")
    bed.sql("UPDATE nmsp.modem SET address = '10.1.2.1' WHERE id = 1")
    bed.served("cm-1", "A", "10.1.2.1")
    bed.settled()
    bed.named.kill9()
    bed.named.start()
    t.is_(bed.zone_is_right(), [], "named killed: the journal has all that was confirmed")
    bed.named.stop(signal.SIGKILL)
    bed.sql("UPDATE nmsp.modem SET address = '10.1.2.2' WHERE id = 1; DELETE FROM nmsp.modem WHERE id = 3;"
            "INSERT INTO nmsp.modem (mac, netgw_id, template_id, address) VALUES ('02:00:00:00:00:03', 1, 1, '10.1.2.3')")
    message = bed.failed("Communication with")
    t.like(message, r'^zone \S+: command "bind-update" failed with status 2: ; Communication with 172\.20\.0\.1#53 failed',
           "while named is down status shows what nsupdate says")
    t.is_(bed.status("state"), "failed", "and that the target failed")
    begin = time.perf_counter()
    bed.named.start()
    bed.served("cm-1", "A", "10.1.2.2", 60)
    bed.settled()
    t.diag(f"{(time.perf_counter() - begin) * 1000:.0f} ms after named's start all is served again")
    t.is_([bed.zone_is_right(), bed.status("error")], [[], None], "named is back: it catches up, the message is gone")
    bed.named.stop()
    bed.sql("SELECT nmsp_feed.reconcile()")
    bed.failed('command "bind-read" failed with status 9')
    bed.named.start()
    bed.settled()
    t.is_(bed.status("error"), None, "a comparison that found no named is made when it is back")


def by_hand(t, bed):
    modem, other, third = (row[0] for row in bed.db.query("SELECT id FROM nmsp.modem WHERE address IS NOT NULL ORDER BY id DESC LIMIT 3"))
    ours = bed.value(f"SELECT host(address) FROM nmsp.modem WHERE id = {modem}")
    bed.nsupdate(f"update delete cm-{modem}.{DOMAIN}. A\nupdate add cm-{modem}.{DOMAIN}. 60 A 192.0.2.66\n"
                 f"update delete cm-{other}.{DOMAIN}. A\nupdate add cm-99999.{DOMAIN}. 60 A 192.0.2.67\n"
                 f"update delete cm-{third}.{DOMAIN}. A\nsend\nupdate add cm-{third}.{DOMAIN}. 60 CNAME www.{DOMAIN}.\n"
                 f"update add www.{DOMAIN}. 60 A 192.0.2.80")
    bed.nsupdate(f"zone 1.10.in-addr.arpa\nupdate add 9.9.1.10.in-addr.arpa. 60 PTR cm-9.{DOMAIN}.\n"
                 "update add 8.9.1.10.in-addr.arpa. 60 PTR router.example.net.\n"
                 f"update add {'.'.join(reversed(ours.split('.')))}.in-addr.arpa. 60 PTR second.example.net.")
    t.is_(bed.ask(f"cm-{modem}"), ["192.0.2.66"], "somebody changed a record by hand")
    bed.sql("SELECT nmsp_feed.reconcile()")
    bed.settled()
    t.is_(bed.ask(f"cm-{modem}"), [ours], "reconcile() finds and mends it")
    t.is_([row for row in bed.zone_is_right() if row[0] != "8.9.1.10.in-addr.arpa."], [],
          "what was deleted is back, what lay in our names is gone, even an alias in the way")
    t.is_([bed.ask("www"), bed.ask("8.9.1.10.in-addr.arpa.", "PTR")], [["192.0.2.80"], ["router.example.net."]],
          "other names are the operator's own")
    bed.nsupdate("zone 1.10.in-addr.arpa\nupdate delete 8.9.1.10.in-addr.arpa. PTR")
    serial = bed.dig("+short", DOMAIN, "SOA")
    bed.sql("SELECT nmsp_feed.reconcile(NULL, true)")
    bed.settled()
    t.is_(bed.dig("+short", DOMAIN, "SOA"), serial, "where nothing differs a reconcile sends nothing")


def refused(t, bed):
    bed.sql("""INSERT INTO nmsp.endpoint (name, modem_id, address)
               SELECT CASE g WHEN 31 THEN 'forbidden' ELSE 'host-' || g END, 1, '203.0.113.100'::inet + g FROM generate_series(1, 60) g""")
    bed.served("host-60.cpe", "A", "203.0.113.160")
    bed.settled(states=["quarantine"])
    t.is_(bed.db.query("SELECT part, error FROM nmsp_feed.quarantine"),
          [["ep-a", 'zone example.test: command "bind-update" failed with status 2: update failed: REFUSED']],
          "a name that named refuses is quarantined alone, with named's answer")
    t.is_([row[0] for row in bed.zone_is_right()], [f"forbidden.cpe.{DOMAIN}."], "all others are served")
    bed.sql("UPDATE nmsp.endpoint SET name = 'allowed' WHERE name = 'forbidden'")
    bed.served("allowed.cpe", "A", "203.0.113.131")
    bed.settled()
    t.is_(bed.zone_is_right(), [], "its row mended, it is served")


def wrong_key(t, bed):
    bed.write_key(binds.make_key())
    bed.sql("UPDATE nmsp.modem SET address = '10.1.3.3' WHERE id = 1")
    message = bed.failed("BADSIG")
    t.like(message, r'^zone \S+: command "bind-update" failed with status 2: ; TSIG error with server: tsig indicates error\n'
           r'update failed: NOTAUTH\(BADSIG\)', "with a wrong key status shows what named and nsupdate say")
    t.is_(bed.value("SELECT count(*) FROM nmsp_feed.quarantine"), "0", "no record is blamed")
    bed.write_key(bed.key)
    bed.served("cm-1", "A", "10.1.3.3", 60)
    bed.settled()
    t.is_([bed.zone_is_right(), bed.status("error")], [[], None], "with the right key all is well again")
    t.is_(bed.value("SELECT count(*) FROM nmsp.health() h WHERE h.component = 'feed bind \"default\"' AND h.state = 'ok'"), "1",
          "health() says so")
    bed.write_key(binds.make_key())
    bed.sql("SELECT nmsp_feed.reconcile()")
    t.like(bed.failed("could not be read"), "Couldn't verify signature: tsig indicates error", "reading with a wrong key shows dig's message")
    bed.write_key(bed.key)
    bed.settled()
    t.is_(bed.status("error"), None, "which goes when it can be read")


def new_domain(t, bed):
    bed.sql("UPDATE nmsp.setting SET dns_ttl = 300")
    bed.settled()
    t.is_([bed.zone_is_right(), bed.value("SELECT DISTINCT ttl FROM nmsp.dns_record")], [[], "300"], "a new time to live reaches every record")
    bed.sql("UPDATE nmsp.pool SET active = false; DELETE FROM nmsp.modem")
    bed.settled()
    t.is_([bed.zone_is_right(), bed.value("SELECT count(*) FROM nmsp_feed.artifact")], [[], "0"], "without modems the zones are empty")


def another_server(t, bed):
    """The target's settings name another server, which has nothing yet."""
    bed.sql("UPDATE nmsp.pool SET active = true")
    bed.sql("INSERT INTO nmsp.modem (mac, netgw_id, template_id, address) VALUES ('02:00:00:00:00:04', 1, 1, '10.1.4.4')")
    bed.settled()
    folder = os.path.join(bed.named.folder, "second")
    os.mkdir(folder, 0o755)
    bed.sql(f"UPDATE nmsp_feed.target SET settings = settings || jsonb_build_object('port', 5353, 'folder', {literal(folder)})")
    bed.failed("connection refused")
    files = dict(bed.db.query("SELECT file, content FROM nmsp_feed.bind_zones()"))
    first = bed.named
    bed.named = binds.Named(bed.net.server, folder, first.address, 5353)
    bed.named.probe = DOMAIN
    try:
        bed.named.configure(bed.key, files.pop("named.conf"), files.items()).start()
        bed.settled()
        t.is_(bed.zone_is_right(), [], "a target that moves to another server fills it")
    finally:
        bed.named.stop()
        bed.named = first


def story(t, stack):
    tap.require(netns.available() or binds.missing() or cluster.missing())
    processes.adopt_orphans()
    bed = Bed(stack)
    try:
        for part in (begins, latency, session, many, endpoints, restarts, by_hand, refused, wrong_key, new_domain, another_server):
            part(t, bed)
    except BaseException:
        t.diag(bed.db.log_tail(25))
        t.diag(bed.named.tail(10))
        raise


if __name__ == "__main__":
    tap.main(story)
