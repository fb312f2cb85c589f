"""What every adapter promises, whatever the framework."""

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
    ToolResult,
    as_agent,
)
from mastra_core.errors import AgentFailed
from mastra_core.memory import RememberingAgent
from tests.core.agents.adapters import sample_agents
from tests.core.scripted_model import said

pytestmark = pytest.mark.slow

FRAMEWORKS = ("built_in", "pydantic_ai", "openai_agents", "langgraph")


@pytest.fixture(params=FRAMEWORKS)
def agent(request, server):
    return as_agent(getattr(sample_agents, request.param)(server))


def told(agent, words, **wishes):
    async def gather():
        return [event async for event in agent.stream(said(words, **wishes))]

    return sample_agents.run(gather())


def texts(events):
    return [event.text for event in events if isinstance(event, TextDelta)]


def test_it_says_who_it_is(agent):
    assert isinstance(agent, AgentLike)
    assert agent.id == agent.name == "helper"
    agent.info()


def test_it_begins_once_and_ends_once(agent):
    events = told(agent, "say hello")
    assert [type(event) for event in events if isinstance(event, Start)] == [Start]
    assert isinstance(events[0], Start)
    assert isinstance(events[-2], StepFinish)
    assert isinstance(events[-1], Finish)
    assert sum(isinstance(event, Finish | Failure) for event in events) == 1
    assert "".join(texts(events)) == "Hello, I am a model and glad to be asked."
    assert len(texts(events)) > 1, "the answer came in one piece"


def test_tools_are_called_between_turns(agent):
    events = told(agent, "weather")
    start, call, result, *rest = [each for each in events if not isinstance(each, TextDelta)]
    assert isinstance(start, Start)
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert isinstance(rest[-1], Finish)
    assert (call.id, call.name, call.arguments) == ("c1", "forecast", {"city": "Oslo"})
    assert (result.id, result.name, result.arguments) == (call.id, call.name, call.arguments)
    assert (result.result, result.failed) == ("sunny in Oslo", False)
    assert [each.continued for each in events if isinstance(each, StepFinish)] == [True, False]


def test_the_answer_is_the_last_turn(agent):
    output = sample_agents.run(agent.generate(said("weather")))
    assert (output.text, output.reason) == ("It is sunny in Oslo.", "stop")


def test_it_goes_on_from_its_own_history(agent, server):
    async def talk():
        first = await agent.generate(said("weather"))
        return await agent.generate(said("once more", history=first.history))

    assert sample_agents.run(talk()).text == "Hello again."
    asked = sample_agents.requests(server, "once more")[-1]
    roles = [each["role"] for each in asked if each["role"] not in ("system", "developer")]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


def test_everything_new_is_said_beside_a_history(agent, server):
    async def talk():
        first = await agent.generate(said("say hello"))
        words = (Message.user("wait"), Message.user("once more"))
        return await agent.generate(AgentInput(messages=words, history=first.history))

    assert sample_agents.run(talk()).text == "Hello again."
    asked = sample_agents.requests(server, "once more")[-1]
    assert [each["content"] for each in asked if each["role"] == "user"] == [
        "say hello",
        "wait",
        "once more",
    ]


def test_a_conversation_is_passed_on(agent, server):
    wish = sample_agents.conversation("before", "Before.", "once more")
    assert sample_agents.run(agent.generate(wish)).text == "Hello again."
    asked = sample_agents.requests(server, "once more")[-1]
    roles = [each["role"] for each in asked if each["role"] not in ("system", "developer")]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
    assert "sunny in Rome" in str(asked)


FAULTS = {
    "refused": (429, "rate limit"),
    "no key": (502, "credentials"),
    "out of order": (502, "an internal error"),
    "hang up": (502, "connection"),
}


@pytest.mark.parametrize("words", FAULTS)
def test_a_fault_is_one_safe_sentence(agent, words, server):
    status, saying = FAULTS[words]
    last = told(agent, words)[-1]
    assert isinstance(last, Failure)
    assert last.status == status, last
    assert saying in last.message
    for secret in ("sk-secret", "internal", server, "Traceback", ".py", "\n"):
        assert secret not in last.message
    with pytest.raises(AgentFailed):
        sample_agents.run(agent.generate(said(words)))


def test_a_reader_that_leaves_ends_the_run(agent):
    async def leave():
        async with contextlib.aclosing(agent.stream(said("take your time"))) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    return True
        return False

    assert sample_agents.run(leave()), "the run ended before its reader left"


def test_a_run_has_its_time(agent):
    last = told(agent, "take your time", timeout=0.6)[-1]
    assert isinstance(last, Failure)
    assert last.status == 504
    assert "took longer" in last.message


def test_the_most_turns(agent):
    events = told(agent, "for ever", max_steps=2)
    assert sum(isinstance(event, ToolCall) for event in events) == 2
    assert events[-1].reason == "tool-calls"


def remembering(agent, storage):
    return RememberingAgent(agent, Memory(storage=storage, working_memory="Name:"))


PLACE = {"thread": "t1", "resource": "ann"}


def test_a_memory_tells_it_what_was_said(agent):
    storage = MemoryStorage()
    mine = remembering(agent, storage)
    told(mine, "weather", **PLACE)
    events = told(mine, "once more", **PLACE)
    assert "".join(texts(events)) == "Hello again."
    kept = sample_agents.run(storage.threads.recall("t1", 9))
    assert [message.role for message in kept.messages] == ["user", "assistant"] * 2
    call, result, answer = kept.messages[1].parts
    assert (call.name, result.result, answer.text) == (
        "forecast", "sunny in Oslo", "It is sunny in Oslo.",
    )  # fmt: skip
    assert kept.history.messages == 4
    assert b"It is sunny in Oslo." in kept.history.data
    assert (b"working_memory>" in kept.history.data) == agent_keeps_instructions(agent)


def agent_keeps_instructions(agent):
    """pydantic-ai writes them beside its messages, and tells a model only the newest."""
    return "pydantic_ai" in type(agent).__module__ or type(agent).__name__ == "Agent"


def test_a_thread_goes_from_framework_to_framework(server):
    storage = MemoryStorage()
    for name in FRAMEWORKS:
        mine = remembering(as_agent(getattr(sample_agents, name)(server)), storage)
        for words in ("weather", "once more"):
            last = told(mine, words, **PLACE)[-1]
            assert isinstance(last, Finish), (name, last)
    kept = sample_agents.run(storage.threads.recall("t1", 99)).messages
    assert [message.role for message in kept] == ["user", "assistant"] * 8
