"""Test rate limits, and HTTPS only."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from limits import parse

from mastra_core import RateLimit
from mastra_core.errors import ConfigError
from mastra_server import create_app
from mastra_server.middleware import moving_window
from mastra_server.middleware.rate_limit import RateLimiter
from tests.server.guarded_server import serve_guarded
from tests.server.sample_app import create_sample


def test_rate_limit_by_address(serve):
    with serve(server={"rate_limit": RateLimit(amount="3/hour")}) as server:
        answers = [server.http.get("/api/agents") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers[:3]] == list("210")
        assert answers[3].json() == {"error": "Too many requests"}
        assert answers[3].headers["access-control-allow-origin"] == "*"
        assert 3500 < int(answers[3].headers["retry-after"]) <= 3601
        assert server.http.get("/health").status_code == 200
        preflight = {"origin": "https://a.example", "access-control-request-method": "POST"}
        assert server.http.options("/api/agents", headers=preflight).status_code == 204


def test_two_servers_share_a_limit_in_a_database(serve, postgres_url):
    server = {"rate_limit": RateLimit(amount="3/day", storage=postgres_url)}
    with serve(server=server) as one, serve(server=server) as two:
        answers = [each.http.get("/api/agents") for each in (one, two, one, two)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == list("2100")


def test_rate_limit_under_the_request_scope():
    settings = {"rate_limit": RateLimit(amount="3/hour")}
    with serve_guarded(lambda: create_sample(server=settings)) as server:
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: server.http.get("/api/agents").status_code, "12345"))
        assert sorted(statuses) == [200, 200, 200, 429, 429]
        refused = server.http.get("/api/agents")
        assert 3500 < int(refused.headers["retry-after"]) <= 3601
        server.wait_for_ends()
        assert server.guard.breaches == []


def test_the_window_moves_and_forgets_callers(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(moving_window.time, "time", lambda: clock[0])
    monkeypatch.setattr(moving_window, "MAX_CALLERS", 2)
    window, limit = moving_window.MovingWindow(), parse("2/minute")

    async def hit(caller):
        return await window.hit(limit, caller)

    async def main():
        assert [await hit("a"), await hit("a"), await hit("a"), await hit("b")] == [
            True, True, False, True,
        ]  # fmt: skip
        assert await window.get_window_stats(limit, "a") == (1060.0, 0)
        clock[0] += 60
        assert await hit("a")
        assert [await hit(each) for each in "bcdca"] == [True] * 5
        assert len(window._hits) == 2

    asyncio.run(main())


def test_rate_limit_by_key(serve):
    async def by(request):
        return request.headers.get("x-key", "")

    with serve(server={"rate_limit": {"amount": "1/second", "by": by}}) as server:

        def ask(key):
            return server.http.get("/api/agents", headers={"x-key": key}).status_code

        assert [ask("a"), ask("b"), ask("a")] == [200, 200, 429]


def test_a_key_that_cannot_be_computed(serve):
    with serve(server={"rate_limit": {"amount": "9/hour", "by": fail_without_key}}) as server:
        assert server.http.get("/api/agents", headers={"x-key": "a"}).status_code == 200
        refused = server.http.get("/api/agents")
        assert (refused.status_code, refused.json()) == (500, {"error": "Internal Server Error"})
        assert refused.headers["access-control-allow-origin"] == "*"


def fail_without_key(request):
    return request.headers["x-key"]


@pytest.mark.parametrize(
    "storage", ["async+nothing://user:secret@host", "async+redis://:secret@h", "memory://"]
)
def test_a_storage_that_cannot_be_used(storage):
    limiter = RateLimiter(None, RateLimit(amount="9/hour", storage=storage))
    with pytest.raises(ConfigError, match="cannot use the storage") as caught:
        asyncio.run(limiter.open())
    assert "secret" not in str(caught.value)


def test_rate_limit_behind_a_proxy(serve):
    """A proxy may report no address, or an invalid one; the address is the last one."""
    with serve(server={"rate_limit": RateLimit(amount="1/hour")}) as server:

        def ask(address):
            forwarded = {"x-forwarded-for": address}
            return server.http.get("/api/agents", headers=forwarded).status_code

        addresses = ["192.0.2.1", "192.0.2.2", "unknown", "a:b:c", ":::::", '"[2001:db8::1]:47"']
        assert [ask(each) for each in addresses] == [200] * 6
        assert [ask(each) for each in addresses] == [429] * 6
        assert ask("192.0.2.9, 192.0.2.1") == 429
        assert ask("::ffff:192.0.2.1") == 429


def test_invalid_rate_limit():
    for amount in ("often", "100/minute;5/second"):
        with pytest.raises(ConfigError, match=f"rate limit '{amount}'"):
            create_app(create_sample(server={"rate_limit": RateLimit(amount=amount)}))
    with pytest.raises(ConfigError, match=r"server\.rate_limit has no setting"):
        create_sample(server={"rate_limit": {"amont": "1/second"}})


def test_https_only(serve):
    with serve(server={"https_only": True}) as server:
        plain = server.http.post("/api/agents/echoAgent/generate?a=%20b", json={"messages": "x"})
        assert plain.status_code == 308
        place = f"https://127.0.0.1:{server.port}/api/agents/echoAgent/generate?a=%20b"
        assert plain.headers["location"] == place
        assert server.http.get("/health").status_code == 200
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as nameless:
            nameless.sendall(b"GET /api/agents HTTP/1.0\r\n\r\n")  # no host to redirect to
            assert b" 400 " in nameless.recv(1000).partition(b"\r\n")[0]
        forwarded = {"x-forwarded-proto": "https"}
        secure = server.http.get("/api/agents", headers=forwarded)
        assert secure.status_code == 200
        assert secure.headers["strict-transport-security"].startswith("max-age=31536000")
