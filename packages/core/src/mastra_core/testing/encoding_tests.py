"""Tests of ids that UTF-8 cannot encode."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import Any

import msgspec
import pytest

from mastra_core.agents import ApprovalRequired, SuspendedRunQuery
from mastra_core.errors import InvalidInput
from mastra_core.storage import MessageQuery, Storage, ThreadQuery
from mastra_core.testing.storage_fixtures import (
    Run,
    StorageFixtures,
    build_message,
    build_suspended_run,
    build_thread,
)

__all__ = ("EncodingTests",)

_HALF = "\ud800"  # of a surrogate pair


class EncodingTests(StorageFixtures):
    """Test that invalid ids are refused, and that other invalid texts are stored with U+FFFD."""

    def test_ids_of_threads_that_utf_8_cannot_encode(self, storage: Storage, run: Run) -> None:
        """The id of a thread, resource or message is refused if UTF-8 cannot encode it."""
        run(storage.threads.append(build_thread(), [build_message()]))
        for call in _use_threads(storage):
            with pytest.raises(InvalidInput, match="surrogate"):
                run(call)
        (message,) = run(storage.threads.recall("t1", 9)).messages
        assert message.id == "m1"

    def test_ids_of_runs_that_utf_8_cannot_encode(self, storage: Storage, run: Run) -> None:
        """The id of a run, agent, resource or thread is refused if UTF-8 cannot encode it."""
        for call in _use_suspended_runs(storage):
            with pytest.raises(InvalidInput, match="surrogate"):
                run(call)

    def test_arguments_of_a_run_that_utf_8_cannot_encode(self, storage: Storage, run: Run) -> None:
        """U+FFFD replaces half of a surrogate pair in the arguments of a tool call."""
        call = ApprovalRequired(id="c1", name="pay", arguments={"note": _HALF})
        stored = msgspec.structs.replace(build_suspended_run(), waiting=(call,))
        run(storage.suspended_runs.put(stored))
        (waiting,) = run(storage.suspended_runs.get("a", "r1")).waiting
        assert waiting.arguments == {"note": "\ufffd"}

    def test_metadata_that_utf_8_cannot_encode_is_found(self, storage: Storage, run: Run) -> None:
        """A query with half of a surrogate pair finds metadata that is stored with U+FFFD."""
        run(storage.threads.create(build_thread(metadata={"a": _HALF})))
        assert run(storage.threads.find(ThreadQuery(metadata={"a": _HALF}))).total == 1

    def test_ids_of_records_that_utf_8_cannot_encode(self, storage: Storage, run: Run) -> None:
        """The id, owner or caller of a record is refused if UTF-8 cannot encode it."""
        records: Any = getattr(storage, "responses", None)
        if records is None:
            pytest.skip(f"{type(storage).__name__} keeps no responses.")
        for call in (
            records.put(_HALF, "ann", "ann", b""),
            records.put("r1", _HALF, "ann", b""),
            records.put("r1", "ann", _HALF, b""),
            records.get(_HALF, "ann"),
            records.delete("r1", _HALF),
        ):
            with pytest.raises(InvalidInput, match="surrogate"):
                run(call)


def _use_threads(storage: Storage) -> Iterator[Awaitable[Any]]:
    threads = storage.threads
    for thread in (build_thread(_HALF), build_thread(resource=_HALF)):
        yield threads.create(thread)
        yield threads.update(thread)
        yield threads.append(thread, [])
    yield threads.update(build_thread(), _HALF)
    yield threads.append(build_thread(), [build_message(_HALF)])
    yield threads.append(build_thread(), [build_message(f"{_HALF}{each}") for each in range(9)])
    for identify in (threads.get, threads.delete):
        yield identify(_HALF)
    yield threads.delete("t1", _HALF)
    yield threads.recall(_HALF, 9)
    yield threads.find(ThreadQuery(resource=_HALF))
    yield threads.list_messages(MessageQuery(thread=_HALF))
    yield threads.list_messages(MessageQuery(thread="t1", resource=_HALF))
    yield threads.get_surrounding(_HALF, 1, 1)
    yield threads.get_messages([_HALF])
    yield threads.delete_messages([_HALF])
    yield threads.delete_messages(["m1"], _HALF)
    yield threads.get_working_memory("thread", _HALF)
    yield threads.change_working_memory("thread", _HALF, str)
    yield threads.change_working_memory("resource", _HALF, str, _HALF)


def _use_suspended_runs(storage: Storage) -> Iterator[Awaitable[Any]]:
    runs = storage.suspended_runs
    for run in (
        build_suspended_run(_HALF),
        build_suspended_run(agent=_HALF),
        build_suspended_run(resource=_HALF),
        build_suspended_run(thread=_HALF),
        build_suspended_run(caller=_HALF),
    ):
        yield runs.put(run)
    for find in (runs.get, runs.take):
        yield find(_HALF, "r1")
        yield find("a", _HALF)
        yield find("a", "r1", _HALF)
    yield runs.list(SuspendedRunQuery(agent="a", resource=_HALF))
    yield runs.list(SuspendedRunQuery(agent="a", thread=_HALF))
    yield runs.list(SuspendedRunQuery(agent="a", call=_HALF))
