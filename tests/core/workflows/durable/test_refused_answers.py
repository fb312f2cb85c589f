"""Data that a waiting run refuses loses no run."""

import asyncio

import msgspec
import pytest
from pydantic import BaseModel, field_validator

from mastra_core import Agent, DurableEngine, Workflow, step, tool
from mastra_core.errors import InvalidInput
from mastra_core.workflows import StepContext
from mastra_core.workflows.durable.run_management import RunManager
from mastra_core.workflows.durable.run_operations import RunOperations
from mastra_core.workflows.model.agent_step import create_agent_step
from tests.core.scripted_model import Script, call


@step(resume=dict[str, bool])
def ask(number: int, context: StepContext) -> int:
    if context.resume_data is None:
        context.suspend({})
    return number if context.resume_data["go"] else 0


async def wait_for_status(manager, status):
    async with asyncio.timeout(10):
        while (await manager.find("r")).record.status != status:  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.02)


def test_refused_data_loses_no_run(tmp_path):
    async def run_scenario():
        workflow = Workflow("ask").then(ask)
        engine = DurableEngine(f"sqlite:///{tmp_path}/app.db", lease=1)
        await engine.open([workflow])
        run = await engine.create(workflow, "r")
        await engine.start(run, 3)
        await run.wait()
        server, database = await engine.manage(), RunManager(engine._store)
        with pytest.raises(InvalidInput):  # a server knows the type of the data
            await server.resume(await server.find("r"), {"go": "typo"})
        await database.resume(await database.find("r"), {"go": "typo"})
        await wait_for_status(database, "failed")
        await database.retry(await database.find("r"))
        await wait_for_status(database, "suspended")
        await database.resume(await database.find("r"), {"go": True})
        await wait_for_status(database, "success")
        await engine.close()

    asyncio.run(run_scenario())


class Receipt(BaseModel):
    amount: int

    @field_validator("amount")
    @classmethod
    def refuse_negative(cls, amount: int) -> int:
        """The model's schema does not contain this rule."""
        if amount < 0:
            raise ValueError("negative")
        return amount


def test_a_retry_keeps_a_decision_that_was_accepted(tmp_path):
    """An answer of the model that does not fit is no reason to ask a person again."""
    paid = []

    @tool(requires_approval=True)
    def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return "paid"

    async def run_scenario():
        answers = [call("pay", {"amount": 3})], ['{"amount": -3}'], ['{"amount": 3}']
        agent = Agent(name="clerk", model=Script(*answers).model, tools=[pay])
        workflow = Workflow("w").then(create_agent_step(agent, output=Receipt))
        engine = DurableEngine(f"sqlite:///{tmp_path}/app.db")
        await engine.open([workflow])
        run = await engine.create(workflow, "r")
        await engine.start(run, "pay 3")
        await run.wait()
        await engine.resume(run, {"c1": {"approved": True}})
        await run.wait()
        assert (run.record.status, paid) == ("failed", [3])
        manager = await engine.manage()
        await manager.retry(await manager.find("r"))
        await engine.look_soon()
        await wait_for_status(manager, "success")
        await engine.close()

    asyncio.run(run_scenario())
    assert paid == [3]


def test_an_operator_keeps_the_context_that_a_run_needs(tmp_path):
    is_down = [True]

    @step
    def bill(number: int, context: StepContext) -> str:
        if is_down:
            raise ConnectionError("down")
        return f"{context.request_context['tenant']} {number}"

    async def run_scenario():
        workflow = Workflow("bill").then(bill)
        engine = DurableEngine(f"sqlite:///{tmp_path}/app.db")
        await engine.open([workflow])
        run = await engine.create(workflow, "r")
        await engine.start(run, 1, {"user": {"id": "ann"}, "tenant": "acme"})
        await run.wait()
        is_down.clear()
        manager = await engine.manage()
        await RunOperations(manager, "", {"user": {"id": "operator"}}).retry_run("r")
        await engine.look_soon()
        await wait_for_status(manager, "success")
        found = await manager.find("r")
        context = msgspec.json.decode(found.row.context)
        assert found.record.result == "acme 1"
        assert context == {"user": {"id": "operator"}, "tenant": "acme"}
        await engine.close()

    asyncio.run(run_scenario())
