"""The same agent against a real model server in three wire formats, with faults."""

import asyncio
import collections
import contextlib
import gc
import logging
import os
import time

import pytest

from mastra_core import Agent, AgentInput, tool
from mastra_core.agents import (
    ClientTool,
    Decision,
    Failure,
    Message,
    ReasoningDelta,
    TextDelta,
    ToolCall,
)
from mastra_core.errors import AgentFailed
from tests.aimock import build_tool_turns, build_turn, list_requests, serve_model
from tests.core.scripted_model import build_input

pytestmark = pytest.mark.slow

MODELS = {
    "chat": "openai-chat:gpt-4o",
    "responses": "openai-responses:gpt-4o",
    "anthropic": "anthropic:claude-sonnet-5",
}
KINDS = {
    **MODELS,
    "chat by aiohttp": MODELS["chat"],
    "anthropic by aiohttp": MODELS["anthropic"],
}
CALLS = [
    {"name": "forecast", "arguments": {"city": "Oslo"}, "id": "c1"},
    {"name": "forecast", "arguments": {"city": "Rome"}, "id": "c2"},
]
SAID = "It is sunny in both of them, says the tool that I asked."


def fixtures():
    yield build_turn("say hello", {"content": "Hello, I am a model and glad to be asked."})
    yield build_turn("think first", {"content": "Four.", "reasoning": "Two and two."})
    yield from build_tool_turns("both cities", CALLS, {"content": SAID})
    yield build_turn("and again", {"content": "Still sunny."})
    pay = [{"name": "pay", "arguments": {"amount": 3}, "id": "p1"}]
    yield from build_tool_turns("pay for it", pay, {"content": "Paid, as you agreed."})
    where = [{"name": "locate", "arguments": {}, "id": "w1"}]
    yield from build_tool_turns("where am I", where, {"content": "In Oslo."})
    good = [{"name": "final_result", "arguments": {"city": "Oslo", "degrees": -3}}]
    bad = [{"name": "final_result", "arguments": {"city": "Oslo", "degrees": "cold"}}]
    yield build_turn("as an object", {"toolCalls": good})
    for words in KINDS:
        repaired = f"repair {words}"
        yield build_turn(repaired, {"toolCalls": bad}, match={"sequenceIndex": 0})
        yield build_turn(repaired, {"toolCalls": good}, match={"sequenceIndex": 1})
        yield from faults(words)


def faults(kind):
    limited = {"error": {"message": "slow down sk-secret"}, "status": 429, "retryAfter": 1}
    yield build_turn(f"limited {kind}", limited, match={"sequenceIndex": 0})
    yield build_turn(f"limited {kind}", {"content": "After a wait."}, match={"sequenceIndex": 1})
    yield build_turn("refused", limited)
    yield build_turn("tomorrow", {**limited, "retryAfter": 86400})
    yield build_turn("no key", {"error": {"message": "bad key sk-secret"}, "status": 401})
    yield build_turn("out of order", {"error": {"message": "oops at db-7.internal"}, "status": 500})
    yield build_turn("garbled", {"content": "x"}, chaos={"malformedRate": 1})
    yield build_turn("hang up", {"content": "x"}, chaos={"disconnectRate": 1})
    long = {"content": "one two three four five six seven eight nine ten eleven twelve"}
    yield build_turn("cut off", long, chunkSize=4, latency=20, truncateAfterChunks=6)
    yield build_turn("think it over", {"content": "x"}, chaos={"latencyMs": 3000})
    yield build_turn("take your time", long, chunkSize=4, latency=300)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serve_model(tmp_path_factory.mktemp("model"), list(fixtures())) as url:
        yield url


@pytest.fixture(autouse=True)
def provider(server, monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "k")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server}/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(params=KINDS)
def kind(request, monkeypatch):
    client = "aiohttp" if request.param.endswith("aiohttp") else "httpx2"
    monkeypatch.setenv("MASTRA_MODEL_CLIENT", client)
    return request.param


paid = []


