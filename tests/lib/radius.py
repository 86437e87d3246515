"""FreeRADIUS with the configuration that nmsp_radius.config() prints, and a gateway that asks it.

    server = Freeradius(namespace, folder, db, address)   # db: cluster.Cluster
    with server:
        nas = Nas(namespace, server_address, "secret", source="172.20.0.21")
        nas.auth("alice", "password")        -> Answer(code="Access-Accept", attributes={...})
        nas.acct("Start", "alice", "s1")     -> True when it was acknowledged

The daemon is Debian's, its queries are the stock ones; of its own configuration only radiusd.conf
is made here (users, paths and log of a test), the rest is what the database prints.
"""

import collections
import hashlib
import hmac
import os
import re
import shutil
import socket
import struct
import subprocess

import daemons
import processes

FREERADIUS, RADCLIENT = "/usr/sbin/freeradius", "/usr/bin/radclient"
STOCK = "/etc/freeradius/3.0"
QUERIES = os.path.join(STOCK, "mods-config/sql/main/postgresql/queries.conf")
RADIUSD = """
prefix = /usr
exec_prefix = /usr
libdir = /usr/lib/freeradius
name = freeradius
confdir = {folder}
modconfdir = {stock}/mods-config
logdir = {folder}
run_dir = {folder}
pidfile = {folder}/freeradius.pid
max_request_time = 30
cleanup_delay = 5
max_requests = 16384
log {{
    destination = stdout
}}
security {{
    allow_core_dumps = no
    max_attributes = 200
    reject_delay = {reject_delay}
    status_server = yes
}}
proxy_requests = no
thread pool {{
    start_servers = 4
    max_servers = 8
    min_spare_servers = 2
    max_spare_servers = 8
    max_requests_per_server = 0
}}
modules {{
    $INCLUDE {stock}/mods-available/always
    $INCLUDE {stock}/mods-available/attr_filter
    $INCLUDE {stock}/mods-available/chap
    $INCLUDE {stock}/mods-available/mschap
    $INCLUDE {stock}/mods-available/pap
    $INCLUDE {stock}/mods-available/expiration
    $INCLUDE {stock}/mods-available/expr
    $INCLUDE {stock}/mods-available/logintime
    $INCLUDE {folder}/mods-available/nmsp
}}
policy {{
    $INCLUDE {stock}/policy.d/
}}
$INCLUDE {folder}/sites-available/nmsp
"""

Answer = collections.namedtuple("Answer", "code attributes")


def missing():
    """None when FreeRADIUS is installed, else the reason in one line."""
    gone = [path for path in (FREERADIUS, RADCLIENT, QUERIES) if not os.path.exists(path)]
    return f"not installed: {', '.join(gone)}" if gone else None


