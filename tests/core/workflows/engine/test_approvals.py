"""Agents and tools that wait for approval, as steps."""

import asyncio
import copy

import pydantic_ai
import pytest

from mastra_core import Agent, StepContext, ToolContext, Workflow, step, tool
from mastra_core.agents import as_agent
from mastra_core.errors import InvalidInput
from mastra_core.workflows import as_step
from tests.core.scripted_model import Script, call
from tests.core.workflows.sample_steps import start_and_wait

PAY = {"amount": 3}


class Shop:
    """A tool with approval that pays, an agent that uses it, and the paid amounts."""

    def __init__(self, *turns):
        self.paid = []

        @tool(requires_approval=True)
        def pay(amount: int) -> str:
            """Pay."""
            self.paid.append(amount)
            return f"paid {amount}"

        self.pay = pay
        self.agent = Agent(name="clerk", model=Script(*turns).model, tools=[pay])


def run_with_decisions(engine, item, value, *decisions):
    """Run one step and resume it with each decision; return its first payload and the record."""

    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(item), value)
        assert run.record.status == "suspended", run.record.error
        first = run.record.steps[item.id].suspend_payload
        for decision in decisions:
            await engine.resume(run, decision)
            await run.wait()
        return first, copy.deepcopy(run.record)  # the end of the event loop cancels suspended runs

    return asyncio.run(run_scenario())


def test_agent_continues_after_approval(engine):
    shop = Shop([call("pay", PAY)], ["Done."])
    payload, record = run_with_decisions(engine, shop.agent, "pay", {"c1": {"approved": True}})
    (waiting,) = payload["waiting"]
    assert (waiting["id"], waiting["name"], waiting["arguments"]) == ("c1", "pay", PAY)
    assert (record.status, record.result) == ("success", {"text": "Done."})
    assert shop.paid == [3]


def test_agent_of_pydantic_ai_continues_after_approval(engine):
    paid = []
    raw = pydantic_ai.Agent(
        Script([call("pay", PAY)], ["Done."]).model,
        name="raw",
        output_type=[str, pydantic_ai.DeferredToolRequests],
    )

    @raw.tool_plain(requires_approval=True)
    def pay(amount: int) -> str:
        paid.append(amount)
        return "paid"

    item = as_step(as_agent(raw))
    _, record = run_with_decisions(engine, item, "pay", {"c1": {"approved": True}})
    assert (record.status, record.result, paid) == ("success", {"text": "Done."}, [3])


def test_approval_of_a_tool_that_is_known_in_the_run_only(engine):
    shop = Shop()

    class Box:
        async def list_tools(self):
            return [shop.pay]

    for tools in ([Box()], lambda context: [shop.pay]):
        model = Script([call("pay", PAY)], ["Done."]).model
        agent = Agent(name="clerk", model=model, tools=tools)
        _, record = run_with_decisions(engine, agent, "pay", {"c1": {"approved": True}})
        assert (record.status, record.result) == ("success", {"text": "Done."})
    assert shop.paid == [3, 3]


def test_agent_continues_after_a_suspended_workflow(engine):
    @step(resume=bool)
    async def confirm(amount: int, context: StepContext) -> str:
        if context.resume_data is None:
            context.suspend({"amount": amount})
        return "agreed"

    script = Script([call("workflow-confirm", {"inputData": 3})], ["Done."])
    workflows = {"confirm": Workflow("confirm").then(confirm)}
    agent = Agent(name="clerk", model=script.model, workflows=workflows)
    payload, record = run_with_decisions(engine, agent, "pay", {"c1": {"data": True}})
    (waiting,) = payload["waiting"]
    assert waiting["payload"] == {"amount": 3}
    assert (record.status, record.result) == ("success", {"text": "Done."})
    assert "agreed" in str(script.asked[-1])


def test_agent_continues_after_a_declined_call(engine):
    shop = Shop([call("pay", PAY)], ["Then not."])
    decision = {"c1": {"approved": False, "reason": "too dear"}}
    _, record = run_with_decisions(engine, shop.agent, "pay", decision)
    assert (record.result, shop.paid) == ({"text": "Then not."}, [])


def test_decision_about_an_unknown_call_is_ignored(engine):
    shop = Shop([call("pay", PAY)], ["Done."])
    _, record = run_with_decisions(engine, shop.agent, "pay", {"c9": {}})
    assert (record.status, record.suspended_steps) == ("suspended", ["clerk"])
    shop = Shop([call("pay", PAY)], ["Done."])
    _, record = run_with_decisions(engine, shop.agent, "pay", {"c9": {}}, {"c1": {}})
    assert (record.result, shop.paid) == ({"text": "Done."}, [3])
    with pytest.raises(InvalidInput, match="Invalid resume data"):
        run_with_decisions(engine, Shop([call("pay", PAY)]).agent, "pay", "yes")


def test_record_does_not_contain_the_kept_value(engine):
    shop = Shop([call("pay", PAY)])
    _, record = run_with_decisions(engine, shop.agent, "my secret wish")
    assert "history" not in repr(record)


def test_tool_with_approval(engine):
    shop = Shop()
    payload, record = run_with_decisions(engine, as_step(shop.pay), PAY, {"approved": True})
    assert payload == {"tool": "pay", "arguments": PAY}
    assert (record.result, shop.paid) == ("paid 3", [3])
    _, record = run_with_decisions(engine, as_step(shop.pay), PAY, {"arguments": {"amount": 2}})
    assert (record.result, shop.paid) == ("paid 2", [3, 2])
    _, record = run_with_decisions(
        engine, as_step(shop.pay), PAY, {"approved": False, "reason": "no money"}
    )
    assert (record.status, record.error.name) == ("failed", "Forbidden")
    assert record.error.message == "The tool 'pay' was declined: no money"
    assert shop.paid == [3, 2]


def test_declined_tool_is_not_retried(engine):
    item = as_step(Shop().pay, retry=3)
    _, record = run_with_decisions(engine, item, PAY, {"approved": False})
    assert (record.error.name, record.steps["pay"].retries) == ("Forbidden", 0)


def test_tool_that_suspends_itself(engine):
    @tool
    async def measure(what: str, context: ToolContext) -> str:
        await context.write({"asked": what})
        if context.resume_data is None:
            context.suspend({"how long is": what})
        return f"{what} is {context.resume_data}"

    payload, record = run_with_decisions(engine, as_step(measure), {"what": "it"}, {"data": 7})
    assert payload == {"how long is": "it"}
    assert record.result == "it is 7"


def test_kept_value_of_a_step(engine):
    @step(resume=int)
    async def add_up(context: StepContext) -> list:
        seen = [*(context.kept or []), context.resume_data]
        if len(seen) < 3:
            context.suspend({"so far": len(seen)}, keep=seen)
        return seen

    _, record = run_with_decisions(engine, add_up, None, 1, 2)
    assert record.result == [None, 1, 2]
