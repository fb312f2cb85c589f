"""Metrics of durable runs: executions, their outcomes, and takeovers of a dead process's runs."""

import asyncio
import time

import pytest

from mastra_core import Workflow
from mastra_core.metrics import add_recorder, remove_recorder
from mastra_core.workflows.durable import DurableEngine
from tests.core.workflows.durable.test_crashes import open_client, wait_for
from tests.core.workflows.durable.worker import LONG, SHORT, ask

ASK = Workflow("ask-for-metrics", input=int).then(ask)


@pytest.fixture
def values():
    class Recorder:
        def __init__(self):
            self.values = []

        def record(self, metric, value, labels):
            self.values.append((metric.name, labels, value))

    recorder = Recorder()
    add_recorder(recorder)
    yield recorder.values
    remove_recorder(recorder)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_metrics_of_durable_runs(workers, values):
    async def leave_a_run():
        async with open_client(workers.url) as client:
            await client.start(await client.create(SHORT), 1)
            await wait_for(lambda: workers.count_effects("wait_shortly"))

    async def continue_runs():
        engine = DurableEngine(workers.url)
        await engine.open([SHORT, ASK])
        try:
            run = await engine.create(ASK)
            await engine.start(run, 1)
            await run.wait()
            await wait_for(lambda: "suspended" in outcomes(values))
            await engine.resume(run, 2)
            await wait_for(lambda: outcomes(values).count("success") == 2)
        finally:
            await engine.close()

    worker = workers.start("first")
    asyncio.run(leave_a_run())
    workers.kill(worker)
    asyncio.run(continue_runs())
    assert sorted(outcomes(values)) == ["success", "success", "suspended"]
    assert ("mastra.workflow.takeovers", (), 1) in values
    active = [value for name, _, value in values if name == "mastra.workflow.active_runs"]
    assert (sum(active), len(active)) == (0, 6)
    oldest = [value for name, _, value in values if name.endswith("oldest_run.start_time")]
    assert oldest[-1] == float("inf")


def outcomes(values):
    return [labels[1] for name, labels, _ in values if name == "mastra.workflow.run.duration"]


def test_load_of_a_database(tmp_path, values):
    """Each process measures how many runs wait, and how many no process can execute."""
    url = f"sqlite:///{tmp_path}/runs.db"

    async def run_scenario():
        starter = DurableEngine(url, max_concurrency=0)
        for workflow in (LONG, LONG, LONG, ASK):
            await starter.start(await starter.create(workflow), 1)
        await starter.close()
        worker = DurableEngine(url, max_concurrency=1)
        await worker.open([LONG])
        await wait_for(lambda: worker.load.queued == 2)
        await worker.close()

    before = time.time()
    asyncio.run(run_scenario())
    assert ("mastra.workflow.queued_runs", (), 2) in values
    assert ("mastra.workflow.parked_runs", (), 1) in values
    oldest = [value for name, _, value in values if "oldest_queued" in name]
    assert before - 1 < oldest[-1] < time.time() + 1
