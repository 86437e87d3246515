"""DHCPv4 as a cable network speaks it: packets, a relay agent (CMTS) and client exchanges.

Written from RFC 951, 2131, 2132, 3046 (option 82), 3396 (long options), 3495
(option 122, CableLabs client configuration) and 3925 (option 125).
"""

import ipaddress
import queue
import random
import selectors
import socket
import struct
import threading
import time

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
TYPE_NAMES = {1: "DISCOVER", 2: "OFFER", 3: "REQUEST", 4: "DECLINE", 5: "ACK", 6: "NAK",
              7: "RELEASE", 8: "INFORM"}
SERVER_PORT, CLIENT_PORT = 67, 68
MAGIC = b"\x63\x82\x53\x63"
HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")

SUBNET_MASK, TIME_OFFSET, ROUTER, TIME_SERVERS, DNS_SERVERS, LOG_SERVERS = 1, 2, 3, 4, 6, 7
HOST_NAME, DOMAIN_NAME, REQUESTED_ADDRESS, LEASE_TIME, OVERLOAD = 12, 15, 50, 51, 52
MESSAGE_TYPE, SERVER_ID, PARAMETER_LIST, MESSAGE, MAX_SIZE = 53, 54, 55, 56, 57
VENDOR_CLASS, CLIENT_ID, TFTP_NAME, BOOT_FILE = 60, 61, 66, 67
RELAY_AGENT, CABLELABS, VIVSO = 82, 122, 125
CIRCUIT_ID, REMOTE_ID = 1, 2

ADDRESS_OPTIONS = {SUBNET_MASK, REQUESTED_ADDRESS, SERVER_ID}
ADDRESS_LIST_OPTIONS = {ROUTER, TIME_SERVERS, DNS_SERVERS, LOG_SERVERS}
TEXT_OPTIONS = {HOST_NAME, DOMAIN_NAME, MESSAGE, VENDOR_CLASS, TFTP_NAME, BOOT_FILE}
OPTION_NAMES = {1: "subnet_mask", 2: "time_offset", 3: "routers", 4: "time_servers",
                6: "dns_servers", 7: "log_servers", 12: "host_name", 15: "domain_name",
                51: "lease_time", 54: "server_id", 56: "message", 66: "tftp_name",
                67: "boot_file", 122: "cablelabs"}
CABLELABS_NAMES = {1: "dhcp_server_1", 2: "dhcp_server_2", 3: "provision_server",
                   6: "realm", 7: "ticket_control", 8: "timer"}


class DhcpError(Exception):
    """A packet that breaks the format; the text says where."""


class DhcpTimeout(Exception):
    """No answer in time."""


class DhcpNak(Exception):
    """The server refused; the text is its message (option 56)."""


def mac_bytes(mac):
    """'02:00:00:00:00:01' (also with '-' or '.') -> six bytes."""
    raw = bytes.fromhex(mac.replace(":", "").replace("-", "").replace(".", ""))
    if len(raw) != 6:
        raise ValueError(f"not a MAC address: {mac!r}")
    return raw


def mac_text(raw):
    """Six bytes -> '02:00:00:00:00:01'."""
    return ":".join(f"{byte:02x}" for byte in raw)


def _ip(raw):
    return str(ipaddress.IPv4Address(raw))


def _text(raw):
    return raw.rstrip(b"\0").decode("utf-8", "replace")


# -- options ------------------------------------------------------------------

def pack_options(options):
    """(code, bytes) pairs -> option field with end mark; long values are split (RFC 3396)."""
    out = bytearray()
    for code, value in options:
        for start in range(0, max(len(value), 1), 255):
            part = value[start:start + 255]
            out += bytes([code, len(part)]) + part
    return bytes(out) + b"\xff"


