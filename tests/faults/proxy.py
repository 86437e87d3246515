"""A database's socket that can be cut: a proxy between libpq and the server's unix socket.

    wire = proxy.Wire(db.sockets, folder)   # libpq: host=<wire.folder>
    wire.cut()                              # every connection breaks, amid whatever it says
    wire.freeze(); wire.thaw()              # bytes are taken and go nowhere: a firewall that forgot
"""

import os
import selectors
import socket
import threading

NAME = ".s.PGSQL.5432"


class Wire:
    """One thread; `passed` counts the bytes of both directions."""

    def __init__(self, sockets, folder):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        self.folder, self.behind = folder, os.path.join(sockets, NAME)
        self.passed, self.frozen, self._pairs, self._cut_after = 0, False, {}, None
        self._lock = threading.RLock()
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.path.join(folder, NAME))
        os.chmod(os.path.join(folder, NAME), 0o777)
        self._listener.listen(64)
        self._wake_in, self._wake_out = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True, name="wire")
        self._thread.start()

    def cut(self, after=None):
        """Breaks all connections, now or once `after` more bytes have passed."""
        with self._lock:
            if after is not None:
                self._cut_after = self.passed + after
                return
            self._cut_after = None
            for one in list(self._pairs):
                self._drop(one)

    def freeze(self):
        """From now on nothing arrives, and nobody is told."""
        with self._lock:
            self.frozen = True

    def thaw(self):
        """Ends `freeze`; what was sent meanwhile is lost, so its connections are cut."""
        with self._lock:
            self.frozen = False
            self.cut()

    def close(self):
        """Ends the thread."""
        self._wake_out.send(b"x")
        self._thread.join()
        self.cut()
        for one in (self._listener, self._wake_in, self._wake_out):
            one.close()

    def _run(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake_in:
                    return
                with self._lock:
                    self._ready(key.fileobj)

    def _ready(self, one):
        if one is self._listener:
            self._accept()
        elif one in self._pairs:
            self._pass_on(one)

    def _accept(self):
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            if not self.frozen:
                server.connect(self.behind)
        except OSError:
            client.close()
            server.close()
            return
        for one, other in ((client, server), (server, client)):
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, one):
        try:
            data = one.recv(1 << 16)
            if data and not self.frozen:
                self.passed += len(data)
                if self._cut_after is not None and self.passed >= self._cut_after:
                    self._pairs[one].send(data[:len(data) // 2])  # amid a message
                    self.cut()
                    return
                self._pairs[one].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(one)

    def _drop(self, one):
        for end in (one, self._pairs.pop(one, None)):
            if end is not None:
                self._pairs.pop(end, None)
                try:
                    self._selector.unregister(end)
                except (KeyError, ValueError):
                    pass
                end.close()
