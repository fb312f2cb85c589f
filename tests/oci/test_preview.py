"""A preview leaves no process and no file behind."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Bundle
from mastra_deployer_oci.preview import preview

DIGEST = "0" * 64
APP = """
import os, signal, subprocess, sys, time
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(os.environ["REPORT"] + ".draft", "w") as file:
    file.write(f"{os.getpid()} {helper.pid} {os.environ['HOME']} {os.environ['PORT']} ")
    file.write(f"{os.getcwd()} {os.stat('../tmp').st_mode:o} ")
    file.write(subprocess.check_output(["bin/tool"], text=True))
os.rename(os.environ["REPORT"] + ".draft", os.environ["REPORT"])
time.sleep(float(os.environ["SECONDS"]))
raise SystemExit(3)
"""
SCRIPT = "#!/usr/local/bin/python\nprint('script-runs')\n"  # of an image without a base
RUN = """
import sys, types
from pathlib import Path
from mastra_core import Secret
from mastra_deployer_oci.preview import preview
directory, report, seconds = sys.argv[1:]
manifest = types.SimpleNamespace(python="%d.%d" % sys.version_info[:2])
bundle = types.SimpleNamespace(directory=Path(directory), manifest=manifest)
env = {"REPORT": Secret(report), "SECONDS": Secret(seconds)}
sys.exit(preview(bundle, "127.0.0.1", 4711, env))
"""


@pytest.fixture
def directory(tmp_path):
    """The directory of a bundle whose image has a base and one layer."""
    (tmp_path / "bundle/blobs/sha256").mkdir(parents=True)
    with tarfile.open(tmp_path / "bundle/blobs/sha256" / DIGEST, "w") as layer:
        for name, text in (("app/index.py", APP), ("app/bin/tool", SCRIPT)):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text.encode()), 0o755
            layer.addfile(info, io.BytesIO(text.encode()))
        directory = tarfile.TarInfo("tmp")
        directory.type, directory.mode = tarfile.DIRTYPE, 0o1777
        layer.addfile(directory)
    digest = f"sha256:{DIGEST}"
    layer = {"digest": digest, "diff": digest, "size": 1, "unpacked": 1, "purpose": "app"}
    plan = {
        "app": "app",
        "base": "registry.example/python:3",
        "config": {"config": {"Env": ["LANG=C.UTF-8"], "User": "65532:65532"}},
        "architecture": "amd64",
        "layers": [layer],
    }
    (tmp_path / "bundle/mastra-image.json").write_text(json.dumps(plan))
    return tmp_path / "bundle"


def start_preview(directory, report, seconds):
    command = [sys.executable, "-c", RUN, str(directory), str(report), str(seconds)]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(command, start_new_session=True, env={**os.environ, "PATH": path})
    deadline = time.monotonic() + 30
    while not report.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process, report.read_text().split()


def wait_until_ended(pids):
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() and not is_zombie(pid) for pid in pids):
        assert time.monotonic() < deadline, "a process is left behind"
        time.sleep(0.02)


def is_zombie(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_port_in_use_is_refused_before_the_app_starts(directory):
    bundle = Bundle(directory=directory, manifest=None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Cannot listen on 127.0.0.1:{port}") as raised:
            preview(bundle, "127.0.0.1", port, {})
    assert "--port" in raised.value.hint


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("seconds", "code"), [(600, 130), (0.1, 3)])
def test_the_end_of_a_preview_ends_all_processes(directory, tmp_path, seconds, code):
    process, report = start_preview(directory, tmp_path / "report", seconds)
    app, helper, home, port, here, mode, script = report
    assert (port, here, mode, script) == ("4711", f"{home}/app", "41777", "script-runs")
    if code == 130:  # of Ctrl-C
        os.kill(process.pid, signal.SIGINT)
    assert process.wait(20) == code
    wait_until_ended((app, helper))
    assert not Path(home).exists(), "the unpacked image is left behind"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_preview_ends_all_processes(directory, tmp_path):
    """The app may run as another user, so no signal of the system's follows its parent."""
    process, report = start_preview(directory, tmp_path / "report", 600)
    app, helper, *_ = report
    process.kill()
    process.wait(20)
    wait_until_ended((app, helper))
