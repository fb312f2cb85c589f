"""Agents of the OpenAI Agents SDK: features that only they have."""

import sys
import types

import agents
import pydantic
import pytest

from mastra_core import AgentInput, tool
from mastra_core.agents import (
    ClientTool,
    Decision,
    Failure,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    as_agent,
)
from mastra_core.errors import AgentFailed, ConfigError
from tests.core.agents.adapters import frameworks
from tests.core.scripted_model import build_input

pytestmark = pytest.mark.slow


@pytest.fixture
def agent(server):
    frameworks.paid.clear()
    return as_agent(frameworks.build_openai_agents(server))


def generate(agent, run_input):
    return frameworks.run(agent.generate(run_input))


def test_other_package_of_the_same_name_is_rejected(monkeypatch):
    mine = types.ModuleType("agents")
    kind = type("Agent", (), {"__module__": "agents.agent"})
    monkeypatch.setitem(sys.modules, "agents", mine)
    with pytest.raises(ConfigError, match="not the OpenAI Agents SDK"):
        as_agent(kind())


def test_info():
    info = as_agent(agents.Agent(name="a", model="gpt-5", instructions="Help.")).info()
    assert (info.provider, info.model, info.instructions) == ("openai", "gpt-5", "Help.")
    assert info.variables == ("OPENAI_API_KEY",)


@pytest.mark.parametrize("approved", [True, False])
def test_approval(agent, approved):
    async def converse():
        out = await agent.generate(build_input("pay for it", context={"token": "sk-secret"}))
        assert (out.reason, frameworks.paid) == ("suspended", [])
        (waiting,) = out.waiting
        assert (waiting.name, waiting.arguments) == ("pay", {"amount": 3})
        assert b"sk-secret" not in out.history
        decision = Decision(approved=approved, reason="" if approved else "too dear")
        run_input = AgentInput(history=out.history, decisions={waiting.id: decision})
        return [event async for event in agent.stream(run_input)]

    events = frameworks.run(converse())
    (result,) = [event for event in events if isinstance(event, ToolResult)]
    assert result.arguments == {"amount": 3}
    assert (result.failed, result.declined) == (not approved, not approved)
    assert result.result == ("paid 3" if approved else "too dear")
    assert frameworks.paid == ([3] if approved else [])
    assert not [event for event in events if isinstance(event, ToolCall)], "it was told before"


@pytest.mark.parametrize("approved", [True, False])
def test_approval_in_a_conversation(agent, approved):
    """A suspended run keeps the earlier answers, as memory passes them to the next run."""
    messages = (
        Message.user("hi"),
        Message(role="assistant", parts=(TextPart(text="Hello."),)),
        Message.user("pay for it"),
    )

    async def converse():
        out = await agent.generate(AgentInput(messages=messages))
        (waiting,) = out.waiting
        decisions = {waiting.id: Decision(approved=approved)}
        return await agent.generate(AgentInput(history=out.history, decisions=decisions))

    assert frameworks.run(converse()).text
    assert frameworks.paid == ([3] if approved else [])


def test_suspended_run_needs_a_decision(agent):
    async def converse():
        out = await agent.generate(build_input("pay for it"))
        return await agent.generate(AgentInput(history=out.history))

    with pytest.raises(AgentFailed, match="waits for decisions about 'p1'") as caught:
        frameworks.run(converse())
    assert caught.value.status == 400


def test_options_of_one_run(agent, server):
    @tool
    def note(text: str) -> str:
        """Write down."""
        return f"noted {text}"

    run_input = build_input(
        "write down",
        tools=(note,),
        active_tools=("note",),
        instructions="Be short.",
        extra_instructions="Be kind.",
        settings={"temperature": 0.5, "tool_choice": ["note"]},
        model="openai:gpt-4o",
    )
    run_input = AgentInput(
        **{**to_dict(run_input), "model": frameworks.build_openai_agents(server).model}
    )
    out = generate(agent, run_input)
    assert out.text == "Noted."
    assert out.events[0].model == "gpt-4o"
    assert out.tool_results[0].result == "noted milk"
    first, request = frameworks.list_bodies(server, "write down")[-2:]
    assert first["tool_choice"] == {"type": "function", "function": {"name": "note"}}
    assert "tool_choice" not in request
    assert request["messages"][0]["content"] == "Be short.\n\nBe kind."
    assert [each["function"]["name"] for each in request["tools"]] == ["note"]
    assert request["temperature"] == 0.5


def test_model_of_one_run_in_the_first_event():
    async def read_first(model):
        events = as_agent(agents.Agent(name="a", model="gpt-5")).stream(
            build_input("hello", model=model)
        )
        first = await anext(events)
        await events.aclose()
        return first.provider, first.model

    assert frameworks.run(read_first(None)) == ("openai", "gpt-5")
    assert frameworks.run(read_first("openai:gpt-4o")) == ("openai", "gpt-4o")


@pytest.mark.parametrize("error", [LookupError("no password=hunter22"), None])
def test_error_of_a_tool_of_one_run_is_its_result(agent, error):
    def note(text: int | str) -> str:
        if error is not None:
            raise error
        return text

    def note_number(text: int) -> str:
        return "noted"

    own = note if error is not None else tool(id="note")(note_number)
    out = generate(agent, build_input("write down", tools=(own,)))
    assert out.text == "Noted."
    (result,) = out.tool_results
    expected = "no password=****" if error is not None else "The arguments are invalid: "
    assert result.result.startswith(expected)
    assert result.failed


def to_dict(run_input):
    return {name: getattr(run_input, name) for name in run_input.__struct_fields__}


def test_invalid_arguments_of_a_tool_with_conditional_approval(agent):
    def note(text: int) -> str:
        raise AssertionError

    own = tool(id="note", requires_approval=lambda text: text > 5)(note)
    out = generate(agent, build_input("write down", tools=(own,)))
    assert out.text == "Noted."
    (result,) = out.tool_results
    assert result.result.startswith("The arguments are invalid: ")
    assert result.failed


def test_client_tool_ends_the_run(agent):
    client = (ClientTool(name="note", description="Write down."),)
    out = generate(agent, build_input("write down", client_tools=client))
    assert out.reason == "tool-calls"
    assert [call.name for call in out.tool_calls] == ["note"]


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize("run_input", [{"output": Weather}, {"output_schema": SCHEMA}])
def test_structured_answer(agent, run_input):
    out = generate(agent, build_input("as an object", **run_input))
    assert out.object == {"city": "Oslo", "degrees": -3}


def test_guardrail_failure_has_a_safe_message(server):
    @agents.input_guardrail
    async def trip(_, __, ___):
        return agents.GuardrailFunctionOutput(output_info="why", tripwire_triggered=True)

    agent = as_agent(frameworks.build_openai_agents(server, input_guardrails=[trip]))
    with pytest.raises(AgentFailed, match=r"A guardrail refused the input\.") as caught:
        generate(agent, build_input("say hello"))
    assert caught.value.status == 422


def test_unsupported_options_are_rejected(agent):
    async def read_last_event():
        run_input = build_input("say hello", stop_when=(lambda _: True,))
        return [event async for event in agent.stream(run_input)][-1]

    event = frameworks.run(read_last_event())
    assert isinstance(event, Failure)
    assert (event.status, "'stop_when'" in event.message) == (400, True)
