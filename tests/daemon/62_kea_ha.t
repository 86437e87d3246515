#!/usr/bin/python3
"""Two Kea that watch each other: hot standby and shared load. One dies, the other serves on with
every lease it had; the database is asked by both."""

import concurrent.futures
import json
import os
import sys
import threading
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import isp as isps  # noqa: E402
import kea  # noqa: E402
import modem  # noqa: E402
import tap  # noqa: E402
from cluster import literal  # noqa: E402
from waiting import wait_until  # noqa: E402

MACS = modem.macs(16, "02:00:00:62:00:01")
ADDRESSES = ("172.20.0.1", "172.20.0.2")
PEERS = [{"name": f"kea-{n}", "url": f"http://{address}:8001/"}
         for n, address in enumerate(ADDRESSES, 1)]


class Both:
    """A relay that sends to both servers, as a CMTS with two helper addresses."""

    def __init__(self, relay):
        self.relay = relay
        self.lock = threading.Lock()

    def forward(self, packet, *rest, **named):
        hops = packet.hops
        with self.lock:
            for address in ADDRESSES:
                packet.hops = hops
                self.relay.server = address
                self.relay.forward(packet, *rest, **named)

    def __getattr__(self, name):
        return getattr(self.relay, name)


class Bed:
    """One CMTS, two servers with a target each."""

    def __init__(self, stack):
        self.isp = isp = kea.KeaIsp(stack)
        self.sql = isp.db.psql
        self.one = isp.add_cmts("cmts-1", "secret")
        base = isp.add_template("base", isp.TEMPLATE)
        for number, mac in enumerate(MACS):
            isp.add_modem(mac, self.one, fixed=number == 0, template_id=base)
        second = isp.net.add_cmts("second")
        second.ip("addr", "flush", "dev", "up0")
        second.ip("addr", "add", f"{ADDRESSES[1]}/24", "dev", "up0")
        for net in ("10.0.0.0/8", "100.64.0.0/10"):
            second.ip("route", "replace", net, "via", isp.net.cmts["cmts-1"].uplink)
        self.sql("UPDATE nmsp_feed.feed SET reload_command = NULL WHERE name = 'kea4'")
        self.servers = []
        for number, space in enumerate((isp.net.server, second), 1):
            root = isp._folder("feeds", f"kea-{number}", owner="postgres")
            self.servers.append(kea.Kea(4, space, isp._folder("run", f"kea-{number}"),
                                        os.path.join(root, "current", "kea-dhcp4.conf")))
            stack.callback(self.servers[-1].stop)
        self.one.relay.relay = Both(self.one.relay.relay)

    def write(self, mode):
        """Settings of both targets for a mode; waits until their files are in place."""
        for number, server in enumerate(self.servers, 1):
            settings = {"interfaces": ["*"], "hook": self.isp.hook,
                        "control_socket": server.control, "lease_file": server.leases,
                        "database": {"host": self.isp.db.sockets, "name": "postgres"},
                        "ha": {"mode": mode, "this-server-name": f"kea-{number}", "peers": PEERS}}
            root = os.path.dirname(os.path.dirname(server.config))
            self.sql("INSERT INTO nmsp_feed.target (feed, name, root, settings) VALUES ('kea4', "
                     f"'kea-{number}', {literal(root)}, {literal(json.dumps(settings))}) "
                     "ON CONFLICT (feed, name) DO UPDATE SET settings = excluded.settings")
        self.isp.wait_in_step()

    def states(self):
        return [server.command("status-get")["arguments"]["high-availability"][0]["ha-servers"]
                ["local"]["state"] for server in self.servers if server.process]

    def wait_states(self, *wanted):
        return wait_until(self.states, lambda found: found == list(wanted), 60, "HA states")

    def client(self, mac):
        device = self.isp.place(mac, self.one)
        device.loads_file = False
        return device.client

    def leased(self, server):
        return {line["address"] for line in server.lease_lines() if line["state"] == "0"}


def pair(t, bed, mode, normal):
    bed.write(mode)
    for server in bed.servers:
        server.start()
    bed.wait_states(*normal)
    clients = [bed.client(mac) for mac in MACS]
    acks = [client.acquire() for client in clients]
    leases = [ack.yiaddr for ack in acks]
    t.is_((len(set(leases)), all(bed.one.holds(a) for a in leases)), (len(MACS), True),
          f"{mode}: every modem has an address of its own")
    t.diag(f"answered by {sorted({str(ack.decoded()['server_id']) for ack in acks})}")
    found = wait_until(lambda: [bed.leased(server) for server in bed.servers],
                       lambda found: all(one >= set(leases) for one in found), 20, "leases on both")
    t.is_(found[0], found[1], f"{mode}: what one has leased the other knows")
    return clients, leases


def survivor(t, bed, mode, clients, leases):
    bed.servers[0].kill9()
    for client in clients:
        client.timeout, client.tries = 1.0, 8
    # At once: the other counts the clients that have waited for an answer for too long.
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(clients)) as pool:
        acks = list(pool.map(lambda client: client.rebind().yiaddr, clients))
    t.diag(f"{mode}: the last of them had its answer {time.monotonic() - begin:.1f} s after")
    t.is_(acks, leases, f"{mode}: the first is dead, the other renews every lease")
    t.is_(bed.states(), ["partner-down"], f"{mode}: it takes its partner for down")
    bed.isp.db.psql("INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT '02:00:00:62:01:01', "
                    "netgw_id, template_id FROM nmsp.modem LIMIT 1 ON CONFLICT (mac) DO NOTHING")
    t.ok(bed.one.holds(bed.client("02:00:00:62:01:01").acquire().yiaddr),
         f"{mode}: a new modem is served")
    bed.servers[0].start()
    bed.wait_states(*(("hot-standby",) * 2 if mode == "hot-standby" else ("load-balancing",) * 2))
    t.is_(bed.leased(bed.servers[0]) >= set(leases), True,
          f"{mode}: the first comes back and has the leases of the other")
    for server in bed.servers:
        server.stop()


def story(t, stack):
    tap.require(isps.missing() or kea.missing())
    bed = Bed(stack)
    try:
        for mode in ("hot-standby", "load-balancing"):
            clients, leases = pair(t, bed, mode, (mode, mode))
            survivor(t, bed, mode, clients, leases)
    except BaseException:
        for server in bed.servers:
            t.diag(server.tail(25))
        raise


tap.main(story)
