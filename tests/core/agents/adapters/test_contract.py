"""The contract of every adapter, for each framework."""

import contextlib

import pytest

from mastra_core import AgentInput, Memory, MemoryStorage
from mastra_core.agents import (
    AgentLike,
    Failure,
    Finish,
    Message,
    Start,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolInputDelta,
    ToolInputEnd,
    ToolInputStart,
    ToolResult,
    as_agent,
)
from mastra_core.errors import AgentFailed
from mastra_core.memory import AgentWithMemory
from tests.core.agents.adapters import frameworks
from tests.core.scripted_model import build_input

pytestmark = pytest.mark.slow

FRAMEWORKS = ("built_in", "pydantic_ai", "openai_agents", "langgraph")


@pytest.fixture(params=FRAMEWORKS)
def agent(request, server):
    return as_agent(getattr(frameworks, f"build_{request.param}")(server))


def list_events(agent, words, **options):
    async def gather():
        return [event async for event in agent.stream(build_input(words, **options))]

    return frameworks.run(gather())


def join_texts(events):
    return [event.text for event in events if isinstance(event, TextDelta)]


def test_id_and_name(agent):
    assert isinstance(agent, AgentLike)
    assert agent.id == agent.name == "helper"
    agent.info()


def test_one_start_and_one_finish(agent):
    events = list_events(agent, "say hello")
    assert [type(event) for event in events if isinstance(event, Start)] == [Start]
    assert isinstance(events[0], Start)
    assert isinstance(events[-2], StepFinish)
    assert isinstance(events[-1], Finish)
    assert sum(isinstance(event, Finish | Failure) for event in events) == 1
    assert "".join(join_texts(events)) == "Hello, I am a model and glad to be asked."
    assert len(join_texts(events)) > 1, "the answer came in one piece"


def test_tool_calls_between_turns(agent):
    events = list_events(agent, "weather")
    pieces = TextDelta | ToolInputStart | ToolInputDelta | ToolInputEnd
    start, call, result, *rest = [each for each in events if not isinstance(each, pieces)]
    assert isinstance(start, Start)
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert isinstance(rest[-1], Finish)
    assert (call.id, call.name, call.arguments) == ("c1", "forecast", {"city": "Oslo"})
    assert (result.id, result.name, result.arguments) == (call.id, call.name, call.arguments)
    assert (result.result, result.failed) == ("sunny in Oslo", False)
    assert [each.continued for each in events if isinstance(each, StepFinish)] == [True, False]


def test_answer_is_the_last_turn(agent):
    output = frameworks.run(agent.generate(build_input("weather")))
    assert (output.text, output.reason) == ("It is sunny in Oslo.", "stop")


def test_run_continues_from_its_history(agent, server):
    async def converse():
        first = await agent.generate(build_input("weather"))
        return await agent.generate(build_input("once more", history=first.history))

    assert frameworks.run(converse()).text == "Hello again."
    request = frameworks.list_conversations(server, "once more")[-1]
    roles = [each["role"] for each in request if each["role"] not in ("system", "developer")]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


def test_all_new_messages_are_sent_beside_a_history(agent, server):
    async def converse():
        first = await agent.generate(build_input("say hello"))
        words = (Message.user("wait"), Message.user("once more"))
        return await agent.generate(AgentInput(messages=words, history=first.history))

    assert frameworks.run(converse()).text == "Hello again."
    request = frameworks.list_conversations(server, "once more")[-1]
    assert [each["content"] for each in request if each["role"] == "user"] == [
        "say hello",
        "wait",
        "once more",
    ]


def test_conversation_is_passed_on(agent, server):
    run_input = frameworks.build_conversation("before", "Before.", "once more")
    assert frameworks.run(agent.generate(run_input)).text == "Hello again."
    request = frameworks.list_conversations(server, "once more")[-1]
    roles = [each["role"] for each in request if each["role"] not in ("system", "developer")]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
    assert "sunny in Rome" in str(request)


FAULTS = {
    "refused": (429, "rate limit"),
    "no key": (502, "credentials"),
    "out of order": (502, "a server error"),
    "hang up": (502, "connection"),
}


@pytest.mark.parametrize("words", FAULTS)
def test_provider_error_becomes_one_safe_sentence(agent, words, server):
    status, saying = FAULTS[words]
    last = list_events(agent, words)[-1]
    assert isinstance(last, Failure)
    assert last.status == status, last
    assert saying in last.message
    for secret in ("sk-secret", "db-7", server, "Traceback", ".py", "\n"):
        assert secret not in last.message
    with pytest.raises(AgentFailed):
        frameworks.run(agent.generate(build_input(words)))


def test_closing_the_stream_ends_the_run(agent):
    async def close_early():
        async with contextlib.aclosing(agent.stream(build_input("take your time"))) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    return True
        return False

    assert frameworks.run(close_early()), "the run ended before its stream was closed"


def test_timeout(agent):
    last = list_events(agent, "take your time", timeout=0.6)[-1]
    assert isinstance(last, Failure)
    assert last.status == 504
    assert "took longer" in last.message


def test_max_steps(agent):
    events = list_events(agent, "for ever", max_steps=2)
    assert sum(isinstance(event, ToolCall) for event in events) == 2
    assert events[-1].reason == "tool-calls"


def add_memory(agent, storage):
    return AgentWithMemory(agent, Memory(storage=storage, working_memory="Name:"))


PLACE = {"thread": "t1", "resource": "ann"}


def test_memory_provides_earlier_messages(agent):
    storage = MemoryStorage()
    mine = add_memory(agent, storage)
    list_events(mine, "weather", **PLACE)
    events = list_events(mine, "once more", **PLACE)
    assert "".join(join_texts(events)) == "Hello again."
    kept = frameworks.run(storage.threads.recall("t1", 9))
    assert [message.role for message in kept.messages] == ["user", "assistant"] * 2
    call, result, answer = kept.messages[1].parts
    assert (call.name, result.result, answer.text) == (
        "forecast", "sunny in Oslo", "It is sunny in Oslo.",
    )  # fmt: skip
    assert kept.history.messages == 4
    assert b"It is sunny in Oslo." in kept.history.data
    assert (b"working_memory>" in kept.history.data) == has_instructions_in_history(agent)


def has_instructions_in_history(agent):
    """Return whether the framework stores instructions beside its messages; pydantic-ai does."""
    return "pydantic_ai" in type(agent).__module__ or type(agent).__name__ == "Agent"


def test_thread_continues_in_another_framework(server):
    storage = MemoryStorage()
    for name in FRAMEWORKS:
        mine = add_memory(as_agent(getattr(frameworks, f"build_{name}")(server)), storage)
        for words in ("weather", "once more"):
            last = list_events(mine, words, **PLACE)[-1]
            assert isinstance(last, Finish), (name, last)
    kept = frameworks.run(storage.threads.recall("t1", 99)).messages
    assert [message.role for message in kept] == ["user", "assistant"] * 8
