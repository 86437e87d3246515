#!/usr/bin/python3
"""60 days with 1,000 customers: contracts begin, change, are blocked, move and end, modems are
replaced. Each day every file is what an independent model says, and only files of those whom
something happened to are others than the day before. The clock of the server's sessions is moved by
libfaketime (workers in the server keep the right time, so nmsp-agent feeds here); nobody calls
anything at midnight. Then a block that begins and ends by itself, by the feeder in the server.

    NMSP_SEED=7 tests/daemon/25_scenario.t      the same days again
"""

import collections
import dataclasses
import datetime
import json
import os
import random
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import cluster  # noqa: E402
import docsis_check  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402
from waiting import wait_until  # noqa: E402

DAYS, CUSTOMERS, BASE_CPE = 60, 1000, 2
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
RATES = {"small": 10_000_000, "medium": 50_000_000, "big": 200_000_000}
SECRETS = {"cmts-1": "first", "cmts-2": "second"}
TEMPLATE = """
UsServiceFlow
{
    UsServiceFlowRef 1;
    QosParamSetType 7;
}
DsServiceFlow
{
    DsServiceFlowRef 2;
    QosParamSetType 7;
    MaxRateSustained {qos.ds_rate_max_help.0};
}
"""
FOREVER = 10 ** 6


@dataclasses.dataclass
class Customer:
    """What the model knows of one: days are numbers, ranges [first, first after)."""

    number: int
    begin: int
    end: int = FOREVER
    tariffs: list = dataclasses.field(default_factory=list)   # (first, after, class)
    voice: tuple = None                                        # (first, after)
    cpe: int = None
    blocks: list = dataclasses.field(default_factory=list)     # [first, after, scope]
    cmts: str = "cmts-1"
    modems: list = dataclasses.field(default_factory=list)     # (first, after, mac)
    mta: dict = dataclasses.field(default_factory=dict)        # mac of the modem -> mac of its MTA

    def service(self, mac, day):
        """(access, MaxCPE, rate or None, MACs that may pass) of one of its modems."""
        mtas = [self.mta[mac]] if mac in self.mta else []
        serves = any(m == mac and first <= day < after for first, after, m in self.modems)
        serves = serves and self.begin <= day < self.end
        rate = next((RATES[name] for first, after, name in self.tariffs if first <= day < after),
                    None) if serves else None
        voice = serves and self.voice is not None and self.voice[0] <= day < self.voice[1]
        scope = [s for first, after, s in self.blocks if serves and first <= day < after]
        internet = rate is not None and not scope
        voice = bool(voice and mtas and "all" not in scope)
        if not mtas:
            cpe = self.cpe if serves and self.cpe else BASE_CPE
        elif internet:
            cpe = (self.cpe or BASE_CPE) + len(mtas)
        else:
            cpe = len(mtas) if voice else 1
        return internet or voice, cpe, rate, tuple(mtas) if voice and not internet else ()


