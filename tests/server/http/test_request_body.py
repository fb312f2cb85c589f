"""Test valid and invalid requests and the responses to them."""

import base64
import gzip
import json
import logging
import socket
import time

import pytest

from mastra_core import (
    ApiRoute,
    Cors,
    DurableEngine,
    Mastra,
    MemoryEngine,
    Workflow,
    create_logger,
    step,
    tool,
)
from mastra_core.logger import get_logger
from mastra_server.http.errors import get_status
from mastra_server.http.request_body import StructureError, check_structure

GENERATE = "/api/agents/contextAgent/generate"


def test_health(api):
    assert api.get("/health").json() == {"success": True}
    assert api.head("/health").status_code == 200
    assert api.get("/ready").json() == {"ready": True}


def test_ready_while_draining(serve):
    with serve() as server:
        server.app.state.draining = True
        answer = server.http.get("/ready")
        assert (answer.status_code, answer.json()) == (
            503,
            {"ready": False, "reason": "draining"},
        )
        assert server.http.get("/health").status_code == 200


def test_ready_tells_the_load_of_a_durable_engine(serve, tmp_path):
    with serve(Mastra(engine=DurableEngine(f"sqlite:///{tmp_path}/runs.db"))) as server:
        load = server.http.get("/ready").json()["runs"]
    assert load == {"queued": 0, "oldestQueued": None, "parked": 0, "takeovers": 0}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("GET", "/nope"),
        ("GET", "/api/nope"),
        ("GET", "/api/agents/"),
        ("GET", "//api/agents"),
        ("GET", "/api//agents"),
        ("DELETE", "/api/agents"),
        ("GET", "/api/agents/boom/generate"),
    ],
)
def test_unknown_routes(api, method, path):
    answer = api.request(method, _raw(api, path))
    assert (answer.status_code, answer.text) == (404, "404 Not Found")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def _raw(api, path):
    return str(api.base_url).rstrip("/") + path


def test_empty_query(api):
    answer = api.post(_raw(api, "/api/tools/addTool/execute?"), json={"data": {"a": 1, "b": 2}})
    assert answer.json() == {"sum": 3}


def test_no_body_and_no_content_type(api):
    made = api.post("/api/workflows/pureWorkflow/create-run?")
    assert made.status_code == 200
    cancel = api.post(f"/api/workflows/pureWorkflow/runs/{made.json()['runId']}/cancel")
    assert cancel.json() == {"message": "Workflow run cancelled"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"\xff", "body"),
        (b"[]", "root"),
        (b"[" * 5000, "body"),
        (b'{"messages":' + b"[" * 300 + b"]" * 300 + b"}", "body"),
        (b'{"messages": "' + b"[" * 300 + b'\\"", "maxSteps": "y"}', "maxSteps"),
        (b'{"messages": "x", "maxSteps": ' + b"9" * 310 + b"}", "body"),
        (b'{"messages": "x", "maxSteps": 0.' + b"1" * 310 + b"}", "body"),
        (b'{"messages": "' + b'"' * 500_000 + b"9" * 310 + b"}", "body"),
        (b"{}", "messages"),
        (b'{"messages": 1}', "messages"),
        (b'{"messages": []}', "messages"),
        (b'{"messages": [{"role": "robot", "content": "x"}]}', "messages.0.role"),
        (b'{"messages": [{"role": "user"}]}', "messages.0.content"),
        (b'{"messages": [{"role": "user", "content": [{"type": "text"}]}]}', "messages.0.content"),
        (b'{"messages": {"role": "robot"}}', "messages.role"),
        (b'{"messages": "x", "context": ["x", 5]}', "context.1"),
        (b'{"messages": "x", "instructions": {"content": 5}}', "instructions.content"),
        (b'{"messages": "x", "system": ["x", {"content": 5}]}', "system.1.content"),
        (b'{"messages": "x", "maxSteps": "y"}', "maxSteps"),
    ],
)
def test_invalid_bodies(api, body, field):
    answer = api.post(GENERATE, content=body)
    assert answer.status_code == 400, answer.text
    told = answer.json()
    assert told["error"] == "Invalid request body"
    assert [issue["field"] for issue in told["issues"]] == [field]


