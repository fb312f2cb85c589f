"""Test that a confined caller reaches nothing of another caller, over any operation of the API."""

import contextlib
import json
import re
import types

import httpx
import pytest
from pydantic_ai.models.function import FunctionModel

from mastra_core import Agent, DurableEngine, Mastra, Memory, ToolContext, Workflow, tool
from mastra_core.agents import AgentInput
from mastra_server.http.request_context import request_context
from tests.server import sample_agents, sample_app

SECRET = re.compile("secret-of-([a-z]+)")
TOKENS = {"key-of-ann": "ann", "key-of-bob": "bob", "key-of-operator": ""}
ACCEPT = {"accept": "application/json, text/event-stream"}
MCP = "/api/mcp/mastra/mcp"
RUNS = "/api/workflows/approveWorkflow"
# Operations in which the owner must see what belongs to her.
READS = {
    "agents_observe",
    "suspended_list",
    "responses_retrieve",
    "runs_list",
    "runs_details",
    "workflows_observe",
    "memory_threads_list",
    "memory_threads_details",
    "memory_messages_list",
    "memory_working_memory",
    "logs_lines",
    "logs_of_run",
    "traces_traces",
    "traces_light_traces",
    "traces_trace",
    "traces_light_trace",
    "trace_query_query",
}


class Auth:
    """Confine every caller but the operator to a resource."""

    def authenticate(self, token, request):
        return {"name": TOKENS[token]} if token in TOKENS else None

    def resource(self, user):
        return user["name"]


async def mirror(input: AgentInput) -> dict:
    return {"resource": input.resource, "user": input.context.get("user")}


@tool(id="work")
def reveal_owner(context: ToolContext) -> str:
    """Reveal the owner of the run."""
    return f"owned by {context.resource}"


@tool(requires_approval=lambda amount: amount > 100)
def spend(amount: int) -> str:
    """Spend."""
    return f"spent {amount}"


async def confine_to_thread(request, call_next):
    if thread := request.headers.get("x-thread"):
        request_context(request)["mastra__threadId"] = thread
    return await call_next(request)


def create_application(engine):
    model = FunctionModel(
        sample_agents.generate_response, stream_function=sample_agents.stream_response
    )
    return Mastra(
        agents={
            "clerk": Agent(name="clerk", model=model, tools=[sample_agents.pay]),
            "mirror": mirror,
        },
        workflows={
            "approveWorkflow": Workflow("approve-workflow")
            .then(sample_app.ask)
            .then(sample_app.fin),
            "mirrorWorkflow": Workflow("mirror-workflow").then(
                Agent(name="reflect", model=model, tools=[reveal_owner])
            ),
        },
        tools={"pay": sample_agents.pay, "spend": spend, "whoami": sample_app.whoami},
        memory=Memory(working_memory=True),
        engine=engine,
        server_middleware=[confine_to_thread],
        logger=True,
        server={"auth": Auth(), "mcp": True, "traces": True, "logs": True, "openapi": True},
    )


@pytest.fixture(scope="module", params=("memory", "durable"))
def server(serve, tmp_path_factory, request):
    """The application with the engine in memory, and with durable runs of workflows and agents."""
    engine = request.param
    if engine == "durable":
        engine = DurableEngine(f"sqlite:///{tmp_path_factory.mktemp('runs')}/runs.db")
    with serve(create_application(engine)) as running_server:
        yield running_server


class Caller:
    """A client with the token of one caller."""

    def __init__(self, server, name):
        self.name = name
        self.http = httpx.Client(
            base_url=server.url,
            headers={"authorization": f"Bearer key-of-{name}"},
            timeout=httpx.Timeout(20, read=2),
            trust_env=False,
        )

    def send(self, method, path, **options):
        """Return the response and its text; of a stream without end, the text of two seconds."""
        text = ""
        with (
            self.http.stream(method, path, **options) as answer,
            contextlib.suppress(httpx.ReadTimeout),
        ):
            for piece in answer.iter_text():
                text += piece
                if ": connected" in text:
                    break
        return answer, text

    def post(self, path, body, **params):
        answer, text = self.send("POST", path, json=body, params=params)
        assert answer.status_code == 200, text
        return json.loads(text) if text.startswith(("{", "[")) else text

    def call_mcp(self, name, arguments):
        call = {"name": name, "arguments": arguments}
        request = {"jsonrpc": "2.0", "method": "tools/call", "id": 1, "params": call}
        answer = self.http.post(MCP, json=request, headers=ACCEPT)
        return answer.json()["result"]["content"][0]["text"]


