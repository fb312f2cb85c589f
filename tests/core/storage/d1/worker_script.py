"""What a Worker does with D1; pyodide.mjs runs it in Pyodide, and calls `run_requests`."""

import asyncio
import json
import time

from mastra_core import AgentInput, Mastra, MastraError, Memory
from mastra_core.agents import ApprovalRequired, FilePart, Message, SuspendedRun, TextPart
from mastra_core.storage import History, MessageQuery, StoredMessage, Thread, ThreadQuery
from mastra_core.storage.d1_binding import set_environment
from mastra_core.storage.sql_database import Statement


async def count(run_input: AgentInput) -> str:
    return str(len(run_input.messages))


def create_application():
    return Mastra(agents={"count": count}, memory=Memory(), storage="d1:DB", logger=False)


async def chat(text):
    """One request of a new isolate."""
    agent = create_application().get_agent("count")
    message = Message.user(text)
    run_input = AgentInput(messages=(message,), thread="chat", resource="ann")
    return (await agent.generate(run_input)).text


async def store_messages(storage):
    """Store and read what JavaScript may change: bytes, NUL, wide characters, null, numbers."""
    thread = Thread(id="t1", resource="ann", metadata={"a": [1, {"b": None}]})
    parts = (TextPart(text="é😀\x00"), FilePart(media_type="image/png", data=b"\x00\xff"))
    messages = [
        StoredMessage(id=f"m{n}", thread="t1", role="user", parts=parts, created_at=10**12 + n)
        for n in range(6)
    ]
    history = History(agent="a", data=b"[\xff\x00]", messages=6)
    assert await storage.threads.append(thread, messages, history=history)
    recall = await storage.threads.recall("t1", 5)
    assert recall.messages == tuple(messages[-5:])
    assert recall.history == history
    assert recall.thread.metadata == thread.metadata
    found = await storage.threads.find(ThreadQuery(metadata={"a": [1.0, {"b": None}]}))
    assert found.total == 1
    page = await storage.threads.list_messages(
        MessageQuery(thread="t1", per_page=2, descending=True)
    )
    assert page.items == (messages[-1], messages[-2])
    note = await storage.threads.change_working_memory("resource", "ann", lambda old: old + "é\x00")
    assert await storage.threads.get_working_memory("resource", "ann") == note
    assert await storage.threads.delete_messages(["m1", "m2", "none"]) == 2
    assert not await storage.threads.delete("t1", "bob")
    assert await storage.threads.delete("t1", "ann")


async def take_run(storage):
    run = SuspendedRun(
        run_id="r1",
        agent_id="a",
        waiting=(ApprovalRequired(id="c", name="pay", arguments={"amount": 3}),),
        history=b"[\xff]",
        run_input=AgentInput(thread="t1", resource="ann", run_id="r1"),
        suspended_at=int(time.time() * 1000),
    )
    await storage.suspended_runs.put(run)
    takes = [storage.suspended_runs.take("a", "r1") for _ in range(4)]
    results = await asyncio.gather(*takes, return_exceptions=True)
    assert run in results
    return sorted(type(each).__name__ for each in results)


async def fail(call):
    try:
        await call
    except MastraError as error:
        return error.message


async def run_requests(environment):
    set_environment(environment)
    storage = create_application().storage
    await store_messages(storage)
    results = {
        "answers": [await chat("one"), await chat("two")],
        "takes": await take_run(storage),
        "refused": await fail(storage._database.execute([Statement("SELECT * FROM no")], len)),
    }
    set_environment(None)
    results["missing"] = await fail(storage.threads.get("t1"))
    return json.dumps(results)