class Days:
    """The customers, and what happens to them: the model and the statements side by side."""

    def __init__(self, rng):
        self.rng = rng
        self.customers = []
        self.zero = None
        self.macs = 0
        self.counts = collections.Counter()

    def date(self, day):
        return "NULL" if day >= FOREVER else f"'{self.zero + datetime.timedelta(days=day)}'"

    def span(self, first, after):
        return f"daterange({self.date(first)}, {self.date(after)})"

    def mac(self, kind):
        self.macs += 1
        return f"0{kind}:00:00:00:{self.macs // 256:02x}:{self.macs % 256:02x}"

    def new_modem(self, customer, day, sql):
        mac = self.mac(2)
        customer.modems.append((day, FOREVER, mac))
        sql.append("INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT "
                   f"'{mac}', g.id, t.id FROM nmsp.netgw g, nmsp.template t "
                   f"WHERE g.name = '{customer.cmts}' AND t.name = 'cm'")
        sql.append("INSERT INTO nmsp.contract_modem (modem_id, contract_id, validity) SELECT "
                   f"m.id, c.id, {self.span(day, FOREVER)} FROM nmsp.modem m, nmsp.contract c "
                   f"WHERE m.mac = '{mac}' AND c.number = 'C{customer.number}'")
        if customer.voice:
            customer.mta[mac] = self.mac(6)
            sql.append("INSERT INTO nmsp.mta (mac, modem_id, template_id) SELECT "
                       f"'{customer.mta[mac]}', m.id, t.id FROM nmsp.modem m, nmsp.template t "
                       f"WHERE m.mac = '{mac}' AND t.name = 'mta'")

    def start(self, day, sql):
        """A new customer, whose contract begins some days ahead or today."""
        rng = self.rng
        begin = day + rng.choice((0, 0, 1, 2, 5))
        customer = Customer(len(self.customers) + 1, begin, cmts=rng.choice(list(SECRETS)))
        self.customers.append(customer)
        number = customer.number
        name = rng.choice(list(RATES))
        customer.tariffs.append((begin, FOREVER, name))
        if rng.random() < 0.3:
            customer.voice = (begin + rng.choice((0, 0, 3)), FOREVER)  # porting takes its time
            self.counts["porting"] += customer.voice[0] > begin
        if rng.random() < 0.2:
            customer.cpe = rng.randrange(3, 9)
        contract = f"(SELECT id FROM nmsp.contract WHERE number = 'C{number}')"
        sql.append(f"INSERT INTO nmsp.customer (number, name) VALUES ('{number}', 'name {number}')")
        sql.append("INSERT INTO nmsp.contract (number, customer_id, validity) SELECT "
                   f"'C{number}', id, {self.span(begin, FOREVER)} FROM nmsp.customer "
                   f"WHERE number = '{number}'")
        sql.append("INSERT INTO nmsp.entitlement (contract_id, kind, validity, service_class_id) "
                   f"SELECT {contract}, 'internet', {self.span(begin, FOREVER)}, id "
                   f"FROM nmsp.service_class WHERE name = '{name}'")
        if customer.voice:
            sql.append("INSERT INTO nmsp.entitlement (contract_id, kind, validity) VALUES "
                       f"({contract}, 'voice', {self.span(*customer.voice)})")
        if customer.cpe:
            sql.append("INSERT INTO nmsp.entitlement (contract_id, kind, quantity) VALUES "
                       f"({contract}, 'cpe', {customer.cpe})")
        self.new_modem(customer, begin, sql)

    def tariff(self, customer, day, sql):
        first, _, old = customer.tariffs[-1]
        change = day + self.rng.choice((0, 1, 3, 7))
        if change <= max(first, customer.begin) or change >= customer.end:
            return False
        name = self.rng.choice([n for n in RATES if n != old])
        customer.tariffs[-1] = (first, change, old)
        customer.tariffs.append((change, FOREVER, name))
        where = (f"contract_id = (SELECT id FROM nmsp.contract WHERE number = 'C{customer.number}')"
                 " AND kind = 'internet'")
        sql.append(f"UPDATE nmsp.entitlement SET validity = {self.span(first, change)} "
                   f"WHERE {where} AND upper_inf(validity)")
        sql.append("INSERT INTO nmsp.entitlement (contract_id, kind, validity, service_class_id) "
                   f"SELECT c.id, 'internet', {self.span(change, FOREVER)}, s.id "
                   "FROM nmsp.contract c, nmsp.service_class s "
                   f"WHERE c.number = 'C{customer.number}' AND s.name = '{name}'")
        return True

    def block(self, customer, day, sql):
        if any(after > day for _, after, _ in customer.blocks):
            return False
        scope = self.rng.choice(("all", "internet"))
        customer.blocks.append([day, FOREVER, scope])
        sql.append("INSERT INTO nmsp.service_block (contract_id, scope, reason) SELECT "
                   f"id, '{scope}', 'unpaid' FROM nmsp.contract WHERE number = 'C{customer.number}'")
        return True

    def unblock(self, customer, day, sql):
        open_blocks = [b for b in customer.blocks if b[1] > day and b[0] < day]
        if not open_blocks:
            return False
        open_blocks[0][1] = day
        sql.append("UPDATE nmsp.service_block SET during = tstzrange(lower(during), now()) WHERE "
                   f"upper_inf(during) AND contract_id = "
                   f"(SELECT id FROM nmsp.contract WHERE number = 'C{customer.number}')")
        return True

    def finish(self, customer, day, sql):
        end = day + self.rng.choice((1, 2, 10))
        if customer.end < FOREVER or end <= customer.begin:
            return False
        customer.end = end
        sql.append(f"UPDATE nmsp.contract SET validity = {self.span(customer.begin, end)} "
                   f"WHERE number = 'C{customer.number}'")
        return True

    def move(self, customer, day, sql):
        customer.cmts = next(name for name in SECRETS if name != customer.cmts)
        macs = ", ".join(f"'{mac}'" for _, _, mac in customer.modems)
        sql.append("UPDATE nmsp.modem SET netgw_id = (SELECT id FROM nmsp.netgw WHERE name = "
                   f"'{customer.cmts}') WHERE mac IN ({macs})")
        return True

    def replace(self, customer, day, sql):
        first, after, mac = customer.modems[-1]
        if day <= first or after < FOREVER:
            return False
        customer.modems[-1] = (first, day, mac)
        sql.append(f"UPDATE nmsp.contract_modem SET validity = {self.span(first, day)} "
                   f"WHERE modem_id = (SELECT id FROM nmsp.modem WHERE mac = '{mac}')")
        self.new_modem(customer, day, sql)
        return True

    def pass_day(self, day):
        """Statements of a day; the model has changed with them."""
        sql = []
        for _ in range(CUSTOMERS // 40 if day < 40 else 0):
            self.start(day, sql)
            self.counts["start"] += 1
        happen = {"tariff": 6, "block": 4, "unblock": 4, "finish": 3, "move": 2, "replace": 2}
        for what, times in happen.items():
            pool = [c for c in self.customers if c.begin <= day < c.end]
            if what == "unblock":
                pool = [c for c in pool if any(b[1] > day > b[0] for b in c.blocks)]
            for customer in self.rng.sample(pool, min(times, len(pool))):
                self.counts[what] += getattr(self, what)(customer, day, sql)
        return sql

    def due(self, day):
        """MAC -> what its file must say."""
        return {mac: (customer.service(mac, day), customer.cmts)
                for customer in self.customers for _, _, mac in customer.modems}


class Bed:
    """A server and a feed of files: with `moved` one whose clock can be moved, and nmsp-agent feeds."""

    def __init__(self, stack, moved):
        self.folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="nmsp-days-", ignore_cleanup_errors=True))
        os.chmod(self.folder, 0o755)
        self.root = os.path.join(self.folder, "tftp")
        os.mkdir(self.root)
        self.clock = os.path.join(self.folder, "clock")
        self.set_clock(0)
        self.db = cluster.Cluster(
            {"shared_preload_libraries": "nmsp", "nmsp.databases": "" if moved else "postgres",
             "fsync": "off", "nmsp.feed_roots": self.root},
            environment={"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": self.clock,
                         "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                         "NO_FAKE_STAT": "1"} if moved else None)
        stack.enter_context(self.db)
        self.db.psql("CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END'")
        # about noon where the operator is, so that no midnight comes by itself
        hour = datetime.datetime.now(datetime.timezone.utc).hour
        self.db.psql(f"UPDATE nmsp.setting SET time_zone = 'Etc/GMT{hour - 12:+d}', "
                     f"max_cpe = {BASE_CPE}")
        for number, (name, secret) in enumerate(SECRETS.items(), 1):
            self.db.psql(f"INSERT INTO nmsp.netgw (name) VALUES ('{name}'); "
                         "INSERT INTO nmsp.netgw_secret (netgw_id, shared_secret) "
                         f"SELECT id, '{secret}' FROM nmsp.netgw WHERE name = '{name}'; "
                         "INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end)"
                         f" SELECT id, 'cm', '10.{number}.0.0/16', '10.{number}.0.10', "
                         f"'10.{number}.255.250' FROM nmsp.netgw WHERE name = '{name}'")
        self.db.psql("INSERT INTO nmsp.template (name, device, source) VALUES "
                     f"('cm', 'cm', '{TEMPLATE}'), "
                     "('mta', 'mta', 'SnmpMibObject pktcMtaDevEnabled.0 Integer 1;')")
        for name, rate in RATES.items():
            self.db.psql("INSERT INTO nmsp.service_class (name, ds_rate, us_rate) "
                         f"VALUES ('{name}', {rate}, 1000000)")
        if moved:
            self.start_agent(stack)
        elif os.geteuid() == 0:
            shutil.chown(self.root, "postgres", "postgres")
        settings = json.dumps({"agent": "days"} if moved else {})
        self.db.psql("INSERT INTO nmsp_feed.target (feed, root, settings) "
                     f"VALUES ('tftpd', '{self.root}', '{settings}')")

    def start_agent(self, stack):
        self.db.psql("CREATE ROLE feeder LOGIN; CALL nmsp.grant_to('feeder', 'worker')")
        config = os.path.join(self.folder, "agent.conf")
        with open(config, "w") as file:
            file.write(f"database = host={self.db.sockets} dbname=postgres user=feeder\n"
                       f"feed_agent = days\nfeed_roots = {self.root}\nfeed_poll_ms = 20\n")
        agent = processes.start([agents.binary(), "-f", "-c", config],
                                os.path.join(self.folder, "agent.log"))
        stack.callback(processes.stop, agent)

    def set_clock(self, days):
        """The server's clock, ahead of ours by so many days."""
        new = self.clock + ".new"
        with open(new, "w") as file:
            file.write(f"+{days * 86400}\n")
        os.chmod(new, 0o644)
        os.rename(new, self.clock)

    def settle(self):
        """Waits until the feed has everything in place."""
        return wait_until(
            lambda: self.db.query("SELECT state, queue, error FROM nmsp_feed.status"),
            lambda rows: rows and rows[0] == ["in step", "0", None], 30, "files in step", 0.02)

    def files(self):
        """MAC -> bytes of its file."""
        answer = {}
        for mac, path in self.db.query(
                "SELECT m.mac, nmsp.modem_path(m.id, NULL) FROM nmsp.modem m"):
            with open(os.path.join(self.root, path), "rb") as file:
                answer[mac] = file.read()
        return answer


def said(content, secret):
    """What a file says, read by the independent checker: as Customer.service."""
    report = docsis_check.check(content, secret)
    rates = report.rates["ds"]
    macs = tuple(":".join(f"{byte:02x}" for byte in tlv.value)
                 for tlv in report.tlvs if tlv.type == 14)
    return bool(report.network_access), report.max_cpe, rates[0] if rates else None, macs


def sixty_days(t, bed, rng):
    days = Days(rng)
    wrong, astray, written, longest = [], [], 0, 0.0
    files, due = {}, {}
    for day in range(DAYS):
        bed.set_clock(day)
        if day == 0:
            days.zero = datetime.date.fromisoformat(
                bed.db.value("SELECT nmsp.day(clock_timestamp())"))
        statements = days.pass_day(day)
        bed.db.psql("BEGIN; " + "; ".join(statements) + "; COMMIT")
        begin = time.monotonic()
        bed.settle()
        longest = max(longest, time.monotonic() - begin)
        now, now_due = bed.files(), days.due(day)
        for mac, (service, cmts) in now_due.items():
            if said(now[mac], SECRETS[cmts]) != service:
                wrong.append((day, mac, said(now[mac], SECRETS[cmts]), service))
        changed = {mac for mac in now if now[mac] != files.get(mac)}
        affected = {mac for mac in now_due if now_due[mac] != due.get(mac)}
        if changed != affected:
            astray.append((day, sorted(changed ^ affected)[:3]))
        written += len(changed)
        files, due = now, now_due
    t.diag(f"{DAYS} days, {len(days.customers)} customers, {len(files)} modems; "
           + ", ".join(f"{what} {n}" for what, n in sorted(days.counts.items()))
           + f"; {written} files changed; longest wait {longest:.2f} s")
    t.is_(len(days.customers), CUSTOMERS, f"{CUSTOMERS} customers")
    t.is_(wrong[:3], [], "on each day every file is what the model says")
    t.is_(astray[:3], [], "on each day only files of those whom something happened to change")
    t.ok(all(days.counts[what] > 20 for what in
             ("start", "tariff", "block", "unblock", "finish", "move", "replace", "porting")),
         "everything happened", days.counts)
    t.is_(bed.db.query("SELECT count(*) FROM nmsp.modem_service s JOIN nmsp.modem m ON m.id = "
                       "s.modem_id WHERE s.why IS NULL"), [["0"]], "there is always a reason")


def by_itself(t, bed):
    """A block that begins and ends while nobody does anything."""
    bed.db.psql("INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT '02:00:00:00:00:01', "
                "g.id, t.id FROM nmsp.netgw g, nmsp.template t WHERE g.name = 'cmts-1' AND t.name = 'cm'")
    bed.settle()
    mac, path = bed.db.query("SELECT m.mac, nmsp.modem_path(m.id, NULL) FROM nmsp.modem m")[0]
    path = os.path.join(bed.root, path)

    def lets_through():
        with open(path, "rb") as file:
            return dict((tlv.type, tlv.value) for tlv in docsis_check.walk(file.read()))[3] == b"\1"

    t.ok(lets_through(), "a modem with internet")
    bed.db.psql("INSERT INTO nmsp.service_block (modem_id, during, reason) SELECT id, "
                "tstzrange(clock_timestamp() + interval '2 s', clock_timestamp() + interval '4 s'), "
                f"'test' FROM nmsp.modem WHERE mac = '{mac}'")
    begin = time.monotonic()
    wait_until(lets_through, lambda yes: not yes, 10, "the block", 0.005)
    late = time.monotonic() - begin - 2
    t.ok(-0.1 < late < 1, f"a block begins by itself within a second: {late * 1000:.0f} ms", late)
    wait_until(lets_through, bool, 10, "its end", 0.005)
    late = time.monotonic() - begin - 4
    t.ok(-0.1 < late < 1, f"and ends: {late * 1000:.0f} ms", late)


def story(t, stack):
    if not os.path.exists(FAKETIME):
        tap.require(f"no {FAKETIME} (package faketime)")
    seed = int(os.environ.get("NMSP_SEED", "20260101"))
    t.diag(f"NMSP_SEED={seed}")
    sixty_days(t, Bed(stack, True), random.Random(seed))
    by_itself(t, Bed(stack, False))


if __name__ == "__main__":
    tap.main(story)
