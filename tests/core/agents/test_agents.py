import asyncio
import contextlib
import dataclasses
import functools
import types

import pytest

from mastra_core import Agent, AgentInput, AgentLike, Memory, tool
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
from mastra_core.agents.telemetry.agent_span import stream_traced
from mastra_core.agents.toolboxes import close_toolboxes
from mastra_core.errors import AgentFailed, ConfigError, Forbidden
from mastra_core.telemetry import add_listener, remove_listener
from tests.core.scripted_model import Script, call


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


def test_partial_of_a_function():
    async def greet(greeting: str, run_input: AgentInput) -> str:
        """Greet somebody."""
        return f"{greeting} {run_input.prompt}"

    agent = as_agent(functools.partial(greet, "Hello,"))
    assert (agent.id, agent.description) == ("greet", "Greet somebody.")
    assert run_agent(agent, build_input("Ann")).text == "Hello, Ann"


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


@pytest.mark.parametrize("raised", [Forbidden("No."), AgentFailed("No.", kind="Busy", status=429)])
def test_function_passes_the_status_of_an_error_on(raised):
    async def own(text: str):
        raise raised

    with pytest.raises(AgentFailed, match=r"No\.") as caught:
        run_agent(own)
    kind = getattr(raised, "kind", "Forbidden")
    assert (caught.value.kind, caught.value.status) == (kind, raised.status)


def test_closing_the_stream_closes_the_generator():
    closed = []

    async def pieces(text: str):
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(text)

    async def stop_early():
        events = as_agent(pieces).stream(build_input())
        async for event in events:
            if isinstance(event, TextDelta):
                break
        await events.aclose()
        assert closed == ["hello"]

    asyncio.run(stop_early())


def test_failure_closes_the_stream():
    closed = []

    async def stream():
        try:
            yield TextDelta(text="half")
            yield Failure(message="no")
        finally:
            closed.append(True)

    async def read():
        with pytest.raises(AgentFailed) as caught:
            await collect(stream())
        assert closed == [True]
        assert caught.value.events == (TextDelta(text="half"),)

    asyncio.run(read())


class Events:
    """An iterator without ``aclose``, which the protocol of agents allows."""

    def __init__(self, *events):
        self._events = list(events)

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self._events:
            raise StopAsyncIteration
        return self._events.pop(0)


def test_iterator_that_cannot_be_closed():
    async def read():
        with collect_spans() as spans:
            agent = types.SimpleNamespace(
                id="a", name="a", stream=lambda _: Events(Start(), TextDelta(text="x"), Finish())
            )
            assert (await collect(stream_traced(agent, build_input()))).text == "x"
        assert [span.name for span in spans] == ["invoke_agent a"]

    asyncio.run(read())


def test_failed_sub_agent_ends_its_span_in_its_own_context(caplog):
    async def fail(text: str):
        yield Failure(message="no")

    script = Script([call("agent-sub", {"prompt": "x"})], ["done"])
    agent = Agent(name="a", model=script.model, agents={"sub": fail})

    async def read():
        with collect_spans() as spans:
            output = await collect(stream_traced(agent, build_input()))
            assert (output.text, output.tool_results[0].failed) == ("done", True)
        names = [span.name for span in spans if not span.name.startswith("chat")]
        assert names == ["invoke_agent fail", "execute_tool agent-sub", "invoke_agent a"]

    caplog.set_level("DEBUG", logger="opentelemetry")
    asyncio.run(read())
    assert "detach" not in caplog.text


@contextlib.contextmanager
def collect_spans():
    """Collect the spans that end in a block."""
    spans = []

    class Listener:
        def on_start(self, span): ...
        def on_annotate(self, span, attributes): ...
        def on_end(self, span):
            spans.append(span)

    listener = Listener()
    add_listener(listener)
    try:
        yield spans
    finally:
        remove_listener(listener)


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
    with pytest.raises(ConfigError, match="names no provider") as caught:
        Agent(name="a", model="openai/gpt-5")  # as in Mastra for TypeScript
    assert caught.value.hint == 'Write a colon after the provider: "openai:gpt-5".'
    with pytest.raises(ConfigError, match="is not a tool"):
        Agent(name="a", model="test", tools=["x"])


@pytest.mark.parametrize("model", [None, 3, ["openai:gpt-5", None]])
def test_value_that_is_no_model(model):
    with pytest.raises(ConfigError, match="neither a model string nor a model object") as caught:
        Agent(name="a", model=model)
    assert "variable" in caught.value.hint


def test_error_of_a_model_shows_no_credentials():
    with pytest.raises(ConfigError, match="The model is a 'dict'") as caught:
        Agent(name="a", model={"id": "openai/gpt-5", "apiKey": "sk-12345678"})
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tools": "look"}, "'tools' has the wrong type 'str'"),
        ({"tools": tool(take_nothing)}, "'tools' has the wrong type"),
        ({"memory": 3}, "3 is not a memory"),
        ({"agents": ["x"]}, "'agents' has the wrong type 'list'"),
        ({"memory": {"size": 3}}, "The memory's settings are invalid"),
        ({"settings": ["x"]}, "'settings' has the wrong type 'list'"),
        ({"stop_when": len}, "'stop_when' has the wrong type"),
    ],
)
def test_argument_of_the_wrong_type(options, message):
    with pytest.raises(ConfigError, match=message):
        Agent(name="a", model="test", **options)


def test_memory_may_be_a_mapping():
    agent = Agent(name="a", model="test", memory={"last_messages": 3})
    assert isinstance(agent.memory, Memory)
    assert agent.memory.last_messages == 3


def test_every_toolbox_is_closed(caplog, monkeypatch):
    closed = []

    class Box:
        def __init__(self, error=None):
            self.error = error

        async def list_tools(self):
            return []

        async def aclose(self):
            if self.error:
                raise self.error
            closed.append(self)

    from mastra_core.logger import get_logger

    monkeypatch.setattr(get_logger("mastra"), "propagate", True)
    caplog.set_level("ERROR", logger="mastra")
    boxes = [Box(), Box(OSError("gone")), Box()]
    asyncio.run(close_toolboxes([Agent(name="a", model="test", tools=boxes)]))
    assert closed == [boxes[0], boxes[2]]
    assert "a toolbox cannot be closed" in caplog.text