@pytest.fixture(scope="module")
def callers(server):
    made = {name: Caller(server, name) for name in ("ann", "bob", "operator")}
    yield types.SimpleNamespace(**made)
    for each in made.values():
        each.http.close()


def create_belongings(server, caller, *, over_mcp=False):
    """Create one of everything for a caller; return the ids, as the operations name them."""
    name = caller.name
    secret = f"secret-of-{name}"
    prefix = f"{name}-{'mcp' if over_mcp else 'http'}"
    if over_mcp:
        text = caller.call_mcp("run_approveWorkflow", {"topic": secret})
        run_id = re.search(r"run '([^']+)' is suspended", text)[1]
    else:
        run_id = caller.post(f"{RUNS}/start-async", {"inputData": {"topic": secret}})["runId"]
    owner = TOKENS[f"key-of-{name}"]
    resource = owner or "nobody"
    memory = {"thread": f"{prefix}-thread", "resource": resource}
    title = {"threadId": memory["thread"], "resourceId": resource, "title": secret}
    caller.post("/api/memory/threads", title)
    run = {"messages": secret, "memory": memory, "runId": f"{prefix}-stream"}
    caller.post("/api/agents/clerk/stream", run)
    notes = {"workingMemory": secret, "resourceId": resource}
    caller.post(f"/api/memory/threads/{memory['thread']}/working-memory", notes)
    memory = {"thread": f"{prefix}-{secret}", "resource": resource}  # not among the ids below
    waiting = caller.post("/api/agents/clerk/generate", {"messages": "pay", "memory": memory})
    response = caller.post("/api/v1/responses", {"agent_id": "clerk", "input": secret})
    server.app.state.mastra.logger.info(
        secret, extra={"run_id": f"{prefix}-stream", "resource_id": owner}
    )
    messages = caller.http.get(f"/api/memory/threads/{title['threadId']}/messages").json()
    traces = caller.http.get("/api/observability/traces", params={"perPage": 100}).json()
    mine = [each for each in traces["spans"] if secret in json.dumps(each)]
    return {
        "workflowRunId": run_id,
        "agentRunId": f"{prefix}-stream",
        "suspendedRunId": waiting["runId"],
        "toolCallId": waiting["suspendPayload"]["toolCallId"],
        "threadId": title["threadId"],
        "resourceId": resource,
        "responseId": response["id"],
        "messageIds": [each["id"] for each in messages["messages"]],
        "traceId": mine[0]["traceId"],
        "spanId": mine[0]["spanId"],
    }


@pytest.fixture(scope="module")
def belongings(server, callers):
    return {
        "ann over MCP": create_belongings(server, callers.ann, over_mcp=True),
        "ann over HTTP": create_belongings(server, callers.ann),
        "nobody": create_belongings(server, callers.operator),
    }


def get_run_id(operation_id, ids):
    if operation_id.startswith("suspended"):
        return ids["suspendedRunId"]
    if operation_id.startswith(("agents", "threads", "logs")):
        return ids["agentRunId"]
    return ids["workflowRunId"]


def build_values(operation_id, ids, resource):
    """Return a value for every parameter and field of the API that names something."""
    message = {"role": "user", "content": "hello", "threadId": ids["threadId"]}
    return {
        **ids,
        "runId": get_run_id(operation_id, ids),
        "agentId": "clerk",
        "workflowId": "approveWorkflow",
        "toolId": "whoami",
        "serverId": "mastra",
        "transportId": "memory",
        "resourceId": resource,
        "messages": [{**message, "resourceId": resource or "bob"}],
        "message": "hello",
        "memory": {"thread": ids["threadId"], "resource": resource},
        "agent_id": "clerk",
        "input": "hello",
        "previous_response_id": ids["responseId"],
        "conversation_id": ids["threadId"],
        "data": {},
        "step": "ask",
        "resumeData": {"ok": True},
        "inputData": {"topic": "hello"},
        "approved": True,
        "workingMemory": "overwritten",
        "title": "overwritten",
        "newThreadId": f"clone-{operation_id}-{ids['threadId']}",
        "timeRange": {"from": "2000-01-01", "to": "2100-01-01"},
        "include": json.dumps([{"id": each} for each in ids["messageIds"]]),
        "perPage": "100",
    }


def fill_path(path, values):
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], "x"), path)


