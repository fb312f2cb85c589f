"""Responses that a provider suspends are continued until they are complete."""

import asyncio
import contextlib
import json
import threading

import pytest
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from mastra_core import Agent
from mastra_core.agents import StepFinish, TextDelta
from mastra_core.errors import AgentFailed
from tests.core.scripted_model import build_input
from tests.model_answers import JSON
from tests.scripted_server import serve

BACKGROUND = {"openai_background": True, "openai_store": True}


class Provider:
    """A provider that suspends a response some times; keeps its requests."""

    def __init__(self, suspensions):
        self.suspensions = suspensions
        self.requests = []
        self.asked = threading.Event()

    def __call__(self, request):
        body = json.loads(request.body or "{}")
        self.requests.append((request.command, request.path, body))
        self.asked.set()
        if not request.path.endswith("/messages"):
            return 200, JSON, self._build_response(request.path)
        message = self._build_message()
        if body.get("stream"):
            return 200, {"content-type": "text/event-stream"}, stream_message(message).encode()
        return 200, JSON, message

    def _build_message(self):
        turn = len(self.requests)
        return {
            "id": f"msg_{turn}",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5",
            "content": [{"type": "text", "text": f"part {turn}. "}],
            "stop_reason": "pause_turn" if turn <= self.suspensions else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": turn},
        }

    def _build_response(self, path):
        done = len(self.requests) > self.suspensions
        text = {"type": "output_text", "text": "Done.", "annotations": []}
        item = {"id": "m1", "type": "message", "role": "assistant", "status": "completed"}
        status = "completed" if done else "queued"
        usage = {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 10,
        }
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": "gpt-5",
            "status": "cancelled" if path.endswith("/cancel") else status,
            "background": True,
            "output": [{**item, "content": [text]}] if done else [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": usage if done else None,
        }


def stream_message(message):
    """The events of a streamed message."""
    [content], reason = message["content"], message["stop_reason"]
    start = {**message, "content": [], "stop_reason": None}
    text = {"type": "text_delta", "text": content["text"]}
    events = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": text},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": message["usage"],
        },
        {"type": "message_stop"},
    ]
    return "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events)


@contextlib.contextmanager
def serve_provider(suspensions):
    provider = Provider(suspensions)
    with serve(provider) as server:
        yield provider, server.url


def build_claude(url):
    provider = AnthropicProvider(api_key="k", base_url=url)
    return Agent(name="a", model=AnthropicModel("claude-sonnet-5", provider=provider))


def build_gpt(url):
    provider = OpenAIProvider(api_key="k", base_url=f"{url}/v1")
    return Agent(
        name="a", model=OpenAIResponsesModel("gpt-5", provider=provider), settings=BACKGROUND
    )


async def list_stream(agent):
    return [event async for event in agent.stream(build_input())]


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def quick_polls(monkeypatch):
    async def poll_at_once(_):
        await wait(0)

    wait = asyncio.sleep
    monkeypatch.setattr("mastra_core.agents.loop.continuation.asyncio.sleep", poll_at_once)


@pytest.mark.parametrize("streamed", [False, True])
def test_paused_turn_is_one_turn(streamed):
    with serve_provider(2) as (provider, url):
        if streamed:
            events = asyncio.run(list_stream(build_claude(url)))
        else:
            events = asyncio.run(build_claude(url).generate(build_input())).events
        text = "".join(each.text for each in events if isinstance(each, TextDelta))
        assert text == "part 1. part 2. part 3. "
        (step,) = (each for each in events if isinstance(each, StepFinish))
        assert (step.reason, step.usage.input_tokens, step.usage.output_tokens) == ("stop", 30, 6)
        *_, (_, _, last) = provider.requests
        assert [each["role"] for each in last["messages"]] == ["user", "assistant"]
        continued = [part["text"] for part in last["messages"][-1]["content"]]
        assert "".join(continued).split() == ["part", "1.", "part", "2."]


def test_background_job_is_polled(quick_polls):
    with serve_provider(3) as (provider, url):
        out = asyncio.run(build_gpt(url).generate(build_input()))
        assert (out.text, out.usage.output_tokens) == ("Done.", 3)
        assert [(method, path) for method, path, _ in provider.requests] == [
            ("POST", "/v1/responses"),
            *[("GET", "/v1/responses/resp_1?stream=false")] * 3,
        ]


def test_provider_that_never_ends_its_turn():
    with serve_provider(99) as (provider, url):
        with pytest.raises(AgentFailed, match="suspended the response too often"):
            asyncio.run(build_claude(url).generate(build_input()))
        assert len(provider.requests) == 11


def test_job_of_a_cancelled_run_is_cancelled():
    async def cancel_run(url):
        run = asyncio.create_task(build_gpt(url).generate(build_input()))
        async with asyncio.timeout(10):
            await asyncio.to_thread(provider.asked.wait)
        await asyncio.sleep(0.1)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    with serve_provider(99) as (provider, url):
        asyncio.run(cancel_run(url))
        assert provider.requests[-1][:2] == ("POST", "/v1/responses/resp_1/cancel")
