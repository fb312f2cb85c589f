"""Test traces over HTTP with Mastra's client: enabled, bounded, without credentials."""

import json

import msgspec
import pytest

from mastra_core import ApiRoute, Mastra, Memory, Telemetry, telemetry
from mastra_server import ApiKeys
from mastra_server.observability.trace_store import TraceStore
from tests.server.sample_app import create_sample

MODEL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m-1",
    "gen_ai.system": "mock",
    "gen_ai.usage.input_tokens": 3,
}


@pytest.fixture(scope="module")
def results(serve, node):
    with serve(create_sample(server={"traces": True})) as running:
        return node("traces.mjs", running.url)


def list_names(spans):
    return [span["name"] for span in spans]


def test_trace_id_of_a_run(results):
    (span,) = results["trace"]["spans"]
    assert results["trace"]["traceId"] == results["generated"]["traceId"] == span["traceId"]
    assert span["spanId"] == results["generated"]["spanId"]
    assert results["span"]["span"]["spanId"] == results["run"]["spanId"]
    assert results["span"]["span"]["spanType"] == "workflow_run"


def test_agent_run(results):
    (span,) = results["trace"]["spans"]
    assert span["name"] == "agent run: 'echo-agent'"
    assert (span["spanType"], span["status"], span["isEvent"]) == ("agent_run", "success", False)
    assert (span["entityType"], span["entityId"]) == ("agent", "echo-agent")
    assert (span["entityName"], span["parentSpanId"]) == ("Echo Agent", None)
    assert span["input"] == [{"role": "user", "content": "hello there"}]
    assert span["output"]["text"] == "echo: hello there"
    assert (span["threadId"], span["resourceId"]) == ("thread-1", "ann")
    assert span["metadata"]["runId"] == span["runId"] == results["generated"]["runId"]
    assert span["startedAt"] <= span["endedAt"]


def test_tool_call(results):
    run, tool = results["added"]["spans"]
    assert (tool["name"], tool["parentSpanId"]) == ("tool: 'add'", run["spanId"])
    assert (tool["spanType"], tool["entityType"]) == ("tool_call", "tool")
    assert (tool["input"], tool["output"]) == ({"a": 2, "b": 3}, {"sum": 5})


def test_workflow_run(results):
    run, *steps = results["lightTrace"]["spans"]
    assert list_names([run, *steps]) == [
        "workflow run: 'pure-workflow'",
        "workflow step: 'double'",
        "workflow step: 'inc'",
    ]
    assert [step["parentSpanId"] for step in steps] == [run["spanId"]] * 2
    assert {step["spanType"] for step in steps} == {"workflow_step"}
    assert run["inputPreview"] == '{"n":5}'
    assert "input" not in run
    whole = results["span"]["span"]
    assert (whole["input"], whole["output"]) == ({"n": 5}, {"n": 11})
    assert whole["attributes"] == {"mastra.workflow.id": "pure-workflow"}


def test_resumed_run_continues_its_trace(results):
    run, asked = results["whileSuspended"]["spans"]
    assert (run["status"], run["endedAt"]) == ("running", None)
    assert (asked["status"], asked["entityId"]) == ("success", "ask")
    assert results["resumed"]["traceId"] == results["suspended"]["traceId"]
    spans = results["afterwards"]["spans"]
    assert list_names(spans)[1:] == [f"workflow step: '{name}'" for name in ("ask", "ask", "fin")]
    assert {span["status"] for span in spans} == {"success"}


def test_errors_reveal_no_internals(results):
    failed = results["filtered"]["failed"]
    assert [(span["entityId"], span["error"]["message"]) for span in failed] == [
        ("bad-workflow", "step exploded"),
        ("broken-agent", "Internal Server Error"),
        ("boom", "model exploded"),
    ]
    assert "secret internals" not in json.dumps(results)
    assert "Traceback" not in json.dumps(results)


def test_list(results):
    assert results["all"]["pagination"] == {"total": 7, "page": 0, "perPage": 10, "hasMore": False}
    assert [span["entityId"] for span in results["all"]["spans"]] == [
        "approve-workflow",
        "bad-workflow",
        "pure-workflow",
        "broken-agent",
        "boom",
        "echo-agent",
        "echo-agent",
    ]
    assert results["all"]["spans"][5]["output"]["toolCalls"] == [
        {"toolName": "add", "args": {"a": 2, "b": 3}}
    ]
    light = results["light"]["spans"]
    assert list_names(light) == list_names(results["all"]["spans"])
    assert not {"input", "output", "attributes"} & light[0].keys()
    assert light[-1]["inputPreview"] == "hello there"


