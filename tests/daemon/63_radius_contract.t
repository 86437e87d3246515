#!/usr/bin/python3
"""A real FreeRADIUS lets PPPoE accounts in as their contracts say: at each request anew, by the
clock too, and with nothing restarted."""

import contextlib
import os
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))

import cluster  # noqa: E402
import netns  # noqa: E402
import processes  # noqa: E402
import radius  # noqa: E402
import tap  # noqa: E402
from waiting import wait_until  # noqa: E402

SETTINGS = {"shared_preload_libraries": "nmsp", "nmsp.databases": ""}
SECRET = "the-secret-of-bras-1"
ACCEPT, REJECT = "Access-Accept", "Access-Reject"
TODAY = "nmsp.day(now())"
AHEAD = 2  # seconds to a change that happens by itself


def missing():
    return netns.available() or radius.missing() or cluster.missing()


class Bed:
    """One gateway, two service classes, customers `anna` and `bert` with a contract and an account
    each (the contract's id is the account's)."""

    def __init__(self, stack):
        self.db = stack.enter_context(cluster.Cluster(SETTINGS))
        self.sql, self.value = self.db.psql, self.db.value
        self.net = stack.enter_context(netns.Network(prefix="nmspppp"))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-ppp-"))
        os.chmod(folder, 0o755)
        space = self.net.add_cmts("bras-1")
        self.nas = radius.Nas(space, self.net.server_address, SECRET, space.uplink)
        self.rows()
        self.server = stack.enter_context(radius.Freeradius(self.net.server, folder, self.db))
        self.pid = self.server.pid
        self.asker = stack.enter_context(contextlib.closing(radius.Asker(self.nas)))

    def rows(self):
        self.sql(f"""
            CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END';
            CREATE ROLE freerad LOGIN; CALL nmsp.grant_to('freerad', 'radius');
            INSERT INTO nmsp.netgw (name, kind, address)
                VALUES ('bras-1', 'bras', '{self.nas.source}');
            INSERT INTO nmsp.netgw_secret (netgw_id, radius_secret) VALUES (1, '{SECRET}');
            INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end)
                VALUES (1, 'cpe_private', '100.64.0.0/24', '100.64.0.10', '100.64.0.99'),
                       (1, 'cpe_public', '203.0.113.0/24', '203.0.113.10', '203.0.113.99');
            UPDATE nmsp_radius.setting SET framed_pool_private = 'private', framed_pool_public = 'public';
            INSERT INTO nmsp.service_class (name, ds_rate, us_rate)
                VALUES ('gold', 100000000, 10000000), ('silver', 50000000, 5000000);
            INSERT INTO nmsp.customer (number, name) VALUES ('1', 'Anna'), ('2', 'Bert');
            INSERT INTO nmsp.contract (number, customer_id, validity)
                SELECT 'C-' || id, id, daterange({TODAY} - 100, NULL) FROM nmsp.customer;
            INSERT INTO nmsp.entitlement (contract_id, kind, service_class_id)
                SELECT id, 'internet', 1 FROM nmsp.contract;
            INSERT INTO nmsp.ppp_account (username, netgw_id, contract_id)
                VALUES ('anna', 1, 1), ('bert', 1, 2);
            INSERT INTO nmsp.ppp_account_secret SELECT id, 'pw-' || username FROM nmsp.ppp_account;
        """)

    def answer(self, who="anna"):
        return self.nas.auth(who, f"pw-{who}")

    def code(self, who="anna"):
        return self.answer(who).code

    def rate(self, who="anna"):
        """Downstream rate of the group that an account is in."""
        return self.answer(who).attributes.get("Ascend-Xmit-Rate")

    def why(self, who="anna"):
        return self.value(f"SELECT why FROM nmsp.ppp_service WHERE username = '{who}'")

    def moment(self, seconds):
        """(text, epoch) of a moment that many seconds ahead, on a whole second."""
        text, epoch = self.db.query(
            "SELECT at, extract(epoch FROM at) FROM (SELECT "
            f"date_trunc('second', clock_timestamp()) + interval '{seconds} s' AS at) m")[0]
        return text, float(epoch)

    def turns(self, before, after, at):
        """Asks again and again: (answers before the moment, first answer `after`: seconds past it)."""
        early = []

        def ask():
            code = self.asker.ask("anna", "pw-anna")
            answered = time.time()  # what was asked before the moment may be decided after it
            if answered < at:
                early.append(code)
            return (answered, code)

        answered, _ = wait_until(ask, lambda got: got[1] == after, AHEAD + 8, f"{before} -> {after}",
                              interval=0.01)
        return set(early), answered - at

    def trouble(self):
        return f"-- freeradius\n{self.server.tail(30)}\n-- server log\n{self.db.log_tail(15)}"


