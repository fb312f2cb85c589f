"""Test streamed responses, and clients that disconnect before the end."""

import json
import socket
import threading
import time

import pytest

from mastra_core import Mastra
from mastra_core.agents import AgentInput, ReasoningDelta, TextDelta
from mastra_server.agents import live_run
from mastra_server.agents.transcript import Transcript
from mastra_server.http import heartbeats
from tests.server.sample_app import ApprovalAgent, TickingRuns, ticking


def parse_chunks(text):
    """Parse frames like Mastra's client, which skips lines that do not begin with ``data: ``."""
    frames = text.split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    events = [frame for frame in frames[:-2] if frame.startswith("data: ")]
    return [json.loads(frame.removeprefix("data: ")) for frame in events]


TICKING = "/api/agents/ticking/stream"
ENDED = "data: [DONE]\n\n"


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def open_post(server, path, body, header="x-none: 1"):
    """Open a connection and send a request on it, to be disconnected early."""
    content = json.dumps(body).encode()
    connection = socket.create_connection(("127.0.0.1", server.port))
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n{header}\r\n\r\n"
    connection.sendall(head.encode() + content)
    return connection


def read_until(connection, marker):
    seen = b""
    while marker not in seen:
        piece = connection.recv(4096)
        assert piece, seen
        seen += piece
    return seen


def test_frames(api):
    answer = api.post("/api/agents/echoAgent/stream", json={"messages": "hi"})
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "\r" not in answer.text
    assert parse_chunks(answer.text)[0]["type"] == "start"


def test_approval_ends_without_a_finish(api):
    answer = api.post("/api/agents/approvalAgent/stream", json={"messages": "x"})
    chunks = parse_chunks(answer.text)
    assert [chunk["type"] for chunk in chunks] == [
        *("start", "step-start", "tool-call", "tool-call-approval")
    ]
    assert json.loads(chunks[-1]["payload"]["resumeSchema"])["required"] == ["approved"]
    generated = api.post("/api/agents/approvalAgent/generate", json={"messages": "x"}).json()
    assert generated["finishReason"] == "suspended"


def test_structured_output_in_a_stream(api):
    answer = api.post("/api/agents/shout/stream", json={"messages": "x"})
    types = {chunk["type"]: chunk for chunk in parse_chunks(answer.text)}
    assert types["object-result"]["object"] == {"loud": "X"}
    assert types["finish"]["payload"]["output"]["text"] == '{"loud":"X"}'


