"""Runs end, and begin again, while steps are suspended."""

import asyncio

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import Conflict
from mastra_core.workflows import Retry, as_step
from tests.core.workflows.sample_steps import add_one, ask, ask_too, start_and_wait, wait_until


async def run_beside_waits(engine, build, value, act, count):
    """Run a workflow in which a step calls ``act`` as soon as other steps are suspended.

    :param build: returns the workflow with the step. The step suspends for positive inputs, and
        calls ``act`` for negative ones.
    :param act: gets the context of the step.
    :param count: the number of steps that are suspended before.
    """
    runs = []

    @step(id="late")
    async def act_late(n: int, context: StepContext) -> int:
        if n > 0:
            context.suspend()
        await wait_until(lambda: len(runs[0].record.suspended_steps) == count)
        return act(context)

    runs.append(await engine.create(build(act_late)))
    await engine.start(runs[0], value)
    await runs[0].wait()
    return runs[0]


def raise_error(context):
    raise LookupError("no row")


def bail_out(context):
    context.bail(7)


def build_parallel(late):
    return Workflow("w").parallel(ask_too, late)


def build_foreach(late):
    return Workflow("w").foreach(late, concurrency=3)


def build_nested(late):
    return Workflow("w").parallel(Workflow("inner").parallel(ask_too, late), ask)


@pytest.mark.parametrize(
    ("build", "value", "count"),
    [(build_parallel, -1, 1), (build_foreach, [1, 2, -1, 3], 2), (build_nested, -1, 2)],
)
def test_failed_step_ends_a_run_with_suspended_steps(engine, build, value, count):
    run = asyncio.run(run_beside_waits(engine, build, value, raise_error, count))
    assert (run.record.status, run.record.error.message) == ("failed", "no row")
    assert run.record.suspended_steps == []


@pytest.mark.parametrize(
    ("build", "value", "count"), [(build_parallel, -1, 1), (build_foreach, [1, 2, -1, 3], 2)]
)
def test_bail_ends_a_run_with_suspended_steps(engine, build, value, count):
    run = asyncio.run(run_beside_waits(engine, build, value, bail_out, count))
    assert (run.record.status, run.record.result) == ("success", 7)
    assert run.record.suspended_steps == []


def test_bail_of_a_nested_workflow_leaves_other_steps_suspended(engine):
    async def run_scenario():
        run = await run_beside_waits(engine, build_nested, -1, bail_out, 2)
        assert (run.record.status, run.record.suspended_steps) == ("suspended", ["ask"])
        with pytest.raises(Conflict):  # a step that nobody waits for
            await engine.resume(run, 3, "inner.ask-too")
        await engine.resume(run, {"go": True}, "ask")
        return await run.wait()

    record = asyncio.run(run_scenario())
    assert (record.status, record.result) == ("success", {"inner": 7, "ask": "yes"})
    assert (record.steps["inner"].status, record.steps["inner.ask-too"].status) == (
        "success",
        "canceled",
    )
    assert record.open == {}


def test_repeated_nested_workflow_has_no_suspended_steps_of_its_first_attempt(engine):
    attempts = []

    @step(id="first", resume=int)
    async def ask_at_repetition(n: int, context: StepContext) -> int:
        attempts.append(n)
        if len(attempts) == 2:
            context.suspend()
        return n

    async def run_scenario():
        def build(late):
            inner = Workflow("inner").then(ask_at_repetition).parallel(ask_too, late)
            return Workflow("w").then(as_step(inner, retry=Retry(count=1, delay=0)))

        run = await run_beside_waits(engine, build, -1, raise_error, 1)
        assert run.record.suspended_steps == ["inner.first"]
        assert run.record.steps["inner.ask-too"].status == "canceled"
        assert run.record.open == {"inner.first": "suspended"}

    asyncio.run(run_scenario())


def test_run_is_suspended_when_the_other_steps_have_ended(engine):
    async def run_scenario():
        run = await run_beside_waits(engine, build_parallel, -1, lambda _: 5, 1)
        assert (run.record.status, run.record.suspended_steps) == ("suspended", ["ask-too"])
        await engine.resume(run, 3)
        return await run.wait()

    assert asyncio.run(run_scenario()).result == {"ask-too": 3, "late": 5}


def test_restart_after_a_failure_asks_only_what_is_open(engine):
    failures = [LookupError("no row")]

    def fail_once(context):
        if failures:
            raise failures.pop()
        return 5

    async def run_scenario():
        run = await run_beside_waits(engine, build_parallel, -1, fail_once, 1)
        assert run.record.status == "failed"
        await engine.restart(run)
        assert (await run.wait()).suspended_steps == ["ask-too"]
        await engine.resume(run, 3)
        return await run.wait()

    assert asyncio.run(run_scenario()).result == {"ask-too": 3, "late": 5}


def test_restart_does_not_ask_again_for_an_answer_that_it_has(engine):
    failures = [LookupError("no row")]

    @step(resume=int)
    async def ask_and_fail(n: int, context: StepContext) -> int:
        if context.resume_data is None:
            context.suspend()
        if failures:
            raise failures.pop()
        return context.resume_data

    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(ask_and_fail), 1)
        await engine.resume(run, 3)
        assert (await run.wait()).status == "failed"
        await engine.restart(run)
        return await run.wait()

    record = asyncio.run(run_scenario())
    assert (record.status, record.result) == ("success", 3)


def test_approval_is_asked_again_after_a_time_travel(engine):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(add_one).then(ask), 1)
        await engine.resume(run, {"go": True})
        assert (await run.wait()).result == "yes"
        await engine.time_travel(run, "add_one", 500)
        record = await run.wait()
        assert (record.status, record.suspended_steps) == ("suspended", ["ask"])
        assert record.steps["ask"].suspend_payload == {"n": 501}
        await engine.resume(run, {"go": False})
        return await run.wait()

    record = asyncio.run(run_scenario())
    assert (record.status, record.result) == ("success", "no")


@pytest.mark.parametrize("again", ["restart", "time_travel"])
def test_run_that_timed_out_gets_its_time_again(engine, again):
    async def run_scenario():
        workflow = Workflow("w", timeout=1).then(add_one).then(ask)
        run = await start_and_wait(engine, workflow, 1)
        assert run.record.status == "suspended"
        async with asyncio.timeout(5):
            while not run.record.is_finished:  # where timers end with requests, a look finds it
                await asyncio.sleep(0.1)
                await engine.get(workflow, run.run_id)
        assert (run.record.status, run.record.error.name) == ("failed", "TimeoutError")
        await (engine.restart(run) if again == "restart" else engine.time_travel(run, "add_one", 5))
        record = await run.wait()
        assert (record.status, record.error) == ("suspended", None)
        await engine.resume(run, {"go": True})
        return await run.wait()

    record = asyncio.run(run_scenario())
    assert (record.status, record.result) == ("success", "yes")
