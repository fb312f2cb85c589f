"""Tests of working memory."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import asyncio

import pytest

from mastra_core.errors import Forbidden
from mastra_core.storage import Storage
from mastra_core.testing.storage_fixtures import (
    Run,
    StorageFixtures,
    build_message,
    build_thread,
)

__all__ = ("WorkingMemoryTests",)


class WorkingMemoryTests(StorageFixtures):
    """Test that changes of working memory are not lost."""

    def test_working_memory_change_is_atomic(self, storage: Storage, run: Run) -> None:
        """Concurrent changes are all stored, and a failed change is not."""
        threads = storage.threads
        assert run(threads.get_working_memory("resource", "ann")) == ""
        assert run(threads.change_working_memory("resource", "ann", lambda old: old + "1")) == "1"

        def reject_change(old: str) -> str:
            assert old == "1"
            raise ValueError("this change fails on purpose")

        with pytest.raises(ValueError, match="on purpose"):
            run(threads.change_working_memory("resource", "ann", reject_change))
        assert run(threads.get_working_memory("resource", "ann")) == "1"
        assert run(threads.get_working_memory("thread", "ann")) == ""

        number = self.concurrent_changes

        async def change_often() -> None:
            change = threads.change_working_memory
            await asyncio.gather(
                *(change("resource", "ann", lambda old: old + "1") for _ in range(number))
            )

        run(change_often())
        assert run(threads.get_working_memory("resource", "ann")) == "1" * (number + 1)

    def test_notes_belong_to_their_writer_until_the_thread_exists(
        self, storage: Storage, run: Run
    ) -> None:
        """No other resource can read notes that a run writes before its thread is created."""
        threads = storage.threads

        def write(thread_id: str, resource: str | None, text: str) -> None:
            run(threads.change_working_memory("thread", thread_id, lambda _: text, resource))

        def read(thread_id: str, resource: str | None = None) -> str:
            notes: str = run(threads.get_working_memory("thread", thread_id, resource))
            return notes

        for name in ("t1", "t2", "t3"):
            write(name, "ann", "first")
            write(name, None, "notes")
            assert (read(name, "ann"), read(name, "bob"), read(name)) == ("notes", "", "notes")
            with pytest.raises(Forbidden, match=name):
                write(name, "bob", "theirs")
        run(threads.create(build_thread("t1", "bob")))
        run(threads.append(build_thread("t2", "bob"), [build_message("m2", "t2")]))
        run(threads.append(build_thread("t3", "ann"), [build_message("m3", "t3")]))
        assert [read("t1"), read("t2"), read("t3", "ann")] == ["", "", "notes"]
        write("t1", "bob", "own")
        assert read("t1", "bob") == "own"
        write("t4", None, "of the application")
        run(threads.create(build_thread("t4", "bob")))
        assert read("t4", "bob") == "of the application"

    def test_notes_about_a_resource_belong_to_it(self, storage: Storage, run: Run) -> None:
        """No resource can read or change the notes about another resource."""
        threads = storage.threads
        run(threads.change_working_memory("resource", "ann", lambda _: "of ann", "ann"))
        assert run(threads.get_working_memory("resource", "ann", "bob")) == ""
        with pytest.raises(Forbidden, match="ann"):
            run(threads.change_working_memory("resource", "ann", lambda _: "theirs", "bob"))
        assert run(threads.get_working_memory("resource", "ann", "ann")) == "of ann"
