"""Test the whole trees of spans that a real OTLP receiver gets from a server."""

import json
import os
import subprocess
import sys

import pytest

from tests.otlp_collector import read_attributes, run_collector
from tests.repository import ROOT

SERVER = """
import asyncio, json, os, sys
import httpx
from opentelemetry import baggage, trace
from mastra_core import Agent, Mastra, Memory, SqliteStorage, Workflow, step, tool
from mastra_server import create_app
from tests.core.scripted_model import Script, call
from tests.server.conftest import run_server

@tool
def look_up(city: str) -> str:
    "Look up a city."
    return f"{city}: sunny"

@tool
async def count(n: int) -> int:
    "Count."
    return n

@tool(requires_approval=True)
def pay(amount: int) -> str:
    "Pay."
    span = trace.get_current_span()
    span.set_attributes({f"baggage.{key}": each for key, each in baggage.get_all().items()})
    return f"paid {amount}"

@step
async def one(n: int) -> int:
    return n + 1

@step
async def two(n: int) -> int:
    return n + 2

@step
async def join(values: dict) -> int:
    return values["one"] + values["two"]

@step(resume=int)
async def wait(n: int, context) -> int:
    if context.resume_data is None:
        context.suspend({"n": n})
    return n + context.resume_data

script = Script(
    [
        call("look_up", {"city": "Oslo"}, "call-look_up"), call("count", {"n": 3}, "call-count", 1)
    ],
    ["It is ", "sunny."]
) if sys.argv[1] == "first" else Script(["thanks"])
payer = Script([call("pay", {"amount": 3}, "call-pay")]) if sys.argv[1] == "first" else Script(["paid"])
storage = SqliteStorage(sys.argv[2])
mastra = Mastra(
    agents={
        "guide": Agent(
            name="Guide", model=script.model, instructions="secret-plan", tools=[look_up, count],
            memory=Memory(),
        ),
        "payer": Agent(name="Payer", model=payer.model, instructions="", tools=[pay]),
    },
    workflows={"flow": Workflow("flow").parallel(one, two).then(join).then(wait)},
    storage=storage,
    logger=False,
    telemetry=TELEMETRY,
)
parent = {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-00"}
REQUESTS
"""

FIRST = """
with run_server(create_app(mastra)) as server:
    http = server.http
    body = {"messages": "What is it like?", "threadId": "t1", "resourceId": "r1"}
    answers = [http.post("/api/agents/guide/generate", json=body, headers=parent)]
    run = http.post("/api/workflows/flow/create-run").json()["runId"]
    path = f"/api/workflows/flow/{{}}?runId={run}"
    answers.append(http.post(path.format("start-async"), json={"inputData": 1}))
    answers.append(http.post(path.format("resume-async"), json={"step": "wait", "resumeData": 5}))
    body = {"messages": "Pay.", "runId": "run-7"}
    first = {"baggage": "customer=c7,shop=north"}
    answers.append(http.post("/api/agents/payer/generate", json=body, headers=first))
for answer in answers:
    assert answer.status_code == 200, answer.text
"""

SECOND = """
with run_server(create_app(mastra)) as server:
    body = {"runId": "run-7", "toolCallId": "call-pay"}
    answer = server.http.post(
        "/api/agents/payer/approve-tool-call-generate", json=body, headers={"baggage": "shop=south"}
    )
assert answer.status_code == 200, answer.text
"""

BY_CODE = """{
    "service_name": "shop",
    "sampling": {"type": "always_on"},
    "export": {"type": "otlp", "endpoint": os.environ["URL"], "headers": {"x-api-key": "k-1"}},
}"""


