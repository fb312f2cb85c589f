"""Tests of the responses that a storage keeps."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

from typing import Any

import pytest

from mastra_core.storage import RecordStore, Storage
from mastra_core.testing.storage_fixtures import Run, StorageFixtures

__all__ = ("RecordTests",)

_MAX_RECORDS = 40  # of 1.9 MB, more than any storage keeps for one caller


class RecordTests(StorageFixtures):
    """Test the optional member ``responses``; a storage without it skips these tests."""

    @pytest.fixture
    def responses(self, storage: Storage) -> RecordStore:
        """Return the responses of the storage."""
        found: Any = getattr(storage, "responses", None)
        if found is None:
            pytest.skip(f"{type(storage).__name__} keeps no responses.")
        records: RecordStore = found
        return records

    def test_response_is_read_by_its_owner(self, responses: RecordStore, run: Run) -> None:
        """A record has one owner, and an id names one record."""
        data = '{"text": "søk"}'.encode()
        run(responses.put("r1", "ann", "caller", data))
        run(responses.put("r1", "bob", "caller", b"{}"))
        assert run(responses.get("r1", "ann")) == data
        assert run(responses.get("r1", "bob")) is None
        assert run(responses.get("r2", "ann")) is None

    def test_response_is_deleted_by_its_owner(self, responses: RecordStore, run: Run) -> None:
        """Only the owner deletes a record, and only once."""
        run(responses.put("r1", "ann", "caller", b"{}"))
        assert run(responses.delete("r1", "bob")) is False
        assert run(responses.delete("r1", "ann")) is True
        assert run(responses.delete("r1", "ann")) is False
        assert run(responses.get("r1", "ann")) is None

    def test_responses_of_a_caller_are_bounded(self, responses: RecordStore, run: Run) -> None:
        """If a caller has too many records, only this caller's oldest records are removed."""
        run(responses.put("other", "", "bob", b"{}"))
        data = b'"' + b"x" * 1_900_000 + b'"'
        run(responses.put("r0", "", "ann", data))
        number = 0
        while number < _MAX_RECORDS and run(responses.get("r0", "")) is not None:
            number += 1
            run(responses.put(f"r{number}", "", "ann", data))
        assert run(responses.get("r0", "")) is None
        assert run(responses.get(f"r{number}", "")) == data
        assert run(responses.get("other", "")) == b"{}"
