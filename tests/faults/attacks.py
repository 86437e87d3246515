"""What strangers send to every port that nmsp-agent opens. Each attack: f(house, n) -> (packets
sent, bytes sent, bytes that came back)."""

import contextlib
import random
import resource
import selectors
import socket
import struct
import time

import ldap

AGENT, TFTP, TIME, LOOKUP = "172.20.0.3", 69, 37, 3890
NAMES = ("../../../etc/passwd", "/etc/shadow", "cm/../../etc/passwd", "cm/cm-0.cfg", "cm/cm-99999999.cfg",
         "cm\\..\\boot.ini", "cm/%2e%2e/x", "cm/cm-1.cfg\x01", "x" * 300, "", "cm/", "//", "cm/cm-1'--.cfg", "\xff\xfe")


def request(name, *options, opcode=1, mode="octet"):
    """An RRQ (or WRQ)."""
    words = [name, mode, *options]
    return struct.pack("!H", opcode) + b"".join(word.encode("latin-1", "replace") + b"\0" for word in words)


class Crowd:
    """UDP sockets with many addresses behind a CMTS; what comes back is counted, never answered."""

    def __init__(self, house, sources, per_source=1, cmts="cmts-1", first=512):
        self.sockets, self.back, self.answers = [], 0, 0
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536) if most > 0 else 65536, most))
        self._selector = selectors.DefaultSelector()
        base = house.cmts[cmts].networks["cm"].network_address + first
        with house.cmts[cmts].relay.entered():
            for number in range(sources * per_source):
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sock.bind((str(base + number % sources), 0))
                sock.setblocking(False)
                self._selector.register(sock, selectors.EVENT_READ)
                self.sockets.append(sock)

    def send(self, number, packet, port=TFTP):
        """One packet of one of them; True when it left."""
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            self.sockets[number % len(self.sockets)].sendto(packet, (AGENT, port))
            return True
        return False

    def listen(self, seconds=0.0):
        """Counts what has come back by now, or in so many seconds."""
        end = time.monotonic() + seconds
        while True:
            for key, _ in self._selector.select(max(0.0, end - time.monotonic())):
                with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                    while packet := key.fileobj.recv(70000):
                        self.back += len(packet)
                        self.answers += 1
            if time.monotonic() >= end:
                return

    def acknowledge(self, seconds):
        """Answers each OACK with ACK 0, and nothing else; returns the bytes sent."""
        size = 0
        for key, _ in self._selector.select(seconds):
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                packet, peer = key.fileobj.recvfrom(2000)
                self.back += len(packet)
                if packet[:2] == b"\0\6":
                    size += key.fileobj.sendto(b"\0\4\0\0", peer)
        return size

    def close(self):
        """Gives the sockets back."""
        self._selector.close()
        for sock in self.sockets:
            sock.close()


def flood(house, n, make, port=TFTP, sources=200, linger=0.3):
    """n packets of make(rng) from many sources."""
    rng, crowd = random.Random(n), Crowd(house, sources)
    sent = size = 0
    try:
        for number in range(n):
            packet = make(rng)
            if crowd.send(number, packet, port):
                sent += 1
                size += len(packet)
            if number % 200 == 199:
                crowd.listen()
        crowd.listen(linger)
    finally:
        crowd.close()
    return sent, size, crowd.back


def junk(house, n):
    """Noise, truncated and giant packets."""
    giant = bytes(60000)

    def make(rng):
        kind = rng.randrange(6)
        if kind == 0:
            return rng.randbytes(rng.randrange(0, 1200))
        if kind == 1:
            return request("cm/cm-1.cfg")[:rng.randrange(0, 20)]
        if kind == 2:
            return struct.pack("!HH", rng.choice([3, 4, 5, 6, 7, 65535]), rng.randrange(65536)) + rng.randbytes(8)
        if kind == 3:
            return request("n", *["o", "v"] * 40)
        if kind == 4:
            return request("n", "blksize", "9" * 400, "tsize", "-1", "windowsize", "\xff")
        return giant if rng.random() < 0.05 else b"\0\1" + b"a" * 1400
    return flood(house, n, make)


def names(house, n):
    """Files that are not there, and ways out."""
    return flood(house, n, lambda rng: request(rng.choice(NAMES)))


def writes(house, n):
    """Write requests and modes of old."""
    return flood(house, n, lambda rng: request("x", opcode=2) if rng.random() < .5 else request("x", mode="mail"))


def half_open(house, n):
    """Requests for files that are there, never acknowledged, with the longest timeout there is."""
    crowd = Crowd(house, 300, 20)  # more endpoints than transfers that the agent can have at once
    packets = [request("cm/cm-2.cfg", "timeout", "255", "blksize", "1448"), request("cm/cm-4.cfg")]
    sent = size = 0
    try:
        for number in range(max(n, len(crowd.sockets))):
            if crowd.send(number, packets[number % 7 == 0]):
                sent += 1
                size += len(packets[number % 7 == 0])
            if number % 50 == 49:
                crowd.listen(0.01)
        crowd.listen(2.0)
    finally:
        crowd.close()
    return sent, size, crowd.back


