"""Test the routes of A2A: invalid requests, ownership, runs that continue or end."""

import json
import time

import pytest

from mastra_core import Memory
from mastra_server import ApiKeys
from mastra_server.agents import live_run
from tests.server.guarded_server import serve_guarded
from tests.server.sample_agents import create_application, paid

KEYS = {"ann": "key-of-ann", "bob": "key-of-bob"}
FINAL = ("completed", "failed", "canceled", "input-required")


def create_broken():
    async def broken(text: str) -> str:
        raise RuntimeError("secret detail")

    return create_application({"broken": broken}, memory=Memory())


@pytest.fixture(scope="module")
def shop(serve):
    with serve(create_broken()) as server:
        yield server


def call(server, method, params=None, agent="shop", **headers):
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return server.http.post(f"/api/a2a/{agent}", json=body, headers=headers)


def build_params(text, **fields):
    part = {"kind": "text", "text": text}
    return {"message": {"messageId": "m1", "role": "user", "parts": [part], **fields}}


def wait_for_end(server, task_id, **headers):
    for _ in range(200):
        task = call(server, "tasks/get", {"id": task_id}, **headers).json()["result"]
        if task["status"]["state"] in FINAL:
            return task
        time.sleep(0.02)
    raise AssertionError(f"the task is still {task['status']['state']}")


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("none", {}, -32601),
        ("x" * 5000, {}, -32601),
        ("SendMessage", build_params("hi"), -32601),
        ("tasks/list", {}, -32601),
        ("message/send", None, -32602),
        ("message/send", [], -32602),
        ("message/send", {"message": "hi"}, -32602),
        ("message/send", build_params("hi", parts=[]), -32602),
        ("message/send", build_params("hi", parts=[{"kind": "text"}]), -32602),
        ("message/send", build_params("hi", parts=[{"kind": "text", "text": 5}]), -32602),
        ("message/send", build_params("hi", parts=[{"kind": "data", "data": 5}]), -32602),
        ("message/send", build_params("hi", parts=[{"text": "a", "data": {}}]), -32602),
        ("message/send", build_params("hi", parts=[{"raw": 5}]), -32602),
        ("message/send", build_params("hi", parts=[{"raw": "%%%"}]), -32602),
        ("message/send", build_params("hi", parts=[{"kind": "text", "text": "x"}] * 1001), -32602),
        ("message/send", build_params("hi", role="system"), -32602),
        ("message/send", build_params("hi", contextId="x" * 600), -32602),
        ("message/send", build_params("hi", metadata={"k": "x" * 70_000}), -32602),
        ("message/send", {**build_params("hi"), "metadata": {"resourceId": 5}}, -32602),
        ("message/send", {**build_params("hi"), "metadata": {"resourceId": 0}}, -32602),
        ("message/send", {**build_params("hi"), "metadata": {"k": "x" * 70_000}}, -32602),
        ("message/send", {**build_params("hi"), "metadata": {"resourceId": "x" * 600}}, -32602),
        ("message/send", build_params("hi", taskId="none"), -32001),
        (
            "message/send",
            {
                **build_params("hi"),
                "configuration": {"pushNotificationConfig": {"url": "http://x"}},
            },
            -32003,
        ),
        ("tasks/get", {"id": ""}, -32602),
        ("tasks/get", {"id": "none"}, -32001),
        ("tasks/get", {"id": "none", "historyLength": -1}, -32602),
        ("tasks/cancel", {"id": "none"}, -32001),
        ("tasks/pushNotificationConfig/set", {"url": "http://10.0.0.1"}, -32003),
        ("agent/getAuthenticatedExtendedCard", None, -32007),
    ],
)
def test_invalid_calls(shop, method, params, code):
    answer = call(shop, method, params)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code, answer.text
    assert len(answer.content) < 2000


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"pageSize": 101}, -32602),
        ({"pageToken": "-1"}, -32602),
        ({"pageToken": "9" * 30}, -32602),
        ({"statusTimestampAfter": "x"}, -32602),
    ],
)
def test_invalid_lists(shop, params, code):
    answer = call(shop, "ListTasks", params, **{"A2A-Version": "1.0"})
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize(
    "body", ["{", "[]", "5", '{"jsonrpc": "1.0", "method": "x"}', '{"jsonrpc": "2.0"}', "[" * 5000]
)
def test_invalid_envelopes(shop, body):
    headers = {"content-type": "application/json"}
    answer = shop.http.post("/api/a2a/shop", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "Invalid request body")


def test_errors_of_streams_are_events(shop):
    for method, params in (
        ("message/stream", {}),
        ("message/stream", build_params("hi", taskId="none")),
        ("tasks/resubscribe", {"id": "none"}),
    ):
        answer = call(shop, method, params)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert json.loads(answer.text.removeprefix("data: "))["error"]["code"] < -32000


def test_unknown_versions_and_agents(shop):
    headers = {"A2A-Version": "9.9"}
    answer = call(shop, "tasks/get", {"id": "x"}, **headers)
    assert answer.json()["error"]["code"] == -32009
    card = shop.http.get("/api/.well-known/shop/agent-card.json", headers=headers)
    assert (card.status_code, card.json()["error"]["code"]) == (400, -32009)
    assert card.headers["vary"] == "A2A-Version"
    assert call(shop, "message/send", build_params("hi"), agent="none").status_code == 404
    assert shop.http.get("/api/.well-known/none/agent-card.json").status_code == 404