def build_requests(document, ids, resource=""):
    """Yield a request for every operation: its id, method, path and options."""
    components = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            values = build_values(operation["operationId"], ids, resource)
            required = [each["name"] for each in operation["parameters"] if each.get("required")]
            wanted = {
                *required,
                "agentId",
                "include",
                "perPage",
                *(["resourceId"] if resource else []),
            }
            params = {
                each["name"]: values[each["name"]]
                for each in operation["parameters"]
                if each["in"] == "query" and each["name"] in wanted and each["name"] in values
            }
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            known = components[body["schema"]["$ref"].rpartition("/")[2]] if body else {}
            fields = {name: values[name] for name in known.get("properties", {}) if name in values}
            at = fill_path(path, values)
            options = {"params": params, **({"json": fields} if body else {})}
            yield operation["operationId"], method.upper(), at, options


def describe_state(callers, ids):
    """Return the present state of somebody's belongings, as the operator sees it."""
    http, thread = callers.operator.http, f"/api/memory/threads/{ids['threadId']}"
    paths = [
        f"{RUNS}/runs/{ids['workflowRunId']}",
        thread,
        f"{thread}/messages?perPage=false",
        f"{thread}/working-memory?resourceId={ids['resourceId']}",
    ]
    suspended = http.get("/api/agents/clerk/suspended-runs").json()["runs"]
    waiting = [each["runId"] for each in suspended]
    return [http.get(path).json() for path in paths], ids["suspendedRunId"] in waiting


def test_no_operation_leaks(server, callers, belongings):
    document = callers.operator.http.get("/api/openapi.json").json()
    before = {whose: describe_state(callers, ids) for whose, ids in belongings.items()}
    counts = callers.bob.http.get("/api/workflows/run-counts").json()
    assert counts["approveWorkflow"]["suspended"] == 0
    leaks, called = [], 0
    for whose, ids in belongings.items():
        for resource in ("", ids["resourceId"], "bob"):
            for name, method, path, options in build_requests(document, ids, resource):
                answer, text = callers.bob.send(method, path, **options)
                called += 1
                assert answer.status_code < 500 or answer.status_code == 501, (name, text)
                found = set(SECRET.findall(text)) - {"bob"}
                if found:
                    leaks.append((name, whose, resource, found))
    after = {whose: describe_state(callers, ids) for whose, ids in belongings.items()}
    assert not leaks
    assert after == before
    assert called > 700


def test_no_operation_leaks_another_thread(server, callers, belongings):
    """A caller that a middleware confines to a thread reaches nothing of another thread.

    Runs of workflows belong to no thread.
    """
    document = callers.operator.http.get("/api/openapi.json").json()
    ids, headers = belongings["ann over HTTP"], {"x-thread": "another thread"}
    before, leaks = describe_state(callers, ids), []
    for name, method, path, options in build_requests(document, ids):
        if not path.startswith("/api/workflows"):
            _, text = callers.ann.send(method, path, headers=headers, **options)
            leaks += [name] if SECRET.findall(text) else []
    include = json.dumps([{"id": each} for each in ids["messageIds"]])
    thread = {"threadId": headers["x-thread"], "resourceId": "ann", "title": "own"}
    callers.ann.post("/api/memory/threads", thread)
    page = f"/api/memory/threads/{thread['threadId']}/messages"
    _, text = callers.ann.send("GET", page, headers=headers, params={"include": include})
    assert json.loads(text)["messages"] == []
    _, text = callers.ann.send("GET", "/api/memory/threads", headers=headers)
    assert [each["title"] for each in json.loads(text)["threads"]] == ["own"]
    assert callers.ann.http.delete(f"/api/memory/threads/{thread['threadId']}").status_code == 200
    assert not leaks
    assert describe_state(callers, ids) == before
    stored = callers.ann.http.get(f"/api/v1/responses/{ids['responseId']}")
    assert stored.status_code == 200


def test_a_caller_reads_its_own_thread(callers, belongings):
    document = callers.operator.http.get("/api/openapi.json").json()
    ids = belongings["ann over HTTP"]
    headers, seen = {"x-thread": ids["threadId"]}, set()
    for name, method, path, options in build_requests(document, ids):
        if name in READS:
            _, text = callers.ann.send(method, path, headers=headers, **options)
            seen |= {name} if SECRET.findall(text) else set()
    assert seen >= {
        "agents_observe",
        "memory_threads_list",
        "memory_threads_details",
        "memory_messages_list",
        "memory_working_memory",
        "traces_traces",
        "traces_light_traces",
        "trace_query_query",
    }


def test_the_owner_reads_everything(callers, belongings):
    document = callers.operator.http.get("/api/openapi.json").json()
    seen = set()
    for whose in ("ann over MCP", "ann over HTTP"):
        for name, method, path, options in build_requests(document, belongings[whose]):
            if name in READS:
                answer, text = callers.ann.send(method, path, **options)
                assert answer.status_code == 200, (name, text)
                found = set(SECRET.findall(text))
                assert found <= {"ann"}, name
                seen |= {name} if found else set()
    assert seen == READS
    counts = callers.ann.http.get("/api/workflows/run-counts").json()
    assert counts["approveWorkflow"]["suspended"] == 2


