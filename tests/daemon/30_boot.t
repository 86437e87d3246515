#!/usr/bin/python3
"""Rows go in, modems boot: real dhcpd and tftpd, two CMTSs with secrets of their own, and every
kind of change made live, while the daemons serve and transfers are under way."""

import contextlib
import os
import statistics
import sys
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import dhcp  # noqa: E402
import docsis_check  # noqa: E402
import isp as isps  # noqa: E402
import modem  # noqa: E402
import tap  # noqa: E402
import tftp  # noqa: E402
from waiting import wait_until  # noqa: E402

MACS = {"cmts-1": modem.macs(10, "02:00:00:01:00:01"),
        "cmts-2": modem.macs(10, "02:00:00:02:00:01")}
SECRETS = {"cmts-1": "first secret", "cmts-2": "the second one"}
RATES = {"silver": (100_000_000, 10_000_000), "gold": (500_000_000, 50_000_000)}
BIG = MACS["cmts-1"][0]
NEWCOMER, RENAMED = "02:00:00:01:ff:01", "02:00:00:01:ff:02"
SYS_CONTACT, SYS_LOCATION = "1.3.6.1.2.1.1.4.0", "1.3.6.1.2.1.1.6.0"
ROUNDS = 15
NO_PATIENCE = {"timeout": 0.2, "tries": 2}


class Bed:
    """20 modems on two CMTSs; every other one has a fixed address, every third is gold."""

    def __init__(self, stack):
        self.isp = isps.Isp(stack)
        self.sql = self.isp.db.psql
        self.cmts = {name: self.isp.add_cmts(name, secret) for name, secret in SECRETS.items()}
        self.classes = {name: self.isp.add_service_class(name, *rates)
                        for name, rates in RATES.items()}
        self.base = self.isp.add_template("base", self.isp.TEMPLATE)
        filler = "".join(f'SnmpMibObject docsDevNmAccessCommunity.{number} String "{"x" * 200}";\n'
                         for number in range(1, 61))
        self.big = self.isp.add_template("big", filler, parent_id=self.base)
        self.ids, self.kind, self.fixed = {}, {}, {}
        for name, macs in MACS.items():
            for number, mac in enumerate(macs):
                self.kind[mac] = "gold" if number % 3 == 0 else "silver"
                self.ids[mac] = self.isp.add_modem(
                    mac, self.cmts[name], fixed=number % 2 == 1,
                    template_id=self.big if mac == BIG else self.base,
                    service_class_id=self.classes[self.kind[mac]])
        self.isp.feed()
        self.isp.wait_in_step()
        self.tftpd_pid = self.isp.tftpd.pid

    def path(self, mac):
        return f"cm/cm-{self.ids[mac]}.cfg"

    def fetch(self, mac):
        """A modem's file as tftpd serves it now."""
        return tftp.fetch(self.isp.net.server_address, self.path(mac),
                          enter=self.isp.device(mac).cmts.entered).data

    def wait_served(self, mac, old):
        """Waits until tftpd serves something else than `old`."""
        return wait_until(lambda: self.fetch(mac), lambda data: data != old, 10, "the new file",
                          interval=0)


@contextlib.contextmanager
def transfer_under_way(t, bed, mac, what):
    """A download that is paused while the body makes a change must end with the old bytes."""
    old = bed.fetch(mac)
    transfer = tftp.Transfer(bed.isp.net.server_address, bed.path(mac), blksize=16,
                             enter=bed.isp.device(mac).cmts.entered).open().read_blocks(2)
    yield old
    t.ok(not transfer.finished, f"{what}: a download is under way meanwhile", len(old))
    t.is_(transfer.read_all().data == old, True, f"{what}: it ends with the old bytes, whole")


def no_offer(t, device, name):
    device.client.timeout, device.client.tries = NO_PATIENCE["timeout"], NO_PATIENCE["tries"]
    t.raises(modem.BootError, device.boot, name, "dhcp: .*no answer to DISCOVER")


