"""The bounds of the memory engine, and the cost of its runs."""

import asyncio
import contextlib
import gc
import re
import sys
import time
import weakref

import pytest

from mastra_core import MemoryEngine, StepContext, Workflow, step
from mastra_core.errors import InvalidInput, NotFound, TooManyRuns
from mastra_core.request_scope import (
    disable_request_scope,
    enable_request_scope,
    enter_request,
    scoped_task,
)
from mastra_core.workflows import RunQuery
from tests.core.workflows.sample_steps import ask


@step
async def add_one(n: int) -> int:
    return n + 1


@step
def wait(context: StepContext) -> str:
    context.suspend()


@step
def hold_text(text: str, context: StepContext) -> str:
    context.suspend()


QUICK = Workflow("quick").then(add_one)
WAITING = Workflow("waiting").then(wait)


async def finish_run(engine, run_id):
    run = await engine.create(QUICK, run_id)
    await engine.start(run, 1)
    await run.wait()
    await asyncio.sleep(0)
    return run


async def suspend_run(engine, run_id, caller=""):
    run = await engine.create(WAITING, run_id, caller=caller)
    await engine.start(run, None)
    await run.wait()
    return run


async def list_ids(engine, workflow=QUICK):
    return {record.run_id for record in await engine.list(workflow)}


def test_finished_runs_are_removed_by_count():
    async def run_scenario():
        engine = MemoryEngine(max_finished=3)
        for number in range(5):
            await finish_run(engine, str(number))
        assert await list_ids(engine) == {"2", "3", "4"}
        with pytest.raises(NotFound):
            await engine.get(QUICK, "0")

    asyncio.run(run_scenario())


def test_finished_runs_are_removed_by_age():
    async def run_scenario():
        engine = MemoryEngine(max_age=0.001)
        await finish_run(engine, "old")
        await asyncio.sleep(0.01)
        with pytest.raises(NotFound):
            await engine.get(QUICK, "old")
        engine = MemoryEngine(max_age=0)
        await finish_run(engine, "old")
        before = await engine.create(QUICK, "new")
        assert await list_ids(engine) == {"new"}
        assert before.record.status == "pending"

    asyncio.run(run_scenario())


def test_removed_run_is_freed_without_garbage_collection():
    async def run_scenario():
        engine = MemoryEngine(max_finished=1)
        reference = weakref.ref(await finish_run(engine, "a"))
        gc.disable()  # the run must be freed without it
        try:
            await finish_run(engine, "b")
            assert reference() is None
        finally:
            gc.enable()

    asyncio.run(run_scenario())


def test_unfinished_runs_are_bounded():
    async def run_scenario():
        engine = MemoryEngine(max_unfinished=2)
        first = await suspend_run(engine, "1")
        await suspend_run(engine, "2")
        with pytest.raises(TooManyRuns) as caught:
            await engine.create(QUICK)
        assert caught.value.status == 429
        assert "max_unfinished" in caught.value.hint
        assert await engine.create(WAITING, "1") is first
        await engine.cancel(first)
        await finish_run(engine, "3")

    asyncio.run(run_scenario())


def test_pending_run_is_removed_when_the_engine_is_full():
    async def run_scenario():
        engine = MemoryEngine(max_unfinished=2)
        await engine.create(QUICK, "idle")
        await suspend_run(engine, "busy")
        await engine.create(QUICK, "next")
        assert await list_ids(engine) == {"next"}
        assert await list_ids(engine, WAITING) == {"busy"}

    asyncio.run(run_scenario())


def test_list_is_newest_first():
    """Also if runs of the same millisecond have finished in another order."""

    async def run_scenario():
        engine = MemoryEngine()
        runs = [await engine.create(QUICK, str(number)) for number in range(3)]
        await engine.start(runs[1], 1)
        await runs[1].wait()
        for run in runs:
            run.record.created_at = 1000
        return [record.run_id for record in await engine.list(QUICK)]

    assert asyncio.run(run_scenario()) == ["2", "1", "0"]


def test_list_continues_after_a_run():
    """No run is missed if others leave the list between two pages."""

    async def run_scenario():
        engine = MemoryEngine()
        runs = [await engine.create(QUICK, str(number)) for number in range(5)]
        query = RunQuery(status="pending", limit=2)
        records, cursor = await engine.list_page(QUICK, query)
        names = [[record.run_id for record in records]]
        await engine.cancel(runs[4])
        while cursor is not None:
            query = RunQuery(status="pending", limit=2, after=cursor)
            records, cursor = await engine.list_page(QUICK, query)
            names.append([record.run_id for record in records])
        return names

    assert asyncio.run(run_scenario()) == [["4", "3"], ["2", "1"], ["0"]]


