"""A throw-away PostgreSQL cluster: own folder, own unix socket, no TCP.

    with Cluster({"shared_preload_libraries": "nmsp", "nmsp.databases": "postgres"}) as db:
        db.psql("CREATE EXTENSION nmsp CASCADE")
        rows = db.query("SELECT id, mac FROM nmsp.modem")
        db.wait_for("SELECT count(*) FROM nmsp_feed.status WHERE lag = 0", "1")

The binaries come from PG_CONFIG (or /usr/lib/postgresql/15/bin). Run by root, the
server runs as user postgres; clients connect as superuser postgres in both cases.
"""

import csv
import io
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import processes
from waiting import wait_until

DEFAULT_BIN = "/usr/lib/postgresql/15/bin"
NULL = "\\N(null)"
TEST_SETTINGS = {"listen_addresses": "", "max_connections": 50, "logging_collector": "off",
                 "log_line_prefix": "%m [%p] %b ", "restart_after_crash": "on",
                 "shared_buffers": "64MB", "timezone": "UTC"}


class SqlError(Exception):
    """psql ended with an error; the text is what it wrote. `sqlstate` is its code."""

    def __init__(self, text):
        super().__init__(text)
        first = next((line for line in text.splitlines() if "ERROR:" in line), "")
        words = first.split("ERROR:", 1)[-1].split(":")
        self.sqlstate = words[0].strip() if len(words) > 1 else None


def bin_folder():
    """Folder of the server's programs: of $PG_CONFIG, else Debian's."""
    pg_config = os.environ.get("PG_CONFIG")
    if not pg_config:
        return DEFAULT_BIN
    done = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def missing():
    """None when a cluster can be made here, else the reason in one line."""
    if not os.access(os.path.join(bin_folder(), "initdb"), os.X_OK):
        return f"no initdb in {bin_folder()}"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL must not run as root and there is no user postgres"
    return None


def literal(value):
    """A value as SQL literal (None -> NULL)."""
    if value is None:
        return "NULL"
    return "'" + str(value).replace("'", "''") + "'"


