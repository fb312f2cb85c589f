"""Data that a waiting run refuses loses no run."""

import asyncio

import pytest

from mastra_core import DurableEngine, Workflow, step
from mastra_core.errors import InvalidInput
from mastra_core.workflows import StepContext
from mastra_core.workflows.durable.run_management import RunManager


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
