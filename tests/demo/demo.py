#!/usr/bin/python3
"""The demo: a small operator whose network does what the rows say. See demo.sh."""

import contextlib
import difflib
import os
import shutil
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import keeper  # noqa: E402  (also the way to tests/lib and tests/modem)
import cluster  # noqa: E402
import modem  # noqa: E402
import tftp  # noqa: E402
from waiting import Timeout, wait_until  # noqa: E402

SECRETS = {"cmts-1": "secret of the first", "cmts-2": "secret of the second"}
MODEMS = {"02:00:00:00:00:01": "cmts-1", "02:00:00:00:00:02": "cmts-1",
          "02:00:00:00:00:03": "cmts-2"}

PLANT = """\
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1'), ('cmts-2');
INSERT INTO nmsp.netgw_secret VALUES (1, 'secret of the first'), (2, 'secret of the second');
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES
    (1, 'cm',          '10.1.0.0/20',   '10.1.0.10',   '10.1.15.250',  '10.1.0.1'),
    (1, 'cpe_private', '100.64.4.0/22', '100.64.4.10', '100.64.7.250', '100.64.4.1'),
    (2, 'cm',          '10.2.0.0/20',   '10.2.0.10',   '10.2.15.250',  '10.2.0.1');
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES
    ('100/10', 100000000, 10000000), ('500/50', 500000000, 50000000);
INSERT INTO nmsp.template (name, source) VALUES ('base', '
    UsServiceFlow
    {
        UsServiceFlowRef 1;
        QosParamSetType 7;
        MaxRateSustained {qos.us_rate_max_help.0};
    }
    DsServiceFlow
    {
        DsServiceFlowRef 2;
        QosParamSetType 7;
        MaxRateSustained {qos.ds_rate_max_help.0};
    }
    SnmpMibObject sysContact.0 String "noc@example.net";
');
"""

FEEDS = """\
INSERT INTO nmsp_feed.target (feed, root) VALUES
    ('tftpd', '{tftp_root}'),
    ('dhcpd', '{dhcpd_root}');
"""

ROWS = """\
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, address) VALUES
    ('02:00:00:00:00:01', 1, 1, 1, NULL),
    ('02:00:00:00:00:02', 1, 1, 2, nmsp.allocate_address(1)),
    ('02:00:00:00:00:03', 2, 1, 1, NULL);
"""

CHANGE = "UPDATE nmsp.modem SET service_class_id = 2 WHERE mac = '02:00:00:00:00:01';"

QUERIES = """\
SELECT * FROM nmsp.health();
SELECT feed, state, lag, artifacts, applied_at FROM nmsp_feed.status;
SELECT id, mac, address, netgw_id, service_class_id FROM nmsp.modem;
SELECT nmsp.modem_config(1);
SELECT path, name, value FROM docsis.tlvs(nmsp.modem_config(1));
UPDATE nmsp.service_class SET ds_rate = 250000000 WHERE name = '100/10';"""


class Demo:
    """The running demo, seen from outside: its database and its CMTSs."""

    def __init__(self, state, stack):
        self.state = state
        self.db = cluster.Cluster.attached(state["bindir"], state["sockets"])
        self.cmts = {name: stack.enter_context(modem.Cmts(
            name, state["server"], keeper.CMTS[name][0], SECRETS[name], space))
            for name, space in state["spaces"].items()}

    def sql(self, text):
        """Shows SQL and runs it."""
        for line in text.rstrip().splitlines():
            print(f"    {line}")
        self.db.psql(text)

    def device(self, mac, name=None):
        return modem.CableModem(mac, self.cmts[name or MODEMS[mac]])

    def boot(self, mac):
        """Boots a modem as soon as DHCP knows it."""
        device = self.device(mac)
        device.client.timeout, device.client.tries = 0.1, 1
        return wait_until(device.boot, deadline=30, what=f"boot of {mac}", interval=0)

    def fetch(self, result):
        """The file of a booted modem as tftpd serves it now."""
        return tftp.fetch(self.state["server"], result.file,
                          enter=self.cmts[MODEMS[result.mac]].entered).data

    def decoded(self, result):
        """The bytes a modem got, as text."""
        text = self.db.value(
            f"SELECT docsis.text('\\x{result.config.hex()}'::bytea::docsis.config)")
        return text.splitlines(keepends=True)


def title(text):
    print(f"\n== {text}\n")


def rate(bits):
    return f"{bits[0] / 1e6:g} Mbit/s" if bits else "-"