def count_calls(coroutine_function, *arguments):
    """Return a function that measures a call, and one that returns its number of Python calls."""
    counted = 0

    def count(frame, event, argument):
        nonlocal counted
        counted += event == "call"

    async def measure():
        sys.setprofile(count)
        try:
            return await coroutine_function(*arguments)
        finally:
            sys.setprofile(None)

    return measure, lambda: counted


def test_cost_of_a_run_is_independent_of_other_runs():
    async def measure_cost(engine, run_id):
        measure, counted = count_calls(finish_run, engine, run_id)
        await measure()
        return counted()

    async def run_scenario():
        engine = MemoryEngine()
        await finish_run(engine, "warm")
        alone = await measure_cost(engine, "alone")
        for number in range(300):
            await suspend_run(engine, f"s{number}")
            await finish_run(engine, f"f{number}")
        among_many = await measure_cost(engine, "among-many")
        assert alone > 10
        assert among_many <= alone + 10

    asyncio.run(run_scenario())


def test_full_engine_does_not_scan_all_runs():
    async def run_scenario():
        engine = MemoryEngine(max_unfinished=300)
        for number in range(299):
            await suspend_run(engine, f"s{number}")
        await engine.create(QUICK, "idle")
        accesses = 0

        class AccessCounter:
            def __init__(self, run):
                self._run = run

            def __getattr__(self, name):
                nonlocal accesses
                accesses += 1
                return getattr(self._run, name)

        for key, run in list(engine._runs._unfinished.items()):
            engine._runs._unfinished[key] = AccessCounter(run)
        await engine.create(QUICK, "next")
        assert accesses < 20

    asyncio.run(run_scenario())


def test_waiting_leaves_no_references():
    async def run_scenario():
        engine = MemoryEngine()
        run = await suspend_run(engine, "1")
        for _ in range(10):
            await run.wait()
        assert not run._watchers
        assert not run._waiters
        assert len(run.journal._waiters) == 1
        await engine.cancel(run)
        await asyncio.sleep(0)
        assert not run.journal._waiters

    asyncio.run(run_scenario())


def test_removed_run_is_canceled_for_its_readers():
    async def run_scenario():
        engine = MemoryEngine(max_unfinished=1)
        bad = await engine.create(QUICK, "bad")
        watching = asyncio.create_task(bad.wait())
        await asyncio.sleep(0)
        with pytest.raises(InvalidInput):
            await engine.start(bad, {"no": "fit"})
        assert (await watching).status == "canceled"
        oldest = await engine.create(QUICK, "oldest")
        watching = asyncio.create_task(oldest.wait())
        await asyncio.sleep(0)
        await engine.create(QUICK, "next")
        assert (await watching).status == "canceled"

    asyncio.run(run_scenario())


def test_resumed_step_has_the_context_of_the_resume():
    @step
    def ask(number: int, context: StepContext) -> str:
        if context.resume_data is None:
            context.suspend()
        return context.request_context["user"]

    async def run_scenario():
        engine, workflow = MemoryEngine(), Workflow("asking").then(ask)
        run = await engine.create(workflow)
        await engine.start(run, 1, {"user": "Ada"})
        await run.wait()
        await engine.resume(run, True, context={"user": "Grace"})
        return (await run.wait()).result

    assert asyncio.run(run_scenario()) == "Grace"


def test_endless_loop_fails_at_the_event_limit():
    async def run_scenario():
        engine = MemoryEngine(max_events=500)
        run = await engine.create(Workflow("endless").dowhile(add_one, lambda n: True))
        await engine.start(run, 1)
        record = await run.wait()
        assert run.position == 501
        assert len(await list_ids(engine, run.workflow)) == 1
        return record

    record = asyncio.run(run_scenario())
    assert (record.status, record.error.name) == ("failed", "MastraError")
    assert record.error.message.startswith("The run has reached the maximum of 500 events")


def test_one_caller_cannot_fill_the_engine():
    async def run_scenario():
        engine = MemoryEngine(max_unfinished=10)
        for number in range(5):
            await suspend_run(engine, f"ann{number}", "ann")
        with pytest.raises(TooManyRuns):
            await suspend_run(engine, "ann5", "ann")
        await suspend_run(engine, "bob", "bob")
        await engine.cancel(await engine.get(WAITING, "ann0"))
        await suspend_run(engine, "carl", "carl")
        assert (await engine.get(WAITING, "bob")).record.status == "suspended"

    asyncio.run(run_scenario())


def test_created_runs_of_one_caller_remove_only_its_own():
    async def run_scenario():
        engine = MemoryEngine(max_unfinished=10)
        await engine.create(QUICK, "of bob", caller="bob")
        for number in range(20):
            await engine.create(QUICK, f"of ann {number}", caller="ann")
        ids = await list_ids(engine)
        assert "of bob" in ids
        assert "of ann 19" in ids
        assert len(ids) <= 6

    asyncio.run(run_scenario())


