"""Tests of threads."""
# ruff: noqa: PLR2004, S101  # tests assert

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from mastra_core.agents import SuspendedRuns
from mastra_core.errors import Conflict, Forbidden
from mastra_core.storage import (
    History,
    MessageQuery,
    Recall,
    Storage,
    ThreadQuery,
)
from mastra_core.testing.storage_fixtures import (
    Run,
    StorageFixtures,
    build_message,
    build_thread,
    list_ids,
)

__all__ = ("ThreadTests",)


class ThreadTests(StorageFixtures):
    """Test that threads are stored, changed, listed and deleted."""

    def test_storage_protocol(self, storage: Storage) -> None:
        """The storage and its suspended runs implement their protocols."""
        assert isinstance(storage, Storage)
        assert isinstance(storage.suspended_runs, SuspendedRuns)

    def test_thread_round_trip(self, storage: Storage, run: Run) -> None:
        """A thread is created once, read, and replaced."""
        threads = storage.threads
        one = build_thread(title="T", metadata={"k": [1, {"a": None}]}, created_at=5, updated_at=6)
        assert run(threads.get("t1")) is None
        assert run(threads.create(one))
        assert run(threads.get("t1")) == one
        assert not run(threads.create(build_thread(resource="bob")))
        assert run(threads.get("t1")) == one
        changed = msgspec.structs.replace(one, title="U", metadata={})
        assert run(threads.update(changed))
        assert run(threads.get("t1")) == changed
        assert not run(threads.update(build_thread("t2")))

    def test_fields_of_a_thread_are_updated_alone(self, storage: Storage, run: Run) -> None:
        """Two callers that update different fields at the same time lose no change."""
        threads = storage.threads
        one = build_thread(title="T", metadata={"k": 1}, created_at=5, updated_at=6)
        run(threads.create(one))
        other = build_thread(resource="bob", title="U", metadata={"k": 2}, updated_at=7)

        async def update_both() -> list[bool]:
            results = await asyncio.gather(
                threads.update(other, "ann", fields=["title"]),
                threads.update(other, "ann", fields=["metadata", "updated_at"]),
                threads.update(other, "bob", fields=["resource"]),
            )
            return [*results]

        assert run(update_both()) == [True, True, False]
        changed = msgspec.structs.replace(one, title="U", metadata={"k": 2}, updated_at=7)
        assert run(threads.get("t1")) == changed
        assert run(threads.update(other, "ann", fields=["resource"]))
        assert run(threads.get("t1")) == msgspec.structs.replace(changed, resource="bob")

    def test_thread_is_created_with_messages(self, storage: Storage, run: Run) -> None:
        """A thread and its first messages are stored together, or not at all."""
        threads, thread = storage.threads, build_thread("t2", title="T", created_at=5, updated_at=6)
        messages = [build_message(f"n{number}", "t2") for number in range(30)]
        run(threads.append(build_thread(), [build_message()]))
        with pytest.raises(Conflict, match="'m1'"):
            run(threads.create(thread, [*messages, build_message("m1", "t2")]))
        assert run(threads.get("t2")) is None
        assert run(threads.create(thread, messages))
        recall: Recall = run(threads.recall("t2", 100))
        assert recall.thread == thread
        assert list_ids(recall.messages) == list_ids(messages)
        for existing in ("t2", "t1"):
            more = [build_message("n99", existing)]
            assert not run(threads.create(build_thread(existing), more))
        assert run(threads.get_messages(["n99"])) == ()
        run(threads.create(build_thread("t3")))
        assert not run(threads.create(build_thread("t3"), [build_message("n98", "t3")]))
        assert run(threads.recall("t3", 9)).messages == ()

    def test_changes_of_another_resource_have_no_effect(self, storage: Storage, run: Run) -> None:
        """A call with another resource reads and changes nothing."""
        threads, thread = storage.threads, build_thread()
        run(threads.append(thread, [build_message()]))
        run(threads.change_working_memory("thread", "t1", lambda _: "notes", "ann"))
        assert not run(threads.update(build_thread(resource="bob"), "bob"))
        assert not run(threads.delete("t1", "bob"))
        assert run(threads.delete_messages(["m1"], "bob")) == 0
        assert run(threads.list_messages(MessageQuery(thread="t1", resource="bob"))).total == 0
        assert run(threads.get_working_memory("thread", "t1", "bob")) == ""
        with pytest.raises(Forbidden, match="'t1'"):
            run(threads.change_working_memory("thread", "t1", lambda _: "theirs", "bob"))
        assert run(threads.get_working_memory("thread", "t1", "ann")) == "notes"
        assert run(threads.list_messages(MessageQuery(thread="t1", resource="ann"))).total == 1
        assert run(threads.update(build_thread(title="T"), "ann"))
        assert run(threads.delete_messages(["m1"], "ann")) == 1
        assert run(threads.delete("t1", "ann"))

    def test_thread_pages(self, storage: Storage, run: Run) -> None:
        """Threads are filtered, sorted and divided into pages."""
        for n in range(5):
            whose = "ann" if n < 4 else "bob"
            run(
                storage.threads.create(
                    build_thread(f"t{n}", whose, metadata={"odd": n % 2}, updated_at=n)
                )
            )

        def find_ids(**query: Any) -> tuple[list[str], int]:
            page = run(storage.threads.find(ThreadQuery(**query)))
            return [item.id for item in page.items], page.total

        assert find_ids() == (["t4", "t3", "t2", "t1", "t0"], 5)
        assert find_ids(resource="ann", per_page=3) == (["t3", "t2", "t1"], 4)
        assert find_ids(resource="ann", per_page=3, page=1) == (["t0"], 4)
        assert find_ids(resource="ann", per_page=3, page=9) == ([], 4)
        assert find_ids(per_page=10**15, page=10**15) == ([], 5)
        assert find_ids(metadata={"odd": 1}, descending=False) == (["t1", "t3"], 2)
        assert find_ids(metadata={"none": None}) == ([], 0)
        assert find_ids(resource="' OR 1=1") == ([], 0)

    def test_append_creates_the_thread_and_titles_it_once(self, storage: Storage, run: Run) -> None:
        """A thread keeps the title that was set first, and the latest ``updated_at``."""
        append, get = storage.threads.append, storage.threads.get
        assert not run(append(build_thread(), [build_message()], create=False))
        assert run(get("t1")) is None
        assert run(append(build_thread(updated_at=1), [build_message()]))
        assert run(append(build_thread(title="First", updated_at=9), [], create=False))
        assert run(append(build_thread(title="Second", updated_at=3), []))
        kept = run(get("t1"))
        assert (kept.title, kept.updated_at) == ("First", 9)

    def test_append_to_a_thread_of_another_resource(self, storage: Storage, run: Run) -> None:
        """Nothing is added to a thread of another resource."""
        assert run(storage.threads.append(build_thread(), [build_message()]))
        assert not run(storage.threads.append(build_thread(resource="bob"), [build_message("m2")]))
        assert list_ids(run(storage.threads.recall("t1", 9)).messages) == ["m1"]

    def test_history_is_valid_until_another_write(self, storage: Storage, run: Run) -> None:
        """A stored history is deleted when a message of the thread changes later."""
        threads = storage.threads
        history = History(agent="a", data=b"[1]", messages=2)

        def append_messages(names: Sequence[str], **more: Any) -> Recall:
            assert run(
                threads.append(build_thread(), [build_message(name) for name in names], **more)
            )
            recall: Recall = run(threads.recall("t1", 9))
            return recall

        assert append_messages(["m1", "m2"], history=history).history == history
        position = run(threads.recall("t1", 9)).position
        assert position
        assert append_messages(["m3"], history=history, after=position).history == history
        assert append_messages(["m4"]).history is None
        assert append_messages(["m5"], history=history, after=position).history is None, (
            "m4 came in between"
        )
        position = run(threads.recall("t1", 9)).position
        assert run(threads.delete_messages(["m5"])) == 1
        assert append_messages(["m6"], history=history, after=position).history is None, (
            "it knows of m5"
        )

    def test_delete(self, storage: Storage, run: Run) -> None:
        """Messages, notes and the whole thread are deleted, and their ids can be used again."""
        threads = storage.threads
        run(threads.append(build_thread(), [build_message("m1"), build_message("m2")]))
        run(threads.change_working_memory("thread", "t1", lambda _: "notes"))
        assert run(threads.delete_messages(["m1", "m1", "none"])) == 1
        assert list_ids(run(threads.recall("t1", 9)).messages) == ["m2"]
        assert run(threads.delete("t1"))
        assert not run(threads.delete("t1"))
        assert run(threads.recall("t1", 9)) == Recall()
        assert run(threads.get_messages(["m2"])) == ()
        assert run(threads.get_working_memory("thread", "t1")) == ""
        assert run(threads.append(build_thread("t2"), [build_message("m2", "t2")])), (
            "the id is free again"
        )

    def test_reopen_after_close(self, storage: Storage, run: Run) -> None:
        """A closed storage opens again, and keeps its data."""
        run(storage.open())
        run(storage.threads.create(build_thread()))
        run(storage.close())
        run(storage.close())
        assert run(storage.threads.get("t1")).id == "t1"
