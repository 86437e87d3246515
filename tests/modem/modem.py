#!/usr/bin/python3
"""Cable modems, MTAs and CPEs behind a CMTS: boots them and says what they got.

    with Cmts("cmts1", server="172.20.0.1", giaddr="10.1.0.1", secret="s", netns=name) as cmts:
        result = CableModem("02:00:00:00:00:01", cmts).boot(expect={"file": "cm/cm-1.cfg"})
        print(result.address, result.report.rates, result.ms)
        results = boot_all([CableModem(mac, cmts) for mac in macs(100)])

As a command, inside the CMTS's namespace (or with --netns):

    ip netns exec NS python3 tests/modem/modem.py --giaddr 10.1.0.1 --server 172.20.0.1 \\
        --secret s 02:00:00:00:00:01 02:00:00:00:00:02
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (HERE, os.path.join(os.path.dirname(HERE), "lib")):
    if folder not in sys.path:
        sys.path.insert(0, folder)

import dhcp  # noqa: E402
import docsis_check  # noqa: E402
import netns as namespaces  # noqa: E402
import tftp  # noqa: E402


class BootError(Exception):
    """A device did not come up. stage: dhcp, tftp, config or expect; result: what there was."""

    def __init__(self, stage, message, result):
        super().__init__(f"{result.mac}: {stage}: {message}")
        self.stage = stage
        self.message = message
        self.result = result


@dataclasses.dataclass
class BootResult:
    """What a device got. ms: times in milliseconds by stage (offer, ack, tftp, total)."""

    kind: str
    mac: str
    address: str = None
    siaddr: str = None
    file: str = None
    server_id: str = None
    lease_time: int = None
    router: str = None
    options: dict = dataclasses.field(default_factory=dict)
    config: bytes = None
    report: docsis_check.Report = None
    ms: dict = dataclasses.field(default_factory=dict)
    error: str = None

    @property
    def rates(self):
        """Rates of the service flows: {'us': [bit/s], 'ds': [bit/s]}."""
        return self.report.rates if self.report else {"us": [], "ds": []}

    def values(self):
        """Flat dict that `expect` is compared with and that --json prints."""
        flat = {"kind": self.kind, "mac": self.mac, "address": self.address,
                "siaddr": self.siaddr, "file": self.file, "server_id": self.server_id,
                "lease_time": self.lease_time, "router": self.router, "options": self.options,
                "size": len(self.config) if self.config is not None else None,
                "ms": self.ms, "error": self.error}
        if self.report:
            flat.update(self.report.summary())
            for way in ("us", "ds"):
                flat[f"{way}_rate"] = self.rates[way][0] if self.rates[way] else None
        return flat


class Cmts:
    """A CMTS as the devices see it: relay, giaddr, shared secret, network namespace.

    server: DHCP server's address; giaddr: relay address for all devices that name none;
    netns: name of the namespace, None for that of this process.
    """

    def __init__(self, name, server, giaddr, secret=None, netns=None):
        self.name, self.server, self.giaddr, self.secret = name, server, giaddr, secret
        self.netns = netns
        self.relay = dhcp.Relay(server, self.entered)
        self.relay.socket_for(giaddr)

    def entered(self):
        """Context manager: sockets made inside belong to the CMTS."""
        return namespaces.entered(self.netns)

    def close(self):
        """Ends the relay."""
        self.relay.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Device:
    """What all devices behind a modem's RF port share: the DHCP client and the boot."""

    kind = "device"
    vendor_class = None
    loads_file = False

    def __init__(self, mac, cmts, modem_mac=None, giaddr=None, **client_options):
        self.mac, self.cmts = mac, cmts
        self.client = dhcp.Client(cmts.relay, mac, giaddr or cmts.giaddr, modem_mac or mac,
                                  self.vendor_class, **client_options)
        self.result = None

    def boot(self, secret=None, expect=None):
        """DISCOVER .. ACK, download, check -> BootResult; raises BootError.

        secret: the CMTS's shared secret when it is not that of the Cmts object;
        expect: dict of BootResult.values() keys -> wanted values.
        """
        self.result = result = BootResult(self.kind, self.mac)
        begin = time.monotonic()
        try:
            self._acquire(result)
            if self.loads_file:
                self._load(result)
                self._check(result, self.cmts.secret if secret is None else secret)
        except (dhcp.DhcpTimeout, dhcp.DhcpNak) as error:
            self._fail("dhcp", error)
        except (tftp.TftpError, tftp.TftpTimeout) as error:
            self._fail("tftp", error)
        except docsis_check.ConfigError as error:
            self._fail("config", error)
        finally:
            result.ms["total"] = _ms(begin)
        self.expect(expect or {})
        return result

    def expect(self, wanted):
        """Compares the last result with `wanted`; raises BootError naming each difference."""
        values = self.result.values()
        wrong = [f"{key} is {values.get(key)!r}, expected {value!r}"
                 for key, value in wanted.items() if values.get(key) != value]
        if wrong:
            self._fail("expect", "; ".join(wrong))

    def _fail(self, stage, error):
        self.result.error = f"{stage}: {error}"
        raise BootError(stage, str(error), self.result) from None

    def _acquire(self, result):
        begin = time.monotonic()
        offer = self.client.discover()
        result.ms["offer"] = _ms(begin)
        begin = time.monotonic()
        self.take(self.client.request(offer))
        result.ms["ack"] = _ms(begin)

    def take(self, ack):
        """Copies what an ACK says into the result (also after renew or rebind)."""
        result = self.result
        result.address = ack.yiaddr
        result.options = ack.decoded()
        result.siaddr = ack.siaddr if ack.siaddr != "0.0.0.0" else ack.option(dhcp.TFTP_NAME)
        result.file = ack.file or ack.option(dhcp.BOOT_FILE)
        result.server_id = ack.option(dhcp.SERVER_ID)
        result.lease_time = ack.option(dhcp.LEASE_TIME)
        result.router = (ack.option(dhcp.ROUTER) or [None])[0]

    def transfer(self, **options):
        """A tftp.Transfer of this device's file, from its own address, not yet opened."""
        return tftp.Transfer(self.result.siaddr, self.result.file, source=self.result.address,
                             enter=self.cmts.entered, **options)

    def _load(self, result):
        if not result.file or not result.siaddr:
            self._fail("dhcp", f"the ACK names no file to load (file {result.file!r}, "
                               f"server {result.siaddr!r})")
        begin = time.monotonic()
        result.config = self.transfer().open().read_all().data
        result.ms["tftp"] = _ms(begin)

    def _check(self, result, secret):
        """Subclasses judge result.config."""


