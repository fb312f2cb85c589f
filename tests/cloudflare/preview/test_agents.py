"""Agents, workflows and memory in a Worker: built-in agents call a model through fetch."""

import http.server
import json
import threading
import time
import uuid
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.cloudflare.worker_preview import bundle_once, link_wrangler, run_preview

pytestmark = pytest.mark.slow

_APP = Path(__file__).parents[1] / "agents_app.py"
_CONFIG = """
[tool.mastra.env]
required = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY"]
optional = ["ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"]

[tool.mastra.targets.cloudflare]
project_name = "shop"
preload = false
d1 = { DB = "threads" }
crons = ["* * * * *"]
kv = { CACHE = "cache" }
r2 = { FILES = "files" }
queues = { JOBS = "jobs" }
"""
_WORDS = ["The ", "sum ", "is ", "5."]


class _Model(http.server.BaseHTTPRequestHandler):
    """A model in the formats of OpenAI and Anthropic, which sends a word every 0.2 seconds."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = self.headers["authorization"] or self.headers["x-api-key"]
        self.server.seen.append((key, self.path, body["messages"]))
        last = body["messages"][-1]
        if "slowly" in str(last):
            time.sleep(6)
        if not body.get("stream"):
            return self.send_whole(last)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if "for ever" in str(last):
            self.send_until_closed()
            return None
        if self.path.endswith("/messages"):
            self.send_message()
        else:
            self.send_completion()
        return self.write_chunk(b"")

    def send_until_closed(self):
        try:
            while True:
                self.send_event(self.build_chunk({"content": "on "}))
                time.sleep(0.05)
        except ConnectionError:
            self.server.left.append(self.path)

    def send_completion(self):
        for word in _WORDS:
            self.send_event(self.build_chunk({"content": word}))
            time.sleep(0.2)
        self.send_event(self.build_chunk({}, "stop"))
        self.write_chunk(b"data: [DONE]\n\n")

    def send_message(self):
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": usage,
        }  # fmt: skip
        block = {"index": 0, "content_block": {"type": "text", "text": ""}}
        self.send_named("message_start", message=message)
        self.send_named("content_block_start", **block)
        for word in _WORDS:
            delta = {"type": "text_delta", "text": word}
            self.send_named("content_block_delta", index=0, delta=delta)
            time.sleep(0.2)
        self.send_named("content_block_stop", index=0)
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        self.send_named("message_delta", delta=delta, usage=usage)
        self.send_named("message_stop")

    def send_named(self, name, **fields):
        event = json.dumps({"type": name, **fields})
        self.write_chunk(f"event: {name}\ndata: {event}\n\n".encode())

    def send_whole(self, last):
        message = {"role": "assistant", "content": "".join(_WORDS)}
        if last["role"] == "user" and "pay" in str(last["content"]):
            function = {"name": "pay", "arguments": '{"amount": 3}'}
            call = {"id": "call-1", "type": "function", "function": function}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
        reason = "tool_calls" if "tool_calls" in message else "stop"
        choice = {"index": 0, "message": message, "finish_reason": reason}
        answer = {
            "id": "1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [choice],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }  # fmt: skip
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def build_chunk(self, delta, reason=None):
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        facts = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return {**facts, "choices": [choice]}

    def send_event(self, event):
        self.write_chunk(f"data: {json.dumps(event)}\n\n".encode())

    def write_chunk(self, content):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def model():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Model) as server:
        server.daemon_threads, server.seen, server.left = True, [], []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def agents_bundle(pyodide, tmp_path_factory):
    """A bundle of `agents_app.py`, whose project has wrangler from npm."""
    files = {"src/mastra/index.py": _APP.read_text()}
    dependencies = ("mastra-core[agents,telemetry]", "openai", "anthropic")
    bundle = bundle_once(tmp_path_factory, "agents", files, _CONFIG, dependencies=dependencies)
    link_wrangler(bundle)
    return bundle


class _Collector(http.server.BaseHTTPRequestHandler):
    """A collector that decodes spans with OpenTelemetry's own messages."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        request = ExportTraceServiceRequest.FromString(body)
        for resource_spans in request.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                self.server.spans.extend(scope_spans.spans)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def collector():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as server:
        server.daemon_threads, server.spans = True, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def open_preview(agents_bundle, model, collector):
    address = f"http://127.0.0.1:{model.server_address[1]}"
    variables = {
        "ANTHROPIC_API_KEY": "key-4712",
        "ANTHROPIC_BASE_URL": address,
        "OPENAI_API_KEY": "key-4711",
        "OPENAI_BASE_URL": f"{address}/v1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_address[1]}",
    }
    return lambda: run_preview(agents_bundle, **variables)


@pytest.fixture(scope="module")
def client(open_preview):
    with open_preview() as preview:
        yield preview.client