def table(rows):
    """Rows of cells, the first is the head -> aligned lines."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def show(results):
    """What each modem got. A modem with a wrong MIC would not have come this far."""
    rows = [("MAC", "CMTS", "address", "file", "bytes", "CM MIC", "CMTS MIC", "down", "up",
             "DHCP", "TFTP")]
    for r in results:
        rows.append((r.mac, MODEMS[r.mac], r.address, r.file, str(len(r.config)), "right", "right",
                     rate(r.rates["ds"]), rate(r.rates["us"]),
                     f"{r.ms['offer'] + r.ms['ack']:.1f} ms", f"{r.ms['tftp']:.1f} ms"))
    table(rows)


def first_boots(demo):
    title("1. Two CMTSs with secrets of their own, pools, service classes, a template")
    demo.sql(PLANT)
    title("2. The daemons that are to be fed")
    demo.sql(FEEDS.format(**demo.state))
    title("3. Three modems: a row each is all it takes")
    demo.sql(ROWS)
    begin = time.monotonic()
    results = [demo.boot(mac) for mac in MODEMS]
    print(f"\n    {(time.monotonic() - begin) * 1000:.0f} ms after the commit all three have "
          "booted: an address from dhcpd,\n    a file from tftpd, and each modem and its CMTS "
          "checked the file's MICs.\n")
    show(results)
    cpe = modem.Cpe("06:00:00:00:00:01", demo.cmts["cmts-1"], modem_mac=results[0].mac).boot()
    print(f"\n    A customer's router behind the first modem gets {cpe.address}.")
    return results


def change(demo, before):
    title("4. One modem gets another service class")
    demo.sql(CHANGE)
    begin = time.monotonic()
    wait_until(lambda: demo.fetch(before), lambda data: data != before.config, 30, "the new file",
               interval=0)
    print(f"\n    {(time.monotonic() - begin) * 1000:.0f} ms after the commit tftpd serves the new "
          "file. The modem boots again:\n")
    after = demo.boot(before.mac)
    show([after])
    print("\n    What changed in its file:\n")
    for line in difflib.unified_diff(demo.decoded(before), demo.decoded(after),
                                     f"{before.file} before", f"{before.file} after"):
        print("    " + line.rstrip("\n"))


def look_around(demo):
    title("5. Look around")
    state = demo.state
    sudo = "sudo " if shutil.which("sudo") else ""
    repository = os.path.dirname(os.path.dirname(keeper.HERE))
    print("    Everything keeps running. The database:\n")
    print(f"        {sudo}{state['bindir']}/psql -h {state['sockets']} -U postgres postgres\n")
    for line in QUERIES.splitlines():
        print(f"            {line}")
    print("\n    Boot the first modem once more, by hand:\n")
    print(f"        {sudo}ip netns exec {state['spaces']['cmts-1']} python3 "
          f"{repository}/tests/modem/modem.py \\\n            --server {state['server']} --giaddr "
          f"{keeper.CMTS['cmts-1'][0]} --secret '{SECRETS['cmts-1']}' 02:00:00:00:00:01\n")
    print(f"    Files: {state['tftp_root']}, {state['dhcpd_root']}/current\n"
          f"    Log of dhcpd: {state['dhcpd_log']}\n"
          f"    The end: {sudo}make demo-stop")


def run():
    """The whole demo."""
    begin = time.monotonic()
    print("Starting a private database, dhcpd and tftpd in network namespaces of their own "
          f"({keeper.FOLDER}) ...", flush=True)
    state = keeper.start()
    print(f"running after {time.monotonic() - begin:.1f} s; CREATE EXTENSION nmsp CASCADE and "
          "SELECT nmsp.migrate() are done")
    with contextlib.ExitStack() as stack:
        demo = Demo(state, stack)
        results = first_boots(demo)
        change(demo, results[0])
        look_around(demo)


def main(words):
    """Command line: nothing, stop, or keep (the daemons' parent)."""
    if os.geteuid() != 0:
        raise keeper.Problem("The demo makes network namespaces: run it with sudo.")
    if words == ["keep"]:
        keeper.keep()
    elif words == ["stop"]:
        print("The demo is gone." if keeper.stop() else "No demo runs here.")
    elif not words:
        run()
    else:
        raise keeper.Problem("Say nothing (to run the demo) or stop.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except keeper.Problem as problem:
        sys.exit(str(problem))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. What runs, keeps running: sudo make demo-stop takes it away.")
    except (Timeout, modem.BootError, cluster.SqlError) as error:
        sys.exit(f"{error}\n\nThe demo did not get through; the logs are in {keeper.FOLDER} "
                 "(isp/pg/server.log, isp/run). sudo make demo-stop takes it away.")
