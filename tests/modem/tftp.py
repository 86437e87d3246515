"""TFTP client: RFC 1350 with options (2347), blksize (2348), timeout and tsize (2349),
windowsize (7440); over IPv4 and IPv6.

    data = fetch("172.20.0.1", "cm/cm-1.cfg", source="10.1.0.5").data

A `Transfer` can also be driven block by block, to see that one under way
survives what happens to the file or the server meanwhile:

    transfer = Transfer(server, name).open()
    transfer.read_blocks(2)
    ...
    data = transfer.read_all().data
"""

import contextlib
import socket
import struct
import time

RRQ, WRQ, DATA, ACK, ERROR, OACK = 1, 2, 3, 4, 5, 6


class TftpError(Exception):
    """The server's ERROR packet (attributes code, message) or a broken packet (code None)."""

    def __init__(self, code, message):
        super().__init__(message if code is None else f"TFTP error {code}: {message}")
        self.code = code
        self.message = message


class TftpTimeout(Exception):
    """The server fell silent."""


def pack_request(name, options):
    """Read request in octet mode with options in the order given."""
    words = [name, "octet"]
    for key, value in options.items():
        words += [key, str(value)]
    return struct.pack("!H", RRQ) + b"".join(word.encode() + b"\0" for word in words)


def parse_options(raw):
    """Body of an OACK -> dict, keys in lower case."""
    words = raw.split(b"\0")
    if words[-1] != b"" or len(words) % 2 != 1:
        raise TftpError(None, f"broken OACK: {raw!r}")
    text = [word.decode("ascii", "replace") for word in words[:-1]]
    return {key.lower(): value for key, value in zip(text[::2], text[1::2])}


class Transfer:
    """One download. Results: data, options (what the server granted), packets, resent, ms."""

    def __init__(self, server, name, source=None, blksize=1448, tsize=True, timeout_option=None,
                 timeout=1.0, tries=5, enter=contextlib.nullcontext, port=69, windowsize=None):
        self.server, self.name, self.source, self.port = server, name, source, port
        self.timeout, self.tries, self.enter = timeout, tries, enter
        self.wanted = {}
        if blksize:
            self.wanted["blksize"] = blksize
        if tsize:
            self.wanted["tsize"] = 0
        if timeout_option:
            self.wanted["timeout"] = timeout_option
        if windowsize:
            self.wanted["windowsize"] = windowsize
        self.options = {}
        self.block_size = 512
        self.window = 1
        self.blocks = []
        self.packets = self.resent = 0
        self.ms = None
        self.finished = False
        self._sock = self._peer = None
        self._pending = None

    @property
    def data(self):
        """The bytes received so far."""
        return b"".join(self.blocks)

    def open(self):
        """Sends the request, waits for OACK or the first block; returns self."""
        self._begin = time.monotonic()
        with self.enter():
            family = socket.AF_INET6 if ":" in self.server else socket.AF_INET
            self._sock = socket.socket(family, socket.SOCK_DGRAM)
            if self.source:
                self._sock.bind((self.source, 0))
        try:
            code, body = self._call(pack_request(self.name, self.wanted), {OACK, DATA})
            self._first(code, body)
        except BaseException:
            self.close()
            raise
        return self

    def _first(self, code, body):
        if code == DATA:
            self._take(body)
            return
        self.options = parse_options(body)
        refused = set(self.options) - set(self.wanted)
        if refused:
            raise TftpError(None, f"the server granted what nobody asked for: {refused}")
        self.block_size = int(self.options.get("blksize", 512))
        self.window = int(self.options.get("windowsize", 1))
        self._pending = struct.pack("!HH", ACK, 0)

    def _take(self, body):
        """Stores the next data block (2 bytes number, payload)."""
        payload = body[2:]
        if len(payload) > self.block_size:
            raise TftpError(None, f"block of {len(payload)} bytes, agreed {self.block_size}")
        self.blocks.append(payload)
        self._pending = None if len(self.blocks) % self.window else self._ack()
        if len(payload) < self.block_size:
            self._finish()

    def _ack(self):
        return struct.pack("!HH", ACK, len(self.blocks) & 0xffff)

    def _finish(self):
        self._send(self._ack())
        self.finished = True
        self.ms = (time.monotonic() - self._begin) * 1000
        self.close()
        size = self.options.get("tsize")
        if size is not None and int(size) != len(self.data):
            raise TftpError(None, f"tsize says {size} bytes, {len(self.data)} came")

    def read_blocks(self, count):
        """Acknowledges and reads up to `count` more blocks; returns self."""
        for _ in range(count):
            if self.finished:
                break
            expected = struct.pack("!H", (len(self.blocks) + 1) & 0xffff)
            self._take(self._call(self._pending, {DATA}, expected)[1])
        return self

    def read_all(self):
        """Reads to the end; returns self."""
        try:
            while not self.finished:
                self.read_blocks(1)
        finally:
            self.close()
        return self

    def close(self):
        """Gives the socket back; the server gives up by its own timeout."""
        if self._sock is not None:
            self._sock.close()

    def _send(self, raw):
        self._sock.sendto(raw, self._peer or (self.server, self.port))
        self.packets += 1

    def _call(self, raw, kinds, block=None):
        """Sends `raw` until a packet of one of `kinds` (and block number) answers it."""
        for attempt in range(self.tries):
            if raw is not None or attempt:  # None: amid a window, the next block comes by itself
                self._send(raw or self._ack())
            self.resent += 1 if attempt else 0
            answer = self._await(kinds, block)
            if answer is not None:
                return answer
        raise TftpTimeout(f"{self.name}: no answer from {self.server} after {self.tries} tries of "
                          f"{self.timeout} s ({len(self.blocks)} blocks came)")

    def _await(self, kinds, block):
        end = time.monotonic() + self.timeout
        while True:
            self._sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                raw, sender = self._sock.recvfrom(65536)
            except TimeoutError:
                return None
            if sender[0] != self.server or (self._peer and sender[:2] != self._peer[:2]):
                continue
            answer = self._judge(raw, sender, kinds, block)
            if answer is not None:
                return answer

    def _judge(self, raw, sender, kinds, block):
        """A packet of our peer -> (code, body) when it is the awaited one, else None."""
        self.packets += 1
        if len(raw) < 4:
            raise TftpError(None, f"packet of {len(raw)} bytes")
        code, body = struct.unpack("!H", raw[:2])[0], raw[2:]
        if code == ERROR:
            raise TftpError(struct.unpack("!H", body[:2])[0],
                            body[2:].split(b"\0")[0].decode("utf-8", "replace"))
        wanted_block = block or (b"\0\1" if code == DATA else None)
        if code not in kinds or (wanted_block and body[:2] != wanted_block):
            return None
        self._peer = sender
        return code, body


def fetch(server, name, **options):
    """Downloads a file; returns the finished Transfer. Options as for Transfer."""
    return Transfer(server, name, **options).open().read_all()
