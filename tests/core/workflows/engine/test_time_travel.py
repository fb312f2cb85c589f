"""Runs that execute again, from a step or from where they were interrupted."""

import asyncio

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import Conflict, InvalidInput, NotFound
from mastra_core.workflows import as_step
from tests.core.workflows.sample_steps import (
    add_one,
    ask,
    double,
    format_groups,
    start_and_wait,
    wait_forever,
    wait_until,
)

CHAIN = Workflow("w").then(add_one).then(double).then(as_step(add_one, id="last"))


async def run_and_travel(engine, workflow, value, step, *more, **options):
    run = await start_and_wait(engine, workflow, value)
    await engine.time_travel(run, step, *more, **options)
    return await run.wait()


def travel(*arguments, **options):
    return asyncio.run(run_and_travel(*arguments, **options))


def test_travel_with_the_recorded_input(engine):
    record = travel(engine, CHAIN, 1, "double")
    assert (record.result, record.path) == (5, ["add_one", "double", "last", "double", "last"])
    assert record.steps["add_one"].output == 2


def test_travel_with_another_input(engine):
    record = travel(engine, CHAIN, 1, "double", 10)
    assert (record.result, record.input) == (21, 1)
    assert record.steps["double"].payload == 10
    assert record.steps["add_one"].output == 10  # the output is assumed


def test_travel_with_other_outputs(engine):
    record = travel(engine, CHAIN, 1, "last", outputs={"double": 40})
    assert (record.result, record.steps["double"].output) == (41, 40)
    assert record.steps["add_one"].output == 2


def test_travel_of_a_pending_run(engine):
    async def run_scenario():
        run = await engine.create(CHAIN)
        with pytest.raises(InvalidInput, match="'last' has not run yet"):
            await engine.time_travel(run, "last")
        await engine.time_travel(run, "last", 7)
        return await run.wait()

    assert asyncio.run(run_scenario()).result == 8


def test_travel_to_a_failed_step(engine):
    down = [1]

    @step
    async def shaky(n: int) -> int:
        if down:
            raise OSError("down")
        return n

    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(add_one).then(shaky).then(double), 1)
        assert run.record.status == "failed"
        down.clear()
        await engine.time_travel(run, "shaky")
        return await run.wait()

    record = asyncio.run(run_scenario())
    assert (record.status, record.result, record.error) == ("success", 4, None)


def test_travel_to_a_parallel_step(engine):
    counted = []

    @step
    async def count(n: int) -> int:
        counted.append(n)
        return n

    workflow = Workflow("w").then(add_one).parallel(count, double).then(format_groups)
    record = travel(engine, workflow, 1, "double", 50)
    assert record.result == "count=2, double=100"
    assert counted == [2]
    assert travel(engine, workflow, 1, "count").result == "count=2, double=4"


def test_travel_to_a_branch_that_was_not_executed(engine):
    workflow = Workflow("w").branch((lambda n: n > 0, add_one), (lambda n: n < 0, double))
    assert travel(engine, workflow, 1, "double", 4).result == {"add_one": 2, "double": 8}


def test_travel_to_a_nested_step(engine):
    inner = Workflow("inner").then(add_one).then(double)
    workflow = Workflow("w").then(as_step(add_one, id="first")).then(inner).then(text)
    assert travel(engine, workflow, 1, "inner.double").result == "6"
    assert travel(engine, workflow, 1, "inner.double", 50).result == "100"
    assert travel(engine, workflow, 1, "inner").result == "6"
    assert travel(engine, workflow, 1, "inner.add_one", 5).result == "12"


@step
async def text(n: int) -> str:
    return str(n)


def test_travel_to_a_foreach_or_a_loop(engine):
    workflow = (
        Workflow("w")
        .foreach(add_one)
        .map(sum, id="sum")
        .dountil(double, lambda n: n > 100)
    )  # fmt: skip
    assert travel(engine, workflow, [1, 2], "add_one", [9]).result == 160
    assert travel(engine, workflow, [1, 2], "double", 60).result == 120
    assert travel(engine, workflow, [1, 2], "sum").result == 160
    with pytest.raises(InvalidInput, match=r"cannot start at 'add_one\[0\]'"):
        travel(engine, workflow, [1, 2], "add_one[0]")


