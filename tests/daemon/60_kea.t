#!/usr/bin/python3
"""Kea reads the database: 100,000 modems as views, every commit in force at the next DISCOVER.

Modems and CPEs by their modem, fixed addresses, contracts that change, structure that changes
without a restart, and a database that goes away: silence, never a NAK."""

import collections
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import dhcp  # noqa: E402
import isp as isps  # noqa: E402
import kea  # noqa: E402
import modem  # noqa: E402
import tap  # noqa: E402
from waiting import wait_until  # noqa: E402

MACS = {"cmts-1": modem.macs(6, "02:00:00:01:00:01"), "cmts-2": modem.macs(6, "02:00:00:02:00:01")}
MANY = 100_000
CHANGES, SWITCHES, LOAD = 100, 40, 400
NO_PATIENCE = {"timeout": 0.3, "tries": 2}
PUBLIC, PRIVATE, SPARE = MACS["cmts-1"][0], MACS["cmts-1"][1], MACS["cmts-1"][2]


class Bed:
    """Twelve modems on two CMTSs, every other one with a fixed address, and a crowd of rows."""

    def __init__(self, stack):
        self.isp = kea.KeaIsp(stack)
        self.sql = self.isp.db.psql
        self.server = self.isp.kea[4]
        self.cmts = {name: self.isp.add_cmts(name, f"secret of {name}") for name in MACS}
        self.base = self.isp.add_template("base", self.isp.TEMPLATE)
        gold = self.isp.add_service_class("gold", 100_000_000, 10_000_000)
        self.ids = {mac: self.isp.add_modem(mac, self.cmts[name], fixed=number % 2 == 1,
                                            template_id=self.base, service_class_id=gold,
                                            public_cpe=number == 0)
                    for name, macs in MACS.items() for number, mac in enumerate(macs)}
        self.isp.feed()
        self._crowd()
        self.session = stack.enter_context(self.isp.db.session())

    def _crowd(self):
        """Rows among which Kea is to find its way; 100,000 files are not this story's business."""
        self.sql("UPDATE nmsp_feed.target SET enabled = false WHERE feed = 'tftpd';"
                 "SET session_replication_role = replica;"
                 "INSERT INTO nmsp.modem (mac, netgw_id, template_id, address) "
                 "SELECT lpad(to_hex(x'021000000000'::bigint + i), 12, '0')::macaddr, "
                 f"{self.cmts['cmts-1'].id}, {self.base}, "
                 "CASE WHEN i % 2 = 0 THEN inet '11.0.0.0' + i END "
                 f"FROM generate_series(1, {MANY}) i; "
                 "RESET session_replication_role; ANALYZE nmsp.modem")

    def cpe(self, mac, behind, cmts="cmts-1", **options):
        return modem.Cpe(mac, self.cmts[cmts].relay, modem_mac=behind, **options)


def silent(t, device, name):
    device.client.timeout, device.client.tries = NO_PATIENCE["timeout"], NO_PATIENCE["tries"]
    t.raises(modem.BootError, device.boot, name, "dhcp: .*no answer to DISCOVER")


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def modems_boot(t, bed):
    rows = dict(bed.isp.db.query("SELECT mac, host(address) FROM nmsp.modem "
                                 "WHERE address << '10.0.0.0/8'"))
    for name, macs in MACS.items():
        found = bed.isp.boot_all(macs)
        cmts = bed.cmts[name]
        t.is_([r.error for r in found if r.error], [], f"modems of {name} boot")
        t.ok(all(r.address and cmts.holds(r.address) for r in found),
             f"addresses of the cm pool of {name}", [r.address for r in found])
        t.is_({r.mac: r.address for r in found if r.mac in rows},
              {mac: rows[mac] for mac in macs if mac in rows}, "fixed ones where there are")
        t.is_([(r.siaddr, r.file, r.router, r.options.get("host_name")) for r in found],
              [(bed.isp.net.server_address, f"cm/cm-{bed.ids[mac]}.cfg",
                str(cmts.networks["cm"][1]), f"cm-{bed.ids[mac]}") for mac in macs],
              "server, file, router and host name")
    wanted = {"time_offset": 0, "time_servers": [bed.isp.net.server_address],
              "log_servers": [bed.isp.net.server_address], "dns_servers": ["9.9.9.9", "1.1.1.1"],
              "domain_name": "nmsp.test", "tftp_name": bed.isp.net.server_address,
              "lease_time": 3600}
    for mac, kind in ((MACS["cmts-1"][0], "dynamic"), (MACS["cmts-1"][1], "fixed")):
        options = bed.isp.device(mac).result.options
        t.is_({key: options.get(key) for key in (*wanted, "boot_file")},
              {**wanted, "boot_file": f"cm/cm-{bed.ids[mac]}.cfg"}, f"options, {kind} address")
    bed.session.run("UPDATE nmsp.setting SET time_zone = 'Asia/Kolkata', log_server = '{10.9.9.9}'")
    options = bed.isp.boot(PUBLIC).options
    t.is_((options["time_offset"], options["log_servers"]), (19800, ["10.9.9.9"]),
          "a changed setting is in the next answer")
    result = bed.isp.place(MACS["cmts-1"][1], bed.cmts["cmts-2"]).boot(
        secret="secret of cmts-1")
    t.ok(bed.cmts["cmts-2"].holds(result.address),
         "a modem behind another CMTS has an address there", result.address)
    bed.isp.place(MACS["cmts-1"][1], bed.cmts["cmts-1"])


