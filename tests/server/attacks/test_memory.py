"""Floods of large data from many callers: the memory stays within the budgets."""

import httpx
import pytest

from tests.process_usage import read_resident_bytes

BUDGET = 16_000_000
APP = f"""
from mastra_core import MemoryEngine, MemoryStorage, Memory
from mastra_core.agents import MemorySuspendedRuns
from mastra_server.agents import live_runs
from mastra_server.openai import response_store
from tests.server.sample_app import create_sample
live_runs.MAX_FINISHED_BYTES = response_store._MAX_BYTES = {BUDGET}
storage = MemoryStorage(max_bytes={BUDGET})
storage.suspended_runs = MemorySuspendedRuns(max_bytes={BUDGET})
mastra = create_sample(
    engine=MemoryEngine(max_bytes={BUDGET}),
    storage=storage,
    memory=Memory(),
    server={{"trusted_proxies": ["127.0.0.1"]}},
)
"""
LARGE = "x" * 500_000
MANY = [{"n": 1}] * 30_000
FLOODS = {
    "suspended workflow runs": (
        "/api/workflows/approveWorkflow/start-async",
        {"inputData": {"topic": LARGE}},
    ),
    "request contexts of suspended workflow runs": (
        "/api/workflows/approveWorkflow/start-async",
        {"inputData": {"topic": "x"}, "requestContext": {"text": LARGE}},
    ),
    "finished workflow runs": (
        "/api/workflows/badWorkflow/start-async",
        {"inputData": MANY},
    ),
    "suspended agent runs": ("/api/agents/approvalAgent/generate", {"messages": LARGE}),
    "finished streams": ("/api/agents/shout/stream", {"messages": LARGE}),
    "responses": ("/api/v1/responses", {"model": "shout", "input": LARGE}),
    "messages": ("/api/memory/save-messages?agentId=shout", None),
}


@pytest.fixture
def server(process):
    server_process, port = process(APP)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
        client.pid = server_process.pid
        yield client


def build_messages(number):
    message = {"role": "user", "content": LARGE, "threadId": f"t{number}"}
    return {"messages": [{**message, "resourceId": f"r{number % 20}"}]}


def send(server, name, number):
    path, body = FLOODS[name]
    if body is None:
        body = build_messages(number)
        thread = {"threadId": f"t{number}", "resourceId": f"r{number % 20}"}
        server.post("/api/memory/threads?agentId=shout", json=thread)
    address = {"x-forwarded-for": f"192.0.2.{number % 20}"}
    response = server.post(path, json=body, headers=address)
    assert response.status_code in (200, 429), response.text
    return response.status_code


IN_EVERY_RUN = ("suspended workflow runs", "finished streams")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in IN_EVERY_RUN else pytest.mark.full) for name in FLOODS],
)
def test_flood(server, name):
    for number in range(5):
        send(server, name, number)
    before = read_resident_bytes(server.pid)
    statuses = [send(server, name, number) for number in range(200)]
    growth = read_resident_bytes(server.pid) - before
    assert growth < 4 * BUDGET
    assert 200 in statuses
    assert server.get("/health").status_code == 200
    quiet = server.post("/api/agents/shout/generate", json={"messages": "x"})
    assert quiet.json()["text"]