def walk_options(raw, where="options"):
    """Option field -> dict code -> bytes; repeated codes are joined (RFC 3396)."""
    found = {}
    at = 0
    while at < len(raw):
        code = raw[at]
        if code == 255:
            return found
        if code == 0:
            at += 1
            continue
        if at + 2 > len(raw) or at + 2 + raw[at + 1] > len(raw):
            raise DhcpError(f"{where}: option {code} at offset {at} runs over the end")
        size = raw[at + 1]
        found[code] = found.get(code, b"") + raw[at + 2:at + 2 + size]
        at += 2 + size
    return found


def walk_suboptions(raw, where):
    """Sub-options (of 82, 122, ...) -> dict code -> bytes; there is no end mark."""
    found = {}
    at = 0
    while at < len(raw):
        if at + 2 > len(raw) or at + 2 + raw[at + 1] > len(raw):
            raise DhcpError(f"{where}: sub-option at offset {at} runs over the end")
        found[raw[at]] = raw[at + 2:at + 2 + raw[at + 1]]
        at += 2 + raw[at + 1]
    return found


def dns_labels(raw):
    """b'\\x05BASIC\\x011\\x00' -> 'BASIC.1'."""
    labels = []
    at = 0
    while at < len(raw) and raw[at]:
        labels.append(raw[at + 1:at + 1 + raw[at]].decode("ascii", "replace"))
        at += 1 + raw[at]
    return ".".join(labels)


def _cablelabs_value(code, raw):
    if code in (1, 2):
        return _ip(raw)
    if code == 3:
        return _ip(raw[1:5]) if raw[0] == 1 else dns_labels(raw[1:])
    return dns_labels(raw) if code == 6 else raw.hex()


def decode_option(code, raw):
    """Bytes of an option -> address, list of addresses, text, number, dict (122) or hex."""
    if code in ADDRESS_OPTIONS:
        return _ip(raw)
    if code in ADDRESS_LIST_OPTIONS:
        return [_ip(raw[at:at + 4]) for at in range(0, len(raw) - 3, 4)]
    if code in TEXT_OPTIONS:
        return _text(raw)
    if code == LEASE_TIME:
        return struct.unpack("!I", raw)[0]
    if code == TIME_OFFSET:
        return struct.unpack("!i", raw)[0]
    if code == CABLELABS:
        return {CABLELABS_NAMES.get(sub, sub): _cablelabs_value(sub, value)
                for sub, value in walk_suboptions(raw, "option 122").items()}
    return raw.hex()


# -- packets ------------------------------------------------------------------

