#!/usr/bin/python3
"""Two dhcpd as a failover pair: both serve, a new structure goes through one after the other while
clients notice nothing, one dies and the other serves on, and with the partner down for good it
gives out the partner's addresses too."""

import json
import os
import sys
import threading

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import daemons  # noqa: E402
import dhcp  # noqa: E402
import isp as isps  # noqa: E402
import modem  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402
from cluster import literal  # noqa: E402
from waiting import wait_until  # noqa: E402

MACS = modem.macs(6, "02:00:00:34:00:01")
RESTART = os.path.join(os.path.dirname(TESTS), "workers", "dhcpd", "nmsp-dhcpd-restart")
ADDRESSES = {"primary": "172.20.0.1", "secondary": "172.20.0.2"}
QUICK = {"timeout": 0.2, "tries": 2}


class Half:
    """One of the pair: its dhcpd, a supervisor that restarts it, and what a .path unit does:
    nmsp-dhcpd-restart is run for as long as there is a stamp."""

    def __init__(self, bed, stack, role, namespace, interface):
        isp = bed.isp
        self.role = role
        self.root = isp._folder("feeds", f"dhcpd-{role}", owner="postgres")
        folder = isp._folder("run", role)
        self.stamp = os.path.join(folder, "go")
        self.dhcpd = daemons.Dhcpd(namespace, folder,
                                   os.path.join(self.root, "current", "dhcpd.conf"), interface)
        self.boss = stack.enter_context(
            daemons.Supervised(namespace, folder, self.stamp, self.dhcpd))
        self.log = os.path.join(folder, "restart.log")
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._path_unit, daemon=True)
        stack.callback(self.stop)

    def start(self):
        """The first start, without a pair to wait for."""
        os.unlink(os.path.join(self.root, "ready"))
        daemons.touch_stamp(self.stamp)
        self.boss.wait_event("start")

    def watch(self):
        self.thread.start()

    def stop(self):
        self.over.set()
        if self.thread.is_alive():
            self.thread.join()

    def _path_unit(self):
        argv = [RESTART, self.root, self.dhcpd.leases, "--", sys.executable, "-c",
                f"import sys; sys.path.insert(0, {daemons.HERE!r}); import daemons; "
                f"daemons.touch_stamp({self.stamp!r})"]
        while not self.over.wait(0.02):
            if os.path.exists(os.path.join(self.root, "ready")):
                process = processes.start(argv, self.log)
                while process.poll() is None and not self.over.wait(0.02):
                    pass
                processes.stop(process)

    def state(self):
        """(my state, partner's state) as the lease file has it last."""
        with open(self.dhcpd.leases, encoding="utf-8", errors="replace") as file:
            text = file.read().rpartition('failover peer "nmsp" state {')[2].partition("}")[0]
        words = [line.split() for line in text.splitlines()]
        return tuple(line[2] for line in words if line[1:2] == ["state"])

    def wait_normal(self):
        wait_until(self.state, lambda found: found == ("normal", "normal"), 60, "normal state")

    def starts(self):
        return self.boss.events("start")


class Both:
    """A relay that sends to both servers, as a CMTS with two helper addresses."""

    def __init__(self, relay):
        self.relay = relay
        self.lock = threading.Lock()

    def forward(self, packet, *rest, **named):
        hops = packet.hops
        with self.lock:
            for address in ADDRESSES.values():
                packet.hops = hops
                self.relay.server = address
                self.relay.forward(packet, *rest, **named)

    def __getattr__(self, name):
        return getattr(self.relay, name)


