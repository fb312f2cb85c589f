"""Schedules start runs, each once for all processes."""

import asyncio
import dataclasses
import logging
import time

import pytest

from mastra_core import DurableEngine, Schedule, Workflow, as_child
from mastra_core.database.url import parse_database_url
from mastra_core.errors import ConfigError, NotFound
from mastra_core.workflows.durable import SqliteRunStore
from mastra_core.workflows.durable.schedules import scheduler
from mastra_core.workflows.durable.store.run_rows import Member
from mastra_core.workflows.durable.store.run_store_factory import create_run_store
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


async def has_schedules(engine, count):
    return len(await engine.schedules.list()) == count


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


def test_runs_of_similar_schedules(database_url):
    """Calls in one millisecond start a run each, and each schedule lists its own runs only."""
    schedules = [Schedule("@yearly", id=name, input=1) for name in ("b", "b_1")]
    workflow = Workflow("a", schedule=schedules).then(add_one)

    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[workflow]) as (engine,):
            await wait_for(lambda: has_schedules(engine, 2))
            calls = (engine.schedules.run("wf_a__b_1") for _ in range(5))
            runs = {run.run_id for run in await asyncio.gather(*calls)}
            listed = await engine.schedules.list_runs("wf_a__b_1")
            return runs, listed, await engine.schedules.list_runs("wf_a__b")

    runs, listed, others = asyncio.run(run_scenario())
    assert len(runs) == 5
    assert ({each.run_id for each in listed}, others) == (runs, [])


def test_schedules_with_one_id_are_refused(tmp_path):
    workflows = [
        Workflow("a", schedule=Schedule("@yearly", id="b", input=1)).then(add_one),
        Workflow("a__b", schedule=Schedule("@yearly", input=1)).then(add_one),
    ]

    async def run_scenario():
        engine = DurableEngine(f"sqlite:///{tmp_path}/runs.db")
        try:
            await engine.open(workflows)
        finally:
            await engine.close()

    with pytest.raises(ConfigError, match="'a' and 'a__b' have a schedule with the same id"):
        asyncio.run(run_scenario())


def test_refused_schedule_does_not_stop_the_others(tmp_path):
    seconds = Schedule("* * * * * *", id="b", input=1)
    workflow = Workflow("a", schedule=seconds).then(add_one)
    refused = Workflow("a__b", schedule=Schedule("@yearly", input=1)).then(add_one)

    async def run_scenario():
        async with open_engines(
            f"sqlite:///{tmp_path}/runs.db", "a", workflows=[workflow]
        ) as engines:
            for description in (refused, Workflow("parent").then(as_child(refused))):
                with pytest.raises(ConfigError):
                    await engines[0].create(description)
            await wait_for_runs(engines[0], workflow, 2)

    asyncio.run(run_scenario())


def test_schedule_that_raises_does_not_stop_the_others(database_url, monkeypatch):
    broken = Workflow("broken", schedule=Schedule("* * * * * *", input=1)).then(add_one)

    def fail_for_broken(workflow, state):
        if workflow.id == "broken":
            raise TypeError("no state")
        return state or {}

    reports = []
    logger = logging.getLogger("mastra.workflows")
    monkeypatch.setattr(logger, "exception", lambda text, *values: reports.append(text % values))
    monkeypatch.setattr(scheduler, "build_initial_state", fail_for_broken)

    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[broken, SECONDS]) as (engine,):
            await wait_for_runs(engine, SECONDS, 1)
            return await engine.count(broken)

    assert asyncio.run(run_scenario()) == {}
    assert "schedule wf_broken cannot start a run" in reports


def test_no_second_is_lost(tmp_path, monkeypatch):
    """Twenty seconds of a clock that each look moves on, with a real store."""
    moment = [1_000_300]  # milliseconds
    monkeypatch.setattr(scheduler.time, "monotonic", lambda: moment[0] / 1000)
    store = SqliteRunStore(tmp_path / "runs.db")
    read_schedules = store.read_schedules

    async def read_at_moment(**_):  # the database has another clock
        now, (_, rows) = moment[0], await read_schedules()
        moment[0] += 100  # the time that the database takes
        return now, rows

    monkeypatch.setattr(store, "read_schedules", read_at_moment)

    async def run_scenario():
        await store.open()
        looked = scheduler.Scheduler(store, {"seconds": SECONDS}, "m")
        while moment[0] < 1_021_000:
            await looked.fire_due()
            moment[0] += 250
        found = await store.list("seconds", RunQuery())
        await store.close()
        return sorted(int(row.run_id.rpartition("_")[2]) for row, _ in found)

    assert asyncio.run(run_scenario()) == [*range(1_001_000, 1_021_000, 1000)]