class CableModem(Device):
    """A cable modem: option 60 `docsis3.1:`, its own MAC in option 82."""

    kind = "cm"
    vendor_class = "docsis3.1:052401010102010303010104010105010106010107010f080110"
    loads_file = True

    def _check(self, result, secret):
        result.report = docsis_check.check(result.config, secret, address=result.address)


class Mta(Device):
    """A telephone adapter in modem `modem_mac`: option 60 `pktc1.0:`, loads an MTA file.

    hash_kind: the hash it demands in the file: na, eu, ietf, or None.
    """

    kind = "mta"
    hash_kind = None
    vendor_class = "pktc1.0:051f0101000201020301000401010501010601010701010801090901010a0101"
    loads_file = True

    def _check(self, result, secret):
        result.report = docsis_check.check_mta(result.config, self.hash_kind)


class Cpe(Device):
    """A customer's device behind modem `modem_mac`: no option 60, no file."""

    kind = "cpe"


def _ms(begin):
    return round((time.monotonic() - begin) * 1000, 2)


def macs(count, first="02:00:00:00:00:01"):
    """`count` consecutive MAC addresses from `first`."""
    number = int.from_bytes(dhcp.mac_bytes(first), "big")
    return [dhcp.mac_text((number + step).to_bytes(6, "big")) for step in range(count)]


def boot_all(devices, parallel=16, **boot_options):
    """Boots devices side by side; returns their results in order, failed ones with `error`."""
    def one(device):
        try:
            return device.boot(**boot_options)
        except BootError as failure:
            return failure.result
    with concurrent.futures.ThreadPoolExecutor(max_workers=parallel) as pool:
        return list(pool.map(one, devices))


# -- command line -------------------------------------------------------------

COLUMNS = (("mac", 18), ("address", 16), ("file", 22), ("ds_rate", 12), ("us_rate", 12),
           ("network_access", 15), ("max_cpe", 8))


def _table(results):
    yield "".join(name.ljust(width) for name, width in COLUMNS) + "total_ms  result"
    for result in results:
        values = result.values()
        cells = (str("-" if values.get(name) is None else values[name]).ljust(width)
                 for name, width in COLUMNS)
        yield "".join(cells) + f"{result.ms['total']:8.1f}  {result.error or 'ok'}"


def _arguments(argv):
    parser = argparse.ArgumentParser(description="Boots devices behind one CMTS.")
    parser.add_argument("macs", nargs="+", metavar="MAC")
    parser.add_argument("--server", required=True, help="address of the DHCP server")
    parser.add_argument("--giaddr", required=True, help="relay address of the CMTS")
    parser.add_argument("--secret", help="shared secret of the CMTS (none: MIC 7 unchecked)")
    parser.add_argument("--netns", help="namespace of the CMTS (default: this process's)")
    parser.add_argument("--kind", choices=("cm", "mta", "cpe"), default="cm")
    parser.add_argument("--modem-mac", help="remote-id of MTAs and CPEs")
    parser.add_argument("--count", type=int, default=1, help="consecutive devices from each MAC")
    parser.add_argument("--parallel", type=int, default=16)
    parser.add_argument("--timeout", type=float, default=1.0, help="first retransmission, seconds")
    parser.add_argument("--tries", type=int, default=4)
    parser.add_argument("--expect", action="append", default=[], metavar="KEY=VALUE",
                        help="demand a value of each device, such as ds_rate=50000000")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    return parser.parse_args(argv)


def _wanted(pairs):
    split = (pair.split("=", 1) for pair in pairs)
    return {key: int(value) if value.isdigit() else value for key, value in split}


def main(argv=None):
    """Command line; the exit status is 1 when a device did not come up as expected."""
    args = _arguments(argv)
    kinds = {"cm": CableModem, "mta": Mta, "cpe": Cpe}
    with Cmts("cmts", args.server, args.giaddr, args.secret, args.netns) as cmts:
        devices = [kinds[args.kind](mac, cmts, modem_mac=args.modem_mac, timeout=args.timeout,
                                    tries=args.tries)
                   for first in args.macs for mac in macs(args.count, first)]
        results = boot_all(devices, args.parallel, expect=_wanted(args.expect))
    lines = (json.dumps(r.values()) for r in results) if args.json else _table(results)
    for line in lines:
        print(line)
    return 1 if any(result.error for result in results) else 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
