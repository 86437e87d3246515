"""Honest clients that go on while others misbehave: how long they wait, how often in vain.

    clients = Honest(house).start()
    ...
    clients.stop().told()      # "tftp p50 2.1 ms, p99 8.0 ms of 812, 0 in vain; look-up ..."
"""

import itertools
import socket
import threading
import time

import ldap
import tftp

AGENT, LOOKUP_PORT = "172.20.0.3", 3890
PAUSE, SOURCES = 0.02, 16  # a source may ask ten times a second: they take turns


def percentile(values, part):
    """That part of the sorted values, in ms."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000 if values else float("nan")


class Honest:
    """A modem that downloads, a clock that asks, a dhcpd that looks up: a thread each."""

    def __init__(self, house):
        self.house = house
        self.modem = house.db.query(
            "SELECT m.mac, f.path, encode(f.config::bytea, 'hex'), host(m.address), g.name FROM nmsp.modem m JOIN "
            "nmsp.modem_file f ON f.modem_id = m.id JOIN nmsp.netgw g ON g.id = m.netgw_id WHERE m.id = 2")[0]
        self.content = bytes.fromhex(self.modem[2])
        self.relay = house.cmts[self.modem[4]].relay
        first = house.cmts[self.modem[4]].networks["cm"].network_address + 256
        self.sources = [str(first + number) for number in range(SOURCES)]
        self._turn = itertools.count()
        self.times = {"tftp": [], "time": [], "look-up": []}
        self.vain = dict.fromkeys(self.times, 0)
        self.wrong = []
        self._over = threading.Event()
        self._threads = []

    def start(self):
        """Begins; returns self."""
        for name, ask in (("tftp", self._download), ("time", self._clock), ("look-up", self._look_up)):
            thread = threading.Thread(target=self._run, args=(name, ask), daemon=True, name=name)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self):
        """Ends them; returns self."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self

    def _run(self, name, ask):
        while not self._over.wait(PAUSE):
            begin = time.monotonic()
            try:
                ask()
                self.times[name].append(time.monotonic() - begin)
            except (OSError, tftp.TftpTimeout, tftp.TftpError) as error:
                self.vain[name] += 1
                self.wrong.append(f"{name}: {error}")

    def _source(self):
        return self.sources[next(self._turn) % SOURCES]

    def _download(self):
        got = tftp.fetch(AGENT, self.modem[1], source=self._source(), enter=self.relay.entered, timeout=1.0, tries=8)
        if got.data != self.content:
            raise OSError("other bytes than in the database")

    def _clock(self):
        with self.relay.entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((self._source(), 0))
        with sock:
            sock.settimeout(0.5)
            for _ in range(4):
                sock.sendto(b"", (AGENT, 37))
                try:
                    sock.recv(16)
                    return
                except TimeoutError:
                    continue
        raise TimeoutError("no time")

    def _look_up(self):
        with ldap.Ldap(self.house.net.server.entered, "127.0.0.1", LOOKUP_PORT, 2.0) as looker:
            if not looker.host(self.modem[0]):
                raise OSError("the modem is not known")

    def told(self):
        """One line."""
        return "; ".join(f"{name} p50 {percentile(times, .5):.1f} ms, p99 {percentile(times, .99):.1f} ms of "
                         f"{len(times)}, {self.vain[name]} in vain" for name, times in self.times.items())
