"""The connections of one event loop to a PostgreSQL database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

__all__ = ("LoopPool",)

_CHECK_SECONDS = 3


class LoopPool:
    """A pool of connections that opens at its first use.

    All methods are called in one event loop. The connections are closed when this event loop ends
    and cancels its tasks. After that, the pool cancels its callers: tasks that store something when
    they are cancelled would otherwise wait for connections forever.

    :param create_pool: connects, creates or migrates the tables, and returns an open pool. It gets
        a function to which the pool must pass each of its connections.
    :param max_scans: the maximum number of concurrent calls that may read a whole table.
    :ivar scan_limit: counts these calls.
    """

    def __init__(
        self,
        create_pool: Callable[
            [Callable[[AsyncConnection[Any]], None]],
            Awaitable[AsyncConnectionPool[AsyncConnection[Any]]],
        ],
        max_scans: int,
    ) -> None:
        self.scan_limit = asyncio.Semaphore(max_scans)
        self._create_pool = create_pool
        self._connections: WeakSet[AsyncConnection[Any]] = WeakSet()
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] | None = None
        self._opening = asyncio.Lock()
        self._closer: asyncio.Task[None] | None = None
        self._checker: asyncio.Task[None] | None = None
        self._is_ended = False  # whether the event loop has cancelled its tasks

    async def get(self) -> AsyncConnectionPool[AsyncConnection[Any]]:
        """Return the open pool.

        :raises MastraError: when the database cannot be used.
        :raises asyncio.CancelledError: when the event loop ends.
        """
        if self._is_ended:
            raise asyncio.CancelledError
        if self._pool is not None:
            return self._pool
        async with self._opening:
            if self._pool is None:
                self._pool = await self._create_pool(self._connections.add)
                closing = self._close_at_cancellation(self._pool)
                self._closer = asyncio.create_task(closing, name="close connections")
                await asyncio.sleep(0)  # a task that is cancelled before its start closes nothing
            return self._pool

    async def discard_lost(self) -> None:
        """Begin to close the connections that are lost.

        A check may take seconds to notice that a connection is lost, so it runs in a task.
        """
        if self._pool is not None and (self._checker is None or self._checker.done()):
            self._checker = asyncio.create_task(self._pool.check(), name="check connections")
            await asyncio.sleep(0)  # the check begins with taking all connections from the pool

    async def close(self) -> None:
        """Close the connections, also those that are being opened."""
        async with self._opening:
            pool, closer = self._pool, self._closer
            self._pool = self._closer = None
        if pool is None or closer is None:
            return
        closer.cancel()
        await asyncio.wait([closer])
        await self._end_check()
        await pool.close()

    async def _end_check(self) -> None:
        """Wait a few seconds for the task that checks the connections, and then cancel it."""
        checker, self._checker = self._checker, None
        if checker is not None and not checker.done():
            await asyncio.wait([checker], timeout=_CHECK_SECONDS)
            checker.cancel()
            await asyncio.wait([checker])

    async def _close_at_cancellation(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        """Wait until ``close`` or the end of the event loop cancels this task; then close the pool.

        A worker of the pool that is cancelled while it connects takes this for a failed connection
        and continues, so an event loop in which nobody has called ``close`` would never end. The
        cancellation of the other workers ends ``pool.close`` before it closes the connections.
        """
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._is_ended = self._pool is pool  # `close` removes the pool first
            try:
                await pool.close()
            except asyncio.CancelledError:
                for connection in [*self._connections]:
                    await connection.close()
                raise
