"""Real processes that execute durable runs."""

import os
import signal
import subprocess
import sys

from tests.core.workflows.durable import worker
from tests.repository import ROOT


class Workers:
    """Processes that share a database.

    :param url: the URL of the database.
    :param effects: the file to which steps write a line.
    """

    def __init__(self, url, effects):
        self.url = url
        self.effects_file = effects
        self.processes = []

    def start(self, name="worker", build="old", *, url="", prefix=()):
        """Start a process; a prefix is a command that starts it in another network, for example."""
        environment = {**os.environ, "EFFECTS": str(self.effects_file), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", worker.__name__, url or self.url, name, build],
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

    def count_effects(self, path):
        """Return how often a step was executed."""
        return sum(line.endswith(f" {path}") for line in self.read_effects())

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
            process.stdout.close()