class Packet:
    """One BOOTP/DHCP message. Addresses are text, `options` maps code -> bytes."""

    def __init__(self, mac, xid, message_type, op=1):
        self.op, self.hops, self.xid, self.secs, self.flags = op, 0, xid, 0, 0
        self.ciaddr = self.yiaddr = self.siaddr = self.giaddr = "0.0.0.0"
        self.mac = mac
        self.sname = self.file = ""
        self.options = {MESSAGE_TYPE: bytes([message_type])} if message_type else {}

    @property
    def message_type(self):
        """Value of option 53, 0 when it is missing."""
        return self.options.get(MESSAGE_TYPE, b"\0")[0]

    @property
    def type_name(self):
        """'OFFER' and the like."""
        return TYPE_NAMES.get(self.message_type, f"type {self.message_type}")

    def option(self, code):
        """Decoded option or None."""
        raw = self.options.get(code)
        return None if raw is None else decode_option(code, raw)

    def decoded(self):
        """Options that have a name, decoded: {'routers': [...], 'lease_time': 600, ...}."""
        return {name: self.option(code) for code, name in OPTION_NAMES.items()
                if code in self.options}

    def relay_options(self):
        """Sub-options of option 82 as dict code -> bytes."""
        return walk_suboptions(self.options.get(RELAY_AGENT, b""), "option 82")

    def pack(self):
        """Bytes for the wire: at least 300; option 53 first and 82 last."""
        addresses = [ipaddress.IPv4Address(a).packed
                     for a in (self.ciaddr, self.yiaddr, self.siaddr, self.giaddr)]
        head = HEADER.pack(self.op, 1, 6, self.hops, self.xid, self.secs, self.flags, *addresses,
                           mac_bytes(self.mac), self.sname.encode(), self.file.encode())
        order = sorted(self.options, key=lambda code: (code != MESSAGE_TYPE, code == RELAY_AGENT))
        raw = head + MAGIC + pack_options((code, self.options[code]) for code in order)
        return raw.ljust(300, b"\0")

    @classmethod
    def parse(cls, raw):
        """Bytes -> Packet; raises DhcpError."""
        if len(raw) < HEADER.size + 4 or raw[HEADER.size:HEADER.size + 4] != MAGIC:
            raise DhcpError(f"{len(raw)} bytes without a DHCP magic cookie")
        (op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname,
         file) = HEADER.unpack_from(raw)
        if (htype, hlen) != (1, 6):
            raise DhcpError(f"hardware type {htype}, length {hlen}: only Ethernet is known")
        packet = cls(mac_text(chaddr[:6]), xid, 0, op)
        packet.hops, packet.secs, packet.flags = hops, secs, flags
        packet.ciaddr, packet.yiaddr = _ip(ciaddr), _ip(yiaddr)
        packet.siaddr, packet.giaddr = _ip(siaddr), _ip(giaddr)
        packet.options = walk_options(raw[HEADER.size + 4:])
        packet._unload(sname, file)
        return packet

    def _unload(self, sname, file):
        """Takes sname and file as text, or as more options when option 52 says so."""
        overload = self.options.pop(OVERLOAD, b"\0")[0]
        if overload & 1:
            self._join(walk_options(file, "file field"))
        else:
            self.file = _text(file.split(b"\0")[0])
        if overload & 2:
            self._join(walk_options(sname, "sname field"))
        else:
            self.sname = _text(sname.split(b"\0")[0])

    def _join(self, more):
        for code, value in more.items():
            self.options[code] = self.options.get(code, b"") + value

    def __repr__(self):
        return (f"<{self.type_name} {self.mac} xid={self.xid:08x} yiaddr={self.yiaddr} "
                f"giaddr={self.giaddr} file={self.file!r}>")


# -- relay --------------------------------------------------------------------

