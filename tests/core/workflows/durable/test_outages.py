"""A database that cannot be used delays runs, and loses nothing."""

import asyncio
import sqlite3

import pytest

from mastra_core import DurableEngine, Workflow, step
from mastra_core.errors import StorageError
from tests.core.workflows.sample_steps import ask, start_and_wait, wait_until


def test_run_survives_a_restart_of_postgres(postgres_server, run_database):
    calls = []

    @step
    async def work(n: int) -> int:
        calls.append(n)
        postgres_server.stop()
        postgres_server.start()
        return n + 1

    async def run_scenario():
        engine = DurableEngine(run_database())
        record = (await start_and_wait(engine, Workflow("w").then(work).then(ask), 1)).record
        await engine.close()
        return record

    record = asyncio.run(run_scenario())
    assert (record.status, record.steps["work"].output, calls) == ("suspended", 2, [1])


def test_run_waits_for_a_locked_file(tmp_path):
    path = tmp_path / "runs.db"
    calls = []

    @step
    async def work(n: int) -> int:
        calls.append(n)
        await asyncio.sleep(0.05)
        return n + 1

    async def run_scenario():
        from mastra_core.workflows.durable import SqliteRunStore

        engine = DurableEngine(SqliteRunStore(path, busy_timeout=0.1))
        run = await engine.create(Workflow("w").then(work))
        await engine.start(run, 1)
        await wait_until(lambda: calls)
        lock = sqlite3.connect(path, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(0.6)
        assert run.record.status == "running"
        lock.execute("ROLLBACK")
        lock.close()
        record = await run.wait()
        await engine.close()
        return record

    record = asyncio.run(run_scenario())
    assert (record.result, calls) == (2, [1])


def test_run_waits_for_a_file_that_was_moved(tmp_path):
    path, aside = tmp_path / "runs.db", tmp_path / "aside.db"
    calls = []

    @step
    async def work(n: int) -> int:
        calls.append(n)
        path.rename(aside)
        return n + 1

    async def run_scenario():
        engine = DurableEngine(f"sqlite:///{path}")
        run = await engine.create(Workflow("w").then(work))
        await engine.start(run, 1)
        await wait_until(aside.exists)
        with pytest.raises(StorageError, match="was deleted or replaced"):
            await engine.create(Workflow("w").then(work))
        assert run.record.status == "running"
        aside.rename(path)
        record = await run.wait()
        await engine.close()
        return record

    record = asyncio.run(run_scenario())
    assert (record.result, calls) == (2, [1])


def test_newer_tables_are_refused(tmp_path):
    async def open_engine():
        engine = DurableEngine(f"sqlite:///{tmp_path}/runs.db")
        await engine.open([])
        await engine.close()

    asyncio.run(open_engine())
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        connection.execute("UPDATE mastra_run_schema SET version = 99")
    connection.close()
    with pytest.raises(StorageError, match="newer version of mastra"):
        asyncio.run(open_engine())


def test_request_context_is_stored_as_json(tmp_path):
    async def run_scenario():
        url = f"sqlite:///{tmp_path}/runs.db"
        engine = DurableEngine(url, context_keys=["user", "handle", "circle"])
        run = await engine.create(Workflow("w").then(ask))
        context = {"user": "ann", "token": "secret", "handle": object(), "circle": []}
        context["circle"].append(context["circle"])
        await engine.start(run, 1, context)
        await run.wait()
        await engine.close()
        return run.row.context

    assert asyncio.run(run_scenario()) == '{"user":"ann"}'
    assert b"secret" not in (tmp_path / "runs.db").read_bytes()
