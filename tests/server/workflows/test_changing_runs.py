"""Restart all active runs while the runs change their status."""

import asyncio
import contextlib

import httpx
import pytest

from mastra_core import DurableEngine, Mastra, MemoryEngine, Workflow, step
from mastra_core.workflows import RunQuery
from mastra_server import create_app

PATH = "/api/workflows/w/restart-all-active-workflow-runs"
gates = {}  # events that end the step of each run


@step
async def work(n: int) -> int:
    await gates[n].wait()
    return n


@pytest.fixture(params=["memory", "durable"])
def engine(request, tmp_path):
    if request.param == "memory":
        return MemoryEngine()
    return DurableEngine(f"sqlite:///{tmp_path}/runs.db")


class Runs:
    """The runs of a workflow, and the ids of the runs that were restarted."""

    def __init__(self, engine, workflow, monkeypatch):
        self._engine, self._workflow = engine, workflow
        self._patch = monkeypatch
        self.restarted = []
        restart = engine.restart

        async def record_restart(run, *arguments):
            await restart(run, *arguments)
            self.restarted.append(run.run_id)

        monkeypatch.setattr(engine, "restart", record_restart)

    async def start(self, number, status):
        gates[number] = asyncio.Event()
        run = await self._engine.create(self._workflow, f"r{number}")
        await self._engine.start(run, number)
        await self.wait_until(f"r{number}", status)

    async def wait_until(self, run_id, status):
        query = RunQuery(run_id=run_id, status=status)
        async with asyncio.timeout(20):
            while not await self._engine.count(self._workflow, query):  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.01)

    def change_after_query(self, change):
        """Change the runs whenever a request has read them."""
        get_many = self._engine.get_many

        async def read_and_change(*arguments):
            found = await get_many(*arguments)
            await change()
            return found

        self._patch.setattr(self._engine, "get_many", read_and_change)


@contextlib.asynccontextmanager
async def open_app(engine, workflow, monkeypatch):
    mastra = Mastra(workflows={"w": workflow}, engine=engine, logger=False)
    app = create_app(mastra)
    transport = httpx.ASGITransport(app)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        yield http, Runs(mastra.engine, workflow, monkeypatch)


def test_a_run_that_begins_to_wait_is_restarted_once(engine, monkeypatch):
    async def main():
        workflow = Workflow("w").then(work).sleep(3600)
        async with open_app(engine, workflow, monkeypatch) as (http, runs):
            await runs.start(1, "running")

            async def let_run_wait():
                gates[1].set()
                await runs.wait_until("r1", "waiting")

            runs.change_after_query(let_run_wait)
            assert (await http.post(PATH)).status_code == 200
            assert runs.restarted == ["r1"]

    asyncio.run(main())


def test_a_run_that_ends_to_wait_is_restarted_once(engine, monkeypatch):
    async def main():
        workflow = Workflow("w").sleep(1).then(work)
        async with open_app(engine, workflow, monkeypatch) as (http, runs):
            await runs.start(1, "waiting")
            runs.change_after_query(lambda: runs.wait_until("r1", "running"))
            assert (await http.post(PATH)).status_code == 200
            assert runs.restarted == ["r1"]

    asyncio.run(main())


def test_a_run_that_ends_before_its_restart_is_left_out(engine, monkeypatch):
    async def main():
        workflow = Workflow("w").then(work)
        async with open_app(engine, workflow, monkeypatch) as (http, runs):
            for number in range(3):
                await runs.start(number, "running")

            async def end_run():
                gates[1].set()
                await runs.wait_until("r1", "success")

            runs.change_after_query(end_run)
            assert (await http.post(PATH)).status_code == 200
            assert runs.restarted == ["r2", "r0"]

    asyncio.run(main())
