#!/usr/bin/python3
"""nmsp-agent without root: low ports handed over by systemd's way (LISTEN_FDS), or by one capability;
sockets that stay open while it is restarted turn nobody away."""

import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, part) for part in ("lib", "modem", "faults")]

import agents  # noqa: E402
import cluster  # noqa: E402
import ldap  # noqa: E402
import netns  # noqa: E402
import processes  # noqa: E402
import tap  # noqa: E402
import tftp  # noqa: E402
from waiting import wait_until  # noqa: E402

MODEL = """
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1');
INSERT INTO nmsp.netgw_secret VALUES (1, 'secret');
INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES (1, 'cm', '172.20.0.0/24');
INSERT INTO nmsp.template (name, source) VALUES ('base', 'MaxCPE 3;');
INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES ('02:00:00:00:00:01', 1, 1);
"""
MAC, SERVER, LOOKUP = "02:00:00:00:00:01", "172.20.0.1", ("127.0.0.1", 3890)
NOBODY = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


class Agent(agents.Agent):
    """nmsp-agent started by somebody else: `before` stands in front of its command line."""

    before = ()
    sockets = ()

    def argv(self):
        return [*self.before, *super().argv()]

    def start(self, deadline=30.0):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.log)
        self.process = processes.start(self.namespace.command(self.argv()), self.log, signal.SIGKILL,
                                       pass_fds=[one.fileno() for one in self.sockets])
        processes.wait_ready(self.process, self.ready, self.log, deadline, self.name)
        return self


def bound(net, kind, address):
    """A socket that root has bound in the server's namespace."""
    with net.server.entered():
        sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    if kind == socket.SOCK_STREAM:
        sock.listen(16)
    return sock


def path(db):
    """The modem's file."""
    return db.query("SELECT path, encode(config::bytea, 'hex') FROM nmsp.modem_file")[0]


def download(net, db, server):
    """True when the modem's file comes whole."""
    name, content = path(db)
    return tftp.fetch(server, name, enter=net.server.entered).data == bytes.fromhex(content)


def seconds(net, kind):
    """The four bytes of RFC 868."""
    with net.server.entered():
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.settimeout(2)
            sock.connect((SERVER, 37))
            if kind == socket.SOCK_DGRAM:
                sock.send(b"")
            return sock.recv(16)


def rights(agent):
    """Lines of its status that tell what it may."""
    with open(f"/proc/{agent.pid}/status") as status:
        return {line.split(":")[0]: line.split()[1] for line in status
                if line.startswith(("Uid", "CapEff", "CapPrm"))}


def handed_over(t, net, db, agent):
    """All sockets come from outside."""
    kinds = ((socket.SOCK_DGRAM, (SERVER, 69)), (socket.SOCK_DGRAM, (SERVER, 37)),
             (socket.SOCK_STREAM, (SERVER, 37)), (socket.SOCK_STREAM, LOOKUP))
    agent.sockets = [bound(net, kind, address) for kind, address in kinds]
    numbers = ",".join(str(one.fileno()) for one in agent.sockets)
    agent.before = [*NOBODY, sys.executable, os.path.join(TESTS, "lib", "activate.py"), numbers]
    agent.start()
    t.is_(rights(agent), {"Uid": "65534", "CapEff": "0" * 16, "CapPrm": "0" * 16},
          "it was never root and has no capability")
    t.ok(download(net, db, SERVER), "port 69 was handed over: a modem's file")
    t.is_([len(seconds(net, kind)) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)], [4, 4],
          "so was port 37, UDP and TCP")
    with ldap.Ldap(net.server.entered, *LOOKUP) as looker:
        t.ok(looker.host(MAC), "so was the look-up's")


def nobody_turned_away(t, net, db, agent):
    """While the agent is away its sockets stay open."""
    agent.kill9()
    with ldap.Ldap(net.server.entered, *LOOKUP, timeout=10) as looker:
        looker.number += 1
        looker.socket.sendall(ldap.host_search(looker.number, MAC))
        agent.start()
        t.is_(looker.receive()[0], ldap.ENTRY, "killed: a search of meanwhile is answered by the next one")
    t.ok(download(net, db, SERVER), "and it serves at the same sockets")
    agent.stop()
    for one in agent.sockets:
        one.close()
    agent.sockets = ()


def by_capability(t, net, db, agent):
    """As nmsp-agent.service does it."""
    agent.before = [*NOBODY, "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]
    agent.start()
    t.is_(rights(agent)["Uid"], "65534", "with CAP_NET_BIND_SERVICE alone it opens the ports itself")
    t.ok(download(net, db, SERVER), "and serves")
    agent.stop()
    agent.before = NOBODY
    t.raises(Exception, agent.start, "without it, it says what it may not", r"UDP 172\.20\.0\.1:69: Permission denied")


def by_systemd(t, net, db, agent):
    """systemd's own tool starts it at the first connection."""
    tool = shutil.which("systemd-socket-activate")
    if tool is None:
        t.skip("systemd-socket-activate", "not installed (package systemd)")
        return
    agent.write(download_listen=None, time_listen=None)
    agent.before = [*NOBODY, tool, "-l", f"{LOOKUP[0]}:{LOOKUP[1]}"]
    process = processes.start(net.server.command(agent.argv()), agent.log)
    try:
        wait_until(lambda: "Listening on" in agent.tail(), bool, 10, "systemd-socket-activate")
        with ldap.Ldap(net.server.entered, *LOOKUP, timeout=10) as looker:
            t.ok(looker.host(MAC), "systemd-socket-activate: the first search starts it and is answered")
    finally:
        processes.stop(process)


def story(t, stack):
    tap.require(netns.available() or cluster.missing() or agents.missing())
    net = stack.enter_context(netns.Network())
    net.server.run(["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=1024"])
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nmsp-activation-"))
    os.chmod(folder, 0o755)
    db = stack.enter_context(cluster.Cluster({"shared_preload_libraries": "nmsp", "unix_socket_permissions": "0777"}))
    db.psql("CREATE EXTENSION nmsp CASCADE; DO 'BEGIN PERFORM nmsp.migrate(); END'")
    db.psql(MODEL)
    agents.make_role(db)
    agent = Agent(net.server, folder, db.sockets, user=None, download_listen=f"{SERVER}:69",
                  time_listen=f"{SERVER}:37", lookup_listen=f"{LOOKUP[0]}:{LOOKUP[1]}")
    stack.callback(agent.stop)
    stack.callback(lambda: t.diag(agent.tail()) if t.failed or sys.exc_info()[0] else None)
    for part in (handed_over, nobody_turned_away, by_capability, by_systemd):
        part(t, net, db, agent)


tap.main(story)
