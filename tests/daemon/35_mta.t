#!/usr/bin/python3
"""Telephones: MTAs boot through real DHCP (option 122) and TFTP and check their file's hash, with
ISC dhcpd from files and by look-up, with Kea, with tftpd-hpa and nmsp-agent. Numbers come and go."""

import os
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import daemons  # noqa: E402
import isp as isps  # noqa: E402
import kea  # noqa: E402
import modem  # noqa: E402
import tap  # noqa: E402
import tftp  # noqa: E402
from waiting import wait_until  # noqa: E402

CMTS = "cmts-1"
TALKER, SILENT, BLOCKED = modem.macs(3, "02:00:00:01:00:01")
EMBEDDED, ALONE = "02:00:00:01:01:01", "02:00:00:01:01:03"
STRANGER = "02:00:00:01:01:99"
CONTACT, LOCATION, NAME = (f"1.3.6.1.2.1.1.{n}.0" for n in (4, 6, 5))
ADMIN_1, ADMIN_2 = "1.3.6.1.2.1.2.2.1.7.9", "1.3.6.1.2.1.2.2.1.7.10"
ROUNDS = 10


class Bed:
    """Three modems: one has an MTA inside, one has none, one is blocked and has one behind it."""

    def __init__(self, isp):
        self.isp, self.sql, self.value = isp, isp.db.psql, isp.db.value
        self.cmts = isp.add_cmts(CMTS, "a secret")
        base = isp.add_template("base", isp.TEMPLATE)
        gold = isp.add_service_class("gold", 100_000_000, 10_000_000)
        self.ids = {mac: isp.add_modem(mac, self.cmts, template_id=base, service_class_id=gold,
                                       internet_access=mac != BLOCKED)
                    for mac in (TALKER, SILENT, BLOCKED)}
        self.embedded = isp.add_mta(EMBEDDED, self.ids[TALKER])
        self.alone = isp.add_mta(ALONE, self.ids[BLOCKED], embedded=False, provisioning="hybrid.2")
        self.sql("UPDATE nmsp.mta SET address = nmsp.allocate_address("
                 f"{self.cmts.pools['mta']}) WHERE id = {self.alone};"
                 "UPDATE nmsp.voice_setting SET provisioning_host = 'prov.voice.test', "
                 "mta_domain = 'voice.test';"
                 "INSERT INTO nmsp.phone_number (number, area_code, mta_id, port, username) VALUES "
                 f"('+49372555001', '372', {self.embedded}, 0, 'user0')")
        self.files = {EMBEDDED: f"mta/mta-{self.embedded}.cfg", ALONE: f"mta/mta-{self.alone}.cfg"}

    def mta(self, mac, behind, kind=None, **options):
        """The device, which demands a hash."""
        device = modem.Mta(mac, self.cmts.relay, modem_mac=behind, **options)
        device.hash_kind = kind
        return device

    def fetch(self, mac):
        """An MTA's file as it is served now."""
        return tftp.fetch(self.isp.net.server_address, self.files[mac], source="10.1.16.200",
                          enter=self.cmts.relay.entered).data

    def change(self, sql, mac=EMBEDDED):
        """A change, and the wait until the MTA's file is another one."""
        old = self.fetch(mac)
        self.sql(sql)
        return wait_until(lambda: self.fetch(mac), lambda data: data != old, 10, sql, interval=0)


def silent(t, device, name):
    device.client.timeout, device.client.tries = 0.2, 2
    t.raises(modem.BootError, device.boot, name, "dhcp: .*no answer to DISCOVER")


def objects(result):
    return {oid: value for oid, _, value in result.report.varbinds}


def modems(t, bed):
    t.is_(bed.isp.boot(TALKER).options.get("cablelabs"),
          {"dhcp_server_1": bed.isp.net.server_address},
          "a modem with an MTA is told which DHCP server it is to ask")
    t.is_("cablelabs" in bed.isp.boot(SILENT).options, False, "one without is told nothing")


def options(t, bed):
    embedded, alone = bed.mta(EMBEDDED, TALKER).boot(), bed.mta(ALONE, BLOCKED).boot()
    for result, number in ((embedded, bed.embedded), (alone, bed.alone)):
        server = bed.isp.net.server_address
        t.is_((result.siaddr, result.file, result.options.get("tftp_name"),
               result.options.get("boot_file"), result.options.get("host_name"),
               result.options.get("domain_name")),
              (server, f"mta/mta-{number}.cfg", server, f"mta/mta-{number}.cfg", f"mta-{number}",
               "voice.test"), "server, file, options 66 and 67, names")
        t.ok(bed.cmts.holds(result.address, "mta"), "an address of the mta pool", result.address)
    t.is_(embedded.options.get("cablelabs"),
          {"provision_server": "prov.voice.test", "realm": "BASIC.1"}, "option 122 of an MTA")
    t.is_(alone.options.get("cablelabs"),
          {"provision_server": "prov.voice.test", "realm": "HYBRID.2"}, "its own flow")
    t.is_(alone.address, bed.value(f"SELECT host(address) FROM nmsp.mta WHERE id = {bed.alone}"),
          "its fixed address, behind a modem whose CPEs are blocked")
    t.is_({key: objects(embedded).get(key) for key in (NAME, CONTACT, LOCATION, ADMIN_1, ADMIN_2)},
          {NAME: f"mta-{bed.embedded}".encode(), CONTACT: b"+49372555001 user0", LOCATION: None,
           ADMIN_1: 1, ADMIN_2: 2}, "the file has its number")
    silent(t, bed.mta(STRANGER, TALKER), "an MTA that nobody knows: silence")


