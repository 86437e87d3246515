"""What should be, said by SQL alone, against what is: disk byte for byte, zones whole, a sample of
every daemon's answers. The feed's own manifest is not asked.

    oracle.differences(house)       # [] = all is right
    oracle.converge(house, begin, 60)   # seconds until then, or Timeout with what still differs
"""

import ipaddress
import json
import os
import subprocess
import time

from cluster import literal
from waiting import wait_until

import ldap
import supervisor
import tftp
import watcher

SAMPLE = 4


# -- disk ---------------------------------------------------------------------

def disk(root):
    """{path: bytes} of everything below a root that a daemon may serve."""
    found = {}
    for name in watcher.files_below(root):
        with open(os.path.join(root, name), "rb") as file:
            found[name] = file.read()
    return found


def compare(what, want, have):
    """Lines about paths whose bytes differ."""
    lines = [f"{what}: {name} is missing" for name in sorted(want.keys() - have.keys())]
    lines += [f"{what}: {name} is left over" for name in sorted(have.keys() - want.keys())]
    return lines + [f"{what}: {name} differs ({len(have[name])} bytes, {len(want[name])} wanted)"
                    for name in sorted(want.keys() & have.keys()) if want[name] != have[name]]


def configfiles(db):
    """{path: bytes} of every modem's file."""
    return {path: bytes.fromhex(content) for path, content in db.query(
        "SELECT path, encode(config::bytea, 'hex') FROM nmsp.modem_file")}


def rendered_set(db, feed):
    """{path: bytes} of a feed in mode set: its functions called for all there is."""
    row = db.query("SELECT t.id, f.keys_function, f.render_function FROM nmsp_feed.target t "
                   f"JOIN nmsp_feed.feed f ON f.name = t.feed WHERE t.feed = {literal(feed)}")
    target, keys, render = row[0]
    return {path: bytes.fromhex(content) for path, content in db.query(
        f"SELECT r.path, encode(r.content, 'hex') FROM (SELECT part, array_agg(id) AS ids FROM "
        f"{keys}({target}, 'all', NULL, NULL, NULL, 1000000) GROUP BY part) k, "
        f"LATERAL {render}({target}, k.part, k.ids) r")}


def leftovers(root):
    """Temps that nobody works on any more."""
    found = []
    for folder, folders, names in os.walk(root):
        inside = ".nmsp-tmp" in folder.split(os.sep)
        found += [os.path.join(folder, name) for name in names if inside or name.startswith(".nmsp-")]
    return [f"left over: {path}" for path in found]


def files(house, root, what):
    """Differences of a root with configfiles."""
    return compare(what, configfiles(house.db), disk(root)) + leftovers(root)


def generation(house, feed):
    """Differences of a root with generations."""
    root = house.root(feed)
    try:
        name = os.readlink(os.path.join(root, "current"))
        with open(os.path.join(root, "ready")) as stamp:
            ready = stamp.read().strip()
    except OSError as error:
        return [f"{feed}: {error}"]
    lines = compare(feed, rendered_set(house.db, feed), disk(os.path.join(root, name)))
    if ready != name:
        lines.append(f"{feed}: the stamp says {ready}, in service is {name}")
    old = [entry for entry in os.listdir(root) if entry.startswith("g-")]
    return lines + ([f"{feed}: generations {old}"] if len(old) > 2 else []) + leftovers(root)


# -- daemons ------------------------------------------------------------------

def zones(house):
    """Differences between BIND's zones and the model's records."""
    want = {tuple(row) for row in house.db.query("SELECT name, type, ttl, data FROM nmsp.dns_record")}
    have = set()
    names = [zone for zone, in house.db.query(
        "SELECT z.zone FROM nmsp_feed.target t, nmsp_feed.bind_zone(t.id) z WHERE t.feed = 'bind'")]
    for zone in names:
        with house.net.server.entered():
            out = subprocess.run(["dig", f"@{house.named.address}", "-k", house.named.key, "axfr", zone,
                                  "+noall", "+answer", "+time=2", "+tries=1"],
                                 capture_output=True, text=True).stdout
        for line in out.splitlines():
            parts = line.split(None, 4)
            if len(parts) == 5 and parts[3] in ("A", "AAAA", "PTR", "CNAME") \
                    and not parts[0].startswith("ns."):
                data = str(ipaddress.ip_address(parts[4])) if parts[3] == "AAAA" else parts[4]
                have.add((parts[0], parts[3], parts[1], data))
    return [f"bind: {'missing' if row in want else 'left over'} {' '.join(row)}"
            for row in sorted(want ^ have)]


def some_modems(house):
    """A sample of modems that no change touched lately and some that were: id, mac, netgw."""
    return house.db.query(
        "(SELECT m.id, m.mac, g.name, host(m.address), f.path, encode(f.config::bytea, 'hex') "
        "FROM nmsp.modem m JOIN nmsp.netgw g ON g.id = m.netgw_id JOIN nmsp.modem_file f ON "
        f"f.modem_id = m.id WHERE m.address IS NOT NULL ORDER BY m.id LIMIT {SAMPLE // 2}) UNION ALL "
        "(SELECT m.id, m.mac, g.name, host(m.address), f.path, encode(f.config::bytea, 'hex') "
        "FROM nmsp.modem m JOIN nmsp.netgw g ON g.id = m.netgw_id JOIN nmsp.modem_file f ON "
        f"f.modem_id = m.id WHERE m.address IS NOT NULL ORDER BY m.id DESC LIMIT {SAMPLE // 2})")


