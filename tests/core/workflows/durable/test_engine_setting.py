"""The setting ``engine`` and the argument ``durable`` of a workflow."""

import asyncio

import pytest

from mastra_core import DurableEngine, Mastra, MemoryEngine, Workflow, as_child
from mastra_core.errors import ConfigError
from mastra_core.workflows.durable.store.d1_run_store import D1RunStore
from tests.core.workflows.sample_steps import add_one, ask


def test_engine_by_name(monkeypatch, tmp_path):
    monkeypatch.setenv("MASTRA_DATABASE_URL", f"sqlite:///{tmp_path}/runs.db")
    assert isinstance(Mastra(engine="durable").engine, DurableEngine)
    assert isinstance(Mastra(engine="memory").engine, MemoryEngine)
    with pytest.raises(ConfigError, match="'eternal' is unknown"):
        Mastra(engine="eternal")
    monkeypatch.setenv("MASTRA_DATABASE_URL", "mysql://host/name")
    with pytest.raises(ConfigError, match="MASTRA_DATABASE_URL"):
        Mastra(engine="durable")


def test_only_durable_workflows_are_stored(monkeypatch, tmp_path):
    monkeypatch.setenv("MASTRA_DATABASE_URL", f"sqlite:///{tmp_path}/runs.db")
    short, long = Workflow("short").then(add_one), Workflow("long", durable=True).then(ask)

    def create_mastra():
        return Mastra(workflows={"short": short, "long": long}, logger=False)

    async def start_runs():
        engine = create_mastra().engine
        await engine.open([short, long])
        for workflow in (short, long):
            run = await engine.create(workflow, "r1")
            await engine.start(run, 1)
            await run.wait()
            assert await engine.count(workflow) in ({"success": 1}, {"suspended": 1})
        await engine.close()

    async def resume_run():
        engine = create_mastra().engine
        assert await engine.list(short) == []
        run = await engine.get(long, "r1")
        await engine.resume(run, {"go": True})
        record = await run.wait()
        await engine.delete(run)
        assert await engine.list(long) == []
        await engine.close()
        return record

    asyncio.run(start_runs())
    assert asyncio.run(resume_run()).result == "yes"
    assert create_mastra().engine.single_process  # of the other workflow


@pytest.mark.parametrize(
    ("workflow", "words"),
    [
        (Workflow("report", schedule="@daily").then(add_one), "'report' has a schedule"),
        (Workflow("order").then(as_child(Workflow("part").then(add_one))), "'order' starts child"),
    ],
)
def test_d1_keeps_no_schedules_and_no_child_runs(workflow, words):
    engine = DurableEngine(D1RunStore("DB"))  # it is refused before the database is used
    with pytest.raises(ConfigError, match=words) as caught:
        asyncio.run(engine.open([workflow]))
    assert "PostgreSQL" in caught.value.hint
