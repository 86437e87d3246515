#!/usr/bin/python3
"""IPv6 from contract to bits: modems in each provisioning mode on Kea's DHCPv4 and DHCPv6 and on
nmsp-agent, routers with delegated prefixes behind them, and what contracts, blocks and fixed
prefixes make of it."""

import ipaddress
import os
import sys

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import dhcp6  # noqa: E402
import dual  # noqa: E402
import isp as isps  # noqa: E402
import kea  # noqa: E402
import modem  # noqa: E402
import tap  # noqa: E402
import tftp  # noqa: E402
from waiting import wait_until  # noqa: E402

ONE, TWO, BLOCKED, FAR = (f"02:00:00:64:00:0{n}" for n in (1, 2, 3, 4))
RATES = {"us": [10_000_000], "ds": [100_000_000]}
QUICK = {"timeout": 0.3, "tries": 2}
ROUTERS = 24
DELEGATED = ipaddress.ip_network("2001:db8:1000::/40")


class Bed:
    """Two CMTSs, IPv6 on the first; each modem under a contract with public CPEs."""

    def __init__(self, stack):
        self.isp = isp = kea.KeaIsp(stack, ipv6=True, settings={"unix_socket_permissions": "0777"})
        self.sql, self.query, self.value = isp.db.psql, isp.db.query, isp.db.value
        isp.tftpd.stop()
        agents.make_role(isp.db)
        self.cmts = {name: isp.add_cmts(name, f"secret of {name}") for name in ("cmts-1", "cmts-2")}
        self.relay = isp.add_ipv6(self.cmts["cmts-1"])
        self.far_relay = self.without_pools(stack)
        self.rows()
        self.agent = stack.enter_context(agents.Agent(
            isp.net.server, isp.run_folder, isp.db.sockets, download_listen="*:69", download_rate=0))
        isp.feed(files=False)

    def without_pools(self, stack):
        """The relay of a CMTS that has IPv6, but no row of a pool."""
        space = self.isp.net.cmts["cmts-2"]
        space.ip("addr", "replace", "2001:db8:ffff::21/64", "dev", "up0", "nodad")
        return stack.enter_context(dhcp6.Relay6(space.entered, "up0", "2001:db8:2::1"))

    def rows(self):
        isp = self.isp
        base = isp.add_template("base", isp.TEMPLATE)
        gold = isp.add_service_class("gold", 100_000_000, 10_000_000)
        self.sql(f"UPDATE nmsp.setting SET provisioning_server6 = '{isp.SERVER6}', dns_server = "
                 "'{9.9.9.9,2620:fe::fe}', time_zone = 'Asia/Kolkata', log_server = "
                 "'{10.9.9.9,2001:db8:ffff::9}', download_check = 'strict', download_origin = true; "
                 "UPDATE nmsp.setting_secret SET download_key = 'a key nobody knows'; "
                 "INSERT INTO nmsp.customer (number, name) VALUES ('1', 'Anna')")
        self.ids = {}
        for mac, cmts in ((ONE, "cmts-1"), (TWO, "cmts-1"), (BLOCKED, "cmts-1"), (FAR, "cmts-2")):
            self.ids[mac] = isp.add_modem(mac, self.cmts[cmts], template_id=base)
            contract = isp.insert("contract", number=f"C-{mac}", customer_id=1, validity="[2020-01-01,)")
            isp.insert("contract_modem", modem_id=self.ids[mac], contract_id=contract)
            isp.insert("entitlement", contract_id=contract, kind="internet", service_class_id=gold)
            isp.insert("entitlement", contract_id=contract, kind="public_cpe")
            isp.insert("entitlement", contract_id=contract, kind="static_address", quantity=4)

    def modem(self, mac, mode="apm", cmts="cmts-1", **patience):
        relay = self.relay if cmts == "cmts-1" else self.far_relay
        return dual.DualModem(mac, self.cmts[cmts].relay, relay, mode, **patience)

    def router(self, mac, behind, **options):
        """A customer's router: an address and a prefix."""
        return dhcp6.Client6(self.relay, mac, behind, prefix=True, **options)

    def path(self, mac):
        return self.value(f"SELECT path FROM nmsp.modem_file WHERE modem_id = {self.ids[mac]}")

    def contract(self, mac):
        """The contract of a modem, as a subquery."""
        return f"(SELECT contract_id FROM nmsp.contract_modem WHERE modem_id = {self.ids[mac]})"