def test_pages_and_orders(results):
    assert results["page"]["pagination"] == {"total": 7, "page": 1, "perPage": 2, "hasMore": True}
    assert list_names(results["page"]["spans"]) == list_names(results["all"]["spans"][2:4])
    assert list_names(results["oldest"]["spans"]) == list_names(reversed(results["all"]["spans"]))
    assert results["last"]["spans"][0]["entityId"] == "approve-workflow"


def test_filters(results):
    found = {
        name: [span["entityId"] for span in results["filtered"][name]]
        for name in results["filtered"]
    }
    assert found["agents"] == ["broken-agent", "boom", "echo-agent", "echo-agent"]
    assert found["echo"] == ["echo-agent"] * 2
    assert found["thread"] == ["echo-agent"]
    for name in ("named", "run", "trace", "metadata"):
        assert found[name] == ["pure-workflow"], name
    assert found["failing"] == found["failed"]
    assert found["soon"] == found["tagged"] == []
    assert len(found["sofar"]) == 7


def test_older_clients(results):
    assert [span["entityId"] for span in results["legacy"]["spans"]] == ["pure-workflow"]
    assert len(results["legacyName"]["spans"]) == 2


def test_studio_queries(results):
    asked = {name: [row["entityId"] for row in rows] for name, rows in results["asked"].items()}
    assert asked["all"] == [span["entityId"] for span in results["all"]["spans"]]
    assert asked["agents"] == ["broken-agent", "boom", "echo-agent", "echo-agent"]
    assert asked["either"] == ["pure-workflow", "echo-agent"]
    assert asked["both"] == ["echo-agent"] * 2
    assert asked["others"] == ["approve-workflow", "bad-workflow", "pure-workflow"]
    assert asked["inside"] == ["pure-workflow"]
    fine = ["approve-workflow", "pure-workflow", "echo-agent", "echo-agent"]
    assert asked["flawless"] == fine
    assert asked["scored"] == asked["late"] == asked["nameless"] == []
    assert asked["unscored"] == asked["quick"] == asked["all"]


def test_studio_row(results):
    (row,) = results["asked"]["inside"]
    assert (row["traceId"], row["rootSpanId"]) == (
        results["run"]["traceId"],
        results["run"]["spanId"],
    )
    assert (row["name"], row["inputPreview"]) == ("workflow run: 'pure-workflow'", '{"n":5}')
    assert (row["status"], row["environment"], row["parentSpanId"]) == ("success", None, None)


def test_studio_pages(results):
    assert [len(part) for part in results["walked"]] == [3, 3, 1]
    walked = [name for part in results["walked"] for name in part]
    assert walked == [row["traceId"] for row in reversed(results["asked"]["all"])]
    assert len(results["numbered"]["traces"]) == 2
    assert results["numbered"]["pagination"]["total"] == 7


def test_filter_values(results):
    assert results["names"] == {"names": ["Echo Agent", "boom"]}
    assert results["environments"] == {"environments": []}


def test_rejected_queries(results):
    assert results["refused"] == [400] * 10
    for name in ("unknownTrace", "unknownLight", "unknownSpan"):
        assert results[name]["status"] == 404, name
    for name in ("badStatus", "badPage", "badRange", "delta"):
        assert results[name]["status"] == 400, name


@pytest.mark.parametrize(
    "query",
    [
        {"page": "-1"},
        {"perPage": "0"},
        {"spanType": "agent"},
        {"entityType": "cat"},
        {"field": "name"},
        {"metadata": "[1]"},
        {"dateRange": "yesterday"},
        {"hasChildError": "maybe"},
    ],
)
def test_invalid_query_names_its_parameter(serve, query):
    with serve(create_sample(server={"traces": True})) as server:
        answer = server.http.get("/api/observability/traces", params=query)
    assert answer.status_code == 400
    assert answer.json()["issues"][0]["field"] in query