def all_boot(t, bed):
    results = {name: bed.isp.boot_all(macs) for name, macs in MACS.items()}
    for name, found in results.items():
        cmts = bed.cmts[name]
        t.is_([r.error for r in found if r.error], [],
              f"{len(found)} modems of {name} boot; CM MIC and CMTS MIC are right")
        t.ok(all(cmts.holds(r.address) for r in found), f"addresses of the cm pool of {name}",
             [r.address for r in found])
        t.is_([r.file for r in found], [bed.path(r.mac) for r in found], "each its own file")
        t.is_([(r.rates["ds"], r.rates["us"]) for r in found],
              [tuple([rate] for rate in RATES[bed.kind[r.mac]]) for r in found],
              "rates of their service classes")
        rows = dict(bed.isp.db.query("SELECT mac, host(address) FROM nmsp.modem "
                                     "WHERE address IS NOT NULL"))
        fixed = {r.mac: r.address for r in found if r.mac in rows}
        t.is_(fixed, {mac: rows[mac] for mac in fixed}, f"{len(fixed)} have their fixed addresses")
    everyone = [r for found in results.values() for r in found]
    t.is_(len({r.address for r in everyone}), len(everyone), "no address twice")
    t.raises(modem.BootError, lambda: bed.isp.boot(BIG, secret=SECRETS["cmts-2"]),
             "another CMTS would refuse the file", "cmts_mic")
    no_offer(t, bed.isp.place("02:00:00:99:00:01", bed.cmts["cmts-1"]),
             "an unknown modem gets no offer")
    times = sorted(r.ms["total"] for r in everyone)
    t.diag(f"boot of {len(times)} modems, 16 at a time: p50 {statistics.median(times):.0f} ms, "
           f"longest {times[-1]:.0f} ms")
    return {r.mac: r.address for r in everyone}


def service_class(t, bed):
    with transfer_under_way(t, bed, BIG, "changed service class") as old:
        bed.sql("UPDATE nmsp.service_class SET ds_rate = 700000000, us_rate = 70000000 "
                "WHERE name = 'gold'")
        bed.wait_served(BIG, old)
    bed.isp.wait_in_step()
    found = bed.isp.boot_all([mac for mac in bed.kind])
    t.is_({(bed.kind[r.mac], *r.rates["ds"], *r.rates["us"]) for r in found},
          {("gold", 700_000_000, 70_000_000), ("silver", *RATES["silver"])},
          "changed service class: its modems get the new rates at their next boot, no others")


def option(t, bed):
    mac, other = BIG, MACS["cmts-1"][1]
    before = bed.fetch(other)
    with transfer_under_way(t, bed, mac, "option set") as old:
        bed.sql(f"INSERT INTO nmsp.modem_option VALUES ({bed.ids[mac]}, 'place', 'Main St. 1')")
        bed.wait_served(mac, old)
    t.ok((SYS_LOCATION, "String", b"Main St. 1") in bed.isp.boot(mac).report.varbinds,
         "option set: the modem's file has it")
    t.is_(bed.fetch(other), before, "option set: other modems' files are as before")


def template(t, bed):
    with transfer_under_way(t, bed, BIG, "changed template") as old:
        bed.sql("UPDATE nmsp.template SET source = replace(source, 'noc@example.net', "
                "'help@example.net') WHERE name = 'base'")
        bed.wait_served(BIG, old)
    bed.isp.wait_in_step()
    found = bed.isp.boot_all(list(bed.kind))
    t.is_([r.error for r in found if r.error], [], "changed template: all boot")
    t.is_(sum((SYS_CONTACT, "String", b"help@example.net") in r.report.varbinds for r in found),
          len(found), "changed template: all have the new text (one through its child)")


