"""Keep the latest responses of the Responses API, in the storage or in this process."""

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.agents import Message
from mastra_core.database.unreadable_data import build_unreadable_error
from mastra_core.errors import InvalidInput, NotFound, StorageError
from mastra_core.limits.caller_cache import CallerCache
from mastra_core.limits.memory_limit import fit_to_memory
from mastra_core.limits.memory_size import estimate_size
from mastra_core.logger import get_logger
from mastra_core.schema import encode_json
from mastra_core.storage import RecordStore, Storage
from mastra_server.openai.choose_conversation import ConversationThread

__all__ = ("ResponseStore", "StoredResponse")

_MAX_RESPONSES = 1000
_MAX_BYTES = fit_to_memory(64 * 1024 * 1024)
_MAX_AGE = 24 * 3600.0  # seconds


class StoredResponse(msgspec.Struct, frozen=True):
    """A response, with the data that is needed to continue it.

    If the response belongs to a conversation, the memory has the messages. Otherwise the messages
    are in ``history``, if the agent framework returns them in its own form, or else in
    ``messages``.
    """

    response: dict[str, Any]
    agent: str
    owner: str
    history: bytes
    messages: tuple[Message, ...]
    conversation: ConversationThread | None


class ResponseStore:
    """The latest responses, which clients can retrieve and continue.

    :param storage: the storage of the application. If the storage keeps responses, all servers that
        share the storage can retrieve them.
    """

    def __init__(self, storage: Storage) -> None:
        self._records: RecordStore | None = getattr(storage, "responses", None)
        self._cache: CallerCache[str, StoredResponse] = CallerCache(
            _MAX_RESPONSES, _MAX_BYTES, _MAX_AGE
        )

    async def put(self, entry: StoredResponse, caller: str) -> None:
        """Store a response. If the storage fails, only log the error: the run has already ended.

        :param entry: the response with what is needed to continue it.
        :param caller: the caller whose limits apply to the response.
        """
        name = entry.response["id"]
        if self._records is None:
            self._cache.put(name, entry, caller, estimate_size(entry))
            return
        try:
            await self._records.put(name, entry.owner, caller, encode_json(entry))
        except (InvalidInput, StorageError) as error:
            get_logger("mastra.server").error("a response cannot be stored: %s", error.message)

    async def get(self, response_id: str, owner: str) -> StoredResponse:
        """Return a response.

        :param response_id: the id of the response.
        :param owner: the resource that the caller is restricted to; empty without a restriction.
        :raises NotFound: when this owner has no such response.
        """
        if self._records is None:
            stored = self._cache.get(response_id)
        else:
            data = await self._records.get(response_id, owner)
            stored = _decode(data, response_id) if data else None
        if not stored or stored.owner != owner:
            raise NotFound(f"Response {response_id} was not found")
        return stored

    async def delete(self, response_id: str, owner: str) -> None:
        """Delete a response.

        :param response_id: the id of the response.
        :param owner: the resource that the caller is restricted to; empty without a restriction.
        :raises NotFound: when this owner has no such response.
        """
        if self._records is None:
            await self.get(response_id, owner)
            self._cache.pop(response_id)
        elif not await self._records.delete(response_id, owner):
            raise NotFound(f"Response {response_id} was not found")


def _decode(data: bytes, response_id: str) -> StoredResponse:
    try:
        return msgspec.json.decode(data, type=StoredResponse)
    except msgspec.DecodeError as error:
        raise build_unreadable_error(f"The response {response_id!r}", error) from None
