#!/usr/bin/python3
"""A firmware campaign for 500 modems of which 3 % do not take the image: canaries, abort, resume. The
modems load their configfiles from nmsp-agent, and the image that these name, whose certificate and
digest they check; then they report a version. Time is the story's: it says what moment it is."""

import concurrent.futures
import datetime
import hashlib
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import agents  # noqa: E402
import docsis_check  # noqa: E402
import isp as isps  # noqa: E402
import tap  # noqa: E402
import tftp  # noqa: E402
from cluster import literal  # noqa: E402
from waiting import wait_until  # noqa: E402

MODEMS, BATCH, CANARIES, PARALLEL = 500, 100, 25, 8
SECRET, NEW, OLD = "a secret", "2.0", "1.0"
IMAGE, GIANT, GIANT_SIZE = "modem-2.0.bin", "giant.bin", 20_000_000
FILE, SERVER, CVC = 9, 21, 32


def code_file(folder, body):
    """A code file as manufacturers make them, PKCS#7 SignedData and the image -> (file, CVC)."""
    def run(*argv):
        return subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True).stdout
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-days", "30",
        "-subj", "/O=Modem Works/CN=Code Verification Certificate", "-out", "cvc.pem")
    with open(os.path.join(folder, "body"), "wb") as file:
        file.write(body)
    head = run("smime", "-sign", "-binary", "-noattr", "-in", "body", "-signer", "cvc.pem",
               "-inkey", "key.pem", "-outform", "DER")
    return head + body, run("x509", "-in", "cvc.pem", "-outform", "DER")


class Bed:
    def __init__(self, stack):
        self.isp = isp = isps.Isp(stack, settings={"unix_socket_permissions": "0777"},
                                  name="nmspfw")
        isp.tftpd.stop()
        self.sql, self.query, self.value = isp.db.psql, isp.db.query, isp.db.value
        self.folder = os.path.join(isp.folder, "images")
        os.makedirs(os.path.join(self.folder, "fw"))
        os.chmod(self.folder, 0o755)
        agents.make_role(isp.db)
        self.cmts = isp.add_cmts("cmts-1", SECRET)
        template = isp.add_template("base", isp.TEMPLATE)
        self.sql(f"INSERT INTO nmsp.modem (mac, netgw_id, template_id, address) SELECT "
                 f"('02:00:00:01:'||lpad(to_hex(n/256),2,'0')||':'||lpad(to_hex(n%256),2,'0'))"
                 f"::macaddr, {self.cmts.id}, {template}, '10.1.4.0'::inet + n "
                 f"FROM generate_series(1, {MODEMS}) n")
        self.modems = {int(row[0]): row[1:] for row in self.query(
            "SELECT id, mac, host(address) FROM nmsp.modem")}
        self.start = datetime.datetime.now(datetime.timezone.utc)
        self.now = self.start
        self.agent = stack.enter_context(agents.Agent(
            isp.net.server, isp.run_folder, isp.db.sockets, download_listen="*:69",
            download_rate=0, download_folder=self.folder, download_windowsize=32))
        self.bad = set()
        self.problems = []

    def wait(self, **time):
        self.now += datetime.timedelta(**time)

    def advance(self):
        """One step of all campaigns at the story's moment -> [released, finished]."""
        return [int(n) for n in self.query(
            f"SELECT released, finished FROM nmsp.advance_campaigns('{self.now}')")[0]]

    def progress(self):
        return self.query("SELECT state, waiting, released, done, failed, absent "
                          "FROM nmsp.firmware_campaign_progress")[0]

    def report(self, versions):
        """Modem id -> version, as a poller hands them over."""
        if not versions:
            return
        rows = ", ".join(f"({literal(self.modems[key][0])}::macaddr, {literal(version)})"
                         for key, version in versions.items())
        self.sql("SELECT nmsp.report_versions(array_agg(m), array_agg(v), array_agg('Modem Works'::"
                 f"text), array_agg('MW-3000'::text), array_agg('{self.now}'::timestamptz)) "
                 f"FROM (VALUES {rows}) x(m, v)")

    def load(self, key, name, **options):
        return tftp.fetch(self.isp.net.server_address, name, source=self.modems[key][1],
                          enter=self.cmts.relay.entered, **options).data

    def settings(self, key):
        """Boots a modem -> its settings by code, values of repeated ones joined."""
        data = self.load(key, f"cm/cm-{key}.cfg")
        found = {}
        for tlv in docsis_check.check(data, SECRET).tlvs:
            found[tlv.type] = found.get(tlv.type, b"") + tlv.value
        return found

    def upgrade(self, key):
        """What a modem does with its configfile -> the version it comes back with."""
        found = self.settings(key)
        if FILE not in found:
            return None
        if found[SERVER] != bytes(map(int, self.isp.net.server_address.split("."))):
            self.problems.append(f"server {found[SERVER]!r}")
        if found[CVC] != self.cvc:
            self.problems.append("another certificate")
        image = self.load(key, found[FILE].decode(), windowsize=32)
        if hashlib.sha256(image).digest() != self.digest:
            self.problems.append("another image")
        return OLD if key in self.bad else NEW

    def boot(self, keys):
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            return dict(zip(keys, pool.map(self.upgrade, keys)))

    def in_state(self, state):
        return [int(row[0]) for row in self.query(
            f"SELECT modem_id FROM nmsp.firmware_campaign_modem WHERE state = '{state}' "
            "ORDER BY turn")]


