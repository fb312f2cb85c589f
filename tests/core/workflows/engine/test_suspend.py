"""Suspend, resume and bail."""

import asyncio

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import Conflict, InvalidInput
from mastra_core.workflows import as_step
from mastra_core.workflows.engine.run_events import RunIdle, StepResumed, StepSuspended
from tests.core.workflows.sample_steps import (
    Point,
    add_one,
    ask,
    ask_too,
    format_groups,
    run_workflow,
    start_and_wait,
    wait_until,
)


def test_suspend_and_resume(engine):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(add_one).then(ask), 1)
        assert run.record.status == "suspended"
        assert run.record.suspended_steps == ["ask"]
        assert run.record.steps["ask"].suspend_payload == {"n": 2}
        await engine.resume(run, {"go": True})
        return await run.wait()

    record = asyncio.run(run_scenario())
    assert (record.status, record.result) == ("success", "yes")
    assert record.steps["ask"].resume_payload == {"go": True}
    assert record.steps["add_one"].output == 2


def test_two_suspended_steps_are_resumed_by_path(engine):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").parallel(ask, ask_too), 1)
        assert run.record.suspended_steps == ["ask", "ask-too"]
        with pytest.raises(InvalidInput, match="Several steps are suspended"):
            await engine.resume(run, 7)
        await engine.resume(run, 7, step="ask-too")
        record = await run.wait()
        assert (record.status, record.suspended_steps) == ("suspended", ["ask"])
        with pytest.raises(Conflict, match="'ask-too' is not suspended"):
            await engine.resume(run, 7, step="ask-too")
        await engine.resume(run, {"go": False})
        return await run.wait()

    assert asyncio.run(run_scenario()).result == {"ask": "no", "ask-too": 7}


def test_step_continues_while_another_is_suspended(engine):
    async def run_scenario():
        gate = asyncio.Event()

        @step
        async def slow(n: int) -> int:
            await gate.wait()
            return n

        run = await engine.create(Workflow("w").parallel(ask, slow))
        await engine.start(run, 1)
        async for event in run.iter_events():
            if isinstance(event, StepSuspended):
                assert run.record.status == "running"
                gate.set()
        assert (run.record.status, run.record.suspended_steps) == ("suspended", ["ask"])
        await engine.resume(run, {"go": True})
        return await run.wait()

    assert asyncio.run(run_scenario()).result == {"ask": "yes", "slow": 1}


def test_invalid_resume_data_leaves_the_step_suspended(engine):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(ask), 1)
        with pytest.raises(InvalidInput, match=r"Invalid resume data: go: Expected `bool`"):
            await engine.resume(run, {"go": "maybe"})
        assert run.record.status == "suspended"
        await engine.resume(run, {"go": True})
        return await run.wait()

    assert asyncio.run(run_scenario()).result == "yes"


def test_step_suspends_several_times(engine):
    @step(resume=int)
    def wait_for_three(context: StepContext) -> int:
        if context.resume_data != 3:
            context.suspend({"was": context.resume_data})
        return 3

    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(wait_for_three))
        for number in (1, 2, 3):
            await engine.resume(run, number)
            await run.wait()
        return run.record

    record = asyncio.run(run_scenario())
    assert (record.status, record.result) == ("success", 3)


def test_except_exception_does_not_catch_a_suspend(engine):
    @step
    def catch_all(context: StepContext) -> str:
        try:
            if context.resume_data is None:
                context.suspend()
        except Exception:
            return "swallowed"
        return "resumed"

    @step
    async def catch_all_async(context: StepContext) -> str:
        try:
            if context.resume_data is None:
                context.suspend()
        except Exception:
            return "swallowed"
        return "resumed"

    async def run_scenario():
        for item in (catch_all, catch_all_async):
            run = await start_and_wait(engine, Workflow("w").then(item))
            assert run.record.status == "suspended"
            await engine.resume(run, 1)
            assert (await run.wait()).result == "resumed"

    asyncio.run(run_scenario())