def contract(t, bed):
    answer = bed.answer()
    t.is_([answer.code, answer.attributes.get("Ascend-Xmit-Rate"),
           answer.attributes.get("Framed-Pool")], [ACCEPT, ["100000000"], ["private"]],
          "an account under a contract logs in, in the group of the contract's service class")
    states = (
        ("a contract that has ended", "UPDATE nmsp.contract SET validity = daterange({day} - 100, "
         "{day}) WHERE id = 1", "contract C-1 is not in force on this day"),
        ("one that begins tomorrow", "UPDATE nmsp.contract SET validity = daterange({day} + 1, "
         "NULL) WHERE id = 1", "contract C-1 is not in force on this day"),
        ("one without internet", "DELETE FROM nmsp.entitlement WHERE contract_id = 1",
         "contract C-1 has no internet on this day"),
        ("one whose internet ended yesterday", "UPDATE nmsp.entitlement SET validity = "
         "daterange(NULL, {day}) WHERE contract_id = 1", "contract C-1 has no internet on this day"),
        ("one whose internet begins tomorrow", "UPDATE nmsp.entitlement SET validity = "
         "daterange({day} + 1, NULL) WHERE contract_id = 1", "contract C-1 has no internet on this day"),
        ("a blocked contract", "INSERT INTO nmsp.service_block (contract_id, reason) VALUES "
         "(1, 'unpaid')", "blocked: unpaid"),
        ("one blocked for internet only", "INSERT INTO nmsp.service_block (contract_id, scope, "
         "reason) VALUES (1, 'internet', 'abuse')", "blocked: abuse"),
        ("an account switched off", "UPDATE nmsp.ppp_account SET internet_access = false WHERE "
         "username = 'anna'", "switched off in its own row (internet_access)"))
    for name, change, why in states:
        bed.sql(change.format(day=TODAY))
        t.is_([bed.code(), bed.why(), bed.code("bert")], [REJECT, why, ACCEPT],
              f"{name}: refused, another's goes on")
        bed.sql(restore())
        t.is_([bed.code(), bed.why()], [ACCEPT, "contract C-1"], "and over: accepted")


def restore():
    """Statements that make contract 1 what it was in the beginning."""
    return (f"UPDATE nmsp.contract SET validity = daterange({TODAY} - 100, NULL) WHERE id = 1; "
            "DELETE FROM nmsp.entitlement WHERE contract_id = 1; INSERT INTO nmsp.entitlement "
            "(contract_id, kind, service_class_id) VALUES (1, 'internet', 1); "
            "DELETE FROM nmsp.service_block; UPDATE nmsp.ppp_account SET internet_access = true")


def group(t, bed):
    bed.sql("UPDATE nmsp.entitlement SET service_class_id = 2 WHERE contract_id = 1")
    t.is_([bed.rate(), bed.rate("bert")], [["50000000"], ["100000000"]],
          "another tariff: its group at the next request, only for this contract")
    bed.sql(f"UPDATE nmsp.entitlement SET validity = daterange(NULL, {TODAY}) WHERE contract_id = 1; "
            "INSERT INTO nmsp.entitlement (contract_id, kind, service_class_id, validity) VALUES "
            f"(1, 'internet', 1, daterange({TODAY}, NULL)); "
            "INSERT INTO nmsp.entitlement (contract_id, kind) VALUES (1, 'public_cpe')")
    answer = bed.answer()
    t.is_([answer.attributes.get("Ascend-Xmit-Rate"), answer.attributes.get("Framed-Pool")],
          [["100000000"], ["public"]], "of two tariffs that of this day; a public address with it")
    bed.sql("UPDATE nmsp.ppp_account SET contract_id = NULL, service_class_id = 2 "
            "WHERE username = 'bert'")
    t.is_(bed.rate("bert"), ["50000000"], "without a contract its own row decides")


def clock(t, bed):
    text, at = bed.moment(AHEAD)
    end, end_at = bed.moment(2 * AHEAD)
    bed.sql("INSERT INTO nmsp.service_block (contract_id, reason, during) VALUES "
            f"(1, 'unpaid', tstzrange('{text}', '{end}'))")
    early, delay = bed.turns(ACCEPT, REJECT, at)
    t.ok(early == {ACCEPT} and 0 <= delay < 1, "a block that begins by itself is in force at the "
         "next request", early, delay)
    again, over = bed.turns(REJECT, ACCEPT, end_at)
    t.ok(again == {REJECT} and 0 <= over < 1, "and ends by itself", again, over)
    t.diag(f"begin of the block -> first request that is refused: {1000 * delay:.1f} ms; "
           f"end -> first that is accepted: {1000 * over:.1f} ms")


def midnight(t, bed):
    """The operator's time zone is turned so that its midnight comes in a moment. No zone of the
    world is such a one: the check of its name is left out."""
    _, at = bed.moment(AHEAD)
    east = -int(at) % 86400
    east -= 86400 if east > 43200 else 0
    sign, seconds = "+-"[east > 0], abs(east)  # POSIX: positive is west of Greenwich
    zone = f"<nmsp>{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    bed.sql("BEGIN; SET LOCAL session_replication_role = replica; UPDATE nmsp.setting SET "
            f"time_zone = '{zone}'; COMMIT; UPDATE nmsp.contract SET validity = "
            f"daterange({TODAY} - 100, {TODAY} + 1) WHERE id = 1")
    early, delay = bed.turns(ACCEPT, REJECT, at)
    t.ok(early == {ACCEPT} and 0 <= delay < 1, "the day after a contract's last one begins: "
         "refused from its midnight on", early, delay)
    t.diag(f"midnight -> first request that is refused: {1000 * delay:.1f} ms")
    bed.sql("UPDATE nmsp.setting SET time_zone = 'UTC'; " + restore())


def story(t, stack):
    tap.require(missing())
    bed = Bed(stack)
    stack.callback(lambda: t.diag(bed.trouble()) if t.failed or sys.exc_info()[0] else None)
    for part in (contract, group, clock, midnight):
        part(t, bed)
    t.ok(bed.server.pid == bed.pid and processes.alive(bed.pid),
         "FreeRADIUS is the same process from first to last")
    t.is_(bed.db.query("SELECT component, message FROM nmsp.health() WHERE state <> 'ok'"), [],
          "nmsp.health() has no complaint")


tap.main(story)
