"""Cancellation of runs."""

import asyncio
import contextlib
import threading
import time

import pytest

from mastra_core import MemoryEngine, StepContext, Workflow, step
from mastra_core.errors import Conflict
from mastra_core.workflows import as_step
from tests.core.workflows.sample_steps import (
    add_one,
    ask,
    fail,
    run_workflow,
    start_and_wait,
    wait_forever,
    wait_until,
)


@pytest.mark.parametrize("item", [wait_forever, ask])
def test_cancel(engine, item):
    async def run_scenario():
        run = await engine.create(Workflow("w").then(item))
        await engine.start(run, 1)
        await wait_until(lambda: item.id in run.record.steps)
        await engine.cancel(run)
        await engine.cancel(run)
        record = await run.wait()
        await asyncio.sleep(0)
        with pytest.raises(Conflict):
            await engine.resume(run, {"go": True})
        return record

    record = asyncio.run(run_scenario())
    assert record.status == "canceled"
    assert record.steps[item.id].status == "canceled"


def test_cancel_leaves_a_finished_run_unchanged(engine):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(add_one), 1)
        await engine.cancel(run)
        return run.record

    assert asyncio.run(run_scenario()).status == "success"


def test_step_that_raises_cancelled_error_ends_the_run(engine):
    @step
    async def cancel_itself() -> None:
        raise asyncio.CancelledError

    assert run_workflow(engine, Workflow("w").then(cancel_itself)).status == "canceled"


def test_close_cancels_unfinished_runs_in_memory():
    async def run_scenario():
        engine = MemoryEngine()
        run = await engine.create(Workflow("w").then(wait_forever))
        await engine.start(run, 1)
        await asyncio.sleep(0)
        await engine.close()
        return await run.wait()

    assert asyncio.run(run_scenario()).status == "canceled"


completed = []  # the inputs of calls that have ignored their cancellation to the end


async def ignore_cancel(n: int) -> int:
    for _ in range(1300):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.001)
    completed.append(n)
    return n


@step
def check_canceled(n: int, context: StepContext) -> int:
    has_started.set()
    for _ in range(1300):
        if context.canceled:
            has_seen_cancel.set()
            return n
        time.sleep(0.001)
    return n


has_started, has_seen_cancel = threading.Event(), threading.Event()


@pytest.mark.parametrize(
    "workflow",
    [
        Workflow("w").then(check_canceled),
        Workflow("w").parallel(ignore_cancel, as_step(ignore_cancel, timeout=60, id="too")),
        Workflow("w", timeout=60).then(Workflow("inner").then(ignore_cancel)),
        Workflow("w").map(lambda n: [n, n]).foreach(ignore_cancel, concurrency=2),
        Workflow("w").sleep(60),
    ],
)
def test_cancel_does_not_wait_for_a_step(engine, workflow):
    async def run_scenario():
        run = await engine.create(workflow)
        await engine.start(run, 1)
        await wait_until(lambda: run.record.open)
        await asyncio.sleep(0.01)
        completed.clear()
        await engine.cancel(run)
        record = await asyncio.wait_for(run.wait(), 20)
        assert completed == []
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return record

    record = asyncio.run(run_scenario())
    assert record.status == "canceled"
    assert {item.status for item in record.steps.values()} <= {"canceled", "success"}


def test_thread_sees_the_cancellation(engine):
    async def run_scenario():
        has_started.clear()
        has_seen_cancel.clear()
        run = await engine.create(Workflow("w").then(check_canceled))
        await engine.start(run, 1)
        await wait_until(has_started.is_set)
        await engine.cancel(run)
        await asyncio.to_thread(has_seen_cancel.wait, 1)

    asyncio.run(run_scenario())
    assert has_seen_cancel.is_set()


def test_chunks_of_a_cancelled_step_are_ignored(engine):
    @step
    async def write_late(context: StepContext) -> int:
        begun.append(1)
        try:
            await asyncio.sleep(10)
        finally:
            await context.write("late")
            writes.append(1)

    begun, writes = [], []

    async def run_scenario():
        run = await engine.create(Workflow("w").then(write_late))
        await engine.start(run, None)
        await wait_until(lambda: begun)
        await engine.cancel(run)
        position = run.position
        await wait_until(lambda: writes)
        assert run.position == position
        return run.record

    assert asyncio.run(run_scenario()).status == "canceled"


def test_failure_does_not_wait_for_a_step_that_ignores_cancellation(engine):
    start = time.monotonic()
    record = run_workflow(engine, Workflow("w").parallel(ignore_cancel, fail), 1)
    assert (record.status, record.error.message) == ("failed", "no row 1")
    assert record.steps["ignore_cancel"].status == "canceled"
    assert record.updated_at - record.created_at < 1500
    assert time.monotonic() - start < 10
