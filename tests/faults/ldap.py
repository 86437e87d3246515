"""The searches of ISC dhcpd's LDAP-dynamic method, made by hand (RFC 4511, X.690).

    looker = Ldap(enter, "127.0.0.1", 3890)
    looker.host("02:00:00:00:00:01")      # {"cn": [...], "dhcpStatements": [...]} or None
"""

import socket

SEARCH, ENTRY, DONE, BIND = 0x63, 0x64, 0x65, 0x60


def tlv(tag, *parts):
    """A BER value with a definite length."""
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def text(value):
    """An OCTET STRING."""
    return tlv(4, value.encode())


def equals(attribute, value):
    """A filter (attribute=value)."""
    return tlv(0xa3, text(attribute), text(value))


def message(number, operation):
    """An LDAPMessage."""
    return tlv(0x30, tlv(2, number.to_bytes(4, "big")), operation)


def bind(number):
    """A simple anonymous bind."""
    return message(number, tlv(BIND, tlv(2, b"\3"), text(""), tlv(0x80)))


def search(number, base, *filters):
    """A search of the whole tree for all of these."""
    return message(number, tlv(SEARCH, text(base), tlv(10, b"\2"), tlv(10, b"\0"), tlv(2, b"\0"),
                               tlv(2, b"\0"), tlv(1, b"\0"), tlv(0xa0, *filters), tlv(0x30)))


def host_search(number, mac):
    """What dhcpd asks for a client's hardware address."""
    return search(number, "cn=service,o=nmsp", equals("objectClass", "dhcpHost"),
                  equals("dhcpHWAddress", f"ethernet {mac}"))


def read(data, at=0):
    """One value at an offset -> (tag, body, end); IndexError when it is not whole."""
    tag, size = data[at], data[at + 1]
    at += 2
    if size & 0x80:
        n = size & 0x7f
        size = int.from_bytes(data[at:at + n], "big")
        at += n
    if at + size > len(data):
        raise IndexError("not whole yet")
    return tag, data[at:at + size], at + size


def children(body):
    """The values inside a constructed one."""
    at, found = 0, []
    while at < len(body):
        tag, inner, at = read(body, at)
        found.append((tag, inner))
    return found


class Ldap:
    """One connection; made in the namespace that `enter` enters."""

    def __init__(self, enter, address, port, timeout=5.0):
        with enter():
            self.socket = socket.create_connection((address, port), timeout)
        self.number, self.buffer = 1, b""

    def receive(self):
        """The next message's operation: (tag, body)."""
        while True:
            try:
                _, body, end = read(self.buffer)
                self.buffer = self.buffer[end:]
                return children(body)[1]
            except IndexError:
                part = self.socket.recv(65536)
                if not part:
                    raise ConnectionError("the look-up closed the connection") from None
                self.buffer += part

    def host(self, mac):
        """The entry's attributes, None when there is none."""
        self.number += 1
        self.socket.sendall(host_search(self.number, mac))
        entry = None
        while True:
            tag, body = self.receive()
            if tag == DONE:
                return entry
            if tag == ENTRY:
                entry = {}
                for _, attribute in children(children(body)[1][1]):
                    (_, name), (_, values) = children(attribute)
                    entry[name.decode()] = [value.decode() for _, value in children(values)]

    def close(self):
        """Ends the connection."""
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
