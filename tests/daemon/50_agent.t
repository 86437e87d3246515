#!/usr/bin/python3
"""nmsp-agent answers the network from the database: modems boot with files made at the moment of
download, real dhcpd asks it for every client, and nothing is ever loaded, pushed or restarted."""

import concurrent.futures
import os
import signal
import socket
import statistics
import struct
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import daemons  # noqa: E402
import dhcp  # noqa: E402
import docsis_check  # noqa: E402
import isp as isps  # noqa: E402
import modem  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402
import tftp  # noqa: E402
from waiting import wait_until  # noqa: E402

MACS = {"cmts-1": modem.macs(6, "02:00:00:01:00:01"), "cmts-2": modem.macs(6, "02:00:00:02:00:01")}
SECRETS = {"cmts-1": "first secret", "cmts-2": "the second one"}
ONE, FIXED, BIG = MACS["cmts-1"][0], MACS["cmts-1"][1], MACS["cmts-1"][2]
SYS_LOCATION = "1.3.6.1.2.1.1.6.0"
SERVER6, EPOCH_1900 = "fd00:20::1", 2208988800
IMPATIENT = {"timeout": 0.3, "tries": 2}
DOWNLOADS = {"download_listen": "*:69", "time_listen": "*:37", "lookup_listen": "127.0.0.1:3890",
             "download_rate": 0}


class Bed:
    """12 modems behind two CMTSs, every other one with a fixed address; agent and LDAP dhcpd."""

    def __init__(self, stack):
        self.isp = isp = isps.Isp(stack, settings={"unix_socket_permissions": "0777"})
        isp.tftpd.stop()
        self.sql, self.query, self.value = isp.db.psql, isp.db.query, isp.db.value
        agents.make_role(isp.db)
        self.cmts = {name: isp.add_cmts(name, secret) for name, secret in SECRETS.items()}
        self.silver = isp.add_service_class("silver", 100_000_000, 10_000_000)
        self.gold = isp.add_service_class("gold", 500_000_000, 50_000_000)
        base = isp.add_template("base", isp.TEMPLATE)
        filler = "".join(f'SnmpMibObject docsDevNmAccessCommunity.{number} String "{"x" * 200}";\n'
                         for number in range(1, 61))
        big = isp.add_template("big", filler, parent_id=base)
        self.ids = {mac: isp.add_modem(mac, self.cmts[name], fixed=number % 2 == 1,
                                       template_id=big if mac == BIG else base,
                                       service_class_id=self.silver)
                    for name, macs in MACS.items() for number, mac in enumerate(macs)}
        self.agent = stack.enter_context(agents.Agent(isp.net.server, isp.run_folder,
                                                      isp.db.sockets, **DOWNLOADS))
        self.sql("INSERT INTO nmsp_feed.target (feed, root, settings) VALUES ('dhcpd', "
                 f"'{isp.dhcpd_root}', '{{\"lookup\": \"ldap://127.0.0.1:3890\"}}')")
        isp.wait_in_step()
        self.server = isp.net.server_address

    def path(self, mac):
        return f"cm/cm-{self.ids[mac]}.cfg"

    def enter(self, cmts="cmts-1"):
        return self.cmts[cmts].relay.entered()

    def fetch(self, mac, source="10.1.0.200", cmts="cmts-1", name=None, **options):
        """A finished transfer of a modem's file, from any address behind a CMTS."""
        return tftp.fetch(options.pop("server", self.server), name or self.path(mac),
                          source=source, enter=lambda: self.enter(cmts), **options)

    def raw(self, source="10.1.0.201", cmts="cmts-1"):
        """A bare UDP socket behind a CMTS."""
        with self.enter(cmts):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((source, 0))
        sock.settimeout(0.3)
        return sock

    def last(self, columns, where="true"):
        """Newest row of nmsp.download; waits until all that was downloaded is in."""
        return wait_until(lambda: self.query(f"SELECT {columns} FROM nmsp.download WHERE {where} "
                                             "ORDER BY at DESC LIMIT 1"), bool, 5, where)[0]