def test_step_changes_only_a_copy_of_its_resume_data(engine):
    @step
    async def ask_for_names(n: int, context: StepContext) -> list[str]:
        if context.resume_data is None:
            context.suspend(keep=["kept"])
        context.kept.append("changed")
        context.resume_data.append("changed")
        return [*context.kept, *context.resume_data]

    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(ask_for_names), 1)
        await engine.resume(run, ["ann"])
        return await run.wait()

    record = asyncio.run(run_scenario())
    assert record.result == ["kept", "changed", "ann", "changed"]
    assert record.steps["ask_for_names"].resume_payload == ["ann"]


def test_label_that_is_no_text_fails_the_step(engine):
    """Otherwise nobody could read the stored event, and therefore no list of runs."""

    @step
    async def ask_with_number(n: int, context: StepContext) -> int:
        context.suspend({"n": n}, label=n)

    async def run_scenario():
        workflow = Workflow("w").then(ask_with_number)
        run = await start_and_wait(engine, workflow, 1)
        (record,) = await engine.list(workflow)
        return run.record.error, record.status

    error, status = asyncio.run(run_scenario())
    assert (error.message, status) == ("The label 1 of suspend is not a text.", "failed")


def test_resume_by_label(engine):
    @step(resume=int)
    async def ask_with_label(n: int, context: StepContext) -> int:
        if context.resume_data is None:
            context.suspend({"n": n}, label=f"label-{n}")
        return context.resume_data

    async def run_scenario():
        run = await start_and_wait(
            engine, Workflow("w").foreach(ask_with_label, concurrency=3), [1, 2, 3]
        )
        assert run.record.suspended_steps == [
            "ask_with_label[0]",
            "ask_with_label[1]",
            "ask_with_label[2]",
        ]
        assert run.record.steps["ask_with_label[1]"].label == "label-2"
        with pytest.raises(Conflict, match="'nothing' is not suspended"):
            await engine.resume(run, 0, label="nothing")
        await engine.resume(run, 20, label="label-2")
        await engine.resume(run, 30, step="ask_with_label[2]")
        assert (await run.wait()).suspended_steps == ["ask_with_label[0]"]
        await engine.resume(run, 10, step="ask_with_label")
        return await run.wait()

    assert asyncio.run(run_scenario()).result == [10, 20, 30]


def test_invalid_suspend_payload_fails_the_step(engine):
    @step(suspend=Point)
    async def suspend_with_text(context: StepContext) -> int:
        context.suspend({"x": "far"})

    record = run_workflow(engine, Workflow("w").then(suspend_with_text))
    assert (record.status, record.error.name) == ("failed", "InvalidInput")


def test_run_with_remaining_items_is_not_suspended(engine):
    """No step is running between the end of one item and the start of the next one."""

    @step(resume=int)
    async def ask_for_zero(n: int, context: StepContext) -> int:
        if n == 0 and context.resume_data is None:
            context.suspend()
        return n

    async def run_scenario():
        workflow = Workflow("w").foreach(ask_for_zero, concurrency=2)
        run = await start_and_wait(engine, workflow, list(range(50)))
        assert run.record.suspended_steps == ["ask_for_zero[0]"]
        assert run.record.steps["ask_for_zero[49]"].status == "success"
        await engine.resume(run, 1)
        return await run.wait()

    assert asyncio.run(run_scenario()).result == list(range(50))


def test_suspended_step_beside_a_nested_workflow(engine):
    @step(resume=int)
    async def ask_first(n: int, context: StepContext) -> int:
        if context.resume_data is None:
            context.suspend()
        return n

    inner = Workflow("inner").then(add_one).then(as_step(add_one, id="more")).then(ask_too)

    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").parallel(ask_first, inner), 1)
        assert run.record.suspended_steps == ["ask_first", "inner.ask-too"]
        await engine.resume(run, 5, step="inner")
        assert (await run.wait()).suspended_steps == ["ask_first"]
        await engine.resume(run, 5)
        return await run.wait()

    assert asyncio.run(run_scenario()).result == {"ask_first": 1, "inner": 5}


