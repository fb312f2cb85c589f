"""Traces over HTTP by Mastra's own client: where they are wanted, bounded, without credentials."""

import json

import msgspec
import pytest

from mastra_core import ApiRoute, Mastra, Telemetry, telemetry
from mastra_server import ApiKeys
from mastra_server.observability.trace_store import TraceStore
from tests.server.sample_app import sample

MODEL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m-1",
    "gen_ai.system": "mock",
    "gen_ai.usage.input_tokens": 3,
}


@pytest.fixture(scope="module")
def got(serve, node):
    with serve(sample(server={"traces": True})) as running:
        return node("traces.mjs", running.url)


def names(spans):
    return [span["name"] for span in spans]


def test_what_a_run_says_leads_to_its_trace(got):
    (span,) = got["trace"]["spans"]
    assert got["trace"]["traceId"] == got["generated"]["traceId"] == span["traceId"]
    assert span["spanId"] == got["generated"]["spanId"]
    assert got["span"]["span"]["spanId"] == got["run"]["spanId"]
    assert got["span"]["span"]["spanType"] == "workflow_run"


def test_a_run_of_an_agent(got):
    (span,) = got["trace"]["spans"]
    assert span["name"] == "agent run: 'echo-agent'"
    assert (span["spanType"], span["status"], span["isEvent"]) == ("agent_run", "success", False)
    assert (span["entityType"], span["entityId"]) == ("agent", "echo-agent")
    assert (span["entityName"], span["parentSpanId"]) == ("Echo Agent", None)
    assert span["input"] == [{"role": "user", "content": "hello there"}]
    assert span["output"]["text"] == "echo: hello there"
    assert (span["threadId"], span["resourceId"]) == ("thread-1", "ann")
    assert span["metadata"]["runId"] == span["runId"] == got["generated"]["runId"]
    assert span["startedAt"] <= span["endedAt"]


def test_a_tool_in_a_run(got):
    run, tool = got["added"]["spans"]
    assert (tool["name"], tool["parentSpanId"]) == ("tool: 'add'", run["spanId"])
    assert (tool["spanType"], tool["entityType"]) == ("tool_call", "tool")
    assert (tool["input"], tool["output"]) == ({"a": 2, "b": 3}, {"sum": 5})


def test_a_run_of_a_workflow_and_its_steps(got):
    run, *steps = got["lightTrace"]["spans"]
    assert names([run, *steps]) == [
        "workflow run: 'pure-workflow'",
        "workflow step: 'double'",
        "workflow step: 'inc'",
    ]
    assert [step["parentSpanId"] for step in steps] == [run["spanId"]] * 2
    assert {step["spanType"] for step in steps} == {"workflow_step"}
    assert run["inputPreview"] == '{"n":5}'
    assert "input" not in run
    whole = got["span"]["span"]
    assert (whole["input"], whole["output"]) == ({"n": 5}, {"n": 11})
    assert whole["attributes"] == {"mastra.workflow.id": "pure-workflow"}


def test_a_run_that_waits_goes_on_in_its_trace(got):
    run, asked = got["whileSuspended"]["spans"]
    assert (run["status"], run["endedAt"]) == ("running", None)
    assert (asked["status"], asked["entityId"]) == ("success", "ask")
    assert got["resumed"]["traceId"] == got["suspended"]["traceId"]
    spans = got["afterwards"]["spans"]
    assert names(spans)[1:] == [f"workflow step: '{name}'" for name in ("ask", "ask", "fin")]
    assert {span["status"] for span in spans} == {"success"}


def test_what_failed_says_why_and_nothing_of_the_inside(got):
    failed = got["filtered"]["failed"]
    assert [(span["entityId"], span["error"]["message"]) for span in failed] == [
        ("bad-workflow", "step exploded"),
        ("broken-agent", "Internal Server Error"),
        ("boom", "model exploded"),
    ]
    assert "secret internals" not in json.dumps(got)
    assert "Traceback" not in json.dumps(got)


