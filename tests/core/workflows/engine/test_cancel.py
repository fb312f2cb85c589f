"""Runs that are ended from outside."""

import asyncio
import contextlib
import threading
import time

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import Conflict
from mastra_core.workflows import as_step
from tests.core.workflows.sample_steps import (
    ask,
    broken,
    endless,
    plus_one,
    record_of,
    settled,
    until,
)


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


async def deaf(n: int) -> int:
    for _ in range(1300):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.001)
    return n


@step
def deaf_thread(n: int, context: StepContext) -> int:
    for _ in range(1300):
        if context.canceled:
            heard.set()
            return n
        time.sleep(0.001)
    return n


heard = threading.Event()


@pytest.mark.parametrize(
    "workflow",
    [
        Workflow("w").then(deaf_thread),
        Workflow("w").parallel(deaf, as_step(deaf, timeout=60, id="too")),
        Workflow("w", timeout=60).then(Workflow("inner").then(deaf)),
        Workflow("w").map(lambda n: [n, n]).foreach(deaf, concurrency=2),
        Workflow("w").sleep(60),
    ],
)
def test_cancelled_within_a_second_whatever_its_steps_do(engine, workflow):
    async def story():
        run = await engine.create(workflow)
        await engine.start(run, 1)
        await until(lambda: run.record.open)
        await asyncio.sleep(0.01)
        begun = time.monotonic()
        await engine.cancel(run)
        record = await run.settled()
        assert time.monotonic() - begun < 1
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return record

    record = asyncio.run(story())
    assert record.status == "canceled"
    assert {item.status for item in record.steps.values()} <= {"canceled", "success"}


def test_a_thread_hears_of_it(engine):
    async def story():
        heard.clear()
        run = await engine.create(Workflow("w").then(deaf_thread))
        await engine.start(run, 1)
        await asyncio.sleep(0.01)
        await engine.cancel(run)
        await asyncio.to_thread(heard.wait, 1)

    asyncio.run(story())
    assert heard.is_set()


def test_what_a_cancelled_step_says_is_not_heard(engine):
    @step
    async def talks(context: StepContext) -> int:
        try:
            await asyncio.sleep(10)
        finally:
            await context.write("late")
            said.append(1)

    said = []

    async def story():
        run = await engine.create(Workflow("w").then(talks))
        await engine.start(run, None)
        await asyncio.sleep(0)
        await engine.cancel(run)
        position = run.position
        await until(lambda: said)
        assert run.position == position
        return run.record

    assert asyncio.run(story()).status == "canceled"


def test_a_failure_does_not_wait_for_a_deaf_neighbour(engine):
    begun = time.monotonic()
    record = record_of(engine, Workflow("w").parallel(deaf, broken), 1)
    assert (record.status, record.error.message) == ("failed", "no row 1")
    assert record.steps["deaf"].status == "canceled"
    assert record.updated_at - record.created_at < 1500
    assert time.monotonic() - begun < 10
