"""Steps that wait for a person."""

import asyncio

import pytest

from mastra_core import StepContext, Workflow, step
from mastra_core.errors import Conflict, InvalidInput
from mastra_core.workflows import as_step
from mastra_core.workflows.engine.run_events import StepSuspended
from tests.core.workflows.sample_steps import (
    Point,
    ask,
    ask_too,
    plus_one,
    record_of,
    settled,
    text_of,
    until,
)


def test_suspend_and_resume(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(plus_one).then(ask), 1)
        assert run.record.status == "suspended"
        assert run.record.suspended == ["ask"]
        assert run.record.steps["ask"].suspend_payload == {"n": 2}
        await engine.resume(run, {"go": True})
        return await run.settled()

    record = asyncio.run(story())
    assert (record.status, record.result) == ("success", "yes")
    assert record.steps["ask"].resume_payload == {"go": True}
    assert record.steps["plus_one"].output == 2


def test_two_suspended_steps_each_resumed_by_name(engine):
    async def story():
        run = await settled(engine, Workflow("w").parallel(ask, ask_too), 1)
        assert run.record.suspended == ["ask", "ask-too"]
        with pytest.raises(InvalidInput, match="Several steps are suspended"):
            await engine.resume(run, 7)
        await engine.resume(run, 7, step="ask-too")
        record = await run.settled()
        assert (record.status, record.suspended) == ("suspended", ["ask"])
        with pytest.raises(Conflict, match="'ask-too' is not suspended"):
            await engine.resume(run, 7, step="ask-too")
        await engine.resume(run, {"go": False})
        return await run.settled()

    assert asyncio.run(story()).result == {"ask": "no", "ask-too": 7}


def test_a_branch_goes_on_while_another_waits(engine):
    async def story():
        gate = asyncio.Event()

        @step
        async def slow(n: int) -> int:
            await gate.wait()
            return n

        run = await engine.create(Workflow("w").parallel(ask, slow))
        await engine.start(run, 1)
        async for event in run.events():
            if isinstance(event, StepSuspended):
                assert run.record.status == "running"
                gate.set()
        assert (run.record.status, run.record.suspended) == ("suspended", ["ask"])
        await engine.resume(run, {"go": True})
        return await run.settled()

    assert asyncio.run(story()).result == {"ask": "yes", "slow": 1}


def test_resume_data_is_checked_and_may_be_brought_again(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(ask), 1)
        with pytest.raises(InvalidInput, match=r"Invalid resume data: go: Expected `bool`"):
            await engine.resume(run, {"go": "maybe"})
        assert run.record.status == "suspended"
        await engine.resume(run, {"go": True})
        return await run.settled()

    assert asyncio.run(story()).result == "yes"


def test_a_step_may_suspend_again(engine):
    @step(resume=int)
    def three(context: StepContext) -> int:
        if context.resume_data != 3:
            context.suspend({"was": context.resume_data})
        return 3

    async def story():
        run = await settled(engine, Workflow("w").then(three))
        for number in (1, 2, 3):
            await engine.resume(run, number)
            await run.settled()
        return run.record

    record = asyncio.run(story())
    assert (record.status, record.result) == ("success", 3)


def test_except_exception_cannot_swallow_a_suspend(engine):
    @step
    def careful(context: StepContext) -> str:
        try:
            if context.resume_data is None:
                context.suspend()
        except Exception:
            return "swallowed"
        return "resumed"

    @step
    async def careful_too(context: StepContext) -> str:
        try:
            if context.resume_data is None:
                context.suspend()
        except Exception:
            return "swallowed"
        return "resumed"

    async def story():
        for item in (careful, careful_too):
            run = await settled(engine, Workflow("w").then(item))
            assert run.record.status == "suspended"
            await engine.resume(run, 1)
            assert (await run.settled()).result == "resumed"

    asyncio.run(story())