class Relay:
    """The relay agent of a CMTS: adds giaddr, hops and option 82, hands answers back by xid.

    One socket per giaddr, bound to (giaddr, 67), and one receiving thread for all
    of them. `enter` is a function that returns a context manager for the CMTS's
    network namespace (see netns.entered); sockets are made inside it.
    """

    def __init__(self, server, enter):
        self.server = server
        self.enter = enter
        self.dropped = []
        self._waiting = {}
        self._sockets = {}
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._receive, daemon=True, name="relay")
        self._thread.start()

    def socket_for(self, giaddr):
        """The socket bound to (giaddr, 67), made at first use."""
        with self._lock:
            if giaddr not in self._sockets:
                with self.enter():
                    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                    sock.bind((giaddr, SERVER_PORT))
                sock.setblocking(False)
                self._sockets[giaddr] = sock
                self.attach(sock)
            return self._sockets[giaddr]

    def attach(self, sock):
        """Also hands out what arrives on a client's own (non-blocking) socket."""
        self._selector.register(sock, selectors.EVENT_READ)
        self._wake_out.send(b"+")

    def detach(self, sock):
        """Ends `attach`; the caller closes the socket."""
        self._selector.unregister(sock)

    def listen(self, xid, handler):
        """Answers with this xid go to `handler(packet)`, called in the receiving thread."""
        with self._lock:
            self._waiting[xid] = handler

    def forget(self, xid):
        """Ends `listen`."""
        with self._lock:
            self._waiting.pop(xid, None)

    def forward(self, packet, giaddr, remote_id=None, circuit_id=None):
        """Client's message -> server, as RFC 1542 and 3046 say. remote_id: MAC text or bytes."""
        packet.giaddr = giaddr
        packet.hops += 1
        packet.options.pop(RELAY_AGENT, None)
        sub = b""
        for code, value in ((CIRCUIT_ID, circuit_id), (REMOTE_ID, remote_id)):
            if value is not None:
                raw = mac_bytes(value) if isinstance(value, str) else value
                sub += bytes([code, len(raw)]) + raw
        if sub:
            packet.options[RELAY_AGENT] = sub
        self.socket_for(giaddr).sendto(packet.pack(), (self.server, SERVER_PORT))

    def _receive(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake_in:
                    if b"x" in self._wake_in.recv(64):
                        return
                    continue
                self._drain(key.fileobj)

    def _drain(self, sock):
        try:
            while True:
                self._dispatch(sock.recv(4096))
        except (BlockingIOError, ConnectionRefusedError):
            return
        except OSError as error:
            self.dropped.append(str(error))

    def _dispatch(self, raw):
        try:
            packet = Packet.parse(raw)
        except DhcpError as error:
            self.dropped.append(str(error))
            return
        with self._lock:
            handler = self._waiting.get(packet.xid)
        if packet.op == 2 and handler is not None:
            handler(packet)
        else:
            self.dropped.append(repr(packet))

    def close(self):
        """Ends the thread and closes the sockets."""
        self._wake_out.send(b"x")
        self._thread.join()
        for sock in (*self._sockets.values(), self._wake_in, self._wake_out):
            sock.close()
        self._selector.close()


# -- client -------------------------------------------------------------------

class Client:
    """A DHCP client behind a relay.

    mac: hardware address; giaddr: the relay address its messages carry;
    remote_id: the modem's MAC that the CMTS puts into option 82;
    vendor_class: option 60 or None; parameters: option 55.
    """

    parameters = bytes([1, 2, 3, 4, 6, 7, 12, 15, 43, 51, 54, 66, 67, 122, 125])

    def __init__(self, relay, mac, giaddr, remote_id, vendor_class=None, circuit_id=None,
                 client_id=True, timeout=1.0, tries=4):
        self.relay, self.mac, self.giaddr = relay, mac, giaddr
        self.remote_id, self.circuit_id = remote_id, circuit_id
        self.vendor_class, self.client_id = vendor_class, client_id
        self.timeout, self.tries = timeout, tries
        self.extra = {}
        self.lease = None

    def message(self, message_type, **fields):
        """A fresh message of this client with its options; `fields` set packet attributes."""
        packet = Packet(self.mac, random.getrandbits(32), message_type)
        if message_type != RELEASE:
            packet.options[PARAMETER_LIST] = self.parameters
            packet.options[MAX_SIZE] = struct.pack("!H", 1472)
        if self.vendor_class:
            packet.options[VENDOR_CLASS] = self.vendor_class.encode()
        if self.client_id:
            packet.options[CLIENT_ID] = b"\x01" + mac_bytes(self.mac)
        packet.options.update(self.extra)
        for name, value in fields.items():
            setattr(packet, name, value)
        return packet

    def send(self, packet):
        """Sends a message through the relay."""
        self.relay.forward(packet, self.giaddr, self.remote_id, self.circuit_id)

    def exchange(self, packet, wanted, send=None):
        """Sends with retransmission until an answer of a wanted type; returns it.

        Raises DhcpTimeout, or DhcpNak for a NAK (when the answer is to be an ACK).
        """
        answers = queue.SimpleQueue()
        begin = time.monotonic()
        self.relay.listen(packet.xid, answers.put)
        try:
            for attempt in range(self.tries):
                packet.secs = int(time.monotonic() - begin)
                packet.hops = 0
                (send or self.send)(packet)
                answer = self._await(answers, wanted, self.timeout * (attempt + 1))
                if answer is not None:
                    return answer
        finally:
            self.relay.forget(packet.xid)
        raise DhcpTimeout(f"{self.mac}: no answer to {packet.type_name} after {self.tries} tries "
                          f"in {time.monotonic() - begin:.1f} s")

    def _await(self, answers, wanted, seconds):
        end = time.monotonic() + seconds
        while True:
            try:
                answer = answers.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return None
            if answer.mac != self.mac:
                continue
            if answer.message_type == NAK and ACK in wanted:
                raise DhcpNak(f"{self.mac}: NAK: {answer.option(MESSAGE) or 'no message'}")
            if answer.message_type in wanted:
                return answer

    def discover(self):
        """DISCOVER -> the OFFER."""
        return self.exchange(self.message(DISCOVER), {OFFER})

    def request(self, offer):
        """REQUEST for an offer -> the ACK, kept as `self.lease`."""
        packet = self.message(REQUEST)
        packet.xid = offer.xid
        packet.options[REQUESTED_ADDRESS] = ipaddress.IPv4Address(offer.yiaddr).packed
        if SERVER_ID in offer.options:
            packet.options[SERVER_ID] = offer.options[SERVER_ID]
        self.lease = self.exchange(packet, {ACK})
        return self.lease

    def acquire(self):
        """DISCOVER .. ACK -> the ACK."""
        return self.request(self.discover())

    def reboot(self, address=None):
        """INIT-REBOOT: REQUEST of a remembered address without DISCOVER -> the ACK."""
        packet = self.message(REQUEST)
        wanted = address or self.lease.yiaddr
        packet.options[REQUESTED_ADDRESS] = ipaddress.IPv4Address(wanted).packed
        self.lease = self.exchange(packet, {ACK})
        return self.lease

    def rebind(self):
        """REBINDING: REQUEST with ciaddr through the relay -> the ACK."""
        packet = self.message(REQUEST, ciaddr=self.lease.yiaddr)
        self.lease = self.exchange(packet, {ACK})
        return self.lease

    def renew(self):
        """RENEWING: unicast from the leased address to the server, no relay -> the ACK."""
        address = self.lease.yiaddr
        packet = self.message(REQUEST, ciaddr=address)
        with self._own_socket(address) as sock:
            self.relay.attach(sock)
            try:
                self.lease = self.exchange(packet, {ACK}, self._unicast(sock))
            finally:
                self.relay.detach(sock)
        return self.lease

    def release(self):
        """RELEASE: unicast, nobody answers."""
        packet = self.message(RELEASE, ciaddr=self.lease.yiaddr)
        packet.options[SERVER_ID] = self.lease.options[SERVER_ID]
        with self._own_socket(self.lease.yiaddr) as sock:
            self._unicast(sock)(packet)
        self.lease = None

    def _own_socket(self, address):
        with self.relay.enter():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, CLIENT_PORT))
        sock.setblocking(False)
        return sock

    def _server_of_lease(self):
        return self.lease.option(SERVER_ID) or self.relay.server

    def _unicast(self, sock):
        server = self._server_of_lease()
        return lambda packet: sock.sendto(packet.pack(), (server, SERVER_PORT))