def refused(t, call, code, name):
    """One test: the server's answer is ERROR `code`."""
    try:
        call()
    except tftp.TftpError as error:
        return t.is_(error.code, code, name)
    return t.ok(False, name, "it was served")


def silent(t, sock, name):
    try:
        t.ok(False, name, repr(sock.recvfrom(2000)))
    except TimeoutError:
        t.ok(True, name)


def all_boot(t, bed):
    for name, macs in MACS.items():
        found = bed.isp.boot_all(macs)
        t.is_([r.error for r in found if r.error], [], f"{len(found)} modems of {name} boot")
        t.ok(all(bed.cmts[name].holds(r.address) for r in found), "addresses of its cm pool")
        t.is_([r.file for r in found], [bed.path(r.mac) for r in found], "each its own file")
        t.is_([r.rates for r in found], [{"us": [10_000_000], "ds": [100_000_000]}] * len(found),
              "with the rates of their service class")
        wanted = dict(bed.query("SELECT mac, host(address) FROM nmsp.modem WHERE address IS NOT "
                                f"NULL AND netgw_id = {bed.cmts[name].id}"))
        t.is_({r.mac: r.address for r in found if r.mac in wanted}, wanted, "fixed addresses")
    t.raises(modem.BootError, bed.isp.place("02:00:00:99:00:01", bed.cmts["cmts-1"],
                                            **IMPATIENT).boot, "an unknown modem gets no answer",
             "no answer to DISCOVER")
    wait_until(lambda: bed.value("SELECT count(*) FROM nmsp.download WHERE result = 'served'"),
               lambda n: n == "12", 5, "download rows")
    t.is_(bed.query("SELECT DISTINCT result, agent, d.modem_id IS NOT NULL, d.netgw_id = m.netgw_id,"
                    " d.note, d.bytes > 90, d.duration_ms > 0, d.sha256 = d.config_sha256 "
                    "FROM nmsp.download d JOIN nmsp.modem m ON m.id = d.modem_id"),
          [["served", "test", "t", "t", None, "t", "t", "t"]], "nmsp.download has a row of each")
    t.is_(bed.query("SELECT state, count(*) FROM nmsp.modem_status GROUP BY 1"),
          [["current", "12"]], "nmsp.modem_status: all have what is due")


def live(t, bed):
    """Every change is right at the next download, and DHCP announces it at once."""
    wrong, times = [], []
    with bed.isp.db.session() as session:
        for turn in range(100):
            text = f"place {turn}"
            session.run("INSERT INTO nmsp.modem_option VALUES "
                        f"({bed.ids[ONE]}, 'place', '{text}') ON CONFLICT (modem_id, key) "
                        "DO UPDATE SET value = excluded.value")
            begin = time.monotonic()
            report = docsis_check.check(bed.fetch(ONE).data, SECRETS["cmts-1"])
            times.append((time.monotonic() - begin) * 1000)
            if (SYS_LOCATION, "String", text.encode()) not in report.varbinds:
                wrong.append(turn)
        t.is_(wrong, [], "100 changes: each is right at the next download")
        t.diag(f"commit -> downloaded: p50 {statistics.median(times):.1f} ms, longest "
               f"{max(times):.1f} ms of {len(times)}")
        client = bed.isp.device(FIXED).client
        wrong = []
        for turn in range(20):
            session.run(f"UPDATE nmsp.modem SET address = '10.1.15.{turn + 201}' "
                        f"WHERE mac = '{FIXED}'")
            if client.discover().yiaddr != f"10.1.15.{turn + 201}":
                wrong.append(turn)
        t.is_(wrong, [], "20 changed addresses: each is in the next offer")
    bed.sql(f"UPDATE nmsp.modem SET service_class_id = {bed.gold} WHERE mac = '{ONE}'")
    t.is_(bed.value(f"SELECT state FROM nmsp.modem_status WHERE mac = '{ONE}'"), "outdated",
          "modem_status: a change makes it outdated")
    t.is_(bed.isp.boot(ONE).rates["ds"], [500_000_000], "it boots with the new rates")
    bed.last("at", f"modem_id = {bed.ids[ONE]} AND at > now() - interval '1 s'")
    t.is_(bed.isp.db.wait_for(f"SELECT state FROM nmsp.modem_status WHERE mac = '{ONE}'",
                              "current", 5), "current", "and is current again")
    new = "02:00:00:01:ff:01"
    bed.ids[new] = bed.isp.add_modem(new, bed.cmts["cmts-1"], service_class_id=bed.silver,
                                     template_id=bed.value("SELECT id FROM nmsp.template "
                                                           "WHERE name = 'base'"))
    t.is_(bed.isp.boot(new).error, None, "a new modem boots at the first try")
    bed.sql(f"DELETE FROM nmsp.modem WHERE mac = '{new}'")
    refused(t, lambda: bed.fetch(new), 1, "a deleted modem has no file")


