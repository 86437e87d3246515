#!/usr/bin/python3
"""DHCP servers that are started while the database is away, as after a power cut: silence, never a
wrong answer, and all serve by themselves once it is there. Kea for both IP versions, which ends
without it and is started again as the shipped unit says, and dhcpd with look-up, started before
nmsp-agent."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(TESTS)
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import daemons  # noqa: E402
import dhcp  # noqa: E402
import dhcp6  # noqa: E402
import isp as isps  # noqa: E402
import kea  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402
from waiting import wait_until  # noqa: E402

KNOWN, FIXED, STRANGER = "02:00:00:01:00:01", "02:00:00:01:00:02", "02:00:00:99:00:01"
CPE = "0a:00:00:01:00:01"
PATIENCE = {"timeout": 0.3, "tries": 2}
UNITS = os.path.join(ROOT, "workers", "systemd")
DROP_IN = os.path.join(UNITS, "kea-dhcp4-server.service.d", "nmsp.conf")
DEBIAN_UNIT = "/lib/systemd/system/kea-dhcp4-server.service"


def unit_value(name):
    """The last value that the shipped unit gives a setting."""
    with open(DROP_IN) as file:
        return re.findall(rf"^{name}=(.*)$", file.read(), re.MULTILINE)[-1]


def units(t, stack):
    """systemd takes the shipped units; Kea is started again without end."""
    t.is_((unit_value("Restart"), unit_value("StartLimitIntervalSec")), ("on-failure", "0"),
          "the unit of Kea starts it again, however often that is")
    verify = shutil.which("systemd-analyze")
    if verify is None or not os.path.exists(DEBIAN_UNIT):
        t.diag("systemd-analyze or Debian's unit of Kea is missing: units are not verified")
        return
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-units-"))
    names = [name for name in os.listdir(UNITS)
             if name.endswith((".service", ".path", ".socket", ".timer"))]
    for name in names:
        with open(os.path.join(UNITS, name)) as unit, open(os.path.join(folder, name), "w") as copy:
            # its commands need not be installed here
            copy.write(re.sub(r"=(-?)/usr/(local/sbin|lib/postgresql)/\S+", r"=\1/bin/true", unit.read()))
    shutil.copy2(DEBIAN_UNIT, folder)
    shutil.copytree(os.path.dirname(DROP_IN), os.path.join(folder, "kea-dhcp4-server.service.d"))
    done = subprocess.run([verify, "verify", "--man=no", *(os.path.join(folder, name) for name in
                                                           [*names, os.path.basename(DEBIAN_UNIT)])],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"})
    ours = [line for line in done.stdout.splitlines() if folder in line]
    t.is_((done.returncode, ours), (0, []), f"systemd takes {len(names)} units and the drop-in")


def silent(t, what, client, calls):
    """None of the calls is answered, not even with a NAK."""
    client.timeout, client.tries = PATIENCE["timeout"], PATIENCE["tries"]
    for name in calls:
        t.raises((dhcp.DhcpTimeout, dhcp6.Dhcp6Timeout), getattr(client, name),
                 f"{what} is not answered: {name}")


def first(call, errors, deadline):
    """Asks again and again; returns the answer and when it came."""
    def ask():
        try:
            return call()
        except errors:
            return None
    return wait_until(ask, lambda answer: answer is not None, deadline, "an answer",
                      interval=0.01), time.monotonic()


class KeaBed:
    """One CMTS with both IP versions, a modem and a fixed one."""

    def __init__(self, stack):
        self.isp = isp = kea.KeaIsp(stack, ipv6=True)
        self.cmts = isp.add_cmts("cmts-1", "secret")
        self.relay = isp.add_ipv6(self.cmts)
        base = isp.add_template("base", isp.TEMPLATE)
        self.ids = {KNOWN: isp.add_modem(KNOWN, self.cmts, template_id=base),
                    FIXED: isp.add_modem(FIXED, self.cmts, template_id=base, fixed=True,
                                         address6="2001:db8:1::77")}
        isp.db.psql(f"UPDATE nmsp.setting SET provisioning_server6 = '{isp.SERVER6}'")
        isp.feed()
        pause = float(unit_value("RestartSec"))
        self.bosses = [stack.enter_context(self._boss(server, pause)) for server in isp.kea.values()]

    def _boss(self, server, pause):
        """Kea ends and comes under the supervisor, with a stamp that is not there yet."""
        return kea.Supervised(server, os.path.join(self.isp.run_folder, "start"), pause)

    def client6(self, mac):
        return dhcp6.Client6(self.relay, mac, mac, modem=True, **PATIENCE)


def kea_starts(t, stack):
    bed = KeaBed(stack)
    isp = bed.isp
    fours = {mac: isp.device(mac).client for mac in (KNOWN, FIXED)}
    sixes = {mac: bed.client6(mac) for mac in (KNOWN, FIXED)}
    before4 = {mac: client.acquire().yiaddr for mac, client in fours.items()}
    before6 = {mac: client.acquire().address for mac, client in sixes.items()}
    for server in isp.kea.values():
        server.stop()
    isp.db.stop()
    daemons.touch_stamp(os.path.join(isp.run_folder, "start"))
    for boss in bed.bosses:
        events = [boss.wait_event("died", count, 60) for count in (1, 2)]
        t.ok(events[-1]["status"] != 0, f"{boss.dhcpd.name} ends without a database, as a failure",
             events[-1])
    for mac, client in fours.items():
        silent(t, f"Kea, no database: {mac}", client, ("discover", "renew", "reboot", "rebind"))
    for mac, client in sixes.items():
        silent(t, f"Kea, no database: {mac}", client, ("solicit", "renew"))
    isp.db.start()
    begin = time.monotonic()
    four, at4 = first(fours[KNOWN].acquire, dhcp.DhcpTimeout, 30)
    six, at6 = first(sixes[KNOWN].acquire, dhcp6.Dhcp6Timeout, 30)
    t.diag(f"database up -> first ACK of kea-dhcp4 {at4 - begin:.2f} s, first REPLY of kea-dhcp6 "
           f"{at6 - begin:.2f} s")
    t.is_((four.yiaddr, four.file), (before4[KNOWN], f"cm/cm-{bed.ids[KNOWN]}.cfg"),
          "kea-dhcp4 serves by itself: the address and the file as before")
    t.is_((six.address, six.cablelabs.get(33)),
          (before6[KNOWN], f"cm/cm-{bed.ids[KNOWN]}.cfg".encode()), "so does kea-dhcp6")
    t.is_((fours[FIXED].renew().yiaddr, sixes[FIXED].renew().address),
          (before4[FIXED], before6[FIXED]), "fixed addresses are renewed")
    silent(t, "a modem without a row", isp.place(STRANGER, bed.cmts).client, ("discover",))
    silent(t, "a modem without a row", bed.client6(STRANGER), ("solicit",))


class LookupBed:
    """One CMTS, a modem and a fixed one, dhcpd that asks nmsp-agent."""

    def __init__(self, stack):
        self.isp = isp = isps.Isp(stack, settings={"unix_socket_permissions": "0777"})
        isp.tftpd.stop()
        agents.make_role(isp.db)
        self.cmts = isp.add_cmts("cmts-1", "secret")
        base = isp.add_template("base", isp.TEMPLATE)
        self.ids = {mac: isp.add_modem(mac, self.cmts, template_id=base, fixed=mac == FIXED)
                    for mac in (KNOWN, FIXED)}
        self.agent = stack.enter_context(agents.Agent(isp.net.server, isp.run_folder,
                                                      isp.db.sockets, lookup_listen="127.0.0.1:3890"))
        isp.db.psql("INSERT INTO nmsp_feed.target (feed, root, settings) VALUES ('dhcpd', "
                    f"'{isp.dhcpd_root}', '{{\"hosts\": \"lookup\"}}')")
        isp.wait_in_step()

    def start_agent(self):
        """Starts it without a wait for the database."""
        agent = self.agent
        agent.process = processes.start(agent.namespace.command(agent.argv()), agent.log)


def dhcpd_starts(t, stack):
    bed = LookupBed(stack)
    isp = bed.isp
    clients = {mac: isp.device(mac).client for mac in (KNOWN, FIXED)}
    cpe = isps.modem.Cpe(CPE, bed.cmts.relay, modem_mac=KNOWN).client
    before = {mac: client.acquire().yiaddr for mac, client in clients.items()}
    before[CPE] = cpe.acquire().yiaddr
    clients[CPE] = cpe
    isp.boss.stop()
    bed.agent.stop()
    isp.db.stop()
    starts = len(isp.boss.events("start"))
    isp.boss.start()
    wait_until(isp.boss.daemon_pid, bool, 30, "dhcpd is started")
    silent(t, "dhcpd, no agent, no database", clients[KNOWN], ("discover",))
    bed.start_agent()
    for mac, client in clients.items():
        silent(t, f"dhcpd, no database: {mac}", client, ("discover", "renew", "reboot", "rebind"))
    isp.db.start()
    begin = time.monotonic()
    found, at = first(clients[KNOWN].acquire, dhcp.DhcpTimeout, 90)
    t.diag(f"database up -> first ACK of dhcpd with look-up {at - begin:.2f} s; "
           f"{len(isp.boss.events('start')) - starts} starts of dhcpd")
    t.is_((found.yiaddr, found.file), (before[KNOWN], f"cm/cm-{bed.ids[KNOWN]}.cfg"),
          "dhcpd serves by itself: the address and the file as before")
    t.is_((clients[FIXED].renew().yiaddr, cpe.renew().yiaddr), (before[FIXED], before[CPE]),
          "a fixed address and a CPE's are renewed")
    silent(t, "a modem without a row", isp.place(STRANGER, bed.cmts).client, ("discover",))


def story(t, stack):
    tap.require(isps.missing() or kea.missing() or agents.missing())
    units(t, stack)
    for part in (kea_starts, dhcpd_starts):
        with contextlib.ExitStack() as bed:
            if part is dhcpd_starts:
                package = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-ldap-"))
                os.chmod(package, 0o777)
                daemons.DHCPD = agents.ldap_dhcpd(package)
                tap.require(None if daemons.DHCPD else "no dhcpd with LDAP (isc-dhcp-server-ldap)")
            part(t, bed)


tap.main(story)