def strangers(t, bed):
    silent(t, bed.isp.place("02:00:00:99:00:01", bed.cmts["cmts-1"]), "an unknown modem: silence")
    for address in ("10.1.0.10", "10.200.0.1"):
        t.raises(dhcp.DhcpTimeout, lambda: bed.isp.device("02:00:00:99:00:01").client.reboot(address),
                 f"even when it claims to have {address}")
    silent(t, bed.cpe("0a:00:00:99:00:01", "02:00:00:99:00:01"), "a CPE behind it: silence")
    silent(t, modem.CableModem(PUBLIC, bed.cmts["cmts-1"].relay, modem_mac="02:00:00:99:00:01"),
           "who bears a known modem's address behind an unknown one: silence")
    device = bed.cpe("0a:00:00:99:00:02", PUBLIC)
    device.client.vendor_class = modem.CableModem.vendor_class
    silent(t, device, "a CPE that says it is a modem: silence")
    device = bed.isp.place(SPARE, bed.cmts["cmts-1"])
    device.client.vendor_class = None
    silent(t, device, "a known modem's address without a modem's option 60: silence")
    bed.isp.place(SPARE, bed.cmts["cmts-1"])


def contracts(t, bed):
    cmts = bed.cmts["cmts-1"]
    one = bed.cpe("0a:00:00:01:00:01", PUBLIC)
    two = bed.cpe("0a:00:00:01:00:02", PRIVATE)
    t.ok(cmts.holds(one.boot().address, "cpe_public"), "CPE behind a public modem")
    t.ok(cmts.holds(two.boot().address, "cpe_private"), "CPE behind a private modem")
    t.is_((two.client.renew().yiaddr, two.client.rebind().yiaddr), (two.result.address,) * 2,
          "it renews straight to the server, without option 82, and through the relay")
    t.is_(bed.isp.device(PUBLIC).client.renew().yiaddr, bed.isp.device(PUBLIC).result.address,
          "so does a modem")
    mta = modem.Mta("0e:00:00:01:00:01", cmts.relay, modem_mac=PRIVATE)
    mta.loads_file = False
    silent(t, mta, "an MTA that nobody knows: silence")
    bed.isp.add_mta(mta.mac, bed.ids[PRIVATE])
    t.ok(cmts.holds(mta.boot().address, "mta"), "an MTA is in the mta pool")
    right, times = 0, []
    for number in range(SWITCHES):
        purpose = ("public", "private")[number % 2]
        bed.session.run(f"UPDATE nmsp.modem SET public_cpe = {purpose == 'public'} "
                        f"WHERE id = {bed.ids[PRIVATE]}")
        begin = time.monotonic()
        right += cmts.holds(two.boot().address, f"cpe_{purpose}")
        times.append((time.monotonic() - begin) * 1000)
    t.is_(right, SWITCHES, f"contract switched {SWITCHES} times: right at the first DISCOVER")
    t.diag(f"commit -> CPE has an address of the other pool: p50 {statistics.median(times):.1f} ms, "
           f"longest {max(times):.1f} ms")
    bed.session.run(f"UPDATE nmsp.modem SET internet_access = false WHERE id = {bed.ids[PRIVATE]}")
    silent(t, bed.cpe("0a:00:00:01:00:02", PRIVATE), "blocked: silence for its CPEs")
    t.raises(dhcp.DhcpNak, two.client.renew, "and their renewals are refused")
    t.is_(bed.isp.boot(PRIVATE).error, None, "the modem itself goes on")
    bed.session.run(f"UPDATE nmsp.modem SET internet_access = true WHERE id = {bed.ids[PRIVATE]}")
    t.ok(bed.cpe("0a:00:00:01:00:02", PRIVATE).boot().address, "unblocked: served")