def test_the_list_has_the_newest_first(got):
    assert got["all"]["pagination"] == {"total": 7, "page": 0, "perPage": 10, "hasMore": False}
    assert [span["entityId"] for span in got["all"]["spans"]] == [
        "approve-workflow",
        "bad-workflow",
        "pure-workflow",
        "broken-agent",
        "boom",
        "echo-agent",
        "echo-agent",
    ]
    assert got["all"]["spans"][5]["output"]["toolCalls"] == [
        {"toolName": "add", "args": {"a": 2, "b": 3}}
    ]
    light = got["light"]["spans"]
    assert names(light) == names(got["all"]["spans"])
    assert not {"input", "output", "attributes"} & light[0].keys()
    assert light[-1]["inputPreview"] == "hello there"


def test_pages_and_orders(got):
    assert got["page"]["pagination"] == {"total": 7, "page": 1, "perPage": 2, "hasMore": True}
    assert names(got["page"]["spans"]) == names(got["all"]["spans"][2:4])
    assert names(got["oldest"]["spans"]) == names(reversed(got["all"]["spans"]))
    assert got["last"]["spans"][0]["entityId"] == "approve-workflow"


def test_filters(got):
    found = {name: [span["entityId"] for span in got["filtered"][name]] for name in got["filtered"]}
    assert found["agents"] == ["broken-agent", "boom", "echo-agent", "echo-agent"]
    assert found["echo"] == ["echo-agent"] * 2
    assert found["thread"] == ["echo-agent"]
    for name in ("named", "run", "trace", "metadata"):
        assert found[name] == ["pure-workflow"], name
    assert found["failing"] == found["failed"]
    assert found["soon"] == found["tagged"] == []
    assert len(found["sofar"]) == 7


def test_the_call_of_earlier_clients(got):
    assert [span["entityId"] for span in got["legacy"]["spans"]] == ["pure-workflow"]
    assert len(got["legacyName"]["spans"]) == 2


def test_the_questions_of_studio(got):
    asked = {name: [row["entityId"] for row in rows] for name, rows in got["asked"].items()}
    assert asked["all"] == [span["entityId"] for span in got["all"]["spans"]]
    assert asked["agents"] == ["broken-agent", "boom", "echo-agent", "echo-agent"]
    assert asked["either"] == ["pure-workflow", "echo-agent"]
    assert asked["both"] == ["echo-agent"] * 2
    assert asked["others"] == ["approve-workflow", "bad-workflow", "pure-workflow"]
    assert asked["inside"] == ["pure-workflow"]
    fine = ["approve-workflow", "pure-workflow", "echo-agent", "echo-agent"]
    assert asked["flawless"] == fine
    assert asked["scored"] == asked["late"] == asked["nameless"] == []
    assert asked["unscored"] == asked["quick"] == asked["all"]


def test_a_row_of_studio(got):
    (row,) = got["asked"]["inside"]
    assert (row["traceId"], row["rootSpanId"]) == (got["run"]["traceId"], got["run"]["spanId"])
    assert (row["name"], row["inputPreview"]) == ("workflow run: 'pure-workflow'", '{"n":5}')
    assert (row["status"], row["environment"], row["parentSpanId"]) == ("success", None, None)


def test_pages_of_studio(got):
    assert [len(part) for part in got["walked"]] == [3, 3, 1]
    walked = [name for part in got["walked"] for name in part]
    assert walked == [row["traceId"] for row in reversed(got["asked"]["all"])]
    assert len(got["numbered"]["traces"]) == 2
    assert got["numbered"]["pagination"]["total"] == 7


def test_what_there_is_to_choose_from(got):
    assert got["names"] == {"names": ["Echo Agent", "boom"]}
    assert got["environments"] == {"environments": []}


