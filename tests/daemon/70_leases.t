#!/usr/bin/python3
"""nmsp-agent follows the lease files of real DHCP servers: a lease is a row within a second, and
none is lost when files are tidied up, the agent is killed, or the database is away."""

import contextlib
import ipaddress
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import dhcp6  # noqa: E402
import isp as isps  # noqa: E402
import kea  # noqa: E402
import modem  # noqa: E402
import tap  # noqa: E402
from waiting import wait_until  # noqa: E402

MACS = modem.macs(4, "02:00:00:01:00:01")
SECOND = 1.0
ROUNDS = 60


class Bed:
    """Four modems behind a CMTS, Kea, and an agent that follows its lease file."""

    def __init__(self, stack):
        self.isp = kea.KeaIsp(stack, ipv6=True, settings={"unix_socket_permissions": "0777"})
        self.server = self.isp.kea[4]
        self._rows()
        self.relay6 = self.isp.add_ipv6(self.cmts)
        self.sql(f"UPDATE nmsp.modem SET public_cpe = true WHERE id = {self.ids[MACS[0]]};"
                 "UPDATE nmsp.setting SET provisioning_server6 = '2001:db8:ffff::1'")
        self.isp.feed()
        self._follow(stack, lease_kea4=self.server.leases, lease_kea6=self.isp.kea[6].leases)

    def _rows(self):
        self.sql, self.query, self.value = (self.isp.db.psql, self.isp.db.query,
                                            self.isp.db.value)
        agents.make_role(self.isp.db)
        self.cmts = self.isp.add_cmts("cmts-1", "secret")
        self.sql("UPDATE nmsp.setting SET max_cpe = 16")
        base = self.isp.add_template("base", self.isp.TEMPLATE)
        self.ids = {mac: self.isp.add_modem(mac, self.cmts, template_id=base) for mac in MACS}

    def _follow(self, stack, **files):
        self.agent = stack.enter_context(agents.Agent(
            self.isp.net.server, self.isp.run_folder, self.isp.db.sockets, **files))

    def cpe(self, number, behind=MACS[0]):
        return modem.Cpe(f"0a:00:00:00:{number >> 8:02x}:{number & 255:02x}", self.cmts.relay,
                         modem_mac=behind)

    def row(self, address, columns="state"):
        """The lease of an address, as text."""
        rows = self.query(f"SELECT {columns} FROM nmsp.lease WHERE address = '{address}'")
        return rows[0] if rows else None

    def wait_row(self, address, wanted, columns="state", deadline=10.0):
        return wait_until(lambda: self.row(address, columns), lambda row: row == wanted, deadline,
                          f"lease of {address}", interval=0)

    def active(self):
        """Address -> MAC of each lease in force, by the database."""
        return {address: mac for address, mac in self.query(
            "SELECT host(address), mac FROM nmsp.active_lease")}


def given(t, bed):
    device = bed.isp.device(MACS[0])
    times = []
    for number, mac in enumerate(MACS):
        address = bed.isp.device(mac).client.acquire().yiaddr
        begin = time.monotonic()
        bed.wait_row(address, ["active"])
        times.append(time.monotonic() - begin)
    t.ok(max(times) < SECOND, "modems: a lease is a row within a second of its ACK", times)
    t.diag(f"ACK -> row: longest of {len(times)} {max(times) * 1000:.0f} ms, looked at by psql")
    address = device.client.lease.yiaddr
    t.is_(bed.row(address, "mac, kind, modem_id, remote_id, daemon, agent, "
                           "encode(client_id, 'hex'), ends - starts, prefix_length, "
                           "abs(extract(epoch FROM now() - starts)) < 5"),
          [MACS[0], "cm", str(bed.ids[MACS[0]]), MACS[0].replace(":", ""), "kea4", "test",
           "01" + MACS[0].replace(":", ""), "01:00:00", "32", "t"], "with all that Kea knows")
    cpe = bed.cpe(1)
    address = cpe.client.acquire().yiaddr
    bed.wait_row(address, ["active"])
    t.is_(bed.row(address, "kind, modem_id"), ["cpe", str(bed.ids[MACS[0]])],
          "a CPE, by the modem it is behind")
    before = bed.row(address, "starts, ends")
    wait_until(lambda: cpe.client.renew() and bed.row(address, "starts, ends"),
               lambda now: now != before, 10, "a renewal is seen")
    t.is_(bed.row(address, "state, since < starts"), ["active", "t"], "a renewal: the same lease")


