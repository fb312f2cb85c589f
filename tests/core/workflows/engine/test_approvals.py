"""Agents and tools that wait for somebody's decision, as steps."""

import asyncio
import copy

import pytest

from mastra_core import Agent, StepContext, ToolContext, Workflow, step, tool
from mastra_core.errors import InvalidInput
from mastra_core.workflows import as_step
from tests.core.scripted_model import Script, call
from tests.core.workflows.sample_steps import settled

PAY = {"amount": 3}


class Shop:
    """A tool that pays when somebody agrees, an agent that uses it, and what was paid."""

    def __init__(self, *turns):
        self.paid = []

        @tool(requires_approval=True)
        def pay(amount: int) -> str:
            """Pay."""
            self.paid.append(amount)
            return f"paid {amount}"

        self.pay = pay
        self.agent = Agent(name="clerk", model=Script(*turns).model, tools=[pay])


def decided(engine, item, value, *decisions):
    """The record of a run of one step, after each of some decisions."""

    async def story():
        run = await settled(engine, Workflow("w").then(item), value)
        assert run.record.status == "suspended", run.record.error
        first = run.record.steps[item.id].suspend_payload
        for decision in decisions:
            await engine.resume(run, decision)
            await run.settled()
        return first, copy.deepcopy(run.record)  # the end of the loop cancels what waits

    return asyncio.run(story())


def test_an_agent_waits_and_goes_on(engine):
    shop = Shop([call("pay", PAY)], ["Done."])
    payload, record = decided(engine, shop.agent, "pay", {"c1": {"approved": True}})
    (waiting,) = payload["waiting"]
    assert (waiting["id"], waiting["name"], waiting["arguments"]) == ("c1", "pay", PAY)
    assert (record.status, record.result) == ("success", {"text": "Done."})
    assert shop.paid == [3]


def test_an_agent_hears_that_a_call_was_declined(engine):
    shop = Shop([call("pay", PAY)], ["Then not."])
    decision = {"c1": {"approved": False, "reason": "too dear"}}
    _, record = decided(engine, shop.agent, "pay", decision)
    assert (record.result, shop.paid) == ({"text": "Then not."}, [])


def test_a_decision_about_nothing_leaves_an_agent_waiting(engine):
    shop = Shop([call("pay", PAY)], ["Done."])
    _, record = decided(engine, shop.agent, "pay", {"c9": {}})
    assert (record.status, record.suspended) == ("suspended", ["clerk"])
    shop = Shop([call("pay", PAY)], ["Done."])
    _, record = decided(engine, shop.agent, "pay", {"c9": {}}, {"c1": {}})
    assert (record.result, shop.paid) == ({"text": "Done."}, [3])
    with pytest.raises(InvalidInput, match="Invalid resume data"):
        decided(engine, Shop([call("pay", PAY)]).agent, "pay", "yes")


def test_nobody_sees_what_an_agent_keeps(engine):
    shop = Shop([call("pay", PAY)])
    _, record = decided(engine, shop.agent, "my secret wish")
    assert "history" not in repr(record)


def test_a_tool_waits_for_agreement(engine):
    shop = Shop()
    payload, record = decided(engine, as_step(shop.pay), PAY, {"approved": True})
    assert payload == {"tool": "pay", "arguments": PAY}
    assert (record.result, shop.paid) == ("paid 3", [3])
    _, record = decided(engine, as_step(shop.pay), PAY, {"arguments": {"amount": 2}})
    assert (record.result, shop.paid) == ("paid 2", [3, 2])
    _, record = decided(engine, as_step(shop.pay), PAY, {"approved": False, "reason": "no money"})
    assert (record.status, record.error.name) == ("failed", "Forbidden")
    assert record.error.message == "The tool 'pay' was declined: no money"
    assert shop.paid == [3, 2]


def test_a_tool_waits_for_data(engine):
    @tool
    async def measure(what: str, context: ToolContext) -> str:
        await context.write({"asked": what})
        if context.resume_data is None:
            context.suspend({"how long is": what})
        return f"{what} is {context.resume_data}"

    payload, record = decided(engine, as_step(measure), {"what": "it"}, {"data": 7})
    assert payload == {"how long is": "it"}
    assert record.result == "it is 7"


def test_what_a_step_keeps_for_itself(engine):
    @step(resume=int)
    async def add_up(context: StepContext) -> list:
        seen = [*(context.kept or []), context.resume_data]
        if len(seen) < 3:
            context.suspend({"so far": len(seen)}, keep=seen)
        return seen

    _, record = decided(engine, add_up, None, 1, 2)
    assert record.result == [None, 1, 2]