def test_what_cannot_be_asked(got):
    assert got["refused"] == [400] * 10
    for name in ("unknownTrace", "unknownLight", "unknownSpan"):
        assert got[name]["status"] == 404, name
    for name in ("badStatus", "badPage", "badRange", "delta"):
        assert got[name]["status"] == 400, name


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
def test_a_query_that_does_not_fit_names_its_parameter(serve, query):
    with serve(sample(server={"traces": True})) as server:
        answer = server.http.get("/api/observability/traces", params=query)
    assert answer.status_code == 400
    assert answer.json()["issues"][0]["field"] in query


def test_they_are_not_kept_unless_they_are_wanted(serve, monkeypatch):
    monkeypatch.delenv("MASTRA_DEV", raising=False)
    with serve() as server:
        assert (
            "traceId"
            not in server.http.post("/api/agents/echoAgent/generate", json={"messages": "x"}).json()
        )
        assert server.http.get("/api/observability/traces").status_code == 501
        assert server.http.get("/api/system/packages").json()["observabilityEnabled"] is False
    assert not telemetry.active()


def test_under_mastra_dev_they_are(serve, monkeypatch):
    monkeypatch.setenv("MASTRA_DEV", "true")
    with serve(sample(server={"openapi": True})) as server:
        told = server.http.post("/api/agents/echoAgent/generate", json={"messages": "x"}).json()
        path = f"/api/observability/traces/{told['traceId']}"
        assert server.http.get(path).status_code == 200
        assert server.http.get("/api/system/packages").json()["observabilityEnabled"] is True
        document = server.http.get("/api/openapi.json").json()
        assert (
            "501"
            not in document["paths"]["/api/observability/traces/{traceId}"]["get"]["responses"]
        )
    with serve(sample(server={"traces": False})) as server:
        assert server.http.get("/api/observability/traces").status_code == 501


def test_what_is_no_trace_is_not_said_to_be_left_out(serve):
    with serve(sample(server={"traces": True})) as server:
        assert server.http.get("/api/observability/traces/query").status_code == 404
        assert server.http.post("/api/observability/traces/score", json={}).status_code == 501


def test_the_prefix_moves_them(serve):
    with serve(sample(server={"traces": True, "api_prefix": "/v1"})) as server:
        assert server.http.get("/v1/observability/traces").status_code == 200
        assert server.http.get("/api/observability/traces").status_code == 404


def test_credentials_and_long_texts_stay_out(serve):
    async def mine(request):
        with telemetry.span(
            "mine", {"api_key": "sk-1", "http.cookie": "sk-2", "long": "x" * 99_999}
        ):
            return "done"

    route = ApiRoute(path="/mine", handler=mine)
    with serve(sample(server={"traces": True, "api_routes": [route]})) as server:
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


def test_each_caller_sees_its_own_runs(serve):
    keys = ApiKeys({"ada": "k-ada", "bob": "k-bob"}, confined=True)
    with serve(sample(server={"traces": True, "auth": keys})) as server:
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
def book():
    kept = TraceStore(Telemetry())
    kept.start()
    yield kept
    kept.stop()


def test_ten_thousand_runs_are_bounded(book):
    for number in range(10_000):
        with telemetry.span("run", {"number": number, "long": "x" * 30_000}) as span:
            telemetry.note(span, input="y" * 30_000, output=["z" * 30_000])
    traces = book.traces()
    assert 100 < len(traces) <= 1_000
    assert traces[0][0].whole()["attributes"]["number"] == 9_999
    held = sum(len(json.dumps(trace[0].whole())) for trace in traces)
    assert held < 40 * 1024 * 1024


def test_short_runs_are_bounded_in_number(book):
    for _ in range(3_000):
        with telemetry.span("run"):
            pass
    assert len(book.traces()) == 1_000


def test_one_long_run_is_bounded(book):
    with telemetry.span("run"):
        for _ in range(1_000):
            with telemetry.span("piece", {"long": "x" * 30_000}):
                pass
    (trace,) = book.traces()
    assert len(trace) == 250
    assert trace[0].status == "success"


