"""Agents with workflows, with processors, and with functions that choose, over HTTP."""

import json
from typing import TypedDict

import pytest
from pydantic_ai.models.test import TestModel

from mastra_core import Agent, Mastra, StepContext, Workflow, step, tool
from mastra_core.agents import TextDelta
from mastra_core.errors import Forbidden

TestModel.__test__ = False


class Answer(TypedDict):
    yes: bool


@step(resume=Answer)
async def confirm(city: str, context: StepContext) -> str:
    if context.resume_data is None:
        context.suspend({"question": "Really?"})
    return f"yes: {context.resume_data['yes']}"


@tool
def forecast(city: str) -> str:
    """The weather."""
    return "sunny"


def refuse(run_input):
    if "card" in run_input.prompt:
        raise Forbidden("The message contains a card number.")
    return run_input


async def hide(events):
    async for event in events:
        if not isinstance(event, TextDelta) or "secret" not in event.text:
            yield event


def choose_model(context):
    return TestModel(custom_output_text=f"for {context['tier']}")


@pytest.fixture(scope="module")
def server(serve):
    workflows = {"confirm": Workflow("confirm-city", description="Asks").then(confirm)}
    text = TestModel(custom_output_text="a secret word")
    agents = {
        "guide": Agent(name="guide", model="test", workflows=workflows),
        "guarded": Agent(
            name="guarded", model=text, input_processors=[refuse], output_processors=[hide]
        ),
        "tiered": Agent(name="tiered", model=choose_model, tools=lambda context: [forecast]),
    }
    with serve(Mastra(agents=agents, logger=False)) as server:
        yield server


def read_chunks(answer):
    frames = (line.removeprefix("data: ") for line in answer.text.splitlines())
    return [json.loads(frame) for frame in frames if frame.startswith("{")]


def test_workflow_of_an_agent(server):
    details = server.http.get("/api/agents/guide").json()
    steps = {"confirm": {"id": "confirm"}}
    assert details["workflows"] == {"confirm": {"name": "confirm-city", "steps": steps}}
    body = {"messages": "Hello", "runId": "r1"}
    chunks = read_chunks(server.http.post("/api/agents/guide/stream", json=body))
    (waiting,) = [each["payload"] for each in chunks if each["type"] == "tool-call-suspended"]
    assert (waiting["toolName"], waiting["suspendPayload"]) == (
        "workflow-confirm",
        {"question": "Really?"},
    )
    assert json.loads(waiting["resumeSchema"])["required"] == ["yes"]
    resume = {"runId": "r1", "toolCallId": waiting["toolCallId"]}
    path = "/api/agents/guide/resume-stream"
    assert server.http.post(path, json={**resume, "resumeData": {"yes": 3}}).status_code == 400
    answer = server.http.post(path, json={**resume, "resumeData": {"yes": True}})
    results = [each["payload"] for each in read_chunks(answer) if each["type"] == "tool-result"]
    assert [each["result"]["result"] for each in results] == ["yes: True"]


def test_processors(server):
    path = "/api/agents/guarded"
    details = server.http.get(path).json()
    assert details["inputProcessors"] == [{"id": "refuse", "name": "refuse"}]
    assert details["outputProcessors"] == [{"id": "hide", "name": "hide"}]
    answer = server.http.post(f"{path}/generate", json={"messages": "my card"})
    assert (answer.status_code, answer.json()["error"]) == (
        403,
        "The message contains a card number.",
    )
    chunks = read_chunks(server.http.post(f"{path}/stream", json={"messages": "my card"}))
    (error,) = [each["payload"]["error"] for each in chunks if each["type"] == "error"]
    assert error["name"] == "Forbidden"
    chunks = read_chunks(server.http.post(f"{path}/stream", json={"messages": "hello"}))
    texts = [each["payload"]["text"] for each in chunks if each["type"] == "text-delta"]
    assert "".join(texts).split() == ["a", "word"]


def test_model_and_tools_of_a_request(server):
    details = server.http.get("/api/agents/tiered").json()
    assert (details["provider"], details["modelId"], details["tools"]) == ("", "", {})
    body = {"messages": "hello", "requestContext": {"tier": "pro"}}
    answer = server.http.post("/api/agents/tiered/generate", json=body).json()
    assert answer["text"] == "for pro"
    assert [each["payload"]["toolName"] for each in answer["toolCalls"]] == ["forecast"]
