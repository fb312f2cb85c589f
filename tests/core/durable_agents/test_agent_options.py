"""Durable runs of agents with processors, workflows and results that are made for the model."""

import asyncio

import msgspec
import pytest

from mastra_core import Agent, Workflow, step, tool
from mastra_core.agents import TextDelta, ToolResult
from mastra_core.errors import AgentFailed
from tests.core.durable_agents.conftest import read_all, wait_until
from tests.core.scripted_model import Script, call


def find_results(events):
    return [each.result for each in events if isinstance(each, ToolResult)]


def test_recorded_result_has_both_forms(open_mastra):
    @tool(to_model_output=lambda result: "3 degrees")
    def measure() -> dict[str, int]:
        return {"degrees": 3}

    async def run_scenario():
        outage = RuntimeError("The model is out of order.")
        script = Script([call("measure", {})], [outage], ["done"])
        agent = Agent(name="a", model=script.model, tools=[measure])
        async with open_mastra(agent) as mastra:
            durable = mastra.get_agent("a")
            with pytest.raises(AgentFailed):
                await durable.generate("x", run_id="r")
            run = await mastra.engine.get(durable.workflow, "r")
            await mastra.engine.restart(run)
            await run.wait()
            events = await read_all(await durable.observe("r"))
        assert find_results(events) == [{"degrees": 3}]
        assert script.asked[-1][-1].parts[-1].content == "3 degrees"

    asyncio.run(run_scenario())


def test_next_process_continues_the_workflow_of_an_agent(open_mastra):
    starts = []

    @step
    async def begin(city: str) -> str:
        starts.append(city)
        return city

    @step
    async def finish(city: str) -> str:
        if len(starts) == 1 and not starts.append("waits"):
            await asyncio.Event().wait()
        return f"{city} is big"

    script = Script([call("workflow-city", {"inputData": "Oslo"})], ["done"])
    workflow = Workflow("city").then(begin).then(finish)
    agent = Agent(name="a", model=script.model, workflows={"city": workflow})

    async def run_scenario():
        async with open_mastra(agent) as mastra:
            reading = asyncio.create_task(read_all(mastra.get_agent("a").stream("x", run_id="r")))
            await wait_until(lambda: len(starts) == 2)
        reading.cancel()
        async with open_mastra(agent) as mastra, asyncio.timeout(30):
            events = await read_all(await mastra.get_agent("a").observe("r"))
            return events, await mastra.engine.count(workflow)

    events, counts = asyncio.run(run_scenario())
    (result,) = find_results(events)
    assert (result["result"], counts, starts) == ("Oslo is big", {"success": 1}, ["Oslo", "waits"])


def test_processors_of_a_durable_agent(open_mastra):
    async def shout(events):
        async for event in events:
            is_text = isinstance(event, TextDelta)
            yield msgspec.structs.replace(event, text=event.text.upper()) if is_text else event

    def shorten(run_input):
        return msgspec.structs.replace(run_input, instructions="Be brief.")

    script = Script(["hello"])
    agent = Agent(
        name="a", model=script.model, input_processors=[shorten], output_processors=[shout]
    )

    async def run_scenario():
        async with open_mastra(agent) as mastra:
            output = await mastra.get_agent("a").generate("x", run_id="r")
            return output.text, await read_all(await mastra.get_agent("a").observe("r"))

    text, events = asyncio.run(run_scenario())
    assert text == "".join(each.text for each in events if isinstance(each, TextDelta)) == "HELLO"
    assert "Be brief." in str(script.asked[0])