def prefix_of(t, lease, name):
    """One test: a prefix /56 of what the pool delegates."""
    prefix = lease.prefix and ipaddress.ip_network(lease.prefix)
    t.ok(prefix and prefix.prefixlen == 56 and prefix.subnet_of(DELEGATED), name, lease)
    return lease.prefix


def refused(t, call, name):
    """One test: TFTP says access violation."""
    try:
        call()
    except tftp.TftpError as error:
        return t.is_(error.code, 2, name)
    return t.ok(False, name, "it was served")


def alternate(t, bed):
    device = bed.modem(ONE)
    got = device.boot()
    t.is_((got.families, got.failures), ([6], []), "APM: a modem comes up by IPv6 alone")
    server, log = (ipaddress.IPv6Address(a).packed for a in (bed.isp.SERVER6, "2001:db8:ffff::9"))
    t.is_({code: got.lease6.cablelabs.get(code) for code in (32, 33, 34, 37, 38)},
          {32: server, 33: bed.path(ONE).encode(), 34: log, 37: server, 38: (19800).to_bytes(4, "big")},
          "TFTP server, file, syslog server, time server and time offset of enterprise 4491")
    t.ok(ipaddress.ip_address(got.address6) in bed.cmts["cmts-1"].networks["cm6"]
         and got.lease6.dns_servers == ["2620:fe::fe"], "address of the cm pool, name server", got)
    t.is_((got.report6.rates, got.report6.provisioned_address), (RATES, got.address6),
          "its file over TFTP: both MICs, rates of the contract, TLV 59 is its address")
    row = ("SELECT host(source), netgw_id, result FROM nmsp.download WHERE modem_id = "
           f"{bed.ids[ONE]} ORDER BY at DESC LIMIT 1")
    t.is_(wait_until(lambda: bed.query(row), bool, 5, "the download's row"),
          [[got.address6, str(bed.cmts["cmts-1"].id), "served"]], "the download is on record")
    t.is_([lease["hwaddr"] for lease in bed.isp.kea[4].lease_lines()], [], "no DHCPv4 was needed")
    bed.sql(f"UPDATE nmsp.modem SET address6 = '2001:db8:1::77' WHERE id = {bed.ids[TWO]}")
    fixed = bed.modem(TWO).boot()
    t.is_((fixed.address6, fixed.report6.provisioned_address), ("2001:db8:1::77",) * 2,
          "a fixed IPv6 address")
    refused(t, lambda: device.fetch6(fixed.lease6, bed.path(ONE)),
            "from one modem's address no other modem's file")


def alternates(t, bed):
    """What drives a modem in APM from IPv6 to IPv4, and back."""
    got = bed.modem(FAR, cmts="cmts-2", **QUICK).boot()
    t.is_((got.families, got.failures[0][:5], got.result4.report.rates,
           bed.cmts["cmts-2"].holds(got.address4)), ([4], "dhcp:", RATES, True),
          "APM: no IPv6 behind this CMTS: silence, then IPv4")
    bed.isp.kea[6].stop()
    got = bed.modem(ONE, **QUICK).boot()
    t.is_((got.families, got.result4.report.provisioned_address), ([4], got.address4),
          "DHCPv6 is down: IPv4, TLV 20 is its address")
    bed.isp.kea[6].start()
    bed.sql("UPDATE nmsp.setting SET provisioning_server6 = NULL")
    got = bed.modem(ONE, **QUICK).boot()
    t.is_(got.families, [4], "no TFTP server for IPv6: IPv4")
    t.diag(f"why: {got.failures}")
    bed.sql("UPDATE nmsp.setting SET provisioning_server6 = '2001:db8:ffff::99'")
    got = bed.modem(ONE, **QUICK).boot()
    t.is_((got.families, got.failures[0][:5]), ([4], "tftp:"), "one that does not answer: IPv4")
    bed.sql(f"UPDATE nmsp.setting SET provisioning_server6 = '{bed.isp.SERVER6}'")
    t.is_(bed.modem(ONE).boot().families, [6], "IPv6 is back: at the next boot the modem is, too")