@pytest.fixture(scope="module")
def other(open_preview, client):
    """Another isolate, in a process of its own."""
    with open_preview() as preview:
        yield preview


def parse_chunks(text):
    lines = [
        line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")
    ]
    return [json.loads(line) for line in lines]


def test_a_model_is_called_through_fetch(client, model):
    body = {"messages": "2 and 3"}
    assert client.post("/api/agents/helper/generate", json=body).json()["text"] == "The sum is 5."
    authorization, path, _ = model.seen[-1]
    assert (authorization, path) == ("Bearer key-4711", "/v1/chat/completions")


@pytest.mark.parametrize(("agent", "key"), [("helper", "key-4711"), ("claude", "key-4712")])
def test_words_of_a_model_arrive_one_by_one(client, model, agent, key):
    request = {"json": {"messages": "2 and 3"}}
    for _ in range(2):  # the first call imports the SDK of the model
        with client.stream("POST", f"/api/agents/{agent}/stream", **request) as response:
            lines = response.iter_lines()
            times = [time.monotonic() for line in lines if '"text-delta"' in line]
    assert len(times) == 4 and times[-1] - times[0] > 0.3
    assert model.seen[-1][0].removeprefix("Bearer ") == key


def test_a_model_may_think_longer_than_a_connection_takes(client):
    """The SDKs of models allow 5 seconds for connecting, and minutes for the answer."""
    body = {"messages": "2 and 3, slowly"}
    assert client.post("/api/agents/helper/generate", json=body).json()["text"] == "The sum is 5."


def test_a_model_stops_when_its_thread_is_aborted(client, model):
    thread = str(uuid.uuid4())
    body = {"messages": "talk for ever", "memory": {"thread": thread, "resource": "ada"}}
    with client.stream("POST", "/api/agents/helper/stream", json=body) as response:
        lines = response.iter_lines()
        assert any('"text-delta"' in line for line in lines)
        assert model.left == []
        client.post(
            "/api/agents/helper/threads/abort", json={"threadId": thread, "resourceId": "ada"}
        )
        assert list(lines)
    until = time.monotonic() + 20
    while not model.left and time.monotonic() < until:
        time.sleep(0.05)
    assert len(model.left) == 1


def test_an_app_uses_the_bindings_of_its_settings(client):
    assert client.get("/bindings").json() == {"kv": "green", "r2": "hello"}


def test_a_workflow_runs_within_its_request(client):
    result = client.post("/api/workflows/sum/start-async", json={"inputData": 20}).json()
    assert (result["status"], result["result"]) == ("success", 41)


def test_another_request_observes_a_run_whose_client_has_left(client):
    run_id = str(uuid.uuid4())
    body = {"messages": "x", "runId": run_id}
    with client.stream("POST", "/api/agents/ticking/stream", json=body) as response:
        for line in response.iter_lines():
            if '"text-delta"' in line:
                break
    observed = client.post("/api/agents/ticking/observe", json={"runId": run_id}).text
    words = [
        chunk["payload"]["text"]
        for chunk in parse_chunks(observed)
        if chunk["type"] == "text-delta"
    ]
    assert words == [f"x-{number} " for number in range(50)]


def test_another_request_aborts_a_thread(client):
    thread, before = str(uuid.uuid4()), len(get_ended(client))
    memory = {"thread": thread, "resource": "ada"}
    body = {"messages": "x", "memory": memory}
    with client.stream("POST", "/api/agents/ticking/stream", json=body) as response:
        lines = response.iter_lines()
        assert any('"text-delta"' in line for line in lines)
        aborted = client.post(
            "/api/agents/ticking/threads/abort", json={"threadId": thread, "resourceId": "ada"}
        )
        assert aborted.json() == {"aborted": True}
        started = time.monotonic()
        assert not [line for line in lines if "x-49" in line]
    assert time.monotonic() - started < 3
    assert get_ended(client)[before:] == ["cancelled"]


def get_ended(client):
    return client.post("/api/tools/ended/execute", json={"data": {}}).json()


def start_payment(client):
    """Start a run that waits for an approval, and return the body that approves its call."""
    waiting = client.post("/api/agents/helper/generate", json={"messages": "pay 3"}).json()
    assert waiting["finishReason"] == "suspended"
    return {"runId": waiting["runId"], "toolCallId": waiting["suspendPayload"]["toolCallId"]}


def test_another_request_approves_a_call_once(client):
    approval = start_payment(client)
    path = "/api/agents/helper/approve-tool-call-generate"
    result = client.post(path, json=approval).json()
    (payload,) = [item["payload"] for item in result["toolResults"]]
    assert (payload["toolName"], payload["result"]) == ("pay", "paid 3")
    assert result["text"] == "The sum is 5."
    assert client.post(path, json=approval).status_code == 404