class Cluster:
    """One PostgreSQL server. settings: dict for postgresql.conf, over TEST_SETTINGS."""

    def __init__(self, settings=None, bindir=None, folder=None, environment=None):
        self.bindir = bindir or bin_folder()
        self.environment = {**os.environ, **(environment or {})}  # of the server
        self.owner = "postgres" if os.geteuid() == 0 else None
        self.folder = folder or tempfile.mkdtemp(prefix="nmsp-pg-")
        os.chmod(self.folder, 0o755)
        self.data = os.path.join(self.folder, "data")
        self.sockets = os.path.join(self.folder, "s")
        self.log = os.path.join(self.folder, "server.log")
        self.settings = {**TEST_SETTINGS, **(settings or {})}

    @classmethod
    def attached(cls, bindir, sockets):
        """A running cluster as its clients see it; its server is another process's business."""
        client = cls.__new__(cls)
        client.bindir, client.sockets = bindir, sockets
        return client

    # -- server

    def _as_owner(self, argv):
        argv = [str(word) for word in argv]
        return ["runuser", "-u", self.owner, "--", *argv] if self.owner else argv

    def _server_tool(self, name, *words, check=True, env=None):
        done = subprocess.run(self._as_owner([os.path.join(self.bindir, name), *words]),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, cwd="/", env=env)
        if check and done.returncode != 0:
            raise RuntimeError(f"{name} {' '.join(map(str, words))}: {done.stdout}\n"
                               f"{self.log_tail()}")
        return done.stdout

    def init(self):
        """initdb and postgresql.conf; returns self."""
        os.makedirs(self.sockets, exist_ok=True)
        if self.owner:
            for path in (self.folder, self.sockets):
                shutil.chown(path, self.owner, self.owner)
        self._server_tool("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N",
                          "-E", "UTF8", "--locale=C.UTF-8")
        self.configure({"unix_socket_directories": self.sockets, **self.settings})
        return self

    def configure(self, settings):
        """Appends settings to postgresql.conf; they count after reload() or restart()."""
        with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
            for name, value in settings.items():
                conf.write(f"{name} = {literal(value)}\n")

    def start(self):
        """Starts the server and waits until it accepts connections; returns self."""
        self._server_tool("pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", 60, "start",
                          env=self.environment)
        return self

    def stop(self, mode="fast"):
        """Stops it (fast, smart or immediate); quiet when it does not run."""
        pid = self.postmaster_pid()
        if pid is not None:
            self._server_tool("pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", 60, "stop")
            wait_until(lambda: processes.alive(pid), lambda runs: not runs, 10, "postmaster gone")

    def restart(self, mode="fast"):
        """Stop and start."""
        self.stop(mode)
        return self.start()

    def reload(self):
        """Makes the server read its configuration again."""
        self._server_tool("pg_ctl", "-D", self.data, "reload")

    def postmaster_pid(self):
        """Process id of the running postmaster, None when there is none."""
        try:
            with open(os.path.join(self.data, "postmaster.pid")) as file:
                pid = int(file.readline())
            return pid if processes.alive(pid) else None
        except (OSError, ValueError):
            return None

    def kill9(self, pid=None):
        """SIGKILL to one process of this cluster (default: the postmaster)."""
        os.kill(pid or self.postmaster_pid(), signal.SIGKILL)

    def pids(self, backend_type):
        """Process ids of this cluster's processes whose backend_type is LIKE the pattern."""
        rows = self.query("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE "
                          f"{literal(backend_type)} ORDER BY pid")
        return [int(pid) for pid, in rows]

    def wait_up(self, deadline=30.0):
        """Waits until the server answers (after a crash restart)."""
        return wait_until(lambda: self.value("SELECT 1"), lambda v: v == "1", deadline, "server up")

    def log_tail(self, lines=40):
        """End of the server's log."""
        return processes.tail(self.log, lines)

    def close(self):
        """Stops the server and removes its folder."""
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.init().start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exception):
        self.close()

    # -- clients

    def psql_argv(self, database="postgres", *words):
        """Command line of psql for this cluster."""
        return [os.path.join(self.bindir, "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1",
                "-v", "VERBOSITY=verbose", "-h", self.sockets, "-U", "postgres",
                "-d", database, *words]

    def psql(self, sql, database="postgres", *words):
        """Runs SQL (or psql commands); returns what psql wrote, raises SqlError."""
        done = subprocess.run(self.psql_argv(database, *words), input=sql, capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise SqlError(done.stderr.strip())
        return done.stdout

    def psql_file(self, path, database="postgres"):
        """Runs a file of SQL."""
        return self.psql("", database, "-f", path)

    def query(self, sql, database="postgres"):
        """Rows of a query as lists of text; NULL is None."""
        out = self.psql(sql, database, "--csv", "-P", f"null={NULL}")
        return [[None if cell == NULL else cell for cell in row]
                for row in csv.reader(io.StringIO(out))]

    def value(self, sql, database="postgres"):
        """First column of the first row, None without rows."""
        rows = self.query(sql, database)
        return rows[0][0] if rows else None

    def wait_for(self, sql, wanted, deadline=10.0, database="postgres"):
        """Waits until the first value of `sql` is `wanted` (or wanted(value) is true)."""
        test = wanted if callable(wanted) else lambda value: value == wanted
        return wait_until(lambda: self.value(sql, database), test, deadline, sql)

    def session(self, database="postgres"):
        """A connection that stays open (for transactions across steps)."""
        return Session(self.psql_argv(database))


class Session:
    """A psql kept open: `run` sends SQL and returns what it wrote; errors do not end it."""

    END = "--end-of-answer--"

    def __init__(self, argv):
        argv = ["ON_ERROR_STOP=0" if word == "ON_ERROR_STOP=1" else word for word in argv]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, bufsize=1,
                                        preexec_fn=processes.die_with_parent())

    def run(self, sql):
        """Runs SQL; returns the answer's text, raises SqlError when it holds an error."""
        self.process.stdin.write(f"{sql.rstrip().rstrip(';')};\n\\echo {self.END}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == self.END:
                break
            lines.append(line)
        text = "".join(lines)
        if "ERROR:" in text or "FATAL:" in text or self.process.poll() is not None:
            raise SqlError(text)
        return text

    def close(self):
        """Ends the connection (an open transaction is rolled back)."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