def fetched(house, server, row, source):
    """Bytes of a modem's file as a server gives it, or the error as text."""
    try:
        return tftp.fetch(server, row[4], source=source, timeout=0.5, tries=4,
                          enter=house.cmts[row[2]].relay.entered).data
    except (tftp.TftpError, tftp.TftpTimeout, OSError) as error:
        return str(error)


def downloads(house, rows):
    """Differences in what tftpd and the agent serve."""
    lines = []
    for row in rows:
        want = bytes.fromhex(row[5])
        for name, server in (("tftpd", house.net.server_address), ("agent", "172.20.0.3")):
            got = fetched(house, server, row, row[3])
            if got != want:
                lines.append(f"{name}: {row[4]}: {got if isinstance(got, str) else 'other bytes'}")
    return lines


def lookups(house, rows):
    """Differences in what dhcpd would be told."""
    lines = []
    try:
        with ldap.Ldap(house.net.server.entered, "127.0.0.1", 3890) as looker:
            for row in rows:
                got = looker.host(row[1])
                want = house.db.query("SELECT name, array_to_json(statements) FROM "
                                      f"nmsp.lookup_host({literal(row[1])})")
                statements = json.loads(want[0][1]) if want else None
                if (got or {}).get("dhcpStatements") != statements:
                    lines.append(f"look-up of {row[1]}: {got} for {statements}")
    except OSError as error:
        lines.append(f"look-up: {error}")
    return lines


def offers(house, rows):
    """Differences in what dhcpd and Kea offer to modems with fixed addresses."""
    from dhcp import Client, DhcpNak, DhcpTimeout
    from modem import CableModem
    relays = []
    if "dhcpd" in house.kinds:
        relays.append(("dhcpd", {name: cmts.relay for name, cmts in house.cmts.items()}))
    if "kea4" in house.kinds:
        relays.append(("kea4", house.relays2))
    lines = []
    for name, by_cmts in relays:
        for row in rows:
            relay = by_cmts[row[2]]
            client = Client(relay.relay, row[1], relay.giaddr, row[1], CableModem.vendor_class,
                            timeout=0.5, tries=4)
            try:
                offer = client.discover()
                got = (offer.yiaddr, offer.file)
            except (DhcpNak, DhcpTimeout) as error:
                got = error
            if got != (row[3], row[4]):
                lines.append(f"{name}: {row[1]}: {got} for {row[3]}, {row[4]}")
    return lines


def networks(config):
    """What of a configuration of Kea tells one structure from another."""
    usual = config["Dhcp4"].get("valid-lifetime")
    return sorted((net["name"], sorted((s["id"], s["subnet"], s.get("valid-lifetime", usual),
                                        sorted(p["pool"].replace(" ", "") for p in s.get("pools", [])))
                                       for s in net["subnet4"]))
                  for net in config["Dhcp4"]["shared-networks"])


def running(house):
    """Differences between what is in place and what daemons run with."""
    lines = []
    if "dhcpd" in house.kinds:
        starts = house.boss.events("start")
        if not starts or starts[-1]["stamp"] != supervisor.identity(house.stamp):
            lines.append("dhcpd: it does not run with what is in place")
    if "kea4" in house.kinds:
        with open(house.kea.config) as file:
            want = networks(json.load(file))
        have = networks(house.kea.command("config-get")["arguments"])
        if want != have:
            lines.append(f"kea4: it does not run with what is in place: {want} {have}")
    return lines


# -- all ----------------------------------------------------------------------

def in_place(house):
    """Differences that are not about answers: disk and zones."""
    lines = []
    for feed in house.kinds:
        if feed == "tftpd":
            lines += files(house, house.tftp_root, "tftpd")
        elif feed == "edge":
            lines += files(house, house.edge_root, "edge")
        elif feed == "bind":
            lines += zones(house)
        else:
            lines += generation(house, feed)
    states = house.db.query("SELECT feed, name, state, error FROM nmsp_feed.status WHERE enabled "
                            "AND state <> 'in step'")
    return lines + [f"status: {' '.join(str(cell) for cell in row)}" for row in states]


def differences(house):
    """Everything that is not as the rows say; [] = nothing."""
    lines = in_place(house)
    if lines or not hasattr(house, "net"):  # a barn has no daemons
        return lines
    rows = some_modems(house)
    return running(house) + downloads(house, rows) + lookups(house, rows) + offers(house, rows)


def converge(house, begin, deadline):
    """Waits until nothing differs; returns the seconds since `begin` (monotonic) and what was the
    last to come right. The time is an upper limit: the comparison itself takes a part of it."""
    last = []

    def look():
        lines = differences(house)
        if lines:
            last[:] = lines[:3]
        return lines
    wait_until(look, lambda lines: not lines, deadline, "what should be", interval=0.05)
    return time.monotonic() - begin, last
