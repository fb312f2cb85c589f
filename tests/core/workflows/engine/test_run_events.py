"""What whoever watches a run sees."""

import asyncio

from mastra_core import StepContext, Workflow, step
from mastra_core.workflows.engine.run_events import RunStarted, StepWrote
from tests.core.workflows.sample_steps import ask, plus_one, settled


def test_events_from_an_offset(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(plus_one).then(ask), 1)
        everything = [event async for event in run.events()]
        assert isinstance(everything[0], RunStarted)
        assert [event async for event in run.events(2)] == everything[2:]
        assert run.position == len(everything)
        await engine.resume(run, {"go": True})
        rest = [event async for event in run.events(run.position - 1)]
        assert [type(event).__name__ for event in rest] == [
            "StepResumed",
            "StepEnded",
            "RunFinished",
        ]
        assert [event async for event in run.events(run.position)] == []
        assert [event async for event in run.events()] == [*everything, *rest]

    asyncio.run(story())


def test_every_watcher_sees_what_a_step_writes(engine):
    @step
    async def writes(n: int, context: StepContext) -> int:
        for chunk in range(n):
            await context.write({"chunk": chunk})
        return n

    async def chunks(run):
        return [e.chunk["chunk"] async for e in run.events() if isinstance(e, StepWrote)]

    async def story():
        run = await engine.create(Workflow("w").then(writes))
        watchers = [asyncio.create_task(chunks(run)) for _ in range(3)]
        await asyncio.sleep(0)
        await engine.start(run, 4)
        return await asyncio.gather(*watchers)

    assert asyncio.run(story()) == [[0, 1, 2, 3]] * 3


def test_through_every_rest(engine):
    async def story():
        run = await settled(engine, Workflow("w").then(ask), 1)

        async def watch():
            return [type(event).__name__ async for event in run.events(through=True)]

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        assert not watching.done()
        await engine.resume(run, {"go": True})
        return await watching

    assert asyncio.run(story())[-4:] == ["RunIdle", "StepResumed", "StepEnded", "RunFinished"]
