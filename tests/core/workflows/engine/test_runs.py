"""Runs, and what their state allows."""

import asyncio

import pytest

from mastra_core import Workflow
from mastra_core.errors import Conflict, NotFound
from tests.core.workflows.sample_steps import plus_one


@pytest.mark.parametrize("action", ["resume", "start"])
def test_what_the_state_does_not_allow(engine, action):
    async def story():
        run = await engine.create(Workflow("w").then(plus_one))
        if action == "resume":
            with pytest.raises(Conflict, match="not suspended"):
                await engine.resume(run, 1)
            return
        await engine.start(run, 1)
        with pytest.raises(Conflict, match="was started before"):
            await engine.start(run, 1)
        await run.settled()
        with pytest.raises(Conflict, match="was started before"):
            await engine.start(run, 1)
        assert run.record.result == 2

    asyncio.run(story())


def test_runs_are_found_again(engine):
    async def story():
        one, two = Workflow("one").then(plus_one), Workflow("two").then(plus_one)
        run = await engine.create(one, "r1", "ann")
        assert await engine.create(one, "r1") is run
        assert await engine.get(one, "r1") is run
        with pytest.raises(NotFound):
            await engine.get(two, "r1")
        other = await engine.create(two, "r1")
        await engine.start(other, 5)
        await engine.start(run, 1)
        assert [(await each.settled()).result for each in (run, other)] == [2, 6]
        assert (await engine.get(one, "r1")).record.result == 2
        assert (await engine.get(two, "r1")).record.result == 6
        assert [record.run_id for record in await engine.list(one)] == ["r1"]
        assert run.record.resource_id == "ann"
        await engine.delete(run)
        assert await engine.list(one) == []
        assert len(await engine.list(two)) == 1

    asyncio.run(story())