def moved(t, bed):
    one, two = bed.cmts["cmts-1"], bed.cmts["cmts-2"]
    mac = BIG
    with transfer_under_way(t, bed, mac, "moved modem") as old:
        bed.sql(f"UPDATE nmsp.modem SET netgw_id = {two.id}, "
                f"address = '10.2.7.7' WHERE mac = '{mac}'")
        bed.wait_served(mac, old)
    bed.isp.wait_in_step()
    bed.isp.place(mac, two)
    t.ok(two.holds(bed.isp.boot(mac).address),
         "moved modem: it boots behind the other CMTS, with an address and the secret from there")
    bed.isp.place(mac, one)
    t.raises(modem.BootError, lambda: bed.isp.boot(mac),
             "moved modem: no longer behind the old one", "cmts_mic|names no file")
    bed.isp.place(mac, two)


def new_mac(t, bed):
    mac = MACS["cmts-1"][2]
    bed.ids[RENAMED] = bed.ids[mac]
    before = bed.fetch(mac)
    bed.sql(f"UPDATE nmsp.modem SET mac = '{RENAMED}' WHERE mac = '{mac}'")
    bed.isp.wait_in_step()
    result = bed.isp.place(RENAMED, bed.cmts["cmts-1"]).boot()
    t.is_((result.file, result.config), (bed.path(mac), before),
          "changed MAC: the new device boots with the same file")
    no_offer(t, bed.isp.device(mac), "changed MAC: the old device gets no offer")
    del bed.kind[mac]


def newcomer(t, bed):
    begin = time.monotonic()
    bed.ids[NEWCOMER] = bed.isp.add_modem(NEWCOMER, bed.cmts["cmts-2"], template_id=bed.base,
                                          service_class_id=bed.classes["silver"])
    device = bed.isp.device(NEWCOMER)
    device.client.timeout, device.client.tries = 0.05, 1
    result = wait_until(device.boot, deadline=10, what="first boot", interval=0)
    t.diag(f"new modem: {(time.monotonic() - begin) * 1000:.0f} ms from before the INSERT until "
           "it has booted")
    t.is_(result.rates, {"ds": [100_000_000], "us": [10_000_000]}, "new modem: it boots")


def deleted(t, bed):
    mac = MACS["cmts-1"][3]
    with transfer_under_way(t, bed, mac, "deleted modem"):
        bed.sql(f"DELETE FROM nmsp.modem WHERE mac = '{mac}'")
        bed.isp.wait_in_step()
    no_offer(t, bed.isp.device(mac), "deleted modem: no offer")
    t.raises(tftp.TftpError, lambda: bed.fetch(mac), "deleted modem: no file", "TFTP error 1")
    del bed.kind[mac]


def renewals(t, bed, addresses):
    starts = bed.isp.boss.events("start")
    t.ok(len(starts) > 3, f"dhcpd was restarted {len(starts) - 1} times by now")
    fixed = dict(bed.isp.db.query("SELECT mac, address FROM nmsp.modem WHERE address IS NOT NULL"))
    dynamic = [mac for mac in bed.kind if mac not in fixed]
    kept = {mac: bed.isp.device(mac).client.renew().yiaddr for mac in dynamic}
    t.is_(kept, {mac: addresses[mac] for mac in dynamic},
          f"{len(dynamic)} leases outlived that: renewals are ACKed, addresses the same")
    t.is_({addresses[mac] for mac in dynamic} - bed.isp.dhcpd.leased(), set(),
          "the lease file has them all")


def commit_to_tftp(t, bed):
    mac = MACS["cmts-2"][1]
    times = []
    with bed.isp.db.session() as session:
        for turn in range(ROUNDS):
            old = bed.fetch(mac)
            session.run(f"UPDATE nmsp.modem SET service_class_id = "
                        f"{bed.classes['silver' if turn % 2 else 'gold']} WHERE mac = '{mac}'")
            begin = time.monotonic()
            new = bed.wait_served(mac, old)
            times.append((time.monotonic() - begin) * 1000)
            docsis_check.check(new, SECRETS["cmts-2"])
    t.diag(f"commit -> served by tftpd: p50 {statistics.median(times):.0f} ms, longest "
           f"{max(times):.0f} ms of {ROUNDS}")
    t.ok(statistics.median(times) < 1000, "a commit is served by tftpd within a second", times)


