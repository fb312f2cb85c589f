"""Limits of one durable run: its number of events, and the processes that it may cost."""

import asyncio

import pytest

from mastra_core import DurableEngine, Workflow, as_child
from mastra_core.errors import TooManyRuns
from tests.core.workflows.durable.test_crashes import open_client, wait_for
from tests.core.workflows.durable.worker import SHORT
from tests.core.workflows.sample_steps import add_one, ask

ENDLESS = Workflow("endless").dowhile(add_one, lambda n: True)
WAITING = Workflow("waiting").then(ask)


def test_endless_loop_fails_at_the_event_limit(database_url):
    async def run_scenario():
        engine = DurableEngine(database_url, max_events=50)
        try:
            run = await engine.create(ENDLESS)
            await engine.start(run, 1)
            record = await asyncio.wait_for(run.wait(), 20)
            return record, [event async for event in run.iter_events()]
        finally:
            await engine.close()

    record, events = asyncio.run(run_scenario())
    assert (record.status, record.error.name) == ("failed", "MastraError")
    assert "has reached the maximum number of events for one run" in record.error.message
    assert len(events) == 51, "the end of the run is stored although the limit is reached"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("max_takeovers", "status"), [(0, "failed"), (1, "success")])
def test_run_that_costs_too_many_processes_fails(workers, max_takeovers, status, logs):
    async def leave_a_run():
        async with open_client(workers.url) as client:
            run = await client.create(SHORT)
            await client.start(run, 1)
            await wait_for(lambda: workers.count_effects("wait_shortly"))
            return run.run_id

    async def take_over(run_id):
        engine = DurableEngine(workers.url, max_takeovers=max_takeovers)
        try:
            return await asyncio.wait_for((await engine.get(SHORT, run_id)).wait(), 20)
        finally:
            await engine.close()

    worker = workers.start()
    run_id = asyncio.run(leave_a_run())
    workers.kill(worker)
    record = asyncio.run(take_over(run_id))
    assert record.status == status
    if status == "failed":
        assert record.error.name == "ProcessLost"
        assert "1 processes that executed it ended" in record.error.message
        assert run_id in logs.text
        assert workers.count_effects("wait_shortly") == 1, "the step does not end another process"


def test_one_caller_has_a_limited_number_of_unfinished_runs(database_url):
    async def run_scenario():
        engine = DurableEngine(database_url, max_unfinished=2)

        async def create(run_id, caller="ann"):
            return await engine.create(WAITING, run_id, caller=caller)

        try:
            first = await create("r1")
            await create("r2")
            with pytest.raises(TooManyRuns, match="has 2 unfinished runs"):
                await create("r3")
            assert (await create("r1")).run_id == "r1", "a run that exists needs no place"
            await create("r3", "bob")
            await engine.cancel(first)
            await create("r4")
        finally:
            await engine.close()

    asyncio.run(run_scenario())


def test_child_run_counts_for_the_caller_of_its_parent(database_url):
    parent = Workflow("parent").then(as_child(WAITING))

    async def run_scenario():
        engine = DurableEngine(database_url, max_unfinished=1)
        try:
            run = await engine.create(parent, caller="ann")
            await engine.start(run, 1)
            record = await asyncio.wait_for(run.wait(), 20)
            return record, await engine.list(WAITING)
        finally:
            await engine.close()

    record, children = asyncio.run(run_scenario())
    assert (record.status, record.error.name, children) == ("failed", "TooManyRuns", [])
