"""Test the routes of agents that run workflows as tools."""

from typing import TypedDict

import pytest

from mastra_core import Agent, DurableEngine, Mastra, StepContext, Workflow, step


class Answer(TypedDict):
    yes: bool


@step(resume=Answer)
async def confirm(name: str, context: StepContext) -> str:
    if context.resume_data is None:
        context.suspend({"question": f"{name}?"})
    return "confirmed"


def create_app(engine):
    """Create an app with an agent that calls a workflow, and one that calls this agent."""
    city = Workflow("city").then(confirm)
    inner = Agent(name="inner", model="test", workflows={"c": city})
    outer = Agent(name="outer", model="test", agents={"inner": inner})
    agents = {"inner": inner, "outer": outer}
    return Mastra(agents=agents, workflows={"city": city}, engine=engine, logger=False)


@pytest.fixture(params=["memory", "durable"])
def http(request, serve, tmp_path):
    engine = DurableEngine(f"sqlite:///{tmp_path}/runs.db") if request.param == "durable" else None
    with serve(create_app(engine)) as server:
        yield server.http


def list_statuses(http):
    runs = http.get("/api/workflows/city/runs").json()["runs"]
    return [run["snapshot"]["status"] for run in runs]


def test_canceled_agent_cancels_its_workflow(http):
    body = {"messages": "hello", "runId": "r1"}
    answer = http.post("/api/agents/inner/generate", json=body)
    assert answer.json()["finishReason"] == "suspended", answer.text
    assert list_statuses(http) == ["suspended"]
    assert http.post("/api/agents/inner/runs/r1/cancel").status_code == 200
    assert list_statuses(http) == ["canceled"]


def test_workflow_that_an_agent_cannot_wait_for_is_canceled(http):
    body = {"messages": "hello", "runId": "r1"}
    answer = http.post("/api/agents/outer/generate", json=body)
    assert "cannot wait for a decision" in answer.text
    assert list_statuses(http) == ["canceled"]