def other_modes(t, bed):
    got = bed.modem(ONE, "dpm").boot()
    t.is_((got.families, got.report6.provisioned_address, got.result4.report.provisioned_address,
           got.result4.file), ([6, 4], got.address6, got.address4, bed.path(ONE)),
          "DPM: both, the same file, with the address that it was asked from")
    t.is_([bed.modem(ONE, mode).boot().families for mode in ("ipv4", "ipv6")], [[4], [6]],
          "IPv4 only, IPv6 only")


def routers(t, bed):
    client = bed.router("0a:00:00:64:00:01", ONE)
    lease = client.acquire()
    t.ok(lease.address and ipaddress.ip_address(lease.address) in bed.cmts["cmts-1"].networks["cpe_public6"],
         "a router behind a modem: an address", lease)
    prefix = prefix_of(t, lease, "and a delegated prefix")
    renewed = client.renew()
    t.is_((renewed.address, renewed.prefix, bed.router("0a:00:00:64:00:01", ONE).acquire().prefix),
          (lease.address, prefix, prefix), "it keeps both: renewed, and started anew")
    four = modem.Cpe("0a:00:00:64:00:01", bed.cmts["cmts-1"].relay, modem_mac=ONE).boot()
    t.ok(bed.cmts["cmts-1"].holds(four.address, "cpe_public"), "dual stack: an IPv4 address too", four)
    given = {}
    for number in range(ROUTERS):
        mac = f"0a:00:00:64:01:{number:02x}"
        given[mac] = bed.router(mac, (ONE, TWO)[number % 2]).acquire().prefix
    networks = [ipaddress.ip_network(text) for text in (prefix, *given.values()) if text]
    t.ok(len(networks) == ROUTERS + 1 and not any(a.overlaps(b) for a in networks for b in networks
                                                  if a is not b),
         f"{ROUTERS} more routers behind two modems: each has a prefix of its own", given)
    thief = bed.router("0a:00:00:64:02:01", TWO)
    wish = dhcp6.Lease6(dhcp6.ADVERTISE, address=lease.address, prefix=prefix)
    offer = thief.exchange(dhcp6.SOLICIT, dhcp6.ADVERTISE, wish)
    t.ok(offer.prefix and offer.prefix != prefix and offer.address != lease.address,
         "who asks for another's prefix and address by name gets others", offer)


def fixed(t, bed):
    bed.sql("INSERT INTO nmsp.endpoint (name, modem_id, mac, address6, delegated_prefix) VALUES "
            f"('shop', {bed.ids[ONE]}, '0a:00:00:64:03:01', '2001:db8:101::5', "
            f"'2001:db8:f000:100::/56'), ('office', {bed.ids[TWO]}, '0a:00:00:64:03:02', NULL, "
            "'2001:db8:10ff:ff00::/56')")
    lease = bed.router("0a:00:00:64:03:01", ONE).acquire()
    t.is_((lease.address, lease.prefix), ("2001:db8:101::5", "2001:db8:f000:100::/56"),
          "an endpoint's address and prefix, outside of what is delegated")
    lease = bed.router("0a:00:00:64:03:02", TWO).acquire()
    t.is_(lease.prefix, "2001:db8:10ff:ff00::/56", "and one of those that are")
    thief = bed.router("0a:00:00:64:02:02", TWO)
    for prefix in ("2001:db8:10ff:ff00::/56", "2001:db8:f000:100::/56"):
        wish = dhcp6.Lease6(dhcp6.ADVERTISE, prefix=prefix)
        offer = thief.exchange(dhcp6.SOLICIT, dhcp6.ADVERTISE, wish)
        t.ok(offer.prefix and offer.prefix != prefix, f"nobody else gets {prefix}", offer)
    takeover(t, bed)