def node_split(t, bed):
    mac = MACS["cmts-1"][3]
    bed.isp.place(mac, bed.cmts["cmts-2"])
    result = bed.isp.boot(mac)
    t.ok(bed.cmts["cmts-2"].holds(result.address),
         "a modem that was moved to another CMTS boots there, its row unchanged")
    t.is_(bed.last("result, note, netgw_id", f"modem_id = {bed.ids[mac]} AND note IS NOT NULL"),
          ["served", "seen elsewhere", str(bed.cmts["cmts-2"].id)], "the download says so")
    t.is_(bed.isp.db.wait_for(f"SELECT format('%s %s %s', seen_elsewhere, seen_netgw_id, state) "
                              f"FROM nmsp.modem_status WHERE mac = '{mac}'",
                              lambda text: text[0] == "t", 5),
          f"t {bed.cmts['cmts-2'].id} current", "and modem_status: seen elsewhere, and current")
    t.is_(result.file, "cm/mac-2-0-0-1-0-4.cfg", "by its hardware address")
    bed.sql(f"UPDATE nmsp.modem SET address = NULL, netgw_id = {bed.cmts['cmts-2'].id} "
            f"WHERE mac = '{mac}'")
    t.is_(bed.query(f"SELECT seen_elsewhere, state FROM nmsp.modem_status WHERE mac = '{mac}'"),
          [["f", "current"]], "once the row says so too, all is well")


