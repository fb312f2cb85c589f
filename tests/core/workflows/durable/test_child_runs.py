"""Steps that start runs of their own: once, awaited or not, and canceled with their parent."""

import asyncio
from typing import Any

import pytest

from mastra_core import MemoryEngine, Workflow, as_child, as_step, step
from mastra_core.errors import ConfigError, Conflict
from mastra_core.workflows.durable import NewRun, dispatcher
from mastra_core.workflows.durable.mixed_engine import MixedEngine
from mastra_core.workflows.durable.store.child_queries import start_child
from mastra_core.workflows.durable.store.postgres_run_store import PostgresRunStore
from mastra_core.workflows.durable.store.transactions import Query
from mastra_core.workflows.engine.coerce_engine import as_engine
from mastra_core.workflows.engine.run_query import RunQuery
from tests.core.workflows.durable.test_interleavings import open_engines
from tests.core.workflows.sample_steps import add_one, ask_too

CHILD = Workflow("child").then(add_one)
PARENT = Workflow("parent").then(add_one).then(as_child(CHILD)).then(as_step(add_one, id="last"))
ASKING = Workflow("asking").then(ask_too)
PATIENT = Workflow("patient").then(as_child(ASKING)).then(add_one)


async def wait_for_end(run, status="success"):
    async with asyncio.timeout(10):
        async for _ in run.iter_events(until_finished=True):
            pass
    assert run.record.status == status, run.record
    return run.record


async def wait_for_child(engine, workflow, status, count=1):
    async with asyncio.timeout(10):
        while True:
            found = await engine.list(workflow, RunQuery(status=status))
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


async def start(engine, workflow, value=1, **options):
    run = await engine.create(workflow, **options)
    await engine.start(run, value)
    return run


def test_parent_gets_the_result_of_the_child(database_url):
    async def run_scenario():
        async with open_engines(database_url, "a", "b", workflows=[PARENT]) as (engine, _):
            run = await start(engine, PARENT, resource_id="ann")
            record = await wait_for_end(run)
            return record, await engine.list(CHILD)

    record, children = asyncio.run(run_scenario())
    assert record.result == 4
    (child,) = children
    assert (child.status, child.input, child.result, child.resource_id) == ("success", 2, 3, "ann")
    assert record.steps["child"].child_run_id == child.run_id


def test_waiting_parent_is_released_and_cannot_be_resumed(database_url):
    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[PATIENT]) as (engine,):
            run = await start(engine, PATIENT)
            (child,) = await wait_for_child(engine, ASKING, "suspended")
            async with asyncio.timeout(10):
                while run.row.holder or run.is_executed:
                    await run.refresh()
                    await asyncio.sleep(0.02)
            assert run.record.status == "waiting"
            with pytest.raises(Conflict):
                await engine.resume(run, 1, "asking")
        async with open_engines(database_url, "b", workflows=[PATIENT]) as (engine,):
            await engine.resume(await engine.get(ASKING, child.run_id), 5)
            run = await engine.get(PATIENT, run.run_id)
            return await wait_for_end(run)

    assert asyncio.run(run_scenario()).result == 6


def test_cancellation_reaches_all_descendants(database_url):
    outer = Workflow("outer").then(as_child(PATIENT))
    unrelated = Workflow("unrelated").then(ask_too)

    async def run_scenario():
        workflows = [outer, unrelated]
        async with open_engines(database_url, "a", "b", workflows=workflows) as (one, two):
            other = await start(two, unrelated)
            run = await start(one, outer)
            await wait_for_child(two, ASKING, "suspended")
            await two.cancel(await two.get(outer, run.run_id))
            for workflow in (outer, PATIENT, ASKING):
                assert await one.count(workflow) == {"canceled": 1}
            assert (await other.wait()).status == "suspended"

    asyncio.run(run_scenario())


def test_canceled_child_fails_its_parent(database_url):
    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[PATIENT]) as (engine,):
            run = await start(engine, PATIENT)
            (child,) = await wait_for_child(engine, ASKING, "suspended")
            await engine.cancel(await engine.get(ASKING, child.run_id))
            record = await wait_for_end(run, "failed")
            return child, record

    child, record = asyncio.run(run_scenario())
    assert record.error.name == "RunCanceled"
    assert child.run_id in record.error.message


