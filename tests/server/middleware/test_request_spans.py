"""Test the spans that a real OTLP receiver gets."""

import json
import os
import subprocess
import sys

import pytest

from tests.otlp_collector import read_attributes, run_collector
from tests.repository import ROOT

SERVER = """
import json, sys
from tests.server.conftest import run_server
from tests.server.sample_app import create_sample
from mastra_core import Telemetry
from mastra_server import create_app

telemetry = Telemetry(service_name="under-test", export={"type": "otlp", "endpoint": sys.argv[1]})
parent = {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"}
with run_server(create_app(create_sample(telemetry=telemetry))) as server:
    http = server.http
    http.get("/health")
    answers = [
        http.post("/api/agents/echoAgent/generate", json={"messages": "x"}, headers=parent),
        http.post("/api/agents/echoAgent/stream", json={"messages": "x"}, headers=parent),
        http.post("/api/workflows/pureWorkflow/start-async", json={"inputData": {"n": 1}}),
        http.post("/api/agents/boom/generate", json={"messages": "x"}),
        http.get("/nope"),
    ]
print(json.dumps([answer.text for answer in answers]))
"""


@pytest.fixture(scope="module")
def exported():
    """Return the output of the server's process and every exported span."""
    with run_collector() as collector:
        done = subprocess.run(
            [sys.executable, "-c", SERVER, collector.url],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), [span for _, span in collector.spans]


def test_spans_of_an_agent_run(exported):
    _, spans = exported
    ours = [span for span in spans if span.trace_id == bytes.fromhex("a" * 32)]
    requests = [span for span in ours if span.parent_span_id == bytes.fromhex("b" * 16)]
    assert [span.name for span in requests] == [
        "POST /api/agents/{agent_id}/generate",
        "POST /api/agents/{agent_id}/stream",
    ]
    agents = [span for span in ours if span.name == "invoke_agent Echo Agent"]
    assert [span.parent_span_id for span in agents] == [span.span_id for span in requests]
    assert read_attributes(agents[0])["gen_ai.operation.name"] == "invoke_agent"
    told = read_attributes(requests[0])
    assert told["http.request.method"] == "POST"
    assert told["url.path"] == "/api/agents/echoAgent/generate"
    assert told["http.response.status_code"] == 200


def test_trace_id_in_the_response(exported):
    (generated, _, run, *_), spans = exported
    answer = json.loads(generated)
    assert answer["traceId"] == "a" * 32
    assert bytes.fromhex(answer["spanId"]) in [span.span_id for span in spans]
    assert len(json.loads(run)["traceId"]) == 32


def test_spans_of_requests(exported):
    _, spans = exported
    requests = {span.name: span for span in spans if "http.request.method" in read_attributes(span)}
    assert "GET" in requests  # nothing routed it, so it has no template
    assert not [name for name in requests if "health" in name]
    failed = [
        span
        for span in spans
        if read_attributes(span).get("url.path") == "/api/agents/boom/generate"
    ]
    assert failed[0].status.code == 2
    steps = [span.name for span in spans if span.name.startswith("workflow_step")]
    assert steps == ["workflow_step double", "workflow_step inc"]


FREEZING = """
import sys, time
from tests.server.conftest import run_server
from tests.server.sample_app import create_sample
from mastra_core import Telemetry
from mastra_core.telemetry import get_export_counts
from mastra_server import create_app

telemetry = Telemetry(export={"type": "otlp", "endpoint": sys.argv[1]})
with run_server(create_app(create_sample(telemetry=telemetry))) as server:
    assert server.http.get("/api/agents").status_code == 200  # a collector may not have responded
    time.sleep(1.5)
    print(get_export_counts().exported)
"""


@pytest.mark.parametrize(("delay", "exported"), [(0, "1"), (30, "0")], ids=["fine", "hanging"])
def test_spans_are_sent_before_the_platform_freezes_the_process(delay, exported):
    with run_collector(delay=delay) as collector:
        done = subprocess.run(
            [sys.executable, "-c", FREEZING, collector.url],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "AWS_LAMBDA_FUNCTION_NAME": "shop",
                "OTEL_BSP_SCHEDULE_DELAY": "60000",
            },
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == exported