def endpoints(t, bed):
    pool = bed.cmts["cmts-1"].pools
    bed.sql("INSERT INTO nmsp.endpoint (name, modem_id, mac, address) VALUES ('shop', "
            f"{bed.ids[PRIVATE]}, '0a:00:00:02:00:01', nmsp.allocate_address({pool['cpe_public']}));"
            "INSERT INTO nmsp.endpoint (name, modem_id, address) VALUES ('office', "
            f"{bed.ids[SPARE]}, nmsp.allocate_address({pool['cpe_private']}))")
    rows = dict(bed.isp.db.query("SELECT name, host(address) FROM nmsp.endpoint"))
    result = bed.cpe("0a:00:00:02:00:01", PRIVATE).boot()
    t.is_((result.address, result.options.get("host_name")), (rows["shop"], "shop"),
          "an endpoint by its MAC, public behind a private modem")
    first, second = bed.cpe("0a:00:00:02:00:02", SPARE), bed.cpe("0a:00:00:02:00:03", SPARE)
    t.is_(first.boot().address, rows["office"], "an endpoint by its modem: who asks first has it")
    t.ok(second.boot().address not in (None, rows["office"]), "the next CPE has another address",
         second.result.address)
    bed.sql("INSERT INTO nmsp.endpoint (name, modem_id, mac, address) VALUES ('till', "
            f"{bed.ids[SPARE]}, '0a:00:00:02:00:05', nmsp.allocate_address({pool['cpe_private']}))")
    t.ok(bed.cpe("0a:00:00:02:00:05", SPARE).boot().address
         == bed.isp.db.value("SELECT host(address) FROM nmsp.endpoint WHERE name = 'till'"),
         "one by its MAC behind the same modem has its own, not that of the modem")
    last = str(bed.isp.db.value("SELECT host(range_start) FROM nmsp.pool WHERE id = "
                                f"{bed.cmts['cmts-2'].pools['cpe_private']}"))
    behind = MACS["cmts-2"][1]
    bed.sql("INSERT INTO nmsp.endpoint (name, modem_id, mac, address) VALUES ('reserved', "
            f"{bed.ids[behind]}, '0a:00:00:02:00:09', '{last}')")
    t.ok(bed.cpe("0a:00:00:02:00:04", behind, "cmts-2").boot().address != last,
         "a fixed address inside the range goes to nobody else")


def changes(t, bed):
    """Each change is one commit; the DISCOVER after it must be answered with it."""
    device = bed.isp.device(SPARE)
    low = bed.cmts["cmts-1"].networks["cm"][600]
    right, times, offers = 0, [], []
    for number in range(CHANGES):
        bed.session.run(f"UPDATE nmsp.modem SET address = '{low + number}' "
                        f"WHERE id = {bed.ids[SPARE]}")
        begin = time.monotonic()
        offer = device.client.discover()
        times.append((time.monotonic() - begin) * 1000)
        right += offer.yiaddr == str(low + number)
        offers.append(offer.yiaddr)
    t.is_(right, CHANGES, f"{CHANGES} fixed addresses: right at the first DISCOVER after the commit")
    t.diag(f"commit -> served, {MANY} modems: p50 {percentile(times, .5):.1f} ms, "
           f"p99 {percentile(times, .99):.1f} ms")
    mac = "02:00:00:98:00:01"
    row_id = bed.isp.add_modem(mac, bed.cmts["cmts-1"], template_id=bed.base)
    t.is_(bed.isp.device(mac).client.acquire().file, f"cm/{int(row_id) // 1000}/cm-{row_id}.cfg", "a new modem is served")
    bed.session.run(f"DELETE FROM nmsp.modem WHERE id = {row_id}")
    silent(t, bed.isp.device(mac), "a deleted one is not")


def load(t, bed):
    relay = bed.cmts["cmts-1"].relay
    clients = [dhcp.Client(relay.relay, mac, relay.giaddr, mac, modem.CableModem.vendor_class)
               for mac in modem.macs(LOAD, "02:10:00:00:10:01")]
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(max_workers=16) as pool:
        acks = list(pool.map(lambda client: client.acquire(), clients))
    seconds = time.monotonic() - begin
    t.is_(len({ack.yiaddr for ack in acks}), LOAD, f"{LOAD} modems at once: each its own address")
    t.diag(f"{LOAD / seconds:.0f} DORA/s with 16 Python clients on the same two cores")


