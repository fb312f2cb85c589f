"""Test that the SDKs of logfire and Langfuse read our spans."""

import json
import os
import subprocess
import sys

import pytest
import uv

pytestmark = pytest.mark.slow  # installs the two SDKs and imports them in a process

# They stay out of the environment of the tests, because logfire is a plugin of pydantic and pytest.
PACKAGES = ("langfuse==5.0.4", "logfire==5.4.0", "logfire-sdk==5.4.0",
            "backoff", "executing", "opentelemetry-instrumentation")  # fmt: skip
SCRIPT = """
import asyncio, gzip, http.server, json, threading
import logfire
from langfuse import Langfuse
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_ai.models.test import TestModel
from mastra_core import Agent, Telemetry, tool
from mastra_core.telemetry import start_span

class Collector(http.server.BaseHTTPRequestHandler):
    names = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path.endswith("/v1/traces"):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    self.names.extend(span.name for span in scope.spans)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
exporter = InMemorySpanExporter()
logfire.configure(send_to_logfire=False, console=False,
                  additional_span_processors=[SimpleSpanProcessor(exporter)])
langfuse = Langfuse(public_key="pk", secret_key="sk", tracer_provider=trace.get_tracer_provider(),
                    base_url=f"http://127.0.0.1:{server.server_port}")

@tool
def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b

telemetry = Telemetry(record_content=True, export=InMemorySpanExporter())
telemetry.start()
with start_span("look up", {"api_key": "k-123456"}):
    asyncio.run(Agent(name="helper", model=TestModel(), tools=[add]).generate("hi"))
telemetry.stop()
langfuse.flush()
spans = [[span.name, dict(span.attributes)] for span in exporter.get_finished_spans()]
print(json.dumps({"logfire": spans, "langfuse": Collector.names}))
"""
NAMES = ["chat test", "execute_tool add", "chat test"]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The spans of an agent, as the processors of logfire pass them on, and as Langfuse exports."""
    target = tmp_path_factory.mktemp("readers")
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--python"]
    run([*command, sys.executable, "--target", target, *PACKAGES])
    printed = run([sys.executable, "-c", SCRIPT], PYTHONPATH=str(target), LANGFUSE_DEBUG="false")
    return json.loads(printed.splitlines()[-1])


def run(command, **environment):
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_langfuse_exports_the_spans_of_agents(reports):
    assert reports["langfuse"] == NAMES  # its filter leaves out spans without a model


def test_logfire_reads_the_spans_of_agents(reports):
    assert [name for name, _ in reports["logfire"]] == [*NAMES, "look up"]
    chat = reports["logfire"][0][1]
    assert (chat["logfire.span_type"], chat["logfire.msg"]) == ("span", "chat test")
    assert chat["gen_ai.response.model"] == "test"
    assert json.loads(chat["gen_ai.input.messages"])[0]["parts"][0]["content"] == "hi"


def test_logfire_scrubs_the_credentials_in_spans(reports):
    own = reports["logfire"][-1][1]
    assert own["api_key"] == "[Scrubbed due to 'api_key']"