def takeover(t, bed):
    """A prefix that is leased becomes the fixed one of somebody else."""
    holder = bed.router("0a:00:00:64:03:03", ONE)
    prefix = holder.acquire().prefix
    bed.sql("INSERT INTO nmsp.endpoint (name, modem_id, mac, delegated_prefix) VALUES "
            f"('heir', {bed.ids[TWO]}, '0a:00:00:64:03:04', '{prefix}')")
    heir = bed.router("0a:00:00:64:03:04", TWO)
    early = heir.acquire()
    t.ok(early.prefix != prefix, "a prefix that becomes another's fixed one is not given twice: its "
         "heir waits", early)
    renewed = holder.renew()
    t.ok(prefix not in renewed.valid_prefixes, "its holder loses it when it renews", renewed)
    late = heir.acquire()
    t.is_(late.prefix, prefix, "then the heir has it")


def blocks(t, bed):
    bed.sql("INSERT INTO nmsp.endpoint (name, modem_id, mac, address6, delegated_prefix) VALUES "
            f"('debtor', {bed.ids[BLOCKED]}, '0a:00:00:64:04:01', '2001:db8:101::6', "
            "'2001:db8:f000:200::/56')")
    clients = [bed.router(f"0a:00:00:64:04:0{n}", BLOCKED) for n in (1, 2)]
    leases = [client.acquire() for client in clients]
    t.is_((leases[0].prefix, bool(leases[1].prefix)), ("2001:db8:f000:200::/56", True),
          "behind a modem: a fixed prefix and a dynamic one")
    bed.sql("INSERT INTO nmsp.service_block (contract_id, reason) VALUES "
            f"({bed.contract(BLOCKED)}, 'unpaid')")
    for client, kind in zip(clients, ("fixed", "dynamic")):
        offer, renewed = client.solicit(), client.exchange(dhcp6.RENEW, dhcp6.REPLY, client.lease)
        t.is_((offer.address, offer.prefix), (None, None),
              f"its contract is blocked: neither address nor prefix, {kind}")
        t.ok(not renewed.valid_addresses and not renewed.valid_prefixes,
             "and none is renewed", renewed)
    got = bed.modem(BLOCKED).boot()
    t.is_((got.families, got.report6.network_access), ([6], 0), "the modem boots, closed")
    bed.sql("DELETE FROM nmsp.service_block")
    t.is_((clients[0].acquire().prefix, bool(clients[1].acquire().prefix)),
          ("2001:db8:f000:200::/56", True), "unblocked: both again")
    t.is_(bed.modem(BLOCKED).boot().report6.network_access, 1, "and the modem's file opens")


def story(t, stack):
    tap.require(isps.missing() or kea.missing() or agents.missing())
    bed = Bed(stack)
    pids = [server.pid for server in bed.isp.kea.values()]
    try:
        for part in (alternate, alternates, other_modes, routers, fixed, blocks):
            part(t, bed)
        t.is_(bed.isp.kea[4].pid, pids[0], "kea-dhcp4 is the same process throughout")
        t.is_(bed.query("SELECT component, message FROM nmsp.health() WHERE state <> 'ok'"), [],
              "nmsp.health() has no complaint")
    except BaseException:
        t.diag(bed.isp.trouble())
        raise


tap.main(story)
