"""Runs of durable agents outlive the server that has started them."""

import json
import re
import threading
import time

import httpx
import pytest

from tests.server.agents.durable.conftest import read_chunks

pytestmark = pytest.mark.slow
WORK = json.dumps([["note", "wait"], ["note"], "all done"])
PAY = json.dumps([["pay"], "thank you"])
CLERK = "/agents/clerk"


class Reader(threading.Thread):
    """Reads a stream in the background, as far as it gets."""

    def __init__(self, server, path, body):
        super().__init__(daemon=True)
        self._server, self._path, self._body = server, path, body
        self.text = ""
        self.start()

    def run(self):
        try:
            with self._server.http.stream("POST", self._path, json=self._body) as answer:
                for text in answer.iter_text():
                    self.text += text
        except httpx.HTTPError:
            pass

    def find_last_id(self):
        return re.findall(r"^id: (.*)$", self.text, re.MULTILINE)[-1]


def build_body(script, run_id, **options):
    memory = {"thread": f"thread-{run_id}", "resource": "ann"}
    return {"messages": script, "runId": run_id, "memory": memory, **options}


def list_types(chunks):
    return [each["type"] for each in chunks]


def get_text(chunks):
    return "".join(each["payload"]["text"] for each in chunks if each["type"] == "text-delta")


def list_messages(server, run_id):
    path = f"/memory/threads/thread-{run_id}/messages?agentId=clerk"
    return server.http.get(path).json()["messages"]


def observe(server, run_id, offset=0):
    answer = server.http.post(f"{CLERK}/observe", json={"runId": run_id, "offset": offset})
    assert answer.status_code == 200, answer.text
    return read_chunks(answer.text)


def count_waits(servers):
    return sum(line.startswith("wait") for line in servers.read_effects())


def test_runs_continue_after_a_kill(servers):
    first = servers.get()
    suspended = first.http.post(f"{CLERK}/stream", json=build_body(PAY, "paid"))
    assert list_types(read_chunks(suspended.text))[-1] == "tool-call-approval"
    servers.hold.touch()
    reader = Reader(first, f"{CLERK}/stream", build_body(WORK, "streamed"))
    Reader(first, f"{CLERK}/generate", build_body(WORK, "generated"))
    servers.wait_until(lambda: count_waits(servers) == 2)
    servers.wait_until(lambda: "noted" in reader.text)
    time.sleep(0.2)  # the results of the finished tools are stored
    servers.kill(first)
    reader.join(10)
    assert "[DONE]" not in reader.text

    servers.hold.unlink()
    second = servers.start()
    headers = {"last-event-id": reader.find_last_id()}
    body = build_body(WORK, "streamed")
    rest = second.http.post(f"{CLERK}/stream", json=body, headers=headers)
    chunks = [*read_chunks(reader.text), *read_chunks(rest.text)]
    assert rest.text.endswith("data: [DONE]\n\n")
    assert list_types(chunks) == list_types(observe(second, "streamed"))
    assert list_types(chunks).count("tool-result") == 3
    assert (get_text(chunks), list_types(chunks)[-1]) == ("all done ", "finish")

    generated = observe(second, "generated")
    assert get_text(generated) == "all done"  # not streamed, so not sent word by word
    assert servers.list_turns().count(2) == 2
    turns = [turn for turn, script in servers.model.requests if script == json.loads(WORK)]
    assert sorted(turns) == [0, 0, 1, 1, 2, 2]  # no answer was requested twice
    assert servers.read_effects().count("note") == 4
    assert count_waits(servers) == 4  # the tools that were interrupted

    for run_id in ("streamed", "generated"):
        roles = [each["role"] for each in list_messages(second, run_id)]
        assert roles == ["user", "assistant"]

    waiting = second.http.get(f"{CLERK}/suspended-runs?resourceId=ann").json()
    assert [each["runId"] for each in waiting["runs"]] == ["paid"]
    assert waiting["runs"][0]["threadId"] == "thread-paid"
    decision = {"runId": "paid", "toolCallId": "call-0-0"}
    approved = second.http.post(f"{CLERK}/approve-tool-call", json=decision)
    assert get_text(read_chunks(approved.text)) == "thank you "
    assert servers.read_effects().count("pay") == 1
    again = second.http.post(f"{CLERK}/approve-tool-call", json=decision)
    assert again.status_code == 404
    whole = observe(second, "paid")
    assert len(whole) == len(read_chunks(suspended.text)) + len(read_chunks(approved.text))
    assert [each["role"] for each in list_messages(second, "paid")] == ["user", "assistant"]


@pytest.mark.full
def test_an_interrupted_answer_begins_again_for_its_readers(servers):
    first = servers.get()
    servers.model.hold_words.touch()
    reader = Reader(first, f"{CLERK}/stream", build_body(json.dumps(["one two"]), "words"))
    servers.wait_until(lambda: "text-delta" in reader.text)
    servers.kill(first)
    servers.model.hold_words.unlink()
    second = servers.start()
    chunks = servers.wait_until(lambda: observe(second, "words"))
    ends = [each["payload"]["stepResult"] for each in chunks if each["type"] == "step-finish"]
    assert ends == [
        {"reason": "retry", "isContinued": True},
        {"reason": "stop", "isContinued": False},
    ]
    assert chunks[-1]["payload"]["output"]["text"] == "one two "
    (_, answer) = list_messages(second, "words")
    assert "one one" not in json.dumps(answer)


@pytest.mark.full
def test_a_server_that_stops_hands_its_runs_back(servers):
    first, second = servers.get(), servers.start()
    servers.hold.touch()
    reader = Reader(first, f"{CLERK}/stream", build_body(WORK, "moved"))
    servers.wait_until(lambda: count_waits(servers) == 1)
    first.terminate()
    first.wait(20)
    reader.join(10)
    assert not {"abort", "error", "finish"} & {*list_types(read_chunks(reader.text))}
    assert "[DONE]" not in reader.text
    servers.hold.unlink()
    assert get_text(observe(second, "moved")) == "all done "
    assert servers.list_turns() == [0, 1, 2]


@pytest.mark.full
def test_any_server_cancels_a_run(servers):
    first, second = servers.get(), servers.start()
    servers.hold.touch()
    reader = Reader(first, f"{CLERK}/stream", build_body(WORK, "canceled"))
    servers.wait_until(lambda: count_waits(servers) == 1)
    answer = second.http.post(f"{CLERK}/runs/canceled/cancel")
    assert answer.json() == {"message": "Agent run cancelled"}
    reader.join(10)
    assert "The run was canceled." in reader.text
    assert [each["role"] for each in list_messages(second, "canceled")] == ["user", "assistant"]
    assert second.http.post(f"{CLERK}/runs/unknown/cancel").status_code == 404
    assert second.http.post(f"{CLERK}/observe", json={"runId": "unknown"}).status_code == 404
    assert servers.list_turns() == [0]


def test_an_id_is_used_once(servers):
    server = servers.get()
    body = build_body(json.dumps(["hello"]), "once")
    assert server.http.post(f"{CLERK}/generate", json=body).json()["text"] == "hello"
    again = server.http.post(f"{CLERK}/generate", json=body)
    assert again.status_code == 409
    assert servers.list_turns() == [0]
