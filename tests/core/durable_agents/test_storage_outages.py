"""A durable run waits for the storage of its thread, and then reads and stores the thread."""

import asyncio

from mastra_core import Agent, Memory, SqliteStorage
from mastra_core.agents import Finish
from mastra_core.storage import MessageQuery
from tests.core.durable_agents.conftest import read_all, wait_until
from tests.core.scripted_model import Script, call

THREAD = {"thread": "t", "resource": "ann"}


def count_calls(store, name):
    """Return a list that grows with each call of a method."""
    calls, method = [], getattr(store, name)

    async def count(*arguments, **options):
        calls.append(name)
        return await method(*arguments, **options)

    setattr(store, name, count)
    return calls


def test_a_run_waits_for_the_storage_of_its_thread(open_mastra, tmp_path):
    path, aside = tmp_path / "threads.db", tmp_path / "aside.db"

    async def hide() -> str:
        """Hide the storage."""
        path.rename(aside)
        return "hidden"

    async def run_scenario():
        script = Script([call("hide", {})], ["done"])
        agent = Agent(name="a", model=script.model, tools=[hide])
        storage = SqliteStorage(path)
        reads, writes = (count_calls(storage.threads, name) for name in ("recall", "append"))
        async with open_mastra(agent, storage=storage, memory=Memory()) as mastra:
            await storage.open()
            path.rename(aside)
            durable = mastra.get_agent("a")
            reading = asyncio.create_task(read_all(durable.stream("hi", run_id="r", **THREAD)))
            for calls in (reads, writes):
                await wait_until(lambda calls=calls: len(calls) >= 2)
                aside.rename(path)
            assert isinstance((await reading)[-1], Finish)
            messages = (await storage.threads.list_messages(MessageQuery(thread="t"))).items
            assert [each.role for each in messages] == ["user", "assistant"]
            run = await mastra.engine.get(durable.workflow, "r")
            assert run.record.status == "success"

    asyncio.run(run_scenario())