def test_finished_runs_of_one_caller_remove_only_its_own():
    async def run_scenario():
        engine = MemoryEngine(max_finished=4)
        for caller in ("bob", *["ann"] * 10):
            run = await engine.create(QUICK, caller=caller)
            await engine.start(run, 1)
            await run.wait()
        assert len(await list_ids(engine)) == 4
        assert next(iter(engine._runs._finished)).caller == "bob"

    asyncio.run(run_scenario())


def test_data_of_runs_is_bounded_in_bytes():
    large = Workflow("large").then(hold_text)

    async def run_scenario():
        engine = MemoryEngine(max_bytes=1_000_000)
        with pytest.raises(TooManyRuns) as caught:
            await engine.start(await engine.create(large, caller="ann"), "x" * 2_000_000)
        assert re.search(r"needs 19\d{5} more bytes, .* of at most 1000000", caught.value.message)
        assert "max_bytes" in caught.value.hint
        assert await engine.list(large) == []
        held = await engine.create(large, "held", caller="ann")
        await engine.start(held, "x" * 200_000)
        assert (await held.wait()).status == "suspended"
        with pytest.raises(TooManyRuns):
            await engine.start(await engine.create(large, caller="ann"), "x" * 500_000)
        other = await engine.create(large, caller="bob")
        await engine.start(other, "x" * 200_000)
        assert (await other.wait()).status == "suspended"
        await engine.cancel(held)
        await engine.cancel(other)
        assert engine._runs._bytes.free == 1_000_000
        assert engine._runs._places.free == 10_000

    asyncio.run(run_scenario())


def test_run_that_produces_too_much_fails():
    @step
    async def double(text: str) -> str:
        return text * 2

    growing = Workflow("growing").dountil(double, lambda text: len(text) > 10_000_000)

    async def run_scenario():
        engine = MemoryEngine(max_bytes=1_000_000)
        run = await engine.create(growing)
        await engine.start(run, "x" * 1000)
        record = await run.wait()
        assert record.status == "failed"
        assert "bytes" in record.error.message
        assert engine._runs._bytes.free == 1_000_000

    asyncio.run(run_scenario())


@step
def hold_kept_text(size: int, context: StepContext) -> str:
    context.suspend(keep="k" * size)


@step
def fail_with_long_text(size: int) -> str:
    raise InvalidInput("e" * size)


@step
def hold_state(size: int, context: StepContext) -> str:
    context.set_state(text="s" * size)
    context.suspend()


HELD = {
    "context": (WAITING, None, {"context": {"text": "x" * 400_000}}),
    "state": (WAITING, None, {"state": {"text": "x" * 400_000}}),
    "changed state": (Workflow("state").then(hold_state), 400_000, {}),
    "kept value": (Workflow("kept").then(hold_kept_text), 400_000, {}),
}


@pytest.mark.parametrize("name", HELD)
def test_everything_that_a_suspended_run_holds_is_counted(name):
    workflow, value, options = HELD[name]

    async def run_scenario():
        engine = MemoryEngine(max_bytes=1_000_000)
        run = await engine.create(workflow, "first", caller="ann")
        await engine.start(run, value, **options)
        assert (await run.wait()).status == "suspended"
        assert 590_000 - 20_000 < engine._runs._bytes.free < 600_000
        second = await engine.create(workflow, caller="ann")
        with contextlib.suppress(TooManyRuns):
            await engine.start(second, value, **options)
        assert (await second.wait()).status in ("failed", "canceled")
        await engine.resume(run, "small", context={"text": "small"})
        await run.wait()
        await engine.cancel(run)
        assert engine._runs._bytes.free == 1_000_000

    asyncio.run(run_scenario())


def test_errors_are_counted_once():
    async def run_scenario():
        engine = MemoryEngine(max_bytes=1_000_000)
        run = await engine.create(Workflow("failing").then(fail_with_long_text))
        await engine.start(run, 200_000)
        record = await run.wait()
        assert len(record.error.message) > 199_000
        assert 200_000 < run.size < 300_000

    asyncio.run(run_scenario())


def test_created_runs_are_counted():
    async def run_scenario():
        engine = MemoryEngine(max_bytes=100_000)
        for number in range(100):
            await engine.create(QUICK, f"{number}", caller="ann")
        assert 1 < len(await list_ids(engine)) < 25
        await finish_run(engine, "next")

    asyncio.run(run_scenario())


def test_refused_time_travel_leaves_the_finished_run():
    async def run_scenario():
        engine = MemoryEngine(max_bytes=1_000_000)
        run = await finish_run(engine, "done")
        size = run.size
        for _ in range(3):
            with pytest.raises(TooManyRuns):
                await engine.time_travel(run, "add_one", context={"text": "x" * 2_000_000})
        assert (run.size, run.record.status, run.context) == (size, "success", {})
        assert engine._runs._bytes.free == 1_000_000
        await engine.time_travel(run, "add_one", 5, context={"text": "x" * 1000})
        assert (await run.wait()).result == 6

    asyncio.run(run_scenario())


