"""Runs with thousands of items occupy the event loop for a short time only, measured as CPU time."""

import asyncio
import contextlib
import time

import pytest

from mastra_core import MemoryEngine, StepContext, Workflow, step

ITEMS = [*range(4000)]
PAUSE = 2.0  # seconds of CPU time between two turns of another task


@step(resume=int)
async def ask(n: int, context: StepContext) -> int:
    if context.resume_data is None:
        context.suspend()
    return n + context.resume_data


@step
async def increase(n: int) -> int:
    return n + 1


@contextlib.asynccontextmanager
async def limit_pauses():
    """Check that another task has its turn again and again during the block."""
    pauses = []

    async def take_turns():
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            pauses.append(time.thread_time() - began)

    task = asyncio.create_task(take_turns())
    await asyncio.sleep(0)
    yield
    await asyncio.sleep(0)
    task.cancel()
    assert len(pauses) > 5
    assert max(pauses) < PAUSE


def test_start_and_resume_suspended_items():
    async def run_scenario():
        engine = MemoryEngine()
        run = await engine.create(Workflow("asking").foreach(ask, concurrency=10_000))
        async with limit_pauses():
            await engine.start(run, ITEMS)
            await run.wait()
        assert run.record.status == "suspended"
        async with limit_pauses():
            await engine.resume_many(run, 2, run.record.suspended_steps)
            await run.wait()
        return run.record

    record = asyncio.run(run_scenario())
    assert record.result == [n + 2 for n in ITEMS]


@pytest.mark.parametrize("concurrency", [1, 10, 10_000])
def test_start_and_observe_items(concurrency):
    async def run_scenario():
        engine = MemoryEngine()
        workflow = Workflow("plain").foreach(increase, concurrency=concurrency)
        run = await engine.create(workflow)
        async with limit_pauses():
            await engine.start(run, ITEMS)
            await run.wait()
        async with limit_pauses():
            count = len([event async for event in run.iter_events()])
        assert count == run.position == 2 * len(ITEMS) + 4
        return run.record

    assert asyncio.run(run_scenario()).result == [n + 1 for n in ITEMS]


def test_idle_events_of_many_resumes_hold_no_keys():
    async def run_scenario():
        engine = MemoryEngine()
        run = await engine.create(Workflow("asking").foreach(ask, concurrency=10_000))
        await engine.start(run, [*range(500)])
        await run.wait()
        for index in range(100):
            await engine.resume(run, 1, f"ask[{index}]")
            await run.wait()
        assert run.record.status == "suspended"
        assert len(run.record.suspended_steps) == 400
        assert max(len(key) for key in run.journal._emitted) < 50

    asyncio.run(run_scenario())
