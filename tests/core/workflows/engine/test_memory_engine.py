"""What the memory engine keeps, and what it costs."""

import asyncio
import gc
import sys
import weakref

import pytest

from mastra_core import MemoryEngine, StepContext, Workflow, step
from mastra_core.errors import InvalidInput, NotFound, TooManyRuns


@step
async def plus_one(n: int) -> int:
    return n + 1


@step
def wait(context: StepContext) -> str:
    context.suspend()


QUICK = Workflow("quick").then(plus_one)
WAITING = Workflow("waiting").then(wait)


async def finished(engine, run_id):
    run = await engine.create(QUICK, run_id)
    await engine.start(run, 1)
    await run.settled()
    await asyncio.sleep(0)
    return run


async def suspended(engine, run_id):
    run = await engine.create(WAITING, run_id)
    await engine.start(run, None)
    await run.settled()
    return run


async def ids(engine, workflow=QUICK):
    return {record.run_id for record in await engine.list(workflow)}


def test_finished_runs_leave_by_count():
    async def story():
        engine = MemoryEngine(max_finished=3)
        for number in range(5):
            await finished(engine, str(number))
        assert await ids(engine) == {"2", "3", "4"}
        with pytest.raises(NotFound):
            await engine.get(QUICK, "0")

    asyncio.run(story())


def test_finished_runs_leave_by_age():
    async def story():
        engine = MemoryEngine(max_age=-1)
        await finished(engine, "old")
        with pytest.raises(NotFound):
            await engine.get(QUICK, "old")
        engine = MemoryEngine(max_age=0)
        await finished(engine, "old")
        before = await engine.create(QUICK, "new")
        assert await ids(engine) == {"new"}
        assert before.record.status == "pending"

    asyncio.run(story())


def test_what_leaves_is_gone_from_memory():
    async def story():
        engine = MemoryEngine(max_finished=1)
        left = weakref.ref(await finished(engine, "a"))
        gc.disable()  # it goes by itself
        try:
            await finished(engine, "b")
            assert left() is None
        finally:
            gc.enable()

    asyncio.run(story())


def test_unfinished_runs_are_bounded():
    async def story():
        engine = MemoryEngine(max_unfinished=2)
        first = await suspended(engine, "1")
        await suspended(engine, "2")
        with pytest.raises(TooManyRuns) as caught:
            await engine.create(QUICK)
        assert caught.value.status == 429
        assert "max_unfinished" in caught.value.hint
        assert await engine.create(WAITING, "1") is first
        await engine.cancel(first)
        await finished(engine, "3")

    asyncio.run(story())


def test_a_run_that_never_started_makes_room():
    async def story():
        engine = MemoryEngine(max_unfinished=2)
        await engine.create(QUICK, "idle")
        await suspended(engine, "busy")
        await engine.create(QUICK, "next")
        assert await ids(engine) == {"next"}
        assert await ids(engine, WAITING) == {"busy"}

    asyncio.run(story())


def test_newest_first():
    async def story():
        engine = MemoryEngine()
        for number in range(3):
            run = await finished(engine, str(number))
            run.record.created_at += number
        return [record.run_id for record in await engine.list(QUICK)]

    assert asyncio.run(story()) == ["2", "1", "0"]


def calls_of(coroutine_function, *arguments):
    """How many Python functions were called until it was done."""
    counted = 0

    def count(frame, event, argument):
        nonlocal counted
        counted += event == "call"

    async def measured():
        sys.setprofile(count)
        try:
            return await coroutine_function(*arguments)
        finally:
            sys.setprofile(None)

    return measured, lambda: counted


def test_a_run_costs_the_same_however_many_there_are():
    async def cost(engine, run_id):
        measured, counted = calls_of(finished, engine, run_id)
        await measured()
        return counted()

    async def story():
        engine = MemoryEngine()
        await finished(engine, "warm")
        alone = await cost(engine, "alone")
        for number in range(300):
            await suspended(engine, f"s{number}")
            await finished(engine, f"f{number}")
        among_many = await cost(engine, "among-many")
        assert alone > 10
        assert among_many <= alone + 10

    asyncio.run(story())


def test_a_full_engine_makes_room_without_looking_at_every_run():
    async def story():
        engine = MemoryEngine(max_unfinished=300)
        for number in range(299):
            await suspended(engine, f"s{number}")
        await engine.create(QUICK, "idle")
        looked = 0

        class Watched:
            def __init__(self, run):
                self._run = run

            def __getattr__(self, name):
                nonlocal looked
                looked += 1
                return getattr(self._run, name)

        for key, run in list(engine._runs._unfinished.items()):
            engine._runs._unfinished[key] = Watched(run)
        await engine.create(QUICK, "next")
        assert looked < 10

    asyncio.run(story())


def test_a_watcher_leaves_nothing_behind():
    async def story():
        engine = MemoryEngine()
        run = await suspended(engine, "1")
        for _ in range(10):
            await run.settled()
        assert not run._watchers
        assert not run._waiters
        assert len(run.journal._waiters) == 1
        await engine.cancel(run)
        await asyncio.sleep(0)
        assert not run.journal._waiters

    asyncio.run(story())


def test_a_run_that_is_dropped_is_over_for_those_who_watch_it():
    async def story():
        engine = MemoryEngine(max_unfinished=1)
        bad = await engine.create(QUICK, "bad")
        watching = asyncio.create_task(bad.settled())
        await asyncio.sleep(0)
        with pytest.raises(InvalidInput):
            await engine.start(bad, {"no": "fit"})
        assert (await watching).status == "canceled"
        oldest = await engine.create(QUICK, "oldest")
        watching = asyncio.create_task(oldest.settled())
        await asyncio.sleep(0)
        await engine.create(QUICK, "next")
        assert (await watching).status == "canceled"

    asyncio.run(story())


def test_a_resumed_step_sees_the_context_of_who_resumed():
    @step
    def ask(number: int, context: StepContext) -> str:
        if context.resume_data is None:
            context.suspend()
        return context.request_context["user"]

    async def story():
        engine, workflow = MemoryEngine(), Workflow("asking").then(ask)
        run = await engine.create(workflow)
        await engine.start(run, 1, {"user": "Ada"})
        await run.settled()
        await engine.resume(run, True, context={"user": "Grace"})
        return (await run.settled()).result

    assert asyncio.run(story()) == "Grace"


def test_a_loop_without_end_does_not_fill_the_memory():
    async def story():
        engine = MemoryEngine(max_events=500)
        run = await engine.create(Workflow("endless").dowhile(plus_one, lambda n: True))
        await engine.start(run, 1)
        record = await run.settled()
        assert run.position == 501
        assert len(await ids(engine, run.workflow)) == 1
        return record

    record = asyncio.run(story())
    assert (record.status, record.error.name) == ("failed", "MastraError")
    assert record.error.message.startswith("The run has more than 500 events")