async def hang(n: int) -> int:
    await asyncio.sleep(60)
    return n


def test_a_run_is_lost_with_its_request(monkeypatch):
    """The platform drops the request of a run: the run fails, and its place is free."""
    monkeypatch.setattr(scoped_task, "_LOST_AFTER", 0.2)
    monkeypatch.setattr(scoped_task, "_GRACE", 0.1)
    enable_request_scope(asyncio.ensure_future)

    async def main():
        engine, workflow = MemoryEngine(max_unfinished=2), Workflow("w").then(hang)
        busy, lost = [await engine.create(workflow) for _ in range(2)]
        for run in (busy, lost):
            await engine.start(run, 1)
        await asyncio.sleep(0)
        monkeypatch.setattr(scoped_task._supervisors[lost.task], "sign", lambda: None)
        waiting = asyncio.create_task(lost.wait())
        for _ in range(8):
            await asyncio.sleep(0.1)
            await engine.get(workflow, busy.run_id)
        record = await asyncio.wait_for(waiting, 5)
        assert (record.status, busy.record.status) == ("failed", "running")
        assert "ended the request" in record.error.message
        await engine.start(await engine.create(workflow), 1)
        await engine.close()

    try:
        asyncio.run(main())
    finally:
        disable_request_scope()


def test_suspended_run_ends_by_its_timeout_where_timers_end_with_requests(monkeypatch):
    """The next look at the run, or at the list, finds the timeout."""
    executed = []

    def advance_clock(seconds):
        read_clock = time.time
        monkeypatch.setattr(time, "time", lambda: read_clock() + seconds)

    @step
    async def begin(n: int) -> int:
        executed.append(n)
        return n

    async def suspend(workflow):
        engine = MemoryEngine()
        run = await engine.create(workflow)
        with enter_request():
            await engine.start(run, 1)
            assert (await run.wait()).status == "suspended"
        assert run.task is None
        return engine, run

    async def work():
        short = Workflow("short", timeout=60).then(begin).then(ask)
        engine, run = await suspend(short)
        advance_clock(61)
        with enter_request():
            record = (await engine.get(short, run.run_id)).record
        assert (record.status, record.error.name) == ("failed", "TimeoutError")
        engine, _ = await suspend(short)
        advance_clock(61)
        with enter_request():
            assert await engine.count(short) == {"failed": 1}
        long = Workflow("long", timeout=60).then(begin).sleep(0.01).then(ask)
        engine, run = await suspend(long)
        with enter_request():  # the sleep has ended before the run was suspended
            assert (await engine.get(long, run.run_id)).record.status == "suspended"
            assert run.task is None
            await engine.resume(run, {"go": True})
            assert (await run.wait()).result == "yes"
        assert executed == [1, 1, 1]

    enable_request_scope(asyncio.ensure_future)
    try:
        asyncio.run(work())
    finally:
        disable_request_scope()


def test_a_list_reads_no_runs_of_other_workflows():
    """Each query reads the runs of one workflow, however many runs the others have."""
    read = []

    class Query(RunQuery):
        def matches(self, record):
            read.append(record.workflow_id)
            return super().matches(record)

    async def work():
        engine = MemoryEngine(max_finished=3)
        for index in range(5):
            await finish_run(engine, f"quick-{index}")
        kept = await suspend_run(engine, "waiting")
        for workflow, number in ((QUICK, 3), (WAITING, 1)):
            read.clear()
            assert sum((await engine.count(workflow, Query())).values()) == number
            assert len(await engine.list(workflow, Query())) == number
            assert read == [workflow.id] * 2 * number
        await engine.delete(kept)
        assert await engine.count(WAITING) == {}
        await finish_run(engine, "again")
        await engine.delete(await engine.get(QUICK, "again"))
        assert await engine.count(QUICK) == {"success": 2}
        await engine.close()

    asyncio.run(work())


@step
async def make_rows(count: int) -> dict:
    return {"rows": [*range(count)]}


def test_result_is_not_copied_again():
    """Each copy of a large result would block the event loop."""
    nested = Workflow("nested").then(make_rows)

    async def run_scenario():
        engine = MemoryEngine()
        run = await engine.create(Workflow("w").then(nested))
        await engine.start(run, 5)
        return await run.wait()

    record = asyncio.run(run_scenario())
    assert record.result == {"rows": [0, 1, 2, 3, 4]}
    assert record.result is record.steps["nested"].output
    assert record.result is record.steps["nested.make_rows"].output
