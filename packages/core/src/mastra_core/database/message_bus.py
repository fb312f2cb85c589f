"""Messages between the servers that share a database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from mastra_core.database.postgres_pool import PostgresPool
from mastra_core.override import override

__all__ = ("MAX_MESSAGE_BYTES", "MessageBus", "PostgresBus")

MAX_MESSAGE_BYTES = 7_900  # PostgreSQL allows 8,000 for a notification
_NOTIFY = """SELECT pg_notify(%s, message) FROM unnest(%s::text[])
    WITH ORDINALITY AS messages (message, number) ORDER BY number"""


class MessageBus(Protocol):
    """Sends messages to all servers that listen at the moment."""

    async def publish(self, channel: str, messages: Sequence[str]) -> None:
        """Send messages in order; of equal messages in one call, perhaps only one arrives.

        If the connection to the database is lost, all messages of the call may arrive twice.

        :param channel: name of the channel, an identifier in lower case.
        :param messages: the messages, of at most ``MAX_MESSAGE_BYTES`` each.
        :raises StorageError: when the database cannot be used.
        """

    def listen(self, *channels: str) -> AsyncIterator[str]:
        """Yield an empty message when listening begins, and then the messages of channels.

        :param channels: names of the channels.
        :raises StorageError: when the connection is lost.
        """


class PostgresBus(MessageBus):
    """The notifications of a PostgreSQL database.

    :param pool: the connections.
    """

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool

    @override
    async def publish(self, channel: str, messages: Sequence[str]) -> None:
        # A transaction would send two more statements.
        await self._pool.run_in_autocommit(
            lambda connection: connection.execute(_NOTIFY, (channel, list(messages)))
        )

    @override
    def listen(self, *channels: str) -> AsyncIterator[str]:
        return self._pool.listen(*channels)
