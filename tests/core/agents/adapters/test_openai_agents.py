"""Agents of the OpenAI Agents SDK: what only they have, or have otherwise."""

import sys
import types

import agents
import pydantic
import pytest

from mastra_core import AgentInput, tool
from mastra_core.agents import ClientTool, Decision, Failure, ToolCall, ToolResult, as_agent
from mastra_core.errors import AgentFailed, ConfigError
from tests.core.agents.adapters import sample_agents
from tests.core.scripted_model import said

pytestmark = pytest.mark.slow


@pytest.fixture
def agent(server):
    sample_agents.paid.clear()
    return as_agent(sample_agents.openai_agents(server))


def generate(agent, wish):
    return sample_agents.run(agent.generate(wish))


def test_a_package_of_the_same_name_is_not_taken_for_it(monkeypatch):
    mine = types.ModuleType("agents")
    kind = type("Agent", (), {"__module__": "agents.agent"})
    monkeypatch.setitem(sys.modules, "agents", mine)
    with pytest.raises(ConfigError, match="not the OpenAI Agents SDK"):
        as_agent(kind())


def test_what_it_says_of_itself():
    info = as_agent(agents.Agent(name="a", model="gpt-5", instructions="Help.")).info()
    assert (info.provider, info.model, info.instructions) == ("openai", "gpt-5", "Help.")
    assert info.variables == ("OPENAI_API_KEY",)


@pytest.mark.parametrize("approved", [True, False])
def test_approval(agent, approved):
    async def talk():
        out = await agent.generate(said("pay for it", context={"token": "sk-secret"}))
        assert (out.reason, sample_agents.paid) == ("suspended", [])
        (waiting,) = out.waiting
        assert (waiting.name, waiting.arguments) == ("pay", {"amount": 3})
        assert b"sk-secret" not in out.history
        decision = Decision(approved=approved, reason="" if approved else "too dear")
        wish = AgentInput(history=out.history, decisions={waiting.id: decision})
        return [event async for event in agent.stream(wish)]

    events = sample_agents.run(talk())
    (result,) = [event for event in events if isinstance(event, ToolResult)]
    assert result.arguments == {"amount": 3}
    assert result.failed is not approved
    assert result.result == ("paid 3" if approved else "too dear")
    assert sample_agents.paid == ([3] if approved else [])
    assert not [event for event in events if isinstance(event, ToolCall)], "it was told before"


def test_a_suspended_run_wants_a_decision(agent):
    async def talk():
        out = await agent.generate(said("pay for it"))
        return await agent.generate(AgentInput(history=out.history))

    with pytest.raises(AgentFailed, match="waits for 'p1'") as caught:
        sample_agents.run(talk())
    assert caught.value.status == 400


def test_wishes_of_one_run(agent, server):
    @tool
    def note(text: str) -> str:
        """Write down."""
        return f"noted {text}"

    wish = said(
        "write down",
        tools=(note,),
        active_tools=("note",),
        instructions="Be short.",
        extra_instructions="Be kind.",
        settings={"temperature": 0.5, "tool_choice": ["note"]},
        model="openai:gpt-4o",
    )
    wish = AgentInput(**{**as_dict(wish), "model": sample_agents.openai_agents(server).model})
    out = generate(agent, wish)
    assert out.text == "Noted."
    assert out.tool_results[0].result == "noted milk"
    first, asked = sample_agents.bodies(server, "write down")[-2:]
    assert first["tool_choice"] == {"type": "function", "function": {"name": "note"}}
    assert "tool_choice" not in asked
    assert asked["messages"][0]["content"] == "Be short.\n\nBe kind."
    assert [each["function"]["name"] for each in asked["tools"]] == ["note"]
    assert asked["temperature"] == 0.5


def as_dict(wish):
    return {name: getattr(wish, name) for name in wish.__struct_fields__}


def test_a_tool_of_the_caller_ends_the_run(agent):
    client = (ClientTool(name="note", description="Write down."),)
    out = generate(agent, said("write down", client_tools=client))
    assert out.reason == "tool-calls"
    assert [call.name for call in out.tool_calls] == ["note"]


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize("wish", [{"output": Weather}, {"output_schema": SCHEMA}])
def test_a_structured_answer(agent, wish):
    out = generate(agent, said("as an object", **wish))
    assert out.object == {"city": "Oslo", "degrees": -3}


def test_a_guardrail_is_told_in_a_sentence(server):
    @agents.input_guardrail
    async def never(_, __, ___):
        return agents.GuardrailFunctionOutput(output_info="why", tripwire_triggered=True)

    agent = as_agent(sample_agents.openai_agents(server, input_guardrails=[never]))
    with pytest.raises(AgentFailed, match=r"A guardrail refused the input\.") as caught:
        generate(agent, said("say hello"))
    assert caught.value.status == 422


def test_what_it_cannot_do_is_refused(agent):
    async def last():
        wish = said("say hello", stop_when=(lambda _: True,))
        return [event async for event in agent.stream(wish)][-1]

    event = sample_agents.run(last())
    assert isinstance(event, Failure)
    assert (event.status, "'stop_when'" in event.message) == (400, True)
