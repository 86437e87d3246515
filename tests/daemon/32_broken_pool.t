#!/usr/bin/python3
"""A pool text that dhcpd refuses: the old configuration serves on, everybody can see why, other
changes go live meanwhile, and mending the row is all it takes."""

import os
import sys

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import isp as isps  # noqa: E402
import modem  # noqa: E402
import tap  # noqa: E402
from cluster import literal  # noqa: E402
from waiting import wait_until  # noqa: E402

MACS = modem.macs(4, "02:00:00:01:00:01")
NEW_MACS = iter(modem.macs(20, "02:00:00:01:01:01"))
MOBILE = "06:00:00:00:00:01"


class Bed:
    """Two CMTSs, four modems on the first, a CPE; `pool` is the text that will be broken."""

    def __init__(self, stack):
        self.isp = isps.Isp(stack)
        self.sql = self.isp.db.psql
        self.one = self.isp.add_cmts("cmts-1", "first secret")
        self.two = self.isp.add_cmts("cmts-2", "the second one")
        gold = self.isp.add_service_class("gold", 500_000_000, 50_000_000)
        self.kind = {"template_id": self.isp.add_template("base", self.isp.TEMPLATE),
                     "service_class_id": gold}
        for number, mac in enumerate(MACS):
            self.isp.add_modem(mac, self.one, fixed=number % 2 == 1, **self.kind)
        self.pool = self.one.pools["cpe_private"]
        self.cpe = modem.Cpe(MOBILE, self.one.relay, modem_mac=MACS[0])
        self.isp.feed()
        self.isp.wait_in_step()
        for mac in MACS:
            self.isp.boot(mac)
        self.cpe.boot()

    def status(self):
        """State and error of feed dhcpd, as nmsp_feed.status says."""
        return self.isp.db.query("SELECT state, error FROM nmsp_feed.status "
                                 "WHERE feed = 'dhcpd'")[0]

    def set_text(self, text):
        self.sql(f"UPDATE nmsp.pool SET dhcpd_text = {literal(text)} WHERE id = {self.pool}")

    def pool_file(self):
        return os.path.join(self.isp.dhcpd_root, "current", "netgw", f"{self.one.id}.conf")

    def read_pool_file(self):
        with open(self.pool_file()) as file:
            return file.read()


def refused(t, bed, what, text, message, culprit):
    """One broken text: seen, harmless, and gone with the row's mending."""
    before, pid = bed.read_pool_file(), bed.isp.boss.daemon_pid()
    bed.set_text(text)
    state, error = wait_until(bed.status, lambda row: row[1] is not None, 20, "the refusal")
    t.is_(state, "quarantine", f"{what}: nmsp_feed.status says quarantine")
    t.like(error, message, f"{what}: with dhcpd's own message")
    t.is_(bed.isp.db.query("SELECT feed, part, id, path FROM nmsp_feed.quarantine"), [culprit],
          f"{what}: nmsp_feed.quarantine names the file of this CMTS and no other")
    health = bed.isp.db.query("SELECT component, message, hint FROM nmsp.health() "
                              "WHERE state = 'error'")
    t.is_([row[:2] for row in health], [['feed dhcpd "default"', error]],
          f"{what}: nmsp.health() shows the message")
    t.like(health[0][2], "Mend the rows", f"{what}: and what to do")
    t.is_((bed.read_pool_file(), bed.isp.boss.daemon_pid()), (before, pid),
          f"{what}: the old text is in service, dhcpd was left alone")
    meanwhile(t, bed, what)
    t.is_(bed.status(), ["quarantine", error], f"{what}: the message stays meanwhile")
    mended(t, bed, what)


def meanwhile(t, bed, what):
    """Everything else works while a text is refused."""
    t.is_(bed.cpe.client.renew().yiaddr, bed.cpe.result.address, f"{what}: the CPE renews")
    t.is_([r.error for r in bed.isp.boot_all(MACS)], [None] * 4, f"{what}: modems boot")
    for cmts in (bed.one, bed.two):
        mac = next(NEW_MACS)
        bed.isp.add_modem(mac, cmts, **bed.kind)
        device = bed.isp.device(mac)
        device.client.timeout, device.client.tries = 0.1, 1
        result = wait_until(device.boot, deadline=20, what=f"boot of a new modem ({what})")
        t.is_(result.rates["ds"], [500_000_000],
              f"{what}: a new modem behind {cmts.relay.name} goes live")
    bed.sql(f"UPDATE nmsp.pool SET dns_server = '{{10.9.9.{len(what)}}}' "
            f"WHERE netgw_id = {bed.two.id}")
    want = [f"10.9.9.{len(what)}"]
    wait_until(lambda: device.client.discover().decoded()["dns_servers"], lambda got: got == want,
               20, "name server of the other CMTS's pool")
    t.ok(True, f"{what}: a pool of the other CMTS changes")


def mended(t, bed, what):
    bed.set_text(f'option domain-name "after {what}";')
    bed.isp.wait_in_step()
    t.is_(bed.status(), ["in step", None], f"{what}: mending the row clears the message")
    t.is_(bed.isp.db.query("SELECT * FROM nmsp_feed.quarantine"), [],
          f"{what}: quarantine is empty")
    t.is_(bed.cpe.boot().options["domain_name"], f"after {what}",
          f"{what}: the new text is in service")
    t.is_(bed.isp.db.query("SELECT component FROM nmsp.health() WHERE state <> 'ok'"), [],
          f"{what}: nmsp.health() is content")


def harmless(t, bed):
    bed.set_text('# include } execute\noption domain-name "} include \\" } execute";\n'
                 'if exists host-name { option host-name "x"; }')
    bed.isp.wait_in_step()
    t.is_(bed.cpe.boot().options["domain_name"], '} include " } execute',
          "words and braces in strings and comments are nobody's business")


ELSEWHERE = "option broadcast-address 10.0.0.1; } } omapi-port 7911; " \
            'shared-network "x" { subnet 10.99.0.0 netmask 255.255.255.0 {'

REFUSED = (
    ("a word dhcpd does not know", "frobnicate yes;",
     r"^netgw/\d+\.conf line \d+: semicolon expected\.\nfrobnicate yes;"),
    ("a brace too few", "group {", r"^netgw/\d+\.conf line \d+: "),
    ("a string without end", 'option domain-name "x;', r"^netgw/\d+\.conf line \d+: "),
    ("braces too many", "} } }", r"^dhcpd_text of pool 100.64.4.0/22 closes a brace that it did "
                                 r"not open: The text must stay inside its subnet"),
    ("a way out of the subnet", ELSEWHERE, r"closes a brace that it did not open"),
    ("an include of a secret file", 'include "/etc/shadow";', r'must not use "include"'),
    ("a program", 'on commit { EXECUTE("/bin/sh", "-c", "id"); }', r'must not use "EXECUTE"'),
)


def story(t, stack):
    tap.require(isps.missing())
    bed = Bed(stack)
    stack.callback(lambda: t.diag(bed.isp.trouble()) if t.failed or sys.exc_info()[0] else None)
    culprit = ["dhcpd", "netgw", str(bed.one.id), f"netgw/{bed.one.id}.conf"]
    for what, text, message in REFUSED:
        refused(t, bed, what, text, message, culprit)
    harmless(t, bed)
    t.is_(bed.isp.boss.events("died") + bed.isp.boss.events("not-ready"), [],
          "dhcpd never saw any of it")


tap.main(story)