class Bed:
    """One CMTS behind two servers."""

    def __init__(self, stack):
        self.isp = isp = isps.Isp(stack)
        self.sql = isp.db.psql
        self.one = isp.add_cmts("cmts-1", "secret")
        self.template = isp.add_template("base", isp.TEMPLATE)
        self.ids = {mac: isp.add_modem(mac, self.one, fixed=number == 0, template_id=self.template)
                    for number, mac in enumerate(MACS)}
        second = isp.net.add_cmts("second")
        second.ip("addr", "flush", "dev", "up0")
        second.ip("addr", "add", f"{ADDRESSES['secondary']}/24", "dev", "up0")
        uplink = isp.net.cmts["cmts-1"].uplink
        for net in ("10.0.0.0/8", "100.64.0.0/10", "203.0.113.0/24"):
            second.ip("route", "replace", net, "via", uplink)
        self.half = {"primary": Half(self, stack, "primary", isp.net.server, isp.net.interface),
                     "secondary": Half(self, stack, "secondary", second, "up0")}
        self.sql("UPDATE nmsp.setting SET default_lease_time = 600, max_lease_time = 600")
        for role, other in (("primary", "secondary"), ("secondary", "primary")):
            settings = {"failover": {"role": role, "address": ADDRESSES[role],
                                     "peer_address": ADDRESSES[other], "mclt": 20,
                                     "max_response_delay": 3, "auto_partner_down": 3}}
            self.sql("INSERT INTO nmsp_feed.target (feed, name, root, settings) VALUES ('dhcpd', "
                     f"'{role}', {literal(self.half[role].root)}, {literal(json.dumps(settings))})")
        self.in_step()
        for half in self.half.values():
            half.start()
        self.one.relay.relay = Both(self.one.relay.relay)

    def in_step(self):
        self.isp.db.wait_for("SELECT string_agg(format('%s %s: %s, error %s', feed, name, state, "
                             "error), '; ') FROM nmsp_feed.status WHERE state <> 'in step'",
                             lambda value: value is None, 60)

    def client(self, mac, **options):
        device = self.isp.place(mac, self.one, **options)
        device.loads_file = False
        return device.client

    def trouble(self):
        logs = [f"-- {half.role}\n{processes.tail(half.boss.log, 15)}\n{processes.tail(half.log, 15)}\n"
                f"{processes.tail(half.dhcpd.leases, 25)}"
                for half in self.half.values()]
        return "\n".join(["-- server", self.isp.db.log_tail(15), *logs])


class Renewals:
    """Clients that renew again and again, through the relay, which reaches both servers."""

    def __init__(self, clients):
        self.acks, self.silent, self.naks, self.longest = 0, 0, 0, 0.0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(c,), daemon=True) for c in clients]
        for thread in self.threads:
            thread.start()

    def _run(self, client):
        while not self.over.wait(0.02):
            try:
                client.rebind()
                self.acks += 1
            except dhcp.DhcpTimeout:
                self.silent += 1
            except dhcp.DhcpNak:
                self.naks += 1

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def both_serve(t, bed):
    servers, leases = set(), {}
    for mac in MACS:
        ack = bed.client(mac).acquire()
        leases[mac] = ack.yiaddr
        t.ok(bed.one.holds(ack.yiaddr), f"modem {mac} has an address", ack.yiaddr)
    found = wait_until(lambda: [half.dhcpd.leased() for half in bed.half.values()],
                       lambda found: found[0] == found[1] >= set(leases[mac] for mac in MACS[1:]),
                       20, "leases on both sides")
    t.ok(found[0] == found[1], "what one has leased the other knows", found)
    for number in range(20):
        offer = bed.client(MACS[number % 6], client_id=False).discover()
        servers.add(str(offer.decoded()["server_id"]))
    t.diag(f"offers came from {servers}")
    return leases


