"""Calls that are interrupted, or meet the changes of another process, lose no run."""

import asyncio
import contextlib
import sqlite3

import pytest

from mastra_core import DurableEngine, StepContext, Workflow, step
from mastra_core.database.url import parse_database_url
from mastra_core.errors import Conflict, InvalidInput, StorageError, UnreadableData
from mastra_core.workflows.durable import JournalData, Member, SqliteRunStore, dispatcher
from mastra_core.workflows.durable.durable_journal import DurableJournal
from mastra_core.workflows.durable.run_operations import RunOperations
from mastra_core.workflows.durable.store.run_store_factory import create_run_store
from mastra_core.workflows.engine.journal import build_idle_key
from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_events import RunIdle
from mastra_core.workflows.engine.run_query import RunQuery
from tests.core.workflows.sample_steps import add_one, ask_too

PLAIN = Workflow("w").then(add_one)


@contextlib.asynccontextmanager
async def open_engines(url, *names, workflows=(PLAIN,), **options):
    engines = [DurableEngine(url, name=name, **options) for name in names]
    try:
        for engine in engines:
            await engine.open(workflows)
        yield engines
    finally:
        for engine in engines:
            await engine.close()


@pytest.fixture(autouse=True)
def look_often(monkeypatch):
    monkeypatch.setattr(dispatcher, "_ORPHAN_INTERVAL", 0.2)


def wait_for_end(run):
    return asyncio.wait_for(run.wait(), 5)


def test_start_whose_answer_is_lost_is_executed(database_url, monkeypatch):
    async def run_scenario():
        async with open_engines(database_url, "one") as (engine,):
            begin = engine._store.begin

            async def lose_answer(*arguments, **options):
                await begin(*arguments, **options)
                raise StorageError("The connection was lost.", "")

            run = await engine.create(PLAIN)
            monkeypatch.setattr(engine._store, "begin", lose_answer)
            with pytest.raises(StorageError):
                await engine.start(run, 1)
            return await wait_for_end(run)

    assert asyncio.run(run_scenario()).result == 2


def test_start_with_invalid_input_removes_no_run_that_another_process_has_started(database_url):
    async def run_scenario():
        async with open_engines(database_url, "one", "two") as (one, two):
            run, other = [await engine.create(PLAIN, "r") for engine in (one, two)]
            await one.start(run, 1)
            with pytest.raises(InvalidInput):
                await two.start(other, "no number")
            return await wait_for_end(await two.get(PLAIN, "r"))

    assert asyncio.run(run_scenario()).result == 2


def test_start_that_is_cancelled_after_it_was_stored_is_executed(database_url, monkeypatch):
    async def run_scenario():
        async with open_engines(database_url, "one") as (engine,):
            begin, stored = engine._store.begin, asyncio.Event()

            async def delay_answer(*arguments, **options):
                await begin(*arguments, **options)
                stored.set()
                await asyncio.Event().wait()

            run = await engine.create(PLAIN)
            monkeypatch.setattr(engine._store, "begin", delay_answer)
            start = asyncio.create_task(engine.start(run, 1))
            await stored.wait()
            start.cancel()
            return await wait_for_end(run)

    assert asyncio.run(run_scenario()).result == 2


def test_answer_of_a_wait_that_was_rewound_is_refused(database_url, monkeypatch):
    async def run_scenario():
        gate = asyncio.Event()
        gate.set()

        @step
        async def pass_gate(n: int) -> int:
            await gate.wait()
            return n

        workflow = Workflow("w").then(pass_gate).then(ask_too)
        async with open_engines(database_url, "one", "two", workflows=[workflow]) as (one, two):
            run = await one.create(workflow)
            await one.start(run, 1)
            await wait_for_end(run)
            same = await two.get(workflow, run.run_id)
            answer = two._store.answer

            async def answer_late(*arguments, **options):
                gate.clear()
                await one.time_travel(run, "pass_gate", 5)
                return await answer(*arguments, **options)

            monkeypatch.setattr(two._store, "answer", answer_late)
            with pytest.raises(Conflict):
                await two.resume(same, 3)
            monkeypatch.undo()
            gate.set()
            assert (await wait_for_end(same)).status == "suspended"
            await two.resume(same, 4)
            return await wait_for_end(run)

    assert asyncio.run(run_scenario()).result == 4


