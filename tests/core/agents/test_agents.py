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


def build_input(text="hello", **more):
    return AgentInput(messages=(Message.user(text),), **more)


def list_events(agent, run_input=None):
    async def collect_events():
        return [event async for event in as_agent(agent).stream(run_input or build_input())]

    return asyncio.run(collect_events())


def run_agent(agent, run_input=None):
    return asyncio.run(as_agent(agent).generate(run_input or build_input()))


def test_function_returning_text():
    async def echo(text: str) -> str:
        """Says it back.

        And nothing else.
        """
        return text.upper()

    agent = as_agent(echo)
    assert isinstance(agent, AgentLike)
    assert (agent.id, agent.name, agent.description) == ("echo", "echo", "Says it back.")
    assert agent.info().model == ""
    assert list_events(echo) == [Start(), TextDelta(text="HELLO"), StepFinish(), Finish()]
    assert run_agent(echo).text == "HELLO"
    assert run_agent(echo).reason == "stop"


def test_function_gets_the_last_user_message():
    async def echo(text: str) -> str:
        return text

    messages = (
        Message.user("first"),
        Message.user("second"),
        Message(role="assistant", parts=(TextPart(text="answer"),)),
    )
    assert run_agent(echo, AgentInput(messages=messages)).text == "second"
    assert run_agent(echo, AgentInput(messages=())).text == ""


def test_function_returning_an_object():
    async def point(text: str) -> Point:
        return Point(len(text))

    assert run_agent(point).object == {"x": 5}
    assert run_agent(point).text == ""


def test_function_of_the_whole_input():
    async def read_input(run_input: AgentInput) -> str:
        return f"{run_input.prompt} {run_input.context['user']} {run_input.max_steps}"

    assert (
        run_agent(read_input, build_input(context={"user": "ann"}, max_steps=2)).text
        == "hello ann 2"
    )


def test_generator_of_text():
    async def pieces(text: str):
        for letter in text:
            yield letter

    told = list_events(pieces)
    assert [event.text for event in told if isinstance(event, TextDelta)] == list("hello")
    assert told[-2:] == [StepFinish(), Finish()]
    assert run_agent(pieces).text == "hello"


def test_generator_of_events():
    async def own(text: str):
        yield TextDelta(text="thinking")
        yield StepFinish(continued=True, reason="tool-calls")
        yield "done"
        yield Finish(reason="length", usage=Usage(input_tokens=3))

    out = run_agent(own)
    assert (out.text, out.reason, out.usage.input_tokens) == ("done", "length", 3)
    assert [type(event) for event in out.events].count(Finish) == 1


def test_generator_yielding_failure():
    async def own(text: str):
        yield Failure(message="no")

    assert [type(event) for event in list_events(own)] == [Start, Failure]


def test_generator_of_invalid_values():
    async def own(text: str):
        yield 3

    failure = list_events(own)[-1]
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
def test_failure_hides_the_traceback(kind, words, error, caplog):
    async def function(text: str):
        raise LookupError("no such city")

    async def generator(text: str):
        yield "well"
        raise LookupError("no such city")

    async def no_json(text: str):
        return object()

    agent = {"function": function, "generator": generator, "no JSON": no_json}[kind]
    last = list_events(agent)[-1]
    assert isinstance(last, Failure)
    assert "Traceback" not in last.message
    assert __file__ not in last.message
    assert words in last.message
    assert last.kind == error
    with pytest.raises(AgentFailed) as caught:
        run_agent(agent)
    assert caught.value.message == last.message


def test_traceback_is_logged(caplog, monkeypatch):
    async def broken(text: str):
        raise LookupError("no such city")

    from mastra_core.logger import get_logger

    # Other tests may have silenced the framework's logger, which does not propagate by itself.
    monkeypatch.setattr(get_logger("mastra"), "propagate", True)
    caplog.set_level("ERROR", logger="mastra")
    list_events(broken)
    assert {record.name for record in caplog.records} == {"mastra.agents"}
    assert "no such city" in caplog.text
    assert "Traceback" in caplog.text


def test_output_of_a_suspended_run():
    async def stream():
        yield Start()
        yield ApprovalRequired(id="1", name="pay", arguments={})

    assert asyncio.run(collect(stream())).reason == "suspended"


def test_object_with_the_protocol_is_an_agent():
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


def take_nothing():
    pass


async def none():
    pass


async def take_two(a, b):
    pass


async def take_unresolved(a: "Nowhere"):  # noqa: F821  # that is the test
    pass


@pytest.mark.parametrize(
    "value",
    [take_nothing, none, take_two, take_unresolved, 3, None, functools.partial(take_two, 1, 2)],
)
def test_invalid_agents(value):
    with pytest.raises(ConfigError) as caught:
        as_agent(value)
    assert caught.value.hint


def test_built_in_agent_before_its_first_run():
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


def test_model_without_a_provider():
    with pytest.raises(ConfigError, match="names no provider") as caught:
        Agent(name="a", model="gpt-5")
    assert "openai:gpt-5" in caught.value.hint
    with pytest.raises(ConfigError, match="is not a tool"):
        Agent(name="a", model="test", tools=["x"])
