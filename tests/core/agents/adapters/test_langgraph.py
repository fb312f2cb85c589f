"""Graphs of LangGraph: what only they have, or have otherwise."""

from typing import TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from mastra_core import AgentInput, Mastra
from mastra_core.agents import Decision, Failure, ToolSuspended, as_agent
from mastra_core.errors import ConfigError
from tests.core.agents.adapters import sample_agents
from tests.core.scripted_model import said

pytestmark = pytest.mark.slow


def test_a_graph_that_cannot_be_an_agent():
    class State(TypedDict):
        number: int

    builder = StateGraph(State)
    builder.add_node("one", lambda state: state)
    builder.add_edge(START, "one")
    with pytest.raises(ConfigError, match="has no messages"):
        as_agent(builder.compile())
    with pytest.raises(ConfigError, match="not a compiled graph"):
        as_agent(builder)


def answering(text, **more):
    builder = StateGraph(MessagesState, **more)
    builder.add_node("answer", lambda _: {"messages": [("ai", text)]})
    builder.add_edge(START, "answer")
    return builder.compile()


def test_one_without_a_name_goes_by_its_key():
    mastra = Mastra(agents={"one": answering("1"), "two": answering("2")}, logger=False)
    assert [agent.id for agent in mastra.agents.values()] == ["one", "two"]


def test_a_node_without_a_model_answers():
    out = sample_agents.run(as_agent(answering("Just so.")).generate(said("hello")))
    assert out.text == "Just so."


def test_the_context_is_that_of_the_request():
    class Context(TypedDict):
        user: str

    def answer(_, runtime):
        return {"messages": [("ai", f"Hello {runtime.context['user']}.")]}

    from langgraph.runtime import Runtime

    answer.__annotations__ = {"_": MessagesState, "runtime": Runtime[Context]}
    builder = StateGraph(MessagesState, context_schema=Context)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    out = sample_agents.run(
        as_agent(builder.compile()).generate(said("hello", context={"user": "Ann"}))
    )
    assert out.text == "Hello Ann."


def test_a_checkpointer_keeps_the_thread(server):
    agent = as_agent(sample_agents.langgraph(server, InMemorySaver()))

    async def talk():
        await agent.generate(said("say hello", thread="t", resource="ann"))
        await agent.generate(said("once more", thread="t", resource="ann"))
        await agent.generate(said("weather", thread="t", resource="bob"))

    sample_agents.run(talk())
    roles = [each["role"] for each in sample_agents.requests(server, "once more")[-1]]
    assert roles == ["user", "assistant", "user"]
    alone = sample_agents.requests(server, "weather")[-1]
    assert alone[0]["content"] == "weather", "the thread of another resource was told"


@pytest.mark.parametrize("approved", [True, False])
def test_an_interrupt_waits_for_an_answer(server, approved):
    agent = as_agent(sample_agents.langgraph(server, InMemorySaver()))
    sample_agents.paid.clear()

    async def talk():
        out = await agent.generate(said("pay for it"))
        assert (out.reason, sample_agents.paid) == ("suspended", [])
        (waiting,) = out.waiting
        assert isinstance(waiting, ToolSuspended)
        assert waiting.payload == {"amount": 3}
        decisions = {waiting.id: Decision(approved=approved)}
        return await agent.generate(AgentInput(history=out.history, decisions=decisions))

    out = sample_agents.run(talk())
    assert out.tool_results[0].result == ("paid 3" if approved else "declined")
    assert sample_agents.paid == ([3] if approved else [])
    assert out.text == "That was about paying."


def test_only_what_waits_is_decided(server):
    agent = as_agent(sample_agents.langgraph(server, InMemorySaver()))
    sample_agents.paid.clear()

    async def talk():
        out = await agent.generate(said("pay for it"))
        (waiting,) = out.waiting
        declined = Decision(approved=False)

        async def decide(**decisions):
            wish = AgentInput(history=out.history, decisions=decisions)
            return [event async for event in agent.stream(wish)][-1]

        for decisions in ({"other": declined}, {waiting.id: Decision(arguments={"amount": 1})}):
            refused = await decide(**decisions)
            assert (refused.status, sample_agents.paid) == (400, [])
        await decide(other=Decision(), **{waiting.id: declined})
        assert sample_agents.paid == []
        again = await decide(**{waiting.id: Decision()})
        assert (again.status, again.message, sample_agents.paid) == (
            400,
            "The run waits for nothing.",
            [],
        )

    sample_agents.run(talk())


def test_an_interrupt_without_a_checkpointer_is_a_clear_failure(server):
    async def last():
        agent = as_agent(sample_agents.langgraph(server))
        return [event async for event in agent.stream(said("pay for it"))][-1]

    event = sample_agents.run(last())
    assert isinstance(event, Failure)
    assert "checkpointer" in event.message.lower()


def test_more_can_be_said_to_the_model(server):
    agent = as_agent(sample_agents.langgraph(server))
    sample_agents.run(agent.generate(said("say hello", extra_instructions="Be kind.")))
    first = sample_agents.requests(server, "say hello")[-1][0]
    assert (first["role"], first["content"]) == ("system", "Be kind.")


@pytest.mark.parametrize("wish", [{"model": "openai:gpt-5"}, {"instructions": "Help."}])
def test_what_a_graph_decides_itself_is_refused(server, wish):
    async def last():
        agent = as_agent(sample_agents.langgraph(server))
        return [event async for event in agent.stream(said("say hello", **wish))][-1]

    event = sample_agents.run(last())
    assert isinstance(event, Failure)
    assert event.status == 400
    assert next(iter(wish)) in event.message
