"""Functions that check or change the input and the events of runs."""

import asyncio
import re

import msgspec
import pytest

from mastra_core import Agent, AgentInput, Mastra, Memory, tool
from mastra_core.agents import Decision, Failure, Message, Start, TextDelta, TextPart
from mastra_core.errors import AgentFailed, ConfigError, Forbidden
from mastra_core.storage import MessageQuery
from tests.core.scripted_model import Script, build_input, call, list_events, run_agent

CARD = re.compile(r"\d{4} \d{4}")


def refuse_cards(run_input):
    if CARD.search(run_input.prompt):
        raise Forbidden("The message contains a card number.")
    return run_input


async def write_small(run_input):
    parts = (TextPart(text=run_input.prompt.lower()),)
    return msgspec.structs.replace(run_input, messages=(Message(role="user", parts=parts),))


async def hide_secrets(events):
    async for event in events:
        if isinstance(event, TextDelta):
            yield TextDelta(text=event.text.replace("secret", "***"))
        else:
            yield event


async def count_words(events):
    words = 0
    async for event in events:
        if isinstance(event, TextDelta):
            words += len(event.text.split())
        elif type(event).__name__.endswith("Finish") and words:
            yield TextDelta(text=f" ({words} words)")
            words = 0
        yield event


def create_agent(*turns, **options):
    script = Script(*turns)
    return script, Agent(name="a", model=script.model, **options)


@pytest.mark.parametrize("run", [run_agent, list_events])
def test_input_processors_run_in_order(run):
    script, agent = create_agent(["ok"], input_processors=[refuse_cards, write_small])
    run(agent, build_input("HELLO"))
    assert script.asked[0][-1].parts[-1].content == "hello"


def test_refused_run_keeps_its_status():
    script, agent = create_agent(["ok"], input_processors=[refuse_cards])
    with pytest.raises(AgentFailed) as caught:
        run_agent(agent, build_input("1234 5678"))
    assert (caught.value.status, caught.value.kind) == (403, "Forbidden")
    start, failure = list_events(agent, build_input("1234 5678"))
    assert (type(start), type(failure), failure.status) == (Start, Failure, 403)
    assert not script.asked


def test_output_processors_run_in_order():
    agent = create_agent(["a secret"], output_processors=[hide_secrets, count_words])[1]
    assert run_agent(agent).text == "a *** (2 words)"
    agent = create_agent(["a secret"], output_processors=[count_words, hide_secrets])[1]
    texts = [each.text for each in list_events(agent) if isinstance(each, TextDelta)]
    assert "".join(texts) == "a *** (2 words)"


async def fail(events):
    async for event in events:
        yield event
        raise ValueError("broken")


def test_processor_that_fails():
    agent = create_agent(["x"], output_processors=[fail])[1]
    start, failure = list_events(agent)
    assert (type(start), failure.kind, failure.message) == (Start, "ValueError", "broken")
    agent = create_agent(["x"], input_processors=[lambda run_input: None])[1]
    with pytest.raises(AgentFailed, match="An input processor returned 'NoneType'"):
        run_agent(agent)


@pytest.mark.parametrize("name", ["input_processors", "output_processors"])
def test_processors_of_the_wrong_type(name):
    with pytest.raises(ConfigError, match=f"'{name}' has the wrong type"):
        Agent(name="a", model="test", **{name: hide_secrets})


@pytest.mark.parametrize("of_agent", [True, False])
def test_memory_stores_what_the_processors_return(of_agent):
    memory = Memory()
    script, agent = create_agent(
        ["a secret"],
        ["again"],
        memory=memory if of_agent else None,
        input_processors=[refuse_cards, write_small],
        output_processors=[hide_secrets],
    )
    mastra = Mastra(agents={"a": agent}, memory=None if of_agent else memory, logger=False)

    async def talk():
        run = {"thread": "t", "resource": "ann"}
        registered = mastra.get_agent("a")
        await registered.generate("HELLO", **run)
        with pytest.raises(AgentFailed, match="card number"):
            await registered.generate("1234 5678", **run)
        async for _ in registered.stream("MORE", **run):
            pass
        page = await memory.list_messages(MessageQuery(thread="t"), "ann")
        return ["".join(part.text for part in each.parts) for each in page.items]

    stored = asyncio.run(talk())
    assert stored == ["hello", "a ***", "more", "again"]
    asked = str(script.asked[1])
    assert "a ***" in asked
    assert "secret" not in asked


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def test_run_with_processors_is_resumed():
    agent = create_agent(
        [call("pay", {"amount": 3})],
        ["a secret"],
        tools=[pay],
        input_processors=[refuse_cards],
        output_processors=[hide_secrets],
    )[1]
    suspended = run_agent(agent)
    decisions = {each.id: Decision() for each in suspended.waiting}
    done = run_agent(agent, AgentInput(history=suspended.history, decisions=decisions))
    assert (done.text, done.history) == ("a ***", b"")
    assert done.tool_results[0].result == "paid 3"