def test_spans_are_sent_after_the_response(client, collector):
    collector.spans.clear()
    client.post("/api/agents/helper/generate", json={"messages": "2 and 3"})
    until = time.monotonic() + 20
    while time.monotonic() < until and not find_span(collector, "invoke_agent helper"):
        time.sleep(0.05)
    (run,) = find_span(collector, "invoke_agent helper")
    (call,) = [span for span in collector.spans if span.parent_span_id == run.span_id]
    (request,) = [span for span in collector.spans if span.span_id == run.parent_span_id]
    assert request.name == "POST /api/agents/{agent_id}/generate"
    assert call.name.startswith("chat ")
    assert len({span.trace_id for span in (run, call, request)}) == 1


def find_span(collector, name):
    return [span for span in collector.spans if span.name == name]


def test_memory_outlives_the_isolate(client, other):
    """Another process reads what the first one wrote."""
    approval = start_payment(client)
    memory = {"thread": "t1", "resource": "ada"}
    body = {"messages": "my name is Ada", "memory": memory}
    assert client.post("/api/agents/helper/generate", json=body).status_code == 200
    query = {"resourceId": "ada", "agentId": "helper"}
    messages = other.client.get("/api/memory/threads/t1/messages", params=query).json()
    path = "/api/agents/helper/approve-tool-call-generate"
    approved = other.client.post(path, json=approval).json()
    assert [item["role"] for item in messages["messages"]] == ["user", "assistant"]
    assert "my name is Ada" in json.dumps(messages)
    assert approved["toolResults"][0]["payload"]["result"] == "paid 3"


def test_another_isolate_continues_a_response(client, other):
    path, body = "/api/v1/responses", {"model": "helper", "store": True}
    first = client.post(path, json={**body, "input": "my name is Ada"}).json()
    follow_up = {**body, "input": "and now?", "previous_response_id": first["id"]}
    second = other.client.post(path, json=follow_up).json()
    assert second["status"] == "completed", second
    assert second["conversation_id"] == first["conversation_id"]
    assert client.get(f"{path}/{second['id']}").json() == second


def send_run(client, workflow, action, run_id, **body):
    path = f"/api/workflows/{workflow}/{action}"
    response = client.post(path, params={"runId": run_id}, json=body)
    assert response.is_success, response.text
    return response


def read_run(client, workflow, run_id):
    return client.get(f"/api/workflows/{workflow}/runs/{run_id}").json()


def test_a_workflow_run_is_resumed_by_another_isolate(client, other):
    run_id = str(uuid.uuid4())
    started = send_run(client, "order", "start-async", run_id, inputData=2).json()
    assert started["status"] == "suspended"
    assert read_run(other.client, "order", run_id)["status"] == "suspended"
    observed = send_run(other.client, "order", "observe", run_id).text
    assert '"workflow-step-suspended"' in observed
    resumed = send_run(other.client, "order", "resume-async", run_id, resumeData=True).json()
    assert (resumed["status"], resumed["result"]) == ("success", "4 approved")
    assert read_run(client, "order", run_id)["result"] == "4 approved"


def test_a_workflow_run_is_observed_and_canceled_by_another_isolate(client, other):
    run_id = str(uuid.uuid4())
    send_run(client, "idle", "create-run", run_id)
    send_run(client, "idle", "start", run_id, inputData=2)
    path = f"/api/workflows/idle/observe?runId={run_id}"
    with other.client.stream("POST", path) as response:
        lines = response.iter_lines()
        assert any("workflow-step-start" in line for line in lines)
        assert send_run(other.client, "idle", f"runs/{run_id}/cancel", run_id)
        assert "canceled" in "".join(lines)
    assert read_run(client, "idle", run_id)["status"] == "canceled"


def test_a_cron_trigger_continues_runs(client, other):
    """A run that sleeps belongs to nobody, until a trigger or a request finds it due."""
    run_id = str(uuid.uuid4())
    send_run(client, "pause", "create-run", run_id)
    send_run(client, "pause", "start", run_id, inputData=2)
    until = time.monotonic() + 20
    while (run := read_run(client, "pause", run_id))["status"] != "success":
        assert time.monotonic() < until
        assert other.client.get("/cdn-cgi/handler/scheduled").text == "ok", other.output
    assert run["result"] == 4


def test_a_run_of_a_killed_isolate_is_taken_up(client, other):
    """The last test of the module: it kills the other isolate within a step."""
    run_id = str(uuid.uuid4())
    send_run(other.client, "idle", "create-run", run_id)
    send_run(other.client, "idle", "start", run_id, inputData=2)
    other.process.kill()
    other.process.wait()
    until = time.monotonic() + 20
    while run_id not in find_running(client):
        assert time.monotonic() < until
        assert read_run(client, "idle", run_id)["status"] == "running"
    send_run(client, "idle", f"runs/{run_id}/cancel", run_id)


def find_running(client):
    return client.post("/api/tools/started/execute", json={"data": {}}).json()
