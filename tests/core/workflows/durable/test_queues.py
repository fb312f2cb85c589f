"""Runs that wait for a process: their order, and the maximum number of runs of a workflow."""

import asyncio
import contextlib
import gc
import sqlite3

import pytest

from mastra_core import MemoryEngine, Workflow, step
from mastra_core.errors import ConfigError, InvalidInput, StorageError
from mastra_core.freezing import collect_tasks
from mastra_core.workflows import RunQuery
from mastra_core.workflows.durable import SqliteRunStore
from mastra_core.workflows.durable.mixed_engine import MixedEngine
from mastra_core.workflows.durable.store.claim_queries import has_claimable
from mastra_core.workflows.durable.store.fingerprint_queries import (
    has_parked,
    has_unknown,
    measure_backlog,
)
from mastra_core.workflows.durable.store.queue_queries import group_queues, list_open_queues
from mastra_core.workflows.durable.store.run_queries import count_runs, list_runs
from mastra_core.workflows.engine.coerce_engine import as_engine
from tests.core.workflows.durable.test_interleavings import open_engines
from tests.core.workflows.sample_steps import add_one, ask_too, wait_until


class Gauge:
    """Steps that record their order, and how many of them run at a time."""

    def __init__(self, seconds=0.02):
        self.seconds = seconds
        self.order = []
        self.present = self.maximum = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def build_step(self):
        @step(id="measure")
        async def measure(n: int) -> int:
            self.order.append(n)
            self.present += 1
            self.maximum = max(self.maximum, self.present)
            await self.gate.wait()
            await asyncio.sleep(self.seconds)
            self.present -= 1
            return n

        return measure

    async def open_gate_at(self, count):
        """Keep the first runs in their steps until so many have begun, however slow the store."""
        await wait_until(lambda: len(self.order) >= count)
        self.gate.set()


async def start_all(engine, workflow, values, **options):
    runs = [await engine.create(workflow) for _ in values]
    for run, value in zip(runs, values, strict=True):
        await engine.start(run, value, **options)
    return runs


async def wait_for_all(runs):
    return await asyncio.wait_for(asyncio.gather(*(run.wait() for run in runs)), 20)


def test_priority_decides_which_run_is_next(database_url):
    gauge = Gauge()
    workflow = Workflow("w").then(gauge.build_step())

    async def run_scenario():
        async with open_engines(database_url, "one", workflows=[workflow], max_concurrency=1) as (
            engine,
        ):
            gauge.gate.clear()
            runs = await start_all(engine, workflow, [0, 1, 2])
            runs += await start_all(engine, workflow, [3], priority=1)
            runs += await start_all(engine, workflow, [4], priority=1000)
            gauge.gate.set()
            return await wait_for_all(runs)

    records = asyncio.run(run_scenario())
    assert [record.result for record in records] == [0, 1, 2, 3, 4]
    assert gauge.order == [0, 4, 3, 1, 2]


def test_new_runs_do_not_overtake_waiting_runs(database_url):
    gauge = Gauge(0.005)
    workflow = Workflow("w").then(gauge.build_step())

    async def start_slowly(engine):
        runs = []
        for number in range(10, 40):
            runs += await start_all(engine, workflow, [number])
            await asyncio.sleep(0.002)
        return runs

    async def run_scenario():
        async with open_engines(database_url, "one", workflows=[workflow], max_concurrency=1) as (
            engine,
        ):
            runs = await start_all(engine, workflow, range(10))
            await wait_for_all([*runs, *await start_slowly(engine)])

    asyncio.run(run_scenario())
    assert gauge.order == [*range(40)]


def test_workflow_has_a_maximum_over_all_processes(database_url):
    gauge, free = Gauge(), Workflow("free").then(Gauge(0).build_step())
    limited = Workflow("limited", concurrency=2).then(gauge.build_step())

    async def run_scenario():
        gauge.gate.clear()
        async with open_engines(database_url, "one", "two", workflows=[limited, free]) as engines:
            runs = []
            for engine in engines:
                runs += await start_all(engine, limited, range(6))
            records = await wait_for_all(await start_all(engines[0], free, range(3)))
            assert len(gauge.order) <= 2, "runs of other workflows do not wait"
            await gauge.open_gate_at(2)
            return records + await wait_for_all(runs)

    records = asyncio.run(run_scenario())
    assert {record.status for record in records} == {"success"}
    assert (len(gauge.order), gauge.maximum) == (12, 2)


