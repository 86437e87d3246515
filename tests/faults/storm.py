"""A storm of changes: random, seeded, one after the other, each a transaction of its own.

    storm = Storm(db, seed).start()
    ...
    storm.stop()
    storm.acknowledged      # what the database confirmed must still be there: see `lost`

The server may be killed at any moment: the storm connects again and goes on.
"""

import random
import threading

from cluster import SqlError

FEWEST, MOST = 120, 260
KEPT = 8  # the first modems stay: some tests want them by name


def pick(rng, table="modem", where="true", over=FEWEST):
    """SQL of the id of some row."""
    return (f"(SELECT id FROM nmsp.{table} WHERE {where} ORDER BY id "
            f"OFFSET {rng.randrange(over)} % greatest((SELECT count(*) FROM nmsp.{table} "
            f"WHERE {where}), 1) LIMIT 1)")


def option(rng):
    """A template variable of one modem."""
    return (f"INSERT INTO nmsp.modem_option VALUES ({pick(rng)}, 'place', 'p{rng.randrange(10**6)}')"
            " ON CONFLICT (modem_id, key) DO UPDATE SET value = excluded.value")


def modem(rng):
    """A modem's service."""
    what = rng.choice([f"service_class_id = {pick(rng, 'service_class', over=3)}",
                       f"template_id = {pick(rng, 'template', over=2)}",
                       "internet_access = NOT internet_access", "public_cpe = NOT public_cpe",
                       f"netgw_id = {pick(rng, 'netgw', over=2)}, address = NULL",
                       f"mac = '02:00:07:{rng.randrange(256):02x}:{rng.randrange(256):02x}:01'"])
    return f"UPDATE nmsp.modem SET {what} WHERE id = {pick(rng, where=f'id > {KEPT}')}"


def new_modem(rng):
    """A few new modems, unless there are many."""
    mac = f"02:00:08:{rng.randrange(256):02x}:{rng.randrange(256):02x}:"
    return ("INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id) "
            f"SELECT ('{mac}' || lpad(to_hex(g), 2, '0'))::macaddr, {pick(rng, 'netgw', over=2)}, "
            f"{pick(rng, 'template', over=2)}, {pick(rng, 'service_class', over=3)} "
            f"FROM generate_series(1, {rng.choice([1, 1, 1, 20])}) g "
            f"WHERE (SELECT count(*) FROM nmsp.modem) < {MOST}")


def drop_modem(rng):
    """Fewer modems, unless there are few."""
    return (f"DELETE FROM nmsp.modem WHERE id IN (SELECT id FROM nmsp.modem WHERE id > {KEPT} "
            f"ORDER BY id OFFSET {rng.randrange(80)} LIMIT {rng.choice([1, 1, 1, 10])}) "
            f"AND (SELECT count(*) FROM nmsp.modem) > {FEWEST}")


def address(rng):
    """A modem's fixed address: another one, or none."""
    row = pick(rng, where="id > 2")
    if rng.random() < 0.2:
        return f"UPDATE nmsp.modem SET address = NULL WHERE id = {row}"
    return ("UPDATE nmsp.modem m SET address = nmsp.allocate_address((SELECT p.id FROM nmsp.pool p "
            "WHERE p.netgw_id = m.netgw_id AND p.purpose = 'cm' AND p.range_start IS NOT NULL "
            f"ORDER BY p.id LIMIT 1)) WHERE id = {row}")


def endpoint(rng):
    """A CPE with a fixed address comes, goes or is renamed."""
    number = rng.randrange(30)
    return rng.choice([
        "INSERT INTO nmsp.endpoint (name, modem_id, mac, address) SELECT "
        f"'host-{number}', m.id, '0a:00:00:00:00:{number:02x}', nmsp.allocate_address(p.id) "
        "FROM nmsp.modem m JOIN nmsp.pool p ON p.netgw_id = m.netgw_id AND p.purpose = 'cpe_public' "
        f"WHERE m.id = {pick(rng)}",
        f"DELETE FROM nmsp.endpoint WHERE name LIKE '%-{number}'",
        f"UPDATE nmsp.endpoint SET name = 'box-{number}' WHERE name = 'host-{number}'"])


def service_class(rng):
    """One row, many files."""
    return (f"UPDATE nmsp.service_class SET ds_rate = {rng.randrange(1, 2**31)} "
            f"WHERE id = {pick(rng, 'service_class', over=3)}")