def test_disabled_by_default(serve, monkeypatch):
    monkeypatch.delenv("MASTRA_DEV", raising=False)
    with serve() as server:
        assert (
            "traceId"
            not in server.http.post("/api/agents/echoAgent/generate", json={"messages": "x"}).json()
        )
        for path in ("traces", "discovery/entity-names", "discovery/environments"):
            assert server.http.get(f"/api/observability/{path}").status_code == 501
        assert server.http.get("/api/system/packages").json()["observabilityEnabled"] is False
    assert not telemetry.is_recording()


def test_enabled_in_dev(serve, monkeypatch):
    monkeypatch.setenv("MASTRA_DEV", "true")
    with serve(create_sample(server={"openapi": True})) as server:
        told = server.http.post("/api/agents/echoAgent/generate", json={"messages": "x"}).json()
        path = f"/api/observability/traces/{told['traceId']}"
        assert server.http.get(path).status_code == 200
        assert server.http.get("/api/system/packages").json()["observabilityEnabled"] is True
        document = server.http.get("/api/openapi.json").json()
        assert (
            "501"
            not in document["paths"]["/api/observability/traces/{traceId}"]["get"]["responses"]
        )
    with serve(create_sample(server={"traces": False})) as server:
        assert server.http.get("/api/observability/traces").status_code == 501


def test_unknown_trace(serve):
    with serve(create_sample(server={"traces": True})) as server:
        assert server.http.get("/api/observability/traces/query").status_code == 404
        assert server.http.post("/api/observability/traces/score", json={}).status_code == 501


def test_prefix(serve):
    with serve(create_sample(server={"traces": True, "api_prefix": "/v1"})) as server:
        assert server.http.get("/v1/observability/traces").status_code == 200
        assert server.http.get("/api/observability/traces").status_code == 404


def test_credentials_and_long_texts(serve):
    async def mine(request):
        with telemetry.start_span(
            "mine", {"api_key": "sk-1", "http.cookie": "sk-2", "long": "x" * 99_999}
        ):
            return "done"

    route = ApiRoute(path="/mine", handler=mine)
    with serve(create_sample(server={"traces": True, "api_routes": [route]})) as server:
        assert server.http.get("/mine").status_code == 200
        seen = {"requestContext": {"token": "sk-3"}, "inputData": {"password": "sk-4"}}
        for each in ({"inputData": {"password": "sk-4", "deep": [{"secret": "sk-5"}]}}, seen):
            answer = server.http.post("/api/workflows/seeWorkflow/start-async", json=each)
            assert answer.json()["status"] == "success"
        server.http.post("/api/agents/echoAgent/generate", json={"messages": "y" * 99_999})
        told = server.http.get("/api/observability/traces").text
    assert "sk-" not in told
    assert "****" in told
    assert "mine" in told
    assert len(told) < 100_000


def test_callers_see_only_their_own_runs(serve):
    keys = ApiKeys({"ada": "k-ada", "bob": "k-bob"}, restrict_memory=True)
    with serve(create_sample(server={"traces": True, "auth": keys})) as server:
        assert server.http.get("/api/observability/traces").status_code == 401
        ada, bob = ({"authorization": f"Bearer k-{name}"} for name in ("ada", "bob"))
        for path, body in (
            ("/api/agents/echoAgent/generate", {"messages": "x"}),
            ("/api/workflows/pureWorkflow/start-async", {"inputData": {"n": 1}}),
        ):
            told = server.http.post(path, json=body, headers=ada).json()
            trace = f"/api/observability/traces/{told['traceId']}"
            assert server.http.get(trace, headers=ada).status_code == 200
            assert server.http.get(trace, headers=bob).status_code == 404
            span = f"{trace}/spans/{told['spanId']}"
            assert server.http.get(span, headers=bob).status_code == 404
        listed = server.http.get("/api/observability/traces", headers=bob).json()
        assert listed["pagination"]["total"] == 0


@pytest.fixture
def store():
    traces = TraceStore(Telemetry())
    traces.start()
    yield traces
    traces.stop()


def test_store_is_bounded(store):
    for number in range(10_000):
        with telemetry.start_span("run", {"number": number, "long": "x" * 30_000}) as span:
            telemetry.annotate(span, input="y" * 30_000, output=["z" * 30_000])
    traces = store.list_traces()
    assert 100 < len(traces) <= 1_000
    assert traces[0][0].to_details()["attributes"]["number"] == 9_999
    held = sum(len(json.dumps(trace[0].to_details())) for trace in traces)
    assert held < 40 * 1024 * 1024


