"""Events of a run, as its readers receive them."""

import asyncio

from mastra_core import StepContext, Workflow, step
from mastra_core.workflows.engine.run_events import RunStarted, StepWrote
from tests.core.workflows.sample_steps import add_one, ask, start_and_wait


def test_events_from_an_offset(engine):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(add_one).then(ask), 1)
        all_events = [event async for event in run.iter_events()]
        assert isinstance(all_events[0], RunStarted)
        assert [event async for event in run.iter_events(2)] == all_events[2:]
        assert run.position == len(all_events)
        await engine.resume(run, {"go": True})
        rest = [event async for event in run.iter_events(run.position - 1)]
        assert [type(event).__name__ for event in rest] == [
            "StepResumed",
            "StepEnded",
            "RunFinished",
        ]
        assert [event async for event in run.iter_events(run.position)] == []
        assert [event async for event in run.iter_events()] == [*all_events, *rest]

    asyncio.run(run_scenario())


def test_every_reader_gets_the_chunks_of_a_step(engine):
    @step
    async def write_chunks(n: int, context: StepContext) -> int:
        for chunk in range(n):
            await context.write({"chunk": chunk})
        return n

    async def read_chunks(run):
        return [e.chunk["chunk"] async for e in run.iter_events() if isinstance(e, StepWrote)]

    async def run_scenario():
        run = await engine.create(Workflow("w").then(write_chunks))
        readers = [asyncio.create_task(read_chunks(run)) for _ in range(3)]
        await asyncio.sleep(0)
        await engine.start(run, 4)
        return await asyncio.gather(*readers)

    assert asyncio.run(run_scenario()) == [[0, 1, 2, 3]] * 3


def test_events_until_the_run_has_finished(engine):
    async def run_scenario():
        run = await start_and_wait(engine, Workflow("w").then(ask), 1)

        async def read_types():
            return [type(event).__name__ async for event in run.iter_events(until_finished=True)]

        reading = asyncio.create_task(read_types())
        await asyncio.sleep(0)
        assert not reading.done()
        await engine.resume(run, {"go": True})
        return await reading

    assert asyncio.run(run_scenario())[-4:] == [
        "RunIdle",
        "StepResumed",
        "StepEnded",
        "RunFinished",
    ]
