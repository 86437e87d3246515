"""A cable modem that speaks DHCPv6 and DHCPv4, in the mode that its CMTS tells it (MULPIv3.1, IP
provisioning modes of the MDD message).

    outcome = DualModem(mac, cmts, relay6, mode="apm").boot()
    print(outcome.families, outcome.address6, outcome.failures)

ipv4, ipv6: that alone. apm (alternate): IPv6 first, and IPv4 when that does not lead to a file.
dpm (dual-stack): both.
"""

import dataclasses
import ipaddress

import dhcp6
import docsis_check
import modem
import tftp

# Without one of these a modem cannot go on (sub-options of option 17, enterprise 4491).
MANDATORY = {dhcp6.TFTP_SERVERS: "TFTP servers", dhcp6.CONFIG_FILE: "file name",
             dhcp6.TIME_SERVERS: "time servers", dhcp6.TIME_OFFSET: "time offset"}


class NoIpv6(Exception):
    """DHCPv6 or TFTP over IPv6 led to no file."""


@dataclasses.dataclass
class Outcome:
    """families: [6], [4] or both, in order; lease6 with file6 and report6 of IPv6, result4 of IPv4
    (modem.BootResult); failures: why a family did not do."""

    families: list = dataclasses.field(default_factory=list)
    lease6: dhcp6.Lease6 = None
    report6: docsis_check.Report = None
    file6: bytes = None
    result4: modem.BootResult = None
    failures: list = dataclasses.field(default_factory=list)

    @property
    def address6(self):
        """The IPv6 address, None without."""
        return self.lease6 and self.lease6.address

    @property
    def address4(self):
        """The IPv4 address, None without."""
        return self.result4 and self.result4.address


class DualModem:
    """A modem behind a modem.Cmts and the dhcp6.Relay6 of the same CMTS."""

    def __init__(self, mac, cmts, relay6, mode="apm", **patience):
        self.mac, self.cmts, self.mode = mac, cmts, mode
        self.client6 = dhcp6.Client6(relay6, mac, mac, modem=True, **patience)
        self.device4 = modem.CableModem(mac, cmts, **patience)

    def boot(self):
        """Boots -> Outcome; raises what the last family that may be tried raises."""
        outcome = Outcome()
        if self.mode != "ipv4":
            try:
                self._boot6(outcome)
            except NoIpv6 as failure:
                if self.mode == "ipv6":
                    raise
                outcome.failures.append(str(failure))
        if self.mode in ("ipv4", "dpm") or not outcome.families:
            outcome.result4 = self.device4.boot()
            outcome.families.append(4)
        return outcome

    def _boot6(self, outcome):
        try:
            lease = self.client6.acquire()
        except dhcp6.Dhcp6Timeout as error:
            raise NoIpv6(f"dhcp: {error}") from None
        missing = [name for code, name in MANDATORY.items() if code not in lease.cablelabs]
        if not lease.address or missing:
            raise NoIpv6(f"dhcp: without {', '.join(missing) or 'an address'} {lease.status}")
        try:
            data = self.fetch6(lease)
            report = docsis_check.check(data, self.cmts.secret, address=lease.address)
        except (tftp.TftpError, tftp.TftpTimeout) as error:
            raise NoIpv6(f"tftp: {error}") from None
        outcome.lease6, outcome.file6, outcome.report6 = lease, data, report
        outcome.families.append(6)

    def fetch6(self, lease, name=None):
        """Bytes of the file that a lease names, or of another, from the lease's address."""
        server = str(ipaddress.IPv6Address(lease.cablelabs[dhcp6.TFTP_SERVERS][:16]))
        return tftp.fetch(server, name or lease.cablelabs[dhcp6.CONFIG_FILE].decode(),
                          source=lease.address, enter=self.cmts.entered,
                          timeout=self.client6.timeout, tries=self.client6.tries).data
