"""Test that each framework's runs have the same spans, and never twice."""

import json
import os
import subprocess
import sys

import pytest

from tests.repository import ROOT

pytestmark = pytest.mark.slow

SCRIPT = """
import json, sys
from mastra_core.agents import as_agent
from mastra_core.agents.telemetry.agent_span import stream_traced
from mastra_core.telemetry import add_listener
from tests.core.agents.adapters import frameworks
from tests.core.scripted_model import build_input

class Listener:
    def __init__(self):
        self.spans = []
    def on_start(self, span):
        pass
    def on_annotate(self, span, attributes):
        pass
    def on_end(self, span):
        self.spans.append(span)

def list_spans(agent, words):
    listener.spans.clear()
    async def read():
        return [event async for event in stream_traced(as_agent(agent), build_input(words))]
    frameworks.run(read())
    names = {span.context.span_id: span.name for span in listener.spans}
    return [
        {
            "name": span.name,
            "parent": names.get(span.parent.span_id) if span.parent else None,
            "kind": span.kind.name,
            "status": span.status.status_code.name,
            "seconds": (span.end_time - span.start_time) / 1e9,
            "attributes": dict(span.attributes),
        }
        for span in listener.spans
    ]

listener = Listener()
add_listener(listener)
url, found = sys.argv[1], {}
for name in ("built_in", "pydantic_ai", "openai_agents", "langgraph"):
    build = getattr(frameworks, f"build_{name}")
    found[name] = list_spans(build(url), "weather")
    found[f"{name} fails"] = list_spans(build(url), "out of order")

import agents, pydantic_ai
from agents.tracing import add_trace_processor
from agents.tracing.processor_interface import TracingProcessor

class Processor(TracingProcessor):  # as logfire's
    def on_trace_start(self, trace): pass
    def on_trace_end(self, trace): pass
    def on_span_start(self, span): pass
    def on_span_end(self, span): pass
    def shutdown(self): pass
    def force_flush(self): pass

add_trace_processor(Processor())
found["openai_agents instrumented"] = list_spans(frameworks.build_openai_agents(url), "weather")
instrumented = frameworks.build_pydantic_ai(url)
instrumented.instrument = True
found["pydantic_ai instrumented"] = list_spans(instrumented, "weather")
sys.modules["openinference.instrumentation.langchain"] = sys
found["langgraph instrumented"] = list_spans(frameworks.build_langgraph(url), "weather")
print(json.dumps(found))
"""

FRAMEWORKS = ("built_in", "pydantic_ai", "openai_agents", "langgraph")


@pytest.fixture(scope="module")
def found(server):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, server],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_AGENTS_DISABLE_TRACING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_model_calls_and_tools(found, framework):
    spans = found[framework]
    names = sorted(span["name"].split()[0] for span in spans)
    assert names == ["chat", "chat", "execute_tool", "invoke_agent"]
    (agent,) = [span for span in spans if span["name"] == "invoke_agent helper"]
    assert {span["parent"] for span in spans if span is not agent} == {"invoke_agent helper"}
    (tool,) = [span for span in spans if span["name"] == "execute_tool forecast"]
    assert tool["attributes"]["gen_ai.tool.name"] == "forecast"
    assert tool["attributes"]["gen_ai.tool.call.id"]
    for chat in (span for span in spans if span["name"].startswith("chat")):
        attributes = chat["attributes"]
        assert (chat["kind"], chat["status"]) == ("CLIENT", "UNSET")
        assert attributes["gen_ai.operation.name"] == "chat"
        assert attributes["gen_ai.response.finish_reasons"]
        assert attributes["gen_ai.usage.output_tokens"] >= 0
        assert 0 <= attributes["gen_ai.response.time_to_first_chunk"] <= chat["seconds"] + 0.01
        if framework != "langgraph":  # a graph does not name its models
            assert attributes["gen_ai.request.model"] == "gpt-4o"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_failed_model_call(found, framework):
    spans = {span["name"].split()[0]: span for span in found[f"{framework} fails"]}
    assert set(spans) == {"chat", "invoke_agent"}
    assert {span["status"] for span in spans.values()} == {"ERROR"}
    assert spans["chat"]["attributes"]["error.type"]


@pytest.mark.parametrize("framework", FRAMEWORKS[1:])
def test_no_second_span_beside_an_instrumentation(found, framework):
    spans = found[f"{framework} instrumented"]
    tools = [span for span in spans if "forecast" in span["name"]]
    assert len(tools) == (framework == "pydantic_ai")
    chats = [span for span in spans if span["name"].startswith("chat")]
    assert len(chats) == (2 if framework == "pydantic_ai" else 0)
