"""Databases of durable runs, and real processes that execute the runs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.workflows.durable import worker

ROOT = Path(__file__).parents[4]


class Workers:
    """Processes that share a database.

    :param url: the URL of the database.
    :param effects: the file to which steps write a line.
    """

    def __init__(self, url, effects):
        self.url = url
        self.effects_file = effects
        self.processes = []

    def start(self, name="worker", build="old"):
        environment = {**os.environ, "EFFECTS": str(self.effects_file), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-m", worker.__name__, self.url, name, build],
            stdout=subprocess.PIPE,
            env=environment,
            cwd=ROOT,
            text=True,
        )
        self.processes.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    def kill(self, process):
        process.kill()
        process.wait()

    def read_effects(self):
        return self.effects_file.read_text().split("\n")[:-1]

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
            process.stdout.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "postgres":
        return request.getfixturevalue("run_database")()
    return f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture
def workers(database_url, tmp_path):
    """Processes on the database."""
    effects = tmp_path / "effects"
    effects.touch()
    workers = Workers(database_url, effects)
    yield workers
    workers.stop()
