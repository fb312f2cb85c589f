"""A lock that one process holds, and another one tries to take."""

import subprocess
import sys

from mastra_deployer.files.lock_file import lock_file

HOLD = """
import sys
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