def test_a_byte_order_mark_is_skipped(api):
    answer = api.post(GENERATE, content='\ufeff{"messages": "hi"}'.encode())
    assert answer.status_code == 200


BODY = b'{"messages": "h\xc3\xa9"}'


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ({"content-encoding": "gzip"}, gzip.compress(BODY, mtime=0), "encoding 'gzip'"),
        ({"content-encoding": "Br"}, b"\x0b\x02\x80{}\x03", "encoding 'Br'"),
        ({"content-encoding": "gzip"}, b"\x1f\x8b" + b"[" * 300, "encoding 'gzip'"),
        ({"content-encoding": "gzip"}, b"\x1f\x8b" + b"9" * 400, "encoding 'gzip'"),
        (
            {"content-type": "application/json; charset=utf-16"},
            BODY.decode().encode("utf-16"),
            "utf-16",
        ),
        ({"content-type": 'application/json;charset="latin1"'}, b'{"messages": "h\xe9"}', "latin1"),
    ],
)
def test_a_body_that_is_not_plain_utf_8_is_refused(api, headers, body, words):
    answer = api.post(GENERATE, content=body, headers=headers)
    assert answer.status_code == 415
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-encoding": "identity"},
        {"content-type": "application/json; charset=UTF-8"},
        {"content-type": "application/json; charset=utf_8"},
    ],
)
def test_usual_encodings_are_read(api, headers):
    assert api.post(GENERATE, content=BODY, headers=headers).status_code == 200
    answer = api.post(GENERATE, content=b"{", headers=headers)
    assert answer.json()["issues"] == [{"field": "body", "message": "Invalid JSON in request body"}]


@pytest.mark.parametrize(
    ("build", "counts"),
    [
        (lambda count: ["a"] * count, [1000, 1001]),
        (lambda count: {f"k{number}": "a" for number in range(count)}, [1000, 1001]),
        (lambda count: [["a"]] * count, [500, 501]),
    ],
    ids=["texts", "entries", "lists"],
)
def test_number_of_values_is_limited_exactly(build, counts):
    fitting, large = (json.dumps(build(count)).encode() for count in counts)
    check_structure(fitting, 1000)
    with pytest.raises(StructureError, match="at most 1000 values"):
        check_structure(large, 1000)


def test_depth_is_limited_exactly():
    check_structure(b"[" * 200 + b"]" * 200, 1000)
    with pytest.raises(StructureError, match="at most 200 levels"):
        check_structure(b"[" * 201 + b"]" * 201, 1000)


def test_long_numbers_in_texts_and_values(api):
    """A number as large as JavaScript's largest one is accepted, and a text may have any digits."""
    context = {"number": 10**308, "text": "9" * 5000, "quoted": '"' + "9" * 5000 + '\\"'}
    answer = api.post("/api/tools/whoami/execute", json={"data": {}, "requestContext": context})
    assert (answer.status_code, answer.json()) == (200, context)


@pytest.mark.parametrize(
    ("value", "problem"),
    [(None, "Required"), ("", "Required"), (0, "Expected a string"), ([], "Expected a string")],
)
def test_invalid_ids(api, value, problem):
    message = {"role": "user", "content": "x", "threadId": value, "resourceId": "r"}
    answer = api.post("/api/memory/save-messages", json={"messages": [message]})
    assert answer.status_code == 400
    assert answer.json()["issues"] == [{"field": "messages.0.threadId", "message": problem}]


def test_missing_query(api):
    answer = api.post("/api/workflows/pureWorkflow/start", json={"inputData": {"n": 1}})
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "Invalid query parameters",
        "issues": [{"field": "runId", "message": "Required"}],
    }