def test_simultaneous_starts_do_not_exceed_the_maximum_of_the_process(database_url):
    gauge = Gauge(0.03)
    workflow = Workflow("w").then(gauge.build_step())

    async def run_scenario():
        gauge.gate.clear()
        options = {"workflows": [workflow], "max_concurrency": 2}
        async with open_engines(database_url, "one", **options) as (engine,):
            runs = [await engine.create(workflow) for _ in range(12)]
            await asyncio.gather(*(engine.start(run, 1) for run in runs))
            await gauge.open_gate_at(2)
            return await wait_for_all(runs)

    records = asyncio.run(run_scenario())
    assert {record.status for record in records} == {"success"}
    assert (len(gauge.order), gauge.maximum) == (12, 2)


def test_starts_during_a_claim_do_not_exceed_the_maximum_of_the_process(database_url, monkeypatch):
    gauge = Gauge(0.05)
    workflow = Workflow("w").then(gauge.build_step())

    async def run_scenario():
        gauge.gate.clear()
        options = {"workflows": [workflow], "max_concurrency": 2}
        async with (
            open_engines(database_url, "client", **options | {"max_concurrency": 0}) as (client,),
            open_engines(database_url, "one", **options) as (engine,),
        ):
            claim, own = engine._store.claim, [await engine.create(workflow) for _ in range(2)]

            async def start_meanwhile(*arguments, **settings):
                monkeypatch.undo()
                rows = await claim(*arguments, **settings)
                for run in own:
                    await engine.start(run, 1)
                return rows

            monkeypatch.setattr(engine._store, "claim", start_meanwhile)
            runs = await start_all(client, workflow, [1, 1])
            await gauge.open_gate_at(2)
            return await wait_for_all([*runs, *own])

    assert {record.status for record in asyncio.run(run_scenario())} == {"success"}
    assert (len(gauge.order), gauge.maximum) == (4, 2)


def test_run_that_starts_during_a_claim_is_executed_before_a_freeze(database_url, monkeypatch):
    """The claim has no place for the run, so a second one must follow within the request."""
    monkeypatch.setenv("VERCEL", "1")
    workflow = Workflow("w").then(add_one)

    async def run_scenario():
        async with (
            open_engines(database_url, "client", workflows=[workflow], max_concurrency=0) as others,
            open_engines(database_url, "one", workflows=[workflow]) as (engine,),
        ):
            claim, runs = engine._store.claim, await start_all(others[0], workflow, [1])

            async def start_meanwhile(*arguments, **settings):
                monkeypatch.setattr(engine._store, "claim", claim)
                rows = await claim(*arguments, **settings)
                runs.extend(await start_all(engine, workflow, [2]))
                await asyncio.sleep(0.1)
                return rows

            monkeypatch.setattr(engine._store, "claim", start_meanwhile)
            await engine.continue_runs()
            return [await engine.get(workflow, run.run_id) for run in runs]

    assert [run.record.status for run in asyncio.run(run_scenario())] == ["success"] * 2


def test_claim_of_a_request_reports_a_failing_database(tmp_path, monkeypatch, logs):
    monkeypatch.setenv("VERCEL", "1")
    url, unhandled = f"sqlite:///{tmp_path}/runs.db", []

    async def fail(*arguments, **settings):
        raise StorageError("The database is away.", "Start it.")

    async def run_scenario():
        asyncio.get_running_loop().set_exception_handler(lambda _, each: unhandled.append(each))
        async with open_engines(url, "one", workflows=[Workflow("w").then(add_one)]) as (engine,):
            monkeypatch.setattr(engine._store, "has_claimable", fail)
            with collect_tasks() as tasks:
                await engine.look_soon()
                await asyncio.wait(tasks)
        tasks.clear()
        gc.collect()

    asyncio.run(run_scenario())
    assert "durable runs wait: The database is away." in logs.text
    assert unhandled == [], "no traceback for a database that is away"


def test_claim_of_a_request_ends_with_the_process(database_url, monkeypatch):
    monkeypatch.setenv("VERCEL", "1")
    gauge = Gauge()
    workflow = Workflow("w").then(gauge.build_step())

    async def run_scenario():
        async with open_engines(
            database_url, "client", workflows=[workflow], max_concurrency=0
        ) as (client,):
            (run,) = await start_all(client, workflow, [1])
            async with open_engines(database_url, "one", workflows=[workflow]) as (engine,):
                claim, is_claimed = engine._store.claim, asyncio.Event()

                async def claim_slowly(*arguments, **settings):
                    rows = await claim(*arguments, **settings)
                    is_claimed.set()
                    await asyncio.sleep(0.2)
                    return rows

                monkeypatch.setattr(engine._store, "claim", claim_slowly)
                await engine.look_soon()
                await asyncio.wait_for(is_claimed.wait(), 10)
            await asyncio.sleep(0.3)
            assert gauge.order == [], "the step would begin in a process that has stopped"
            async with open_engines(database_url, "two", workflows=[workflow]) as (engine,):
                await engine.continue_runs()
            return await client.get(workflow, run.run_id)

    assert asyncio.run(run_scenario()).record.status == "success"


