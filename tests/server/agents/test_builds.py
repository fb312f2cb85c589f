"""A server of a new build decides a tool call for which a run of the old build waits."""

import pytest

from mastra_core import Agent, Mastra, tool
from tests.core.scripted_model import Script, call

DECISION = {"runId": "r1", "toolCallId": "c1"}
APPROVE = "/api/agents/clerk/approve-tool-call-generate"


@tool(requires_approval=True)
def pay(amount: int) -> str:
    return f"paid {amount}"


def build_clerk(*turns):
    return Agent(name="clerk", model=Script(*turns).model, tools=[pay])


async def clerk(text: str) -> str:
    return f"You said {text}."


@pytest.fixture
def serve_agent(serve, tmp_path):
    """A function that serves an agent, on a database with a run that waits."""

    def start(agent):
        return serve(Mastra(agents={"clerk": agent}, storage=f"sqlite:///{tmp_path}/app.db"))

    with start(build_clerk([call("pay", {"amount": 3})])) as server:
        body = {"messages": "pay", "runId": "r1"}
        answer = server.http.post("/api/agents/clerk/generate", json=body)
        assert answer.json()["finishReason"] == "suspended"
    return start


def test_agent_of_another_framework(serve_agent):
    """The new agent cannot read the history; the run waits for the earlier agent."""
    with serve_agent(clerk) as server:
        refused = server.http.post(APPROVE, json=DECISION)
        assert refused.status_code == 409
        assert refused.json()["error"].startswith("The run 'r1' has a history in the format of")
    with serve_agent(build_clerk(["Done."])) as server:
        assert server.http.post(APPROVE, json=DECISION).json()["text"] == "Done."
