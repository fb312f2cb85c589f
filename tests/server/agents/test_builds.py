"""A server of a new build decides a tool call for which a run of the old build waits."""

import pytest

from mastra_core import Agent, DurableEngine, Mastra, tool
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

    url = f"sqlite:///{tmp_path}/app.db"

    def start(agent, **options):
        return serve(Mastra(agents={"clerk": agent}, storage=url, **options))

    turns = [[call("pay", {"amount": 3})]] * 3
    with start(build_clerk(*turns)) as server:
        for run_id in ("r1", "r2", "r3"):
            body = {"messages": "pay", "runId": run_id}
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


def list_suspended(server, **query):
    page = server.http.get("/api/agents/clerk/suspended-runs", params=query).json()
    return [run["runId"] for run in page["runs"]], page["total"]


def test_agent_that_is_durable_now(serve_agent, tmp_path):
    """The runs that waited before are listed, decided and canceled as the durable ones."""
    model = build_clerk([call("pay", {"amount": 3})], ["Done."], ["Streamed."])
    engine = DurableEngine(f"sqlite:///{tmp_path}/app.db")
    with serve_agent(model, engine=engine) as server:
        new = {"messages": "pay", "runId": "r4"}
        assert server.http.post("/api/agents/clerk/generate", json=new).is_success
        assert list_suspended(server) == (["r4", "r3", "r2", "r1"], 4)
        pages = [list_suspended(server, page=page, perPage=3)[0] for page in range(2)]
        assert pages == [["r4", "r3", "r2"], ["r1"]]
        assert list_suspended(server, page=1, perPage=1) == (["r3"], 4)
        assert server.http.post(APPROVE, json=DECISION).json()["text"] == "Done."
        decision = {**DECISION, "runId": "r2"}
        stream = server.http.post("/api/agents/clerk/approve-tool-call", json=decision)
        assert "Streamed." in stream.text
        assert "paid 3" in stream.text
        assert server.http.post("/api/agents/clerk/runs/r3/cancel").is_success
        assert list_suspended(server) == (["r4"], 1)
        again = server.http.post(APPROVE, json=DECISION)
        assert again.status_code == 404
