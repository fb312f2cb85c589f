"""Netlify's own command serves the bundle as it is, offline: `netlify serve`.

The command starts an instance for each request, and asks again for `.html` variants of a path where
the function answers 404.
"""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from mastra_deployer.testing.free_port import find_free_port
from tests.netlify.function_process import wait_until_ended
from tests.node import find_node

pytestmark = [pytest.mark.slow, pytest.mark.full]


@pytest.fixture(scope="module")
def client(function_bundle, cli_script, tmp_path_factory):
    root = Path(shutil.copytree(function_bundle, tmp_path_factory.mktemp("serve") / "site"))
    with serve(root, cli_script, {"FAILURE": "none"}) as it:
        yield it
    shutil.rmtree(root)


@contextlib.contextmanager
def serve(root, cli_script, variables):
    """Serve a bundle with Netlify's command, and yield a client."""
    port, log = find_free_port(), root.with_name("log")
    flags = ("--offline", "--internal-disable-edge-functions", "--port", str(port))
    environment = {
        "PATH": f"{Path(find_node()).parent}:{os.environ['PATH']}",
        "HOME": str(root.parent),
        "CI": "1",
        "NO_UPDATE_NOTIFIER": "1",
        **variables,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [find_node(), str(cli_script), "serve", *flags], cwd=root, env=environment,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as it:
            wait_until_ready(it, process, log)
            yield it
    finally:
        process.terminate()
        process.wait(20)


def wait_until_ready(client, process, log):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            client.head("/")
            return
        time.sleep(0.1)
    pytest.fail(log.read_text())


def test_requests_and_responses_arrive_unchanged(client):
    headers = {"x-mine": "1", "content-type": "text/plain"}  # without a type it sends no body
    response = client.post("/a%20b", content=b"x" * 2_000_000, headers=headers)
    facts = response.json()
    assert (facts["method"], facts["path"], facts["size"]) == ("POST", "/a%20b", 2_000_000)
    assert ["x-mine", "1"] in facts["headers"]
    assert facts["client"][0] == "127.0.0.1"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_stream_arrives_chunk_by_chunk(client):
    with client.stream("GET", "/stream") as response:
        times = [time.monotonic() for line in response.iter_lines() if line]
    assert len(times) == 4 and times[-1] - times[0] > 0.5


def test_a_large_response_arrives_whole(client):
    assert len(client.get("/much?5242880").content) == 5_242_880


def test_instances_end_with_their_processes(client):
    wait_until_ended(*client.get("/leave-children").json())
