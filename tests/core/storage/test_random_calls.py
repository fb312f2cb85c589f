"""Any order of calls has the same result in a memory storage and in SQLite."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_core.agents import TextPart
from mastra_core.errors import Conflict
from mastra_core.storage import (
    History,
    MemoryStorage,
    MessageQuery,
    SqliteStorage,
    StoredMessage,
    Thread,
    ThreadQuery,
)

THREADS = st.sampled_from(["t1", "t2", "t3"])
RESOURCES = st.sampled_from(["ann", "bob"])
MESSAGES = st.sampled_from([f"m{n}" for n in range(6)])
NAMES = st.lists(MESSAGES, max_size=3)
METADATA = st.dictionaries(st.sampled_from("ab"), st.sampled_from([None, 1, 1.0, "1", [1]]))
MOMENTS = st.integers(0, 9)
FEW = st.integers(0, 4)


@st.composite
def threads(draw):
    return Thread(
        id=draw(THREADS),
        resource=draw(RESOURCES),
        title=draw(st.sampled_from(["", "A", "B"])),
        metadata=draw(METADATA),
        created_at=draw(MOMENTS),
        updated_at=draw(MOMENTS),
    )


@st.composite
def draw_append(draw):
    thread = draw(threads())
    messages = [
        StoredMessage(
            id=name,
            thread=thread.id,
            role=draw(st.sampled_from(["user", "assistant"])),
            parts=(TextPart(text=draw(st.text(max_size=3))),),
            created_at=draw(MOMENTS),
            metadata=draw(METADATA),
        )
        for name in draw(st.lists(MESSAGES, max_size=3, unique=True))
    ]
    history = draw(st.none() | st.builds(History, agent=RESOURCES, data=st.binary(), messages=FEW))
    return "append", (thread, messages), {"create": draw(st.booleans()), "history": history}


def draw_call(name, *arguments):
    return st.tuples(st.just(name), st.tuples(*arguments), st.just({}))


PAGES = {"page": FEW, "per_page": st.none() | FEW, "descending": st.booleans()}
CALLS = st.one_of(
    draw_call("get", THREADS),
    draw_call("create", threads()),
    draw_call("update", threads()),
    draw_call("delete", THREADS),
    draw_append(),
    draw_append(),
    draw_call("recall", THREADS, FEW),
    draw_call("get_surrounding", MESSAGES, FEW, FEW),
    draw_call("get_messages", NAMES),
    draw_call("delete_messages", NAMES),
    draw_call(
        "find",
        st.builds(
            ThreadQuery,
            resource=st.none() | RESOURCES,
            metadata=METADATA,
            order_by=st.sampled_from(["created_at", "updated_at"]),
            **PAGES,
        ),
    ),
    draw_call(
        "list_messages",
        st.builds(
            MessageQuery,
            thread=THREADS,
            roles=st.sampled_from([(), ("user",), ("user", "assistant")]),
            since=st.none() | MOMENTS,
            until=st.none() | MOMENTS,
            metadata=METADATA,
            **PAGES,
        ),
    ),
)


async def call_store(threads, name, arguments, more, position):
    """What a call gives; an append comes either right after what was recalled, or late."""
    if name == "append":
        recall = await threads.recall(arguments[0].id, 0)
        more = {**more, "after": recall.position if position else -1}
    try:
        return await getattr(threads, name)(*arguments, **more)
    except Conflict:
        return "conflict"


def normalize(value):
    """Without the number of a position, which is each storage's own."""
    return (
        value if not hasattr(value, "position") else (value.thread, value.messages, value.history)
    )


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(st.tuples(CALLS, st.booleans()), max_size=25))
def test_both_storages_agree(calls):
    async def run_calls():
        memory, sqlite = MemoryStorage(), SqliteStorage(":memory:")
        for (name, arguments, more), position in calls:
            results = [
                normalize(await call_store(each.threads, name, arguments, more, position))
                for each in (memory, sqlite)
            ]
            assert results[0] == results[1], name
        await sqlite.close()

    asyncio.run(run_calls())
