"""Test the user's middleware, and the examples of its documentation."""

import asyncio
import logging
import re
import time

import pytest
from litestar import Response
from litestar.exceptions import HTTPException

from mastra_core import Middleware
from mastra_core.errors import ConfigError, Conflict
from mastra_server import create_app, request_context
from tests.repository import ROOT
from tests.server.sample_app import TickingRuns, create_sample

PAGE = ROOT / "docs" / "middleware.md"


async def mark(request, next):
    answer = await next(request)
    answer.headers["x-marked"] = f"{answer.status_code}"
    return answer


def test_the_default_path(serve):
    with serve(server_middleware=[mark]) as server:
        covered = ["/api", "/api/agents", "/api/nope"]
        outside = ["/health", "/ready", "/", "/apis", "/nope"]
        for path in covered:
            assert "x-marked" in server.http.get(path).headers, path
        for path in outside:
            assert "x-marked" not in server.http.get(path).headers, path


def test_every_route(serve):
    with serve(server_middleware=[Middleware(handler=mark, path="*")]) as server:
        assert server.http.get("/nope").headers["x-marked"] == "404"
        assert server.http.get("/").headers["x-marked"] == "200"
        for path in ("/health", "/ready"):
            assert "x-marked" not in server.http.get(path).headers


def test_other_paths(serve):
    with serve(server_middleware=[{"handler": mark, "path": "/api/tools"}]) as server:
        assert "x-marked" in server.http.get("/api/tools").headers
        assert "x-marked" not in server.http.get("/api/tools/addTool").headers
    with pytest.raises(ConfigError, match="in the middle"):
        create_app(create_sample(server_middleware=[{"handler": mark, "path": "/api/*/tools"}]))


def test_class_that_takes_no_app():
    class Timing:
        pass

    with pytest.raises(ConfigError, match="middleware class 'Timing' cannot be created"):
        create_app(create_sample(server_middleware=[Timing]))


def test_no_spelling_bypasses_middleware(serve):
    async def refuse(request, next):
        return Response({"error": "no"}, status_code=401)

    with serve(server_middleware=[refuse]) as server:
        for path in (
            "/api/agents",
            "//api/agents",
            "/api//agents",
            "/api/agents/",
            "/%61pi/agents",
        ):
            assert server.http.get(server.url + path).status_code in (401, 404), path


def test_order_and_short_circuit(serve):
    seen = []

    async def first(request, next):
        seen.append("first in")
        answer = await next()
        seen.append("first out")
        return answer

    async def second(request, next):
        seen.append("second")
        if request.headers.get("x-stop"):
            return Response({"stopped": True}, status_code=418)
        answer = await next(request)
        answer.status_code = 202
        return answer

    with serve(server_middleware=[first, second]) as server:
        assert server.http.get("/api/agents").status_code == 202
        stopped = server.http.get("/api/agents", headers={"x-stop": "1"})
    assert (stopped.status_code, stopped.json()) == (418, {"stopped": True})
    assert stopped.headers["access-control-allow-origin"] == "*"
    assert seen == ["first in", "second", "first out"] * 2


def test_exceptions(serve):
    async def raising(request, next):
        match request.headers.get("x-raise"):
            case "http":
                raise HTTPException("teapot", status_code=418, headers={"x-own": "1"})
            case "request":
                raise Conflict("not now")
            case "late":
                await next(request)
                raise RuntimeError("secret")
            case "nothing":
                return
            case "twice":
                await next(request)
                await next(request)
        raise RuntimeError("secret")

    with serve(server_middleware=[raising]) as server:

        def request_error(what):
            answer = server.http.get("/api/agents", headers={"x-raise": what})
            assert answer.headers.get("x-own") == ("1" if what == "http" else None)
            return answer.status_code, answer.json()

        internal = (500, {"error": "Internal Server Error"})
        assert request_error("http") == (418, {"error": "teapot"})
        assert request_error("request") == (409, {"error": "not now"})
        for what in ("late", "nothing", "twice", "other"):
            assert request_error(what) == internal


def test_a_middleware_may_read_the_body(serve):
    async def reading(request, next):
        assert await request.body()
        return await next(request)

    with serve(server_middleware=[reading], server={"body_limit": 100}) as server:
        path = "/api/agents/echoAgent/generate"
        assert server.http.post(path, json={"messages": "x"}).json()["text"] == "echo: x"
        large = server.http.post(path, content=iter([b"x" * 60, b"x" * 60]))
        assert large.status_code == 413


def test_context_reaches_agents_tools_and_steps(serve):
    async def who(request, next):
        request_context(request)["user"] = "ada"
        return await next(request)

    with serve(server_middleware=[who]) as server:
        forged = {"requestContext": {"user": "mallory", "a": 1}}
        agent = server.http.post(
            "/api/agents/contextAgent/generate", json={"messages": "x", **forged}
        )
        tool = server.http.post("/api/tools/whoami/execute", json={"data": {}, **forged})
        run = server.http.post("/api/workflows/seeWorkflow/start-async", json=forged)
    assert agent.json()["object"]["context"] == {"user": "ada", "a": 1}
    assert tool.json() == {"user": "ada", "a": 1}
    assert run.json()["result"] == {"user": "ada", "a": 1}


