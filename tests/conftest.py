"""Fixtures of all tests: the `mastra` command, projects, and served bundles."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.postgres import run_postgres
from tests.sample_projects import ECHO, write_project

# Servers of the tests send head and body apart; the body would wait 40 ms for a confirmation.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True
# By default a server notices `shutdown` twice a second, and each fixture would wait for that.
socketserver.BaseServer.serve_forever.__defaults__ = (0.02,)
# In the background of a shell, the tests and all their processes would ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

_SERVING = re.compile(r"Serving .* on http://\S+:(\d+)")


class Result:
    """The result of a `mastra` command."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def ok(self):
        assert self.code == 0, self.err
        return self

    def failed(self, code, *words):
        """Assert this exit code, these words, a hint, and no traceback."""
        assert self.code == code, (self.code, self.out, self.err)
        for word in words:
            assert word in self.err, self.err
        assert "Traceback" not in self.err
        hints = [line for line in self.err.splitlines() if line.startswith("  ")]
        assert hints, f"an error without a hint: {self.err}"
        return self


def run_mastra(*arguments, cwd=".", timeout=180, **environment):
    command = [str(Path(sys.executable).with_name("mastra")), *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Result(done)


# A file stays in one worker, so a long file that starts last would run alone at the end.
LONGEST = (
    "vercel/deploy/test_deploy",
    "cloudflare/preview/test_agents",
    "cloudflare/preview/test_wire",
    "oci/",
    "deployer/pipeline/test_deploy",
    "deployer/bundler/test_hostile_projects",
    "server/http/test_fuzz",
    "cloudflare/",
    "vercel/",
    "deployer/bundler/test_",
    "deployer/dev",
    "deployer/pipeline/",
    "deployer/scaffold",
    "workflows/durable/test_crashes",
    "deployer/bundler/",
    "netlify/",
    "typing/",
)


def pytest_collection_modifyitems(items):
    """Start with the files that take longest."""

    def rank(item):
        path = item.path.as_posix()
        return next((n for n, name in enumerate(LONGEST) if name in path), len(LONGEST))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def mastra():
    """Run `mastra ARGUMENTS` in a process, and return its result."""
    return run_mastra


@pytest.fixture
def project(tmp_path):
    """Write a project: `project({"src/mastra/index.py": "..."})` returns its directory."""

    def write(files, config="", **options):
        return write_project(tmp_path / "app", files, config, **options)

    return write


@pytest.fixture
def echo():
    """The source of the smallest application."""
    return ECHO


@contextlib.contextmanager
def serve_bundle(directory, python=sys.executable, **environment):
    """Serve a bundle in a process with a clean environment, and yield an HTTP client for it."""
    base = {"PATH": os.environ["PATH"], "PORT": "0", "HOST": "127.0.0.1"}
    process = subprocess.Popen(
        [python, str(Path(directory) / "index.py")],
        env={**base, **environment},
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr))
    try:
        for line in process.stderr:
            lines.append(line)
            if match := _SERVING.search(line):
                break
        else:
            pytest.fail(f"the bundle does not serve: {''.join(lines)}")
        reader.start()
        with httpx.Client(
            base_url=f"http://127.0.0.1:{match[1]}", timeout=30, trust_env=False
        ) as client:
            client.log = lines
            yield client
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        code = process.wait(20)
        if reader.is_alive():
            reader.join(10)
        process.stderr.close()
        assert code == 0, "".join(lines)


@pytest.fixture(scope="session")
def serve_directory():
    """Serve a bundle: `with serve_directory(path) as client`."""
    return serve_bundle


def _find_python(version):
    """Return the path of a Python of that version; skip without it, and fail in CI."""
    from mastra_deployer.project.interpreters import find_target_interpreter, probe_interpreter

    interpreter = find_target_interpreter(version, probe_interpreter(sys.executable))
    if interpreter is None:
        message = f"there is no Python {version} on this machine"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return interpreter.path


@pytest.fixture(scope="session")
def find_python():
    """`find_python("3.12")` returns the path of such an interpreter."""
    return _find_python


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server that all tests of a session share."""
    with run_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def d1_directory(tmp_path_factory):
    """The directory with the files of the local D1 databases."""
    return tmp_path_factory.mktemp("d1")


@pytest.fixture(scope="session")
def d1_port(d1_directory):
    """The port of real local D1 databases that all tests of a session share."""
    from tests.core.storage.d1.local import serve_databases

    with serve_databases(d1_directory) as port:
        yield port


@pytest.fixture
def postgres_url(postgres_server):
    """The URL of an empty database."""
    return postgres_server.create_database()
