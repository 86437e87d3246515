"""DHCPv6 as a cable network speaks it: a CMTS's relay, and clients for one address and one prefix.

    with Relay6(enter, interface="up0", link_address="2001:db8:1::1") as relay:
        lease = Client6(relay, mac, modem_mac=mac, modem=True).acquire()
        print(lease.address, lease.prefix, lease.cablelabs)

Written from RFC 8415, 6939 (client link-layer address) and the CableLabs options of enterprise
4491 (CL-SP-CANN-DHCP).
"""

import dataclasses
import ipaddress
import queue
import random
import socket
import struct
import threading

from dhcp import mac_bytes

SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE = range(1, 9)
RELAY_FORWARD, RELAY_REPLY = 12, 13
CLIENT_ID, SERVER_ID, IA_NA, IA_ADDRESS, OPTION_REQUEST, ELAPSED = 1, 2, 3, 5, 6, 8
RELAY_MESSAGE, STATUS, VENDOR_CLASS, VENDOR_OPTIONS, INTERFACE_ID = 9, 13, 16, 17, 18
DNS_SERVERS, IA_PD, IA_PREFIX, LINK_LAYER = 23, 25, 26, 79
CABLELABS = 4491
TFTP_SERVERS, CONFIG_FILE, SYSLOG_SERVERS, DEVICE_ID, TIME_SERVERS, TIME_OFFSET = 32, 33, 34, 36, 37, 38
CM_MAC = 1026
SERVERS, PORT = "ff02::1:2", 547


class Dhcp6Timeout(Exception):
    """No answer in time."""


class Dhcp6Error(Exception):
    """A message that breaks the format."""


def pack_options(options):
    """(code, bytes) pairs -> option field."""
    return b"".join(struct.pack("!HH", code, len(value)) + value for code, value in options)


def walk_options(raw):
    """Option field -> dict code -> list of bytes."""
    found, at = {}, 0
    while at < len(raw):
        if at + 4 > len(raw):
            raise Dhcp6Error(f"{len(raw) - at} bytes are no option")
        code, size = struct.unpack_from("!HH", raw, at)
        if at + 4 + size > len(raw):
            raise Dhcp6Error(f"option {code} at offset {at} runs over the end")
        found.setdefault(code, []).append(raw[at + 4:at + 4 + size])
        at += 4 + size
    return found


def addresses(raw):
    """A list of addresses, as text."""
    return [str(ipaddress.IPv6Address(raw[at:at + 16])) for at in range(0, len(raw) - 15, 16)]


@dataclasses.dataclass
class Lease6:
    """What an ADVERTISE or REPLY gives; `status` are the texts of status codes that are not 0.
    An address or prefix with a lifetime of 0 is one that is taken away: it is not in valid_*."""

    message_type: int
    address: str = None
    prefix: str = None
    valid: int = None
    dns_servers: list = dataclasses.field(default_factory=list)
    cablelabs: dict = dataclasses.field(default_factory=dict)
    status: list = dataclasses.field(default_factory=list)
    server_id: bytes = None
    valid_addresses: list = dataclasses.field(default_factory=list)
    valid_prefixes: list = dataclasses.field(default_factory=list)

    @classmethod
    def parse(cls, raw):
        """A server's message -> Lease6."""
        options = walk_options(raw[4:])
        lease = cls(raw[0], server_id=options.get(SERVER_ID, [None])[0])
        lease._take_status(options)
        for code, inner, head in ((IA_NA, IA_ADDRESS, 12), (IA_PD, IA_PREFIX, 12)):
            for association in options.get(code, ()):
                lease._take_association(walk_options(association[head:]), inner)
        for value in options.get(DNS_SERVERS, ()):
            lease.dns_servers += addresses(value)
        for value in options.get(VENDOR_OPTIONS, ()):
            if struct.unpack_from("!I", value)[0] == CABLELABS:
                lease.cablelabs.update({code: values[0] for code, values
                                        in walk_options(value[4:]).items()})
        return lease

    def _take_status(self, options):
        for value in options.get(STATUS, ()):
            code = struct.unpack_from("!H", value)[0]
            if code:
                self.status.append(f"{code} {value[2:].decode('utf-8', 'replace')}")

    def _take_association(self, options, inner):
        self._take_status(options)
        for value in options.get(inner, ()):
            if inner == IA_ADDRESS:
                self.address = str(ipaddress.IPv6Address(value[:16]))
                self.valid = struct.unpack_from("!I", value, 20)[0]
                self.valid_addresses += [self.address] if self.valid else []
            else:
                self.valid = struct.unpack_from("!I", value, 4)[0]
                self.prefix = f"{ipaddress.IPv6Address(value[9:25])}/{value[8]}"
                self.valid_prefixes += [self.prefix] if self.valid else []


