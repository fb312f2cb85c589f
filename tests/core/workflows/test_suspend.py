"""Steps that wait for a person."""

import asyncio

import pytest

from core.workflows.samples import ask, ask_too, plus_one, settled
from mastra_core import StepContext, Workflow, step
from mastra_core.errors import Conflict, InvalidInput
from mastra_core.workflows.events import StepSuspended


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
