"""Test the metrics of requests, agents, tools, workflows and processes."""

import asyncio
import time

import pytest

from mastra_core import Agent, Mastra, StepContext, Workflow, step, tool
from mastra_core.metrics import METRICS, add_recorder, record, remove_recorder
from mastra_core.metrics.definitions import TOOL_CALL_DURATION
from mastra_server import ApiKeys


def test_metrics(serve):
    with serve(
        server={"metrics": True, "auth": ApiKeys({"a": "k"}), "public": ["/metrics"]}
    ) as server:
        key = {"authorization": "Bearer k"}
        for path in ("/api/agents/echoAgent", "/api/agents/nope", "/nope", "/health"):
            server.http.get(path, headers=key)
        server.http.get("/api/agents/echoAgent")
        server.http.post("/api/agents/echoAgent/stream", json={"messages": "x"}, headers=key)
        told = server.http.get("/metrics")
        until = time.monotonic() + 5
        while "requests 0.0" not in told.text and time.monotonic() < until:
            told = server.http.get("/metrics")  # a stream is counted after its last byte
    assert told.headers["content-type"].startswith("text/plain; version=")
    count = "http_server_request_duration_seconds_count"
    agent = 'method="GET",route="/api/agents/{agent_id}"'
    for status in (200, 401, 404):
        assert f'{count}{{{agent},status="{status}"}} 1.0' in told.text
    assert f'{count}{{method="GET",route="none",status="404"}} 1.0' in told.text
    assert 'route="/api/agents/{agent_id}/stream",status="200"' in told.text
    assert "http_server_active_requests 0.0" in told.text
    assert "/health" not in told.text


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def fail(a: int) -> int:
    """Fail."""
    raise ValueError("no")


@step
def double(number: int) -> int:
    if number < 0:
        raise ValueError("negative")
    return 2 * number


@step
async def hold(number: int) -> int:
    await asyncio.sleep(number)
    return number


@step(resume=bool)
def ask(number: int, context: StepContext) -> int:
    if context.resume_data is None:
        context.suspend()
    return number


@pytest.fixture(scope="module")
def scraped(serve):
    """Serve agents and workflows, run some; return the server and what reads its metrics."""
    mastra = Mastra(
        agents={"clerk": Agent(name="clerk", model="test", tools=[add, fail])},
        workflows={
            "double": Workflow("double", input=int).then(double),
            "hold": Workflow("hold", input=int).then(hold),
            "ask": Workflow("ask", input=int).then(ask),
        },
        logger=False,
        server={"metrics": True},
    )
    with serve(mastra) as server:
        for kind in ("generate", "stream"):
            answer = server.http.post(f"/api/agents/clerk/{kind}", json={"messages": "hi"})
            assert answer.status_code == 200, answer.text
        for name, number in (("double", 1), ("double", -1), ("ask", 1)):
            path = f"/api/workflows/{name}/start-async?runId=r{number}"
            server.http.post(path, json={"inputData": number})
        yield server, lambda: read_samples(server.http.get("/metrics").text)


def read_samples(text):
    pairs = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs}


def test_runs_of_agents(scraped):
    found = scraped[1]()
    runs = "mastra_agent_run_duration_seconds_count"
    assert found[f'{runs}{{agent="clerk",outcome="ok"}}'] == 2
    calls = "gen_ai_client_operation_duration_seconds_count"
    assert found[f'{calls}{{agent="clerk",model="test",outcome="ok"}}'] == 4
    tools = "mastra_tool_call_duration_seconds_count"
    assert found[f'{tools}{{agent="clerk",outcome="ok",tool="add"}}'] == 2
    assert found[f'{tools}{{agent="clerk",outcome="failed",tool="fail"}}'] == 2
    assert found['mastra_model_tokens_total{agent="clerk",model="test",type="input"}'] > 100
    assert found['mastra_model_tokens_total{agent="clerk",model="test",type="output"}'] > 4
    chunks = "gen_ai_client_operation_time_to_first_chunk_seconds_count"
    assert found[f'{chunks}{{agent="clerk",model="test"}}'] >= 1


def test_runs_of_workflows(scraped):
    server, read = scraped
    runs = "mastra_workflow_run_duration_seconds_count"
    found = read()
    for workflow, outcome in (("double", "success"), ("double", "failed"), ("ask", "suspended")):
        assert found[f'{runs}{{outcome="{outcome}",workflow="{workflow}"}}'] == 1
    assert found['mastra_workflow_active_runs{workflow="ask"}'] == 0
    assert found["mastra_workflow_oldest_run_start_time_seconds"] == float("inf")
    before = time.time()
    server.http.post("/api/workflows/hold/create-run?runId=h1")
    answer = server.http.post("/api/workflows/hold/start?runId=h1", json={"inputData": 60})
    assert answer.status_code == 200, answer.text
    found = read()
    assert found['mastra_workflow_active_runs{workflow="hold"}'] == 1
    assert before - 1 < found["mastra_workflow_oldest_run_start_time_seconds"] < time.time() + 1
    server.http.post("/api/workflows/hold/runs/h1/cancel")
    server.http.post("/api/workflows/ask/resume-async?runId=r1", json={"resumeData": True})
    found = read()
    assert found['mastra_workflow_active_runs{workflow="hold"}'] == 0
    assert found[f'{runs}{{outcome="canceled",workflow="hold"}}'] == 1
    assert found[f'{runs}{{outcome="success",workflow="ask"}}'] == 1


def test_the_process_and_every_metric_without_labels(scraped):
    found = scraped[1]()
    assert found["process_resident_memory_bytes"] > 10_000_000
    assert found["process_cpu_seconds_total"] > 0
    for metric in METRICS:
        if not metric.labels and metric.kind != "duration":
            assert metric.prometheus_name in found


def test_label_values_are_limited(scraped):
    """A caller invents methods, and a model invents tools: neither grows the metrics."""
    server, read = scraped
    for method in ("PURGE", "MKCOL", "PROPFIND"):
        server.http.request(method, "/api/agents")
    for number in range(500):
        record(TOOL_CALL_DURATION, 0.1, "clerk", f"tool-{number}", "ok")
    found = read()
    assert not any("PURGE" in name for name in found)
    assert any('method="other"' in name for name in found)
    tools = [name for name in found if name.startswith("mastra_tool_call_duration_seconds_count")]
    assert len(tools) <= 103 and any('tool="other"' in name for name in tools)


def test_nothing_is_measured_without_a_recorder():
    class Recorder:
        def __init__(self):
            self.values = []

        def record(self, metric, value, labels):
            self.values.append((metric.name, value, labels))

    recorder = Recorder()
    record(TOOL_CALL_DURATION, 1, "clerk", "add", "ok")
    add_recorder(recorder)
    record(TOOL_CALL_DURATION, 2, "clerk", "add", "ok")
    remove_recorder(recorder)
    record(TOOL_CALL_DURATION, 3, "clerk", "add", "ok")
    assert recorder.values == [("mastra.tool.call.duration", 2, ("clerk", "add", "ok"))]