@tool
def forecast(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    paid.append(amount)
    return f"paid {amount}"


def build_agent(kind, **more):
    settings = {"max_retries": 0, "max_tokens": 500, **more.pop("settings", {})}
    given = {"model": KINDS[kind], "settings": settings, **more}
    return Agent(name="a", instructions="Help.", tools=[forecast, pay], **given)


async def collect_events(agent, run_input):
    return [event async for event in agent.stream(run_input)]


def generate(agent, run_input):
    return asyncio.run(agent.generate(run_input))


def stream(agent, run_input):
    return asyncio.run(collect_events(agent, run_input))


def join_texts(events):
    return [event.text for event in events if isinstance(event, TextDelta)]


def test_text(kind):
    whole = generate(build_agent(kind), "say hello")
    assert whole.text == "Hello, I am a model and glad to be asked."
    assert whole.reason == "stop"
    pieces = join_texts(stream(build_agent(kind), "say hello"))
    assert "".join(pieces) == whole.text
    assert len(pieces) > 1


def test_reasoning(kind):
    if kind.startswith("chat"):
        pytest.skip("the format has none")
    agent = build_agent(kind)
    if kind == "responses":
        agent = build_agent(kind, model="openai-responses:gpt-5")
    whole = generate(agent, "think first")
    assert (whole.reasoning, whole.text) == ("Two and two.", "Four.")
    told = stream(agent, "think first")
    thoughts = [event.text for event in told if isinstance(event, ReasoningDelta)]
    assert "".join(thoughts) == "Two and two."


def test_two_tools_and_history(kind):
    async def talk():
        agent = build_agent(kind)
        first = await agent.generate("both cities")
        told = await collect_events(agent, build_input("both cities"))
        run_input = build_input("and again", history=told[-1].history)
        return first, told, await agent.generate(run_input)

    first, told, second = asyncio.run(talk())
    assert first.text == "".join(join_texts(told)) == SAID
    # The calls run at the same time, so either result may come first.
    assert sorted(each.result for each in first.tool_results) == ["sunny in Oslo", "sunny in Rome"]
    assert [each.id for each in told if isinstance(each, ToolCall)] == ["c1", "c2"]
    assert second.text == "Still sunny."


def test_structured_answer(kind):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
        "required": ["city", "degrees"],
    }
    run_input = build_input("as an object", output_schema=schema)
    assert generate(build_agent(kind), run_input).object == {"city": "Oslo", "degrees": -3}
    assert stream(build_agent(kind), run_input)[-1].object == {"city": "Oslo", "degrees": -3}
    out = generate(build_agent(kind), build_input(f"repair {kind}", output_schema=schema))
    assert out.object == {"city": "Oslo", "degrees": -3}


def test_approval(kind):
    async def approve_payment():
        agent = build_agent(kind)
        out = await agent.generate("pay for it")
        assert (out.reason, out.waiting[0].arguments, paid) == ("suspended", {"amount": 3}, [])
        run_input = AgentInput(history=out.history, decisions={"p1": Decision()})
        return await agent.generate(run_input)

    paid.clear()
    assert asyncio.run(approve_payment()).text == "Paid, as you agreed."
    assert paid == [3]


def test_client_tools(kind):
    from mastra_core.agents import ToolResultPart

    client = (ClientTool(name="locate", description="Where?"),)
    out = generate(build_agent(kind), build_input("where am I", client_tools=client))
    assert out.reason == "tool-calls"
    result = Message(role="tool", parts=(ToolResultPart(id="w1", name="locate", result="Oslo"),))
    run_input = AgentInput(messages=(result,), history=out.history, client_tools=client)
    assert generate(build_agent(kind), run_input).text == "In Oslo."


def test_retry_after_is_honoured(kind):
    began = time.monotonic()
    out = generate(build_agent(kind, settings={"max_retries": 2}), f"limited {kind}")
    assert out.text == "After a wait."
    assert time.monotonic() - began >= 1


def test_long_retry_after_times_out(kind, monkeypatch):
    from mastra_core.agents.loop import runner

    monkeypatch.setattr(runner, "_MODEL_TIMEOUT", 0.5)
    agent = build_agent(kind, settings={"max_retries": 2})
    began = time.monotonic()
    with pytest.raises(AgentFailed) as caught:
        generate(agent, "tomorrow")
    # OpenAI's client refuses to wait that long.
    status = 504 if kind.startswith("anthropic") else 429
    assert caught.value.status == status
    assert stream(agent, "tomorrow")[-1].status == status
    assert time.monotonic() - began < 5


FAULTS = {
    "refused": ("ModelRateLimitError", 429, "rate limit"),
    "no key": ("ModelAuthenticationError", 502, "credentials"),
    "out of order": ("ModelServerError", 502, "a server error"),
    "hang up": ("ModelConnectionError", 502, "connection"),
    "garbled": ("", 502, ""),
}