def test_whatever_is_in_a_span_it_can_be_told(book):
    class Odd:
        def __iter__(self):
            raise RuntimeError("no")

    with telemetry.span("half \ud800", {"half": "\ud800", "vast": 10**30}) as span:
        telemetry.note(span, input=Odd(), output={"half": "\ud800"})
    with telemetry.span("chat", MODEL):
        pass
    with telemetry.span("tool", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "a"}):
        pass
    sent = msgspec.json.encode([trace[0].whole() for trace in book.traces()])
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


def test_what_another_library_traces_is_in_it(serve):
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


def test_a_run_that_rests_after_a_step_has_not_failed(serve):
    with serve(sample(server={"traces": True})) as server:
        path = "/api/workflows/pureWorkflow/start-async"
        told = server.http.post(path, json={"inputData": {"n": 1}, "perStep": True}).json()
        assert told["status"] == "paused"
        trace = server.http.get(f"/api/observability/traces/{told['traceId']}").json()
    assert [span["status"] for span in trace["spans"]] == ["success", "success"]


PROCESS = """
import json, resource
from tests.server.conftest import running
from mastra_core import Telemetry, telemetry
from mastra_server import create_app
from tests.server.sample_app import sample

def kept(**settings):
    return create_app(sample(server={"traces": True}, **settings))

def generate(server):
    return server.http.post("/api/agents/echoAgent/generate", json={"messages": "x"}).json()

def total(server):
    return server.http.get("/api/observability/traces").json()["pagination"]["total"]
"""


def test_what_keeps_them_is_loaded_where_they_are_wanted_only(python):
    script = """
import sys
create_app(sample())
print([name for name in sys.modules if name.startswith("mastra_server.trace_")])
print([name for name in sys.modules if name.startswith("opentelemetry.sdk")])
"""
    assert python(PROCESS + script) == "[]\n[]\n"


def test_one_application_after_another(python):
    script = """
sent = Telemetry(export={"type": "console"}, enabled=False)
found = []
for settings in ({}, {"telemetry": sent}, {}):
    with running(kept(**settings)) as server:
        generate(server)
        found.append(total(server))
with running(create_app(sample())) as server:
    found.append("traceId" in generate(server))
print(json.dumps([found, telemetry.active()]))
"""
    assert json.loads(python(PROCESS + script)) == [[1, 1, 1, False], False]


def test_what_is_sent_has_nothing_of_what_was_said(python):
    script = """
sent = Telemetry(export={"type": "console"})
with running(kept(telemetry=sent)) as server, running(create_app(sample(telemetry=sent))) as other:
    answer = server.http.post("/api/agents/echoAgent/generate", json={"messages": "whisper"})
    assert answer.json()["text"] == "echo: whisper"
    assert total(server) == 1
"""
    printed = python(PROCESS + script)
    assert "invoke_agent Echo Agent" in printed
    assert "whisper" not in printed


def test_the_sampling_of_telemetry_decides_what_is_kept(python):
    script = """
off = Telemetry(sampling={"type": "always_off"}, export={"type": "console"})
with running(kept(telemetry=off)) as server:
    generate(server)
    print(total(server))
"""
    assert python(PROCESS + script) == "0\n"


def test_without_the_sdk(python):
    hidden = "import sys; sys.modules['opentelemetry.sdk'] = None\n"
    script = """
import os
os.environ["MASTRA_DEV"] = "true"
with running(create_app(sample())) as server:
    print(server.http.get("/api/observability/traces").status_code)
"""
    assert python(hidden + PROCESS + script) == "501\n"


def test_with_the_sdk_switched_off_nothing_is_kept(python):
    script = """
with running(kept()) as server:
    print("traceId" in generate(server), total(server))
"""
    assert python(PROCESS + script, OTEL_SDK_DISABLED="true") == "False 0\n"
