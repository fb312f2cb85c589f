"""Test requests and responses: middleware, authentication, errors, bodies, disconnects."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mastra_deployer.testing.acceptance.agents import iter_chunks
from mastra_deployer.testing.acceptance.app_fixtures import AppFixtures

__all__ = ("RequestTests",)

_ECHO = "/api/agents/echo/generate"
_MEASURE = "/api/tools/measure/execute"
_LARGE = 4_000_000  # bytes of a response
_MARGIN = 1024  # bytes for the JSON around a text
_DISCONNECT_SECONDS = 0.9  # less than the app ticks


class RequestTests(AppFixtures):
    """Requests reach the application unchanged, and responses reach the client unchanged."""

    def test_the_health_check_needs_no_key(self, app_url: str) -> None:
        """``/health`` and ``/ready`` respond with 200 without a key."""
        for path in ("/health", "/ready"):
            assert httpx.get(app_url + path, trust_env=False).status_code == httpx.codes.OK

    def test_variables_reach_the_app(self, app_client: httpx.Client) -> None:
        """The app reads the value of an environment variable."""
        assert app_client.get("/state").json()["greeting"] == "hullo"

    @pytest.mark.parametrize("authorization", [None, "Bearer wrong"])
    def test_a_request_without_the_key_is_refused(
        self, app_url: str, authorization: str | None
    ) -> None:
        """The API and a custom route respond with 401 to a missing key and to a wrong key."""
        headers = {"authorization": authorization} if authorization else {}
        for path in ("/api/agents", "/requests/x"):
            response = httpx.get(app_url + path, headers=headers, trust_env=False)
            assert response.status_code == httpx.codes.UNAUTHORIZED
            assert response.json() == {"error": "Invalid or expired token"}

    def test_middleware_runs_around_requests(self, app_client: httpx.Client) -> None:
        """The middleware adds a header to the responses of the API."""
        assert app_client.get("/api/agents").headers["x-tagged"] == "yes"

    def test_pages_of_other_origins_are_answered(self, app_client: httpx.Client) -> None:
        """A preflight request is answered with CORS headers."""
        headers = {"origin": "https://page.example", "access-control-request-method": "POST"}
        response = app_client.options(_ECHO, headers=headers)
        assert response.is_success, response.text
        assert response.headers["access-control-allow-origin"] == "*"

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    def test_a_request_reaches_the_app_unchanged(
        self, app_client: httpx.Client, method: str
    ) -> None:
        """Method, escaped path, repeated query keys, headers and body arrive unchanged."""
        content = None if method == "GET" else b"\x00\xff" * 50
        url = "/requests/a%20b%C3%BC+c?key=1&other=%26%3D&key=a+b&empty="
        headers = {"x-acceptance": "kept, as it is"}
        response = app_client.request(method, url, content=content, headers=headers)
        assert response.json() == {
            "method": method,
            "path": "a bü+c",
            "query": [["empty", ""], ["key", "1"], ["key", "a b"], ["other", "&="]],
            "header": "kept, as it is",
            "size": 100 if content else 0,
        }

    def test_a_response_reaches_the_client_unchanged(self, app_client: httpx.Client) -> None:
        """Status, headers, both cookies and every byte are kept."""
        response = app_client.get("/bytes")
        assert (response.status_code, response.content) == (201, bytes(range(256)))
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["x-acceptance"] == "kept"
        cookies = response.headers.get_list("set-cookie")
        assert [cookie.partition(";")[0] for cookie in cookies] == ["first=1", "second=2"]

    @pytest.mark.parametrize(
        ("path", "content", "content_type", "status"),
        [
            ("/api/agents/nobody/generate", b'{"messages":"x"}', "application/json", 404),
            (_ECHO, b"{", "application/json", 400),
            (_ECHO, b"{}", "application/json", 400),
            (_ECHO, b"messages=x", "application/x-www-form-urlencoded", 415),
        ],
    )
    def test_errors_are_json(
        self, app_client: httpx.Client, path: str, content: bytes, content_type: str, status: int
    ) -> None:
        """An invalid request gets the right status, and an object with the error."""
        headers = {"content-type": content_type}
        response = app_client.post(path, content=content, headers=headers)
        assert response.status_code == status
        assert "error" in response.json()

    def test_an_exception_reveals_nothing(self, app_client: httpx.Client) -> None:
        """An exception of a custom route gets a 500 without details."""
        response = app_client.get("/broken")
        assert response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
        assert response.json() == {"error": "Internal Server Error"}

    def test_an_unknown_path_is_not_found(self, app_client: httpx.Client) -> None:
        """A path that the application does not have gets a 404."""
        assert app_client.get("/nowhere/at/all").status_code == httpx.codes.NOT_FOUND

    def test_a_large_request_is_received(self, app_client: httpx.Client) -> None:
        """A body just below the limit arrives, both with a declared length and in chunks."""
        size = self.body_limit - _MARGIN
        for send in (_send_at_once, _send_in_chunks):
            response = send(app_client, size)
            assert (response.status_code, response.text) == (httpx.codes.OK, str(size))

    def test_a_request_beyond_the_limit_is_refused(self, app_client: httpx.Client) -> None:
        """A body above the limit gets a 413, even in chunks, and the app keeps running."""
        for send in (_send_at_once, _send_in_chunks):
            response = send(app_client, self.body_limit + _MARGIN)
            assert response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
        assert app_client.get("/api/agents").status_code == httpx.codes.OK

    def test_a_large_response_is_sent(self, app_client: httpx.Client) -> None:
        """A response of megabytes arrives whole."""
        body = {"data": {"text": "x", "count": _LARGE}}
        response = app_client.post("/api/tools/repeat/execute", json=body)
        assert response.json() == "x" * _LARGE

    def test_the_app_outlives_clients_that_leave(self, app_client: httpx.Client) -> None:
        """After several clients closed a stream in the middle, the next request is answered."""
        for _ in range(3):
            _leave(app_client)
        response = app_client.post(_ECHO, json={"messages": "still here"})
        assert response.json()["text"] == "echo: still here"

    def test_a_run_ends_when_its_client_leaves(self, app_client: httpx.Client) -> None:
        """A run with ``x-mastra-abort-on-disconnect`` ends when the client disconnects."""
        self.require_shared_memory()
        if not self.reports_disconnects:
            pytest.skip(f"{type(self).__name__} says reports_disconnects = False")
        _wait_for_runs(app_client, 10)  # those of earlier tests
        begun = _count_runs(app_client)["begun"]
        with httpx.Client(base_url=app_client.base_url, headers=app_client.headers) as client:
            client.headers["x-mastra-abort-on-disconnect"] = "true"
            _leave(client)
        assert _count_runs(app_client)["begun"] == begun + 1
        _wait_for_runs(app_client, _DISCONNECT_SECONDS)


def _send_at_once(client: httpx.Client, size: int) -> httpx.Response:
    return client.post(_MEASURE, json={"data": {"text": "x" * size}})


def _send_in_chunks(client: httpx.Client, size: int) -> httpx.Response:
    def iter_content() -> Iterator[bytes]:
        yield b'{"data": {"text": "'
        for start in range(0, size, 65536):
            yield b"x" * min(65536, size - start)
        yield b'"}}'

    headers = {"content-type": "application/json"}
    return client.post(_MEASURE, content=iter_content(), headers=headers)


def _leave(client: httpx.Client) -> None:
    chunks = iter_chunks(client, "tick", "leaving")
    assert any(chunk["type"] == "text-delta" for chunk in chunks)
    chunks.close()  # type: ignore[attr-defined]  # a generator: closes the connection


def _count_runs(client: httpx.Client) -> dict[str, Any]:
    ticking: dict[str, Any] = client.get("/state").json()["ticking"]
    return ticking


def _wait_for_runs(client: httpx.Client, seconds: float) -> None:
    """Wait until no run of the example application is active."""
    end = time.monotonic() + seconds
    while (runs := _count_runs(client))["begun"] != runs["ended"]:
        assert time.monotonic() < end, "the run did not end"
        time.sleep(0.02)
