#!/usr/bin/python3
"""Kea DHCPv6 reads the database: modems with CableLabs' options, CPEs with addresses and prefixes
by the contract of their modem, fixed ones, and silence while the database is away."""

import ipaddress
import os
import statistics
import sys
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import dhcp6  # noqa: E402
import isp as isps  # noqa: E402
import kea  # noqa: E402
import tap  # noqa: E402
from waiting import wait_until  # noqa: E402

PUBLIC, PRIVATE, FIXED = "02:00:00:06:00:01", "02:00:00:06:00:02", "02:00:00:06:00:03"
STRANGER = "02:00:00:99:00:01"
CHANGES = 50


class Bed:
    """One CMTS with IPv6, three modems."""

    def __init__(self, stack):
        self.isp = kea.KeaIsp(stack, ipv6=True)
        self.sql = self.isp.db.psql
        self.cmts = self.isp.add_cmts("cmts-1", "secret")
        self.relay = self.isp.add_ipv6(self.cmts)
        self.base = self.isp.add_template("base", self.isp.TEMPLATE)
        self.ids = {mac: self.isp.add_modem(mac, self.cmts, template_id=self.base, **columns)
                    for mac, columns in ((PUBLIC, {"public_cpe": True}), (PRIVATE, {}),
                                         (FIXED, {"address6": "2001:db8:1::77"}))}
        self.sql("UPDATE nmsp.setting SET provisioning_server6 = '2001:db8:ffff::1', "
                 "dns_server = '{9.9.9.9,2620:fe::fe}', domain_name = 'example.net'")
        self.isp.feed()
        self.session = stack.enter_context(self.isp.db.session())

    def modem(self, mac, **options):
        return dhcp6.Client6(self.relay, mac, mac, modem=True, **options)

    def cpe(self, mac, behind, **options):
        return dhcp6.Client6(self.relay, mac, behind, prefix=True, **options)


def inside(address, network):
    return address is not None and (ipaddress.ip_network(address) if "/" in address
                                    else ipaddress.ip_network(f"{address}/128")
                                    ).subnet_of(ipaddress.ip_network(network))


def silent(t, client, name):
    client.timeout, client.tries = 0.3, 2
    t.raises(dhcp6.Dhcp6Timeout, client.solicit, name)


def nothing(t, client, name):
    answer = client.solicit()
    t.is_((answer.address, answer.prefix), (None, None), name)


def modems(t, bed):
    lease = bed.modem(PUBLIC).acquire()
    t.ok(inside(lease.address, "2001:db8:1::/64"), "a modem has an address of the cm pool", lease)
    server = ipaddress.IPv6Address("2001:db8:ffff::1").packed
    t.is_({code: lease.cablelabs.get(code) for code in (32, 33, 34, 37, 38)},
          {32: server, 33: f"cm/cm-{bed.ids[PUBLIC]}.cfg".encode(), 34: server, 37: server,
           38: bytes(4)}, "CableLabs' options: TFTP server, file, syslog, time server and offset")
    t.is_(lease.dns_servers, ["2620:fe::fe"], "name servers: the IPv6 ones")
    lease = bed.modem(FIXED).acquire()
    t.is_((lease.address, lease.cablelabs.get(33)),
          ("2001:db8:1::77", f"cm/cm-{bed.ids[FIXED]}.cfg".encode()), "a fixed address")
    silent(t, bed.modem(STRANGER), "an unknown modem: silence")
    silent(t, bed.cpe("0a:00:00:99:00:01", STRANGER), "a CPE behind it: silence")
    pretender = bed.cpe("0a:00:00:99:00:02", PUBLIC)
    pretender.modem = True
    nothing(t, pretender, "a CPE that says it is a modem: nothing for it")


def contracts(t, bed):
    lease = bed.cpe("0a:00:00:06:00:01", PUBLIC).acquire()
    t.ok(inside(lease.address, "2001:db8:101::/64"), "CPE behind a public modem: address", lease)
    t.ok(inside(lease.prefix, "2001:db8:1000::/40") and lease.prefix.endswith("/56"),
         "and a delegated prefix", lease)
    client = bed.cpe("0a:00:00:06:00:02", PRIVATE)
    lease = client.acquire()
    t.ok(inside(lease.address, "2001:db8:201::/64"), "CPE behind a private modem", lease)
    t.is_((lease.prefix, client.renew().address), (None, lease.address),
          "no prefix there; it renews")
    bed.session.run(f"UPDATE nmsp.modem SET public_cpe = true WHERE id = {bed.ids[PRIVATE]}")
    lease = client.acquire()
    t.ok(inside(lease.address, "2001:db8:101::/64") and lease.prefix,
         "the contract changes: public at the next SOLICIT", lease)
    bed.session.run(f"UPDATE nmsp.modem SET internet_access = false WHERE id = {bed.ids[PRIVATE]}")
    nothing(t, bed.cpe("0a:00:00:06:00:03", PRIVATE), "blocked: nothing for its CPEs")
    t.ok(bed.modem(PRIVATE).acquire().address, "the modem itself goes on")
    bed.session.run("UPDATE nmsp.modem SET internet_access = true, public_cpe = false "
                    f"WHERE id = {bed.ids[PRIVATE]}")


