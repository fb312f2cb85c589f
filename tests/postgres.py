"""A PostgreSQL server on loopback, from the binaries of Debian's package `postgresql`."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

_USER = "mastra"
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
}


def find_postgres_binaries():
    """Return the directory of `initdb` and `postgres`; skip without it, and fail in CI."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_get_version)
    program = found[-1] if found else shutil.which("initdb")
    if program is None:
        message = "there is no PostgreSQL server on this machine (Debian: postgresql)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return Path(program).parent


def _get_version(path):
    return int(path.parent.parent.name) if path.parent.parent.name.isdigit() else 0


def _get_unprivileged_user():
    """Return a user for the server, because it refuses to run as root; None if that is not so."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    pytest.skip("PostgreSQL does not run as root, and there is no other user")


class PostgresServer:
    """A server that can be stopped and started again; it keeps its port and its data.

    :param directory: the directory of its data.
    :param address: the address on which it listens.
    :param others: further addresses on which it listens.
    :param prefix: a command that starts the server's command, in another network for example.
    """

    def __init__(self, directory, address="127.0.0.1", others=(), prefix=()):
        self.directory = directory
        self._address, self._others, self._prefix = address, others, prefix
        self.binaries = find_postgres_binaries()
        self.password = secrets.token_hex(12)
        self.port = _find_free_port()
        self.process = None
        self._user = _get_unprivileged_user()
        self._numbers = itertools.count(1)

    def initialize(self):
        """Create the data of the server, with one user who needs a password."""
        password_file = self.directory / "password"
        password_file.write_text(self.password)
        if self._user is not None:
            for path in (self.directory, password_file):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        self._run(
            *("initdb", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"),
            *(f"--username={_USER}", f"--pwfile={password_file}", "--auth=scram-sha-256"),
            f"--pgdata={self.directory / 'data'}",
        )
        with (self.directory / "data/pg_hba.conf").open("a") as file:
            file.write("host all all samenet scram-sha-256\n")

    def start(self):
        """Start the server, and wait until it accepts connections."""
        settings = {**_SETTINGS, "listen_addresses": ",".join((self._address, *self._others))}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = ["postgres", "-D", str(self.directory / "data"), "-p", str(self.port), *options]
        with (self.directory / "log").open("a") as log:
            self.process = subprocess.Popen(
                [*self._prefix, *self._build_command(*command)], cwd="/", stdout=log, stderr=log
            )
        self._wait_until_ready()

    def stop(self, number=signal.SIGINT):
        """Stop the server: SIGINT ends all sessions, SIGQUIT is a crash."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def create_database(self):
        """Create an empty database, and return its URL."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.get_url(name)

    def get_url(self, name, user=_USER, password=None):
        """Return the URL of a database."""
        secret = self.password if password is None else password
        return f"postgresql://{user}:{secret}@{self._address}:{self.port}/{name}"

    def execute(self, sql, database="postgres"):
        """Execute a statement, and return its rows."""
        import psycopg

        with psycopg.connect(self.get_url(database), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def _wait_until_ready(self):
        environment = {**os.environ, "PGCONNECT_TIMEOUT": "1"}
        command = [self.binaries / "pg_isready", "-q", "-h", self._address, "-p", str(self.port)]
        for _ in range(400):
            done = subprocess.run([*map(str, command)], env=environment, check=False)
            if done.returncode == 0:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
                break
        raise AssertionError((self.directory / "log").read_text())

    def _run(self, *command):
        done = subprocess.run(
            self._build_command(*command), cwd="/", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def _build_command(self, program, *arguments):
        command = [str(self.binaries / program), *arguments]
        if self._user is None:
            return command
        uid, gid = self._user.pw_uid, self._user.pw_gid
        return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *command]


@contextlib.contextmanager
def run_postgres(**options):
    """Yield a server in a temporary directory, which is removed at the end.

    :param options: arguments of `PostgresServer`.
    """
    find_postgres_binaries()
    directory = Path(tempfile.mkdtemp(prefix="mastra-postgres-"))
    server = PostgresServer(directory, **options)
    try:
        server.initialize()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(directory, ignore_errors=True)


def _find_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
