#!/usr/bin/python3
"""Who gets which address from a real dhcpd that runs on what the database says."""

import contextlib
import ipaddress
import os
import queue
import sys

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import dhcp  # noqa: E402
import modem  # noqa: E402
import isp as isps  # noqa: E402
import tap  # noqa: E402

MACS = modem.macs(12, "02:00:00:01:00:01")
NEWCOMER = "02:00:00:03:00:01"
FIXED, DYNAMIC, PUBLIC, BLOCKED, SHOP, ROAMING = MACS[:6]
LEASEQUERY, LEASEUNASSIGNED, LEASEACTIVE = 10, 11, 13
QUICK = {"timeout": 0.2, "tries": 2}


class Bed:
    """One CMTS with all kinds of pools and modems, a second one with modems only."""

    def __init__(self, stack):
        self.isp = isp = isps.Isp(stack)
        self.sql = isp.db.psql
        self.sql("UPDATE nmsp.setting SET domain_name = 'cable.example', max_cpe = 2, "
                 "ntp_server = '{172.20.0.7,172.20.0.8}', log_server = '{172.20.0.9}', "
                 "time_zone = 'Asia/Tokyo'")
        self.one = isp.add_cmts("cmts-1", "first secret")
        self.two = isp.add_cmts("cmts-2", "second secret", purposes=("cm",))
        self.template = isp.add_template("base", isp.TEMPLATE)
        kind = {"template_id": self.template,
                "service_class_id": isp.add_service_class("gold", 100_000_000, 10_000_000)}
        self.ids = {mac: isp.add_modem(mac, self.one, fixed=mac == FIXED, **kind)
                    for mac in MACS[:6]}
        for mac in MACS[6:10]:
            isp.add_modem(mac, self.two, fixed=True, **kind)
        self.sql(f"UPDATE nmsp.modem SET public_cpe = true WHERE mac IN ('{PUBLIC}', '{SHOP}'); "
                 f"UPDATE nmsp.modem SET internet_access = false WHERE mac = '{BLOCKED}'")
        self.pool = self.one.pools
        isp.feed()
        isp.wait_in_step()

    def cpe(self, mac, behind, cmts=None, **options):
        return modem.Cpe(mac, (cmts or self.one).relay, modem_mac=behind, **{**QUICK, **options})

    def change(self, text):
        self.sql(text)
        self.isp.wait_in_step()


def silent(t, device, name):
    t.raises(modem.BootError, device.boot, name, "dhcp: .*no answer to DISCOVER")


def modems(t, bed):
    isp = bed.isp
    fixed = isp.db.value(f"SELECT host(address) FROM nmsp.modem WHERE mac = '{FIXED}'")
    result = acquire(isp.device(FIXED))
    t.is_(result.address, fixed, "a modem with a fixed address gets it")
    result = acquire(isp.device(DYNAMIC))
    t.ok(bed.one.holds(result.address) and result.address != fixed,
         "one without gets another of the pool", result.address)
    t.is_((result.file, result.siaddr, result.router),
          (f"cm/cm-{bed.ids[DYNAMIC]}.cfg", "172.20.0.1", "10.1.0.1"), "file, server, router")
    wanted = {"host_name": f"cm-{bed.ids[DYNAMIC]}", "domain_name": "cable.example",
              "dns_servers": ["9.9.9.9", "1.1.1.1"], "time_servers": ["172.20.0.1"],
              "log_servers": ["172.20.0.9"], "time_offset": 32400}
    t.is_({key: result.options.get(key) for key in wanted}, wanted, "options of the settings")
    t.is_(result.lease_time, 3600, "lease time of the settings")
    unknown = isp.place("02:00:00:99:00:01", bed.one, **QUICK)
    silent(t, unknown, "a modem without a row gets no answer")
    ours = [acquire(isp.device(mac)).address for mac in MACS[6:10]]
    t.ok(all(bed.two.holds(address) for address in ours), "the other CMTS, its own pool", ours)
    foreign = modem.CableModem(FIXED, bed.two.relay, **QUICK)
    address = acquire(foreign).address
    t.ok(bed.two.holds(address) and address not in ours,
         "behind another CMTS than its row says: an address of where it is", address)


def acquire(device):
    """DHCP only; the files are another story's matter."""
    device.loads_file = False
    return device.boot()


def options_of_request(t, bed):
    device = bed.isp.device(DYNAMIC)
    device.client.parameters = bytes([42])
    offer = device.client.discover()
    t.is_(offer.options.get(42), ipaddress.ip_address("172.20.0.7").packed
          + ipaddress.ip_address("172.20.0.8").packed, "NTP servers (option 42)")
    del device.client.parameters


