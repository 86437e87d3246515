#!/usr/bin/python3
"""Devices that move, over IPv4 and IPv6 with Kea and nmsp-agent: to another CMTS with all that is
behind them, into a walled garden and out of it, from unknown to known."""

import ipaddress
import os
import sys

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import cluster  # noqa: E402
import dhcp6  # noqa: E402
import dual  # noqa: E402
import isp as isps  # noqa: E402
import kea  # noqa: E402
import modem  # noqa: E402
import tap  # noqa: E402

FIXED, DYNAMIC, DEBTOR, NEW = (f"02:00:00:65:00:0{n}" for n in (1, 2, 3, 4))
SHOP, OFFICE, GUEST, GARAGE, LOST = (f"0a:00:00:65:00:0{n}" for n in (1, 2, 3, 4, 5))
QUICK = {"timeout": 0.3, "tries": 2}


class Bed:
    """Two CMTSs with IPv4 and IPv6; modems with public CPEs, one with fixed addresses and endpoints."""

    def __init__(self, stack):
        self.isp = isp = kea.KeaIsp(stack, ipv6=True, settings={"unix_socket_permissions": "0777"})
        self.sql = isp.db.psql
        isp.tftpd.stop()
        agents.make_role(isp.db)
        self.cmts = [isp.add_cmts(name, f"secret of {name}") for name in ("cmts-1", "cmts-2")]
        self.relays = [isp.add_ipv6(cmts) for cmts in self.cmts]
        self.base = isp.add_template("base", isp.TEMPLATE)
        self.ids = {mac: isp.add_modem(mac, self.cmts[0], template_id=self.base, public_cpe=True)
                    for mac in (FIXED, DYNAMIC, DEBTOR)}
        self.sql(f"UPDATE nmsp.setting SET provisioning_server6 = '{isp.SERVER6}', "
                 "download_check = 'strict', download_origin = true; "
                 "UPDATE nmsp.modem SET address = '10.1.0.99', address6 = '2001:db8:1::99' "
                 f"WHERE id = {self.ids[FIXED]}; INSERT INTO nmsp.endpoint "
                 "(name, modem_id, mac, address, address6, delegated_prefix) VALUES "
                 f"('shop', {self.ids[FIXED]}, '{SHOP}', '203.0.113.20', '2001:db8:101::20', "
                 f"'2001:db8:1000:2000::/56'), ('office', {self.ids[FIXED]}, NULL, '203.0.113.21', "
                 "NULL, NULL), "
                 f"('garage', {self.ids[DEBTOR]}, '{GARAGE}', NULL, NULL, '2001:db8:10ff::/56')")
        stack.enter_context(agents.Agent(isp.net.server, isp.run_folder, isp.db.sockets,
                                         download_listen="*:69", download_rate=0))
        isp.feed(files=False)

    def boot(self, mac, cmts, mode="dpm", **patience):
        """Boots a modem behind CMTS 0 or 1 -> (IPv4 address, IPv6 address); the MICs are checked
        with the secret of that CMTS, TLVs 20 and 59 against the addresses."""
        device = dual.DualModem(mac, self.cmts[cmts].relay, self.relays[cmts], mode, **patience)
        got = device.boot()
        return got.address4, got.address6

    def cpe4(self, mac, behind, cmts=0):
        """IPv4 address of a CPE."""
        return modem.Cpe(mac, self.cmts[cmts].relay, modem_mac=behind).boot().address

    def cpe6(self, mac, behind, cmts=0):
        """The IPv6 lease of a router, or the ADVERTISE that gives it nothing."""
        client = dhcp6.Client6(self.relays[cmts], mac, behind, prefix=True)
        offer = client.solicit()
        return client.acquire() if offer.address or offer.prefix else offer

    def inside(self, address, purpose, cmts=0):
        return address is not None and ipaddress.ip_address(address) in self.cmts[cmts].networks[purpose]


MOVE = ("UPDATE nmsp.modem SET netgw_id = {cmts}, address = '10.2.0.99', "
        "address6 = '2001:db8:2::99' WHERE id = {id};")
SHOP_MOVES = ("UPDATE nmsp.endpoint SET address = '203.0.113.50', address6 = '2001:db8:102::20', "
              "delegated_prefix = '2001:db8:2000:2000::/56' WHERE name = 'shop';")
OFFICE_MOVES = "UPDATE nmsp.endpoint SET address = '203.0.113.51' WHERE name = 'office';"


def before(t, bed):
    t.is_(bed.boot(FIXED, 0), ("10.1.0.99", "2001:db8:1::99"), "a modem with fixed addresses")
    lease = bed.cpe6(SHOP, FIXED)
    t.is_((bed.cpe4(SHOP, FIXED), lease.address, lease.prefix, bed.cpe4(OFFICE, FIXED)),
          ("203.0.113.20", "2001:db8:101::20", "2001:db8:1000:2000::/56", "203.0.113.21"),
          "and its endpoints")
    four, six = bed.boot(DYNAMIC, 0)
    lease = bed.cpe6(GUEST, DYNAMIC)
    t.ok(bed.inside(four, "cm") and bed.inside(six, "cm6") and bed.inside(lease.address, "cpe_public6")
         and lease.prefix.startswith("2001:db8:10"), "one with dynamic ones", four, six, lease)


