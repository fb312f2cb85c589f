"""What a bailed nested workflow leaves behind, and processes that execute no runs."""

import asyncio
import time

from mastra_core import MemoryEngine, StepContext, Workflow, step
from mastra_core.workflows.durable import DurableEngine
from tests.core.workflows.sample_steps import ask_too


@step
async def leave(n: int, context: StepContext) -> int:
    await asyncio.sleep(0.1)
    return context.bail(n)


@step
async def stay(n: int) -> int:
    await asyncio.sleep(30)
    return n


def test_canceled_step_is_not_called_again_by_a_resume(tmp_path):
    paid = []

    @step
    def pay(n: int) -> int:
        paid.append(n)
        time.sleep(0.3)
        return n

    inner = Workflow("inner", int).parallel([leave, pay])
    workflow = Workflow("w", int).then(inner).map(lambda _: 7, id="seven").then(ask_too)
    url = f"sqlite:///{tmp_path}/runs.db"

    async def run_scenario():
        engine = DurableEngine(url)
        run = await engine.create(workflow, "r")
        await engine.start(run, 1)
        assert (await run.wait()).status == "suspended"
        await engine.close()
        engine = DurableEngine(url)
        run = await engine.get(workflow, "r")
        await engine.resume(run, 5)
        record = await run.wait()
        await engine.close()
        return record.status

    assert asyncio.run(run_scenario()) == "success"
    assert paid == [1]


def test_bail_ends_nested_groups():
    inner = Workflow("inner", int).parallel([leave, Workflow("deep", int).then(stay)])
    workflow = Workflow("w", int).then(inner)

    async def run_scenario():
        engine = MemoryEngine()
        run = await engine.create(workflow)
        await engine.start(run, 1)
        return await run.wait()

    steps = asyncio.run(run_scenario()).steps
    assert {path: each.status for path, each in steps.items() if "deep" in path} == {
        "inner.deep": "canceled",
        "inner.deep.stay": "canceled",
    }


def test_process_that_executes_nothing_leaves_parked_runs_alone(tmp_path, monkeypatch):
    workflow = Workflow("w", int).then(ask_too)

    async def run_scenario():
        engine = DurableEngine(f"sqlite:///{tmp_path}/runs.db", max_concurrency=0)
        unpark, counts = engine._store.unpark, []

        async def count(fingerprints, limit):
            counts.append(await unpark(fingerprints, limit))
            return counts[-1]

        monkeypatch.setattr(engine._store, "unpark", count)
        await engine.start(await engine.create(workflow), 1)
        async with asyncio.timeout(10):
            while len(counts) < 3:  # noqa: ASYNC110  # another thread counts
                await asyncio.sleep(0.05)
        await engine.close()
        return counts

    assert set(asyncio.run(run_scenario())) == {0}