def register(t, bed):
    with tempfile.TemporaryDirectory() as folder:
        content, bed.cvc = code_file(folder, os.urandom(60_000))
    bed.digest = hashlib.sha256(content).digest()
    with open(os.path.join(bed.folder, "fw", IMAGE), "wb") as file:
        file.write(content)
    with open(os.path.join(bed.folder, "fw", GIANT), "wb") as file:
        file.truncate(GIANT_SIZE)
    bed.image = bed.value(f"SELECT nmsp.register_firmware('Modem Works', '{{MW-3000}}', '{NEW}', "
                          f"'{IMAGE}', '\\x{content.hex()}'::bytea)")
    t.is_(bed.query("SELECT cvc_subject, cosigner_cvc, encode(cvc, 'hex') FROM nmsp.firmware_image"),
          [["CN=Code Verification Certificate,O=Modem Works", None, bed.cvc.hex()]],
          "an image is registered, its certificate read")
    bed.sql("SELECT nmsp.register_firmware('Other', '{X}', '1', "
            f"'{GIANT}', ''::bytea, {GIANT_SIZE}, "
            f"'\\x{hashlib.sha256(bytes(GIANT_SIZE)).hexdigest()}', unsigned => true)")
    bed.report({key: OLD for key in bed.modems})
    bed.sql(f"INSERT INTO nmsp.firmware_rule (image_id) VALUES ({bed.image})")
    bed.sql("INSERT INTO nmsp.firmware_campaign (name, rule_id, batch_size, canary_share, "
            "canary_wait, abort_share, abort_minimum, patience) SELECT 'to 2.0', id, "
            f"{BATCH}, {CANARIES / MODEMS}, '1 day', 0.02, 20, '1 h' FROM nmsp.firmware_rule")
    t.is_(bed.value("SELECT nmsp.start_campaign(id) FROM nmsp.firmware_campaign"), str(MODEMS),
          f"a campaign of {MODEMS} modems")
    order = [int(row[0]) for row in bed.query(
        "SELECT modem_id FROM nmsp.firmware_campaign_modem ORDER BY turn")]
    bed.bad = set(order[CANARIES + 5::30][:15])
    t.is_(len(bed.bad), MODEMS * 3 // 100, "3 % of them will not take it")


def canary(t, bed):
    t.is_(bed.advance(), [CANARIES, 0], f"{CANARIES} canaries are released")
    told = {key for key, found in zip(bed.modems, map(bed.settings, bed.modems)) if FILE in found}
    t.is_(told, set(bed.in_state("released")), "their files name the image, those of no others")
    came = bed.boot(sorted(told))
    t.is_(set(came.values()), {NEW}, "they load it and come back with the new version")
    bed.report(came)
    bed.wait(minutes=20)
    t.is_(bed.advance(), [0, CANARIES], "which is taken; the others wait")
    bed.wait(hours=23)
    t.is_(bed.advance(), [0, 0], "a day")


def abort(t, bed):
    bed.wait(hours=1)
    t.is_(bed.advance(), [BATCH, 0], "then a batch follows")
    bed.report(bed.boot(bed.in_state("released")))
    bed.wait(minutes=30)
    t.is_(bed.advance(), [BATCH - 4, BATCH - 4],
          "those that report the new version are done, others take their places")
    under_way = set(bed.in_state("released"))
    bed.wait(minutes=31)
    bed.advance()
    state = bed.progress()
    t.is_(state[0], "aborted", "four that still report the old one when the patience ends: aborted")
    t.is_(state[4], "4", "four failed")
    t.diag(bed.value("SELECT reason FROM nmsp.firmware_campaign"))
    back = under_way & set(bed.in_state("waiting"))
    t.is_(len(back), BATCH - 4, "who was under way is called back")
    t.ok(FILE not in bed.settings(min(back)), "its file names no image any more")
    t.ok(FILE not in bed.settings(min(bed.in_state("failed"))), "nor does that of a failed one")
    t.ok(FILE in bed.settings(min(bed.in_state("done"))), "that of a modem that has it stays")
    t.is_(bed.advance(), [0, 0], "nothing goes on by itself")


def resume(t, bed):
    bed.sql("UPDATE nmsp.firmware_campaign SET abort_share = 0.1; "
            f"SELECT nmsp.resume_campaign(id, now => '{bed.now}') FROM nmsp.firmware_campaign")
    rounds = 0
    while bed.progress()[0] == "running" and rounds < 20:
        rounds += 1
        bed.advance()
        bed.wait(minutes=1)
        bed.report(bed.boot(bed.in_state("released")))
        bed.wait(minutes=62)
    t.is_(bed.progress(), ["done", "0", "0", str(MODEMS - len(bed.bad)), str(len(bed.bad)), "0"],
          f"resumed with more patience for failures it ends after {rounds} batches: all but 3 %")
    t.is_(set(bed.in_state("failed")), bed.bad, "the failed ones are those that did not take it")
    t.is_(bed.problems, [], "every modem found server, certificate and image as they should be")
    wait_until(lambda: bed.value("SELECT count(DISTINCT modem_id) FROM nmsp.download WHERE path = "
                                 f"'fw/{IMAGE}' AND result = 'served' AND sha256 = "
                                 f"'\\x{bed.digest.hex()}'"), lambda n: n == str(MODEMS), 10,
               "download rows")
    t.ok(True, "nmsp.download has the image's download of every modem")
    t.is_(bed.query("SELECT state, count(*) FROM nmsp.modem_firmware GROUP BY 1 ORDER BY 1"),
          [["current", str(MODEMS - len(bed.bad))], ["failed", str(len(bed.bad))]],
          "nmsp.modem_firmware tells the same")


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def memory(t, bed):
    """500 transfers of 20 MB at once."""
    before = resident(bed.agent.process.pid)
    keys = list(bed.modems)
    transfers = []
    try:
        for key in keys:
            transfers.append(tftp.Transfer(
                bed.isp.net.server_address, f"fw/{GIANT}", source=bed.modems[key][1],
                enter=bed.cmts.relay.entered).open().read_blocks(2))
        growth = resident(bed.agent.process.pid) - before
        t.ok(growth < 20_000, f"{len(keys)} transfers of {GIANT_SIZE} bytes under way: the agent "
             "needs less than one of them", f"{growth} kB more")
        t.diag(f"{growth} kB more for {len(keys)} transfers")
        files = [os.readlink(f"/proc/{bed.agent.process.pid}/fd/{fd}")
                 for fd in os.listdir(f"/proc/{bed.agent.process.pid}/fd")]
        t.is_(sum(GIANT in name for name in files), 1, "the file is open once")
    finally:
        for transfer in transfers:
            transfer.close()


def trouble(t, bed):
    key = min(bed.modems)

    def fails(name, code, test, **options):
        try:
            bed.load(key, name, **options)
        except tftp.TftpError as error:
            t.is_(error.code, code, test)
            return
        t.ok(False, test, "it was served")
    fails("fw/nothing.bin", 1, "a file that is no image: not found")
    fails(f"fw/../fw/{IMAGE}", 1, "a detour: not found")
    path = os.path.join(bed.folder, "fw", IMAGE)
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    fails(f"fw/{IMAGE}", 0, "a file with one bit changed is not served")
    with open(path, "ab") as file:
        file.write(b"x")
    fails(f"fw/{IMAGE}", 0, "a file of another size is not served")
    os.unlink(path)
    os.symlink("/etc/hostname", path)
    fails(f"fw/{IMAGE}", 0, "nor what a link leads out to")
    row = wait_until(lambda: bed.query("SELECT result, note FROM nmsp.download WHERE path = "
                                       f"'fw/{IMAGE}' AND result = 'failed' ORDER BY at"),
                     lambda rows: len(rows) == 3, 5, "rows")
    t.like(row[0][1], "not what was registered", "nmsp.download says why")
    t.like(row[1][1], "bytes, the image has", "in each")
    t.like(row[2][1], "cannot read fw/", "case")
    try:
        with bed.cmts.relay.entered():
            pass
        tftp.fetch(bed.isp.net.server_address, f"fw/{GIANT}", source="100.64.4.9",
                   enter=bed.cmts.relay.entered)
        t.ok(False, "a CPE gets no image")
    except tftp.TftpError as error:
        t.is_(error.code, 2, "a CPE gets no image")


def story(t, stack):
    tap.require(isps.missing())
    tap.require(agents.missing())
    bed = Bed(stack)
    stack.callback(lambda: t.diag(bed.isp.trouble()) if t.failed or sys.exc_info()[0] else None)
    for part in (register, canary, abort, resume, memory, trouble):
        t.diag(part.__name__)
        part(t, bed)


tap.main(story)