def who_may(t, bed):
    address = bed.value(f"SELECT host(address) FROM nmsp.modem WHERE mac = '{FIXED}'")
    refused(t, lambda: bed.fetch(ONE, address), 2, "another modem's address gets no file")
    t.is_(bed.last("result, note", f"modem_id = {bed.ids[ONE]} AND result = 'refused'"),
          ["refused", f"the address belongs to modem {FIXED}"], "nmsp.download says why")
    t.ok(bed.fetch(FIXED, address).data, "its own it gets")
    refused(t, lambda: bed.fetch(ONE, "100.64.4.77"), 2, "a CPE's address gets no file")
    uplink = bed.isp.net.cmts["cmts-1"].uplink
    t.ok(bed.fetch(ONE, uplink).data, "an unknown source is served")
    t.is_(bed.last("source, note", f"source = '{uplink}'"), [uplink, "unknown source"],
          "and flagged")
    bed.sql("UPDATE nmsp.setting SET download_check = 'strict'")
    refused(t, lambda: bed.fetch(ONE, uplink), 2, "strict: an unknown source is refused")
    refused(t, lambda: bed.fetch(FIXED, "10.1.0.200"), 2, "strict: so is a wrong address")
    t.ok(bed.fetch(FIXED, address).data, "strict: the right address is served")
    t.is_(bed.isp.boot(ONE).error, None, "strict: a modem with a dynamic one boots")
    bed.sql("UPDATE nmsp.setting SET download_check = 'off'")
    t.ok(bed.fetch(ONE, address).data, "off: everybody is served")
    bed.last("result", f"source = '{address}' AND modem_id = {bed.ids[ONE]} AND result = 'served'")
    bed.sql("UPDATE nmsp.setting SET download_check = 'known', download_once = '1 h'")
    bed.sql(f"DELETE FROM nmsp.modem_download WHERE modem_id = {bed.ids[ONE]}")
    t.ok(bed.fetch(ONE).data, "single download: once")
    bed.isp.db.wait_for(f"SELECT count(*) FROM nmsp.modem_download WHERE modem_id = {bed.ids[ONE]}",
                        "1")
    refused(t, lambda: bed.fetch(ONE), 2, "single download: not twice")
    bed.sql("UPDATE nmsp.setting SET download_once = NULL; UPDATE nmsp.setting_secret "
            "SET download_key = 'a key of many characters'")
    result = bed.isp.boot(ONE)
    t.like(result.file, r"^cm/cm-\d+-[0-9a-f]{16}\.cfg$", "unguessable names: DHCP announces one")
    refused(t, lambda: bed.fetch(ONE), 1, "unguessable names: the plain one is no file")
    bed.sql("UPDATE nmsp.setting_secret SET download_key = NULL")
    bed.sql("UPDATE nmsp.setting SET download_origin = true")
    result = bed.isp.boot(ONE)
    t.is_((result.report.provisioned_address, result.report.timestamp is not None),
          (result.address, True), "TLV 19 and 20 when the setting says so; the MICs cover them")
    t.is_(bed.last("result", f"modem_id = {bed.ids[ONE]} AND sha256 <> config_sha256"),
          ["served"], "the row has both hashes")
    bed.isp.db.wait_for(f"SELECT state FROM nmsp.modem_status WHERE mac = '{ONE}'", "current", 5)
    bed.sql("UPDATE nmsp.setting SET download_origin = false")
    bed.sql(f"DELETE FROM nmsp.netgw_secret WHERE netgw_id = {bed.cmts['cmts-1'].id}")
    refused(t, lambda: bed.fetch(ONE), 0, "a file that cannot be made is an error")
    t.like(bed.last("note", "result = 'failed'")[0], "has no shared secret", "the row says why")
    bed.sql(f"INSERT INTO nmsp.netgw_secret VALUES ({bed.cmts['cmts-1'].id}, "
            f"'{SECRETS['cmts-1']}')")


def names_and_junk(t, bed):
    for name in ("cm/cm-999999.cfg", "../../../etc/passwd", "/etc/passwd", "cm/../cm/cm-1.cfg",
                 "cm/cm-01.cfg", "cm/cm-1.cfg/", "cm/cm-99999999999999999999.cfg", "x" * 255,
                 "cm/cm-1'; DROP TABLE nmsp.modem; --.cfg", "cm\\cm-1.cfg", "\x01\xff"):
        refused(t, lambda: bed.fetch(ONE, name=name), 1, f"no file {name[:40]!r}")
    t.is_(bed.fetch(ONE, name="/" + bed.path(ONE)).data, bed.fetch(ONE).data,
          "a slash in front is the same file")
    sock = bed.raw()
    to = (bed.server, 69)
    for packet, name in ((b"", "empty"), (b"\0", "one byte"), (b"\0\1", "RRQ without a name"),
                         (b"\0\1name", "no NUL"), (b"\0\1name\0", "no mode"),
                         (b"\0\1\0octet\0", "empty name"), (b"\0\3\0\1data", "DATA"),
                         (b"\0\4\0\1", "ACK"), (b"\0\5\0\0\0", "ERROR"), (b"\0\6x\0", "OACK"),
                         (b"\xff" * 1400, "noise"), (b"\0\1" + b"a" * 1400 + b"\0octet\0", "long"),
                         (b"\0\1n\0octet\0" + b"o\0v\0" * 40, "too many options"),
                         (b"\0\1n\0octet\0blksize\0", "option without a value")):
        sock.sendto(packet, to)
    silent(t, sock, "14 kinds of junk are not answered")
    for packet, code, name in ((b"\0\2name\0octet\0", 2, "a write is refused"),
                               (b"\0\1name\0mail\0", 4, "mode mail is illegal")):
        sock.sendto(packet, to)
        t.is_(sock.recvfrom(2000)[0][:4], b"\0\5\0" + bytes([code]), name)
    t.is_(bed.agent.process.poll(), None, "the agent still runs")