def test_body_limit(serve):
    with serve(server={"body_limit": 1000}) as server:
        large = json.dumps({"messages": "x" * 2000}).encode()
        announced = server.http.post(GENERATE, content=large)
        chunked = server.http.post(GENERATE, content=iter([large[:500], large[500:]]))
        assert server.http.post(GENERATE, json={"messages": "x"}).status_code == 200
    for answer in (announced, chunked):
        assert (answer.status_code, answer.json()) == (413, {"error": "Request body too large"})


def test_timeout_to_the_first_byte(serve):
    with serve(server={"timeout": 0.3}) as server:
        answer = server.http.post("/api/agents/slowAgent/generate", json={"messages": "x"})
        assert (answer.status_code, answer.json()) == (504, {"error": "Gateway Timeout"})
        assert answer.headers["access-control-allow-origin"] == "*"
        stream = server.http.post("/api/agents/ticking/stream", json={"messages": "x"})
        assert stream.text.endswith("data: [DONE]\n\n")


def test_errors_reveal_no_internals(api):
    logger = get_logger("mastra.server")
    seen = []
    handler = logging.Handler()
    handler.emit = seen.append
    logger.addHandler(handler)
    try:
        generate = api.post("/api/agents/brokenAgent/generate", json={"messages": "x"})
        stream = api.post("/api/agents/brokenAgent/stream", json={"messages": "x"})
    finally:
        logger.removeHandler(handler)
    assert (generate.status_code, generate.json()) == (500, {"error": "Internal Server Error"})
    assert stream.status_code == 200
    for answer in (generate, stream):
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text


def test_request_context(api):
    query = base64.b64encode(json.dumps({"b": 2, "mastra__x": 1}).encode()).decode()
    answer = api.post(
        f"{GENERATE}?requestContext={query}",
        json={
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            ],
            "requestContext": {"a": 1, "b": 1, "user": "mallory"},
            "memory": {"thread": {"id": "t1"}, "resource": "u1"},
            "modelSettings": {"maxOutputTokens": 5, "topP": 0.5},
        },
    ).json()
    assert answer["object"] == {
        "context": {"a": 1, "b": 2},
        "thread": "t1",
        "settings": {"max_tokens": 5, "top_p": 0.5},
        "messages": [["system", "be brief"], ["user", "hi"]],
    }
    tool = api.post(
        "/api/tools/whoami/execute", json={"data": {}, "requestContext": {"a": 1, "user": "m"}}
    )
    assert tool.json() == {"a": 1}
    for wrong in ("x", "%F3%94%8E%B7", "%7B", "WzFd"):
        answer = api.post(f"{GENERATE}?requestContext={wrong}", json={"messages": "x"})
        assert answer.status_code == 400, wrong


def test_request_id(api):
    assert len(api.get("/health").headers["x-request-id"]) == 32
    brought = api.get("/api/agents", headers={"x-request-id": "abc-1"})
    assert brought.headers["x-request-id"] == "abc-1"
    unusable = api.get("/api/agents", headers={"x-request-id": "a b"})
    assert unusable.headers["x-request-id"] != "a b"


def send_preflight(http, origin="https://a.example"):
    headers = {"origin": origin, "access-control-request-method": "POST"}
    return http.options("/api/agents", headers=headers)


def test_cors(api):
    answer = send_preflight(api)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-mastra-client-type" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "3600"
    assert api.get("/nope").headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "origin", ["http://localhost:4000", "http://127.0.0.1:4000", "http://[::1]:4000"]
)
def test_local_origins_may_send_credentials_in_dev(serve, api, monkeypatch, origin):
    assert "access-control-allow-credentials" not in send_preflight(api, origin).headers
    monkeypatch.setenv("MASTRA_DEV", "true")
    with serve() as server:
        allowed, other = send_preflight(server.http, origin), send_preflight(server.http)
    assert allowed.headers["access-control-allow-origin"] == origin
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in other.headers
    assert (allowed.headers["vary"], other.headers["vary"]) == ("Origin", "Origin")


