"""Durable runs on platforms that freeze a process as soon as its response is complete.

Two processes share a PostgreSQL. Each is stopped by a signal except during its requests.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid

import httpx
import pytest

from tests.repository import ROOT

pytestmark = pytest.mark.slow


class FrozenProcess:
    """A server that stands still between two requests."""

    def __init__(self, url):
        self.socket = socket.create_server(("127.0.0.1", 0))
        descriptor = self.socket.fileno()
        environment = {**os.environ, "VERCEL": "1", "DATABASE": url, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.server.workflows.frozen_app", str(descriptor)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[descriptor])
        url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def wait_until_ready(self):
        self.http.get("/health")
        self.process.send_signal(signal.SIGSTOP)

    @contextlib.contextmanager
    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        yield self.http
        self.process.send_signal(signal.SIGSTOP)

    def post(self, path, run_id, **body):
        with self.thaw() as http:
            response = http.post(f"/api/workflows/{path}?runId={run_id}", json=body)
        assert response.is_success, response.text
        return response

    def read(self, workflow, run_id):
        with self.thaw() as http:
            return http.get(f"/api/workflows/{workflow}/runs/{run_id}").json()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.http.close()
        self.socket.close()


@pytest.fixture(scope="module")
def instances(postgres_server):
    url = postgres_server.create_database()
    processes = [FrozenProcess(url) for _ in range(2)]
    try:
        for process in processes:
            process.wait_until_ready()
        yield processes
    finally:
        for process in processes:
            process.stop()


def test_run_moves_between_instances(instances):
    first, second = instances
    run_id = str(uuid.uuid4())
    assert first.post("order/start-async", run_id, inputData=1).json()["status"] == "suspended"
    assert second.read("order", run_id)["status"] == "suspended"
    resumed = second.post("order/resume-async", run_id, resumeData=True).json()
    assert resumed["result"] == "2 approved"
    assert '"workflow-step-suspended"' in first.post("order/observe", run_id).text
    with second.thaw() as http:
        again = http.post(f"/api/workflows/order/resume?runId={run_id}", json={"resumeData": True})
    assert again.status_code == 409


@pytest.mark.parametrize("workflow", ["line", "queue"])
def test_response_is_complete_when_the_run_rests(instances, workflow):
    """A run that nobody waits for would otherwise stand still with the process."""
    first, second = instances
    run_id = str(uuid.uuid4())
    first.post(f"{workflow}/create-run", run_id)
    first.post(f"{workflow}/start", run_id, inputData=1)
    assert second.read(workflow, run_id)["status"] == "success"


def test_suspended_run_ends_by_its_timeout(instances):
    first, second = instances
    run_id = str(uuid.uuid4())
    first.post("order/start-async", run_id, inputData=1)
    time.sleep(3.1)
    assert second.read("order", run_id)["status"] == "failed"


def test_run_is_canceled_by_another_instance(instances):
    first, second = instances
    run_id = str(uuid.uuid4())
    first.post("idle/create-run", run_id)
    sender = threading.Thread(target=lambda: first.post("idle/start", run_id, inputData=1))
    sender.start()
    until = time.monotonic() + 10
    while second.read("idle", run_id)["status"] != "running":
        assert time.monotonic() < until
    second.post(f"idle/runs/{run_id}/cancel", run_id)
    sender.join(3)
    assert not sender.is_alive(), "the response is complete when the run has ended"
    assert first.read("idle", run_id)["status"] == "canceled"


def test_run_of_an_instance_that_froze_within_a_step(instances):
    """The platform may freeze a process whose client has left; the next request continues."""
    first, second = instances
    run_id = str(uuid.uuid4())
    first.post("line/create-run", run_id)
    body = {"inputData": 1}
    with first.thaw() as http, contextlib.suppress(httpx.ReadTimeout):
        http.post(f"/api/workflows/line/start?runId={run_id}", json=body, timeout=0.25)
    time.sleep(1.2)  # the lease of the frozen process ends
    run = second.read("line", run_id)
    assert (run["status"], run["result"]) == ("success", 3)
    assert first.read("line", run_id)["result"] == 3
