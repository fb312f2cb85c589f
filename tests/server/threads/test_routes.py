"""Messages into threads, by Mastra's own JavaScript client, and those who listen."""

import threading
import time

import httpx
import pytest

from mastra_core import Memory
from mastra_server import ApiKeys
from tests.server.sample_agents import made, paid

HERE = {"resourceId": "ann", "threadId": "t1"}


@pytest.fixture(scope="module")
def got(node, serve):
    paid.clear()
    with serve(made(memory=Memory())) as server:
        return node("threads.mjs", server.url)


def types(chunks):
    return [chunk["type"] for chunk in chunks]


def said(chunks):
    """What was said and answered, in the order it was heard."""
    told = []
    for chunk in chunks:
        if chunk["type"] == "data-user-message":
            told.append(chunk["data"]["contents"])
        elif chunk["type"] == "text-start":
            told.append("")
        elif chunk["type"] == "text-delta":
            told[-1] += chunk["payload"]["text"]
    return told


def test_a_message_is_heard_with_its_answer(got):
    sent, heard = got["sent"], got["heard"]
    assert sent["accepted"] is True
    assert types(heard)[:3] == ["data-user-message", "start", "step-start"]
    assert {chunk["runId"] for chunk in heard} == {sent["runId"]}
    assert heard[0]["data"] == sent["signal"]
    assert heard[0]["data"]["metadata"] == {"clientMessageId": "c1"}
    assert said(heard) == ["hi", "You said hi. Be brief."]


def test_a_memory_keeps_it_by_the_id_that_was_heard(got):
    asked, answer = got["stored"]["messages"]
    assert (asked["id"], asked["role"]) == (got["sent"]["signal"]["id"], "user")
    assert answer["id"] == got["heard"][1]["payload"]["messageId"]


def test_one_waits_for_the_other(got):
    first, second, third = said(got["turns"])[::2]
    assert (first, second, third) == ("slow one", "two", [{"type": "text", "text": "three"}])
    runs = [chunk["runId"] for chunk in got["turns"] if chunk["type"] in ("start", "finish")]
    assert runs[::2] == runs[1::2]
    assert len(set(runs)) == 3


def test_a_listener_hears_streams_of_others_and_no_other_thread(got):
    assert said(got["others"]) == ["You said streamed."]


def test_a_call_is_approved_in_its_thread(got):
    assert got["notThere"]["status"] == got["elsewhere"]["status"] == 404
    assert "'no'" in got["notThere"]["message"]
    assert got["decision"] == {
        "accepted": True,
        "runId": got["approved"][0]["runId"],
        "toolCallId": "pay-0",
    }
    assert types(got["approved"]).index("tool-call-approval") < types(got["approved"]).index(
        "tool-result"
    )
    assert paid == [3]


def test_a_run_is_aborted_and_the_listener_stays(got):
    assert got["wrongRun"] == {"aborted": False}
    assert got["abort"] is True
    assert got["abortIdle"] == {"aborted": False}
    assert types(got["aborted"])[-1] == "abort"


def test_a_tool_of_the_client(got):
    heard = got["clientTool"]
    assert types(heard).count("start") == 2
    assert said(heard)[-1].startswith("Then: ")
    assert '"sum":5' in said(heard)[-1].replace(" ", "").replace("'", '"')


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
def test_what_is_refused(got, name, status):
    assert got[name]["status"] == status, got[name]


def test_nobody_listens_to_the_thread_of_another(serve):
    keys = ApiKeys({"ann": "a", "bob": "b"}, confined=True)
    with serve(made(memory=Memory(), server={"auth": keys})) as server:
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


def test_too_many_wait(serve):
    with serve(made(memory=Memory())) as server:
        sent = [
            server.http.post("/api/agents/shop/send-message", json={"message": "slow end", **HERE})
            for _ in range(101)
        ]
        assert {answer.status_code for answer in sent[:100]} == {200}
        assert sent[100].status_code == 429
        server.app.state.draining = True


def test_a_listener_does_not_hold_up_the_end(serve):
    with serve(made(memory=Memory())) as server:
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
