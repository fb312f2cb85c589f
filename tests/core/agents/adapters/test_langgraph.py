"""Graphs of LangGraph: features that only they have."""

import operator
from typing import Annotated, TypedDict

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages

from mastra_core import AgentInput, Mastra, Memory
from mastra_core.agents import Decision, Failure, ToolSuspended, as_agent
from mastra_core.describe import describe
from mastra_core.errors import ConfigError
from tests.core.agents.adapters import frameworks
from tests.core.scripted_model import build_input

pytestmark = pytest.mark.slow


def test_invalid_graph_is_rejected():
    class State(TypedDict):
        number: int

    builder = StateGraph(State)
    builder.add_node("one", lambda state: state)
    builder.add_edge(START, "one")
    with pytest.raises(ConfigError, match="has no key 'messages'"):
        as_agent(builder.compile())
    with pytest.raises(ConfigError, match="not a compiled graph"):
        as_agent(builder)


def build_answering_graph(text, **more):
    builder = StateGraph(MessagesState, **more)
    builder.add_node("answer", lambda _: {"messages": [("ai", text)]})
    builder.add_edge(START, "answer")
    return builder.compile()


def test_unnamed_graph_is_named_after_its_key():
    mastra = Mastra(
        agents={"one": build_answering_graph("1"), "two": build_answering_graph("2")}, logger=False
    )
    assert [agent.id for agent in mastra.agents.values()] == ["one", "two"]


def test_text_of_a_node_without_a_model():
    out = frameworks.run(as_agent(build_answering_graph("Just so.")).generate(build_input("hello")))
    assert out.text == "Just so."


def test_runtime_context_is_the_request_context():
    class Context(TypedDict):
        user: str

    def answer(_, runtime):
        return {"messages": [("ai", f"Hello {runtime.context['user']}.")]}

    from langgraph.runtime import Runtime

    answer.__annotations__ = {"_": MessagesState, "runtime": Runtime[Context]}
    builder = StateGraph(MessagesState, context_schema=Context)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    out = frameworks.run(
        as_agent(builder.compile()).generate(build_input("hello", context={"user": "Ann"}))
    )
    assert out.text == "Hello Ann."


def test_checkpointer_stores_the_thread(server):
    agent = as_agent(frameworks.build_langgraph(server, InMemorySaver()))

    async def converse():
        await agent.generate(build_input("say hello", thread="t", resource="ann"))
        await agent.generate(build_input("once more", thread="t", resource="ann"))
        await agent.generate(build_input("weather", thread="t", resource="bob"))

    frameworks.run(converse())
    roles = [each["role"] for each in frameworks.list_conversations(server, "once more")[-1]]
    assert roles == ["user", "assistant", "user"]
    alone = frameworks.list_conversations(server, "weather")[-1]
    assert alone[0]["content"] == "weather", "the thread of another resource was told"


@pytest.mark.parametrize("approved", [True, False])
def test_interrupt_waits_for_an_answer(server, approved):
    agent = as_agent(frameworks.build_langgraph(server, InMemorySaver()))
    frameworks.paid.clear()

    async def converse():
        out = await agent.generate(build_input("pay for it"))
        assert (out.reason, frameworks.paid) == ("suspended", [])
        (waiting,) = out.waiting
        assert isinstance(waiting, ToolSuspended)
        assert waiting.payload == {"amount": 3}
        decisions = {waiting.id: Decision(approved=approved)}
        return await agent.generate(AgentInput(history=out.history, decisions=decisions))

    out = frameworks.run(converse())
    assert out.tool_results[0].result == ("paid 3" if approved else "declined")
    assert frameworks.paid == ([3] if approved else [])
    assert out.text == "That was about paying."