def structure(t, bed):
    """A new pool is in service by config-set; leases stay, and the gap is short."""
    cmts = bed.cmts["cmts-1"]
    probe = dhcp.Probe(modem.CableModem("02:10:00:00:20:01", cmts.relay).client, 0.02).start()
    try:
        new_pool(t, bed, probe)
    finally:
        probe.stop()
    t.ok(probe.longest_gap_ms() < 3000, "the network hardly waits for a new pool",
         probe.longest_gap_ms())
    t.diag(f"longest time between two answers: {probe.longest_gap_ms()} ms, "
           f"{len(bed.server.lease_lines())} lines of leases")
    t.is_(bed.isp.device(PUBLIC).client.renew().yiaddr, bed.isp.device(PUBLIC).result.address,
          "leases are kept")
    t.is_(bed.server.process.poll(), None, "Kea was not restarted")


def new_pool(t, bed, probe):
    cmts = bed.cmts["cmts-1"]
    wait_until(lambda: len(probe.answered), lambda count: count > 20, 10, "answers")
    bed.sql("INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) "
            f"VALUES ({cmts.id}, 'cm', '10.77.0.0/24', '10.77.0.10', '10.77.0.20', '10.77.0.1');"
            f"UPDATE nmsp.modem SET address = '10.77.0.15' WHERE id = {bed.ids[SPARE]}")
    begin = time.monotonic()
    device = bed.isp.place(SPARE, cmts, timeout=0.2, tries=2)
    wait_until(lambda: device.client.discover().yiaddr, lambda got: got == "10.77.0.15", 60,
               "an address of the new pool")
    t.diag(f"new pool in service {time.monotonic() - begin:.2f} s after its commit")
    bed.isp.wait_in_step()
    answers = len(probe.answered)
    wait_until(lambda: len(probe.answered), lambda count: count > answers + 20, 10, "answers")


def gardens(t, bed):
    """Who is blocked, and who is unknown, has a pool of his own."""
    bed.sql("INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router, dns_server, lease_time) "
            f"SELECT {bed.cmts['cmts-1'].id}, v.p, (v.n || '.0/24')::cidr, (v.n || '.10')::inet, (v.n || '.20')::inet, "
            "(v.n || '.1')::inet, '{10.9.9.53}', 120 FROM (VALUES ('cpe_blocked', '100.80.0'), "
            "('cpe_unknown', '100.81.0')) v(p, n);"
            f"UPDATE nmsp.modem SET internet_access = false WHERE id = {bed.ids[PRIVATE]}")
    bed.isp.wait_in_step()
    for mac, behind, net in (("0a:00:00:08:00:01", PRIVATE, "100.80.0."),
                             ("0a:00:00:08:00:02", "02:00:00:99:00:01", "100.81.0.")):
        result = bed.cpe(mac, behind).boot()
        t.is_((result.address[:9], result.options["dns_servers"], result.lease_time),
              (net, ["10.9.9.53"], 120), f"walled garden {net}0: address, name server, short lease")
    silent(t, bed.isp.place("02:00:00:99:00:01", bed.cmts["cmts-1"]), "an unknown modem: still silence")
    bed.sql(f"UPDATE nmsp.modem SET internet_access = true WHERE id = {bed.ids[PRIVATE]}")
    t.ok(bed.cmts["cmts-1"].holds(bed.cpe("0a:00:00:08:00:01", PRIVATE).boot().address, "cpe_private"),
         "unblocked: out of the garden")


def refused_structure(t, bed):
    """A config-set that Kea refuses leaves it deaf; the last good one is set again."""
    root = os.path.join(bed.isp.folder, "feeds", "kea4", "current", "kea-dhcp4.conf")
    with open(root) as file:
        config = json.load(file)
    config["Dhcp4"]["hosts-database"]["name"] = "nowhere"
    bad = os.path.join(bed.isp.folder, "bad.conf")
    with open(bad, "w") as file:
        json.dump(config, file)
    argv = [bed.isp.apply, bed.server.control, bad, f"{bed.isp.state}/kea4.json"]
    done = subprocess.run(argv, capture_output=True, text=True)
    t.is_(done.returncode, 1, "a configuration with an unreachable database is refused")
    t.like(done.stderr, "nowhere", "with Kea's own message")
    t.is_(bed.isp.boot(PUBLIC).error, None, "and the last good one serves")
    config["Dhcp4"]["shared-networks"][0]["subnet4"][0]["pools"] = [{"pool": "1.2.3.4 - 1.2.3.9"}]
    with open(bad, "w") as file:
        json.dump(config, file)
    done = subprocess.run(argv, capture_output=True, text=True)
    t.is_(done.returncode, 1, "a pool outside of its network is refused before it does harm")
    t.is_(bed.isp.boot(PUBLIC).error, None, "and the last good one serves")


