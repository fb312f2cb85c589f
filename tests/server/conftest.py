"""Fixtures: real servers on loopback, and the real JavaScript client."""

import contextlib
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn

from mastra_server import create_app
from tests.node import install_front_ends, run_script
from tests.repository import ROOT
from tests.server.sample_app import create_sample


class RunningServer:
    """A server in a thread with its address, its application and an HTTP client."""

    def __init__(self, app, **options):
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, ws="none", lifespan="on", log_level="critical", **options
        )
        self.app = app
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def start(self):
        self.thread.start()
        until = time.monotonic() + 20
        while not self.server.started:
            assert self.thread.is_alive(), "the server did not start"
            assert time.monotonic() < until
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=20, trust_env=False)

    def stop(self):
        self.http.close()
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive(), "the server did not stop"


@contextlib.contextmanager
def run_server(app, **options):
    server = RunningServer(app, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def serve():
    """Start a server for a ``Mastra``; by default for the sample with these settings."""

    @contextlib.contextmanager
    def start(mastra=None, **settings):
        with run_server(create_app(mastra or create_sample(**settings))) as server:
            yield server

    return start


@pytest.fixture(scope="session")
def server(serve):
    with serve() as running_server:
        yield running_server


@pytest.fixture(scope="session")
def api(server):
    return server.http


@pytest.fixture(scope="session")
def node():
    """Run a script of this directory with Node and Mastra's client; return the JSON that it prints."""
    home = install_front_ends()

    def run(script, *arguments):
        return run_script(Path(__file__).parent / "clients" / script, home, *arguments)

    return run


LAUNCHED = """
from mastra_core import launcher
from app import mastra
from mastra_core.describe import describe
from mastra_server import create_app
launcher.import_app = lambda bundle: create_app(mastra)
serve = {**describe(mastra)["serve"], "host": "127.0.0.1", "port": 0}
bundle = {"app": "", "entry": "app", "kind": "mastra", "required": [], "serve": serve}
raise SystemExit(launcher.serve(bundle))
"""


@contextlib.contextmanager
def manage_processes(directory):
    """Yield a function that serves an application's source in a process, like a bundle."""
    started = []

    def start(source):
        (directory / "app.py").write_text(textwrap.dedent(source))
        server_process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHED],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(server_process)
        line = server_process.stderr.readline()
        assert line.startswith("Serving"), line + server_process.stderr.read()
        server_process.output = []  # keep reading, or the server blocks on a full pipe
        server_process.reader = threading.Thread(
            target=lambda: server_process.output.extend(server_process.stderr)
        )
        server_process.reader.start()
        return server_process, int(line.rpartition(":")[2])

    try:
        yield start
    finally:
        for each in started:
            each.kill()
            each.wait()
            each.reader.join(10)
            each.stderr.close()


@pytest.fixture
def process(tmp_path):
    """Serve an application's source in a process of its own, like a bundle."""
    with manage_processes(tmp_path) as start:
        yield start


@pytest.fixture
def python():
    """Run Python source in a process of its own; return what it prints."""

    def run(source, **environment):
        done = subprocess.run(
            [sys.executable, "-c", source],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
