"""Network namespaces for the daemon stories: one for the daemons, one per CMTS.

    with netns.Network() as net:
        cmts = net.add_cmts("cmts1", giaddrs=["10.1.0.1"], pools=["10.1.0.0/20"])
        net.server.run(["ip", "addr"])
        with cmts.entered():
            ...  # sockets made here belong to the CMTS

      server namespace                              a CMTS's namespace
      prov0 (bridge) 172.20.0.1/24  <--- veth --->  up0 172.20.0.11/24
      route <pools> via 172.20.0.11                 pools local on lo (AnyIP)

Every address of a CMTS's pools is local in its namespace, so a modem's address
can be bound as source at once, without being configured. Names carry the pid of
the maker; only what was made here is deleted.
"""

import contextlib
import ctypes
import ipaddress
import itertools
import os
import shutil
import subprocess
import threading

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count(1)


class NetnsError(Exception):
    """A command of iproute2 failed; the text holds the command and its message."""


def _run(argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True)
    if done.returncode != 0:
        raise NetnsError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
    return done.stdout


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise NetnsError(f"setns: {os.strerror(error)}")


def available():
    """None when namespaces can be made here, else the reason in one line."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "the command ip (iproute2) is missing"
    try:
        with Network(server_address="172.31.255.1/24") as probe:
            probe.add_cmts("probe", giaddrs=["10.255.255.1"], pools=["10.255.255.0/24"])
    except NetnsError as error:
        return f"no network namespaces: {error}"
    return None


@contextlib.contextmanager
def entered(name):
    """Moves the calling thread (only it) into namespace `name` (None: stays).

    Sockets made inside stay in that namespace after leaving.
    """
    if name is None:
        yield
        return
    home = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
    try:
        there = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


class Namespace:
    """One named namespace with loopback up."""

    def __init__(self, name):
        self.name = name
        _run(["ip", "netns", "add", name])
        self.ip("link", "set", "lo", "up")

    def ip(self, *words):
        """Runs `ip words...` inside; returns its output."""
        return _run(["ip", "-n", self.name, *words])

    def command(self, argv):
        """argv that runs inside (`ip netns exec` replaces itself, the pid stays)."""
        return ["ip", "netns", "exec", self.name, *map(str, argv)]

    def run(self, argv):
        """Runs a command inside; returns its output, raises NetnsError when it fails."""
        return _run(self.command(argv))

    def entered(self):
        """Context manager: the calling thread works inside."""
        return entered(self.name)

    def pids(self):
        """Processes inside."""
        return [int(pid) for pid in _run(["ip", "netns", "pids", self.name]).split()]


class CmtsNamespace(Namespace):
    """Namespace of a CMTS: giaddr addresses, pools whose every address is local (AnyIP)."""

    def __init__(self, network, name, label, uplink):
        super().__init__(name)
        self.network = network
        self.label = label
        self.uplink = uplink
        self.giaddrs = []
        self.pools = []

    def add_giaddr(self, address):
        """Adds a relay address, known to the server by a host route."""
        self.ip("addr", "replace", f"{address}/32", "dev", "lo")
        self.network.route(f"{address}/32", self.uplink)
        self.giaddrs.append(str(address))

    def add_pool(self, pool):
        """Makes a whole network local here and routes it here (also moves it here)."""
        net = str(ipaddress.ip_network(pool, strict=False))
        self.ip("route", "replace", "local", net, "dev", "lo")
        self.network.route(net, self.uplink)
        self.pools.append(net)

    def drop_pool(self, pool):
        """Takes a network away again (it may go to another CMTS)."""
        net = str(ipaddress.ip_network(pool, strict=False))
        self.ip("route", "del", "local", net, "dev", "lo")
        self.pools.remove(net)


class Network:
    """Server namespace plus CMTS namespaces on one provisioning network."""

    interface = "prov0"

    def __init__(self, server_address="172.20.0.1/24", prefix="nmsp"):
        self.prefix = f"{prefix}-{os.getpid()}-{next(_serial)}"
        self.server_interface = ipaddress.ip_interface(server_address)
        self.cmts = {}
        self._made = []
        self._uplinks = itertools.count(11)
        self.server = None
        try:
            self.server = Namespace(self._claim("srv"))
            self._make_bridge()
        except BaseException:
            self.close()
            raise

    @property
    def server_address(self):
        """Address of the daemons, as text."""
        return str(self.server_interface.ip)

    @property
    def server_network(self):
        """The provisioning network, as ipaddress object."""
        return self.server_interface.network

    def _claim(self, suffix):
        """Name of a namespace about to be made; noted first, so an interruption leaks nothing."""
        name = f"{self.prefix}-{suffix}"
        self._made.append(name)
        return name

    def _make_bridge(self):
        self.server.ip("link", "add", self.interface, "type", "bridge", "forward_delay", "0")
        self.server.ip("addr", "add", self.server_interface.with_prefixlen, "dev", self.interface)
        self.server.ip("link", "set", self.interface, "up")

    def route(self, net, via):
        """Server's way to an address or network behind a CMTS."""
        self.server.ip("route", "replace", net, "via", via)

    def add_cmts(self, label, giaddrs=(), pools=()):
        """Adds a CMTS; `label` is its key in `self.cmts`. Returns its CmtsNamespace."""
        number = next(self._uplinks)
        uplink = str(self.server_network.network_address + number)
        cmts = CmtsNamespace(self, self._claim(f"c{number}"), label, uplink)
        port = f"port{number}"
        self.server.ip("link", "add", port, "type", "veth", "peer", "name", "up0",
                       "netns", cmts.name)
        self.server.ip("link", "set", port, "master", self.interface, "up")
        cmts.ip("addr", "add", f"{uplink}/{self.server_network.prefixlen}", "dev", "up0")
        cmts.ip("link", "set", "up0", "up")
        for pool in pools:
            cmts.add_pool(pool)
        for giaddr in giaddrs:
            cmts.add_giaddr(giaddr)
        self.cmts[label] = cmts
        return cmts

    def close(self):
        """Deletes the namespaces made here; safe to call twice."""
        problems = []
        while self._made:
            name = self._made.pop()
            if not os.path.exists(f"/run/netns/{name}"):
                continue
            try:
                _run(["ip", "netns", "del", name])
            except NetnsError as error:
                problems.append(str(error))
        if problems:
            raise NetnsError("; ".join(problems))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