def outage(t, bed):
    """Without the database there is silence; a NAK would take live clients down."""
    device, cpe = bed.isp.device(PUBLIC), bed.cpe("0a:00:00:01:00:01", PUBLIC)
    fixed = bed.isp.device(MACS["cmts-1"][1])
    for one in (device, cpe, fixed):
        one.boot()
    bed.session.close()
    bed.isp.db.stop()
    for one in (device, cpe, fixed):
        one.client.timeout, one.client.tries = 0.4, 2
    for what, call in (("a modem's renewal", device.client.renew),
                       ("a CPE's renewal", cpe.client.renew),
                       ("a fixed modem's rebinding", fixed.client.rebind),
                       ("a reboot with the old address", device.client.reboot),
                       ("a DISCOVER", device.client.discover)):
        t.raises(dhcp.DhcpTimeout, call, f"the database is away: {what} is not answered, no NAK")
    probe = dhcp.Probe(modem.CableModem(PUBLIC, bed.cmts["cmts-1"].relay).client, 0.02).start()
    try:
        bed.isp.db.start()
        begin = time.monotonic()
        wait_until(lambda: len(probe.answered), bool, 20, "Kea serves again", interval=0.005)
    finally:
        probe.stop()
    back = probe.answered[0] - begin
    t.ok(back < 2.0, "Kea serves again within 2 s of the database", f"{back:.2f} s")
    t.diag(f"served again {back:.2f} s after the database was up")
    t.is_((device.client.renew().yiaddr, cpe.client.renew().yiaddr),
          (device.result.address, cpe.result.address), "the renewals are answered now")


class Storm:
    """Clients that renew without pause, each in a thread; counts what they hear."""

    def __init__(self, devices):
        self.heard = collections.Counter()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(device, number), daemon=True)
                        for number, device in enumerate(devices)]
        for thread in self.threads:
            thread.start()

    def _run(self, device, number):
        device.client.timeout, device.client.tries = 0.05, 1
        while not self.over.is_set():
            try:
                (device.client.renew if number % 2 else device.client.rebind)()
                self.heard["ACK"] += 1
            except dhcp.DhcpNak:
                self.heard["NAK"] += 1
            except dhcp.DhcpTimeout:
                self.heard["silence"] += 1

    def wait_acks(self, deadline=15.0):
        """Waits until 20 more renewals were answered."""
        before = self.heard["ACK"]
        wait_until(lambda: self.heard["ACK"], lambda acks: acks > before + 20, deadline, "renewals")

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def outages_under_load(t, bed):
    """The same while a dozen clients renew all the time, four times, by stop and by crash."""
    bed.sql(f"UPDATE nmsp.modem SET address = '10.1.0.5' WHERE id = {bed.ids[PRIVATE]}")
    macs = MACS["cmts-1"]
    devices = [bed.isp.place(mac, bed.cmts["cmts-1"]) for mac in macs]
    devices += [bed.cpe("0a:00:00:05" + mac[11:], mac) for mac in macs]
    for device in devices:
        device.client.acquire()
    storm, back = Storm(devices), 0
    try:
        storm.wait_acks()
        for mode in ("fast", "immediate") * 2:
            bed.isp.db.stop(mode)
            silence = storm.heard["silence"]
            wait_until(lambda: storm.heard["silence"], lambda now: now > silence + 100, 20, "silence")
            bed.isp.db.start()
            storm.wait_acks()
            back += 1
    finally:
        storm.stop()
    t.is_(back, 4, "the database went away under load four times: Kea was back each time")
    t.is_(storm.heard["NAK"], 0, "and refused nobody")
    t.diag(f"renewals: {dict(storm.heard)}")


def story(t, stack):
    tap.require(isps.missing() or kea.missing())
    bed = Bed(stack)
    try:
        for part in (modems_boot, strangers, contracts, endpoints, changes, load, structure, gardens,
                     refused_structure, outage, outages_under_load):
            part(t, bed)
    except BaseException:
        t.diag(bed.isp.trouble())
        raise


tap.main(story)
