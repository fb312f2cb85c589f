"""An agent as a step of a durable workflow, in servers that are killed."""

import json
import time

import pytest

pytestmark = pytest.mark.slow
WORK = json.dumps([["note", "wait"], ["note"], "all done"])


def start_report(server, script, run_id):
    path = f"/workflows/report/create-run?runId={run_id}"
    assert server.http.post(path).status_code == 200
    path = f"/workflows/report/start?runId={run_id}"
    assert server.http.post(path, json={"inputData": script}).status_code == 200


def wait_for_report(servers, server, run_id):
    def find_end():
        run = server.http.get(f"/workflows/report/runs/{run_id}").json()
        return run if run["status"] not in ("running", "pending", "waiting") else None

    return servers.wait_until(find_end)


def observe_report(server, run_id):
    path = f"/workflows/report/observe?runId={run_id}&offset=0"
    text = server.http.post(path).text
    return [json.loads(line) for line in text.split("\x1e") if line.strip()]


def test_finished_calls_are_not_repeated_after_a_kill(servers):
    first = servers.get()
    servers.hold.touch()
    start_report(first, WORK, "killed-in-a-tool")
    servers.wait_until(lambda: any(line.startswith("wait") for line in servers.read_effects()))
    servers.wait_until(lambda: "note" in servers.read_effects())
    time.sleep(0.1)  # the result of the finished tool is stored
    servers.kill(first)
    servers.hold.unlink()
    second = servers.start()
    run = wait_for_report(servers, second, "killed-in-a-tool")
    assert run["status"] == "success", run
    assert run["result"] == {"text": "all done "}
    assert servers.list_turns() == [0, 1, 2]  # no answer of the model was requested twice
    assert sorted(servers.read_effects()) == [
        "note", "note", "prepare", "wait call-0-1 False", "wait call-0-1 True",
    ]  # fmt: skip
    results = [
        each["payload"]["output"]
        for each in observe_report(second, "killed-in-a-tool")
        if each["type"] == "workflow-step-output"
    ]
    types = [each["type"] for each in results]
    assert types.count("tool-result") == 3, types
    assert types.count("tool-call") == 3, types


@pytest.mark.full
def test_an_interrupted_answer_is_requested_again(servers):
    first = servers.get()
    servers.model.hold_words.touch()
    start_report(first, json.dumps([["note"], "all done"]), "killed-in-an-answer")
    servers.wait_until(lambda: servers.list_turns() == [0, 1])
    time.sleep(0.3)  # the first word is stored
    servers.kill(first)
    servers.model.hold_words.unlink()
    second = servers.start()
    run = wait_for_report(servers, second, "killed-in-an-answer")
    assert run["result"] == {"text": "all done "}
    assert servers.list_turns() == [0, 1, 1]
    assert servers.read_effects() == ["prepare", "note"]


@pytest.mark.full
def test_a_server_that_stops_hands_its_agent_back(servers):
    first, second = servers.get(), servers.start()
    servers.hold.touch()
    start_report(first, WORK, "handed-back")
    servers.wait_until(lambda: any(line.startswith("wait") for line in servers.read_effects()))
    owner = first
    owner.terminate()
    assert owner.wait(15) is not None
    servers.hold.unlink()
    run = wait_for_report(servers, second, "handed-back")
    assert run["status"] == "success"
    assert servers.list_turns() == [0, 1, 2]
    assert servers.read_effects().count("note") == 2