def test_a_label_is_another_name(engine):
    @step(resume=int)
    async def labelled(n: int, context: StepContext) -> int:
        if context.resume_data is None:
            context.suspend({"n": n}, label=f"label-{n}")
        return context.resume_data

    async def story():
        run = await settled(engine, Workflow("w").foreach(labelled, concurrency=3), [1, 2, 3])
        assert run.record.suspended == ["labelled[0]", "labelled[1]", "labelled[2]"]
        assert run.record.steps["labelled[1]"].label == "label-2"
        with pytest.raises(Conflict, match="'nothing' is not suspended"):
            await engine.resume(run, 0, label="nothing")
        await engine.resume(run, 20, label="label-2")
        await engine.resume(run, 30, step="labelled[2]")
        assert (await run.settled()).suspended == ["labelled[0]"]
        await engine.resume(run, 10, step="labelled")
        return await run.settled()

    assert asyncio.run(story()).result == [10, 20, 30]


def test_a_payload_that_does_not_fit(engine):
    @step(suspend=Point)
    async def asks(context: StepContext) -> int:
        context.suspend({"x": "far"})

    record = record_of(engine, Workflow("w").then(asks))
    assert (record.status, record.error.name) == ("failed", "InvalidInput")


def test_suspended_while_items_are_still_to_come(engine):
    """Between the end of one item and the start of the next, nothing looks as if it runs."""

    @step(resume=int)
    async def first_asks(n: int, context: StepContext) -> int:
        if n == 0 and context.resume_data is None:
            context.suspend()
        return n

    async def story():
        workflow = Workflow("w").foreach(first_asks, concurrency=2)
        run = await settled(engine, workflow, list(range(50)))
        assert run.record.suspended == ["first_asks[0]"]
        assert run.record.steps["first_asks[49]"].status == "success"
        await engine.resume(run, 1)
        return await run.settled()

    assert asyncio.run(story()).result == list(range(50))


def test_suspended_in_one_arm_while_another_one_begins(engine):
    @step(resume=int)
    async def at_once(n: int, context: StepContext) -> int:
        if context.resume_data is None:
            context.suspend()
        return n

    inner = Workflow("inner").then(plus_one).then(as_step(plus_one, id="more")).then(ask_too)

    async def story():
        run = await settled(engine, Workflow("w").parallel(at_once, inner), 1)
        assert run.record.suspended == ["at_once", "inner.ask-too"]
        await engine.resume(run, 5, step="inner")
        assert (await run.settled()).suspended == ["at_once"]
        await engine.resume(run, 5)
        return await run.settled()

    assert asyncio.run(story()).result == {"at_once": 1, "inner": 5}


def test_suspended_in_a_loop(engine):
    async def story():
        loop = Workflow("w").dountil(ask_too, lambda n: n > 2)
        run = await settled(engine, loop, 0)
        for number in (1, 2, 3):
            assert run.record.suspended == ["ask-too"]
            await engine.resume(run, number)
            await run.settled()
        return run.record

    record = asyncio.run(story())
    assert (record.status, record.result, record.path) == ("success", 3, ["ask-too"] * 3)


def test_suspended_beside_a_sleep(engine):
    async def story():
        nap = Workflow("nap").sleep(0.03).then(plus_one)
        run = await engine.create(Workflow("w").parallel(ask_too, nap))
        await engine.start(run, 1)
        await until(lambda: run.record.status == "waiting")
        assert (await run.settled()).status == "suspended"
        assert run.record.steps["nap.plus_one"].status == "success"
        await engine.resume(run, 7)
        return await run.settled()

    assert asyncio.run(story()).result == {"ask-too": 7, "nap": 2}


def test_bail(engine):
    @step
    async def enough(n: int, context: StepContext) -> int:
        context.bail({"was": n})

    async def later(n: int) -> int:
        await asyncio.sleep(30)
        return n

    for workflow in (
        Workflow("w").then(enough).then(plus_one),
        Workflow("w").parallel(later, enough).then(text_of),
        Workflow("w").map(lambda n: [n] * 3).foreach(enough, concurrency=2),
    ):
        record = record_of(engine, workflow, 3)
        assert (record.status, record.result) == ("success", {"was": 3})
        ended = {item.status for item in record.steps.values()}
        assert "running" not in ended
        assert "bailed" in ended