def test_number_of_traces_is_bounded(store):
    for _ in range(3_000):
        with telemetry.start_span("run"):
            pass
    assert len(store.list_traces()) == 1_000


def test_calls_of_databases_are_stored_within_runs_only(serve, tmp_path):
    """Requests read threads and messages, which are no runs: Studio lists every root span."""
    sample = create_sample(
        server={"traces": True}, storage=f"sqlite:///{tmp_path}/app.db", memory=Memory()
    )
    with serve(sample) as server:
        memory = {"thread": "t1", "resource": "ann"}
        body = {"messages": "x", "memory": memory}
        told = server.http.post("/api/agents/echoAgent/generate", json=body).json()
        assert server.http.get("/api/memory/threads?resourceId=ann").status_code == 200
        listed = server.http.get("/api/observability/traces/light").json()
        assert [span["traceId"] for span in listed["spans"]] == [told["traceId"]]
        assert listed["pagination"]["total"] == 1
        trace = server.http.get(f"/api/observability/traces/{told['traceId']}").json()
        root, *inner = trace["spans"]
        assert root["spanType"] == "agent_run"
        assert any(span["attributes"].get("db.system.name") == "sqlite" for span in inner)


def test_traces_of_one_resource_leave_room_for_others(store):
    for owner, amount in (("victim", 3), ("mallory", 3_000)):
        for _ in range(amount):
            with telemetry.start_span("run") as span:
                telemetry.annotate(span, resource=owner)
    owners = [trace[0].owner for trace in store.list_traces()]
    assert owners.count("victim") == 3
    assert owners.count("mallory") > 900


def test_number_of_spans_is_bounded(store):
    with telemetry.start_span("run"):
        for _ in range(1_000):
            with telemetry.start_span("piece", {"long": "x" * 30_000}):
                pass
    (trace,) = store.list_traces()
    assert len(trace) == 250
    assert trace[0].status == "success"


def test_any_attributes_can_be_encoded(store):
    class Odd:
        def __iter__(self):
            raise RuntimeError("no")

    with telemetry.start_span("half \ud800", {"half": "\ud800", "vast": 10**30}) as span:
        telemetry.annotate(span, input=Odd(), output={"half": "\ud800"})
    with telemetry.start_span("chat", MODEL):
        pass
    with telemetry.start_span(
        "tool", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "a"}
    ):
        pass
    sent = msgspec.json.encode([trace[0].to_details() for trace in store.list_traces()])
    tool, turn, odd = msgspec.json.decode(sent)
    assert (odd["name"], odd["input"]) == ("half ?", "Odd")
    assert (turn["spanType"], turn["attributes"]["usage"]) == (
        "model_generation",
        {"inputTokens": 3},
    )
    assert (turn["attributes"]["model"], turn["attributes"]["provider"]) == ("m-1", "mock")
    assert (tool["name"], tool["entityType"], tool["spanType"]) == (
        "tool: 'a'",
        "tool",
        "tool_call",
    )


def test_spans_of_other_libraries(serve):
    from pydantic_ai import Agent
    from pydantic_ai.capabilities.instrumentation import Instrumentation
    from pydantic_ai.models.test import TestModel

    def sign_in(user: str, password: str) -> str:
        return "welcome"

    told_to = [Instrumentation()]
    theirs = Agent(TestModel(), name="theirs", tools=[sign_in], capabilities=told_to)
    mastra = Mastra(agents={"theirs": theirs}, server={"traces": True}, logger=False)
    with serve(mastra) as server:
        run = server.http.post("/api/agents/theirs/generate", json={"messages": "hi"}).json()
        spans = server.http.get(f"/api/observability/traces/{run['traceId']}").json()["spans"]
    kinds = [span["spanType"] for span in spans]
    assert kinds == ["agent_run"] * 2 + ["model_generation", "tool_call", "model_generation"]
    called = spans[3]
    assert (called["name"], called["output"]) == ("tool: 'sign_in'", "welcome")
    assert called["input"] == {"user": "a", "password": "****"}
    turn = spans[2]
    assert (turn["input"][0]["role"], turn["attributes"]["model"]) == ("user", "test")
    assert turn["attributes"]["usage"]["inputTokens"] > 0


