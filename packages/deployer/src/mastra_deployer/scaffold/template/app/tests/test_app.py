"""Test the agent and the workflow without a server."""

import asyncio

from mastra_core.agents import AgentInput, Message

from mastra.index import mastra


def test_the_agent_greets():
    answer = asyncio.run(
        mastra.get_agent("greeter").generate(AgentInput(messages=(Message.user("Ada"),)))
    )
    assert answer.text == "Hello, Ada!"


def test_a_large_order_waits_for_a_person():
    async def run():
        engine, workflow = mastra.engine, mastra.get_workflow("order")
        started = await engine.create(workflow)
        await engine.start(started, {"item": "tea", "amount": 60})
        assert (await started.wait()).status == "suspended"
        await engine.resume(started, {"approved": True})
        return (await started.wait()).result

    assert asyncio.run(run()) == "ordered"