def structure(t, bed, leases):
    """A new pool: first the primary restarts, then the secondary; renewals go on."""
    clients = [bed.client(mac, timeout=0.5, tries=4) for mac in MACS]
    for client in clients:
        client.acquire()
    before = {role: len(half.starts()) for role, half in bed.half.items()}
    renewals = Renewals(clients[1:])
    probe = dhcp.Probe(clients[0], 0.02).start()
    try:
        wait_until(lambda: renewals.acks, lambda acks: acks > 20, 20, "renewals")
        bed.sql("INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) "
                f"VALUES ({bed.one.id}, 'cm', '10.34.0.0/24', '10.34.0.10', '10.34.0.20', '10.34.0.1')")
        for role, half in bed.half.items():
            wait_until(lambda: len(half.starts()), lambda count: count > before[role], 60,
                       f"restart of the {role}")
            half.wait_normal()
        acks = renewals.acks
        wait_until(lambda: renewals.acks, lambda now: now > acks + 20, 20, "renewals")
    finally:
        renewals.stop()
        probe.stop()
    first, second = (half.starts()[-1] for half in bed.half.values())
    t.ok(first["time"] < second["time"] - second["gap_ms"] / 1000,
         "the secondary restarted only after the primary served again",
         first["time"], second["time"], second["gap_ms"])
    t.is_([len(half.starts()) - before[role] for role, half in bed.half.items()], [1, 1],
          "one restart each")
    t.is_((renewals.naks, renewals.silent), (0, 0), "no renewal was refused or without an answer")
    t.diag(f"{renewals.acks} renewals; longest time between two offers to the modem with a fixed "
           f"address: {probe.longest_gap_ms()} ms")
    t.is_([bed.client(mac).acquire().yiaddr for mac in MACS[1:]], [leases[m] for m in MACS[1:]],
          "every modem has the address it had: no lease was lost")
    for half in bed.half.values():
        with open(os.path.join(half.root, "current", "netgw", f"{bed.one.id}.conf")) as file:
            t.like(file.read(), "10[.]34[.]0[.]0", f"the {half.role} has the new pool")


def one_dies(t, bed, leases):
    bed.half["primary"].stop()
    bed.half["primary"].boss.stop()
    half = bed.half["secondary"]
    t.is_([bed.client(mac).acquire().yiaddr for mac in MACS[1:]], [leases[m] for m in MACS[1:]],
          "the primary is dead: the secondary serves all with what they had")
    new = "02:00:00:34:01:01"
    bed.isp.add_modem(new, bed.one, template_id=bed.template)
    bed.in_step()
    client = bed.client(new)
    address = wait_until(lambda: _address(client), bool, 90, "an address for a new modem")
    t.ok(bed.one.holds(address) or address.startswith("10.34.0."), "a new modem gets an address: a lone server is restarted too", address)
    state = wait_until(half.state, lambda state: state[:1] == ("partner-down",), 60, "partner-down")
    t.is_(state[0], "partner-down", "after auto_partner_down it takes the partner for down")
    t.is_(bed.client(MACS[2]).acquire().yiaddr, leases[MACS[2]], "and serves on")


def comes_back(t, bed):
    bed.half["primary"].boss.start()
    for half in bed.half.values():
        half.wait_normal()
    t.is_([half.state() for half in bed.half.values()], [("normal", "normal")] * 2,
          "the primary comes back: both are normal again")
    clients = [bed.client(mac) for mac in MACS[1:]]
    leases = [client.acquire().yiaddr for client in clients]
    primary = bed.half["primary"].dhcpd
    wait_until(primary.leased, lambda found: found >= set(leases), 20, "leases at the primary")
    bed.half["secondary"].stop()
    bed.half["secondary"].boss.stop()
    t.is_([client.rebind().yiaddr for client in clients], leases,
          "the secondary dies: the primary renews every lease")


def _address(client):
    client.timeout, client.tries = QUICK["timeout"], QUICK["tries"]
    try:
        return client.acquire().yiaddr
    except (dhcp.DhcpTimeout, dhcp.DhcpNak):
        return None


def story(t, stack):
    tap.require(isps.missing())
    bed = Bed(stack)
    stack.callback(lambda: t.diag(bed.trouble()) if t.failed or sys.exc_info()[0] else None)
    for half in bed.half.values():
        half.wait_normal()
        half.watch()
    leases = both_serve(t, bed)
    structure(t, bed, leases)
    one_dies(t, bed, leases)
    comes_back(t, bed)


tap.main(story)
