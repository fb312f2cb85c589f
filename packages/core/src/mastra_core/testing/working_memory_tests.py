"""Tests of working memory."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import asyncio

import pytest

from mastra_core.storage import Storage
from mastra_core.testing.storage_fixtures import Run, StorageFixtures

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
