"""Runs that begin again: in the middle, or where they broke off."""

import asyncio

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import Conflict, InvalidInput, NotFound
from mastra_core.workflows import as_step
from tests.core.workflows.sample_steps import (
    ask,
    double,
    endless,
    plus_one,
    settled,
    text_of,
    until,
)

LINE = Workflow("w").then(plus_one).then(double).then(as_step(plus_one, id="last"))


async def travelled(engine, workflow, value, step, *more, **options):
    run = await settled(engine, workflow, value)
    await engine.travel(run, step, *more, **options)
    return await run.settled()


def record_of(*arguments, **options):
    return asyncio.run(travelled(*arguments, **options))


def test_run_from_a_step_as_it_was(engine):
    record = record_of(engine, LINE, 1, "double")
    assert (record.result, record.path) == (5, ["plus_one", "double", "last", "double", "last"])
    assert record.steps["plus_one"].output == 2


def test_run_from_a_step_with_another_input(engine):
    record = record_of(engine, LINE, 1, "double", 10)
    assert (record.result, record.input) == (21, 1)
    assert record.steps["double"].payload == 10
    assert record.steps["plus_one"].output == 10  # it is taken to have given that


def test_run_from_a_step_with_other_outputs_before(engine):
    record = record_of(engine, LINE, 1, "last", outputs={"double": 40})
    assert (record.result, record.steps["double"].output) == (41, 40)
    assert record.steps["plus_one"].output == 2


def test_run_a_run_that_never_ran_from_a_step(engine):
    async def story():
        run = await engine.create(LINE)
        with pytest.raises(InvalidInput, match="'last' has not run"):
            await engine.travel(run, "last")
        await engine.travel(run, "last", 7)
        return await run.settled()

    assert asyncio.run(story()).result == 8


def test_run_from_a_step_that_failed(engine):
    down = [1]

    @step
    async def shaky(n: int) -> int:
        if down:
            raise OSError("down")
        return n

    async def story():
        run = await settled(engine, Workflow("w").then(plus_one).then(shaky).then(double), 1)
        assert run.record.status == "failed"
        down.clear()
        await engine.travel(run, "shaky")
        return await run.settled()

    record = asyncio.run(story())
    assert (record.status, record.result, record.error) == ("success", 4, None)


def test_run_from_one_of_several_side_by_side(engine):
    counted = []

    @step
    async def count(n: int) -> int:
        counted.append(n)
        return n

    workflow = Workflow("w").then(plus_one).parallel(count, double).then(text_of)
    record = record_of(engine, workflow, 1, "double", 50)
    assert record.result == "count=2, double=100"
    assert counted == [2]
    assert record_of(engine, workflow, 1, "count").result == "count=2, double=4"


def test_run_from_a_branch_that_was_not_taken(engine):
    workflow = Workflow("w").branch((lambda n: n > 0, plus_one), (lambda n: n < 0, double))
    assert record_of(engine, workflow, 1, "double", 4).result == {"plus_one": 2, "double": 8}


def test_run_from_a_step_inside(engine):
    inner = Workflow("inner").then(plus_one).then(double)
    workflow = Workflow("w").then(as_step(plus_one, id="first")).then(inner).then(text)
    assert record_of(engine, workflow, 1, "inner.double").result == "6"
    assert record_of(engine, workflow, 1, "inner.double", 50).result == "100"
    assert record_of(engine, workflow, 1, "inner").result == "6"
    assert record_of(engine, workflow, 1, "inner.plus_one", 5).result == "12"


@step
async def text(n: int) -> str:
    return str(n)


def test_run_from_a_list_or_a_loop(engine):
    workflow = (
        Workflow("w")
        .foreach(plus_one)
        .map(sum, id="sum")
        .dountil(double, lambda n: n > 100)
    )  # fmt: skip
    assert record_of(engine, workflow, [1, 2], "plus_one", [9]).result == 160
    assert record_of(engine, workflow, [1, 2], "double", 60).result == 120
    assert record_of(engine, workflow, [1, 2], "sum").result == 160
    with pytest.raises(InvalidInput, match=r"cannot begin in 'plus_one\[0\]'"):
        record_of(engine, workflow, [1, 2], "plus_one[0]")


