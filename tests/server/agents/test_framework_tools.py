"""Descriptions of agents whose framework has tools of its own."""

import json

import agents
import pydantic_ai
import pytest

from mastra_core import Mastra, MemoryStorage


def forecast(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def build_pydantic_ai():
    agent = pydantic_ai.Agent("test", name="helper", tools=[forecast])
    agent.tool_plain(pay, requires_approval=True)
    return agent


def build_openai_agents():
    tools = [agents.function_tool(forecast), agents.function_tool(pay, needs_approval=True)]
    return agents.Agent("helper", model="gpt-5", tools=[*tools, agents.WebSearchTool()])


@pytest.fixture(params=[build_pydantic_ai, build_openai_agents])
def http(serve, request):
    mastra = Mastra(
        agents={"helper": request.param()},
        storage=MemoryStorage(),
        memory={"last_messages": 2},
        logger=False,
    )
    with serve(mastra) as server:
        yield server.http


def test_function_tools_are_described(http):
    described = http.get("/api/agents/helper").json()["tools"]
    assert http.get("/api/agents").json()["helper"]["tools"] == described
    assert {name: tool["requireApproval"] for name, tool in described.items()} == {
        "forecast": False,
        "pay": True,
    }
    assert described["forecast"]["description"] == "The weather in a city."
    schema = json.loads(described["forecast"]["inputSchema"])["json"]
    assert (schema["required"], schema["properties"]["city"]["type"]) == (["city"], "string")
    assert http.get("/api/agents/helper/tools/pay").json() == described["pay"]
    partial = http.get("/api/agents", params={"partial": "true"}).json()["helper"]["tools"]
    assert "inputSchema" not in partial["pay"]


def test_function_tools_are_skills(http):
    card = http.get("/api/.well-known/helper/agent-card.json").json()
    assert [skill["id"] for skill in card["skills"]] == ["forecast", "pay"]


def test_only_the_agent_calls_a_function_tool(http):
    answer = http.post("/api/agents/helper/tools/pay/execute", json={"data": {"amount": 3}})
    assert answer.status_code == 409
    assert "only the agent can call it" in answer.json()["error"]