TICKING = "/api/agents/ticking/stream"
ABORT = {"x-mastra-abort-on-disconnect": "true"}


@pytest.fixture
def ticking_runs(monkeypatch):
    """Runs of other tests may still go on; these lists hold only those of this test."""
    monkeypatch.setattr(TickingRuns, "begun", [])
    monkeypatch.setattr(TickingRuns, "ended", [])


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition was never true"
        time.sleep(0.02)


def test_streams_flow_through(serve, ticking_runs):
    with serve(server_middleware=[mark, mark]) as server:
        times = []
        with server.http.stream(
            "POST", TICKING, json={"messages": "flowing"}, headers=ABORT
        ) as answer:
            assert answer.headers["x-marked"] == "200"
            for line in answer.iter_lines():
                if "text-delta" in line:
                    times.append(time.monotonic())
                if len(times) == 10:
                    break
        assert len(times) == 10
        assert times[-1] - times[0] > 0.3
        wait_until(lambda: TickingRuns.ended == ["flowing"])


async def replace_response(request, next):
    await next(request)
    return Response({"replaced": True}, status_code=200)


def test_a_replaced_response_is_a_client_that_left(serve, ticking_runs):
    """Its run goes on to its end, unless the client asked for another behaviour."""
    with serve(server_middleware=[replace_response]) as server:
        for text, headers in (("goes on", {}), ("stops", ABORT)):
            answer = server.http.post(TICKING, json={"messages": text}, headers=headers)
            assert answer.json() == {"replaced": True}
        assert TickingRuns.begun == ["goes on", "stops"]
        assert TickingRuns.ended == ["stops"]
        wait_until(lambda: TickingRuns.ended == ["stops", "goes on"])


def test_a_replaced_response_leaves_no_task(serve):
    counts = []

    async def replace_and_count(request, next):
        counts.append(len(asyncio.all_tasks()))
        return await replace_response(request, next)

    with serve(server_middleware=[replace_and_count]) as server:
        for _ in range(4):
            assert server.http.get("/api/agents").json() == {"replaced": True}
    assert counts[1:] == counts[:1] * 3


def test_a_time_limit_covers_middleware(serve):
    left = []

    async def sleepy(request, next):
        try:
            await asyncio.sleep(30)
        finally:
            left.append(True)

    with serve(server_middleware=[sleepy], server={"timeout": 0.2}) as server:
        assert server.http.get("/api/agents").status_code == 504
    assert left == [True]


class Classic:
    """An ASGI middleware class."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def marked(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-classic", b"1")]
            await send(message)

        await self.app(scope, receive, marked)


def test_asgi_classes(serve):
    with serve(server_middleware=[Classic]) as server:
        assert server.http.get("/api/agents").headers["x-classic"] == "1"
        assert "x-classic" not in server.http.get("/health").headers


def read_examples():
    """Return the complete examples of the page: the blocks that create an application."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if re.search(r"^mastra = ", block, re.MULTILINE)]


def load_example(index):
    namespace = {"__name__": f"example_{index}"}
    exec(compile(read_examples()[index], f"{PAGE.name}:{index}", "exec"), namespace)
    return namespace


def test_number_of_documented_examples():
    assert len(read_examples()) == 3


def test_documented_bearer_tokens(serve, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "a-long-random-token")
    with serve(load_example(0)["mastra"]) as server:
        refused = server.http.get("/api/agents")
        bearer = {"authorization": "Bearer a-long-random-token"}
        allowed = server.http.post(
            "/api/agents/hello/generate", json={"messages": "Ada"}, headers=bearer
        )
        assert server.http.get("/health").status_code == 200
    assert (refused.status_code, refused.json()) == (401, {"error": "Invalid or expired token"})
    assert allowed.json()["text"] == "Hello, Ada!"


def test_documented_cors(serve):
    origin = {"origin": "https://app.example.com"}
    with serve(load_example(1)["mastra"]) as server:
        preflight = server.http.options(
            "/api/agents", headers={**origin, "access-control-request-method": "POST"}
        )
        allowed = server.http.get("/api/agents", headers=origin)
        other = server.http.get("/api/agents", headers={"origin": "https://b.example"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "GET, POST, DELETE"
    assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "access-control-allow-origin" not in other.headers


def test_documented_logging(serve):
    namespace = load_example(2)
    seen = []
    handler = logging.Handler()
    handler.emit = seen.append
    namespace["logger"].handlers = [handler]
    with serve(namespace["mastra"]) as server:
        began = time.monotonic()
        server.http.get("/nope")
        elapsed = (time.monotonic() - began) * 1000
        server.http.get("/health")
    (record,) = seen
    assert record.getMessage() == "GET /nope"
    assert record.status == 404
    assert 0 < record.ms < elapsed