class Freeradius(daemons.Daemon):
    """freeradius -f in a namespace, on a cluster's database as role `role`."""

    name = "freeradius"

    def __init__(self, namespace, folder, db, role="freerad", database="postgres",
                 networks="{0.0.0.0/0}", reject_delay=0):
        super().__init__(namespace, folder)
        self.db, self.role, self.database, self.networks = db, role, database, networks
        self.reject_delay = reject_delay
        self.configure()

    def write_files(self, folder, networks):
        """Writes what the database prints below a folder."""
        connection = f"host={self.db.sockets} dbname={self.database} user={self.role}"
        for path, _ in self.db.query("SELECT path, '' FROM nmsp_radius.config()", self.database):
            target = os.path.join(folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w") as file:
                file.write(self.db.psql(
                    f"SELECT content FROM nmsp_radius.config('{connection}', "
                    f"'{networks}') WHERE path = '{path}'", self.database))

    def configure(self):
        """Writes the configuration, as the database prints it."""
        self.write_files(self.folder, self.networks)
        with open(os.path.join(self.folder, "radiusd.conf"), "w") as file:
            file.write(RADIUSD.format(folder=self.folder, stock=STOCK,
                                      reject_delay=self.reject_delay))
        shutil.copy(os.path.join(STOCK, "dictionary"), self.folder)

    def check_on_debian(self, networks):
        """(exit status, output) of `freeradius -C` on a copy of Debian's whole configuration, in
        which the steps of the operators' guide were made."""
        copy = os.path.join(self.folder, "debian")
        shutil.copytree(STOCK, copy, symlinks=True)
        self.write_files(copy, networks)
        for path in ("sites-enabled/default", "sites-enabled/inner-tunnel", "mods-enabled/eap"):
            os.unlink(os.path.join(copy, path))
        for kind in ("mods", "sites"):
            os.symlink(f"../{kind}-available/nmsp", os.path.join(copy, f"{kind}-enabled/nmsp"))
        with open(os.path.join(copy, "radiusd.conf")) as file:
            text = file.read()
        with open(os.path.join(copy, "radiusd.conf"), "w") as file:
            file.write(text.replace(STOCK, copy))
        subprocess.run(["chown", "-R", "--reference", STOCK, copy], check=True)
        done = subprocess.run(self.namespace.command([FREERADIUS, "-XC", "-d", copy]),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def argv(self):
        return [FREERADIUS, "-f", "-d", self.folder, "-l", "stdout"]

    def check(self):
        """(exit status, output) of `freeradius -C`: does it take the configuration?"""
        done = subprocess.run(self.namespace.command([FREERADIUS, "-XC", "-d", self.folder]),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def ready(self):
        return {1812, 1813} <= processes.udp_ports(self.pid) \
            and "Ready to process requests" in self.tail(200)


class Nas:
    """An access gateway: radclient from an address of its own."""

    def __init__(self, namespace, server, secret, source):
        self.namespace, self.server, self.secret, self.source = namespace, server, secret, source

    def _radclient(self, kind, lines, port, words=(), timeout=2, retries=1):
        argv = [RADCLIENT, "-x", "-t", timeout, "-r", retries, *words, f"{self.server}:{port}",
                kind, self.secret]
        done = subprocess.run(self.namespace.command(argv), input="\n".join(lines) + "\n",
                              capture_output=True, text=True)
        return done.stdout + done.stderr

    def request(self, kind, attributes, port, **options):
        """Sends one packet, `attributes`: [(name, value)]; an Answer, code None for silence."""
        lines = [f"{name} = {value}" for name, value in attributes]
        text = self._radclient(kind, [*lines, f"Packet-Src-IP-Address = {self.source}"], port,
                               **options)
        return parse(text)

    def auth(self, username, password=None, more=(), **options):
        """An Access-Request."""
        attributes = [("User-Name", quoted(username)), ("NAS-IP-Address", self.source),
                      ("NAS-Port", 0), *more]
        if password is not None:
            attributes.append(("User-Password", quoted(password)))
        return self.request("auth", attributes, 1812, **options)

    def acct(self, status, username=None, session=None, more=(), **options):
        """An Accounting-Request; returns True when it was acknowledged."""
        attributes = [("Acct-Status-Type", status), ("NAS-IP-Address", self.source), *more]
        if username is not None:
            attributes += [("User-Name", quoted(username)), ("Acct-Session-Id", quoted(session)),
                           ("NAS-Port", 0)]
        return self.request("acct", attributes, 1813, **options).code == "Accounting-Response"

    def load(self, kind, requests, parallel=32):
        """Sends many packets (each a list of attributes) side by side; returns radclient's summary
        as {word: number}."""
        path = os.path.join("/tmp", f"nmsp-radius-load-{os.getpid()}")
        with open(path, "w") as file:
            for attributes in requests:
                file.writelines(f"{name} = {value}\n" for name, value in attributes)
                file.write(f"Packet-Src-IP-Address = {self.source}\n\n")
        try:
            port = 1812 if kind == "auth" else 1813
            argv = [RADCLIENT, "-q", "-s", "-t", 5, "-r", 3, "-p", parallel, "-f", path,
                    f"{self.server}:{port}", kind, self.secret]
            done = subprocess.run(self.namespace.command(argv), capture_output=True, text=True)
        finally:
            os.unlink(path)
        found = re.findall(r"^\s*(Accepted|Rejected|Lost|Passed filter|Failed filter)\s*: (\d+)",
                           done.stdout, re.M)
        return {word: int(number) for word, number in found}


def send(namespace, where, kind, secret, attributes):
    """Sends one packet by radclient and waits for no answer; returns what it wrote."""
    argv = [RADCLIENT, "-r", "1", "-t", "0.1", where, kind, secret]
    done = subprocess.run(namespace.command(argv),
                          input=attributes + "\n", capture_output=True, text=True)
    return done.stdout + done.stderr


class Asker:
    """Access-Requests with PAP (RFC 2865, 2869) from a socket that stays open: no radclient to
    start, so that times are the server's."""

    CODES = {2: "Access-Accept", 3: "Access-Reject"}

    def __init__(self, nas):
        self.nas, self.id = nas, 0
        with nas.namespace.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((nas.source, 0))
        self.socket.settimeout(2)

    def ask(self, username, password):
        """The answer's code; raises TimeoutError."""
        secret, vector = self.nas.secret.encode(), os.urandom(16)
        self.id = (self.id + 1) % 256
        hidden, last = b"", vector
        clear = password.encode()
        clear += bytes(-len(clear) % 16)
        for start in range(0, len(clear), 16):
            key = hashlib.md5(secret + last).digest()
            last = bytes(a ^ b for a, b in zip(clear[start:start + 16], key))
            hidden += last
        body = b"".join(bytes([kind, len(value) + 2]) + value for kind, value in (
            (80, bytes(16)), (1, username.encode()), (2, hidden),
            (4, socket.inet_aton(self.nas.source))))
        head = struct.pack(">BBH", 1, self.id, 20 + len(body)) + vector
        seal = hmac.new(secret, head + body, "md5").digest()
        self.socket.sendto(head + body[:2] + seal + body[18:], (self.nas.server, 1812))
        while True:
            answer = self.socket.recv(4096)
            if answer[1] == self.id:
                return self.CODES.get(answer[0])

    def close(self):
        """Closes the socket."""
        self.socket.close()


def quoted(value):
    """A string as radclient reads it."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse(text):
    """Answer of what radclient -x wrote; attributes: {name: [values]}."""
    received = re.split(r"^Received ", text, flags=re.M)
    if len(received) < 2:
        return Answer(None, {"": [text]})
    code = received[-1].split()[0]
    attributes = {}
    for name, value in re.findall(r"^\t([\w-]+) [:+]?= (.*)$", received[-1], re.M):
        attributes.setdefault(name, []).append(value.strip('"'))
    return Answer(code, attributes)
