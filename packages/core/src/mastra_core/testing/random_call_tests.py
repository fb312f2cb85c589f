"""A test that compares a storage with the storage in memory."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mastra_core.agents import TextPart
from mastra_core.errors import Conflict
from mastra_core.storage import (
    History,
    MemoryStorage,
    MessageQuery,
    Recall,
    Storage,
    StoredMessage,
    Thread,
    ThreadQuery,
    ThreadStore,
)
from mastra_core.testing.storage_fixtures import Run, StorageFixtures

__all__ = ("RandomCallTests",)

_Call = tuple[str, Sequence[Any], Mapping[str, Any]]

_THREADS = st.sampled_from(["t1", "t2", "t3"])
_RESOURCES = st.sampled_from(["ann", "bob"])
_MESSAGES = st.sampled_from([f"m{number}" for number in range(6)])
_NAMES = st.lists(_MESSAGES, max_size=3)
_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, 1, 1.0, "1", [1], [1.0, {"b": 2, "a": 1}], {"a": {}}, {}]
)
_METADATA = st.dictionaries(st.sampled_from(["a", "b", 'c".x', ""]), _VALUES, max_size=2)
_MOMENTS = st.integers(0, 9)
_FEW = st.integers(0, 4)


@st.composite
def _threads(draw: st.DrawFn) -> Thread:
    return Thread(
        id=draw(_THREADS),
        resource=draw(_RESOURCES),
        title=draw(st.sampled_from(["", "A", "B"])),
        metadata=draw(_METADATA),
        created_at=draw(_MOMENTS),
        updated_at=draw(_MOMENTS),
    )


@st.composite
def _draw_append(draw: st.DrawFn) -> _Call:
    thread = draw(_threads())
    messages = [
        StoredMessage(
            id=name,
            thread=thread.id,
            role=draw(st.sampled_from(["user", "assistant"])),
            parts=(TextPart(text=draw(st.text(max_size=3))),),
            created_at=draw(_MOMENTS),
            metadata=draw(_METADATA),
        )
        for name in draw(st.lists(_MESSAGES, max_size=3, unique=True))
    ]
    history = draw(
        st.none() | st.builds(History, agent=_RESOURCES, data=st.binary(), messages=_FEW)
    )
    return "append", (thread, messages), {"create": draw(st.booleans()), "history": history}


def _draw_call(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[_Call]:
    return st.tuples(st.just(name), st.tuples(*arguments), st.just({}))


_PAGES = {"page": _FEW, "per_page": st.none() | _FEW, "descending": st.booleans()}
_THREAD_QUERIES = st.builds(
    ThreadQuery,
    resource=st.none() | _RESOURCES,
    metadata=_METADATA,
    order_by=st.sampled_from(["created_at", "updated_at"]),
    **_PAGES,
)
_MESSAGE_QUERIES = st.builds(
    MessageQuery,
    thread=_THREADS,
    resource=st.none() | _RESOURCES,
    roles=st.sampled_from([(), ("user",), ("user", "assistant")]),
    since=st.none() | _MOMENTS,
    until=st.none() | _MOMENTS,
    metadata=_METADATA,
    **_PAGES,
)
_OWNERS = st.none() | _RESOURCES
_CALLS = st.one_of(
    _draw_call("get", _THREADS),
    _draw_call("create", _threads()),
    _draw_call("update", _threads(), _OWNERS),
    _draw_call("delete", _THREADS, _OWNERS),
    _draw_append(),
    _draw_append(),
    _draw_call("recall", _THREADS, _FEW),
    _draw_call("get_surrounding", _MESSAGES, _FEW, _FEW),
    _draw_call("get_messages", _NAMES),
    _draw_call("delete_messages", _NAMES, _OWNERS),
    _draw_call("find", _THREAD_QUERIES),
    _draw_call("list_messages", _MESSAGE_QUERIES),
)


class RandomCallTests(StorageFixtures):
    """Test that any sequence of calls has the same results as with ``MemoryStorage``."""

    def test_random_calls_agree_with_the_storage_in_memory(
        self, storage: Storage, run: Run
    ) -> None:
        """Each call of a random sequence has the same result as on ``MemoryStorage``."""

        async def compare(calls: Sequence[tuple[_Call, bool]]) -> None:
            await _delete_all(storage.threads)
            memory = MemoryStorage()
            for call, is_current in calls:
                expected = await _call_store(memory.threads, call, is_current=is_current)
                assert await _call_store(storage.threads, call, is_current=is_current) == expected

        configure = settings(
            max_examples=self.random_examples,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        calls = st.lists(st.tuples(_CALLS, st.booleans()), max_size=25)
        configure(given(calls)(lambda calls: run(compare(calls))))()


async def _delete_all(threads: ThreadStore) -> None:
    for thread in (await threads.find(ThreadQuery())).items:
        await threads.delete(thread.id)


async def _call_store(threads: ThreadStore, call: _Call, *, is_current: bool) -> Any:
    """Return the result of a call; ``append`` gets an outdated position unless ``is_current``."""
    name, arguments, options = call
    if name == "append":
        recall = await threads.recall(arguments[0].id, 0)
        options = {**options, "after": recall.position if is_current else -1}
    try:
        result = await getattr(threads, name)(*arguments, **options)
    except Conflict:
        return "conflict"
    if isinstance(result, Recall):  # the positions of two storages cannot be compared
        return result.thread, result.messages, result.history
    return result
