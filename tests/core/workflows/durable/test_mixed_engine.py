"""Every call of an engine with durable and other workflows reaches the engine of the workflow."""

import asyncio
import contextlib

import pytest

from mastra_core import DurableEngine, MemoryEngine, Workflow, step
from mastra_core.errors import NotFound
from mastra_core.workflows.durable.mixed_engine import MixedEngine
from mastra_core.workflows.engine.run_query import RunQuery
from tests.core.workflows.sample_steps import add_one, ask, double, start_and_wait, wait_until


@step
def describe(groups: list) -> str:
    return " ".join(groups)


def build(name, *, durable):
    workflow = Workflow(name, durable=durable)
    workflow = workflow.then(add_one).map(lambda n: [n, n], id="list")
    return workflow.foreach(ask, concurrency=2).then(describe)


STORED, TRANSIENT = build("stored", durable=True), build("transient", durable=False)


@contextlib.asynccontextmanager
async def open_mixed_engine(path):
    engine = MixedEngine(DurableEngine(f"sqlite:///{path}"), MemoryEngine())
    await engine.open([STORED, TRANSIENT])
    try:
        yield engine
    finally:
        await engine.close()


@pytest.mark.parametrize("workflow", [STORED, TRANSIENT], ids=lambda each: each.id)
def test_calls_about_a_run(workflow, tmp_path):
    other = TRANSIENT if workflow is STORED else STORED

    async def run_scenario():
        async with open_mixed_engine(tmp_path / "runs.db") as engine:
            run = await start_and_wait(engine, workflow, 1)
            assert run.record.status == "suspended"
            await engine.resume_many(run, {"go": True}, run.record.suspended_steps)
            assert (await run.wait()).result == "yes yes"
            await engine.time_travel(run, "add_one", 5)
            assert (await run.wait()).status == "suspended"
            await engine.cancel(run)
            assert run.record.status == "canceled"
            await engine.restart(run)
            assert (await run.wait()).status == "suspended"
            query = RunQuery(run_id=run.run_id)
            (found,) = await engine.get_many(workflow, query)
            assert found.record.status == "suspended"
            (listed,) = (await engine.list_page(workflow, query)).records
            assert listed.run_id == run.run_id
            assert await engine.get_many(other, query) == []
            with pytest.raises(NotFound):
                await engine.get(other, run.run_id)

    asyncio.run(run_scenario())


def test_calls_about_the_database(tmp_path):
    quick = Workflow("quick", durable=True).then(double)

    async def run_scenario():
        async with open_mixed_engine(tmp_path / "runs.db") as engine:
            durable = engine.durable_engine
            assert await durable.schedules.list() == []
            await durable.check()
            await wait_until(lambda: durable.load is not None)
            starter = DurableEngine(f"sqlite:///{tmp_path}/runs.db", max_concurrency=0)
            await engine.open([quick])
            run = await starter.create(quick)
            await starter.start(run, 4)
            await durable.continue_runs()
            await durable.look_soon()
            assert (await asyncio.wait_for(run.wait(), 10)).result == 8
            assert not await durable.has_waiting_runs()
            manager = await durable.manage()
            assert await manager.count("quick", RunQuery()) == {"success": 1}
            await starter.close()

    asyncio.run(run_scenario())
