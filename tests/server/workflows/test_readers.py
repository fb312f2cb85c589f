"""Each reader of a run gets the same chunks, also the same ids."""

import re

from pydantic_ai.models.function import DeltaToolCall, FunctionModel

from mastra_core import Agent, AgentInput, DurableEngine, Mastra, Workflow, as_step
from mastra_core.agents.function import FunctionAgent


async def shout(input: AgentInput) -> str:
    return input.prompt.upper()


async def ask_shout(messages, info):
    if len(messages) > 1:
        yield "Done."
    else:
        yield {0: DeltaToolCall(name="agent-shout", json_args='{"prompt": "hello"}')}


def list_message_ids(stream):
    return re.findall(r'"messageId":"([^"]+)"', stream)


def test_readers_of_a_workflow_whose_steps_are_agents(serve):
    steps = [as_step(FunctionAgent(shout), id=name) for name in ("first", "second")]
    line = Workflow("line").then(steps[0]).map(lambda value: value["text"]).then(steps[1])
    query = {"runId": "r1"}
    with serve(Mastra(workflows={"line": line})) as server:
        path, post = "/api/workflows/line", server.http.post
        post(f"{path}/create-run", params=query)
        post(f"{path}/start-async", params=query, json={"inputData": "hello"})
        streams = [post(f"{path}/observe", params=query).text for _ in range(2)]
    found = [list_message_ids(stream) for stream in streams]
    assert found[0] == found[1]
    assert len(set(found[0])) == 2, "each call of an agent has a message of its own"


def test_readers_of_a_durable_agent_that_calls_an_agent(serve, tmp_path):
    model = FunctionModel(stream_function=ask_shout)
    team = Agent(name="team", model=model, agents={"shout": FunctionAgent(shout)})
    engine = DurableEngine(f"sqlite:///{tmp_path}/runs.db")
    body = {"messages": "hello", "runId": "r1"}
    with serve(Mastra(agents={"team": team}, engine=engine)) as server:
        post = server.http.post
        first = post("/api/agents/team/stream", json=body).text
        second = post("/api/agents/team/observe", json={"runId": "r1"}).text
    assert list_message_ids(first) == list_message_ids(second)
    assert len(set(list_message_ids(first))) == 2