def test_four_concurrent_streams(server):
    arrivals = [[] for _ in range(4)]

    def listen(index):
        with server.http.stream(
            "POST", "/api/agents/ticking/stream", json={"messages": f"s{index}-"}
        ) as answer:
            for line in answer.iter_lines():
                if "text-delta" in line:
                    assert f"s{index}-" in line
                    arrivals[index].append(time.monotonic())

    threads = [threading.Thread(target=listen, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [len(times) for times in arrivals] == [40] * 4
    for times in arrivals:
        assert times[-1] - times[0] > 1.5
    assert max(times[0] for times in arrivals) < min(times[-1] for times in arrivals)


def test_abort_on_disconnect(server):
    header = "x-mastra-abort-on-disconnect: true"
    for marker in (b"200 OK", b'"start"', b"text-delta") * 4:  # at rest, and in the rush
        connection = open_post(server, TICKING, {"messages": "leaving"}, header)
        read_until(connection, marker)
        connection.close()
    wait_until(lambda: TickingRuns.ended.count("leaving") == 12, 1.5)


def test_agent_run_continues_after_disconnect(server):
    body = {"messages": "x", "runId": "long-1"}
    seen = []
    with server.http.stream("POST", TICKING, json=body) as answer:
        for line in answer.iter_lines():
            seen.append(line)
            if line.startswith("id: ") and any('"x3 "' in each for each in seen):
                break
    again = server.http.post(TICKING, json=body, headers={"last-event-id": seen[-1][4:]})
    had, rest = parse_chunks("\n".join(seen) + f"\n\n{ENDED}"), parse_chunks(again.text)
    texts = [chunk["payload"]["text"] for chunk in [*had, *rest] if chunk["type"] == "text-delta"]
    assert texts == [f"x{index} " for index in range(40)]
    assert rest[-1]["type"] == "finish"
    path = "/api/agents/ticking/observe"
    whole = parse_chunks(server.http.post(path, json={"runId": "long-1"}).text)
    part = parse_chunks(server.http.post(path, json={"runId": "long-1", "offset": 30}).text)
    assert (whole[0]["type"], whole[30:]) == ("start", part)
    assert server.http.post(path, json={"runId": "nope"}).status_code == 404
    assert server.http.post(path, json={"runId": "long-1", "offset": -1}).status_code == 400
    unknown = server.http.post(TICKING, json=body, headers={"last-event-id": "other/3"})
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Agent run not found"})


@pytest.mark.parametrize("path", ["stream", "stream/ui", "observe"])
def test_run_stops_after_its_last_reader_has_left(server, monkeypatch, path):
    monkeypatch.setattr(live_run, "ABORT_DELAY", 0.2)
    name = f"stopped-{path.replace('/', '-')}"
    body = {"messages": name, "runId": name}
    url = "/api/agents/ticking/stream" if path == "observe" else f"/api/agents/ticking/{path}"
    connection = open_post(server, url, body)
    read_until(connection, b"text-delta")
    if path == "observe":
        other = open_post(server, "/api/agents/ticking/observe", {"runId": name})
        read_until(other, b"text-delta")
        connection.close()
        time.sleep(0.4)
        assert name not in TickingRuns.ended, "a reader is left"
        connection = other
    started = time.monotonic()
    connection.close()
    wait_until(lambda: name in TickingRuns.ended, 1.5)
    assert time.monotonic() - started > 0.15
    last = server.http.post("/api/agents/ticking/observe", json={"runId": name}).text
    assert '"type":"abort"' in last


@pytest.mark.parametrize("subscribes", [True, False])
def test_run_that_must_continue(server, monkeypatch, subscribes):
    monkeypatch.setattr(live_run, "ABORT_DELAY", 0.05)
    name = f"kept-{subscribes}"
    memory = {"thread": name, "resource": "ann"}
    body = {"messages": name, "runId": name, **({"memory": memory} if subscribes else {})}
    if subscribes:
        thread = {"threadId": name, "resourceId": "ann"}
        other = open_post(server, "/api/agents/ticking/threads/subscribe", thread)
        read_until(other, b"connected")
    header = "x-none: 1" if subscribes else "x-mastra-abort-on-disconnect: false"
    connection = open_post(server, TICKING, body, header)
    read_until(connection, b"text-delta")
    connection.close()
    time.sleep(0.3)
    assert name not in TickingRuns.ended
    wait_until(lambda: name in TickingRuns.ended, 4)
    got = parse_chunks(server.http.post("/api/agents/ticking/observe", json={"runId": name}).text)
    assert got[-1]["type"] == "finish"
    if subscribes:
        other.close()


class DecidedAgent(ApprovalAgent):
    """Writes for a while after the decision."""

    async def stream(self, input):
        if not input.decisions:
            async for event in super().stream(input):
                yield event
            return
        async for text in ticking(input.run_id):
            yield TextDelta(text=text)


@pytest.mark.parametrize("decide", ["approve-tool-call", "send-tool-approval"])
def test_resumed_run_that_must_continue(serve, monkeypatch, decide):
    """The request that resumes a run decides whether the run needs a reader."""
    monkeypatch.setattr(live_run, "ABORT_DELAY", 0.05)
    url = f"/api/agents/{DecidedAgent.id}"
    thread = {"thread": decide, "resource": "ann"}
    with serve(Mastra(agents={DecidedAgent.id: DecidedAgent()}, logger=False)) as server:
        server.http.post(f"{url}/stream", json={"messages": "x", "runId": decide, "memory": thread})
        if decide == "approve-tool-call":
            body, header = {"runId": decide}, "x-mastra-abort-on-disconnect: false"
            connection = open_post(
                server, f"{url}/{decide}", {**body, "toolCallId": "call-1"}, header
            )
        else:
            body = {"threadId": decide, "resourceId": "ann", "toolCallId": "call-1"}
            sent = server.http.post(f"{url}/{decide}", json={**body, "approved": True})
            assert sent.status_code == 200
            connection = open_post(server, f"{url}/observe", {"runId": decide})
        read_until(connection, b"text-delta")
        connection.close()
        time.sleep(0.3)
        assert decide not in TickingRuns.ended
        assert (
            '"type":"abort"' not in server.http.post(f"{url}/observe", json={"runId": decide}).text
        )


def test_reconnection_by_an_id_that_is_not_ascii(server):
    """An event source sends the id in UTF-8, and ``fetch`` sends it in Latin-1."""
    body = {"messages": "x", "runId": "läuft"}
    for encoding in ("utf-8", "latin-1"):
        first = server.http.post("/api/agents/echoAgent/stream", json=body)
        event_id = next(line for line in first.text.splitlines() if line.startswith("id: "))[4:]
        header = [(b"last-event-id", event_id.encode(encoding))]
        again = server.http.post("/api/agents/echoAgent/stream", json=body, headers=header)
        assert again.status_code == 200
        position = int(event_id.rpartition("/")[2])
        assert parse_chunks(again.text) == parse_chunks(first.text)[position:]


def test_run_id_conflict(server):
    body = {"messages": "x", "runId": "once-1"}
    connection = open_post(server, TICKING, body)
    read_until(connection, b"text-delta")
    again = server.http.post(TICKING, json=body)
    assert (again.status_code, again.json()) == (409, {"error": "The run 'once-1' is running."})
    cancel = server.http.post("/api/agents/ticking/runs/once-1/cancel")
    assert cancel.json() == {"message": "Agent run cancelled"}
    ended = read_until(connection, b"[DONE]")
    connection.close()
    assert b'{"type":"abort","runId":"once-1"' in ended
    assert server.http.post(TICKING, json=body).status_code == 200
    assert server.http.post("/api/agents/ticking/runs/nope/cancel").status_code == 404


def test_run_timeout(serve):
    with serve(server={"run_timeout": 0.3}) as server:
        answer = server.http.post(TICKING, json={"messages": "x"})
        last = parse_chunks(answer.text)[-1]
        message = "The run took longer than 0.3 s."
        assert (last["type"], last["payload"]["error"]["message"]) == ("error", message)
        body = {"model": "ticking", "input": "x", "stream": True}
        answer = server.http.post("/api/v1/responses", json=body)
        last = json.loads(answer.text.rpartition("data: ")[2])
        assert (last["type"], last["response"]["error"]["message"]) == ("response.failed", message)


def test_workflow_run_continues_after_disconnect(server):
    path = "/api/workflows/slowWorkflow"
    run_id = server.http.post(f"{path}/create-run").json()["runId"]
    connection = open_post(server, f"{path}/stream?runId={run_id}", {"inputData": {"n": 400}})
    read_until(connection, b"workflow-start")
    connection.close()
    run = f"{path}/runs/{run_id}"
    assert server.http.get(run).json()["status"] == "running"
    wait_until(lambda: server.http.get(run).json()["status"] == "success")


def test_heartbeats(server, monkeypatch):
    monkeypatch.setattr(live_run, "HEARTBEAT_INTERVAL", 0.1)
    seen = []
    with server.http.stream(
        "POST", "/api/agents/slowAgent/stream", json={"messages": "x"}
    ) as answer:
        for line in answer.iter_lines():
            seen.append(line)
            if seen.count(": heartbeat") == 2:
                break
    index = seen.index(": heartbeat")
    assert seen[index + 1] == ""


@pytest.mark.parametrize(
    ("path", "body", "heartbeat"),
    [
        ("v1/responses", {"model": "slowAgent", "input": "x", "stream": True}, ": heartbeat\n\n"),
        ("workflows/slowWorkflow/stream?runId=beats", {"inputData": {"n": 400}}, "\x1e\x1e"),
    ],
)
def test_heartbeats_of_streams_that_belong_to_a_request(server, monkeypatch, path, body, heartbeat):
    monkeypatch.setattr(heartbeats, "HEARTBEAT_INTERVAL", 0.05)
    text = ""
    with server.http.stream("POST", f"/api/{path}", json=body) as answer:
        for piece in answer.iter_text():
            text += piece
            if text.count(heartbeat) == 2:
                break
    assert text.count(heartbeat) == 2


def test_invalid_input_fails_in_the_stream(api):
    answer = api.post("/api/workflows/pureWorkflow/stream?runId=bad-1", json={"inputData": {}})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain"
    start, finish, rest = answer.text.split("\x1e")
    assert rest == ""
    assert json.loads(start)["type"] == "workflow-start"
    payload = json.loads(finish)["payload"]
    assert payload["workflowStatus"] == "failed"
    assert payload["metadata"]["error"]["code"] == "WORKFLOW_SCHEMA_VALIDATION_FAILED"
    assert api.get("/api/workflows/pureWorkflow/runs/bad-1").status_code == 404


def test_invalid_input_leaves_no_pending_run(api):
    path = "/api/workflows/pureWorkflow"
    run_id = api.post(f"{path}/create-run").json()["runId"]
    answer = api.post(f"{path}/start?runId={run_id}", json={"inputData": {"n": "x"}})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Invalid input data: ")
    assert api.get(f"{path}/runs/{run_id}").status_code == 404


@pytest.mark.parametrize("verb", ["resume", "resume-async", "resume-stream"])
def test_resume_a_run_that_is_not_suspended(api, verb):
    path = "/api/workflows/approveWorkflow"
    run_id = api.post(f"{path}/create-run").json()["runId"]
    answer = api.post(f"{path}/{verb}?runId={run_id}", json={"resumeData": {"ok": True}})
    assert (answer.status_code, answer.json()) == (
        409,
        {"error": "This workflow run was not suspended"},
    )
    unknown = api.post(f"{path}/{verb}?runId=nope", json={"resumeData": {"ok": True}})
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Workflow run not found"})


def test_runs_are_listed_by_page_and_filter(serve):
    with serve() as server:
        path = "/api/workflows/pureWorkflow"
        for index in range(5):
            body = {"inputData": {"n": index}, "resourceId": f"r{index % 2}"}
            server.http.post(f"{path}/start-async?runId=run-{index}", json=body)
        server.http.post(f"{path}/create-run?runId=waiting")

        def list_runs(query):
            told = server.http.get(f"{path}/runs?{query}").json()
            return told["total"], len(told["runs"])

        assert list_runs("") == (6, 6)
        assert list_runs("page=1&perPage=4") == (6, 2)
        assert list_runs("limit=2&offset=5") == (6, 1)
        assert list_runs("status=pending") == (1, 1)
        assert list_runs("resourceId=r1") == (2, 2)
        assert list_runs("fromDate=2999-01-01") == (0, 0)
        assert list_runs("toDate=2999-01-01T00:00:00Z") == (6, 6)
        assert server.http.get(f"{path}/runs?page=x&perPage=1").status_code == 400


def test_time_of_a_long_text_is_linear():
    """Each piece of a text is added in constant time, because runs share one event loop."""
    transcript = Transcript("agent", AgentInput())
    started = time.process_time()
    for _ in range(200_000):
        transcript.add(TextDelta(text="piece "))
        transcript.add(ReasoningDelta(text="piece "))
    assert transcript.turn.text == transcript.turn.reasoning == "piece " * 200_000
    assert time.process_time() - started < 5  # seconds; appending to a string takes a minute
