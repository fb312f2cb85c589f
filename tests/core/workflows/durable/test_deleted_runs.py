"""A run that another process deletes ends for its readers."""

import asyncio

from mastra_core import Workflow
from tests.core.workflows.durable.test_interleavings import open_engines
from tests.core.workflows.sample_steps import ask_too, wait_forever, wait_until

SUSPENDED = Workflow("suspended").then(ask_too)
RUNNING = Workflow("running").then(wait_forever)


async def read_to_end(run):
    return [event async for event in run.iter_events(until_finished=True)]


def test_readers_of_a_suspended_run_get_its_end(database_url):
    async def run_scenario():
        async with open_engines(database_url, "one", "two", workflows=[SUSPENDED]) as (one, two):
            run = await one.create(SUSPENDED, "r")
            await one.start(run, 1)
            await run.wait()
            reading = asyncio.create_task(read_to_end(run))
            await asyncio.sleep(0)
            await two.delete(await two.get(SUSPENDED, "r"))
            events = await asyncio.wait_for(reading, 10)
            return events, run.record

    events, record = asyncio.run(run_scenario())
    assert record.status == "canceled"
    assert record.is_finished
    assert len(events) > 0


def test_readers_of_a_run_that_is_executed_get_its_end(database_url):
    async def run_scenario():
        async with open_engines(database_url, "one", "two", workflows=[RUNNING]) as (one, two):
            run = await one.create(RUNNING, "r")
            await one.start(run, 1)
            reading = asyncio.create_task(read_to_end(run))
            await two.delete(await two.get(RUNNING, "r"))
            await asyncio.wait_for(reading, 10)
            await wait_until(lambda: not run.is_executed)
            return run.record

    assert asyncio.run(run_scenario()).status == "canceled"