def test_failed_child_is_started_again_by_retry_and_restart(database_url):
    failures = []

    @step
    def fail_twice(n: int) -> int:
        failures.append(n)
        if len(failures) in (1, 2):
            raise ValueError("not yet")
        return n + 10

    child = Workflow("child").then(fail_twice)
    parent = Workflow("parent").then(add_one).then(as_step(as_child(child), retry=1))

    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[parent]) as (engine,):
            run = await start(engine, parent)
            record = await wait_for_end(run, "failed")
            assert record.error.message == "not yet"
            assert await engine.count(child) == {"failed": 2}
            await engine.restart(run)
            record = await wait_for_end(run)
            return record, await engine.count(child)

    record, counts = asyncio.run(run_scenario())
    assert (record.result, counts, failures) == (12, {"failed": 2, "success": 1}, [2, 2, 2])


class Payment:
    """A child run that waits for a gate, beside a child run that fails at first."""

    def __init__(self, failures):
        self.charges, self.mails = [], []
        self.gate, self.charged, self.mailed = (asyncio.Event() for _ in range(3))

        @step
        async def charge(n: int) -> int:
            self.charges.append(n)
            if len(self.charges) <= failures:
                raise ValueError("no connection")
            self.charged.set()
            await self.gate.wait()
            return n

        @step
        async def send(n: int) -> int:
            await self.charged.wait()
            self.mails.append(n)
            if len(self.mails) == 1:
                raise ValueError("no address")
            self.mailed.set()
            return n

        self.pay, mail = Workflow("pay").then(charge), Workflow("mail").then(send)
        pay = as_step(as_child(self.pay), retry=failures) if failures else as_child(self.pay)
        self.order = Workflow("order").parallel([pay, as_child(mail)])


@pytest.mark.parametrize("failures", [0, 2])
@pytest.mark.parametrize("ends_before", [False, True])
def test_restart_keeps_children_that_run_or_have_succeeded(database_url, failures, ends_before):
    async def run_scenario():
        payment = Payment(failures)
        workflows = [payment.order]
        async with open_engines(database_url, "a", workflows=workflows) as (engine,):
            run = await start(engine, payment.order)
            await wait_for_end(run, "failed")
            if ends_before:
                payment.gate.set()
                await wait_for_child(engine, payment.pay, "success")
            await engine.restart(run)
            await asyncio.wait_for(payment.mailed.wait(), 10)
            payment.gate.set()
            record = await wait_for_end(run)
            return payment, record, await engine.count(payment.pay)

    payment, record, counts = asyncio.run(run_scenario())
    failed = {"failed": failures} if failures else {}
    assert record.result == {"pay": 1, "mail": 1}
    assert (counts, len(payment.charges)) == ({**failed, "success": 1}, failures + 1)


def test_parents_with_a_timeout_let_their_children_run(database_url):
    """The timeout of a parent ends soon, and yet the parent rests."""
    short = Workflow("short", timeout=5).then(as_child(CHILD))

    async def run_scenario():
        options = {"workflows": [short], "max_concurrency": 1}
        async with open_engines(database_url, "a", **options) as (engine,):
            runs = [await start(engine, short) for _ in range(2)]
            return [(await wait_for_end(run)).result for run in runs]

    assert asyncio.run(run_scenario()) == [2, 2]


def test_parent_at_rest_ends_at_its_timeout(database_url):
    short = Workflow("short", timeout=1).then(as_child(ASKING))

    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[short]) as (engine,):
            return await wait_for_end(await start(engine, short), "failed")

    assert asyncio.run(run_scenario()).error.name == "TimeoutError"


def test_each_child_is_started_by_one_call(database_url, monkeypatch):
    """A parent whose children end one after the other does not start all of them again."""
    fan = Workflow("fan", input=list[int]).foreach(as_child(ASKING), concurrency=5)
    calls = []

    async def wait_for_rest(run, attempt):
        async with asyncio.timeout(10):
            while run.row.attempt <= attempt or run.row.holder:
                await asyncio.sleep(0.02)
                await run.refresh()

    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[fan]) as (engine,):
            start_child = engine._store.start_child

            async def count_calls(*arguments):
                calls.append(arguments)
                return await start_child(*arguments)

            monkeypatch.setattr(engine._store, "start_child", count_calls)
            run = await start(engine, fan, [*range(5)])
            children = await wait_for_child(engine, ASKING, "suspended", 5)
            await wait_for_rest(run, 0)
            for number, child in enumerate(children):
                attempt = run.row.attempt
                await engine.resume(await engine.get(ASKING, child.run_id), number)
                if number < 4:
                    await wait_for_rest(run, attempt)
            return (await wait_for_end(run)).result

    assert sorted(asyncio.run(run_scenario())) == [*range(5)]
    assert len(calls) == 5


