"""Tests of agents, tools and streams."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from mastra_deployer.testing.acceptance.app_fixtures import AppFixtures

__all__ = ("AgentTests", "iter_chunks")

_STREAMS = 4
_SHORTEST_STREAM = 0.5  # seconds between the first word and the last; the app takes 1.05


def iter_chunks(client: httpx.Client, agent: str, text: str, **body: Any) -> Iterator[Any]:
    """Stream a run of an agent, and yield each chunk when it arrives.

    :param client: sends the request.
    :param agent: the agent's name.
    :param text: the text of the user.
    :param body: further fields of the request.
    """
    request = {"messages": text, **body}
    with client.stream("POST", f"/api/agents/{agent}/stream", json=request) as response:
        assert response.status_code == httpx.codes.OK, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        last = ""
        for line in response.iter_lines():
            last = line or last
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))
        assert last == "data: [DONE]", "the stream has no end"


class AgentTests(AppFixtures):
    """Agents and tools respond, and the chunks of a stream arrive one by one."""

    def test_agents_are_listed(self, app_client: httpx.Client) -> None:
        """The API lists every agent."""
        agents = app_client.get("/api/agents").json()
        assert set(agents) == {"echo", "calculate", "tick", "broken"}

    def test_an_agent_responds(self, app_client: httpx.Client) -> None:
        """A run returns the agent's text, including characters beyond ASCII."""
        response = app_client.post("/api/agents/echo/generate", json={"messages": "Grüße, 世界 🌍"})
        assert response.json()["text"] == "echo: Grüße, 世界 🌍"

    def test_an_agent_calls_a_tool(self, app_client: httpx.Client) -> None:
        """The stream of a run contains the tool call, its result and the text."""
        chunks = {chunk["type"]: chunk for chunk in iter_chunks(app_client, "calculate", "2 and 3")}
        assert chunks["tool-call"]["payload"]["args"] == {"a": 2, "b": 3}
        assert chunks["tool-result"]["payload"]["result"] == 5  # noqa: PLR2004  # 2 + 3
        assert chunks["text-delta"]["payload"]["text"] == "The sum is 5."
        assert chunks["finish"]["payload"]["stepResult"]["reason"] == "stop"

    def test_streams_arrive_while_they_are_produced(self, app_client: httpx.Client) -> None:
        """Two streams run at once; the first word of each arrives long before its last word."""
        self.require_streams()

        def read_stream(name: str) -> list[float]:
            times, words = [], []
            for chunk in iter_chunks(app_client, "tick", name):
                if chunk["type"] == "text-delta":
                    words.append(chunk["payload"]["text"])
                    times.append(time.monotonic())
            assert words == [f"{name}-{number} " for number in range(8)]
            return times

        with ThreadPoolExecutor(_STREAMS) as pool:
            streams = list(pool.map(read_stream, [f"s{number}" for number in range(_STREAMS)]))
        for times in streams:
            assert times[-1] - times[0] > _SHORTEST_STREAM, "the stream arrived as a whole"
        last_start, first_end = max(times[0] for times in streams), min(t[-1] for t in streams)
        assert last_start < first_end, "one stream waited for another"

    def test_a_failed_agent_is_an_error(self, app_client: httpx.Client) -> None:
        """If an agent raises an exception, the run gets a 500, and its stream has an error."""
        response = app_client.post("/api/agents/broken/generate", json={"messages": "x"})
        assert response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
        assert response.json() == {"error": "the agent failed"}
        chunks = list(iter_chunks(app_client, "broken", "x"))
        assert "error" in {chunk["type"] for chunk in chunks}

    def test_a_tool_is_executed(self, app_client: httpx.Client) -> None:
        """A tool can be called directly; if it fails, the response is a 422."""
        response = app_client.post("/api/tools/add/execute", json={"data": {"a": 2, "b": 3}})
        assert response.json() == 5  # noqa: PLR2004  # 2 + 3
        failed = app_client.post("/api/tools/fail/execute", json={"data": {}})
        assert failed.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert failed.json() == {"error": "the tool failed"}

    def test_concurrent_requests_keep_their_context(self, app_client: httpx.Client) -> None:
        """Each of several concurrent requests gets its own caller from the middleware."""

        def call_tool(caller: str) -> Any:
            return app_client.post(
                "/api/tools/describe-caller/execute",
                json={"data": {}},
                headers={"x-caller": caller},
            ).json()

        callers = [f"caller-{number}" for number in range(8)]
        with ThreadPoolExecutor(len(callers)) as pool:
            known = list(pool.map(call_tool, callers))
        assert known == [{"caller": each, "user": {"id": "acceptance"}} for each in callers]