def test_spans_of_model_turns(serve):
    from tests.server.sample_agents import create_application

    with serve(create_application(server={"traces": True})) as server:
        path = "/api/agents/shop"
        server.http.post(f"{path}/generate", json={"messages": "work", "runId": "r1"})
        server.http.post(f"{path}/stream", json={"messages": "work", "runId": "r2"})
        traces = server.http.get("/api/observability/traces").json()["spans"]
        for trace in traces:
            url = f"/api/observability/traces/{trace['traceId']}"
            spans = server.http.get(url).json()["spans"]
            assert [each["spanType"] for each in spans] == [
                "agent_run", "model_generation", "tool_call", "model_generation",
            ]  # fmt: skip
            assert {each["parentSpanId"] for each in spans[1:]} == {spans[0]["spanId"]}
            turn = spans[1]["attributes"]
            assert turn["provider"] == "function"
            assert turn["usage"]["inputTokens"] > 0 < turn["usage"]["outputTokens"]
    assert len(traces) == 2


def test_paused_run_has_not_failed(serve):
    with serve(create_sample(server={"traces": True})) as server:
        path = "/api/workflows/pureWorkflow/start-async"
        told = server.http.post(path, json={"inputData": {"n": 1}, "perStep": True}).json()
        assert told["status"] == "paused"
        trace = server.http.get(f"/api/observability/traces/{told['traceId']}").json()
    assert [span["status"] for span in trace["spans"]] == ["success", "success"]


PROCESS = """
import json, resource
from tests.server.conftest import run_server
from tests.server.sample_app import create_sample
from mastra_core import Telemetry, telemetry
from mastra_server import create_app

def create_traced(**settings):
    return create_app(create_sample(server={"traces": True}, **settings))

def generate(server):
    return server.http.post("/api/agents/echoAgent/generate", json={"messages": "x"}).json()

def count_traces(server):
    return server.http.get("/api/observability/traces").json()["pagination"]["total"]
"""


def test_loaded_only_where_enabled(python):
    script = """
import sys
create_app(create_sample())
print([name for name in sys.modules if name.startswith("mastra_server.observability.trace_")])
print([name for name in sys.modules if name.startswith("opentelemetry.sdk")])
"""
    assert python(PROCESS + script) == "[]\n[]\n"


def test_successive_applications(python):
    script = """
sent = Telemetry(export={"type": "console"}, enabled=False)
found = []
for settings in ({}, {"telemetry": sent}, {}):
    with run_server(create_traced(**settings)) as server:
        generate(server)
        found.append(count_traces(server))
with run_server(create_app(create_sample())) as server:
    found.append("traceId" in generate(server))
print(json.dumps([found, telemetry.is_recording()]))
"""
    assert json.loads(python(PROCESS + script)) == [[1, 1, 1, False], False]


def test_exported_spans_contain_no_messages(python):
    script = """
sent = Telemetry(export={"type": "console"})
untraced = create_app(create_sample(telemetry=sent))
with run_server(create_traced(telemetry=sent)) as server, run_server(untraced) as other:
    answer = server.http.post("/api/agents/echoAgent/generate", json={"messages": "whisper"})
    assert answer.json()["text"] == "echo: whisper"
    assert count_traces(server) == 1
"""
    printed = python(PROCESS + script)
    assert "invoke_agent Echo Agent" in printed
    assert "whisper" not in printed


def test_sampling(python):
    script = """
off = Telemetry(sampling={"type": "always_off"}, export={"type": "console"})
with run_server(create_traced(telemetry=off)) as server:
    generate(server)
    print(count_traces(server))
"""
    assert python(PROCESS + script) == "0\n"


def test_without_the_sdk(python):
    hidden = "import sys; sys.modules['opentelemetry.sdk'] = None\n"
    script = """
import os
os.environ["MASTRA_DEV"] = "true"
with run_server(create_app(create_sample())) as server:
    print(server.http.get("/api/observability/traces").status_code)
"""
    assert python(hidden + PROCESS + script) == "501\n"


def test_disabled_sdk_keeps_nothing(python):
    script = """
with run_server(create_traced()) as server:
    print("traceId" in generate(server), count_traces(server))
"""
    assert python(PROCESS + script, OTEL_SDK_DISABLED="true") == "False 0\n"