def options(t, bed):
    whole = bed.fetch(BIG)
    t.ok(len(whole.data) > 12000, "a file of many blocks", len(whole.data))
    docsis_check.check(whole.data, SECRETS["cmts-1"])
    t.is_(whole.options, {"blksize": "1448", "tsize": str(len(whole.data))}, "blksize, tsize")
    for wanted in ({"blksize": None, "tsize": False}, {"blksize": 8}, {"blksize": 65464},
                   {"windowsize": 8}, {"windowsize": 3, "blksize": 16}, {"windowsize": 65535},
                   {"timeout_option": 7}, {"blksize": 7}, {"blksize": None, "windowsize": 4}):
        got = bed.fetch(BIG, **wanted)
        t.ok(got.data == whole.data, f"asked for {wanted}: granted {got.options}", len(got.data))
    t.is_(bed.fetch(BIG, blksize=65464).options["blksize"], "1448", "no more than a packet holds")
    t.is_(bed.fetch(BIG, timeout_option=7).options["timeout"], "7", "timeout")
    t.ok("blksize" not in bed.fetch(BIG, blksize=7).options, "a blksize of 7 is ignored")
    bed.isp.net.server.ip("addr", "add", "172.20.0.2/24", "dev", "prov0")
    t.is_(bed.fetch(ONE, server="172.20.0.2").data, bed.fetch(ONE).data,
          "an answer comes from the address that was asked")


def parallel(t, bed):
    names = list(bed.ids)
    names = [mac for mac in names if bed.value("SELECT count(*) FROM nmsp.modem WHERE mac = "
                                               f"'{mac}' AND netgw_id = {bed.cmts['cmts-1'].id}")
             == "1"]
    want = {mac: bed.fetch(mac).data for mac in names}
    under_way = [tftp.Transfer(bed.server, bed.path(names[n % len(names)]), blksize=16,
                               source=f"10.1.8.{n}", enter=bed.enter) for n in range(1, 201)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=50) as pool:
        list(pool.map(lambda transfer: transfer.open().read_blocks(1), under_way))
        t.is_(sum(not transfer.finished for transfer in under_way), 200,
              "200 transfers are under way at once")
        list(pool.map(lambda transfer: transfer.read_all(), under_way))
    t.is_(sum(transfer.data == want[names[n % len(names)]]
              for n, transfer in enumerate(under_way, 1)), 200, "each ends with its own file")


def packet_manners(t, bed):
    """RFC 1350's traps: lost packets, doubled packets, forged sources."""
    request = b"\0\1" + bed.path(BIG).encode() + b"\0octet\0"
    sock = bed.raw("10.1.0.202")
    sock.settimeout(1.5)
    sock.sendto(request, (bed.server, 69))
    first, peer = sock.recvfrom(2000)
    t.is_(first[:4], b"\0\3\0\1", "without options the first block is the answer")
    silent(t, sock, "nothing more comes to who has not acknowledged (no amplifier)")
    sock.sendto(request, (bed.server, 69))
    t.is_(sock.recvfrom(2000), (first, peer), "a repeated request is answered, by the same transfer")
    sock.settimeout(0.3)
    for _ in range(3):
        sock.sendto(b"\0\4\0\1", peer)
    t.is_(sock.recvfrom(2000)[0][:4], b"\0\3\0\2", "the next block after its ACK")
    silent(t, sock, "two more ACKs of the same block bring nothing (sorcerer's apprentice)")
    sock.sendto(b"\0\4\0\7", peer)
    silent(t, sock, "neither does an ACK of what was not sent")
    stranger = bed.raw("10.1.0.203")
    stranger.sendto(b"\0\4\0\2", peer)
    silent(t, stranger, "nor anything of a stranger")
    sock.settimeout(4)
    begin = time.monotonic()
    gaps = []
    for _ in range(2):
        t.is_(sock.recvfrom(2000)[0][:4], b"\0\3\0\2", "an unanswered block comes again")
        gaps.append(time.monotonic() - begin)
        begin = time.monotonic()
    t.ok(gaps[1] > gaps[0] * 1.3, "later each time", gaps)
    sock.sendto(b"\0\5\0\0enough\0", peer)
    t.is_(bed.last("result, note", "result = 'broken off'"),
          ["broken off", "the client says error 0"], "an ERROR of the client ends it")
    with bed.enter():
        slow = tftp.Transfer(bed.server, bed.path(BIG), source="10.1.0.204", enter=bed.enter,
                             blksize=16).open().read_blocks(3)
    bed.sql(f"UPDATE nmsp.modem SET service_class_id = {bed.gold} WHERE mac = '{BIG}'")
    data = slow.read_all().data
    t.ok(data != bed.fetch(BIG).data and docsis_check.check(data, SECRETS["cmts-1"]).rates["ds"]
         == [100_000_000], "a transfer under way ends with the file it began with")


