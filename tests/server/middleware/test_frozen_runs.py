"""Test what a request waits for on platforms that freeze the process after its response."""

import asyncio

import pytest

from mastra_core.freezing import hold_response
from mastra_server.middleware.frozen_runs import FrozenRuns


@pytest.fixture
def call(monkeypatch):
    """Send a request while a run is due; return the order of what happens."""
    monkeypatch.setenv("VERCEL", "1")

    def send_request(method, *, work=None, path="/api/workflows/w"):
        happened = []

        async def continue_runs():
            await asyncio.sleep(0.1)
            happened.append("due run rests")

        async def app(scope, receive, send):
            happened.append("app")
            if work is not None:
                hold_response(asyncio.create_task(work(happened)))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})

        async def send(message):
            happened.append(message["type"].rpartition(".")[2])

        scope = {"type": "http", "method": method, "path": path}
        asyncio.run(FrozenRuns(app, "/api", continue_runs)(scope, None, send))
        return happened

    return send_request


def test_a_read_shows_the_runs_as_they_rest(call):
    assert call("GET") == ["due run rests", "app", "start", "body"]


def test_routes_that_change_no_run_do_not_wait(call):
    assert call("GET", path="/api/agents") == ["app", "start", "body"]
    assert call("POST", path="/api/schedules/wf_w/run")[-2:] == ["due run rests", "body"]


def test_a_change_does_not_wait_for_the_runs_of_others(call):
    assert call("POST") == ["app", "start", "due run rests", "body"]


def test_the_response_is_complete_when_the_run_of_the_request_rests(call):
    async def execute(happened):
        await asyncio.sleep(0.2)
        happened.append("own run rests")

    assert call("POST", work=execute)[-2:] == ["own run rests", "body"]