def pool_options(t, bed):
    """What an operator gives a pool, typed, arrives as bytes; a device's own option comes first."""
    bed.change("INSERT INTO nmsp.pool_option (pool_id, code, suboption, kind, value) VALUES "
               f"({bed.pool['cm']}, 125, 2, 'address', '172.20.0.1, 172.20.0.2'), "
               f"({bed.pool['cm']}, 122, 1, 'address', '172.20.0.8'), "
               f"({bed.pool['cm']}, 43, 0, 'hex', '07')")
    offer = bed.isp.device(DYNAMIC).client.discover()
    t.is_({code: offer.options.get(code, b"").hex() for code in (125, 122, 43)},
          {125: "0000118b0a0208ac140001ac140002", 122: "0104ac140008", 43: "07"},
          "options of a pool: 125 (CableLabs' TFTP servers), 122, a whole one of one byte")
    bed.change("DELETE FROM nmsp.pool_option")
    offer = bed.isp.device(DYNAMIC).client.discover()
    t.is_([code for code in (125, 122, 43) if code in offer.options], [], "and go with their rows")


def customers(t, bed):
    first, second, third = (bed.cpe(mac, DYNAMIC) for mac in modem.macs(3, "06:00:00:00:00:01"))
    one, two = first.boot(), second.boot()
    t.ok(bed.one.holds(one.address, "cpe_private") and bed.one.holds(two.address, "cpe_private")
         and one.address != two.address, "CPEs of a modem: private pool", one, two)
    t.is_((one.router, one.file or ""), ("100.64.4.1", ""), "its router, no file")
    silent(t, third, "the third CPE is over max_cpe")
    t.is_(first.client.renew().yiaddr, one.address, "a unicast renewal keeps the address")
    public = bed.cpe("06:00:00:00:01:01", PUBLIC).boot()
    t.ok(bed.one.holds(public.address, "cpe_public"), "public_cpe: public pool", public.address)
    silent(t, bed.cpe("06:00:00:00:02:01", BLOCKED), "internet_access = false: silence")
    silent(t, bed.cpe("06:00:00:00:03:01", "02:00:00:99:00:01"), "unknown modem: silence")
    silent(t, modem.Device("06:00:00:00:04:01", bed.one.relay, modem_mac="02:00:00:99:00:02",
                           **QUICK), "and so is whoever else is behind it")
    mta = modem.Mta("02:00:00:01:ff:01", bed.one.relay, modem_mac=DYNAMIC)
    bed.isp.add_mta(mta.mac, bed.ids[DYNAMIC])
    bed.isp.wait_in_step()
    t.ok(bed.one.holds(acquire(mta).address, "mta"), "an MTA gets an address of the MTA pool",
         mta.result.address)
    return first, third


def policy_changes(t, bed, first, third):
    bed.change(f"UPDATE nmsp.modem SET internet_access = false WHERE mac = '{DYNAMIC}'")
    with_no_answer(t, first.client, "a CPE of a modem that was blocked is not renewed")
    bed.change(f"UPDATE nmsp.modem SET internet_access = true, public_cpe = true "
               f"WHERE mac = '{DYNAMIC}'")
    result = first.boot()
    t.ok(bed.one.holds(result.address, "cpe_public"), "and of one made public gets a new address",
         result.address)
    bed.change(f"UPDATE nmsp.modem SET public_cpe = false WHERE mac = '{DYNAMIC}'; "
               "UPDATE nmsp.setting SET max_cpe = 4")
    t.ok(bed.one.holds(third.boot().address, "cpe_private"), "a larger max_cpe lets one more in")


def deletion(t, bed):
    device = bed.isp.place(MACS[11], bed.one)
    row_id = bed.isp.insert("modem", mac=MACS[11], netgw_id=bed.one.id, template_id=bed.template)
    bed.isp.wait_in_step()
    acquire(device)
    cpe = bed.cpe("06:00:00:00:09:01", MACS[11])
    cpe.boot()
    bed.change(f"DELETE FROM nmsp.modem WHERE id = {row_id}")
    with_no_answer(t, device.client, "a deleted modem is not renewed")
    with_no_answer(t, device.client, "nor offered its old address", device.client.discover)
    with_no_answer(t, cpe.client, "nor are the CPEs behind it")


def with_no_answer(t, client, name, ask=None):
    client.timeout, client.tries = QUICK["timeout"], QUICK["tries"]
    try:
        got = (ask or client.renew)()
    except (dhcp.DhcpTimeout, dhcp.DhcpNak):
        got = None
    t.ok(got is None, name, got)