def test_travel_with_resume_data(engine):
    workflow = Workflow("w").then(add_one).then(ask)
    record = travel(engine, workflow, 1, "ask", resume_data={"go": True})
    assert (record.status, record.result) == ("success", "yes")


def test_travel_with_another_state(engine):
    @step
    async def tally(n: int, context: StepContext) -> int:
        context.set_state(sum=context.state.get("sum", 0) + n)
        return context.state["sum"]

    workflow = Workflow("w").then(tally).then(as_step(tally, id="again"))
    assert travel(engine, workflow, 2, "again").result == 6
    assert travel(engine, workflow, 2, "again", state={"sum": 100}).result == 102


def test_travel_that_is_refused(engine):
    with pytest.raises(NotFound, match="no step 'nothing'"):
        travel(engine, CHAIN, 1, "nothing")

    async def run_scenario():
        run = await engine.create(Workflow("w").then(wait_forever))
        await engine.start(run, 1)
        with pytest.raises(Conflict, match="still running"):
            await engine.time_travel(run, "wait_forever")
        await engine.cancel(run)

    asyncio.run(run_scenario())


def test_per_step(engine):
    async def run_scenario():
        run = await engine.create(CHAIN)
        await engine.start(run, 1, per_step=True)
        seen = []
        for name in ("double", "last"):
            record = await run.wait()
            seen.append((record.status, list(record.steps)[-1]))
            await engine.time_travel(run, name, per_step=True)
        return seen, await run.wait()

    seen, record = asyncio.run(run_scenario())
    assert seen == [("paused", "add_one"), ("paused", "double")]
    assert (record.status, record.result) == ("success", 5)


def test_restart_continues_a_failed_run(engine):
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

    async def run_scenario():
        workflow = Workflow("w").then(before).map(lambda n: [n, n]).foreach(shaky)
        run = await start_and_wait(engine, workflow, 1)
        assert run.record.status == "failed"
        await engine.restart(run)
        record = await run.wait()
        with pytest.raises(Conflict, match="is success"):
            await engine.restart(run)
        return record

    record = asyncio.run(run_scenario())
    assert (record.status, record.result) == ("success", [2, 2])
    assert record.state == {"before": 1, "done": 2}
    assert calls == [
        ("before", 1),
        *[("shaky", 1), ("shaky", 2)] * 2,
        ("shaky", 1),
    ]


@pytest.mark.parametrize("repairs", [2, 3])
def test_restart_after_a_retried_nested_workflow(engine, repairs):
    """A nested workflow that has succeeded is not executed again, even if its first try failed."""
    calls = []

    @step
    async def before(n: int) -> int:
        calls.append("before")
        return n

    @step
    async def shaky(n: int) -> int:
        calls.append("shaky")
        if calls.count("shaky") < repairs:
            raise OSError("down")
        return n

    @step
    async def after(n: int) -> int:
        calls.append("after")
        if calls.count("after") == 1:
            raise OSError("down")
        return n

    async def run_scenario():
        inner = as_step(Workflow("inner").then(before).then(shaky), retry=1)
        run = await start_and_wait(engine, Workflow("w").then(inner).then(after), 1)
        for _ in range(repairs - 1):
            assert run.record.status == "failed"
            await engine.restart(run)
            await run.wait()
        return run.record

    assert asyncio.run(run_scenario()).status == "success"
    tries = {2: ["before", "shaky"] * 2, 3: ["before", "shaky"] * 2 + ["shaky"]}[repairs]
    assert calls == [*tries, "after", "after"]


def test_restart_of_a_stuck_run(engine):
    gate = asyncio.Event()

    @step
    async def stuck(n: int) -> int:
        if not gate.is_set():
            gate.set()
            await asyncio.sleep(60)
        return n

    async def run_scenario():
        run = await engine.create(Workflow("w").then(add_one).then(stuck))
        await engine.start(run, 1)
        await gate.wait()
        await engine.restart(run)
        return await run.wait()

    record = asyncio.run(run_scenario())
    assert (record.result, record.path) == (2, ["add_one", "stuck", "stuck"])


def test_restart_of_a_suspended_run(engine):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(ask), 1)
        await engine.restart(run, {"user": "ann"})
        await wait_until(lambda: run.record.suspended_steps)
        record = await run.wait()
        assert (record.status, record.suspended_steps) == ("suspended", ["ask"])
        await engine.resume(run, {"go": True})
        return await run.wait()

    assert asyncio.run(run_scenario()).result == "yes"
