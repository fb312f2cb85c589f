"""Connections to a PostgreSQL database, which open at their first use.

The package ``psycopg`` (extra ``mastra-core[postgres]``) is imported at the first use.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from mastra_core.database.encodable_text import build_encoding_error
from mastra_core.database.loop_pool import LoopPool
from mastra_core.database.postgres_errors import is_connection_lost, to_storage_error
from mastra_core.database.postgres_migration import migrate_postgres
from mastra_core.database.table_versions import Schema
from mastra_core.database.url import DatabaseUrl
from mastra_core.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Error
    from psycopg_pool import AsyncConnectionPool

__all__ = ("PostgresPool",)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_CONNECT_SECONDS = 10
_CHECK_SECONDS = 3
_RECENT_SECONDS = 5  # after an answer, the database counts as available
_IDLE_SECONDS = 5  # after which the server ends a transaction whose process is silent
_SET_IDLE_TIMEOUTS = """SELECT set_config(name, %s, false) FROM pg_settings
    WHERE name IN ('idle_in_transaction_session_timeout', 'tcp_user_timeout') AND setting = '0'"""
# Options of libpq, so that a cut connection is noticed; those of the URL have priority.
_OPTIONS = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "6000",  # with the time to connect again, a call fails within 20 seconds
    "application_name": "mastra",
}
_READ_ONLY = "25006"  # also after a failover, from a server that is no longer the primary
# Serialization failure, deadlock, idle transaction: nothing of them was stored.
_RETRIED = ("40001", "40P01", "25P03", _READ_ONLY)
_MAX_TRIES = 8


class PostgresPool:
    """A pool of connections to one database.

    Each event loop has connections of its own. After ``close``, the next use opens new connections.
    Calls that may read a whole table use at most half of the connections, so that the other calls
    do not wait for them.

    :param url: the database.
    :param schemas: the tables, which the first use creates or migrates.
    :param max_connections: maximum number of connections of an event loop.
    :raises ConfigError: when the URL names no PostgreSQL database.
    """

    def __init__(
        self, url: DatabaseUrl, schemas: Sequence[Schema] = (), *, max_connections: int = 10
    ) -> None:
        if url.kind != "postgresql":
            raise ConfigError(
                f"{url.display!r} is not a PostgreSQL database.",
                'Use a URL such as "postgresql://user:password@host:5432/name".',
            )
        self.url = url
        self._schemas = schemas
        self._max_connections = max_connections
        self._max_scans = max(1, max_connections // 2)
        self._loops: dict[asyncio.AbstractEventLoop, LoopPool] = {}
        self._answered_at = -math.inf  # of time.monotonic()

    async def open(self) -> None:
        """Connect, and create or migrate the tables.

        :raises ConfigError: when the package ``psycopg`` is not installed.
        :raises StorageError: when the database cannot be used, or was written by a newer version of
            mastra.
        """
        await self._get_connections().get()

    async def check(self) -> None:
        """Check that the database answers, unless it has answered in the last five seconds.

        :raises StorageError: when the database cannot be used.
        """
        # While all connections are in use, a query would wait although the database works.
        if time.monotonic() - self._answered_at > _RECENT_SECONDS:
            await self.run_in_autocommit(lambda connection: connection.execute("SELECT 1"))

    async def close(self) -> None:
        """Close the connections of this event loop."""
        connections = self._loops.pop(asyncio.get_running_loop(), None)
        if connections is not None:
            await connections.close()

    async def run(
        self,
        work: Callable[[AsyncConnection[Any]], Awaitable[T]],
        *,
        repeat_on: Sequence[str] = (),
        writes: bool = True,
        scans: bool = False,
    ) -> T:
        """Call a function with a connection in a transaction, and commit.

        ``work`` is called again after a deadlock, and if the connection was lost before the commit.

        :param work: reads from and writes to the connection.
        :param repeat_on: codes of other errors after which the function is called again.
        :param writes: whether the function changes data. A function that only reads is also called
            again if the connection was lost during the commit.
        :param scans: whether the function may read a whole table.
        :raises InvalidInput: when UTF-8 cannot encode a text.
        :raises StorageError: for every error of the driver.
        """
        return await self._repeat(lambda: _Transaction(work, writes=writes), repeat_on, scans=scans)

    async def run_in_autocommit(
        self, work: Callable[[AsyncConnection[Any]], Awaitable[T]], *, scans: bool = False
    ) -> T:
        """Call a function with a connection in autocommit mode, without a transaction.

        ``work`` is called again if the connection was lost, also if a statement was committed.

        :param work: reads from the connection, or executes one statement whose repetition does no
            harm.
        :param scans: whether the function may read a whole table.
        :raises InvalidInput: when UTF-8 cannot encode a text.
        :raises StorageError: for every error of the driver.
        """
        return await self._repeat(lambda: _Autocommit(work), scans=scans)

    async def _repeat(
        self,
        create_attempt: Callable[[], _Attempt[T]],
        repeat_on: Sequence[str] = (),
        *,
        scans: bool,
    ) -> T:
        await self.open()
        from psycopg import Error

        count = _count_cancellations()
        for number in itertools.count(1):
            attempt = create_attempt()
            try:
                async with (
                    self._limit_scans() if scans else contextlib.nullcontext(),
                    self._acquire() as connection,
                    _close_if_read_only(connection),
                ):
                    result = await attempt.run(connection)
                self._answered_at = time.monotonic()
                return result
            except Error as error:
                _raise_lost_cancellation(count)
                may_repeat = error.sqlstate in repeat_on or attempt.may_repeat(error)
                if number >= self._get_max_tries(error) or not may_repeat:
                    raise to_storage_error(
                        error, self.url.display, may_be_stored=attempt.may_be_stored
                    ) from error
                await self._prepare_repetition(error, number)
            except UnicodeEncodeError as error:
                raise build_encoding_error(error) from None
        raise AssertionError

    async def listen(self, *channels: str) -> AsyncIterator[str]:
        """Yield the payloads that ``NOTIFY`` sends to channels.

        Each call of this method opens its own connection. The first value is an empty text, which
        means that the connection now receives every notification.

        :param channels: names of the channels, identifiers in lower case.
        :raises StorageError: when the connection is lost.
        """
        connection = await self._connect()
        from psycopg import Error

        count = _count_cancellations()
        try:
            for channel in channels:
                await connection.execute(f"LISTEN {channel}".encode())
            yield ""
            async for notification in connection.notifies():
                _raise_lost_cancellation(count)
                yield notification.payload
        except Error as error:
            _raise_lost_cancellation(count)
            raise to_storage_error(error, self.url.display) from error
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def _limit_scans(self) -> AsyncIterator[None]:
        """Wait until another call may read a whole table."""
        limit = self._get_connections().scan_limit
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await limit.acquire()
        except TimeoutError:
            raise StorageError(
                f"Other lists used all {self._max_scans} connections for lists of the database "
                f"{self.url.display!r} for {_CONNECT_SECONDS} seconds.",
                "Send the request again later. If this happens often, raise max_connections=...",
            ) from None
        try:
            yield
        finally:
            limit.release()

    @contextlib.asynccontextmanager
    async def _acquire(self) -> AsyncIterator[AsyncConnection[Any]]:
        count = _count_cancellations()
        pool = await self._get_connections().get()
        from psycopg_pool import PoolTimeout

        try:
            borrowed = await pool.getconn(timeout=_CONNECT_SECONDS)
        except PoolTimeout:
            # If the server is the cause, this raises an error that names it.
            await (await self._connect(_CHECK_SECONDS)).close()
            _raise_lost_cancellation(count)
            raise StorageError(
                f"All {self._max_connections} connections to the database {self.url.display!r} "
                f"were in use for {_CONNECT_SECONDS} seconds.",
                "Send the request again later. If this happens often, raise max_connections=...",
            ) from None
        try:
            yield borrowed
        finally:
            await pool.putconn(borrowed)
        _raise_lost_cancellation(count)

    def _get_max_tries(self, error: Error) -> int:
        """Return how many times a function may be called if this error occurs."""
        is_read_only = error.sqlstate == _READ_ONLY  # after a failover, on each idle connection
        return _MAX_TRIES + self._max_connections if is_read_only else _MAX_TRIES

    async def _prepare_repetition(self, error: Any, number: int) -> None:
        """Wait before a transaction is repeated, and discard lost connections."""
        if not is_connection_lost(error):
            await asyncio.sleep(random.uniform(0, 0.01 * number))  # noqa: S311  # no secret
        else:
            await self._get_connections().discard_lost()

    def _get_connections(self) -> LoopPool:
        """Return the connections of this event loop; forget those of closed event loops."""
        loop = asyncio.get_running_loop()
        found = self._loops.get(loop)
        if found is None:
            for other in [each for each in [*self._loops] if each.is_closed()]:
                self._loops.pop(other, None)
            found = self._loops[loop] = LoopPool(self._open_pool, self._max_scans)
        return found

    async def _open_pool(
        self, register: Callable[[AsyncConnection[Any]], None]
    ) -> AsyncConnectionPool[AsyncConnection[Any]]:
        connection = await self._connect()
        from psycopg import Error

        try:
            for schema in self._schemas:
                await migrate_postgres(connection, schema, self.url.display)
        except Error as error:
            raise to_storage_error(error, self.url.display) from error
        finally:
            await connection.close()
        from psycopg_pool import AsyncConnectionPool

        async def configure(connection: AsyncConnection[Any]) -> None:
            register(connection)
            await _set_idle_timeouts(connection)

        pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            self.url.reveal(),
            kwargs={**self._get_options(), "autocommit": True},
            min_size=min(2, self._max_connections),
            max_size=self._max_connections,
            configure=configure,
            reconnect_timeout=_CONNECT_SECONDS,  # otherwise, delays exceed an outage
            open=False,
        )
        await pool.open()
        return pool

    async def _connect(self, seconds: int = _CONNECT_SECONDS) -> AsyncConnection[Any]:
        """Open one connection outside the pool, so that an error names its cause."""
        psycopg = _import_psycopg()
        options, count = self._get_options(seconds), _count_cancellations()
        try:
            return await psycopg.AsyncConnection.connect(  # type: ignore[no-any-return]  # a module
                self.url.reveal(), autocommit=True, **options
            )
        except psycopg.ProgrammingError:  # its message may contain the password
            raise ConfigError(
                f"The URL of the database {self.url.display!r} has an unknown or invalid option.",
                "Use the options of libpq, such as ?sslmode=require.",
            ) from None
        except psycopg.Error as error:
            _raise_lost_cancellation(count)
            raise to_storage_error(error, self.url.display) from error

    def _get_options(self, seconds: int = _CONNECT_SECONDS) -> dict[str, Any]:
        """Return the options of libpq that the URL does not set."""
        query = self.url.reveal().partition("?")[2]
        options = {"connect_timeout": str(seconds), **_OPTIONS}
        return {name: value for name, value in options.items() if f"{name}=" not in query}


async def _set_idle_timeouts(connection: AsyncConnection[Any]) -> None:
    """Let the server end sessions of a process that is paused or has lost its network connection.

    Until the server ends a session, its locks block all other processes. Without a timeout, the
    server may need hours to notice a lost connection. A timeout that the administrator has set is
    kept.
    """
    await connection.execute(_SET_IDLE_TIMEOUTS.encode(), (str(int(_IDLE_SECONDS * 1000)),))


@contextlib.asynccontextmanager
async def _close_if_read_only(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """Close a connection whose server refuses changes; a new one may reach the primary server."""
    from psycopg import Error

    try:
        yield
    except Error as error:
        if error.sqlstate == _READ_ONLY:
            await connection.close()
        raise


def _count_cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _raise_lost_cancellation(count: int) -> None:
    """Cancel the current task again if a library has swallowed its cancellation.

    ``psycopg`` waits with ``asyncio.wait_for``, which before Python 3.12 loses a cancellation that
    arrives together with the answer of the server. The answer may be an error.
    """
    if _count_cancellations() > count:
        raise asyncio.CancelledError


class _Attempt(Protocol[T_co]):
    """One attempt to call a function with a connection.

    :ivar may_be_stored: whether the attempt has begun to commit changes.
    """

    may_be_stored: bool

    async def run(self, connection: AsyncConnection[Any]) -> T_co:
        """Call the function.

        :param connection: the connection.
        """

    def may_repeat(self, error: Error) -> bool:
        """Return whether the function may be called again.

        :param error: the error of the attempt.
        """


class _Autocommit(Generic[T]):
    """An attempt without a transaction, at work whose repetition does no harm."""

    may_be_stored = False

    def __init__(self, work: Callable[[AsyncConnection[Any]], Awaitable[T]]) -> None:
        self._work = work

    async def run(self, connection: AsyncConnection[Any]) -> T:
        return await self._work(connection)

    def may_repeat(self, error: Error) -> bool:
        return error.sqlstate in _RETRIED or is_connection_lost(error)


class _Transaction(Generic[T]):
    """An attempt at a transaction, which stores everything or nothing."""

    def __init__(
        self, work: Callable[[AsyncConnection[Any]], Awaitable[T]], *, writes: bool
    ) -> None:
        self._work = work
        self._writes = writes
        self.may_be_stored = False

    async def run(self, connection: AsyncConnection[Any]) -> T:
        async with connection.transaction():
            result = await self._work(connection)
            self.may_be_stored = self._writes
        self.may_be_stored = False
        return result

    def may_repeat(self, error: Error) -> bool:
        if error.sqlstate in _RETRIED:
            return True
        return not self.may_be_stored and is_connection_lost(error)


def _import_psycopg() -> Any:
    try:
        import psycopg
        import psycopg_pool  # noqa: F401  # its absence is reported now
    except ImportError as error:
        raise ConfigError(
            f"A PostgreSQL database needs the package {error.name!r}, which cannot be imported: "
            f"{error}.",
            'Run: pip install "mastra-core[postgres]"',
        ) from None
    return psycopg