def ipv6(t, bed):
    modem6 = dhcp6.Client6(bed.relay6, MACS[0], MACS[0], modem=True)
    address = modem6.acquire().address
    bed.wait_row(address, ["active"])
    t.is_(bed.row(address, "mac, kind, modem_id, daemon, prefix_length, remote_id, "
                           "encode(client_id, 'hex')"),
          [MACS[0], "cm", str(bed.ids[MACS[0]]), "kea6", "128", MACS[0].replace(":", ""),
           modem6.duid.hex()], "IPv6: a modem")
    cpe = dhcp6.Client6(bed.relay6, "0a:00:00:06:00:01", MACS[0], prefix=True)
    lease = cpe.acquire()
    prefix = lease.prefix.split("/")[0]
    bed.wait_row(lease.address, ["active"])
    bed.wait_row(prefix, ["active"])
    t.is_([bed.row(place, "kind, modem_id, prefix_length") for place in (lease.address, prefix)],
          [["cpe", str(bed.ids[MACS[0]]), length] for length in ("128", "56")],
          "an address and a delegated prefix of a CPE, by its modem")
    cpe.release()
    begin = time.monotonic()
    bed.wait_row(lease.address, ["released"])
    bed.wait_row(prefix, ["released"])
    t.ok(time.monotonic() - begin < SECOND, "released: both end within a second")


def released(t, bed):
    cpe = bed.cpe(2)
    address = cpe.client.acquire().yiaddr
    bed.wait_row(address, ["active"])
    cpe.client.release()
    begin = time.monotonic()
    bed.wait_row(address, ["released", "t"], "state, ends <= now()")
    t.ok(time.monotonic() - begin < SECOND, "a released lease ends within a second")
    cpe.client.extra[50] = ipaddress.IPv4Address(address).packed
    again = cpe.client.acquire().yiaddr
    t.is_((again, bed.wait_row(address, ["active"])), (address, ["active"]),
          "given again, perhaps within the same second: in force")


def cut_line(t, bed):
    """A line of which the end is not written yet waits for it."""
    line = "10.1.0.250,02:00:00:00:77:01,01:02,600,{},1,0,0,half,0,\n".format(int(time.time()) + 600)
    with open(bed.server.leases, "ab", buffering=0) as file:
        file.write(line[:40].encode())
        seen = bed.agent.tail(50).count("no leases")
        file.write(line[40:].encode())
    bed.wait_row("10.1.0.250", ["active", "half"], "state, hostname")
    t.is_(bed.agent.tail(50).count("no leases"), seen, "a cut line waits for its end")
    with open(bed.server.leases, "ab", buffering=0) as file:
        file.write(b"10.1.0.251,what is this?\n" + b"x" * 300000 + b"\n" +
                   line.replace("10.1.0.250", "10.1.0.252").encode())
    bed.wait_row("10.1.0.252", ["active"])
    wait_until(lambda: bed.agent.tail(50), lambda text: "lines of " in text, 5, "the log tells")
    t.is_(bed.row("10.1.0.251"), None, "what is no lease is passed over, and the log tells")


def refused(t, bed):
    """One row that the database refuses does not keep back those that were told with it."""
    line = "10.1.1.{0},02:00:00:00:78:{0:02x},01:02:{0:02x},600,{1},1,0,0,{2},0,\n"
    bed.sql("ALTER TABLE nmsp.lease ADD CONSTRAINT no_bad_one CHECK (hostname <> 'bad')")
    ends = int(time.time()) + 600
    with open(bed.server.leases, "ab", buffering=0) as file:
        file.write("".join(line.format(number, ends, "bad" if number == 77 else "good")
                           for number in range(1, 201)).encode())
    stored = bed.isp.db.wait_for("SELECT count(*) FROM nmsp.lease WHERE hostname = 'good'", "199")
    t.is_(stored, "199", "a lease is refused: the 199 others are stored")
    t.like(wait_until(lambda: bed.agent.tail(20), lambda text: "is not stored" in text, 5, "log"),
           r"lease of 10\.1\.1\.77 in .* is not stored: .*no_bad_one", "and the log tells which")
    bed.sql("ALTER TABLE nmsp.lease DROP CONSTRAINT no_bad_one")


