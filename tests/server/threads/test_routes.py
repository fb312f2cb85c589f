"""Test messages into threads and subscriptions with Mastra's JavaScript client."""

import threading
import time

import httpx
import pytest

from mastra_core import Memory
from mastra_server import ApiKeys
from tests.server.sample_agents import create_application, paid

HERE = {"resourceId": "ann", "threadId": "t1"}


@pytest.fixture(scope="module")
def results(node, serve):
    paid.clear()
    with serve(create_application(memory=Memory())) as server:
        return node("threads.mjs", server.url)


def list_types(chunks):
    return [chunk["type"] for chunk in chunks]


def list_texts(chunks):
    """Return the messages and responses in the order they were received."""
    told = []
    for chunk in chunks:
        if chunk["type"] == "data-user-message":
            told.append(chunk["data"]["contents"])
        elif chunk["type"] == "text-start":
            told.append("")
        elif chunk["type"] == "text-delta":
            told[-1] += chunk["payload"]["text"]
    return told


def test_subscriber_receives_message_and_response(results):
    sent, heard = results["sent"], results["heard"]
    assert sent["accepted"] is True
    assert list_types(heard)[:3] == ["data-user-message", "start", "step-start"]
    assert {chunk["runId"] for chunk in heard} == {sent["runId"]}
    assert heard[0]["data"] == sent["signal"]
    assert heard[0]["data"]["metadata"] == {"clientMessageId": "c1"}
    assert list_texts(heard) == ["hi", "You said hi. Be brief."]


def test_message_is_stored_by_its_id(results):
    asked, answer = results["stored"]["messages"]
    assert (asked["id"], asked["role"]) == (results["sent"]["signal"]["id"], "user")
    assert answer["id"] == results["heard"][1]["payload"]["messageId"]


def test_runs_of_a_thread_are_sequential(results):
    first, second, third = list_texts(results["turns"])[::2]
    assert (first, second, third) == ("slow one", "two", [{"type": "text", "text": "three"}])
    runs = [chunk["runId"] for chunk in results["turns"] if chunk["type"] in ("start", "finish")]
    assert runs[::2] == runs[1::2]
    assert len(set(runs)) == 3


def test_subscriber_receives_only_its_thread(results):
    assert list_texts(results["others"]) == ["You said streamed."]


def test_approval_in_a_thread(results):
    assert results["notThere"]["status"] == results["elsewhere"]["status"] == 404
    assert "'no'" in results["notThere"]["message"]
    assert results["decision"] == {
        "accepted": True,
        "runId": results["approved"][0]["runId"],
        "toolCallId": "pay-0",
    }
    assert list_types(results["approved"]).index("tool-call-approval") < list_types(
        results["approved"]
    ).index("tool-result")
    assert paid == [3]


def test_invalid_data_leaves_the_run_suspended(serve):
    body = {"threadId": "t", "resourceId": "r", "toolCallId": "ask-0", "approved": True}
    path = "/api/agents/shop/send-tool-approval"
    with serve(create_application(memory=Memory())) as server:
        memory = {"thread": "t", "resource": "r"}
        server.http.post("/api/agents/shop/generate", json={"messages": "ask", "memory": memory})
        refused = server.http.post(path, json={**body, "resumeData": {"answer": 5}})
        assert refused.status_code == 400
        assert refused.json()["issues"][0]["field"] == "resumeData"
        accepted = server.http.post(path, json={**body, "resumeData": {"answer": "now"}})
        run = {"runId": accepted.json()["runId"]}
        assert "answered now" in server.http.post("/api/agents/shop/observe", json=run).text


def test_abort_keeps_the_subscription(results):
    assert results["wrongRun"] == {"aborted": False}
    assert results["abort"] is True
    assert results["abortIdle"] == {"aborted": False}
    assert list_types(results["aborted"])[-1] == "abort"


def test_client_tool(results):
    heard = results["clientTool"]
    assert list_types(heard).count("start") == 2
    assert list_texts(heard)[-1].startswith("Then: ")
    assert '"sum":5' in list_texts(heard)[-1].replace(" ", "").replace("'", '"')


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("foreign", 403),
        ("noThread", 400),
        ("persist", 400),
        ("badOption", 400),
        ("badMessage", 400),
        ("missing", 404),
        ("signal", 501),
    ],
)
def test_rejected_requests(results, name, status):
    assert results[name]["status"] == status, results[name]


def test_threads_of_other_resources(serve):
    keys = ApiKeys({"ann": "a", "bob": "b"}, restrict_memory=True)
    with serve(create_application(memory=Memory(), server={"auth": keys})) as server:
        path = server.url + "/api/agents/shop/threads/subscribe"
        bob = {"authorization": "Bearer b"}
        answer = httpx.post(path, json=HERE, headers=bob, trust_env=False)
        assert answer.status_code == 403
        mine = {"threadId": "t1"}
        with httpx.stream(
            "POST", path, json=mine, headers=bob, trust_env=False, timeout=3
        ) as heard:
            ann = {"authorization": "Bearer a"}
            body = {"message": "secret", "threadId": "t1"}
            sent = server.http.post("/api/agents/shop/send-message", json=body, headers=ann)
            assert sent.status_code == 200
            lines = []
            with pytest.raises(httpx.ReadTimeout):
                lines.extend(heard.iter_lines())
            assert not any("secret" in line for line in lines)


def test_too_many_waiting_runs(serve):
    with serve(create_application(memory=Memory())) as server:
        sent = [
            server.http.post("/api/agents/shop/send-message", json={"message": "slow end", **HERE})
            for _ in range(101)
        ]
        assert {answer.status_code for answer in sent[:100]} == {200}
        assert sent[100].status_code == 429
        server.app.state.draining = True


def test_subscriber_receives_the_run_that_has_begun(serve):
    with serve(create_application(memory=Memory())) as server:
        sent = server.http.post(
            "/api/agents/shop/send-message", json={"message": "slow end", **HERE}
        )
        assert sent.status_code == 200
        path = server.url + "/api/agents/shop/threads/subscribe"
        with httpx.stream("POST", path, json=HERE, trust_env=False, timeout=20) as heard:
            assert any('"type":"start"' in line for line in heard.iter_lines())
        server.app.state.draining = True


def test_subscription_ends_on_shutdown(serve):
    with serve(create_application(memory=Memory())) as server:
        path = server.url + "/api/agents/shop/threads/subscribe"
        heard = []

        def listen():
            with httpx.stream("POST", path, json=HERE, trust_env=False, timeout=20) as answer:
                heard.extend(answer.iter_lines())

        listener = threading.Thread(target=listen)
        listener.start()
        while not server.app.state.thread_runs._listeners:
            time.sleep(0.01)
        server.app.state.draining = True
        listener.join(10)
        assert not listener.is_alive()
        assert heard[0] == ": connected"
        assert server.app.state.thread_runs._listeners == {}