def test_failed_runs(shop):
    error = call(shop, "message/send", build_params("hi"), agent="broken").json()["error"]
    assert error["code"] == -32603
    found = call(shop, "tasks/get", {"id": error["data"]["taskId"]}, agent="broken").json()
    assert found["result"]["status"]["state"] == "failed"
    found = call(shop, "tasks/get", {"id": error["data"]["taskId"]}).json()
    assert found["error"]["code"] == -32001, "another agent has no such task"


def test_run_without_waiting(shop):
    params = {**build_params("work"), "configuration": {"blocking": False}}
    task = call(shop, "message/send", params).json()["result"]
    assert task["status"]["state"] == "working"
    done = wait_for_end(shop, task["id"])
    assert done["artifacts"][0]["parts"][0]["text"] == "Then: ready"
    short = call(shop, "tasks/get", {"id": task["id"], "historyLength": 0}).json()["result"]
    assert (short["history"], len(done["history"])) == ([], 1)


def test_messages_to_a_task_that_works(shop):
    params = {**build_params("slow one"), "configuration": {"blocking": False}}
    task = call(shop, "message/send", params).json()["result"]
    again = build_params("more", taskId=task["id"])
    refused = call(shop, "message/send", again).json()
    assert refused["error"]["code"] == -32600
    shown = call(shop, "message/send", {**again, "configuration": {"blocking": False}}).json()
    assert shown["result"]["status"]["state"] == "working"
    assert wait_for_end(shop, task["id"])["status"]["state"] == "completed"
    final = call(shop, "message/send", again).json()["error"]
    assert (final["code"], "terminal state" in final["message"]) == (-32600, True)


def test_run_ends_with_its_reader(shop, monkeypatch):
    monkeypatch.setattr(live_run, "ABORT_DELAY", 0.1)
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": build_params("slow")}
    with shop.http.stream("POST", "/api/a2a/shop", json=body) as answer:
        first = json.loads(next(answer.iter_lines()).removeprefix("data: "))
    assert wait_for_end(shop, first["result"]["id"])["status"]["state"] == "canceled"


def test_cancelled_task_cannot_be_approved(shop):
    paid.clear()
    task = call(shop, "message/send", build_params("pay")).json()["result"]
    assert task["status"]["state"] == "input-required"
    assert call(shop, "tasks/cancel", {"id": task["id"]}).json()["result"]["status"]["state"] == (
        "canceled"
    )
    decision = {"runId": task["id"], "toolCallId": "pay-0"}
    late = shop.http.post("/api/agents/shop/approve-tool-call-generate", json=decision)
    assert (late.status_code, paid) == (404, [])


def test_tasks_belong_to_their_users(serve):
    auth = ApiKeys(KEYS, restrict_memory=True)
    with serve(create_application(memory=Memory(), server={"auth": auth})) as server:
        headers = {name: {"authorization": f"Bearer {key}"} for name, key in KEYS.items()}
        assert call(server, "message/send", build_params("hi")).status_code == 401
        path = "/api/.well-known/shop/agent-card.json"
        assert server.http.get(path).status_code == 401
        card = server.http.get(path, headers=headers["ann"]).json()
        assert card["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
        params = build_params("pay", contextId="c1")
        task = call(server, "message/send", params, **headers["ann"]).json()["result"]
        assert task["metadata"]["resourceId"] == "ann"
        own = call(server, "tasks/get", {"id": task["id"]}, **headers["ann"]).json()
        assert own["result"]["contextId"] == "c1"
        for method, wanted in (
            ("tasks/get", {"id": task["id"]}),
            ("tasks/cancel", {"id": task["id"]}),
            ("message/send", build_params("yes", taskId=task["id"])),
        ):
            foreign = call(server, method, wanted, **headers["bob"]).json()
            assert foreign["error"]["code"] == -32001, method
        version = {"A2A-Version": "1.0"}
        listed = call(server, "ListTasks", {}, **headers["bob"], **version).json()
        assert listed["result"]["tasks"] == []
        assert call(server, "message/send", params, **headers["bob"]).status_code == 403
        stolen = {**build_params("hi"), "metadata": {"resourceId": "ann"}}
        assert call(server, "message/send", stolen, **headers["bob"]).status_code == 403
        done = call(server, "message/send", build_params("no", taskId=task["id"]), **headers["ann"])
        assert done.json()["result"]["status"]["state"] == "completed"


def test_each_request_keeps_its_tasks_and_timers():
    """On platforms where timers and tasks belong to one request, others can follow and cancel."""
    with serve_guarded(lambda: create_application(memory=Memory())) as server:
        params = {**build_params("slow"), "configuration": {"blocking": False}}
        task = call(server, "message/send", params).json()["result"]
        body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/resubscribe", "params": task}
        with server.http.stream("POST", "/api/a2a/shop", json=body) as follower:
            lines = follower.iter_lines()
            assert '"working"' in next(lines)
            done = call(server, "tasks/cancel", {"id": task["id"]}).json()["result"]
            assert '"final":true' in "".join(lines)
        assert done["status"]["state"] == "canceled"
        streamed = call(server, "message/stream", build_params("work"))
        assert '"completed"' in streamed.text
        server.wait_for_ends()
        assert server.guard.breaches == []
