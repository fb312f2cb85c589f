"""A child process that reports when it is ready, and leaves nothing behind."""

import os
import subprocess
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


TRY_TO_WRITE = """
import os
print(os.geteuid(), os.getcwd())
for name in ("new", "existing"):
    try:
        open(name, "w").write("changed")
    except OSError:
        print(name, "is read-only")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs mount namespaces")
def test_a_user_without_root_permissions_gets_a_read_only_directory_too(
    tmp_path, monkeypatch, capfd
):
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this user may not create namespaces")
    (tmp_path / "existing").write_text("original")
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user or 1000)
    with ChildProcess(tmp_path) as child:
        child.start([sys.executable, "-c", TRY_TO_WRITE], {})
        assert child.wait() == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines == [f"{user or 1000} {tmp_path}", "new is read-only", "existing is read-only"]
    assert (tmp_path / "existing").read_text() == "original"


def test_a_process_runs_where_namespaces_are_not_allowed(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "unshare").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "unshare").chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    with ChildProcess(tmp_path) as child:
        child.start([sys.executable, "-c", "raise SystemExit(5)"], {"PATH": path})
        assert child.wait() == 5


def test_a_process_may_have_a_path_without_programs(tmp_path):
    with ChildProcess(tmp_path) as child:
        child.start([sys.executable, "-c", "raise SystemExit(5)"], {"PATH": "/nonexistent"})
        assert child.wait() == 5


def test_a_process_starts_in_another_directory(tmp_path, capfd):
    (tmp_path / "bundle").mkdir()
    with ChildProcess(tmp_path / "bundle") as child:
        child.start([sys.executable, "-c", "import os; print(os.getcwd())"], {}, tmp_path)
        assert child.wait() == 0
    assert capfd.readouterr().out.strip() == str(tmp_path)


def test_a_process_may_write_where_the_directory_is_not_read_only(tmp_path):
    with ChildProcess(tmp_path, read_only=False) as child:
        code = "open('written', 'w').close(); raise SystemExit(5)"
        child.start([sys.executable, "-c", code], {})
        assert child.wait() == 5
    assert (tmp_path / "written").exists()