def rate(t, bed):
    bed.agent.write(download_rate=2, download_burst=3)
    bed.agent.reload()
    wait_until(lambda: "read again" in bed.agent.tail(), what="SIGHUP")
    sock = bed.raw("10.1.0.210")
    for _ in range(40):
        sock.sendto(b"\0\2name\0octet\0", (bed.server, 69))
    answers = 0
    try:
        while sock.recvfrom(2000):
            answers += 1
    except TimeoutError:
        pass
    t.ok(3 <= answers <= 5, "40 requests at once of one source: the burst is answered", answers)
    t.ok(bed.fetch(ONE, "10.1.0.211").data, "another source is served meanwhile")
    bed.agent.write(download_rate=0)
    bed.agent.reload()
    wait_until(lambda: bed.agent.tail().count("read again") == 2, what="SIGHUP")


def ipv6(t, bed):
    space, name = bed.isp.net.cmts["cmts-1"], "cmts-1"
    bed.isp.net.server.ip("addr", "add", f"{SERVER6}/64", "dev", "prov0", "nodad")
    space.ip("addr", "add", "fd00:20::11/64", "dev", "up0", "nodad")
    space.ip("addr", "add", "fd00:20::12/64", "dev", "up0", "nodad")
    bed.isp.insert("pool", netgw_id=bed.cmts[name].id, purpose="cm", network="fd00:20::/64",
                   range_start="fd00:20::10", range_end="fd00:20::ff")
    bed.sql(f"UPDATE nmsp.modem SET address6 = 'fd00:20::11' WHERE mac = '{ONE}'; "
            "UPDATE nmsp.setting SET download_origin = true")
    got = wait_until(lambda: bed.fetch(ONE, "fd00:20::11", server=SERVER6), what="IPv6")
    t.ok(any(tlv.type == 59 and tlv.value == socket.inet_pton(socket.AF_INET6, "fd00:20::11")
             for tlv in docsis_check.walk(docsis_check.split_end(got.data))),
         "IPv6: the file has TLV 59")
    t.is_(bed.last("source, netgw_id", "family(source) = 6"),
          ["fd00:20::11", str(bed.cmts[name].id)], "IPv6: through the CMTS of its pool")
    refused(t, lambda: bed.fetch(FIXED, "fd00:20::11", server=SERVER6), 2,
            "IPv6: another modem's address gets no file")
    bed.sql("UPDATE nmsp.setting SET download_origin = false")
    t.is_(bed.fetch(ONE, "fd00:20::12", server=SERVER6).data, bed.fetch(ONE).data,
          "IPv6: the same file")


