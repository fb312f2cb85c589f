"""Test the chunks of a workflow run."""

import asyncio

import pytest

from mastra_core import Agent, StepContext, Workflow
from mastra_core.workflows import MemoryEngine
from mastra_server.workflows.chunks import ChunkWriter
from tests.core.scripted_model import Script
from tests.core.workflows.sample_steps import start_and_wait


def add_one(number: int) -> int:
    return number + 1


def is_three(number: int) -> bool:
    return number >= 3


def list_chunks(workflow, value):
    async def run_and_read():
        run = await start_and_wait(MemoryEngine(), workflow, value)
        writer = ChunkWriter("r1", workflow.id)
        return [chunk async for event in run.iter_events() for chunk in writer.write(event)]

    return asyncio.run(run_and_read())


def select_payloads(chunks, kind):
    return [chunk["payload"] for chunk in chunks if chunk["type"] == f"workflow-{kind}"]


def test_agent_as_a_step_streams():
    agent = Agent(name="helper", model=Script(["It is ", "sunny."]).model)
    chunks = list_chunks(Workflow("w").then(agent), "hi")
    outputs = select_payloads(chunks, "step-output")
    assert {each["stepName"] for each in outputs} == {"helper"}
    inner = [each["output"] for each in outputs]
    kinds = [each["type"] for each in inner]
    assert (kinds[:3], kinds[-1]) == (["start", "step-start", "text-start"], "finish")
    texts = [each["payload"]["text"] for each in inner if each["type"] == "text-delta"]
    assert texts == ["It is ", "sunny."]
    (result,) = select_payloads(chunks, "step-result")
    assert result["output"] == {"text": "It is sunny."}
    (finish,) = select_payloads(chunks, "finish")
    assert finish["output"]["usage"]["outputTokens"] > 0


@pytest.mark.parametrize("more", [{}, {"event": {"type": "sunny"}}, {"event": 7}])
def test_value_that_resembles_an_event(more):
    value = {"type": "agent-event", "agent": "x", **more}

    async def write(text: str, context: StepContext) -> str:
        await context.write(value)
        return text

    chunks = list_chunks(Workflow("w").then(write), "hi")
    (output,) = select_payloads(chunks, "step-output")
    assert output["output"] == value


def test_iterations():
    chunks = list_chunks(Workflow("w").dountil(add_one, is_three), 1)
    for kind in ("step-start", "step-result"):
        payloads = select_payloads(chunks, kind)
        assert [each["metadata"] for each in payloads] == [
            {"iterationCount": 1},
            {"iterationCount": 2},
        ]
    chunks = list_chunks(Workflow("w").foreach(add_one), [1, 2])
    assert [each["stepName"] for each in select_payloads(chunks, "step-progress")] == [
        "add_one"
    ] * 2