def hashes(t, bed):
    for kind in ("na", "ietf", "eu"):
        bed.change(f"UPDATE nmsp.mta SET hash = '{kind}' WHERE id = {bed.embedded}")
        t.is_(bed.mta(EMBEDDED, TALKER, kind).boot().error, None, f"an MTA that demands hash {kind}")
        other = "eu" if kind != "eu" else "na"
        t.raises(modem.BootError, bed.mta(EMBEDDED, TALKER, other).boot,
                 f"one that demands {other} refuses it", "config: mta_hash")


def numbers(t, bed):
    bed.change("UPDATE nmsp.phone_number SET username = 'user1' WHERE port = 0")
    t.is_(objects(bed.mta(EMBEDDED, TALKER, "eu").boot()).get(CONTACT), b"+49372555001 user1",
          "a number that was changed is in the next file")
    bed.change("INSERT INTO nmsp.phone_number (number, mta_id, port, username) VALUES "
               f"('+49372555002', {bed.embedded}, 1, 'second')")
    t.is_(objects(bed.mta(EMBEDDED, TALKER, "eu").boot()).get(LOCATION), b"+49372555002 second",
          "a second number")
    bed.change("UPDATE nmsp.phone_number SET active = false WHERE port = 1")
    t.is_(objects(bed.mta(EMBEDDED, TALKER, "eu").boot()).get(ADMIN_2), 2, "suspended")
    bed.change("DELETE FROM nmsp.phone_number WHERE port = 1")
    t.is_(LOCATION in objects(bed.mta(EMBEDDED, TALKER, "eu").boot()), False, "and gone")
    times = []
    with bed.isp.db.session() as session:
        for turn in range(ROUNDS):
            old = bed.fetch(EMBEDDED)
            session.run(f"UPDATE nmsp.phone_number SET username = 'turn{turn}' WHERE port = 0")
            begin = time.monotonic()
            wait_until(lambda: bed.fetch(EMBEDDED), lambda data: data != old, 10, "the new file",
                       interval=0)
            times.append((time.monotonic() - begin) * 1000)
    t.diag(f"commit of a number -> served: p50 {statistics.median(times):.0f} ms, longest "
           f"{max(times):.0f} ms of {ROUNDS}")


def by_themselves(t, bed):
    """One number leaves the port and another comes; nobody does anything at that moment."""
    first = f"WHERE number = '+49372555001' AND mta_id = {bed.embedded}"
    bed.sql("BEGIN; CREATE TEMP TABLE moment AS SELECT clock_timestamp() + interval '1500 ms' AS at;"
            f"UPDATE nmsp.phone_number SET validity = tstzrange(NULL, (SELECT at FROM moment)) {first};"
            "INSERT INTO nmsp.phone_number (number, mta_id, port, username, validity) SELECT "
            f"'+49372555007', {bed.embedded}, 0, 'seventh', tstzrange(at, NULL) FROM moment; COMMIT")
    moment = float(bed.value("SELECT extract(epoch FROM lower(validity)) FROM nmsp.phone_number "
                             "WHERE number = '+49372555007'"))
    before = bed.fetch(EMBEDDED)
    t.ok(time.time() < moment and b"+49372555001" in before, "before the moment: the old number")
    wait_until(lambda: bed.fetch(EMBEDDED), lambda data: b"+49372555007" in data, 10, "the new number",
               interval=0)
    t.diag(f"moment of a number -> served: {(time.time() - moment) * 1000:.0f} ms")
    t.is_(objects(bed.mta(EMBEDDED, TALKER, "eu").boot()).get(CONTACT), b"+49372555007 seventh",
          "after it the new one, by itself")
    bed.change("DELETE FROM nmsp.phone_number WHERE number = '+49372555007';"
               f"UPDATE nmsp.phone_number SET validity = '[,)' {first}")


