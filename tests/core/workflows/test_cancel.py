"""Runs that are ended from outside."""

import asyncio

import pytest

from core.workflows.samples import ask, endless, plus_one, record_of, settled
from mastra_core import Workflow, step
from mastra_core.errors import Conflict


@pytest.mark.parametrize("item", [endless, ask])
def test_cancel(engine, item):
    async def story():
        run = await engine.create(Workflow("w").then(item))
        await engine.start(run, 1)
        for _ in range(5):
            await asyncio.sleep(0)
        assert item.id in run.record.steps
        await engine.cancel(run)
        await engine.cancel(run)
        record = await run.settled()
        await asyncio.sleep(0)
        with pytest.raises(Conflict):
            await engine.resume(run, {"go": True})
        return record

    record = asyncio.run(story())
    assert record.status == "canceled"
    assert record.steps[item.id].status == "canceled"


def test_cancel_leaves_a_finished_run_alone(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(plus_one), 1)
        await engine.cancel(run)
        return run.record

    assert asyncio.run(story()).status == "success"


def test_a_step_cancelled_from_within_does_not_run_for_ever(engine):
    @step
    async def gives_up() -> None:
        raise asyncio.CancelledError

    assert record_of(engine, Workflow("w").then(gives_up)).status == "canceled"


def test_closing_cancels_what_runs(engine):
    async def story():
        run = await engine.create(Workflow("w").then(endless))
        await engine.start(run, 1)
        await asyncio.sleep(0)
        await engine.close()
        return await run.settled()

    assert asyncio.run(story()).status == "canceled"
