"""Attack: a page of any origin sends JSON under a content type that needs no preflight request."""

import json
import time

import pytest

from mastra_core import ApiRoute, Mastra, Memory, SqliteStorage, tool
from mastra_server.http.content_type import require_json_type
from tests.server.sample_app import create_sample

ORIGIN = {"origin": "https://attacker.example"}
# What a form, `fetch(..., {mode: "no-cors"})` and `sendBeacon` can send to another origin.
SIMPLE_TYPES = (
    "text/plain",
    "text/plain;charset=UTF-8",
    "text/plain; application/json",
    "TEXT/PLAIN",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=application/json",
)
NAMES = {
    "agentId": "echoAgent",
    "workflowId": "pureWorkflow",
    "toolId": "whoami",
    "runId": "run-1",
    "threadId": "thread-1",
    "resourceId": "ann",
    "serverId": "mastra",
}
JSON_TYPES = (
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/merge-patch+json",
    "application/vnd.api+json; version=1",
)


@pytest.fixture(scope="module")
def body_operations(serve, tmp_path_factory):
    """Method and URL of each operation that reads a body, on a server with everything enabled."""
    storage = SqliteStorage(tmp_path_factory.mktemp("attacks") / "app.db")
    settings = {"openapi": True, "traces": True, "mcp": True}
    memory = Memory(working_memory=True)
    with serve(create_sample(server=settings, memory=memory, storage=storage)) as server:
        create_run = "/api/workflows/pureWorkflow/create-run?runId=run-1"
        assert server.http.post(create_run, json={"resourceId": "ann"}).status_code == 200
        thread = {"resourceId": "ann", "threadId": "thread-1"}
        assert server.http.post("/api/memory/threads", json=thread).status_code == 200
        document = server.http.get("/api/openapi.json").json()
        yield server, list(iter_body_operations(document))


def iter_body_operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "requestBody" in operation and "501" not in operation["responses"]:
                url = path.replace("{agentId}/tools/{toolId}", "{agentId}/tools/add")
                for name, value in NAMES.items():
                    url = url.replace(f"{{{name}}}", value)
                yield method.upper(), f"{url}?runId=run-1&agentId=echoAgent&resourceId=ann"


@pytest.mark.parametrize("content_type", SIMPLE_TYPES)
def test_every_operation_refuses_bodies_that_are_not_json(body_operations, content_type):
    server, operations = body_operations
    assert len(operations) > 30
    accepted = []
    for method, url in operations:
        headers = {"content-type": content_type, **ORIGIN}
        answer = server.http.request(method, url, content=b'{"messages": "x"}', headers=headers)
        if answer.status_code != 415:
            accepted.append(f"{method} {url} {answer.status_code} {answer.text[:80]}")
    assert not accepted, "\n".join(accepted)


def test_a_text_body_runs_no_tool(serve):
    calls = []

    @tool(id="erase")
    def erase(path: str) -> str:
        """Erases a file."""
        calls.append(path)
        return path

    with serve(Mastra(tools={"erase": erase}, logger=False, server={"mcp": True})) as server:
        path, body = "/api/tools/erase/execute", {"data": {"path": "/home"}}
        for content_type in SIMPLE_TYPES:
            headers = {"content-type": content_type, **ORIGIN}
            answer = server.http.post(path, content=json.dumps(body).encode(), headers=headers)
            assert answer.status_code == 415
            assert repr(content_type) in answer.json()["error"]
            assert "-H 'content-type: application/json'" in answer.json()["error"]
            call = {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": "erase", "arguments": {"path": "/home"}},
            }
            headers["accept"] = "application/json, text/event-stream"
            content = json.dumps(call).encode()
            answer = server.http.post("/api/mcp/mastra/mcp", content=content, headers=headers)
            assert answer.status_code in (400, 415), answer.text
        assert calls == []
        assert server.http.post(path, json=body).json() == "/home"
    assert calls == ["/home"]


@pytest.mark.parametrize("content_type", JSON_TYPES)
def test_json_types_are_accepted(api, content_type):
    headers = {"content-type": content_type, **ORIGIN}
    answer = api.post(
        "/api/agents/echoAgent/generate", content=b'{"messages": "x"}', headers=headers
    )
    assert answer.status_code == 200, answer.text


def test_a_body_without_a_type_is_accepted_from_programs_only(api):
    path, content = "/api/agents/echoAgent/generate", b'{"messages": "x"}'
    assert api.post(path, content=content).status_code == 200
    for headers in (ORIGIN, {"content-type": "", **ORIGIN}, {"origin": "null"}):
        answer = api.post(path, content=content, headers=headers)
        assert answer.status_code == 415, headers
        assert "without a content type" in answer.json()["error"]


@pytest.mark.parametrize("content_type", [None, *SIMPLE_TYPES])
def test_an_empty_body_is_accepted(api, content_type):
    headers = ORIGIN if content_type is None else {"content-type": content_type, **ORIGIN}
    answer = api.post("/api/workflows/pureWorkflow/create-run", headers=headers)
    assert answer.status_code == 200, answer.text


def test_custom_routes_read_any_type(serve):
    async def receive_form(request):
        return {"size": len(await request.body())}

    route = ApiRoute(path="/hooks", handler=receive_form, method="POST")
    with serve(Mastra(server={"api_routes": [route]}, logger=False)) as server:
        assert server.http.post("/hooks", data={"a": "b"}, headers=ORIGIN).json() == {"size": 3}


def test_the_check_takes_microseconds():
    names = (b"host", b"accept", b"user-agent", b"accept-encoding", b"connection", b"origin")
    headers = [*((name, b"x") for name in names), (b"content-type", b"application/json")]
    best = min(measure_check(headers) for _ in range(5))
    assert best < 20e-6, best


def measure_check(headers, count=2000):
    start = time.perf_counter()
    for _ in range(count):
        require_json_type(headers)
    return (time.perf_counter() - start) / count