def settings(t, bed):
    def answer():
        return bed.mta(EMBEDDED, TALKER).boot().options.get("cablelabs")
    bed.sql("UPDATE nmsp.voice_setting SET provisioning = 'basic.2', provisioning_host = NULL")
    bed.isp.wait_in_step()
    t.is_(answer(), {"provision_server": bed.isp.net.server_address, "realm": "BASIC.2"},
          "changed settings are in the next answer; the server by its address")
    bed.sql("UPDATE nmsp.voice_setting SET dhcp_server = '10.9.9.1', second_dhcp_server = '10.9.9.2'")
    bed.isp.wait_in_step()
    t.is_(bed.isp.boot(TALKER).options.get("cablelabs"),
          {"dhcp_server_1": "10.9.9.1", "dhcp_server_2": "10.9.9.2"}, "two DHCP servers")
    bed.sql("UPDATE nmsp.voice_setting SET provisioning = 'basic.1', provisioning_host = "
            "'prov.voice.test', dhcp_server = NULL, second_dhcp_server = NULL")
    bed.isp.wait_in_step()


def deleted(t, bed):
    bed.sql(f"DELETE FROM nmsp.mta WHERE id = {bed.embedded}")
    bed.isp.wait_in_step()
    silent(t, bed.mta(EMBEDDED, TALKER), "a deleted MTA gets no offer")
    t.raises(tftp.TftpError, lambda: bed.fetch(EMBEDDED), "and has no file", "TFTP error 1")
    t.is_("cablelabs" in bed.isp.boot(TALKER).options, False, "its modem is told so")
    bed.embedded = bed.isp.add_mta(EMBEDDED, bed.ids[TALKER])
    bed.files[EMBEDDED] = f"mta/mta-{bed.embedded}.cfg"
    bed.sql(f"UPDATE nmsp.phone_number SET mta_id = {bed.embedded}, username = 'user0'")
    bed.isp.wait_in_step()
    t.is_(objects(bed.mta(EMBEDDED, TALKER, "eu").boot()).get(CONTACT), b"+49372555001 user0",
          "a new one takes its number over")


def served(t, bed, name, parts=(modems, options, hashes, numbers, by_themselves, settings,
                               deleted)):
    for part in parts:
        t.diag(f"{name}: {part.__name__}")
        part(t, bed)


def with_agent(t, stack, bed):
    """The same operator; from here on nmsp-agent answers dhcpd's look-ups and serves the files."""
    isp = bed.isp
    isp.tftpd.stop()
    agents.make_role(isp.db)
    stack.enter_context(agents.Agent(isp.net.server, isp.run_folder, isp.db.sockets,
                                     download_listen="*:69", lookup_listen="127.0.0.1:3890"))
    starts = len(isp.boss.events("start"))
    bed.sql("DELETE FROM nmsp_feed.target WHERE feed = 'tftpd'; UPDATE nmsp_feed.target SET "
            "settings = '{\"lookup\": \"ldap://127.0.0.1:3890\"}' WHERE feed = 'dhcpd'")
    isp.boss.wait_event("start", starts + 1)
    isp.wait_in_step()
    served(t, bed, "dhcpd by look-up, nmsp-agent")
    state = wait_until(lambda: bed.value("SELECT state FROM nmsp.mta_status WHERE mta_id = "
                                         f"{bed.embedded}"), lambda s: s == "current", 5, "state")
    t.is_(state, "current", "nmsp.mta_status: it has the file that is due")
    bed.sql("UPDATE nmsp.phone_number SET username = 'other'")
    t.is_(bed.value(f"SELECT state FROM nmsp.mta_status WHERE mta_id = {bed.embedded}"), "outdated",
          "and says so when it has not")
    t.raises(tftp.TftpError, lambda: tftp.fetch(isp.net.server_address, bed.files[EMBEDDED],
                                                source="10.1.0.200", enter=bed.cmts.relay.entered),
             "a modem's address does not get an MTA's file", "TFTP error 2")
    t.raises(tftp.TftpError, lambda: tftp.fetch(
        isp.net.server_address, bed.files[EMBEDDED], enter=bed.cmts.relay.entered,
        source=bed.value(f"SELECT host(address) FROM nmsp.mta WHERE id = {bed.alone}")),
             "another MTA's neither", "TFTP error 2")


def story(t, stack):
    tap.require(isps.missing())
    package = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-ldap-"))
    looking_up = agents.ldap_dhcpd(package)
    daemons.DHCPD = looking_up or daemons.DHCPD
    with stack.pop_all() as inner:
        bed = Bed(isps.Isp(inner, settings={"unix_socket_permissions": "0777"}, name="nmspmta"))
        inner.callback(lambda: t.diag(bed.isp.trouble()) if t.failed or sys.exc_info()[0] else None)
        bed.isp.feed()
        bed.isp.wait_in_step()
        served(t, bed, "dhcpd from files, tftpd-hpa")
        if looking_up and agents.missing() is None:
            with_agent(t, inner, bed)
        else:
            t.skip("look-up and agent", "no dhcpd with LDAP (isc-dhcp-server-ldap) or no nmsp-agent")
    if kea.missing():
        t.skip("Kea", kea.missing())
        return
    bed = Bed(kea.KeaIsp(stack))
    stack.callback(lambda: t.diag(bed.isp.trouble()) if t.failed or sys.exc_info()[0] else None)
    bed.isp.feed()
    served(t, bed, "Kea, tftpd-hpa")


tap.main(story)