def run_app(process, requests, telemetry, database, url, **variables):
    script = SERVER.replace("TELEMETRY", telemetry).replace("REQUESTS", requests)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, process, database],
        env={**os.environ, "PYTHONPATH": str(ROOT), "URL": url, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def read_tree(spans):
    """Return the names of the spans with those of their parents, in order of their starts."""
    names = {span.span_id: span.name for span in spans}
    ordered = sorted(spans, key=lambda span: span.start_time_unix_nano)
    return [(span.name, names.get(span.parent_span_id, "")) for span in ordered]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Every span of two processes, and the headers of the exports."""
    database = str(tmp_path_factory.mktemp("traces") / "app.db")
    with run_collector() as collector:
        run_app("first", FIRST, BY_CODE, database, collector.url)
        run_app("second", SECOND, BY_CODE, database, collector.url)
        return collector


@pytest.fixture(scope="module")
def spans(exported):
    return [span for _, span in exported.spans]


def find(spans, name):
    return [span for span in spans if span.name == name]


def test_resource_and_headers(exported):
    assert {resource["service.name"] for resource, _ in exported.spans} == {"shop"}
    for path, headers, _ in exported.requests:
        assert (path, headers["x-api-key"]) == ("/v1/traces", "k-1")


def test_tree_of_an_agent_with_tools_and_memory(spans):
    ours = [span for span in spans if span.trace_id == bytes.fromhex("a" * 32)]
    tree = read_tree([span for span in ours if "app.db" not in span.name])
    request, agent = "POST /api/agents/{agent_id}/generate", "invoke_agent Guide"
    assert sorted(tree) == sorted(
        [
            (request, ""),
            (agent, request),
            ("memory recall", agent),
            ("chat function:generate:stream", agent),
            ("execute_tool look_up", agent),
            ("execute_tool count", agent),
            ("chat function:generate:stream", agent),
            ("memory save", agent),
        ]
    )
    (server,) = find(ours, request)
    assert (server.kind, server.parent_span_id) == (2, bytes.fromhex("b" * 16))
    attributes = read_attributes(server)
    assert attributes["http.request.method"] == "POST"
    assert attributes["http.route"] == "/api/agents/{agent_id}/generate"
    assert attributes["http.response.status_code"] == 200
    assert attributes["url.scheme"] == "http"
    assert attributes["server.address"] == "127.0.0.1"


def test_attributes_of_model_calls_and_tools(spans):
    ours = [span for span in spans if span.trace_id == bytes.fromhex("a" * 32)]
    (agent,) = find(ours, "invoke_agent Guide")
    attributes = read_attributes(agent)
    assert attributes["gen_ai.operation.name"] == "invoke_agent"
    assert attributes["gen_ai.agent.name"] == "Guide"
    assert attributes["gen_ai.conversation.id"] == "t1"
    assert attributes["gen_ai.response.finish_reasons"] == ["stop"]
    for chat in find(ours, "chat function:generate:stream"):
        attributes = read_attributes(chat)
        assert chat.kind == 3
        assert attributes["gen_ai.operation.name"] == "chat"
        assert attributes["gen_ai.provider.name"] == "function"
        assert attributes["gen_ai.usage.input_tokens"] > 0
        assert attributes["gen_ai.usage.output_tokens"] > 0
    (look_up,) = find(ours, "execute_tool look_up")
    assert read_attributes(look_up) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "look_up",
        "gen_ai.tool.call.id": "call-look_up",
        "gen_ai.tool.type": "function",
    }


def test_statements_of_the_database(spans):
    ours = [span for span in spans if span.trace_id == bytes.fromhex("a" * 32)]
    names = {span.span_id: span.name for span in ours}
    statements = [span for span in ours if "app.db" in span.name]
    assert {"memory recall", "memory save"} <= {names[span.parent_span_id] for span in statements}
    for span in statements:
        attributes = read_attributes(span)
        assert span.kind == 3
        assert attributes["db.system.name"] == "sqlite"
        assert attributes["db.namespace"] == "app.db"
        assert attributes["db.operation.name"].split()[-1] in ("SELECT", "INSERT", "BATCH")
        assert "What is it like?" not in attributes["db.query.text"]


def test_tree_of_a_workflow_with_parallel_arms(spans):
    (run,) = find(spans, "invoke_workflow flow")
    ours = [span for span in spans if span.trace_id == run.trace_id]
    request = "POST /api/workflows/{workflow_id}/start-async"
    assert sorted(read_tree(ours)) == sorted(
        [
            (request, ""),
            ("invoke_workflow flow", request),
            ("workflow_parallel", "invoke_workflow flow"),
            ("workflow_step one", "workflow_parallel"),
            ("workflow_step two", "workflow_parallel"),
            ("workflow_step join", "invoke_workflow flow"),
            ("workflow_step wait", "invoke_workflow flow"),
            ("workflow_step wait", "invoke_workflow flow"),
        ]
    )
    assert read_attributes(run)["mastra.workflow.id"] == "flow"


def test_resumed_step_has_a_link_to_the_request_that_resumed_it(spans):
    steps = sorted(find(spans, "workflow_step wait"), key=lambda span: span.start_time_unix_nano)
    assert [[event.name for event in span.events] for span in steps] == [["suspended"], []]
    assert [span.status.code for span in steps] == [0, 0]
    (request,) = find(spans, "POST /api/workflows/{workflow_id}/resume-async")
    (link,) = steps[1].links
    assert (link.trace_id, link.span_id) == (request.trace_id, request.span_id)


def test_resumed_agent_of_another_process_has_a_link_to_the_suspended_one(spans):
    agents = sorted(find(spans, "invoke_agent Payer"), key=lambda span: span.start_time_unix_nano)
    suspended, resumed = agents
    assert [event.name for event in suspended.events] == ["suspended"]
    (link,) = resumed.links
    assert (link.trace_id, link.span_id) == (suspended.trace_id, suspended.span_id)
    (tool,) = find(spans, "execute_tool pay")
    assert tool.parent_span_id == resumed.span_id


def test_resumed_agent_of_another_process_has_the_baggage(spans):
    (pay,) = find(spans, "execute_tool pay")
    attributes = read_attributes(pay)
    assert (attributes["baggage.customer"], attributes["baggage.shop"]) == ("c7", "south")


def test_no_content_is_exported_by_default(exported):
    text = repr([message for *_, message in exported.requests])
    for content in ("What is it like?", "sunny", "secret-plan", "paid 3"):
        assert content not in text


def test_variables_are_equal_to_code(tmp_path, spans):
    """The same spans arrive, and the content is recorded as the variable says."""
    with run_collector() as collector:
        run_app(
            "first",
            FIRST,
            "{}",
            str(tmp_path / "app.db"),
            "",
            OTEL_SERVICE_NAME="shop",
            OTEL_TRACES_SAMPLER="always_on",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS="x-api-key=k-1",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true",
        )
        found = [span for _, span in collector.spans]
        assert {resource["service.name"] for resource, _ in collector.spans} == {"shop"}
        assert {headers["x-api-key"] for _, headers, _ in collector.requests} == {"k-1"}
    second = {span.name for span in spans} - {span.name for span in found}
    assert second == {
        "POST /api/agents/{agent_id}/approve-tool-call-generate",
        "execute_tool pay",
    }
    (look_up,) = find(found, "execute_tool look_up")
    assert read_attributes(look_up)["gen_ai.tool.call.arguments"] == '{"city":"Oslo"}'
    assert read_attributes(look_up)["gen_ai.tool.call.result"] == '"Oslo: sunny"'
    (guide,) = find(found, "invoke_agent Guide")
    chats = find(found, "chat function:generate:stream")
    own = [span for span in chats if span.parent_span_id == guide.span_id]
    chat = max(own, key=lambda span: span.start_time_unix_nano)
    check_messages(read_attributes(guide), ["user"], ["tool_call", "tool_call", "text"])
    check_messages(read_attributes(chat), ["system", "user", "assistant", "tool"], ["text"])
    (instructions, *_) = json.loads(read_attributes(chat)["gen_ai.input.messages"])
    assert instructions["parts"] == [{"type": "text", "content": "secret-plan"}]


def check_messages(attributes, roles, answer):
    """Check messages by the types that logfire's authors have for OpenTelemetry's format."""
    from pydantic import TypeAdapter
    from pydantic_ai import _otel_messages

    sent = TypeAdapter(_otel_messages.InputMessages).validate_json(
        attributes["gen_ai.input.messages"]
    )
    given = TypeAdapter(_otel_messages.OutputMessages).validate_json(
        attributes["gen_ai.output.messages"]
    )
    assert list(dict.fromkeys(each["role"] for each in sent)) == roles
    question = next(each for each in sent if each["role"] == "user")
    assert question["parts"] == [{"type": "text", "content": "What is it like?"}]
    assert [part["type"] for part in given[0]["parts"]] == answer
    assert given[0].get("finish_reason", "stop") == "stop"  # scripted models give none