def test_maximum_also_counts_runs_of_a_previous_version(database_url):
    gauge = Gauge()
    measure = gauge.build_step()
    old = Workflow("w", durable=True).then(ask_too).then(measure)
    new = Workflow("w", previous=[old], concurrency=1).then(ask_too).then(measure).then(add_one)

    async def run_scenario():
        async with open_engines(database_url, "one", workflows=[old]) as (engine,):
            runs = await start_all(engine, old, [1, 2, 3, 4])
            await wait_for_all(runs)
        async with open_engines(database_url, "two", workflows=[new]) as (engine,):
            runs = [await engine.get(new, run.run_id) for run in runs]
            for run in runs:
                await engine.resume(run, 1)
            return await wait_for_all(runs)

    records = asyncio.run(run_scenario())
    assert [record.result for record in records] == [1, 1, 1, 1]
    assert (len(gauge.order), gauge.maximum) == (4, 1)


def test_suspended_run_does_not_count(database_url):
    workflow = Workflow("w", concurrency=1).then(ask_too)

    async def run_scenario():
        async with open_engines(database_url, "one", "two", workflows=[workflow]) as (one, two):
            runs = await start_all(one, workflow, [1, 2, 3])
            records = await wait_for_all(runs)
            assert {record.status for record in records} == {"suspended"}
            for run in runs:
                await two.resume(await two.get(workflow, run.run_id), 5)
            return [await wait_for_end(run) for run in runs]

    async def wait_for_end(run):
        async with asyncio.timeout(10):
            while not run.record.is_finished:
                await asyncio.sleep(0.01)
                await run.refresh()
        return run.record.result

    assert asyncio.run(run_scenario()) == [5, 5, 5]


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "2"])
def test_invalid_maximum_is_refused(concurrency):
    with pytest.raises(ConfigError, match="is not a valid number"):
        Workflow("w", concurrency=concurrency)


@pytest.mark.parametrize("priority", [-1, 1001, 1.5, True, "2"])
def test_invalid_priority_is_refused_and_removes_the_run(engine, priority):
    async def run_scenario():
        workflow = Workflow("w").then(add_one)
        run = await engine.create(workflow)
        with pytest.raises(InvalidInput, match="is not an integer from 0 to 1000"):
            await engine.start(run, 1, priority=priority)
        assert await engine.list(workflow) == []
        run = await engine.create(workflow)
        await engine.start(run, 1, priority=1000)
        record = await run.wait()
        await engine.close()
        return record

    assert asyncio.run(run_scenario()).result == 2


def test_maximum_makes_the_workflow_durable(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workflow = Workflow("w", concurrency=3).then(add_one)
    assert workflow.durable
    assert isinstance(as_engine(None, [workflow]), MixedEngine)
    assert isinstance(as_engine(None, [Workflow("w").then(add_one)]), MemoryEngine)


def skip_members(queries):
    """Answer the query for the fingerprints of living processes."""
    next(queries)
    yield queries.send([("f g",)])


def explain_search(path, build_queries):
    """Return the steps in which SQLite searches the runs for the first query."""
    store = SqliteRunStore(path)
    asyncio.run(store.open())
    query = next(build_queries(store._database.now))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        plan = [
            row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query.sql}", query.values)
        ]
    asyncio.run(store.close())
    return {step for step in plan if "mastra_runs" in step.split()}


@pytest.mark.parametrize(
    "queries",
    [
        lambda now: has_claimable("me", ["v", "w"], now, orphans=False),
        lambda now: has_claimable("me", ["v", "w"], now, orphans=True),
        lambda now: list_open_queues(group_queues({"f": "v", "g": "w"}, {"w": 2}), now),
        lambda now: skip_members(has_unknown(now)),
        lambda now: has_parked(["f", "g"]),
        measure_backlog,
    ],
)
def test_look_for_waiting_runs_does_not_search_finished_runs(tmp_path, queries):
    steps = explain_search(tmp_path / "runs.db", queries)
    assert steps <= {
        "SEARCH mastra_runs USING INDEX mastra_runs_due (<expr><?)",
        "SEARCH mastra_runs USING INDEX mastra_runs_due (<expr>>?)",  # parked runs
        "SCAN mastra_runs USING INDEX mastra_runs_held",
    }


@pytest.mark.parametrize("list_or_count", [list_runs, count_runs])
def test_a_query_for_a_resource_does_not_search_the_runs_of_others(tmp_path, list_or_count):
    query = RunQuery(resource_id="ann", limit=10)
    steps = explain_search(tmp_path / "runs.db", lambda _: list_or_count("w", query))
    assert steps == {
        "SEARCH mastra_runs USING INDEX mastra_runs_owned (workflow=? AND resource_id=?)"
    }
