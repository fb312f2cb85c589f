"""The store of responses in a database."""

import asyncio

import pytest

from mastra_core.errors import MastraError
from mastra_core.storage import SqliteStorage
from mastra_server.openai.response_store import ResponseStore


def test_response_of_a_newer_version(tmp_path):
    """The error names the response and the cure."""

    async def run_scenario():
        storage = SqliteStorage(str(tmp_path / "app.db"))
        store = ResponseStore(storage)
        await store._records.put("r1", "ann", "", b'{"shape":"new"}')
        try:
            await store.get("r1", "ann")
        finally:
            await storage.close()

    with pytest.raises(MastraError, match="The response 'r1' cannot be read: ") as raised:
        asyncio.run(run_scenario())
    assert "update mastra-core" in raised.value.hint