def test_run_from_a_suspended_step_as_if_it_had_been_resumed(engine):
    workflow = Workflow("w").then(plus_one).then(ask)
    record = record_of(engine, workflow, 1, "ask", resume_data={"go": True})
    assert (record.status, record.result) == ("success", "yes")


def test_run_from_a_step_with_another_state(engine):
    @step
    async def tally(n: int, context: StepContext) -> int:
        context.set_state(sum=context.state.get("sum", 0) + n)
        return context.state["sum"]

    workflow = Workflow("w").then(tally).then(as_step(tally, id="again"))
    assert record_of(engine, workflow, 2, "again").result == 6
    assert record_of(engine, workflow, 2, "again", state={"sum": 100}).result == 102


def test_nowhere_to_run_from(engine):
    with pytest.raises(NotFound, match="no step 'nothing'"):
        record_of(engine, LINE, 1, "nothing")

    async def story():
        run = await engine.create(Workflow("w").then(endless))
        await engine.start(run, 1)
        with pytest.raises(Conflict, match="still running"):
            await engine.travel(run, "endless")
        await engine.cancel(run)

    asyncio.run(story())


def test_step_by_step(engine):
    async def story():
        run = await engine.create(LINE)
        await engine.start(run, 1, per_step=True)
        seen = []
        for name in ("double", "last"):
            record = await run.settled()
            seen.append((record.status, list(record.steps)[-1]))
            await engine.travel(run, name, per_step=True)
        return seen, await run.settled()

    seen, record = asyncio.run(story())
    assert seen == [("paused", "plus_one"), ("paused", "double")]
    assert (record.status, record.result) == ("success", 5)


def test_restart_goes_on_where_a_run_broke_off(engine):
    calls = []

    @step(retry=1)
    async def shaky(n: int, context: StepContext) -> int:
        calls.append(("shaky", context.attempt))
        if len(calls) < 5:
            raise OSError("down")
        context.set_state(done=n)
        return n

    @step
    async def before(n: int, context: StepContext) -> int:
        calls.append(("before", n))
        context.set_state(before=n)
        return n + 1

    async def story():
        workflow = Workflow("w").then(before).map(lambda n: [n, n]).foreach(shaky)
        run = await settled(engine, workflow, 1)
        assert run.record.status == "failed"
        await engine.restart(run)
        record = await run.settled()
        with pytest.raises(Conflict, match="is success"):
            await engine.restart(run)
        return record

    record = asyncio.run(story())
    assert (record.status, record.result) == ("success", [2, 2])
    assert record.state == {"before": 1, "done": 2}
    assert calls == [
        ("before", 1),
        *[("shaky", 1), ("shaky", 2)] * 2,
        ("shaky", 1),
    ]


def test_restart_of_a_run_that_is_stuck(engine):
    gate = asyncio.Event()

    @step
    async def stuck(n: int) -> int:
        if not gate.is_set():
            gate.set()
            await asyncio.sleep(60)
        return n

    async def story():
        run = await engine.create(Workflow("w").then(plus_one).then(stuck))
        await engine.start(run, 1)
        await gate.wait()
        await engine.restart(run)
        return await run.settled()

    record = asyncio.run(story())
    assert (record.result, record.path) == (2, ["plus_one", "stuck", "stuck"])


def test_restart_of_a_suspended_run_keeps_what_it_waits_for(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(ask), 1)
        await engine.restart(run, {"user": "ann"})
        await until(lambda: run.record.suspended)
        record = await run.settled()
        assert (record.status, record.suspended) == ("suspended", ["ask"])
        await engine.resume(run, {"go": True})
        return await run.settled()

    assert asyncio.run(story()).result == "yes"
