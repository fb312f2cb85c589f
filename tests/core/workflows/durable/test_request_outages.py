"""A request whose database fails for long ends its waits; another request continues the run."""

import asyncio

import pytest

from mastra_core import DurableEngine, Workflow, step
from mastra_core.errors import StorageError
from mastra_core.request_scope import (
    disable_request_scope,
    enable_request_scope,
    enter_request,
)


@pytest.fixture(autouse=True)
def request_scope():
    enable_request_scope(asyncio.ensure_future)
    yield
    disable_request_scope()


def test_a_request_without_a_database_ends_its_waits(tmp_path):
    path, aside = tmp_path / "runs.db", tmp_path / "aside.db"
    calls = []

    @step
    async def work(n: int) -> int:
        calls.append(n)
        if len(calls) == 1:
            path.rename(aside)
        return n + 1

    workflow = Workflow("w").then(work)
    engine = DurableEngine(f"sqlite:///{path}", lease=1)

    async def lose_database():
        with enter_request():
            run = await engine.create(workflow)
            await engine.start(run, 1)
            with pytest.raises(StorageError, match="can no longer reach the database"):
                await asyncio.wait_for(run.wait(), 30)
        return run.record.run_id

    async def continue_run(run_id):
        with enter_request():
            run = await engine.get(workflow, run_id)
            record = await asyncio.wait_for(run.wait(), 30)
        await engine.close()
        return record.result

    run_id = asyncio.run(lose_database())
    aside.rename(path)
    assert (asyncio.run(continue_run(run_id)), calls) == (2, [1, 1])