def offered(client):
    try:
        return client.discover().yiaddr
    except dhcp.DhcpTimeout:
        return None


def commit_to_offer(t, bed):
    mac = MACS["cmts-2"][1]
    client = bed.isp.device(mac).client
    client.timeout, client.tries = 0.02, 1
    times = []
    with bed.isp.db.session() as session:
        for turn in range(ROUNDS):
            address = f"10.2.9.{turn + 1}"
            session.run(f"UPDATE nmsp.modem SET address = '{address}' WHERE mac = '{mac}'")
            begin = time.monotonic()
            wait_until(lambda: offered(client), lambda got: got == address, 10, "offer", interval=0)
            times.append((time.monotonic() - begin) * 1000)
    gaps = [event["gap_ms"] for event in bed.isp.boss.events("start")[-ROUNDS:]]
    t.diag(f"commit -> offered by dhcpd: p50 {statistics.median(times):.0f} ms, longest "
           f"{max(times):.0f} ms of {ROUNDS}; restarts of dhcpd p50 "
           f"{statistics.median(gaps):.0f} ms")
    t.ok(statistics.median(times) < 2000, "a commit is offered by dhcpd within two seconds", times)


def restart_gap(t, bed):
    mac = MACS["cmts-2"][3]
    probe = dhcp.Probe(bed.isp.device(mac).client).start()
    wait_until(lambda: len(probe.answered), lambda n: n > 20, 10, "answers before")
    for turn in range(3):
        starts = len(bed.isp.boss.events("start"))
        bed.sql(f"UPDATE nmsp.modem SET address = '10.2.8.{turn + 1}' "
                f"WHERE mac = '{MACS['cmts-2'][1]}'")
        bed.isp.boss.wait_event("start", starts + 1)
        seen = len(probe.answered)
        wait_until(lambda: len(probe.answered), lambda n: n > seen + 20, 10, "answers afterwards")
    probe.stop()
    t.diag("DISCOVER each 10 ms over 3 restarts of dhcpd: longest gap "
           f"{probe.longest_gap_ms()} ms, {probe.unanswered()} of {len(probe.sent)} unanswered")
    t.ok(probe.longest_gap_ms() < 2000, "a restart of dhcpd is a short gap", probe.longest_gap_ms())


def end(t, bed):
    bed.isp.wait_in_step()
    t.is_(bed.isp.status(), [["dhcpd", "in step", None], ["tftpd", "in step", None]],
          "nmsp_feed.status: both are in step")
    t.is_(bed.isp.db.query("SELECT component, message FROM nmsp.health() WHERE state <> 'ok'"), [],
          "nmsp.health(): all is well")
    t.is_(bed.isp.db.value("SELECT count(*) FROM nmsp.modem_file f JOIN nmsp_feed.artifact a ON "
                           "a.path = f.path WHERE a.sha256 <> sha256(f.config::bytea)"), "0",
          "every file is what nmsp.modem_file says")
    t.is_(sorted(os.listdir(f"{bed.isp.tftp_root}/cm")),
          sorted(f"cm-{row}.cfg" for row, in bed.isp.db.query("SELECT id FROM nmsp.modem")),
          "and there are no others")
    t.is_((bed.isp.tftpd.pid, bed.isp.tftpd.process.poll()), (bed.tftpd_pid, None),
          "tftpd was never restarted")
    t.is_(bed.isp.boss.events("died"), [], "dhcpd never died on its own")


def story(t, stack):
    tap.require(isps.missing())
    bed = Bed(stack)
    stack.callback(lambda: t.diag(bed.isp.trouble()) if t.failed or sys.exc_info()[0] else None)
    addresses = all_boot(t, bed)
    for part in (service_class, option, template, moved, new_mac, newcomer, deleted):
        part(t, bed)
    renewals(t, bed, addresses)
    for part in (commit_to_tftp, commit_to_offer, restart_gap, end):
        part(t, bed)


tap.main(story)