def rfc868(t, bed):
    def seconds(raw):
        return abs(struct.unpack("!I", raw)[0] - EPOCH_1900 - time.time())
    sock = bed.raw("10.1.0.205")
    sock.sendto(b"", (bed.server, 37))
    t.ok(seconds(sock.recvfrom(100)[0]) < 2, "RFC 868 over UDP")
    with bed.enter():
        with socket.create_connection((bed.server, 37), 2) as stream:
            raw = stream.recv(100)
            t.ok(len(raw) == 4 and seconds(raw) < 2 and stream.recv(100) == b"",
                 "RFC 868 over TCP: four bytes and the end")
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock6:
            sock6.settimeout(1)
            sock6.sendto(b"", (SERVER6, 37))
            t.ok(seconds(sock6.recvfrom(100)[0]) < 2, "RFC 868 over IPv6")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
            echo.bind(("10.1.0.206", 7))
            echo.settimeout(0.3)
            echo.sendto(b"", (bed.server, 37))
            silent(t, echo, "nothing goes to a port that would answer it")


def cpes(t, bed):
    home = bed.cmts["cmts-1"]

    def boot(number, behind, **more):
        return modem.Cpe(f"02:cc:00:00:00:{number:02x}", home.relay, modem_mac=behind,
                         **{**IMPATIENT, **more}).boot().address
    t.ok(home.holds(boot(1, ONE), "cpe_private"), "a CPE gets a private address")
    bed.sql(f"UPDATE nmsp.modem SET public_cpe = true WHERE mac = '{ONE}'")
    t.ok(home.holds(boot(2, ONE), "cpe_public"), "public_cpe: the next one a public one, at once")
    t.raises(modem.BootError, lambda: boot(3, ONE), "no more than max_cpe", "no answer")
    bed.sql(f"UPDATE nmsp.modem SET internet_access = false WHERE mac = '{FIXED}'")
    t.raises(modem.BootError, lambda: boot(4, FIXED), "blocked: no answer", "no answer")
    bed.sql(f"UPDATE nmsp.modem SET internet_access = true WHERE mac = '{FIXED}'")
    t.ok(home.holds(boot(4, FIXED), "cpe_private"), "no longer blocked: an address, at once")
    t.raises(modem.BootError, lambda: boot(5, "02:00:00:99:99:99"),
             "behind an unknown modem: no answer", "no answer")
    bed.sql("INSERT INTO nmsp.endpoint (name, modem_id, mac, address) VALUES ('shop', "
            f"{bed.ids[BIG]}, '02:cc:00:00:00:06', '203.0.113.20')")
    t.is_(boot(6, BIG), "203.0.113.20", "an endpoint has its fixed address, at once")


def never_restarted(t, bed, starts):
    t.is_(len(bed.isp.boss.events("start")), starts, "dhcpd was not restarted by any of it")


def database_away(t, bed):
    names = MACS["cmts-2"]
    clients = [bed.isp.device(mac).client for mac in names[:2]]
    kept = [client.renew().yiaddr for client in clients]
    bed.isp.db.stop("immediate")
    sock = bed.raw("10.1.0.220")
    sock.sendto(b"\0\1" + bed.path(ONE).encode() + b"\0octet\0", (bed.server, 69))
    silent(t, sock, "database away: requests are not answered")
    for client in clients:
        client.timeout, client.tries = 0.3, 1
        t.raises(dhcp.DhcpTimeout, client.rebind, "nor are renewals (no NAK)")
    t.raises(dhcp.DhcpTimeout, clients[0].discover, "nor DISCOVERs")
    bed.isp.db.start()
    begin = time.monotonic()
    wait_until(lambda: bed.fetch(ONE, timeout=0.2, tries=1), deadline=10, what="download")
    t.ok(time.monotonic() - begin < 2, "back within two seconds after the database",
         time.monotonic() - begin)
    t.diag(f"served again {(time.monotonic() - begin) * 1000:.0f} ms after the database was up")
    for client in clients:
        client.timeout, client.tries = 1.0, 4
    t.is_([client.rebind().yiaddr for client in clients], kept, "leases are as they were")


