"""A call that turns its cancellation into another error is executed again in another process."""

import asyncio

from pydantic_ai.models.function import FunctionModel

from mastra_core import Agent
from mastra_core.agents import Finish, Start, StepFinish, TextDelta, ToolResult
from mastra_core.errors import AgentFailed
from tests.core.durable_agents.conftest import read_all, wait_until
from tests.core.scripted_model import Script, call


class Driver:
    """Fails with an error of its own when the process closes its connection; answers later."""

    def __init__(self):
        self.calls = 0

    async def answer(self):
        self.calls += 1
        if self.calls > 1:
            return "charged"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("The driver closed the connection.") from None


async def read_after_close(open_mastra, agent, driver):
    """Close the engine during a call; return the events that another engine has at the end."""
    async with open_mastra(agent) as mastra:
        events = mastra.get_agent("a").stream("x", run_id="r")
        reading = asyncio.create_task(read_all(events))
        await wait_until(lambda: driver.calls)
    reading.cancel()
    async with open_mastra(agent) as mastra, asyncio.timeout(20):
        return await read_all(await mastra.get_agent("a").observe("r"))


def test_a_tool_is_called_again(open_mastra):
    driver = Driver()

    async def charge() -> str:
        """Charge."""
        return await driver.answer()

    script = Script([call("charge", {})], ["done"])
    agent = Agent(name="a", model=script.model, tools=[charge])
    events = asyncio.run(read_after_close(open_mastra, agent, driver))
    results = [each for each in events if isinstance(each, ToolResult)]
    assert [(each.result, each.failed) for each in results] == [("charged", False)]
    assert (driver.calls, len(script.asked)) == (2, 2)


def test_a_model_is_asked_again(open_mastra):
    driver = Driver()

    async def stream(messages, info):
        yield await driver.answer()

    agent = Agent(name="a", model=FunctionModel(stream_function=stream))
    events = asyncio.run(read_after_close(open_mastra, agent, driver))
    assert [each.text for each in events if isinstance(each, TextDelta)] == ["charged"]
    assert [type(each) for each in events] == [Start, TextDelta, StepFinish, Finish]
    assert driver.calls == 2


def test_an_error_without_a_close_is_recorded(open_mastra):
    calls = []

    async def charge() -> str:
        """Charge."""
        calls.append("charge")
        raise ConnectionError("The driver closed the connection.")

    async def run_scenario():
        outage = RuntimeError("The model is out of order.")
        script = Script([call("charge", {})], [outage], ["done"])
        agent = Agent(name="a", model=script.model, tools=[charge])
        async with open_mastra(agent) as mastra:
            durable = mastra.get_agent("a")
            try:
                await durable.generate("x", run_id="r")
            except AgentFailed:
                run = await mastra.engine.get(durable.workflow, "r")
            await mastra.engine.restart(run)
            assert (await run.wait()).status == "success"
            events = await read_all(await durable.observe("r"))
        assert [each.failed for each in events if isinstance(each, ToolResult)] == [True]
        assert calls == ["charge"]

    asyncio.run(run_scenario())
