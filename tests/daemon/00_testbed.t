#!/usr/bin/python3
"""The test bed proves itself: real dhcpd and in.tftpd, files and configuration made by hand.

No database takes part. What fails here is the bed's fault, not the product's.
"""

import os
import sys
import tempfile

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]

import daemons  # noqa: E402
import dhcp  # noqa: E402
import docsis_check  # noqa: E402
import modem  # noqa: E402
import netns  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402
from waiting import wait_until  # noqa: E402

SECRETS = {"cmts1": "first secret", "cmts2": "second secret"}
MODEM_COUNT = 20
FIRST_MAC = {"cmts1": "02:00:00:01:00:01", "cmts2": "02:00:00:02:00:01"}
LAYOUT = {"cmts1": ("10.1.0", "10.1.16", "10.1.32"), "cmts2": ("10.2.0", "10.2.16", "10.2.32")}
MTA_MACS = {"cmts1": "02:00:00:01:ff:01", "cmts2": "02:00:00:02:ff:01"}
RATES = {"cmts1": (100_000_000, 10_000_000), "cmts2": (250_000_000, 25_000_000)}

GLOBAL_CONF = """
authoritative; deny bootp; ping-check false; ddns-update-style none;
default-lease-time 600; max-lease-time 3600; next-server 172.20.0.1; server-identifier 172.20.0.1;
option domain-name "cable.test"; option domain-name-servers 172.20.0.1, 172.20.0.2;
option time-servers 172.20.0.1; option log-servers 172.20.0.1; option time-offset 3600;
option space ccc; option ccc.dhcp-server-1 code 1 = ip-address;
option ccc.provision-server code 3 = { integer 8, string }; option ccc.realm code 6 = string;
option ccc-encap code 122 = encapsulate ccc;
class "CM" { match if substring(option vendor-class-identifier, 0, 6) = "docsis"; }
class "MTA" { match if substring(option vendor-class-identifier, 0, 4) = "pktc";
  option ccc.provision-server 0 "\\004prov\\005cable\\004test\\000";
  option ccc.realm "\\005BASIC\\0011\\000"; }
class "Client" { match if substring(option vendor-class-identifier, 0, 6) != "docsis"
    and substring(option vendor-class-identifier, 0, 4) != "pktc";
  spawn with binary-to-ascii(16, 8, ":", substring(option agent.remote-id, 0, 6));
  lease limit 2; }
class "Client-Public" { match if substring(option vendor-class-identifier, 0, 6) != "docsis"
    and substring(option vendor-class-identifier, 0, 4) != "pktc";
  match pick-first-value(option agent.remote-id); lease limit 2; }
shared-network "ETHERNET" { subnet 172.20.0.0 netmask 255.255.255.0 { deny booting; } }
"""
CMTS_CONF = """
shared-network "{name}" {{
  subnet {cm}.0 netmask 255.255.255.0 {{ option routers {cm}.1;
    pool {{ range {cm}.100 {cm}.250; allow members of "CM"; deny unknown-clients; }} }}
  subnet {cpe}.0 netmask 255.255.255.0 {{ option routers {cpe}.1;
    pool {{ range {cpe}.10 {cpe}.250; allow members of "Client";
           deny members of "Client-Public"; }}
    pool {{ range {cpe}.251 {cpe}.253; allow members of "Client-Public"; }} }}
  subnet {mta}.0 netmask 255.255.255.0 {{ option routers {mta}.1;
    pool {{ range {mta}.10 {mta}.250; allow members of "MTA"; deny unknown-clients; }} }}
}}
"""