def endpoints(t, bed):
    by_mac, by_modem = "203.0.113.20", "203.0.113.21"
    bed.change("INSERT INTO nmsp.endpoint (name, modem_id, mac, address) VALUES "
               f"('server', {bed.ids[PUBLIC]}, '06:00:00:00:05:01', '{by_mac}'), "
               f"('shop', {bed.ids[SHOP]}, NULL, '{by_modem}')")
    t.is_(bed.cpe("06:00:00:00:05:01", PUBLIC).boot().address, by_mac,
          "an endpoint with a MAC gets its address")
    t.is_(bed.cpe("06:00:00:00:05:02", SHOP).boot().address, by_modem,
          "one without: whoever is behind its modem")
    t.is_(acquire(bed.isp.device(SHOP)).address.split(".")[:2], ["10", "1"],
          "but not the modem itself")
    bed.change("INSERT INTO nmsp.endpoint (name, modem_id, mac, address) VALUES "
               f"('till', {bed.ids[SHOP]}, '06:00:00:00:05:03', '203.0.113.22')")
    t.is_(bed.cpe("06:00:00:00:05:03", SHOP).boot().address, "203.0.113.22",
          "one by its MAC behind the same modem has its own, not that of the modem")
    others = {bed.cpe(mac, ROAMING).boot().address for mac in modem.macs(2, "06:00:00:00:06:01")}
    t.is_(others & {by_mac, by_modem}, set(), "nobody else gets them")
    bed.change(f"UPDATE nmsp.modem SET internet_access = false WHERE mac = '{SHOP}'")
    silent(t, bed.cpe("06:00:00:00:05:02", SHOP), "a blocked modem's endpoint gets nothing")
    bed.change(f"UPDATE nmsp.modem SET internet_access = true WHERE mac = '{SHOP}'; "
               "DELETE FROM nmsp.endpoint WHERE name IN ('server', 'till')")
    address = bed.cpe("06:00:00:00:05:01", PUBLIC).boot().address
    t.ok(bed.one.holds(address, "cpe_public"), "after its deletion: any of the pool", address)


def pools(t, bed):
    isp = bed.isp
    bed.change(f"UPDATE nmsp.pool SET active = false WHERE id = {bed.pool['cpe_private']}")
    silent(t, bed.cpe("06:00:00:00:07:01", ROAMING), "an inactive pool gives nothing out")
    bed.change(f"UPDATE nmsp.pool SET active = true WHERE id = {bed.pool['cpe_private']}; "
               f"UPDATE nmsp.pool SET range_start = '10.1.0.20', range_end = '10.1.0.20' "
               f"WHERE id = {bed.pool['cm']}; "
               "INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router, "
               f"dns_server, lease_time) VALUES ({bed.one.id}, 'cm', '10.1.64.0/24', '10.1.64.10', "
               "'10.1.64.20', '10.1.64.1', '{8.8.8.8}', 777)")
    isp.net.cmts["cmts-1"].add_pool("10.1.64.0/24")
    found = [acquire(isp.device(mac)) for mac in (DYNAMIC, PUBLIC, ROAMING)]
    inside = [r for r in found if r.address.startswith("10.1.64.")]
    t.ok(len(inside) >= 2 and len({r.address for r in found}) == 3,
         "a full pool: the next of its CMTS serves on", [r.address for r in found])
    t.is_((inside[0].router, inside[0].options["dns_servers"], inside[0].lease_time),
          ("10.1.64.1", ["8.8.8.8"], 777), "with its own router, name servers and lease time")
    bed.change("INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router, "
               f"vendor_class) VALUES ({bed.one.id}, 'stb', '10.1.80.0/24', '10.1.80.10', "
               "'10.1.80.20', '10.1.80.1', 'ACME \"TV\"\\')")
    box = bed.cpe("06:00:00:00:08:01", ROAMING)
    box.client.vendor_class = 'ACME "TV"\\ 2000'
    t.ok(box.boot().address.startswith("10.1.80."), "a set-top box: the pool of its vendor class",
         box.result.address)


