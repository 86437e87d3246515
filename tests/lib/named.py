"""BIND's named in a network namespace, and a small DNS client (RFC 1035) that asks it.

    server = named.Named(namespace, folder, "127.0.0.1", 53).configure(zones, first_files).start()
    server.query("cm-1.example.net", "A")      # ["10.0.0.1"]
"""

import ipaddress
import os
import pwd
import random
import shutil
import socket
import struct
import subprocess

from daemons import Daemon, unconfined

NAMED = "/usr/sbin/named"
TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "PTR": 12, "AAAA": 28}


def missing():
    """None when named, nsupdate and dig are installed, else the reason in one line."""
    gone = [word for word in (NAMED, "nsupdate", "dig", "tsig-keygen") if shutil.which(word) is None]
    return f"not installed: {', '.join(gone)}" if gone else None


def make_key(name="nmsp"):
    """A new TSIG key as named.conf writes it."""
    return subprocess.run(["tsig-keygen", "-a", "hmac-sha256", name], capture_output=True, text=True,
                          check=True).stdout


class Named(Daemon):
    """named as user bind (where the test is root), listening on one address and port."""

    name = "named"

    def __init__(self, namespace, folder, address="127.0.0.1", port=53):
        super().__init__(namespace, folder)
        self.address, self.port = address, port
        self.config = os.path.join(folder, "named.conf")
        self.key = os.path.join(folder, "key.conf")
        self.binary = unconfined(NAMED, folder)
        self._socket = None
        self.probe = None

    def configure(self, key, zones, files=()):
        """Writes named.conf (zones: its zone statements) and files (path, content); returns self."""
        with open(self.key, "w") as out:
            out.write(key)
        with open(self.config, "w") as out:
            out.write(f'include "{self.key}";\n'
                      f'options {{ directory "{self.folder}"; listen-on port {self.port} {{ {self.address}; }};\n'
                      "listen-on-v6 { none; }; recursion no; notify no; minimal-responses yes; pid-file none;\n"
                      "session-keyfile none; dnssec-validation no; allow-transfer { key nmsp; }; };\n"
                      f"controls {{ }};\n{zones}")
        for path, content in files:
            with open(path, "w") as out:
                out.write(content)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("bind")
            for folder, _, names in os.walk(self.folder):
                for name in [folder, *(os.path.join(folder, name) for name in names)]:
                    os.chown(name, owner.pw_uid, owner.pw_gid)
        return self

    def argv(self):
        run = [self.binary, "-g", "-n", "2", "-c", self.config]
        return ["setpriv", "--reuid=bind", "--regid=bind", "--clear-groups", *run] if os.geteuid() == 0 else run

    def ready(self):
        return self.query(self.probe, "SOA", 0.2) != [] if self.probe else True

    def query(self, name, kind, timeout=5.0):
        """The answer's records of a type as text, sorted; [] when there are none."""
        if self._socket is None:
            with self.namespace.entered():
                self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(timeout)
        number = random.getrandbits(16)
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
        self._socket.sendto(struct.pack("!HHHHHH", number, 0, 1, 0, 0, 0) + labels + b"\0"
                            + struct.pack("!HH", TYPES[kind], 1), (self.address, self.port))
        while True:
            answer = self._socket.recv(4096)
            if struct.unpack_from("!H", answer)[0] == number:
                return sorted(_records(answer, TYPES[kind]))

    def stop(self, *words):
        super().stop(*words)
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _name(packet, at):
    """A name at an offset, compressed or not; also where it ends."""
    labels, end = [], None
    while packet[at]:
        if packet[at] >= 192:
            end = end or at + 2
            at = struct.unpack_from("!H", packet, at)[0] & 0x3fff
        else:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += 1 + packet[at]
    return ".".join(labels) + ".", end or at + 1


def _records(packet, kind):
    """The records of a type in the answer section, as text."""
    _, _, questions, answers, _, _ = struct.unpack_from("!HHHHHH", packet)
    at = 12
    for _ in range(questions):
        at = _name(packet, at)[1] + 4
    for _ in range(answers):
        at = _name(packet, at)[1]
        found, _, _, length = struct.unpack_from("!HHIH", packet, at)
        at += 10
        if found == kind:
            yield _name(packet, at)[0] if kind in (5, 6, 12) else str(ipaddress.ip_address(packet[at:at + length]))
        at += length