@pytest.mark.parametrize(
    "origin", ["http://localhost.evil.example", "http://127.0.0.1:4000.evil.example", "null"]
)
def test_similar_origins_may_not_send_credentials(serve, monkeypatch, origin):
    monkeypatch.setenv("MASTRA_DEV", "true")
    with serve() as server:
        answer = send_preflight(server.http, origin)
    assert "access-control-allow-credentials" not in answer.headers


def test_cors_for_some_origins(serve):
    cors = Cors(origins=["https://a.example"], credentials=True, headers=["x-own"])
    with serve(server={"cors": cors}) as server:
        allowed, other = (
            send_preflight(server.http),
            send_preflight(server.http, "https://b.example"),
        )
        plain = server.http.get("/api/agents", headers={"origin": "https://a.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://a.example"
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert allowed.headers["access-control-allow-headers"].endswith("x-own")
    assert "access-control-allow-origin" not in other.headers
    assert plain.headers["vary"] == "Origin"


def test_no_cors(serve):
    with serve(server={"cors": False}) as server:
        answer = server.http.get("/api/agents", headers={"origin": "https://a.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_too_many_workflow_runs(serve):
    with serve(engine=MemoryEngine(max_unfinished=1)) as server:
        start = "/api/workflows/approveWorkflow/start-async"
        assert server.http.post(start, json={"inputData": {"topic": "x"}}).status_code == 200
        assert server.http.post(start, json={"inputData": {"topic": "x"}}).status_code == 429


def test_random_bytes(server):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GARBAGE\r\n\r\n")
        assert b"400" in connection.recv(1000)
    assert server.http.get("/health").status_code == 200


async def connecting(text: str) -> str:
    raise ConnectionError(f"cannot reach postgres://ann:{text}@db/x")


@tool(id="connect")
def connect(password: str) -> str:
    """Connects."""
    raise ConnectionError(f"cannot reach postgres://ann:{password}@db/x")


@step(id="connect")
async def connect_step(password: str) -> str:
    raise ConnectionError(f"cannot reach postgres://ann:{password}@db/x")


def test_errors_contain_no_password(serve):
    mastra = Mastra(
        agents={"connecting": connecting},
        tools={"connect": connect},
        workflows={"connect": Workflow("connect").then(connect_step)},
        logger=False,
    )
    with serve(mastra) as server:
        said = [
            server.http.post(f"/api{path}", json=body)
            for path, body in (
                ("/agents/connecting/generate", {"messages": "hunter2"}),
                ("/agents/connecting/stream", {"messages": "hunter2"}),
                ("/tools/connect/execute", {"data": {"password": "hunter2"}}),
                ("/workflows/connect/start-async", {"inputData": "hunter2"}),
                ("/workflows/connect/stream?runId=r1", {"inputData": "hunter2"}),
            )
        ]
        said.append(server.http.get("/api/workflows/connect/runs/r1?fields=steps"))
    for answer in said:
        assert "ann:" not in answer.text, answer.request.url
        assert "ConnectionError" in answer.text or "postgres://****@db/x" in answer.text


def test_a_client_that_disconnects_within_its_body_is_no_error_of_the_server(serve):
    errors = []
    settings = {
        "logs": True,
        "api_routes": [ApiRoute(path="/size", method="POST", handler=measure_body)],
        "on_error": lambda error, _: errors.append(error),
    }
    with serve(logger=create_logger("app", stream=False), server=settings) as server:
        for path in ("/size", "/api/agents/echoAgent/generate"):
            head = f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json"
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(f"{head}\r\ncontent-length: 100\r\n\r\nabc".encode())
        wait_until(lambda: len(errors) == 2)
        assert [get_status(error) for error in errors] == [400, 400]
        time.sleep(0.3)  # a line is written within a tenth of a second
        lines = server.http.get("/api/logs", params={"transportId": "memory"}).json()["logs"]
        assert [line for line in lines if line["level"] == "error"] == []


async def measure_body(request):
    return {"size": len(await request.body())}


def wait_until(is_true):
    deadline = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