def test_decision_about_an_unknown_interrupt_is_rejected(server):
    agent = as_agent(frameworks.build_langgraph(server, InMemorySaver()))
    frameworks.paid.clear()

    async def converse():
        out = await agent.generate(build_input("pay for it"))
        (waiting,) = out.waiting
        declined = Decision(approved=False)

        async def decide(**decisions):
            run_input = AgentInput(history=out.history, decisions=decisions)
            return [event async for event in agent.stream(run_input)][-1]

        for decisions in ({"other": declined}, {waiting.id: Decision(arguments={"amount": 1})}):
            refused = await decide(**decisions)
            assert (refused.status, frameworks.paid) == (400, [])
        await decide(other=Decision(), **{waiting.id: declined})
        assert frameworks.paid == []
        again = await decide(**{waiting.id: Decision()})
        assert (again.status, again.message, frameworks.paid) == (
            400,
            "The checkpointer of the graph 'helper' has no interrupt that waits for a decision.",
            [],
        )

    frameworks.run(converse())


@pytest.mark.parametrize("memory", [None, Memory()])
def test_a_checkpointer_in_memory_needs_a_single_process(server, memory):
    def is_single_process(checkpointer):
        graph = frameworks.build_langgraph(server, checkpointer)
        settings = {"memory": memory, "storage": "sqlite:///app.db", "logger": False}
        return describe(Mastra(agents={"a": graph}, **settings))["serve"]["single_process"]

    assert is_single_process(InMemorySaver())
    assert not is_single_process(BaseCheckpointSaver()), "another one may use a database"
    assert not is_single_process(None)


def test_interrupt_without_a_checkpointer_fails(server):
    async def read_last_event():
        agent = as_agent(frameworks.build_langgraph(server))
        return [event async for event in agent.stream(build_input("pay for it"))][-1]

    event = frameworks.run(read_last_event())
    assert isinstance(event, Failure)
    assert "checkpointer" in event.message.lower()


def test_extra_instructions(server):
    agent = as_agent(frameworks.build_langgraph(server))
    frameworks.run(agent.generate(build_input("say hello", extra_instructions="Be kind.")))
    first = frameworks.list_conversations(server, "say hello")[-1][0]
    assert (first["role"], first["content"]) == ("system", "Be kind.")


@pytest.mark.parametrize(
    ("run_input", "option"),
    [
        ({"model": "openai:gpt-5"}, "model"),
        ({"instructions": "Help."}, "instructions"),
        ({"settings": {"tool_choice": "none"}}, "tool_choice"),
    ],
)
def test_unsupported_options_are_rejected(server, run_input, option):
    async def read_last_event():
        agent = as_agent(frameworks.build_langgraph(server))
        return [event async for event in agent.stream(build_input("say hello", **run_input))][-1]

    event = frameworks.run(read_last_event())
    assert isinstance(event, Failure)
    assert event.status == 400
    assert f"'{option}'" in event.message


@pytest.mark.parametrize("checkpointer", [InMemorySaver(), None])
def test_extra_instructions_do_not_accumulate(checkpointer):
    received = []

    def answer(state):
        received.append([message.content for message in state["messages"]])
        return {"messages": [("ai", "Hello.")]}

    builder = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer")
    agent = as_agent(builder.compile(name="g", checkpointer=checkpointer))

    async def converse():
        history = b""
        for text in ("one", "two"):
            run_input = build_input(text, thread="t", history=history, extra_instructions=text * 2)
            history = (await agent.generate(run_input)).history

    frameworks.run(converse())
    assert sorted(received[-1]) == ["Hello.", "one", "two", "twotwo"]


@pytest.mark.parametrize("reducer", [add_messages, operator.add])
def test_extra_instructions_of_one_run_are_not_those_of_the_next(reducer):
    """A reducer of the application may not know how to remove them; it must still work."""
    received = []

    def answer(state):
        received.append([message.content for message in state["messages"]])
        return {"messages": [AIMessage("Hello.")]}

    class State(TypedDict):
        messages: Annotated[list, reducer]

    builder = StateGraph(State).add_node("answer", answer).add_edge(START, "answer")
    agent = as_agent(builder.compile(name="g", checkpointer=InMemorySaver()))

    async def converse():
        await agent.generate(build_input("one", thread="t", extra_instructions="Be kind."))
        await agent.generate(build_input("two", thread="t"))
        await agent.generate(build_input("three", thread="t"))

    frameworks.run(converse())
    assert received[2][-4:] == ["Hello.", "two", "Hello.", "three"]
    assert ("Be kind." in received[1]) == (reducer is operator.add)