def template(rng):
    """A template's text: the part that the storm owns."""
    return ("UPDATE nmsp.template SET source = regexp_replace(source, 'noc[0-9]*@', "
            f"'noc{rng.randrange(10**6)}@') WHERE id = {pick(rng, 'template', over=2)}")


def secret(rng):
    """A CMTS's secret, or the operator's communities."""
    if rng.random() < 0.3:
        return f"UPDATE nmsp.setting_secret SET ro_community = 'ro{rng.randrange(10**6)}'"
    return (f"UPDATE nmsp.netgw_secret SET shared_secret = 'secret {rng.randrange(10**6)}' "
            f"WHERE netgw_id = {pick(rng, 'netgw', over=2)}")


def setting(rng):
    """A setting that every file or every pool depends on."""
    return "UPDATE nmsp.setting SET " + rng.choice([
        f"max_cpe = {rng.randrange(1, 200)}", f"default_lease_time = {rng.randrange(600, 7000)}",
        f"dns_server = '{{9.9.9.{rng.randrange(1, 255)}}}'", f"dns_ttl = {rng.randrange(60, 600)}"])


def pool(rng):
    """The structure of DHCP: an option of a pool, or a pool more or less."""
    number = rng.randrange(4)
    return rng.choice([
        f"UPDATE nmsp.pool SET lease_time = {rng.randrange(600, 7000)} "
        f"WHERE id = {pick(rng, 'pool', over=8)}",
        "INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES "
        f"({pick(rng, 'netgw', over=2)}, 'cm', '10.77.{number}.0/24', '10.77.{number}.10', "
        f"'10.77.{number}.99', '10.77.{number}.1')",
        f"DELETE FROM nmsp.pool WHERE network = '10.77.{number}.0/24'"])


def swap(rng):
    """Two rows in one transaction: readers must see both or neither."""
    return f"BEGIN; {option(rng)}; {modem(rng)}; {option(rng)}; COMMIT"


def never(rng):
    """What is rolled back must not be seen."""
    return f"BEGIN; {service_class(rng)}; {drop_modem(rng)}; ROLLBACK"


CHANGES = ([option] * 30 + [modem] * 20 + [new_modem] * 10 + [drop_modem] * 8 + [address] * 10
           + [endpoint] * 8 + [service_class] * 4 + [template] * 2 + [secret] * 2 + [setting] * 2
           + [pool] * 2 + [swap] * 3 + [never] * 2)


# A row that says which transaction made the tick: what a target has confirmed can be told from it.
TABLE = """CREATE TABLE IF NOT EXISTS public.tick (n bigint PRIMARY KEY, xid xid8 DEFAULT pg_current_xact_id())"""
TICK = """WITH o AS (INSERT INTO nmsp.modem_option VALUES (1, 'tick', 'tick-{n}-')
                     ON CONFLICT (modem_id, key) DO UPDATE SET value = excluded.value)
          INSERT INTO public.tick VALUES ({n}) RETURNING n"""


class Storm:
    """See the module. `committed` and `refused` count statements."""

    def __init__(self, db, seed):
        self.db, self.rng = db, random.Random(seed)
        self.committed = self.refused = self.broken = 0
        self.acknowledged = 0
        db.psql(TABLE)
        self._tick = int(db.value("SELECT coalesce(max(n), 0) FROM public.tick"))
        self._over = threading.Event()
        self._thread = None

    def start(self):
        """Begins, or goes on; returns self."""
        self._over.clear()
        self._thread = threading.Thread(target=self._run, daemon=True, name="storm")
        self._thread.start()
        return self

    def stop(self):
        """Ends it; the statement under way is waited for."""
        self._over.set()
        self._thread.join()
        return self

    def lost(self):
        """How many confirmed commits the database has forgotten: 0 or more."""
        return max(0, self.acknowledged - int(self.db.value("SELECT max(n) FROM public.tick") or 0))

    def _run(self):
        while not self._over.is_set():
            try:
                with self.db.session() as session:
                    self._blow(session)
            except (SqlError, OSError, ValueError):
                self.broken += 1
                self._over.wait(0.05)

    def _blow(self, session):
        while not self._over.is_set():
            self._tick += 1
            answer = session.run(TICK.format(n=self._tick))
            if answer.strip() != str(self._tick):
                raise SqlError(answer)
            self.acknowledged = self._tick
            for _ in range(5):
                self._one(session, self.rng.choice(CHANGES)(self.rng))

    def _one(self, session, sql):
        try:
            session.run(sql)
            self.committed += 1
        except SqlError:
            if session.process.poll() is not None:
                raise
            self.refused += 1
            session.run("ROLLBACK")
