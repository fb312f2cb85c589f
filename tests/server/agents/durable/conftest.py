"""Real servers with durable agents on one database, and a model server."""

import json
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from tests.model_server import serve_scripted_model
from tests.repository import ROOT
from tests.server.agents.durable import app


class Servers:
    """Server processes that share a database and a model."""

    def __init__(self, directory, database, model):
        self.directory, self.database, self.model = directory, database, model
        self.processes = []
        self.hold = directory / "hold"

    def start(self):
        command = [sys.executable, "-m", app.__name__, self.directory, self.model.url]
        environment = {**os.environ, "DATABASE": self.database, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, env=environment, cwd=ROOT, text=True
        )
        self.processes.append(process)
        port = process.stdout.readline().strip()
        assert port, "the server did not start"
        process.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}/api", timeout=30, trust_env=False
        )
        return process

    def get(self):
        """Return a server that runs, because each start takes seconds."""
        running = [process for process in self.processes if process.poll() is None]
        return running[0] if running else self.start()

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.wait()

    def read_effects(self):
        path = self.directory / "effects"
        return path.read_text().splitlines() if path.exists() else []

    def reset(self):
        """Forget the effects and the requests to the model."""
        self.hold.unlink(missing_ok=True)
        self.model.hold_words.unlink(missing_ok=True)
        (self.directory / "effects").unlink(missing_ok=True)
        self.model.requests.clear()
        self.model.bodies.clear()

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                self.kill(process)
            process.http.close()
            process.stdout.close()

    def list_turns(self):
        """The turns that the model was asked for."""
        return [turn for turn, _ in self.model.requests]

    def wait_until(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < end, "the condition did not become true in time"
            time.sleep(0.02)
        return result


def read_chunks(text):
    """Return the chunks of a stream of server-sent events."""
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


@pytest.fixture(
    scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.full)]
)
def durable_database(request, tmp_path_factory):
    if request.param == "postgres":
        return request.getfixturevalue("postgres_server").create_database()
    return f"sqlite:///{tmp_path_factory.mktemp('durable')}/app.db"


@pytest.fixture(scope="session")
def _servers(durable_database, tmp_path_factory):
    directory = tmp_path_factory.mktemp("agents")
    with serve_scripted_model(directory) as model:
        servers = Servers(directory, durable_database, model)
        yield servers
        servers.stop()


@pytest.fixture
def servers(_servers):
    """The servers; a test gets the one that an earlier test has left."""
    _servers.reset()
    return _servers