class Relay6:
    """The relay of a CMTS: link-address, client's link-layer address (79) and the modem's (1026)."""

    def __init__(self, enter, interface, link_address):
        self.link_address = ipaddress.IPv6Address(link_address).packed
        with enter():
            self.sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.sock.bind(("::", PORT))
            self.scope = socket.if_nametoindex(interface)
        self._waiting = {}
        self._stop = False
        self.sock.settimeout(0.2)
        self._thread = threading.Thread(target=self._receive, daemon=True, name="relay6")
        self._thread.start()

    def listen(self, xid, handler):
        """Answers with this transaction id go to `handler(bytes)`."""
        self._waiting[xid] = handler

    def forget(self, xid):
        """Ends `listen`."""
        self._waiting.pop(xid, None)

    def forward(self, message, mac, modem_mac):
        """A client's message -> server."""
        peer = ipaddress.IPv6Address(b"\xfe\x80" + bytes(8) + mac_bytes(mac)).packed
        options = [(RELAY_MESSAGE, message), (INTERFACE_ID, b"cable"),
                   (LINK_LAYER, struct.pack("!H", 1) + mac_bytes(mac))]
        if modem_mac:
            options.append((VENDOR_OPTIONS, struct.pack("!I", CABLELABS)
                            + pack_options([(CM_MAC, mac_bytes(modem_mac))])))
        raw = bytes([RELAY_FORWARD, 0]) + self.link_address + peer + pack_options(options)
        self.sock.sendto(raw, (SERVERS, PORT, 0, self.scope))

    def _receive(self):
        while not self._stop:
            try:
                raw = self.sock.recv(4096)
            except socket.timeout:
                continue
            except OSError:
                return
            if raw[:1] != bytes([RELAY_REPLY]):
                continue
            inner = walk_options(raw[34:]).get(RELAY_MESSAGE, [b""])[0]
            handler = self._waiting.get(inner[1:4])
            if handler:
                handler(inner)

    def close(self):
        """Ends it."""
        self._stop = True
        self._thread.join()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Client6:
    """A client behind a Relay6. modem: says what a cable modem says; prefix: asks for one too."""

    def __init__(self, relay, mac, modem_mac, modem=False, prefix=False, timeout=1.0, tries=4):
        self.relay, self.mac, self.modem_mac = relay, mac, modem_mac
        self.modem, self.prefix, self.timeout, self.tries = modem, prefix, timeout, tries
        self.duid = struct.pack("!HH", 3, 1) + mac_bytes(mac)
        self.lease = None

    def _options(self):
        options = [(CLIENT_ID, self.duid), (ELAPSED, b"\0\0"),
                   (OPTION_REQUEST, struct.pack("!HH", DNS_SERVERS, VENDOR_OPTIONS))]
        if self.modem:
            wanted = struct.pack("!5H", TFTP_SERVERS, CONFIG_FILE, SYSLOG_SERVERS, TIME_SERVERS,
                                 TIME_OFFSET)
            options += [(VENDOR_CLASS, struct.pack("!IH", CABLELABS, 9) + b"docsis3.1"),
                        (VENDOR_OPTIONS, struct.pack("!I", CABLELABS) + pack_options(
                            [(1, wanted), (2, b"ECM"), (DEVICE_ID, mac_bytes(self.mac))]))]
        return options

    def _associations(self, lease):
        address = prefix = b""
        if lease and lease.address:
            address = pack_options([(IA_ADDRESS, ipaddress.IPv6Address(lease.address).packed
                                     + bytes(8))])
        if lease and lease.prefix:
            net = ipaddress.IPv6Network(lease.prefix)
            prefix = pack_options([(IA_PREFIX, bytes(8) + bytes([net.prefixlen])
                                    + net.network_address.packed)])
        found = [(IA_NA, struct.pack("!III", 1, 0, 0) + address)]
        if self.prefix:
            found.append((IA_PD, struct.pack("!III", 1, 0, 0) + prefix))
        return found

    def exchange(self, message_type, wanted, lease=None):
        """Sends with retransmission until an answer of the wanted type comes -> Lease6."""
        xid = random.getrandbits(24).to_bytes(3, "big")
        options = self._options() + self._associations(lease)
        if lease and lease.server_id and message_type != REBIND:
            options.append((SERVER_ID, lease.server_id))
        answers = queue.SimpleQueue()
        self.relay.listen(xid, answers.put)
        try:
            for attempt in range(self.tries):
                self.relay.forward(bytes([message_type]) + xid + pack_options(options), self.mac,
                                   self.modem_mac)
                try:
                    raw = answers.get(timeout=self.timeout * (attempt + 1))
                except queue.Empty:
                    continue
                if raw[0] == wanted:
                    return Lease6.parse(raw)
        finally:
            self.relay.forget(xid)
        raise Dhcp6Timeout(f"{self.mac}: no answer to message {message_type} after "
                           f"{self.tries} tries")

    def solicit(self):
        """SOLICIT -> the ADVERTISE."""
        return self.exchange(SOLICIT, ADVERTISE)

    def acquire(self):
        """SOLICIT .. REPLY -> the lease."""
        self.lease = self.exchange(REQUEST, REPLY, self.solicit())
        return self.lease

    def renew(self):
        """RENEW -> the lease."""
        self.lease = self.exchange(RENEW, REPLY, self.lease)
        return self.lease

    def release(self):
        """RELEASE -> the server's REPLY."""
        return self.exchange(RELEASE, REPLY, self.lease)