def processes_and_rights(t, bed):
    status = open(f"/proc/{bed.agent.pid}/status").read()
    t.like(status, r"Uid:\s+65534\s+65534", "it runs as its own user")
    t.like(status, r"CapEff:\s+0000000000000000", "without capabilities")
    t.like(status, r"NoNewPrivs:\s+1", "and cannot get any")
    t.is_(bed.query("SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = "
                    "'nmsp-agent'"), [[agents.ROLE]], "connected as its own role")
    t.raises(Exception, lambda: bed.sql(f"SET ROLE {agents.ROLE}; TABLE nmsp.netgw_secret"),
             "which may not read secrets", "permission denied")
    t.raises(Exception, lambda: bed.sql(f"SET ROLE {agents.ROLE}; TABLE nmsp.modem"),
             "nor modems", "permission denied")
    bed.fetch(ONE, "10.1.0.230")
    begin = time.monotonic()
    bed.agent.process.send_signal(signal.SIGTERM)
    t.is_(bed.agent.process.wait(10), 0, "SIGTERM ends it")
    t.ok(time.monotonic() - begin < 2, "at once", time.monotonic() - begin)
    t.is_(bed.value("SELECT count(*) FROM nmsp.download WHERE source = '10.1.0.230'"), "1",
          "what was downloaded last is recorded")
    bed.agent.start()
    bed.agent.kill9()
    bed.agent.start()
    t.is_(bed.isp.boot(ONE).error, None, "killed and started again: modems boot")
    with open(bed.agent.file, "a") as file:
        file.write("download_rate = many\n")
    processes.stop(bed.agent.process)
    t.raises(Exception, bed.agent.start, "a wrong configuration is refused",
             r"line \d+: value \"many\" of \"download_rate\" is not a number")


def partitions(t, bed):
    t.is_(bed.value("SELECT count(*) FROM nmsp.download_other"), "0",
          "rows are in the partitions of their weeks")
    bed.sql("INSERT INTO nmsp.download (at, agent, source, path, result) "
            "VALUES (now() - interval '1 year', 'test', '10.0.0.1', 'x', 'unknown')")
    t.is_(bed.query("SELECT made, dropped FROM nmsp.keep_downloads()"), [["0", "0"]],
          "partitions are kept")
    t.is_(bed.value("SELECT count(*) FROM nmsp.download WHERE at < now() - interval '181 days'"),
          "0", "rows older than the retention go")
    bed.sql("INSERT INTO nmsp.download (at, agent, source, path, result) "
            "VALUES (now() + interval '50 days', 'test', '10.0.0.1', 'x', 'unknown')")
    bed.sql("SELECT * FROM nmsp.keep_downloads(now() + interval '45 days')")
    t.is_(bed.query("SELECT count(*) FROM nmsp.download_other UNION ALL SELECT count(*) FROM "
                    "nmsp.download WHERE at > now() + interval '45 days'"), [["0"], ["1"]],
          "a row that came before its partition moves into it")
    t.is_(bed.query("SELECT made > 0, dropped > 0 FROM nmsp.keep_downloads(now() + "
                    "interval '1 year')"), [["t", "t"]], "old partitions are dropped")


def story(t, stack):
    tap.require(isps.missing() or agents.missing())
    package = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-ldap-"))
    os.chmod(package, 0o777)
    daemons.DHCPD = agents.ldap_dhcpd(package)
    tap.require(None if daemons.DHCPD else "no dhcpd with LDAP (isc-dhcp-server-ldap)")
    bed = Bed(stack)
    stack.callback(lambda: t.diag("\n".join([bed.isp.trouble(), "-- agent", bed.agent.tail()]))
                   if t.failed or sys.exc_info()[0] else None)
    starts = len(bed.isp.boss.events("start"))
    for part in (all_boot, live, node_split, who_may, names_and_junk, options, parallel,
                 packet_manners, rate, cpes):
        part(t, bed)
    never_restarted(t, bed, starts)
    for part in (ipv6, rfc868, database_away, partitions, processes_and_rights):
        part(t, bed)


tap.main(story)