def tidied(t, bed):
    """kea-lfc renames and rewrites the file each second while leases come and go."""
    config = bed.server.command("config-get")["arguments"]
    config.pop("hash", None)
    config["Dhcp4"]["lease-database"]["lfc-interval"] = 1
    answer = bed.server.command("config-set", config)
    t.is_(answer["result"], 0, "Kea tidies its lease file up each second")
    inodes, addresses, end = set(), set(), time.monotonic() + 30
    number = 0
    while (len(inodes) < 4 or number < ROUNDS) and time.monotonic() < end:
        number += 1
        cpe = bed.cpe(100 + number, MACS[1 + number % 3])
        address = cpe.client.acquire().yiaddr
        inodes.add(os.stat(bed.server.leases).st_ino)
        if number % 3:
            addresses.add((address, cpe.mac))
        else:
            cpe.client.release()
    t.ok(len(inodes) >= 4, "the file was another one several times", len(inodes))
    missing = wait_until(lambda: addresses - set(bed.active().items()), lambda gone: not gone, 10,
                         "leases given meanwhile")
    t.is_(missing, set(), f"{len(addresses)} leases given meanwhile are all there")
    macs = {mac for _, mac in addresses}
    others = wait_until(lambda: {mac for mac in bed.active().values()
                                 if "0a:00:00:00:00:64" <= mac <= "0a:00:00:00:ff:ff"} - macs,
                        lambda left: not left, 10, "leases given back meanwhile")
    t.is_(others, set(), "and those given back are not")


def killed(t, bed):
    bed.agent.kill9()
    given_back, kept = bed.cpe(3), bed.cpe(4)
    kept_address = kept.client.acquire().yiaddr
    back_address = given_back.client.acquire().yiaddr
    given_back.client.release()
    bed.agent.start()
    bed.wait_row(kept_address, ["active"])
    t.is_(bed.active().get(kept_address), kept.mac, "killed and started: what happened meanwhile")
    t.is_(bed.wait_row(back_address, ["released"]), ["released"], "is told, releases too")
    before = bed.query("SELECT address, state, since, starts, ends, told_at FROM nmsp.lease "
                       "ORDER BY 1")
    bed.agent.kill9()
    bed.agent.start()
    probe = bed.cpe(5)
    address = probe.client.acquire().yiaddr
    bed.wait_row(address, ["active"])
    after = bed.query("SELECT address, state, since, starts, ends, told_at FROM nmsp.lease "
                      f"WHERE address <> '{address}' ORDER BY 1")
    t.is_(after, before, "told again, nothing changes")


def database_away(t, bed):
    """Kea looks hosts up in the same database: only the agent is locked out of it."""
    cpes = [bed.cpe(10 + number, MACS[number % 4]) for number in range(12)]
    addresses = {cpe.client.acquire().yiaddr for cpe in cpes}
    wait_until(lambda: addresses - set(bed.active()), lambda gone: not gone, 10, "leases")
    bed.sql(f"ALTER ROLE {agents.ROLE} NOLOGIN; SELECT pg_terminate_backend(pid, 5000) "
            f"FROM pg_stat_activity WHERE usename = '{agents.ROLE}'")
    wait_until(lambda: bed.agent.tail(3), lambda text: "no database" in text, 10,
               "the agent sees it")
    for cpe in cpes:
        cpe.client.release()
    new = [bed.cpe(40 + number, MACS[number % 4]) for number in range(3)]
    wanted = {(cpe.client.acquire().yiaddr, cpe.mac) for cpe in new}
    bed.sql(f"ALTER ROLE {agents.ROLE} LOGIN")
    begin = time.monotonic()
    missing = wait_until(lambda: wanted - set(bed.active().items()), lambda gone: not gone, 10,
                         "leases given meanwhile")
    t.diag(f"caught up {time.monotonic() - begin:.2f} s after the database was there")
    t.is_(missing, set(), "the database was away: leases given meanwhile are told")
    wait_until(lambda: set(bed.active().values()) & {cpe.mac for cpe in cpes},
               lambda left: not left, 10, "releases")
    bed.isp.db.stop("immediate")
    bed.isp.db.start()
    t.is_(wanted - set(bed.active().items()), set(), "a crash of the database forgets none")
    after = bed.cpe(50)
    after.client.timeout, after.client.tries = 0.2, 1
    address = wait_until(after.client.acquire, bool, 20, "Kea serves again").yiaddr
    t.is_(bed.wait_row(address, ["active"]), ["active"], "and it goes on after that")


