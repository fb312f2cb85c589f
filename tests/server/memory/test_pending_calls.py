"""Test that a call that waits for a decision is in the messages of its thread."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic_ai.models.function import FunctionModel

from mastra_core import Agent, Mastra, Memory, MemoryStorage
from mastra_core.agents.suspended_runs import MemorySuspendedRuns
from mastra_server.http.request_context import request_context
from tests.server import sample_agents

THREAD = "/api/memory/threads/t1/messages"
MEMORY = {"thread": "t1", "resource": "ann"}


def build_clerk():
    model = FunctionModel(
        sample_agents.generate_response, stream_function=sample_agents.stream_response
    )
    return Agent(name="clerk", model=model, tools=[sample_agents.pay])


@pytest.fixture
def http(serve):
    with serve(Mastra(agents={"clerk": build_clerk()}, memory=Memory(), logger=False)) as server:
        yield server.http


def list_messages(http):
    return http.get(THREAD).json()["messages"]


@pytest.mark.parametrize("verb", ["approve", "decline"])
@pytest.mark.parametrize("streams", [True, False])
def test_decision_after_a_reload(http, verb, streams):
    body = {"messages": "pay", "memory": MEMORY, "runId": "r1"}
    assert http.post("/api/agents/clerk/stream", json=body).status_code == 200
    _, waiting = list_messages(http)
    ((call_id, entry),) = waiting["content"]["metadata"]["pendingToolApprovals"].items()
    assert (entry["toolCallId"], entry["runId"], entry["toolName"]) == (call_id, "r1", "pay")
    assert '"approved"' in entry["resumeSchema"]
    assert waiting["content"]["parts"][-1]["toolInvocation"]["state"] == "call"

    decision = {"runId": entry["runId"], "toolCallId": call_id}
    path = f"/api/agents/clerk/{verb}-tool-call" + ("" if streams else "-generate")
    assert http.post(path, json=decision).status_code == 200
    user, answer = list_messages(http)
    assert (user["role"], answer["id"]) == ("user", waiting["id"])
    assert "metadata" not in answer["content"]
    assert answer["content"]["parts"][0]["toolInvocation"]["state"] == "result"
    assert answer["content"]["parts"][-1]["type"] == "text"
    assert http.post(path, json=decision).status_code == 404


@pytest.mark.parametrize("query", ["", "?resourceId=ann"])
def test_canceled_run_waits_for_no_decision(http, query):
    body = {"messages": "pay", "memory": MEMORY, "runId": "r1"}
    assert http.post("/api/agents/clerk/generate", json=body).json()["finishReason"] == "suspended"
    path = "/api/agents/clerk/runs/r1/cancel"
    assert http.post(f"{path}?resourceId=bob").status_code == 404
    assert http.post(path + query).json() == {"message": "Agent run cancelled"}
    assert_canceled(http)
    assert http.get("/api/agents/clerk/suspended-runs").json()["runs"] == []
    decision = {"runId": "r1", "toolCallId": "pay-0"}
    decided = http.post("/api/agents/clerk/approve-tool-call-generate", json=decision)
    assert decided.status_code == 404
    assert http.post(path).status_code == 404
    follow_up = {"messages": "hello", "memory": MEMORY}
    assert http.post("/api/agents/clerk/generate", json=follow_up).status_code == 200


class SlowStore(MemorySuspendedRuns):
    """A store that answers only some time after it has stored a run."""

    async def put(self, run):
        await super().put(run)
        await asyncio.sleep(1)


def test_a_run_that_is_canceled_while_it_is_suspended_waits_for_no_decision(serve):
    storage = MemoryStorage()
    storage.suspended_runs = SlowStore()
    mastra = Mastra(agents={"clerk": build_clerk()}, memory=Memory(), storage=storage, logger=False)
    with serve(mastra) as server, ThreadPoolExecutor() as pool:
        body = {"messages": "pay", "memory": MEMORY, "runId": "r1"}
        answer = pool.submit(server.http.post, "/api/agents/clerk/stream", json=body)
        runs = "/api/agents/clerk/suspended-runs"
        while not server.http.get(runs).json()["runs"]:
            time.sleep(0.02)
        path = "/api/agents/clerk/runs/r1/cancel"
        assert server.http.post(f"{path}?resourceId=bob").status_code == 404
        assert server.http.post(path).status_code == 200
        assert '"abort"' in answer.result().text
        assert server.http.get(runs).json()["runs"] == []
        assert_canceled(server.http)


def test_a_suspended_run_is_canceled_beside_a_running_one_of_another_resource(http):
    slow = {"messages": "slow", "memory": {"thread": "t2", "resource": "bob"}, "runId": "r1"}
    body = {"messages": "pay", "memory": MEMORY, "runId": "r1"}
    assert http.post("/api/agents/clerk/generate", json=body).status_code == 200
    path = "/api/agents/clerk/runs/r1/cancel"
    with http.stream("POST", "/api/agents/clerk/stream", json=slow) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert http.post(f"{path}?resourceId=ann").status_code == 200
        assert_canceled(http)
        assert http.post(f"{path}?resourceId=bob").status_code == 200
        assert '"abort"' in "".join(lines)


def test_canceled_task_leaves_no_pending_call(http):
    part = {"kind": "text", "text": "pay"}
    message = {"role": "user", "messageId": "m1", "parts": [part], "contextId": "t1"}
    params = {"message": message, "metadata": {"resourceId": "ann"}}

    def call(method, params):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return http.post("/api/a2a/clerk", json=body).json()["result"]

    task = call("message/send", params)
    assert task["status"]["state"] == "input-required"
    assert call("tasks/cancel", {"id": task["id"]})["status"]["state"] == "canceled"
    assert_canceled(http)


def assert_canceled(http):
    user, answer = list_messages(http)
    assert user["role"] == "user"
    assert "pendingToolApprovals" not in answer["content"].get("metadata", {})
    call = answer["content"]["parts"][-1]["toolInvocation"]
    assert (call["state"], call["errorText"]) == ("output-error", "The run was canceled.")


@pytest.mark.parametrize("entries", [5, {"x": 5}, {"x": {"runId": []}}, {"pay-0": {"runId": "r1"}}])
def test_metadata_of_a_caller(http, entries):
    saved = {
        "id": "m1", "role": "assistant", "threadId": "t1", "resourceId": "ann",
        "content": {"format": 2, "parts": [], "metadata": {"pendingToolApprovals": entries}},
    }  # fmt: skip
    http.post("/api/memory/threads", json={"threadId": "t1", "resourceId": "ann"})
    assert http.post("/api/memory/save-messages", json={"messages": [saved]}).status_code == 200
    body = {"messages": "pay", "memory": MEMORY, "runId": "r1"}
    assert http.post("/api/agents/clerk/generate", json=body).json()["finishReason"] == "suspended"
    decision = {"runId": "r1", "toolCallId": "pay-0"}
    decided = http.post("/api/agents/clerk/approve-tool-call-generate", json=decision)
    assert decided.status_code == 200, decided.text
    assert http.get(THREAD).status_code == 200


async def respond_slowly(messages, info):
    """Respond as the sample does; the message ``wait`` gets a response without end."""
    if "content='wait'" in repr(messages[-1]):
        yield "begun"
        await asyncio.Event().wait()
    async for piece in sample_agents.stream_response(messages, info):
        yield piece


async def confine_to_thread(request, call_next):
    if thread := request.headers.get("x-thread"):
        request_context(request)["mastra__threadId"] = thread
    return await call_next(request)


def test_a_caller_of_one_thread_cancels_no_suspended_run_of_another(serve):
    model = FunctionModel(stream_function=respond_slowly)
    clerk = Agent(name="clerk", model=model, tools=[sample_agents.pay])
    app = Mastra(
        agents={"clerk": clerk},
        memory=Memory(),
        logger=False,
        server_middleware=[confine_to_thread],
    )
    path, other = "/api/agents/clerk", {"thread": "t2", "resource": "ann"}
    with serve(app) as server:
        body = {"messages": "pay", "memory": MEMORY, "runId": "r1"}
        assert server.http.post(f"{path}/stream", json=body).status_code == 200
        body = {"messages": "wait", "memory": other, "runId": "r1"}
        headers = {"x-thread": "t2"}
        with server.http.stream("POST", f"{path}/stream", json=body, headers=headers) as stream:
            lines = stream.iter_lines()
            assert any("begun" in line for line in lines)
            canceled = server.http.post(f"{path}/runs/r1/cancel", headers=headers)
            assert canceled.status_code == 200
        assert [run["runId"] for run in server.http.get(f"{path}/suspended-runs").json()["runs"]]


@pytest.mark.parametrize("kind", ["stream", "generate"])
def test_a_caller_of_one_thread_replaces_no_suspended_run_of_another(serve, kind):
    model = FunctionModel(
        sample_agents.generate_response, stream_function=sample_agents.stream_response
    )
    clerk = Agent(name="clerk", model=model, tools=[sample_agents.pay])
    app = Mastra(
        agents={"clerk": clerk},
        memory=Memory(),
        logger=False,
        server_middleware=[confine_to_thread],
    )
    path, other = "/api/agents/clerk", {"thread": "t2", "resource": "ann"}
    with serve(app) as server:
        body = {"messages": "pay", "memory": MEMORY, "runId": "r1"}
        assert server.http.post(f"{path}/generate", json=body).status_code == 200
        refused = server.http.post(
            f"{path}/{kind}", json={**body, "memory": other}, headers={"x-thread": "t2"}
        )
        assert refused.status_code == (200 if kind == "stream" else 409)
        assert "of another thread is suspended" in refused.text
        (run,) = server.http.get(f"{path}/suspended-runs").json()["runs"]
        assert run["threadId"] == MEMORY["thread"]