def endpoints(t, bed):
    bed.sql("INSERT INTO nmsp.endpoint (name, modem_id, mac, address6, delegated_prefix) VALUES "
            f"('shop', {bed.ids[PRIVATE]}, '0a:00:00:07:00:01', '2001:db8:201::5', "
            "'2001:db8:f000:100::/56')")
    lease = bed.cpe("0a:00:00:07:00:01", PRIVATE).acquire()
    t.is_((lease.address, lease.prefix), ("2001:db8:201::5", "2001:db8:f000:100::/56"),
          "an endpoint: fixed address and prefix")
    bed.sql("INSERT INTO nmsp.endpoint (name, modem_id, mac, delegated_prefix) VALUES "
            f"('net', {bed.ids[PUBLIC]}, '0a:00:00:07:00:02', '2001:db8:f000:200::/56')")
    lease = bed.cpe("0a:00:00:07:00:02", PUBLIC).acquire()
    t.is_((inside(lease.address, "2001:db8:101::/64"), lease.prefix),
          (True, "2001:db8:f000:200::/56"), "a fixed prefix with a dynamic address")
    bed.sql("UPDATE nmsp.endpoint SET delegated_prefix = '2001:db8:f000:300::/56' WHERE name = 'net'")
    t.is_(bed.cpe("0a:00:00:07:00:02", PUBLIC).acquire().prefix, "2001:db8:f000:300::/56",
          "changed at the next SOLICIT")


def changes(t, bed):
    client, right, times = bed.modem(FIXED), 0, []
    for number in range(CHANGES):
        wanted = f"2001:db8:1::{0x100 + number:x}"
        bed.session.run(f"UPDATE nmsp.modem SET address6 = '{wanted}' WHERE id = {bed.ids[FIXED]}")
        begin = time.monotonic()
        right += client.solicit().address == wanted
        times.append((time.monotonic() - begin) * 1000)
    t.is_(right, CHANGES, f"{CHANGES} fixed addresses: right at the first SOLICIT after the commit")
    t.diag(f"commit -> served: p50 {statistics.median(times):.1f} ms, longest {max(times):.1f} ms")


def pool_options(t, bed):
    """What an operator gives a pool, typed, arrives as bytes, in DHCP and DHCPv6."""
    pools = bed.cmts.pools
    bed.sql("INSERT INTO nmsp.pool_option (pool_id, code, suboption, kind, value) VALUES "
            f"({pools['cm']}, 125, 2, 'address', '172.20.0.1, 172.20.0.2'), "
            f"({pools['cm']}, 122, 1, 'address', '172.20.0.8'), ({pools['cm']}, 43, 1, 'uint8', '7'), "
            f"({pools['cm6']}, 17, 39, 'uint8', '1')")
    bed.isp.wait_in_step()
    offer = bed.isp.device(PUBLIC).client.discover()
    t.is_({code: offer.options.get(code, b"").hex() for code in (125, 122, 43)},
          {125: "0000118b0a0208ac140001ac140002", 122: "0104ac140008", 43: "010107"},
          "options of a pool: 125 (CableLabs' TFTP servers), 122, 43")
    lease = bed.modem(PUBLIC).solicit()
    t.is_((lease.cablelabs.get(39), lease.cablelabs.get(33)),
          (b"\x01", f"cm/cm-{bed.ids[PUBLIC]}.cfg".encode()),
          "DHCPv6: a sub-option of the pool beside those of the modem")
    bed.sql("DELETE FROM nmsp.pool_option")
    bed.isp.wait_in_step()


def outage(t, bed):
    client = bed.cpe("0a:00:00:06:00:01", PUBLIC)
    before = client.acquire()
    bed.session.close()
    bed.isp.db.stop()
    client.timeout, client.tries = 0.4, 3
    for what, call in (("a renewal", client.renew), ("a SOLICIT", client.solicit)):
        t.raises(dhcp6.Dhcp6Timeout, call, f"the database is away: {what} is not answered")
    bed.isp.db.start()
    begin = time.monotonic()
    client.timeout, client.tries = 0.1, 1
    after = wait_until(client.renew, bool, 10, "served again", interval=0.01)
    t.is_((after.address, after.prefix), (before.address, before.prefix), "served again, the same")
    t.diag(f"served again {time.monotonic() - begin:.2f} s after the database was up")


def story(t, stack):
    tap.require(isps.missing() or kea.missing())
    bed = Bed(stack)
    try:
        for part in (modems, contracts, endpoints, pool_options, changes, outage):
            part(t, bed)
    except BaseException:
        t.diag(bed.isp.trouble())
        raise


tap.main(story)