def damage(path, run):
    """Add an event to a run that nobody can read."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO mastra_run_events VALUES (?, 1, '', '{\"type\":1}')", (run.key,)
        )
        connection.execute("UPDATE mastra_runs SET sequence = 2 WHERE id = ?", (run.key,))
        connection.commit()


def test_run_with_unreadable_events_does_not_stop_the_others(tmp_path):
    path = tmp_path / "runs.db"

    async def run_scenario():
        async with open_engines(f"sqlite:///{path}", "one", max_concurrency=0) as (engine,):
            runs = [await engine.create(PLAIN, name) for name in ("damaged", "other")]
            for run in runs:
                await engine.start(run, 1)
            waits = [asyncio.create_task(wait_for_end(run)) for run in runs]
            await asyncio.sleep(0.05)
            damage(path, runs[0])
            async with open_engines(f"sqlite:///{path}", "two", max_concurrency=0) as (another,):
                await another.cancel(await another.get(PLAIN, "other"))
            return await asyncio.gather(*waits, return_exceptions=True)

    error, record = asyncio.run(run_scenario())
    assert "An event of the run 'damaged' cannot be read" in error.message
    assert record.status == "canceled"


def test_run_with_unreadable_events_is_listed_with_its_error(tmp_path, logs):
    path = tmp_path / "runs.db"

    async def run_scenario():
        url = f"sqlite:///{path}"
        async with open_engines(url, "one", max_concurrency=0) as (engine,):
            runs = [await engine.create(PLAIN, name) for name in ("first", "damaged", "last")]
            for run in runs:
                await engine.start(run, 1)
            damage(path, runs[1])
        async with open_engines(url, "two", max_concurrency=0) as (engine,):
            page = (await engine.list_page(PLAIN, RunQuery(limit=10))).records
            active = await engine.get_many(PLAIN, RunQuery(status="running"))
            manager = await engine.manage()
            operations = RunOperations(manager)
            found = await operations.list_runs()
            with pytest.raises(UnreadableData):
                await operations.retry_run("damaged")
            shown = await operations.show_run("damaged")
            await operations.cancel_run("damaged")
            return page, active, found["runs"], shown["run"], await operations.list_runs()

    page, active, found, shown, after = asyncio.run(run_scenario())
    ids = ["last", "damaged", "first"]
    assert [record.run_id for record in page] == [run["runId"] for run in found] == ids
    assert [record.status for record in page] == [run["status"] for run in found] == ["running"] * 3
    assert [run.run_id for run in active] == ["last", "first"]
    for error in (page[1].error.message, found[1]["error"]["message"], shown["error"]["message"]):
        assert error.startswith("An event of the run 'damaged' cannot be read")
    assert (page[0].error, found[0]["error"]) == (None, None)
    assert "An event of the run 'damaged' cannot be read" in logs.text
    assert after["runs"][1]["status"] == "canceled"


def test_run_with_unreadable_events_fails_when_it_is_executed(tmp_path):
    path = tmp_path / "runs.db"

    async def run_scenario():
        async with open_engines(f"sqlite:///{path}", "one", max_concurrency=0) as (client,):
            runs = [await client.create(PLAIN, name) for name in ("damaged", "other")]
            for run in runs:
                await client.start(run, 1)
            damage(path, runs[0])
            async with open_engines(f"sqlite:///{path}", "two") as (engine,):
                await wait_for_end(runs[1])
                async with asyncio.timeout(5):
                    while True:
                        counts = await engine.count(PLAIN)
                        if "running" not in counts:
                            return counts
                        await asyncio.sleep(0.05)

    assert asyncio.run(run_scenario()) == {"failed": 1, "success": 1}


def test_step_that_hides_its_cancellation_is_repeated_by_the_next_process(database_url):
    async def run_scenario():
        begun, calls = asyncio.Event(), []

        @step
        async def hide(n: int, context: StepContext) -> int:
            calls.append(n)
            begun.set()
            if len(calls) == 2:
                return n
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise OSError("closed") from None

        workflow = Workflow("w").then(hide)
        async with open_engines(database_url, "one", workflows=[workflow]) as (one,):
            run = await one.create(workflow)
            await one.start(run, 1)
            await begun.wait()
        async with open_engines(database_url, "two", workflows=[workflow]) as (two,):
            record = await wait_for_end(await two.get(workflow, run.run_id))
        return record, calls

    record, calls = asyncio.run(run_scenario())
    assert (record.status, record.result, calls) == ("success", 1, [1, 1])


def test_clock_of_the_database_may_differ(tmp_path, monkeypatch):
    workflow = Workflow("w", timeout=1).then(ask_too)

    async def run_scenario():
        store = SqliteRunStore(tmp_path / "runs.db")
        database = type(store._database)
        monkeypatch.setattr(database, "now", f"{database.now} + 3000")
        async with open_engines(store, "one", workflows=[workflow], release_after=0.1) as (engine,):
            run = await engine.create(workflow)
            await engine.start(run, 1)
            async for _ in run.iter_events(until_finished=True):
                pass
            await run.refresh()
            return run

    run = asyncio.run(run_scenario())
    assert (run.record.status, run.row.attempt) == ("failed", 2)


def test_members_that_died_long_ago_are_forgotten(database_url):
    async def run_scenario():
        store = create_run_store(parse_database_url(database_url))
        await store.open()
        for name, lease in (("old", -3700), ("recent", -60)):
            member = Member(id=name, name=name, machine="other", process=1)
            await store.beat(member, lease)
        await store.purge(finished_before=0, pending_before=0, limit=10)
        members = await store.list_members()
        await store.close()
        return [member.id for member in members]

    assert asyncio.run(run_scenario()) == ["recent"]


def test_start_that_is_not_complete_is_not_released_by_looks_in_quick_succession(database_url):
    """On platforms that freeze the process, each request looks for lost runs."""

    async def run_scenario():
        async with open_engines(database_url, "one") as (engine,):
            run, store = await engine.create(PLAIN), engine._store
            dispatcher = await engine._dispatchers.get()
            event, holder = '{"type":"run-started","input":1}', dispatcher.member.id
            row = await store.begin(run.row, holder, event, "{}", fingerprint=PLAIN.fingerprint)
            for _ in range(3):
                await dispatcher._release_lost_runs()
            state = (await store.read_states([row.id]))[row.id]
            assert (state.holder, state.attempt) == (holder, row.attempt)
            return await wait_for_end(run)

    assert asyncio.run(run_scenario()).result == 2


@pytest.mark.parametrize("step_id", ["a", "a|b"])
def test_run_does_not_rest_if_a_wait_is_resumed_while_its_outcomes_are_stored(step_id):
    """Otherwise the process would give up a run whose step it has just continued."""
    batches, stops, wait = [], [], f"{step_id}!1"

    async def run_scenario():
        async def commit(batch, events):
            batches.append(batch)
            if len(batches) == 1:
                await journal.store_answers([wait], "1", 1)
            return True

        async def read_journal():
            return JournalData()

        async def suspend():
            return Outcome(kind="suspended")

        journal = DurableJournal(
            "r",
            JournalData(),
            commit,
            read_journal,
            lambda: stops.append(True),
            position=0,
            max_events=10,
            release_after=1,
        )
        await journal.call_once(f"{step_id}#1", suspend)
        await journal.emit(build_idle_key([wait, "other!1"]), RunIdle(status="suspended"))
        assert await journal.wait(wait) == 1

    asyncio.run(run_scenario())
    assert not any(batch.releases for batch in batches)
    assert not stops
