"""The store of durable runs in a real local D1: the suite, its batches, and its limits."""

import asyncio

import pytest

from mastra_core import DurableEngine, Workflow, step
from mastra_core.errors import ConfigError
from mastra_core.testing import RunStoreSuite
from mastra_core.workflows.durable import Batch, Member, NewRun
from mastra_core.workflows.durable.store.d1_run_store import D1RunStore
from tests.core.storage.d1.local import Binding, Statement

EVENT = '{"type":"step-wrote","step":"a"}'


@pytest.fixture
def binding(d1_port):
    """A binding to a database without runs and schedules."""
    binding = Binding(d1_port)
    asyncio.run(D1RunStore(binding).open())
    names = ("runs", "run_members", "run_schedules")
    binding.send([Statement(f"DELETE FROM mastra_{name}") for name in names])
    binding.batches = 0
    return binding


class TestD1RunStore(RunStoreSuite):
    @pytest.fixture
    def store(self, binding):
        return D1RunStore(binding)


def test_each_change_is_one_batch(binding):
    """Also with more values than one statement of D1 may have."""
    store = D1RunStore(binding)
    keys = [f"step-{number}" for number in range(300)]
    batch = Batch(
        outcomes=[(f"{key}#1", "1") for key in keys],
        events=[(key, EVENT) for key in keys],
        wakes=[(key, 1.5) for key in keys],
    )

    async def count(call):
        before = binding.batches
        return await call, binding.batches - before

    async def work():
        created = await store.create(NewRun(workflow="w", run_id="r"), 10)
        row, batches = await count(store.begin(created, "one", EVENT, "{}"))
        assert batches == 1
        result, batches = await count(store.commit(row.id, "one", 1, 0, batch))
        assert (result.kind, result.sequence, batches) == ("stored", 301, 1)
        journal = await store.read_journal(row.id)
        assert [*journal.outcomes] == [f"{key}#1" for key in keys]
        assert (journal.emitted, len(journal.wakes)) == ({*keys}, 300)
        _, batches = await count(store.cancel(row.id, EVENT))
        assert batches == 1

    asyncio.run(work())


def test_refused_commit_stores_nothing(binding):
    store = D1RunStore(binding)

    async def work():
        row = await store.begin(
            await store.create(NewRun(workflow="w", run_id="r"), 10), "one", EVENT, "{}"
        )
        batch = Batch(outcomes=[("a#1", "1")], events=[("a", EVENT)], wakes=[("a", 1.5)])
        assert (await store.commit(row.id, "two", 1, 0, batch)).kind == "refused"
        journal = await store.read_journal(row.id)
        assert (journal.outcomes, journal.emitted, journal.wakes) == ({}, set(), {})

    asyncio.run(work())


def test_lists_with_more_values_than_a_statement(binding):
    store = D1RunStore(binding)

    async def work():
        rows = [
            await store.create(NewRun(workflow=f"w{number}", run_id="r"), 10) for number in (0, 149)
        ]
        await asyncio.gather(*(store.begin(row, "", EVENT, "{}") for row in rows))
        states = await store.read_states([*range(10_000, 10_150), rows[0].id])
        assert [*states] == [rows[0].id]

    asyncio.run(work())


def test_two_isolates_exceed_no_maximum(binding, d1_port):
    """Without locks, each of the claims counts the runs that are held."""
    stores = [D1RunStore(each) for each in (binding, Binding(d1_port))]
    names = [f"r{number}" for number in range(12)]

    async def work():
        for name in names:
            row = await stores[0].create(NewRun(workflow="w", run_id=name), 100)
            await stores[0].begin(row, "", EVENT, "{}", fingerprint="f1")
        claims = [
            store.claim(
                Member(id=id_, name=id_),
                {"f1": "w", "f2": "v"},
                10,
                orphans=False,
                concurrency={"w": 5, "v": 1},
            )
            for store, id_ in zip(stores, ("one", "two"), strict=True)
        ]
        claimed = [row.run_id for rows in await asyncio.gather(*claims) for row in rows]
        assert len(claimed) == len({*claimed}) == 5

    asyncio.run(work())


@step
async def grow(size: int) -> str:
    return "x" * size


@pytest.mark.parametrize(("size", "status"), [(1_000_000, "success"), (2_000_000, "failed")])
def test_value_that_is_too_large_for_a_row_fails_the_run(binding, size, status):
    """The event of the input is small, and a step's output may be at most a row of D1."""
    workflow = Workflow("grow").then(grow)

    async def work():
        engine = DurableEngine(D1RunStore(binding))
        run = await engine.create(workflow)
        await engine.start(run, size)
        async with asyncio.timeout(20):
            record = await run.wait()
        await engine.close()
        return record

    record = asyncio.run(work())
    assert record.status == status
    if status == "failed":
        assert "D1 stores at most 1990000" in record.error.message


@pytest.mark.parametrize("name", ["d1:", "d1:my-db"])
def test_name_that_is_no_binding(name):
    with pytest.raises(ConfigError, match="cannot be the name of a binding"):
        DurableEngine(name)


class EndingBinding(Binding):
    """Ends the run between two statements of an answer, because D1 has no locks."""

    end = None

    async def batch(self, statements):
        if self.end is not None and "answers = answers + ?" in statements[0].sql:
            end, self.end = self.end, None
            await end()
        return await super().batch(statements)


def test_answer_to_a_run_that_ends_meanwhile_is_refused(binding, d1_port):
    ending = EndingBinding(d1_port)
    store, other = D1RunStore(ending), D1RunStore(binding)

    async def work():
        created = await other.create(NewRun(workflow="w", run_id="r"), 10)
        row = await other.begin(created, "one", EVENT, "{}")
        await other.commit(row.id, "one", 1, 0, Batch(outcomes=[("a#1", "1")]))

        async def end():
            batch = Batch(status="failed", events=[("", EVENT)], releases=True)
            assert (await other.commit(row.id, "one", 1, 1, batch)).kind == "stored"

        ending.end = end
        assert await store.answer(row.id, "two", [("a!1", EVENT)], "{}", None) == (None, 0)
        assert (await other.find("w", "r", None)).status == "failed"

    asyncio.run(work())