def slow(t, bed):
    """A database that does not answer in time is asked again, until it has the lease."""
    with bed.isp.db.session() as session:
        session.run("BEGIN; LOCK TABLE nmsp.lease IN ACCESS EXCLUSIVE MODE")
        cpe = bed.cpe(60)
        address = cpe.client.acquire().yiaddr
        wait_until(lambda: bed.value("SELECT count(*) FROM pg_stat_activity WHERE usename = "
                                     f"'{agents.ROLE}' AND wait_event_type = 'Lock'"),
                   lambda count: count >= "2", 20, "asked a second time")
        session.run("COMMIT")
    t.is_(bed.wait_row(address, ["active"]), ["active"], "a slow database: the lease is told")


class DhcpdBed(Bed):
    """The same with dhcpd."""

    def __init__(self, stack):
        self.isp = isps.Isp(stack, settings={"unix_socket_permissions": "0777"})
        self._rows()
        self.isp.feed()
        self.isp.wait_in_step()
        self._follow(stack, lease_dhcpd=self.isp.dhcpd.leases)


def dhcpd_given(t, bed):
    times = []
    for mac in MACS:
        address = bed.isp.device(mac).client.acquire().yiaddr
        begin = time.monotonic()
        bed.wait_row(address, ["active"])
        times.append(time.monotonic() - begin)
    t.ok(max(times) < SECOND, "dhcpd: a lease is a row within a second of its ACK", times)
    t.diag(f"ACK -> row: longest of {len(times)} {max(times) * 1000:.0f} ms, looked at by psql")
    t.is_(bed.row(address, "mac, kind, modem_id, remote_id, daemon, encode(client_id, 'hex'), "
                           "prefix_length, ends - starts, "
                           "abs(extract(epoch FROM now() - starts)) < 5"),
          [MACS[3], "cm", str(bed.ids[MACS[3]]), MACS[3].replace(":", ""), "dhcpd",
           "01" + MACS[3].replace(":", ""), "32", "01:00:00", "t"], "with all that dhcpd knows")
    cpe = bed.cpe(1)
    cpe.client.extra[12] = b"host-1"
    address = cpe.client.acquire().yiaddr
    bed.wait_row(address, ["active"])
    t.is_(bed.row(address, "kind, modem_id, hostname"),
          ["cpe", str(bed.ids[MACS[0]]), "host-1"], "a CPE, by the modem it is behind")
    cpe.client.release()
    begin = time.monotonic()
    bed.wait_row(address, ["released", "t"], "state, ends <= now()")
    t.ok(time.monotonic() - begin < SECOND, "a released lease ends within a second")


def dhcpd_replaced(t, bed):
    """A restart writes the file anew; so do thousands of leases."""
    inodes, wanted = set(), {}
    for number in range(3):
        inodes.add(os.stat(bed.isp.dhcpd.leases).st_ino)
        for other in range(4):
            cpe = bed.cpe(10 + 10 * number + other, MACS[other])
            wanted[cpe.client.acquire().yiaddr] = cpe.mac
        starts = len(bed.isp.boss.events("start"))
        os.kill(bed.isp.boss.daemon_pid(), signal.SIGKILL)
        bed.isp.boss.wait_event("start", starts + 1)
        device = bed.isp.device(MACS[0])
        wait_until(device.client.acquire, bool, 20, "dhcpd serves again")
    inodes.add(os.stat(bed.isp.dhcpd.leases).st_ino)
    t.ok(len(inodes) > 1, "dhcpd was killed and has written its file anew", len(inodes))
    missing = wait_until(lambda: wanted.items() - bed.active().items(), lambda gone: not gone, 10,
                         "leases")
    t.is_(missing, set(), "all leases are there")
    bed.agent.kill9()
    cpe = bed.cpe(50)
    address = cpe.client.acquire().yiaddr
    bed.agent.start()
    t.is_(bed.wait_row(address, ["active"]), ["active"],
          "agent killed and started: it has what was given meanwhile")


STORIES = ((Bed, (given, ipv6, released, cut_line, refused, tidied, killed, database_away, slow)),
           (DhcpdBed, (dhcpd_given, dhcpd_replaced)))


def story(t, stack):
    tap.require(isps.missing() or kea.missing() or agents.missing())
    for make, parts in STORIES:
        with contextlib.ExitStack() as inner:
            bed = make(inner)
            try:
                for part in parts:
                    part(t, bed)
            except BaseException:
                t.diag(bed.agent.tail(20))
                t.diag(bed.isp.trouble())
                raise


tap.main(story)