def half_moves(t, bed):
    """What would leave an address or a prefix behind is refused when it is entered."""
    move = MOVE.format(cmts=bed.cmts[1].id, id=bed.ids[FIXED])
    for text, pattern, name in (
            (f"UPDATE nmsp.modem SET netgw_id = {bed.cmts[1].id} WHERE id = {bed.ids[FIXED]};",
             "10.1.0.99 lies in no cm pool of \"cmts-2\"", "without new addresses"),
            (move, "cannot move to \"cmts-2\" without its endpoints", "without its endpoints"),
            (move + SHOP_MOVES, "without its endpoints", "without one of them"),
            (f"UPDATE nmsp.modem SET netgw_id = {bed.cmts[1].id} WHERE id = {bed.ids[DEBTOR]};",
             "\"garage\" has the fixed prefix 2001:db8:10ff::/56", "without a fixed prefix")):
        t.raises(cluster.SqlError, lambda text=text: bed.sql(f"BEGIN; {text} COMMIT"),
                 f"a move {name} is refused", pattern)
    t.is_(bed.boot(FIXED, 0), ("10.1.0.99", "2001:db8:1::99"), "and nothing has moved")


def moves(t, bed):
    bed.sql(f"BEGIN; {MOVE.format(cmts=bed.cmts[1].id, id=bed.ids[FIXED])} {SHOP_MOVES} {OFFICE_MOVES} COMMIT; "
            f"UPDATE nmsp.modem SET netgw_id = {bed.cmts[1].id} WHERE id = {bed.ids[DYNAMIC]}")
    t.is_(bed.boot(FIXED, 1), ("10.2.0.99", "2001:db8:2::99"),
          "moved: at the next boot the new addresses, and a file sealed for the new CMTS")
    lease = bed.cpe6(SHOP, FIXED, 1)
    t.is_((bed.cpe4(SHOP, FIXED, 1), lease.address, lease.prefix, bed.cpe4(OFFICE, FIXED, 1)),
          ("203.0.113.50", "2001:db8:102::20", "2001:db8:2000:2000::/56", "203.0.113.51"),
          "its endpoints: the new addresses and the new prefix")
    four, six = bed.boot(DYNAMIC, 1)
    lease = bed.cpe6(GUEST, DYNAMIC, 1)
    t.ok(bed.inside(four, "cm", 1) and bed.inside(six, "cm6", 1) and bed.inside(lease.address, "cpe_public6", 1)
         and lease.prefix.startswith("2001:db8:20"), "dynamic ones: of the new CMTS's pools", four, six, lease)
    t.ok(bed.inside(bed.cpe4(GUEST, DYNAMIC, 1), "cpe_public", 1), "IPv4 of its CPE as well")


def gardens(t, bed):
    """The blocked and the unknown of IPv6."""
    lease = bed.cpe6(GUEST, DEBTOR)
    t.ok(bed.inside(lease.address, "cpe_public6") and lease.prefix, "a paying customer", lease)
    bed.sql("INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router, "
            f"dns_server, lease_time) SELECT {bed.cmts[0].id}, v.p, (v.n || '/64')::cidr, "
            "(v.n || '1:0')::inet, (v.n || '1:ff')::inet, (v.n || '1')::inet, '{2001:db8:ffff::53}', "
            "120 FROM (VALUES ('cpe_blocked', '2001:db8:301::'), ('cpe_unknown', '2001:db8:401::')) "
            "v(p, n); UPDATE nmsp.endpoint SET address6 = '2001:db8:101::6' WHERE name = "
            "'garage'; INSERT INTO nmsp.service_block (modem_id, reason) VALUES "
            f"({bed.ids[DEBTOR]}, 'unpaid')")
    bed.isp.wait_in_step()
    for mac, behind, net, who in ((GUEST, DEBTOR, "2001:db8:301::", "blocked"),
                                  (GARAGE, DEBTOR, "2001:db8:301::", "blocked, with a fixed address"),
                                  (LOST, NEW, "2001:db8:401::", "unknown")):
        lease = bed.cpe6(mac, behind)
        t.is_((str(lease.address)[:14], lease.prefix, lease.dns_servers, lease.valid),
              (net, None, ["2001:db8:ffff::53"], 120), f"walled garden, {who}: address, name server, short lease, no prefix")
    for mode in ("ipv6", "ipv4"):
        t.raises((dual.NoIpv6, modem.BootError), lambda mode=mode: bed.boot(NEW, 0, mode, **QUICK),
                 f"an unknown modem itself: silence, {mode}", "no answer")
    bed.sql("DELETE FROM nmsp.service_block")
    bed.ids[NEW] = bed.isp.insert("modem", mac=NEW, netgw_id=bed.cmts[0].id, template_id=bed.base,
                                  public_cpe=True)
    lease, other = bed.cpe6(GUEST, DEBTOR), bed.cpe6(LOST, NEW)
    t.ok(bed.inside(lease.address, "cpe_public6") and lease.prefix, "paid: out of the garden", lease)
    t.ok(bed.inside(other.address, "cpe_public6") and other.prefix, "adopted: out of it, too", other)
    four, six = bed.boot(NEW, 0)
    t.ok(bed.inside(four, "cm") and bed.inside(six, "cm6"), "and the new modem boots", four, six)


def story(t, stack):
    tap.require(isps.missing() or kea.missing() or agents.missing())
    bed = Bed(stack)
    pids = {version: server.pid for version, server in bed.isp.kea.items()}
    try:
        for part in (before, half_moves, moves, gardens):
            part(t, bed)
        t.is_({version: server.pid for version, server in bed.isp.kea.items()}, pids,
              "both Keas are the same processes throughout")
        t.is_(bed.isp.db.query("SELECT component, message FROM nmsp.health() WHERE state <> 'ok'"), [],
              "nmsp.health() has no complaint")
    except BaseException:
        t.diag(bed.isp.trouble())
        raise


tap.main(story)
