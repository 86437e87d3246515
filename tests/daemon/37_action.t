#!/usr/bin/python3
"""Actions: nmsp-agent -a resets modems by the CMTS and by themselves (the real snmpd on the other
side), ends sessions by RFC 5176 (radclient against a gateway of the test), keeps to limits, and does
nothing twice when it is killed."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import cluster  # noqa: E402
import daemons  # noqa: E402
import netns  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402
from waiting import wait_until  # noqa: E402

CMTS, MODEM, BRAS = "172.20.0.21", "10.3.0.10", "172.20.0.24"
WRITE, MODEM_WRITE, RADIUS = 'wri"te#1', "private", "coa-secret"
CISCO, RESET_NOW = "1.3.6.1.4.1.9.9.116.1.3.1.1.9", "1.3.6.1.2.1.69.1.1.3.0"
PASSER = """#!/usr/bin/python3
import os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
if sys.argv[1] == "-s":
    with open(os.path.join(here, "sets"), "a") as log:
        log.write(" ".join(sys.argv[2:]) + "\\n")
    while os.path.exists(os.path.join(here, "slow")):
        time.sleep(0.01)
elif sys.argv[1] == "-g":
    print(sys.argv[2], "integer", "2", sep="\\n")
"""


class Snmpd(daemons.Daemon):
    """A CMTS and a modem: snmpd with a program that writes down what is set."""

    name = "snmpd"

    def __init__(self, namespace, folder):
        super().__init__(namespace, folder)
        self.sets_file, self.slow_file = (os.path.join(folder, n) for n in ("sets", "slow"))
        passer = os.path.join(folder, "passer.py")
        with open(passer, "w") as file:
            file.write(PASSER)
        os.chmod(passer, 0o755)
        self.config = os.path.join(folder, "snmpd.conf")
        quoted = WRITE.replace("\\", "\\\\").replace('"', '\\"')
        with open(self.config, "w") as file:
            file.write(f'agentAddress udp:{CMTS}:161,udp:{MODEM}:161\n'
                       f'rwcommunity "{quoted}"\nrwcommunity {MODEM_WRITE}\n'
                       f"pass {CISCO} {passer}\npass {RESET_NOW} {passer}\n")

    def argv(self):
        return ["/usr/bin/env", f"SNMP_PERSISTENT_DIR={self.folder}", "MIBS=", "/usr/sbin/snmpd",
                "-f", "-Lo", "-C", "-c", self.config, "-p", os.path.join(self.folder, "pid")]

    def ready(self):
        return "NET-SNMP version" in processes.tail(self.log)

    def sets(self):
        """What was set, one line each: OID, type, value."""
        with contextlib.suppress(FileNotFoundError), open(self.sets_file) as file:
            return file.read().splitlines()
        return []

    def slow(self, wanted=True):
        """From here on a set takes until this is called with False."""
        if wanted:
            with open(self.slow_file, "w"):
                pass
        else:
            os.unlink(self.slow_file)


class Bras(threading.Thread):
    """A gateway that takes Disconnect-Requests of users that it has (RFC 5176)."""

    def __init__(self, namespace, users):
        super().__init__(daemon=True)
        self.users, self.asked, self.wrong = users, [], 0
        with namespace.entered():
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.bind((BRAS, 3799))
        self.start()

    def run(self):
        while True:
            data, peer = self.sock.recvfrom(4096)
            code, number, size = struct.unpack("!BBH", data[:4])
            digest = hashlib.md5(data[:4] + bytes(16) + data[20:size] + RADIUS.encode()).digest()
            if code != 40 or digest != data[4:20]:
                self.wrong += 1
                continue
            found, at = {}, 20
            while at < size:
                found[data[at]] = data[at + 2:at + data[at + 1]]
                at += data[at + 1]
            self.asked.append((found[1].decode(), found[44].decode()))
            known = found[1].decode() in self.users
            body = b"" if known else struct.pack("!BBI", 101, 6, 503)
            head = struct.pack("!BBH", 41 if known else 42, number, 20 + len(body))
            answer = hashlib.md5(head + data[4:20] + body + RADIUS.encode()).digest()
            self.sock.sendto(head + answer + body, peer)


class ActionAgent(agents.Agent):
    name = "agent-a"

    def argv(self):
        return super().argv() + ["-a"]


class Bed:
    def __init__(self, stack):
        self.folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-action-"))
        os.chmod(self.folder, 0o755)
        self.net = stack.enter_context(netns.Network(prefix="nmspact"))
        for address in (CMTS, MODEM, BRAS):
            self.net.server.ip("address", "add", f"{address}/32", "dev", "lo")
        self.snmpd = stack.enter_context(Snmpd(self.net.server, self._folder("snmpd")))
        self.bras = Bras(self.net.server, {"alice"})
        self.db = stack.enter_context(cluster.Cluster(
            {"shared_preload_libraries": "nmsp", "nmsp.databases": "",
             "unix_socket_permissions": "0777"}))
        self.sql, self.query, self.value = self.db.psql, self.db.query, self.db.value
        self.sql("CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END';"
                 f"CREATE ROLE {agents.ROLE} LOGIN; CALL nmsp.grant_to('{agents.ROLE}', 'action')")
        self._rows()
        commands = os.path.join(self.folder, "commands")
        with open(commands, "w") as file:
            file.write("snmpset /usr/bin/snmpset -v 2c -t 30 -r 0\n"
                       "radclient /usr/bin/radclient -t 1 -r 2 -D /usr/share/freeradius "
                       "-d /usr/share/freeradius\n")
        self.secrets = self._folder("secrets")
        shutil.chown(self.secrets, "nobody")
        self.agent = stack.enter_context(ActionAgent(
            self.net.server, self._folder("agent"), self.db.sockets, action_folder=self.secrets,
            action_command_file=commands, action_poll_ms=50, action_timeout_ms=40000))

    def _folder(self, name):
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        return path

    def _rows(self):
        self.sql(f"""
            INSERT INTO nmsp.netgw (name, vendor, address, coa_port) VALUES
                ('cisco', 'Cisco', '{CMTS}', NULL), ('other', 'Other', NULL, NULL),
                ('bras', 'x', '{BRAS}', 3799);
            INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router)
                SELECT id, 'cm', format('10.%s.0.0/24', n)::cidr, format('10.%s.0.10', n)::inet,
                       format('10.%s.0.250', n)::inet, format('10.%s.0.1', n)::inet
                  FROM nmsp.netgw JOIN (VALUES ('cisco', 1), ('other', 3)) x(name, n) USING (name);
            INSERT INTO nmsp.template (name, source) VALUES ('modem', 'GlobalPrivacyEnable 0;');
            INSERT INTO nmsp.modem (mac, netgw_id, template_id, address)
                SELECT ('02:00:00:00:00:0' || n)::macaddr, g.id, t.id,
                       CASE WHEN g.name = 'other' THEN '{MODEM}'::inet END
                  FROM nmsp.template t, nmsp.netgw g CROSS JOIN generate_series(1, 6) n
                 WHERE (g.name = 'cisco' AND n < 6) OR (g.name = 'other' AND n = 6);
            INSERT INTO nmsp_radius.session (session_id, unique_id, username, nas_address, started_at)
                VALUES ('s1', 'u1', 'alice', '{BRAS}', now()), ('s2', 'u2', 'mallory', '{BRAS}', now());
            """)
        for name, columns, secret in (("cisco", "snmp_write_community", WRITE), ("other", "shared_secret", "x"),
                                      ("bras", "radius_secret", RADIUS)):
            self.sql(f"INSERT INTO nmsp.netgw_secret (netgw_id, {columns}) SELECT id, "
                     f"{cluster.literal(secret)} FROM nmsp.netgw WHERE name = '{name}'")

    def reset(self, number):
        return self.value(f"SELECT nmsp.request_reset('02:00:00:00:00:0{number}', 'a test')")

    def action(self, row_id, columns="state", state=("done", "failed", "unknown")):
        """Columns of an action once it is in one of these states."""
        wait_until(lambda: self.value(f"SELECT state FROM nmsp.action WHERE id = {row_id}"),
                   lambda now: now in state, 15, f"action {row_id}")
        return self.query(f"SELECT {columns} FROM nmsp.action WHERE id = {row_id}")[0]


def modems(t, bed):
    done = bed.action(bed.reset(1), "state, method, host(address), latency_ms > 0, message")
    t.is_(done[:4], ["done", "cmts", CMTS, "t"], "a modem is reset by its CMTS")
    t.is_(bed.snmpd.sets(), [f".{CISCO}.2.0.0.0.0.1 integer 1"], "snmpd was told to clear it")
    done = bed.action(bed.reset(6), "state, method, host(address)")
    t.is_(done, ["done", "modem", MODEM], "one behind a CMTS that cannot is told itself")
    t.is_(bed.snmpd.sets()[1:], [f".{RESET_NOW} integer 1"], "docsDevResetNow")
    bed.sql("UPDATE nmsp.netgw_secret SET snmp_write_community = 'wrong' WHERE netgw_id = "
            "(SELECT id FROM nmsp.netgw WHERE name = 'cisco')")
    with open(bed.agent.settings["action_command_file"]) as file:
        text = file.read()
    with open(bed.agent.settings["action_command_file"], "w") as file:
        file.write(text.replace("-t 30", "-t 1"))
    done = bed.action(bed.reset(2), "state, message")
    t.is_(done[0], "failed", "a wrong community: it fails")
    t.like(done[1], "Timeout", "and says what snmpset said")
    with open(bed.agent.settings["action_command_file"], "w") as file:
        file.write(text)
    bed.sql(f"UPDATE nmsp.netgw_secret SET snmp_write_community = {cluster.literal(WRITE)} WHERE "
            "netgw_id = (SELECT id FROM nmsp.netgw WHERE name = 'cisco')")


def sessions(t, bed):
    t.is_(bed.value("SELECT nmsp.request_disconnect('alice', 'blocked')"), "1", "a session is to end")
    row = bed.value("SELECT max(id) FROM nmsp.action")
    t.is_(bed.action(row, "state, method, host(address)"), ["done", "radius", BRAS], "its gateway ends it")
    t.is_(bed.bras.asked, [("alice", "s1")], "the right one")
    bed.sql("SELECT nmsp.request_disconnect('mallory')")
    row = bed.value("SELECT max(id) FROM nmsp.action")
    t.is_(bed.action(row)[0], "failed", "one that the gateway does not have: it fails")
    t.like(bed.action(row, "message")[0], "NAK|Session-Context-Not-Found", "with the gateway's answer")
    t.is_(bed.bras.wrong, 0, "the secret is right each time")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def secrets(t, bed):
    bed.snmpd.slow()
    row = bed.reset(3)
    bed.action(row, state=("running",))
    child = wait_until(lambda: [pid for pid in children(bed.agent.pid) if b"snmpset" in
                                open(f"/proc/{pid}/cmdline", "rb").read()], bool, 5, "snmpset")[0]
    seen = b"".join(open(f"/proc/{child}/{name}", "rb").read() for name in ("cmdline", "environ"))
    t.ok(WRITE.encode() not in seen and b"snmpset" in seen,
         "the community is in no argument and no environment")
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(bed.secrets) for name in names]
    t.is_({os.stat(path).st_mode & 0o777 for path in paths}, {0o600}, "its file is the agent's alone")
    bed.snmpd.slow(False)
    t.is_(bed.action(row)[0], "done", "done")
    t.is_([name for _, _, names in os.walk(bed.secrets) for name in names], [], "no secret is left")


def death(t, bed):
    before = len(bed.snmpd.sets())
    bed.snmpd.slow()
    row = bed.reset(4)
    wait_until(lambda: len(bed.snmpd.sets()), lambda n: n == before + 1, 5, "the set")
    bed.agent.kill9()
    bed.snmpd.slow(False)
    bed.agent.start()
    t.is_(bed.action(row)[0], "unknown", "killed amid it: what became of it is not known")
    done = bed.action(bed.reset(4))[0]
    t.is_(done, "done", "the next one is done")
    t.is_(len(bed.snmpd.sets()), before + 2, "nothing was done twice")
    t.is_([name for _, _, names in os.walk(bed.secrets) for name in names], [], "no secret is left")
    bed.snmpd.slow()
    row = bed.reset(5)
    wait_until(lambda: len(bed.snmpd.sets()), lambda n: n == before + 3, 5, "the set")
    bed.db.stop("immediate")
    bed.snmpd.slow(False)
    bed.db.start()
    t.is_(bed.action(row, state=("done",))[0], "done", "the server dies amid it: the result comes after")
    t.is_(len(bed.snmpd.sets()), before + 3, "nothing was done twice")


def limits(t, bed):
    bed.sql("UPDATE nmsp.action SET claimed_at = claimed_at - interval '2 minutes';"
            "UPDATE nmsp.netgw SET action_rate = 3 WHERE name = 'cisco'")
    bed.sql("SELECT nmsp.request_resets(array_agg(id), 'all') FROM nmsp.modem")
    count = ("SELECT count(*) FILTER (WHERE state = 'done'), count(*) FILTER (WHERE state = 'waiting') "
             "FROM nmsp.action WHERE reason = 'all' AND mac < '02:00:00:00:00:06'")
    last = wait_until(lambda: bed.query(count)[0], lambda row: row[0] == "3", 10, "three resets")
    t.is_(last, ["3", "2"], "three a minute are done, the others wait")
    bed.action(bed.value("SELECT max(id) FROM nmsp.action WHERE mac = '02:00:00:00:00:06'"))
    t.is_(bed.query(count)[0], ["3", "2"], "while another gateway's go on")
    bed.sql("UPDATE nmsp.action SET claimed_at = claimed_at - interval '1 minute'")
    wait_until(lambda: bed.query(count)[0], lambda row: row == ["5", "0"], 10, "five resets")
    t.ok(True, "a minute later they follow")
    t.diag("latency of resets: " + bed.value("SELECT format('%s ms mean', round(avg(latency_ms)::numeric, 1)) "
                                             "FROM nmsp.action WHERE reason = 'all'"))


def policy(t, bed):
    bed.sql("INSERT INTO nmsp.modem_download (modem_id, at, source, sha256, config_sha256) SELECT m.id, "
            "now(), '10.3.0.10', nmsp.modem_due(m, NULL), nmsp.modem_due(m, NULL) FROM nmsp.modem m "
            "WHERE mac = '02:00:00:00:00:06'")
    bed.sql("UPDATE nmsp.netgw SET reset_changed = true WHERE name = 'other'")
    before = len(bed.snmpd.sets())
    bed.sql("UPDATE nmsp.template SET source = 'GlobalPrivacyEnable 1;'")
    wait_until(lambda: len(bed.snmpd.sets()), lambda n: n == before + 1, 15, "the reset")
    t.ok(True, "a modem whose configfile has changed is reset by itself where the policy says so")
    t.is_(bed.value("SELECT reason FROM nmsp.action ORDER BY id DESC LIMIT 1"),
          "its configfile has changed", "and the row says why")


def story(t, stack):
    for program in ("/usr/sbin/snmpd", "/usr/bin/snmpset", "/usr/bin/radclient"):
        tap.require(None if os.access(program, os.X_OK) else f"no {program}")
    tap.require(netns.available() or cluster.missing() or agents.missing())
    bed = Bed(stack)
    stack.callback(lambda: t.diag(bed.agent.tail() + "\n" + bed.db.log_tail(20) + "\n" + bed.snmpd.tail())
                   if t.failed or sys.exc_info()[0] else None)
    for part in (modems, sessions, secrets, death, limits, policy):
        t.diag(part.__name__)
        part(t, bed)
    bed.agent.process.send_signal(signal.SIGTERM)
    bed.agent.process.wait(10)
    t.is_(bed.agent.process.returncode, 0, "it ends when told to")


tap.main(story)
