import asyncio
import dataclasses
import functools

import pytest

from mastra_core import Agent, AgentInput, AgentLike
from mastra_core.agents import (
    ApprovalRequired,
    Failure,
    Finish,
    Message,
    Start,
    StepFinish,
    TextDelta,
    TextPart,
    Usage,
    as_agent,
    collect,
)
from mastra_core.errors import AgentFailed, ConfigError


@dataclasses.dataclass
class Point:
    x: int


def said(text="hello", **more):
    return AgentInput(messages=(Message.user(text),), **more)


def events(agent, wish=None):
    async def all_of():
        return [event async for event in as_agent(agent).stream(wish or said())]

    return asyncio.run(all_of())


def answer(agent, wish=None):
    return asyncio.run(as_agent(agent).generate(wish or said()))


def test_a_function_that_answers_text():
    async def echo(text: str) -> str:
        """Says it back.

        And nothing else.
        """
        return text.upper()

    agent = as_agent(echo)
    assert isinstance(agent, AgentLike)
    assert (agent.id, agent.name, agent.description) == ("echo", "echo", "Says it back.")
    assert agent.info().model == ""
    assert events(echo) == [Start(), TextDelta(text="HELLO"), StepFinish(), Finish()]
    assert answer(echo).text == "HELLO"
    assert answer(echo).reason == "stop"


def test_it_gets_the_last_words_of_the_user():
    async def echo(text: str) -> str:
        return text

    messages = (
        Message.user("first"),
        Message.user("second"),
        Message(role="assistant", parts=(TextPart(text="answer"),)),
    )
    assert answer(echo, AgentInput(messages=messages)).text == "second"
    assert answer(echo, AgentInput(messages=())).text == ""


def test_a_function_that_answers_an_object():
    async def point(text: str) -> Point:
        return Point(len(text))

    assert answer(point).object == {"x": 5}
    assert answer(point).text == ""


def test_a_function_of_the_whole_input():
    async def whole(wish: AgentInput) -> str:
        return f"{wish.prompt} {wish.context['user']} {wish.max_steps}"

    assert answer(whole, said(context={"user": "ann"}, max_steps=2)).text == "hello ann 2"


def test_a_generator_of_text():
    async def pieces(text: str):
        for letter in text:
            yield letter

    told = events(pieces)
    assert [event.text for event in told if isinstance(event, TextDelta)] == list("hello")
    assert told[-2:] == [StepFinish(), Finish()]
    assert answer(pieces).text == "hello"


def test_a_generator_of_events_ends_as_it_says():
    async def own(text: str):
        yield TextDelta(text="thinking")
        yield StepFinish(continued=True, reason="tool-calls")
        yield "done"
        yield Finish(reason="length", usage=Usage(input_tokens=3))

    out = answer(own)
    assert (out.text, out.reason, out.usage.input_tokens) == ("done", "length", 3)
    assert [type(event) for event in out.events].count(Finish) == 1


def test_a_generator_that_says_it_failed():
    async def own(text: str):
        yield Failure(message="no")

    assert [type(event) for event in events(own)] == [Start, Failure]


def test_a_generator_of_something_else():
    async def own(text: str):
        yield 3

    failure = events(own)[-1]
    assert isinstance(failure, Failure)
    assert "int" in failure.message


@pytest.mark.parametrize(
    ("kind", "words", "error"),
    [
        ("function", "no such city", "LookupError"),
        ("generator", "no such city", "LookupError"),
        ("no JSON", "object", "TypeError"),
    ],
)
def test_a_failure_ends_the_run_and_hides_the_traceback(kind, words, error, caplog):
    async def function(text: str):
        raise LookupError("no such city")

    async def generator(text: str):
        yield "well"
        raise LookupError("no such city")

    async def no_json(text: str):
        return object()

    agent = {"function": function, "generator": generator, "no JSON": no_json}[kind]
    last = events(agent)[-1]
    assert isinstance(last, Failure)
    assert "Traceback" not in last.message
    assert __file__ not in last.message
    assert words in last.message
    assert last.kind == error
    with pytest.raises(AgentFailed) as caught:
        answer(agent)
    assert caught.value.message == last.message


def test_the_log_has_the_traceback(caplog, monkeypatch):
    async def broken(text: str):
        raise LookupError("no such city")

    from mastra_core.logger import logger_of

    # Other tests may have silenced the framework's logger, which does not propagate by itself.
    monkeypatch.setattr(logger_of("mastra"), "propagate", True)
    caplog.set_level("ERROR", logger="mastra")
    events(broken)
    assert {record.name for record in caplog.records} == {"mastra.agents"}
    assert "no such city" in caplog.text
    assert "Traceback" in caplog.text


def test_a_run_that_waits_for_approval():
    async def stream():
        yield Start()
        yield ApprovalRequired(id="1", name="pay", arguments={})

    assert asyncio.run(collect(stream())).reason == "suspended"


def test_an_object_that_has_the_members_is_one():
    class Mine:
        id = name = "mine"
        description = ""

        def info(self): ...
        async def generate(self, input, /): ...
        def stream(self, input, /): ...

    mine = Mine()
    assert as_agent(mine) is mine
    with pytest.raises(ConfigError):
        as_agent(Mine)


def no_argument():
    pass


async def none():
    pass


async def two(a, b):
    pass


async def unresolved(a: "Nowhere"):  # noqa: F821  # that is the test
    pass


@pytest.mark.parametrize(
    "value", [no_argument, none, two, unresolved, 3, None, functools.partial(two, 1, 2)]
)
def test_what_is_no_agent(value):
    with pytest.raises(ConfigError) as caught:
        as_agent(value)
    assert caught.value.hint


def test_the_built_in_agent_before_it_runs():
    agent = Agent(
        name="helper", instructions="Be kind.", model="openai:gpt-5", output=Point, id="h-1"
    )
    info = agent.info()
    assert (agent.id, info.provider, info.model) == ("h-1", "openai", "gpt-5")
    assert info.output_schema["properties"]["x"]["type"] == "integer"
    assert info.requires == ("pydantic_ai", "openai")
    assert Agent(name="a", model="anthropic:c").info().requires == ("pydantic_ai", "anthropic")
    assert Agent(name="a", model="test").info().requires == ("pydantic_ai",)
    assert info.variables == ("OPENAI_API_KEY",)
    assert Agent(name="a", model="test").info().variables == ()
    google = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
    assert Agent(name="a", model="google:gemini").info().variables == google


def test_a_model_without_a_provider():
    with pytest.raises(ConfigError, match="names no provider") as caught:
        Agent(name="a", model="gpt-5")
    assert "openai:gpt-5" in caught.value.hint
    with pytest.raises(ConfigError, match="is not a tool"):
        Agent(name="a", model="test", tools=["x"])