def test_expression_of_a_process_that_has_ended_is_replaced(database_url, monkeypatch):
    monkeypatch.setattr(scheduler, "_ABANDONED", 300)
    old = Workflow("seconds", schedule=Schedule("*/2 * * * * *", input=4)).then(add_one)

    async def run_scenario():
        async with open_engines(database_url, "new", workflows=[SECONDS]) as (new,):
            await wait_for(new.schedules.list)
            async with open_engines(database_url, "old", workflows=[old]):
                await wait_for(lambda: has_cron(new, "*/2 * * * * *"))
            count = len(await new.list(SECONDS))
            await wait_for(lambda: has_cron(new, "* * * * * *"))
            await wait_for_runs(new, SECONDS, count + 1)

    asyncio.run(run_scenario())


def test_expression_of_a_dead_process_rests_no_schedule(database_url, monkeypatch):
    """A process of an old version restarts and dies: its next time would come in a year."""
    monkeypatch.setattr(scheduler, "_ADOPTION", 1.3)
    old = Workflow("seconds", schedule=Schedule("@yearly", input=4)).then(add_one)

    async def run_scenario():
        async with open_engines(database_url, "new", workflows=[SECONDS]) as (new,):
            await wait_for(new.schedules.list)
            async with open_engines(database_url, "old-1", workflows=[old]):
                await wait_for(lambda: has_member(new, "old-1"))
                async with open_engines(database_url, "old-2", workflows=[old]):
                    await wait_for(lambda: has_member(new, "old-2"))
                # The other process of the old version keeps its expression.
                await wait_for(lambda: has_member(new, "old-1"))
                await asyncio.sleep(1.5)
                assert await has_cron(new, "@yearly")
            count = len(await new.list(SECONDS))
            await wait_for(lambda: has_cron(new, "* * * * * *"))
            await wait_for_runs(new, SECONDS, count + 1)

    asyncio.run(run_scenario())


async def has_member(engine, name):
    row = (await engine.schedules.get("wf_seconds")).row
    return row.cron == "@yearly" and row.member.startswith(name)


def test_a_paused_schedule_keeps_its_expression(tmp_path):
    old = Workflow("seconds", schedule="@daily").then(add_one)

    async def run_scenario():
        store = SqliteRunStore(tmp_path / "app.db")
        for name in ("old", "new"):
            await store.beat(Member(id=name, name=name), 60)
        processes = [
            scheduler.Scheduler(store, {"seconds": workflow}, name)
            for name, workflow in (
                ("old", old),
                ("new", Workflow("seconds", schedule="@yearly").then(add_one)),
            )
        ]
        for process in processes:
            await process.fire_due()
        await store.set_schedule_status("wf_seconds", "paused", 1)
        processes[0]._next_look = 0
        await processes[0].fire_due()
        _, (row,) = await store.read_schedules()
        await store.close()
        assert (row.cron, row.member) == ("@yearly", "new")

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


def test_a_look_reads_only_the_schedules_that_are_due(database_url, monkeypatch):
    """A process with many schedules looks every second."""
    workflows = [
        dataclasses.replace(SECONDS, id=f"yearly{number}", schedule=Schedule("@yearly", input=1))
        for number in range(20)
    ]

    async def run_scenario():
        store, counts = create_run_store(parse_database_url(database_url)), []
        await store.open()
        await store.beat(Member(id="m", name="m"), 60)
        read_schedules = store.read_schedules

        async def count_rows(*values, **options):
            now, rows = await read_schedules(*values, **options)
            counts.append(len(rows))
            return now, rows

        monkeypatch.setattr(store, "read_schedules", count_rows)
        monkeypatch.setattr(scheduler, "_INTERVAL", 0)
        known = {workflow.id: workflow for workflow in (*workflows, SECONDS)}
        looked = scheduler.Scheduler(store, known, "m")
        for _ in range(5):
            await looked.fire_due()
        await store.close()
        return counts

    assert max(asyncio.run(run_scenario())) <= 1