def plant(t, bed):
    """CMTSs come and go while the daemons run; one has pools without router or range."""
    isp = bed.isp
    three = isp.add_cmts("cmts-3", "third secret", purposes=("cm", "cpe_private"))
    bed.sql(f"UPDATE nmsp.pool SET router = NULL WHERE id = {three.pools['cpe_private']}; "
            "INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES "
            f"({three.id}, 'cpe_public', '203.0.113.64/27'), ({three.id}, 'cm', '2001:db8::/48')")
    isp.add_modem(NEWCOMER, three, template_id=bed.template)
    isp.wait_in_step()
    t.ok(three.holds(acquire(isp.device(NEWCOMER)).address), "a new CMTS serves its modems")
    result = bed.cpe("06:00:00:00:0a:01", NEWCOMER, three).boot()
    t.is_((three.holds(result.address, "cpe_private"), result.router), (True, None),
          "a pool without router")
    t.ok(bed.one.holds(acquire(isp.device(FIXED)).address), "the others serve on")
    bed.change(f"DELETE FROM nmsp.modem WHERE mac = '{NEWCOMER}'; "
               f"DELETE FROM nmsp.pool WHERE netgw_id = {three.id}; "
               f"DELETE FROM nmsp.netgw WHERE id = {three.id}")
    silent(t, isp.place(NEWCOMER, three, **QUICK), "a CMTS that is gone gets no answer")
    t.ok(not os.path.exists(f"{isp.dhcpd_root}/current/netgw/{three.id}.conf"), "nor has it a file")


def gardens(t, bed):
    """Who is blocked, and who is unknown, has a pool of his own."""
    silent(t, bed.cpe("06:00:00:00:0b:01", BLOCKED), "no walled garden: a blocked modem's CPE is not served")
    bed.change("INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router, dns_server, "
               f"lease_time) SELECT {bed.one.id}, v.p, v.n::cidr, (v.n || '.10')::inet, (v.n || '.20')::inet, "
               "(v.n || '.1')::inet, '{10.9.9.53}', 120 FROM (VALUES ('cpe_blocked', '100.80.0'), "
               "('cpe_unknown', '100.81.0')) v(p, n)")
    for network in ("100.80.0.0/24", "100.81.0.0/24"):
        bed.isp.net.cmts["cmts-1"].add_pool(network)
    for mac, behind, net in (("06:00:00:00:0b:01", BLOCKED, "100.80.0."),
                             ("06:00:00:00:0b:02", "02:00:00:99:00:07", "100.81.0.")):
        result = bed.cpe(mac, behind).boot()
        t.is_((result.address[:9], result.options["dns_servers"], result.lease_time),
              (net, ["10.9.9.53"], 120), f"walled garden {net}0: address, name server, short lease")
    t.ok(bed.one.holds(bed.cpe("06:00:00:00:0b:03", ROAMING).boot().address, "cpe_private"),
         "others are where they were")
    bed.change(f"UPDATE nmsp.modem SET internet_access = true WHERE mac = '{BLOCKED}'")
    t.ok(bed.one.holds(bed.cpe("06:00:00:00:0b:01", BLOCKED).boot().address, "cpe_private"),
         "unblocked: out of the garden")


def lease_query(t, bed):
    device = bed.isp.device(ROAMING)
    relay, giaddr = bed.one.relay.relay, bed.one.relay.giaddr
    t.is_(ask(relay, giaddr, device, device.result.address).message_type, LEASEACTIVE,
          "the CMTS may ask whose lease an address is")
    t.is_(ask(relay, giaddr, device, "10.1.64.19").message_type, LEASEUNASSIGNED,
          "an address nobody has is unassigned")
    bed.isp.net.cmts["cmts-1"].add_giaddr("10.1.0.9")
    t.is_(ask(relay, "10.1.0.9", device, device.result.address), None,
          "another address than the router's may not ask")


def ask(relay, giaddr, device, address):
    """DHCPLEASEQUERY by address (RFC 4388); None when nobody answers."""
    packet = dhcp.Packet("00:00:00:00:00:00", 0x4e4d5350 + hash(address) % 1000, LEASEQUERY)
    packet.ciaddr = address
    answers = queue.SimpleQueue()
    relay.listen(packet.xid, answers.put)
    try:
        relay.forward(packet, giaddr)
        with contextlib.suppress(queue.Empty):
            return answers.get(timeout=1.0)
        return None
    finally:
        relay.forget(packet.xid)


def story(t, stack):
    tap.require(isps.missing())
    bed = Bed(stack)
    stack.callback(lambda: t.diag(bed.isp.trouble()) if t.failed or sys.exc_info()[0] else None)
    modems(t, bed)
    options_of_request(t, bed)
    pool_options(t, bed)
    policy_changes(t, bed, *customers(t, bed))
    deletion(t, bed)
    endpoints(t, bed)
    pools(t, bed)
    plant(t, bed)
    lease_query(t, bed)
    gardens(t, bed)
    t.is_(bed.isp.db.query("SELECT component, message FROM nmsp.health() WHERE state <> 'ok'"),
          [], "nmsp.health() has no complaint")


tap.main(story)