@pytest.mark.parametrize("words", FAULTS)
def test_provider_error_becomes_one_safe_sentence(kind, words, server):
    name, status, said_of_it = FAULTS[words]
    with pytest.raises(AgentFailed) as caught:
        generate(build_agent(kind), words)
    last = stream(build_agent(kind), words)[-1]
    for failure in (caught.value, last):
        assert (failure.kind, failure.status) == (name or failure.kind, status), failure.message
        assert said_of_it in failure.message
        assert failure.message.count("\n") == 0
        for secret in ("sk-secret", "db-7", server, "Traceback", ".py"):
            assert secret not in failure.message


def test_truncated_response_is_an_error(kind):
    told = stream(build_agent(kind), "cut off")
    assert join_texts(told)
    assert isinstance(told[-1], Failure), told[-1]


def test_slow_model(kind):
    agent = build_agent(kind)
    began = time.monotonic()
    with pytest.raises(AgentFailed) as caught:
        generate(agent, build_input("think it over", timeout=0.3))
    assert caught.value.kind == "RunTimedOut"
    with pytest.raises(AgentFailed) as caught:
        generate(agent, build_input("think it over", settings={"timeout": 0.3}))
    assert caught.value.kind == "ModelTimeoutError"
    assert caught.value.status == 504
    assert stream(agent, build_input("take your time", timeout=0.6))[-1].status == 504
    assert time.monotonic() - began < 3


def test_closing_the_stream_closes_the_connection(kind, server):
    async def close_early():
        events = build_agent(kind).stream("take your time")
        async for event in events:
            if isinstance(event, TextDelta):
                break
        await asyncio.wait_for(events.aclose(), 5)  # the answer would take longer
        assert len(asyncio.all_tasks()) == 1

    before = len(list_requests(server, "take your time"))
    asyncio.run(close_early())
    assert len(list_requests(server, "take your time")) == before + 1


def test_model_fallback(kind):
    others = [each for each in MODELS.values() if each != KINDS[kind]]
    agent = Agent(name="a", model=[KINDS[kind], *others], settings={"max_retries": 0})
    assert generate(agent, "say hello").text.startswith("Hello")
    with pytest.raises(AgentFailed) as caught:
        generate(agent, "refused")
    assert caught.value.message.count("rate limit") == 3


async def close_at_tool_call(agent, prompt):
    async with contextlib.aclosing(agent.stream(prompt)) as events:
        async for event in events:
            if isinstance(event, ToolCall):
                return "closed"
    return "finished"


async def get_stream_outcome(agent, prompt):
    events = await collect_events(agent, build_input(prompt))
    return "failed" if isinstance(events[-1], Failure) else "finished"


async def get_generate_outcome(agent, prompt):
    try:
        await agent.generate(prompt)
    except AgentFailed:
        return "failed"
    return "finished"


@pytest.mark.full
def test_thousand_runs_leak_nothing():
    """Mix complete runs, faults and closed streams in all formats, eight at a time."""
    agents = [build_agent(kind, timeout=20) for kind in MODELS]
    prompts = ["say hello", "both cities", "refused", "hang up", "garbled", "cut off", "close"]
    outcomes = collections.Counter()

    async def run_one(number):
        agent, prompt = agents[number % 3], prompts[number % len(prompts)]
        if prompt == "close":
            outcome = await close_at_tool_call(agent, "both cities")
        elif number % 2:
            outcome = await get_stream_outcome(agent, prompt)
        else:
            outcome = await get_generate_outcome(agent, prompt)
        outcomes[prompt, outcome] += 1

    async def run_many(first, last):
        numbers = iter(range(first, last))

        async def work():
            for number in numbers:
                await run_one(number)

        await asyncio.gather(*(work() for _ in range(8)))
        assert len(asyncio.all_tasks()) == 1
        gc.collect()
        return len(os.listdir("/dev/fd")), len(gc.get_objects())

    async def runs():
        return await run_many(0, 300), await run_many(300, 1000)

    logging.disable()  # four in seven fail, and the test's log would keep each traceback
    try:
        before, after = asyncio.run(runs())
    finally:
        logging.disable(logging.NOTSET)
    assert sum(outcomes.values()) == 1000
    assert set(outcomes) == {
        *[(prompt, "finished") for prompt in ("say hello", "both cities")],
        *[(prompt, "failed") for prompt in ("refused", "hang up", "garbled", "cut off")],
        ("cut off", "finished"),  # without a stream the model's answer is whole
        ("close", "closed"),
    }
    assert after[0] <= before[0] + 3, "connections stay open"
    assert after[1] <= before[1] * 1.01, "objects stay alive"