def test_cancellation_while_a_child_starts_cancels_the_child(run_database):
    """The cancellation waits for the transaction that starts the child, and then finds it."""
    blocked = (
        "SELECT 1 FROM pg_locks WHERE NOT granted "
        "AND transactionid::text = pg_current_xact_id()::text"
    )

    async def run_scenario():
        store, started = PostgresRunStore(run_database()), asyncio.Event()
        await store.open()
        created = await store.create(NewRun(workflow="w", run_id="parent"), 10)
        parent = await store.begin(created, "one", "{}", "{}")

        def start_slowly():
            new = NewRun(workflow="w", run_id="child")
            result = yield from start_child(parent, ("c!1", True), new, ("{}", "{}"), 10, "0")
            started.set()
            while not (yield Query(blocked)):
                yield Query("SELECT pg_sleep(0.01)")
            return result

        async with asyncio.timeout(10):
            start = asyncio.create_task(store._database.write(start_slowly))
            await started.wait()
            assert await store.cancel(parent.id, "{}")
            assert (await start).kind == "started"
        children = await store.list_children(parent.id)
        await store.close()
        return children

    assert asyncio.run(run_scenario()) == [("w", "child", "canceled")]


def test_children_of_a_group_and_children_that_nobody_awaits(database_url):
    fan = Workflow("fan", input=list[int]).foreach(as_child(CHILD), concurrency=3)
    detached = Workflow("detached").then(as_child(ASKING, wait=False))

    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[fan, detached]) as (engine,):
            record = await wait_for_end(await start(engine, fan, [1, 2, 3, 4]))
            assert record.result == [2, 3, 4, 5]
            assert await engine.count(CHILD) == {"success": 4}
            run = await start(engine, detached)
            run_id = (await wait_for_end(run)).result
            child = await engine.get(ASKING, run_id)
            await wait_for_child(engine, ASKING, "suspended")
            await engine.cancel(run)  # it has ended
            await engine.resume(child, 3)
            return await wait_for_end(child)

    assert asyncio.run(run_scenario()).result == 3


def test_time_travel_starts_new_children(database_url):
    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[PATIENT, PARENT]) as (engine,):
            run = await start(engine, PARENT)
            await wait_for_end(run)
            await engine.time_travel(run, "add_one", 10)
            assert (await wait_for_end(run)).result == 13
            assert await engine.count(CHILD) == {"success": 2}

    asyncio.run(run_scenario())


def test_crash_between_start_and_answer_starts_no_second_child(database_url, monkeypatch):
    """The process dies after the child was stored, and its successor finds the child."""
    monkeypatch.setattr(dispatcher, "_ORPHAN_INTERVAL", 0.2)

    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[PATIENT]) as (engine,):
            stored = asyncio.Event()
            start_child = engine._store.start_child

            async def lose_answer(*arguments):
                await start_child(*arguments)
                stored.set()
                await asyncio.Event().wait()

            monkeypatch.setattr(engine._store, "start_child", lose_answer)
            run = await start(engine, PATIENT)
            await asyncio.wait_for(stored.wait(), 10)
        monkeypatch.undo()
        async with open_engines(database_url, "b", workflows=[PATIENT]) as (engine,):
            (child,) = await wait_for_child(engine, ASKING, "suspended")
            await engine.resume(await engine.get(ASKING, child.run_id), 8)
            record = await wait_for_end(await engine.get(PATIENT, run.run_id))
            return record, await engine.count(ASKING)

    record, counts = asyncio.run(run_scenario())
    assert (record.result, counts) == (9, {"success": 1})


def test_child_that_does_not_fit_fails_the_step(database_url):
    @step
    def build_text() -> Any:
        return "x"

    any_parent = Workflow("any").then(build_text).then(as_child(CHILD))

    async def run_scenario():
        async with open_engines(database_url, "a", workflows=[any_parent]) as (engine,):
            record = await wait_for_end(await start(engine, any_parent, None), "failed")
            assert record.error.name == "InvalidInput"
            assert await engine.count(CHILD) == {}

    asyncio.run(run_scenario())


def test_engines_without_child_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert PARENT.durable
    assert Workflow("outer").then(PARENT).durable
    with pytest.raises(
        ConfigError, match="'parent' starts runs of 'child', but 'child' is not durable"
    ):
        as_engine(None, [PARENT, CHILD])
    durable = Workflow("child", durable=True).then(add_one)
    assert isinstance(as_engine(None, [PARENT, durable]), MixedEngine)
    with pytest.raises(ConfigError, match="is not a workflow with steps"):
        as_child(Workflow("empty"))
    with pytest.raises(ConfigError, match="'child' starts a separate run, so the step itself"):
        as_step(as_child(CHILD), timeout=1)

    async def run_in_memory():
        engine = MemoryEngine()
        return await (await start(engine, PARENT)).wait()

    record = asyncio.run(run_in_memory())
    assert (record.status, record.error.name) == ("failed", "ConfigError")
