"""Schedules start runs, each once for all processes."""

import asyncio
import time

import pytest

from mastra_core import DurableEngine, Schedule, Workflow
from mastra_core.errors import NotFound
from mastra_core.workflows.engine.run_query import RunQuery
from tests.core.workflows.durable.test_interleavings import open_engines
from tests.core.workflows.sample_steps import add_one

SECONDS = Workflow("seconds", schedule=Schedule("* * * * * *", input=4)).then(add_one)
YEARLY = Workflow("yearly", schedule=Schedule("@yearly", input=1, context={"a": 1})).then(add_one)


async def wait_for(read):
    """Call ``read`` until its result is true, and return the result."""
    async with asyncio.timeout(15):
        while True:
            if found := await read():
                return found
            await asyncio.sleep(0.05)


async def wait_for_runs(engine, workflow, count):
    async def read():
        records = await engine.list(workflow, RunQuery(status="success"))
        return records if len(records) >= count else None

    return await wait_for(read)


def get_moment(record):
    return int(record.run_id.rpartition("_")[2])


def test_each_time_starts_one_run_over_all_processes(database_url):
    async def run_scenario():
        async with open_engines(database_url, "a", "b", "c", workflows=[SECONDS]) as engines:
            records = await wait_for_runs(engines[0], SECONDS, 2)
            await engines[1].schedules.pause("wf_seconds")
            paused = len(await engines[0].list(SECONDS))
            await asyncio.sleep(1.2)
            assert len(await engines[0].list(SECONDS)) == paused
            return records

    records = asyncio.run(run_scenario())
    moments = sorted(map(get_moment, records))
    assert [moment % 1000 for moment in moments] == [0] * len(moments)
    assert moments == [*range(moments[0], moments[-1] + 1, 1000)]
    assert {record.result for record in records} == {5}
    assert all(0 <= each.created_at - get_moment(each) < 5000 for each in records)


def test_missed_times_start_one_run(database_url):
    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[YEARLY]) as (engine,):
            await asyncio.sleep(0)
            stored = await wait_for_schedule(engine)
        missed = stored.next_at - 400 * 24 * 3600 * 1000
        await set_next(database_url, stored, missed)
        async with open_engines(database_url, "a", "b", workflows=[YEARLY]) as (engine, _):
            (record,) = await wait_for_runs(engine, YEARLY, 1)
            return missed, stored, record, (await engine.schedules.get("wf_yearly")).row

    missed, before, record, after = asyncio.run(run_scenario())
    assert record.run_id == f"sched_wf_yearly_{missed}"
    assert (after.next_at, after.last_at, after.last_run) == (
        before.next_at,
        missed,
        record.run_id,
    )


async def wait_for_schedule(engine):
    return (await wait_for(engine.schedules.list))[0].row


async def set_next(url, row, moment):
    engine = DurableEngine(url)
    await engine._store.open()
    await engine._store.set_schedule_status(row.id, "paused", moment)
    await engine._store.set_schedule_status(row.id, "active", moment)
    await engine._store.close()


def test_pause_resume_and_run(database_url):
    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[YEARLY]) as (engine,):
            schedules, row = engine.schedules, await wait_for_schedule(engine)
            assert (await schedules.pause(row.id)).row.status == "paused"
            await set_next(database_url, row, 5)
            assert (await schedules.pause(row.id)).row.next_at == 5
            assert (await schedules.resume(row.id)).row.next_at == row.next_at
            assert (await schedules.resume(row.id)).row.status == "active"
            run = await schedules.run(row.id)
            assert (await run.wait()).result == 2
            assert (await schedules.get(row.id)).row.next_at == row.next_at
            assert [each.run_id for each in await schedules.list_runs(row.id)] == [run.run_id]
            with pytest.raises(NotFound, match="no schedule 'wf_other'"):
                await schedules.run("wf_other")

    asyncio.run(run_scenario())


async def has_cron(engine, cron):
    return (await engine.schedules.get("wf_seconds")).row.cron == cron


def test_process_with_another_expression_starts_no_run(database_url):
    changed = Workflow("seconds", schedule=Schedule("@yearly", input=4)).then(add_one)

    async def run_scenario():
        async with open_engines(database_url, "old", workflows=[SECONDS]) as (old,):
            await wait_for_runs(old, SECONDS, 1)
            async with open_engines(database_url, "new", workflows=[changed]) as (new,):
                await wait_for(lambda: has_cron(new, "@yearly"))
                count = len(await new.list(changed))
                await asyncio.sleep(1.5)
                assert len(await new.list(changed)) == count
                assert (await old.schedules.get("wf_seconds")).row.next_at > time.time() * 1000

    asyncio.run(run_scenario())