def stalled(house, n):
    """Transfers that begin, acknowledge once and then stand still, with the longest timeout."""
    crowd = Crowd(house, 300, 20)
    packet = request("cm/cm-2.cfg", "timeout", "255", "blksize", "8")
    sent = size = 0
    try:
        for number in range(max(n, len(crowd.sockets))):
            if crowd.send(number, packet):
                sent += 1
                size += len(packet)
            if number % 50 == 49:
                size += crowd.acknowledge(0.01)
        for _ in range(20):
            size += crowd.acknowledge(0.1)
    finally:
        crowd.close()
    return sent, size, crowd.back


def one_source(house, n):
    """One endpoint that repeats its request: recognised, one answer each at most, and not without end."""
    crowd = Crowd(house, 1, 1, first=900)
    packet = request("cm/cm-2.cfg")
    sent = 0
    try:
        for number in range(n):
            sent += crowd.send(0, packet)
            if number % 50 == 49:
                crowd.listen()
        crowd.listen(1.5)
    finally:
        crowd.close()
    return sent, sent * len(packet), crowd.back


def clocks(house, n):
    """Time requests, among them such that would go round for ever."""
    return flood(house, n, lambda rng: rng.randbytes(rng.choice([0, 0, 4, 1000])), port=TIME)


def acknowledgers(house, n):
    """ACKs and ERRORs to the ports of transfers that are others'."""
    with house.cmts["cmts-1"].relay.entered():
        ports = pool_ports(house)
    crowd, rng, sent, size = Crowd(house, 50), random.Random(1), 0, 0
    try:
        for number in range(n):
            packet = struct.pack("!HH", rng.choice([4, 4, 5, 3]), rng.randrange(4)) + (b"x\0" if rng.random() < .3 else b"")
            if crowd.send(number, packet, rng.choice(ports)):
                sent += 1
                size += len(packet)
        crowd.listen(0.3)
    finally:
        crowd.close()
    return sent, size, crowd.back


def pool_ports(house):
    """Ports that the agent answers from."""
    with open(f"/proc/{house.agent.pid}/net/udp") as table:
        ports = {int(line.split()[1].split(":")[1], 16) for line in table.readlines()[1:]
                 if line.split()[1].startswith("00000000")}
    return sorted(port for port in ports if port > 1023) or [40000]


# -- TCP ----------------------------------------------------------------------

def connect(house, port, address=None):
    """A TCP connection of a stranger: to the look-up from the machine itself."""
    if port == LOOKUP:
        with house.net.server.entered():
            return socket.create_connection(("127.0.0.1", port), 2)
    with house.cmts["cmts-1"].relay.entered():
        return socket.create_connection((address or AGENT, port), 2)


def slow(house, n):
    """Connections to the look-up that say nothing, or a byte now and then, and stay."""
    held, sent = [], 0
    begin = ldap.bind(1)
    try:
        for number in range(min(n, 400)):
            with contextlib.suppress(OSError):
                sock = connect(house, LOOKUP)
                if number % 2:
                    sock.sendall(begin[:number % len(begin)])
                    sent += number % len(begin)
                held.append(sock)
        time.sleep(1.0)  # honest clients look up meanwhile
    finally:
        for sock in held:
            sock.close()
    return len(held), sent, 0


def ldap_junk(house, n):
    """Noise, lengths that lie, nests, and whole messages that mean nothing, to the look-up."""
    rng, size, back = random.Random(7), 0, 0
    deep = b""
    for _ in range(60):
        deep = ldap.tlv(0xa0, deep)
    whole = ldap.host_search(2, "02:00:00:00:00:02")
    for _ in range(n):
        kind = rng.randrange(6)
        packet = [rng.randbytes(rng.randrange(1, 300)), b"\x30\x84\x7f\xff\xff\xff" + bytes(40),
                  ldap.message(3, ldap.tlv(0x63, deep)), whole[:rng.randrange(1, len(whole))],
                  ldap.message(4, ldap.tlv(0x6a, b"x" * 5000)), whole * 30][kind]
        with contextlib.suppress(OSError):
            with connect(house, LOOKUP) as sock:
                sock.settimeout(0.2)
                sock.sendall(packet)
                size += len(packet)
                if kind == 5:
                    back += len(sock.recv(65536))
    return n, size, back


def talkers(house, n):
    """Connections to the time port that send and send."""
    size, chunk = 0, bytes(65536)
    for _ in range(min(n, 60)):
        with contextlib.suppress(OSError):
            with connect(house, TIME) as sock:
                sock.settimeout(0.3)
                for _ in range(200):
                    size += sock.send(chunk)
    return min(n, 60), size, 0


ATTACKS = {
    "junk, truncated and giant packets": (junk, 1.0),
    "names that lead out or nowhere": (names, 1.0),
    "write requests": (writes, 0.3),
    "half-open transfers": (half_open, 0.2),
    "transfers that stand still": (stalled, 0.2),
    "one endpoint repeats itself": (one_source, 0.05),
    "time requests": (clocks, 1.0),
    "ACKs and ERRORs of strangers": (acknowledgers, 0.5),
    "silent connections to the look-up": (slow, 0.02),
    "junk to the look-up": (ldap_junk, 0.01),
    "talkers at the time port": (talkers, 0.001),
}
