"""A lock that one process holds, and another one tries to take."""

import errno
import subprocess
import sys

import pytest

from mastra_deployer.files.lock_file import lock_file

HOLD = """
import sys

import pytest
from mastra_deployer.files.lock_file import lock_file
file = open(sys.argv[1], "a+b")
lock_file(file, wait=True)
print("locked", flush=True)
sys.stdin.read()
"""


def test_lock_of_another_process(tmp_path):
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, path]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
        path.open("a+b") as file,
    ):
        assert other.stdout.readline().strip() == b"locked"
        assert not lock_file(file, wait=False)
        other.stdin.close()
        assert lock_file(file, wait=True)
        assert lock_file(file, wait=False), "its own lock is no obstacle"


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (tmp_path / "lock").open("a+b") as file:
        assert lock_file(file, wait=False)
        assert lock_file(file, wait=True)