def test_suspend_in_a_loop(engine):
    async def run_scenario():
        loop = Workflow("w").dountil(ask_too, lambda n: n > 2)
        run = await start_and_wait(engine, loop, 0)
        for number in (1, 2, 3):
            assert run.record.suspended_steps == ["ask-too"]
            await engine.resume(run, number)
            await run.wait()
        return run.record

    record = asyncio.run(run_scenario())
    assert (record.status, record.result, record.path) == ("success", 3, ["ask-too"] * 3)


def test_suspended_step_beside_a_sleep(engine):
    async def run_scenario():
        nap = Workflow("nap").sleep(0.03).then(add_one)
        run = await engine.create(Workflow("w").parallel(ask_too, nap))
        await engine.start(run, 1)
        await wait_until(lambda: run.record.status == "waiting")
        assert (await run.wait()).status == "suspended"
        assert run.record.steps["nap.add_one"].status == "success"
        await engine.resume(run, 7)
        return await run.wait()

    assert asyncio.run(run_scenario()).result == {"ask-too": 7, "nap": 2}


def test_bail(engine):
    @step
    async def bail_out(n: int, context: StepContext) -> int:
        context.bail({"was": n})

    async def later(n: int) -> int:
        await asyncio.sleep(30)
        return n

    for workflow in (
        Workflow("w").then(bail_out).then(add_one),
        Workflow("w").parallel(later, bail_out).then(format_groups),
        Workflow("w").map(lambda n: [n] * 3).foreach(bail_out, concurrency=2),
    ):
        record = run_workflow(engine, workflow, 3)
        assert (record.status, record.result) == ("success", {"was": 3})
        statuses = {item.status for item in record.steps.values()}
        assert "running" not in statuses
        assert "bailed" in statuses


def test_many_steps_are_resumed_together(engine):
    async def run_scenario():
        workflow = Workflow("w").foreach(ask, concurrency=1000)
        run = await start_and_wait(engine, workflow, [*range(250)])
        steps = run.record.suspended_steps
        assert len(steps) == 250
        with pytest.raises(InvalidInput, match="resume data"):
            await engine.resume_many(run, {"stop": True}, steps)
        with pytest.raises(Conflict, match="'other' is not suspended"):
            await engine.resume_many(run, {"go": True}, ["ask[0]", "other"])
        assert run.record.suspended_steps == steps
        position = run.position
        await engine.resume_many(run, {"go": True}, steps)
        record = await run.wait()
        idle = [event async for event in run.iter_events(position) if isinstance(event, RunIdle)]
        assert not idle
        return record

    record = asyncio.run(run_scenario())
    assert (record.status, record.result) == ("success", ["yes"] * 250)


def test_steps_to_resume_may_be_groups_and_are_never_none(engine):
    inner = Workflow("inner").then(ask)

    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(inner), 1)
        with pytest.raises(Conflict, match="No step"):
            await engine.resume_many(run, {"go": True}, [])
        await engine.resume_many(run, {"go": True}, ["inner", "inner.ask"])
        events = [event async for event in run.iter_events()]
        return sum(isinstance(event, StepResumed) for event in events), run.record.result

    assert asyncio.run(run_scenario()) == (1, "yes")


def test_run_is_canceled_while_many_steps_are_resumed(engine):
    async def run_scenario():
        workflow = Workflow("w").foreach(ask, concurrency=1000)
        run = await start_and_wait(engine, workflow, [*range(250)])
        steps = run.record.suspended_steps
        resuming = asyncio.create_task(engine.resume_many(run, {"go": True}, steps))
        async for _ in run.iter_events(run.position, until_finished=True):
            break
        assert len(run.record.suspended_steps) > 100
        await engine.cancel(run)
        await resuming
        return run.record

    record = asyncio.run(run_scenario())
    assert record.status == "canceled"
    assert {each.status for each in record.steps.values()} == {"canceled"}