class Probe:
    """Sends a DISCOVER each `interval` seconds and notes when answers come: finds deaf spells."""

    def __init__(self, client, interval=0.01):
        self.client = client
        self.interval = interval
        self.sent = {}
        self.answered = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="probe")

    def start(self):
        """Begins to send; returns self."""
        self._thread.start()
        return self

    def _heard(self, packet):
        if packet.message_type == OFFER and packet.mac == self.client.mac:
            self.answered.append(time.monotonic())
            self.client.relay.forget(packet.xid)

    def _run(self):
        due = time.monotonic()
        while not self._stop.is_set():
            packet = self.client.message(DISCOVER)
            self.client.relay.listen(packet.xid, self._heard)
            self.sent[packet.xid] = time.monotonic()
            try:
                self.client.send(packet)
            except OSError:
                pass
            due += self.interval
            self._stop.wait(max(0.0, due - time.monotonic()))

    def stop(self):
        """Ends it; returns self."""
        self._stop.set()
        self._thread.join()
        for xid in self.sent:
            self.client.relay.forget(xid)
        return self

    def longest_gap_ms(self):
        """Longest time between two answers, in ms (None with less than two)."""
        gaps = [later - before for before, later in zip(self.answered, self.answered[1:])]
        return round(max(gaps) * 1000, 1) if gaps else None

    def unanswered(self):
        """How many DISCOVERs got no OFFER."""
        return len(self.sent) - len(self.answered)