def write(path, content):
    """Puts a file in place by rename, as the feeder does."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.new", "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    os.chmod(f"{path}.new", 0o644)
    os.replace(f"{path}.new", path)


def modem_macs(name):
    return modem.macs(MODEM_COUNT, FIRST_MAC[name])


def file_of(name, index):
    return f"cm/{name}-{index}.cfg"


def hosts(name):
    """Host statements: odd modems have a fixed address, even ones take one of the pool."""
    for index, mac in enumerate(modem_macs(name)):
        fixed = f" fixed-address {LAYOUT[name][0]}.{10 + index};" if index % 2 else ""
        yield (f'host {name}-{index} {{ hardware ethernet {mac}; '
               f'filename "{file_of(name, index)}";{fixed} }}')
    yield (f'host mta-{name} {{ hardware ethernet {MTA_MACS[name]}; '
           f'filename "mta/{name}.cfg"; }}')
    yield f'subclass "Client-Public" {modem_macs(name)[3]};'


def write_config(folder, names=tuple(LAYOUT), extra=""):
    """The whole dhcpd.conf; returns its path."""
    parts = [GLOBAL_CONF]
    for name in names:
        cm, cpe, mta = LAYOUT[name]
        parts += [CMTS_CONF.format(name=name, cm=cm, cpe=cpe, mta=mta), *hosts(name)]
    path = os.path.join(folder, "dhcpd.conf")
    write(path, "\n".join([*parts, extra, ""]))
    return path


def mta_file():
    """Smallest MTA file: the delimiters and pktcMtaDevEnabled.0 = true."""
    oid = bytes.fromhex("060e2b06010401a30b02020101010700")
    sequence = oid + b"\x02\x01\x01"
    return b"\xfe\x01\x01" + docsis_check.make_tlv(11, b"\x30" + bytes([len(sequence)])
                                                   + sequence) + b"\xfe\x01\xff"


def write_files(root):
    for name, secret in SECRETS.items():
        for index in range(MODEM_COUNT):
            write(f"{root}/{file_of(name, index)}", docsis_check.sample(*RATES[name], secret))
        write(f"{root}/mta/{name}.cfg", mta_file())
    write(f"{root}/cm/big.cfg", docsis_check.sample(*RATES["cmts1"], SECRETS["cmts1"],
                                                    filler=12_000))


class Bed:
    """Namespaces, files, daemons and both CMTSs of this story."""

    def __init__(self, stack):
        self.folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-testbed-"))
        os.chmod(self.folder, 0o755)
        self.root = os.path.join(self.folder, "tftp")
        write_files(self.root)
        self.config = write_config(self.folder)
        self.stamp = os.path.join(self.folder, "put", "ready")
        self.net = stack.enter_context(netns.Network())
        self.cmts = {name: self._cmts(stack, name, *nets) for name, nets in LAYOUT.items()}
        self.dhcpd = daemons.Dhcpd(self.net.server, self.folder, self.config, self.net.interface)
        self.boss = stack.enter_context(
            daemons.Supervised(self.net.server, self.folder, self.stamp, self.dhcpd))
        self.tftpd = stack.enter_context(
            daemons.Tftpd(self.net.server, self.root, self.folder, self.net.server_address))

    def _cmts(self, stack, name, *nets):
        space = self.net.add_cmts(name, giaddrs=[f"{nets[0]}.1"],
                                  pools=[f"{net}.0/24" for net in nets])
        return stack.enter_context(modem.Cmts(name, self.net.server_address, f"{nets[0]}.1",
                                              SECRETS[name], space.name))

    def modems(self, name, **options):
        return [modem.CableModem(mac, self.cmts[name], **options) for mac in modem_macs(name)]


def start_by_stamp(t, bed):
    t.ok(bed.boss.daemon_pid() is None, "without a stamp the supervisor starts nothing")
    os.makedirs(os.path.dirname(bed.stamp))
    daemons.touch_stamp(bed.stamp)
    event = bed.boss.wait_event("start")
    t.is_(event["reason"], "stamp", "the first stamp starts dhcpd")
    t.diag(f"start of dhcpd: {event['gap_ms']} ms")


def boot_modems(t, bed):
    results = {name: modem.boot_all(bed.modems(name)) for name in LAYOUT}
    for name, found in results.items():
        t.is_([r.error for r in found if r.error], [], f"{len(found)} modems of {name} boot")
        t.is_([r.file for r in found], [file_of(name, i) for i in range(MODEM_COUNT)],
              f"each modem of {name} gets its own file")
        t.is_({tuple(r.rates["ds"] + r.rates["us"]) for r in found}, {RATES[name]},
              f"rates of {name}")
        t.is_(found[1].address, f"{LAYOUT[name][0]}.11", "a fixed address is kept")
        t.is_(found[0].router, f"{LAYOUT[name][0]}.1", "router of the pool")
        t.is_(len({r.address for r in found}), MODEM_COUNT, "no address twice")
    one = results["cmts1"][0]
    t.is_((one.siaddr, one.server_id, one.lease_time), ("172.20.0.1", "172.20.0.1", 600),
          "siaddr, server id, lease time")
    t.is_({key: one.options[key] for key in ("time_offset", "time_servers", "dns_servers",
                                             "log_servers", "domain_name")},
          {"time_offset": 3600, "time_servers": ["172.20.0.1"], "domain_name": "cable.test",
           "dns_servers": ["172.20.0.1", "172.20.0.2"], "log_servers": ["172.20.0.1"]},
          "options 2, 4, 6, 7, 15 are read")
    times = sorted(r.ms["total"] for found in results.values() for r in found)
    t.diag(f"boot of {len(times)} modems, 16 at a time: median {times[len(times) // 2]} ms, "
           f"longest {times[-1]} ms")


def refusals(t, bed):
    device = bed.modems("cmts1")[1]
    t.raises(modem.BootError, lambda: device.boot(secret="wrong"), "a wrong secret is noticed",
             "config: cmts_mic")
    t.is_(device.boot(expect={"ds_rate": RATES["cmts1"][0], "max_cpe": 2}).error, None,
          "an expectation that holds")
    t.raises(modem.BootError, lambda: device.boot(expect={"ds_rate": 1}),
             "an expectation that fails is named", "ds_rate is 100000000, expected 1")
    write(f"{bed.root}/{file_of('cmts1', 1)}", b"\x03\x01\x01\xff")
    t.raises(modem.BootError, device.boot, "an unsealed file is refused", "config: mandatory")
    os.unlink(f"{bed.root}/{file_of('cmts1', 1)}")
    t.raises(modem.BootError, device.boot, "a missing file is an error of TFTP", "TFTP error 1")
    write(f"{bed.root}/{file_of('cmts1', 1)}",
          docsis_check.sample(*RATES["cmts1"], SECRETS["cmts1"]))
    stranger = modem.CableModem("02:00:00:99:99:99", bed.cmts["cmts1"], timeout=0.2, tries=2)
    t.raises(modem.BootError, stranger.boot, "an unknown modem gets no answer", "dhcp: .*DISCOVER")
    roamer = modem.CableModem(modem_macs("cmts1")[0], bed.cmts["cmts2"])
    t.raises(modem.BootError, roamer.boot, "a file sealed for another CMTS is refused", "cmts_mic")
    t.ok(roamer.result.address.startswith(LAYOUT["cmts2"][0]),
         "and the address is of the CMTS it is behind")


def customers(t, bed):
    cmts = bed.cmts["cmts1"]
    cpes = [modem.Cpe(mac, cmts, modem_mac=modem_macs("cmts1")[0], timeout=0.3, tries=2)
            for mac in modem.macs(3, "06:00:00:00:00:01")]
    first, second = (cpe.boot() for cpe in cpes[:2])
    private = LAYOUT["cmts1"][1]
    t.ok(first.address.startswith(f"{private}.") and first.router == f"{private}.1",
         "a CPE gets an address of its class's pool", first)
    t.ok(second.address != first.address, "the second one another")
    t.raises(modem.BootError, cpes[2].boot, "the third is over the modem's limit", "DISCOVER")
    public = modem.Cpe("06:00:00:00:01:01", cmts, modem_mac=modem_macs("cmts1")[3]).boot()
    t.ok(int(public.address.split(".")[3]) > 250, "option 82 of another modem: public pool",
         public.address)
    mta = modem.Mta(MTA_MACS["cmts1"], cmts, modem_mac=modem_macs("cmts1")[0]).boot()
    t.ok(mta.address.startswith(f"{LAYOUT['cmts1'][2]}."), "an MTA gets an address of its pool")
    t.is_(mta.options.get("cablelabs"),
          {"provision_server": "prov.cable.test", "realm": "BASIC.1"}, "option 122 is read")
    t.is_(mta.report.varbinds, [("1.3.6.1.4.1.4491.2.2.1.1.1.7.0", "Integer", 1)],
          "its file is read")
    return cpes


def lives_of_a_lease(t, bed, cpes):
    cpe = cpes[0]
    address = cpe.result.address
    t.is_(cpe.client.renew().yiaddr, address, "a unicast renewal keeps the address")
    t.is_(cpe.client.rebind().yiaddr, address, "a rebind through the relay too")
    t.is_(cpe.client.reboot().yiaddr, address, "and a REQUEST after a restart")
    t.raises(dhcp.DhcpNak, lambda: cpe.client.reboot("192.168.7.7"),
             "a foreign address is refused")
    cpe.client.reboot(address)
    cpes[1].client.release()
    wait_until(bed.dhcpd.leased, lambda found: cpes[1].result.address not in found, 5,
               "released lease is free")
    t.ok(address in bed.dhcpd.leased(), "the lease file knows who released and who did not")


def restart_under_load(t, bed, cpes):
    cpe = cpes[0]
    device = modem.CableModem(modem_macs("cmts1")[1], bed.cmts["cmts1"])
    before = bed.dhcpd.leased()
    probe = dhcp.Probe(device.client).start()
    wait_until(lambda: len(probe.answered), lambda n: n > 20, 10, "answers before the restart")
    write_config(bed.folder, extra='host added { hardware ethernet 02:00:00:99:99:99; '
                                   'filename "cm/big.cfg"; }')
    daemons.touch_stamp(bed.stamp)
    event = bed.boss.wait_event("start", 2)
    seen = len(probe.answered)
    wait_until(lambda: len(probe.answered), lambda n: n > seen + 20, 10, "answers afterwards")
    probe.stop()
    t.ok(event["old"] != event["new"], "a new stamp restarts dhcpd")
    t.ok(probe.longest_gap_ms() < 5000, "the gap is short", probe.longest_gap_ms())
    t.diag(f"DISCOVER each 10 ms: longest gap {probe.longest_gap_ms()} ms, unanswered "
           f"{probe.unanswered()} of {len(probe.sent)}; supervisor: {event['gap_ms']} ms")
    t.is_(before - bed.dhcpd.leased(), set(), "no lease is lost")
    t.is_(cpe.client.renew().yiaddr, cpe.result.address, "the CPE renews as if nothing was")
    added = modem.CableModem("02:00:00:99:99:99", bed.cmts["cmts1"]).boot()
    t.is_(added.file, "cm/big.cfg", "the new configuration is served")


def burst_of_stamps(t, bed):
    before = len(bed.boss.events("start"))
    for _ in range(30):
        daemons.touch_stamp(bed.stamp)
    bed.boss.wait_served()
    count = len(bed.boss.events("start")) - before
    t.ok(0 < count < 30, f"30 stamps at once lead to {count} restarts, the last one counts")


def crash_is_mended(t, bed):
    starts = len(bed.boss.events("start"))
    old = bed.boss.daemon_pid()
    os.kill(old, 9)
    event = bed.boss.wait_event("start", starts + 1)
    t.is_((event["reason"], event["new"] != old), ("died", True), "a dead dhcpd is started again")
    t.diag(f"after a crash: {event['gap_ms']} ms to start")
    write(bed.config, "nonsense;")
    daemons.touch_stamp(bed.stamp)
    bed.boss.wait_event("not-ready")
    write_config(bed.folder)
    daemons.touch_stamp(bed.stamp)
    bed.boss.wait_served()
    t.is_(bed.modems("cmts1")[1].boot().error, None,
          "after a broken configuration the next stamp brings it back")


def paused_transfer(t, bed):
    path = f"{bed.root}/cm/big.cfg"
    with open(path, "rb") as file:
        old = file.read()
    device = modem.CableModem("02:00:00:99:99:99", bed.cmts["cmts1"])
    device.result = modem.BootResult("cm", device.mac, f"{LAYOUT['cmts1'][0]}.99", "172.20.0.1",
                                     "cm/big.cfg")
    transfer = device.transfer(blksize=512, timeout_option=1).open().read_blocks(3)
    new = docsis_check.sample(1, 1, SECRETS["cmts1"])
    write(path, new)
    t.is_(device.transfer().open().read_all().data, new, "a new transfer gets the new bytes")
    t.is_(transfer.read_all().data, old, "one under way over a rename ends with the old bytes")
    t.is_(transfer.options, {"blksize": "512", "tsize": str(len(old)), "timeout": "1"},
          "options are granted")
    plain = device.transfer(blksize=None, tsize=False).open().read_all()
    t.is_((plain.options, plain.data), ({}, new), "plain RFC 1350 works")


def command_line(t, bed):
    argv = [sys.executable, os.path.join(TESTS, "modem", "modem.py"), "--server", "172.20.0.1",
            "--giaddr", f"{LAYOUT['cmts2'][0]}.250", "--secret", SECRETS["cmts2"],
            "--count", "3", FIRST_MAC["cmts2"]]
    out = bed.net.cmts["cmts2"].run(argv)
    t.like(out, r"02:00:00:02:00:03 +10\.2\.0\.\d+ +cm/cmts2-2.cfg +250000000 +25000000 .*ok",
           "modem.py prints a table")


def clean_end(t, bed):
    pids = bed.net.server.pids()
    bed.tftpd.stop()
    bed.boss.stop()
    t.is_(bed.net.server.pids(), [], f"{len(pids)} processes were in the namespace, none is left")
    t.is_(bed.boss.events("stopped")[-1]["event"], "stopped", "the supervisor stops its dhcpd")
    bed.net.close()
    left = [name for name in os.listdir("/run/netns") if name.startswith(bed.net.prefix)]
    t.is_(left, [], "no namespace is left")


def story(t, stack):
    tap.require(netns.available() or daemons.missing())
    bed = Bed(stack)
    try:
        start_by_stamp(t, bed)
        boot_modems(t, bed)
        refusals(t, bed)
        cpes = customers(t, bed)
        lives_of_a_lease(t, bed, cpes)
        restart_under_load(t, bed, cpes)
        burst_of_stamps(t, bed)
        crash_is_mended(t, bed)
        paused_transfer(t, bed)
        command_line(t, bed)
    except Exception:
        t.diag(processes.tail(bed.boss.log, 40))
        raise
    clean_end(t, bed)


tap.main(story)
