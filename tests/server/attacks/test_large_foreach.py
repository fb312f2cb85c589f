"""Runs with thousands of suspended items: their start and resume do not block other requests."""

import contextlib
import threading
import time

import httpx
import pytest

from mastra_core import Mastra, StepContext, Workflow, step

PAUSE = 1.0  # seconds that a request to /health may wait, on a busy machine


@step(resume=int)
async def ask(n: int, context: StepContext) -> int:
    if context.resume_data is None:
        context.suspend({"n": n})
    return n + context.resume_data


def create_application():
    workflow = Workflow("asking").foreach(ask, concurrency=100_000)
    return Mastra(workflows={"asking": workflow}, logger=False)


@pytest.fixture
def server(serve):
    with serve(create_application()) as running_server:
        yield running_server


@contextlib.contextmanager
def measure_pauses(server):
    """Collect how long requests of another caller wait during the block."""
    pauses, ended = [], threading.Event()

    def poll():
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            while not ended.is_set():
                began, used = time.perf_counter(), time.process_time()
                client.get("/health")
                # On a busy machine the server waits longer than it computes.
                elapsed = time.perf_counter() - began
                pauses.append(min(elapsed, time.process_time() - used))
                time.sleep(0.005)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield pauses
    finally:
        ended.set()
        thread.join(60)


def start(server, count):
    url = "/api/workflows/asking/create-run?runId=r"
    assert server.http.post(url, json={}).status_code == 200
    url = "/api/workflows/asking/start?runId=r"
    assert server.http.post(url, json={"inputData": [*range(count)]}).status_code == 200


def wait_for_status(server, status):
    url = "/api/workflows/asking/runs/r?fields=status"
    until = time.monotonic() + 30
    while server.http.get(url).json()["status"] != status:
        assert time.monotonic() < until
        time.sleep(0.02)


def resume(server, **body):
    url = "/api/workflows/asking/resume?runId=r"
    return server.http.post(url, json={"resumeData": 1, **body})


def test_start_and_resume_many_items(server):
    with measure_pauses(server) as pauses:
        start(server, 4000)
        wait_for_status(server, "suspended")
        assert resume(server, step="ask").status_code == 200
        wait_for_status(server, "success")
    assert max(pauses) < PAUSE
    result = server.http.get("/api/workflows/asking/runs/r").json()["result"]
    assert result == [n + 1 for n in range(4000)]


def test_resume_some_items(server):
    start(server, 3)
    wait_for_status(server, "suspended")
    assert resume(server, step="ask", forEachIndex=1).status_code == 200
    wait_for_status(server, "suspended")
    assert resume(server, step="ask", forEachIndex=1).status_code == 409
    assert resume(server, step="ask", resumeData="no number").status_code == 400
    assert resume(server, step="ask", resumeData=5).status_code == 200
    wait_for_status(server, "success")
    assert server.http.get("/api/workflows/asking/runs/r").json()["result"] == [5, 2, 7]