def test_the_owner_decides(callers, belongings):
    for whose in ("ann over MCP", "ann over HTTP"):
        ids = belongings[whose]
        resume = {"step": "ask", "resumeData": {"ok": True}}
        run = callers.ann.post(f"{RUNS}/resume-async", resume, runId=ids["workflowRunId"])
        assert run["status"] == "success"
        decision = {"runId": ids["suspendedRunId"], "toolCallId": ids["toolCallId"]}
        done = callers.ann.post("/api/agents/clerk/approve-tool-call-generate", decision)
        assert "paid 3" in done["text"]
        for path in (
            f"{RUNS}/runs/{ids['workflowRunId']}",
            f"/api/memory/threads/{ids['threadId']}",
            f"/api/v1/responses/{ids['responseId']}",
        ):
            assert callers.ann.http.delete(path).status_code == 200, path


def test_the_caller_of_a_run_over_mcp(callers):
    expected = {"resource": "ann", "user": {"name": "ann"}}
    assert json.loads(callers.ann.call_mcp("ask_mirror", {"message": "x"})) == expected
    execute = "/api/mcp/mastra/tools/ask_mirror/execute"
    assert callers.ann.post(execute, {"data": {"message": "x"}})["result"] == expected
    context = json.loads(callers.ann.call_mcp("whoami", {}))
    assert (context["user"], context["mastra__resourceId"]) == ({"name": "ann"}, "ann")
    operator = json.loads(callers.operator.call_mcp("ask_mirror", {"message": "x"}))
    assert operator == {"resource": "", "user": {"name": ""}}


def test_the_owner_of_an_agent_in_a_workflow(callers):
    run = callers.ann.post("/api/workflows/mirrorWorkflow/start-async", {"inputData": "work"})
    assert run["result"] == {"text": "Then: owned by ann"}
    assert "owned by ann" in callers.ann.call_mcp("run_mirrorWorkflow", {"input": "work"})


def test_tools_that_require_approval(callers):
    ann, paid = callers.ann, list(sample_agents.paid)
    for path in ("/api/tools/pay", "/api/agents/clerk/tools/pay"):
        answer = ann.http.post(f"{path}/execute", json={"data": {"amount": 3}})
        assert answer.status_code == 409
        assert "requires approval" in answer.json()["error"]
        answer = ann.http.post(f"{path}/execute", json={"data": {"amount": "x"}})
        assert answer.json()["error"] is True
    small = ann.http.post("/api/tools/spend/execute", json={"data": {"amount": 50}})
    assert (small.status_code, small.json()) == (200, "spent 50")
    large = ann.http.post("/api/tools/spend/execute", json={"data": {"amount": 500}})
    assert large.status_code == 409
    for name in ("pay", "spend"):
        execute = f"/api/mcp/mastra/tools/{name}/execute"
        assert ann.http.post(execute, json={"data": {"amount": 3}}).status_code == 404
        assert "There is no tool" in ann.call_mcp(name, {"amount": 3})
    assert "waits for a person's decision" in ann.call_mcp("ask_clerk", {"message": "pay"})
    assert sample_agents.paid == paid


def test_a_run_id_of_another_thread_reveals_nothing(server, callers):
    def stream(thread, words):
        memory = {"thread": thread, "resource": "team"}
        body = {"messages": words, "runId": "reused", "memory": memory}
        path = "/api/agents/mirror/stream"
        return callers.operator.send("POST", path, json=body, headers={"x-thread": thread})

    assert stream("thread-1", "one")[0].status_code == 200
    assert stream("thread-2", "two")[0].status_code == 200
    body = {"runId": "reused", "offset": 0}
    answer, text = callers.operator.send(
        "POST", "/api/agents/mirror/observe", json=body, headers={"x-thread": "thread-2"}
    )
    assert answer.status_code == 200
    assert text.count('"type":"start"') == 1


def test_tasks_of_another_thread_are_not_listed(server, callers):
    def call(method, thread, **params):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"A2A-Version": "1.0", "x-thread": thread}
        answer = callers.operator.send("POST", "/api/a2a/mirror", json=body, headers=headers)
        return json.loads(answer[1])

    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}], "contextId": "c1"}
    assert "result" in call("SendMessage", "c1", message=message)
    assert len(call("ListTasks", "c1")["result"]["tasks"]) == 1
    assert call("ListTasks", "c2")["result"]["tasks"] == []
    assert "error" in call("ListTasks", "c2", contextId="c1")
