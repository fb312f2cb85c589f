"""One caller stores much data in an SQLite file: the requests of another one stay fast."""

import asyncio
import time

import httpx
import pytest

from mastra_core.agents import AgentInput, ApprovalRequired, SuspendedRun, TextPart
from mastra_core.storage import SqliteStorage, StoredMessage, Thread
from tests.process_usage import read_resident_bytes
from tests.server.attacks.health import HealthWatcher

APP = """
from mastra_core import Memory
from tests.server.sample_app import create_sample

class Auth:
    def authenticate(self, token, request):
        return {"name": token}

    def resource(self, user):
        return user["name"]

mastra = create_sample(storage="sqlite:///app.db", memory=Memory(), server={"auth": Auth()})
"""
AGENT = "/api/agents/approvalAgent"
MAX_DELAY = 0.5  # seconds for which the server may delay `/health`


@pytest.fixture
def storage(tmp_path):
    return SqliteStorage(tmp_path / "app.db")


@pytest.fixture
def server(process):
    server_process, port = process(APP)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
        client.pid, client.port = server_process.pid, port
        client.get("/health")
        yield client


def send(server, caller, method, path, **options):
    """Send a request as a caller; return the response, and the longest delay of `/health`."""
    watcher = HealthWatcher(server.pid, server.port)
    headers = {"authorization": f"Bearer {caller}"}
    response = server.request(method, path, headers=headers, **options)
    watcher.stop()
    return response, watcher.longest


def fill(storage, work):
    async def fill_and_close():
        await work()
        await storage.close()

    asyncio.run(fill_and_close())


def build_run(resource, number, size):
    run_id = f"run{number}"
    return SuspendedRun(
        run_id=run_id,
        agent_id="approval-agent",
        waiting=(ApprovalRequired(id="call", name="pay", arguments={}),),
        history=b"x" * size,
        run_input=AgentInput(
            run_id=run_id, thread="t1", resource=resource, caller=f"resource:{resource}"
        ),
        suspended_at=int(time.time() * 1000) + number,
    )


def test_suspended_runs_of_another_caller(storage, server):
    async def put_runs():
        for number in range(300):
            await storage.suspended_runs.put(build_run("mallory", number, 100_000))
        await storage.suspended_runs.put(build_run("ann", 0, 100))

    fill(storage, put_runs)
    before = read_resident_bytes(server.pid)
    found, delay = send(server, "ann", "GET", f"{AGENT}/suspended-runs")
    assert [run["resourceId"] for run in found.json()["runs"]] == ["ann"]
    assert delay < MAX_DELAY
    decision = {"threadId": "t1", "toolCallId": "other", "approved": True}
    refused, delay = send(server, "ann", "POST", f"{AGENT}/send-tool-approval", json=decision)
    assert refused.status_code == 404
    assert delay < MAX_DELAY
    assert read_resident_bytes(server.pid) - before < 20_000_000
    page, _ = send(server, "mallory", "GET", f"{AGENT}/suspended-runs?perPage=2&page=1")
    assert page.json()["total"] == 300
    assert [run["runId"] for run in page.json()["runs"]] == ["run297", "run296"]
    refused, _ = send(server, "mallory", "GET", f"{AGENT}/suspended-runs?perPage=1001")
    assert refused.status_code == 400
    assert refused.json()["issues"][0]["field"] == "perPage"


def build_message(number, size):
    parts = (TextPart(text="x" * size),)
    return StoredMessage(id=f"m{number}", thread="large", role="user", parts=parts)


def test_page_of_a_large_thread(storage, server):
    async def put_messages():
        thread = Thread(id="large", resource="mallory")
        for number in range(60):
            await storage.threads.append(thread, [build_message(number, 2_000_000)])

    fill(storage, put_messages)
    before = read_resident_bytes(server.pid)
    path = "/api/memory/threads/large"
    for query in ("perPage=false", "perPage=1000"):
        refused, delay = send(server, "mallory", "GET", f"{path}/messages?{query}")
        assert (refused.status_code, delay < MAX_DELAY) == (400, True)
        assert "perPage" in refused.text
    refused, delay = send(server, "mallory", "POST", f"{path}/clone", json={})
    assert (refused.status_code, delay < MAX_DELAY) == (400, True)
    memory = {"thread": "large", "resource": "mallory", "options": {"lastMessages": 1000}}
    body = {"messages": "x", "memory": memory}
    _, delay = send(server, "mallory", "POST", "/api/agents/shout/generate", json=body)
    assert delay < MAX_DELAY
    assert read_resident_bytes(server.pid) - before < 250_000_000
    page, _ = send(server, "mallory", "GET", f"{path}/messages?perPage=5")
    ids = [message["id"] for message in page.json()["messages"]]  # two are of the agent's run
    assert ids[:3] == ["m57", "m58", "m59"]


def test_all_runs_of_a_workflow(server):
    url = "/api/workflows/approveWorkflow"
    small = {"inputData": {"topic": "x"}}
    send(server, "ann", "POST", f"{url}/start-async", json=small)
    for _ in range(20):
        topic = {"inputData": {"topic": "x" * 2_000_000}}
        started, _ = send(server, "mallory", "POST", f"{url}/start-async", json=topic)
        assert started.status_code == 200
    refused, delay = send(server, "mallory", "GET", f"{url}/runs")
    assert (refused.status_code, delay < MAX_DELAY) == (400, True)
    page, _ = send(server, "mallory", "GET", f"{url}/runs?perPage=2")
    assert page.json()["total"] == 20
    own, _ = send(server, "ann", "GET", f"{url}/runs")
    assert own.json()["total"] == 1


def test_large_metadata_is_refused(server):
    large, small = ({"text": "x" * size} for size in (70_000, 60_000))
    message = {"threadId": "t", "role": "user", "resourceId": "mallory"}

    def build_requests(metadata):
        memory = {"thread": {"id": "run", "metadata": metadata}, "resource": "mallory"}
        content = {"format": 2, "parts": [], "metadata": metadata}
        yield (
            "POST",
            "/api/memory/threads",
            {"resourceId": "mallory", "threadId": "t", "metadata": metadata},
        )
        yield "PATCH", "/api/memory/threads/t", {"metadata": metadata}
        yield "POST", "/api/memory/threads/t/clone", {"metadata": metadata}
        yield "POST", "/api/memory/save-messages", {"messages": [{**message, "content": content}]}
        yield "POST", "/api/agents/shout/generate", {"messages": "x", "memory": memory}

    for metadata, status in ((small, 200), (large, 400)):
        for method, path, body in build_requests(metadata):
            response, _ = send(server, "mallory", method, path, json=body)
            assert response.status_code == status, (path, response.text)
