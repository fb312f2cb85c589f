"""A child process that reports when it is ready, and leaves nothing behind."""

import os
import sys
import time
from pathlib import Path

import pytest

from mastra_core.errors import DeploymentFailed
from mastra_deployer.kit import ChildProcess

SCRIPT = """
import os, signal, subprocess, sys, tempfile, time
signal.signal(signal.SIGTERM, signal.SIG_DFL)
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(tempfile.mkdtemp() + "/file", "w").close()
try:
    open("written", "w").close()
    state = "writable"
except OSError:
    state = "read-only"
with open(sys.argv[1] + ".draft", "w") as file:
    file.write(f"{os.getpid()} {helper.pid} {state} {sorted(os.environ)}")
os.rename(sys.argv[1] + ".draft", sys.argv[1])
time.sleep(600)
"""


def read_text(path):
    return path.read_text() if path.exists() else None


def is_running(pid):
    state = Path(f"/proc/{pid}/stat")
    if state.parent.parent.exists():
        return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_processes_and_files_are_gone_after_the_block(tmp_path):
    with ChildProcess(tmp_path) as child:
        ready = child.temporary / "ready"
        child.start([sys.executable, "-c", SCRIPT, str(ready)], {"MINE": "1"})
        text = child.wait_until_ready(lambda: read_text(ready), name="The app", timeout=30)
        pid, helper, state, names = text.split(" ", 3)
        assert child.poll() is None and is_running(int(pid)) and is_running(int(helper))
        assert "'MINE'" in names and "'HOME'" not in names
        assert len(list(child.temporary.rglob("file"))) == 1, "its temporary files are elsewhere"
    if sys.platform == "linux" and os.geteuid() == 0:
        assert state == "read-only" and not list(tmp_path.iterdir())
    deadline = time.monotonic() + 5
    while any(map(is_running, (int(pid), int(helper)))):
        assert time.monotonic() < deadline, "a process is left behind"
        time.sleep(0.05)
    assert not child.temporary.exists()


@pytest.mark.parametrize(
    ("code", "timeout", "message"),
    [
        ("raise SystemExit(3)", 30, r"The app does not start\. .* exit code 3\."),
        ("import time; time.sleep(600)", 0.2, "The app did not start within 0 seconds"),
    ],
)
def test_a_process_that_is_never_ready_is_an_error(tmp_path, code, timeout, message):
    with ChildProcess(tmp_path) as child:
        child.start([sys.executable, "-c", code], {})
        with pytest.raises(DeploymentFailed, match=message):
            child.wait_until_ready(lambda: None, name="The app", timeout=timeout)
    assert child.poll() is not None


def test_a_process_may_write_where_the_directory_is_not_read_only(tmp_path):
    with ChildProcess(tmp_path, read_only=False) as child:
        code = "open('written', 'w').close(); raise SystemExit(5)"
        child.start([sys.executable, "-c", code], {})
        assert child.wait() == 5
    assert (tmp_path / "written").exists()
