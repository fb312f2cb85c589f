"""A connection to an MCP server, held open by a task of its own.

What the SDK opens must be closed by the task that opened it, and an agent's runs are tasks that
come and go.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from mastra_core.errors import McpFailed
from mastra_core.logger import logger_of
from mastra_core.mcp.sdk import import_sdk_module

__all__ = ("Connection",)

T = TypeVar("T")


class Connection:
    """One client of the SDK while it is connected.

    :param name: what messages call the server.
    :param timeout: seconds to connect, and to answer a request.
    """

    def __init__(self, name: str, timeout: float) -> None:
        self._name = name
        self._timeout = timeout
        self._stop = asyncio.Event()
        self._client: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._broken = False

    @property
    def is_lost(self) -> bool:
        """It broke, so another is needed."""
        return self._broken or (self._task is not None and self._task.done())

    async def open(self, make: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        """Connect.

        :raises McpFailed: when the server does not answer, or not in time.
        """
        self._task = asyncio.create_task(self._hold(make), name=f"MCP server {self._name}")
        try:
            await asyncio.wait_for(asyncio.shield(self._client), self._timeout)
        except BaseException as error:
            await self.close()
            if not isinstance(error, Exception):
                raise
            raise self._failed("cannot be reached", error) from None

    async def request(self, send: Callable[[Any], Awaitable[T]]) -> T:
        """What the server answers.

        :raises McpFailed: when the connection breaks, or the answer does not come in time.
        """
        asked = asyncio.ensure_future(send(self._client.result()))
        watched: set[asyncio.Future[Any]] = {asked}
        if self._task is not None:
            watched.add(self._task)
        try:
            await asyncio.wait(watched, timeout=self._timeout, return_when="FIRST_COMPLETED")
        finally:
            asked.cancel()
        if not asked.done():
            words = "went away" if self.is_lost else "did not answer in time"
            raise self._failed(words, None)
        error = asked.exception()
        if error is not None:
            self._broken = not _answered(error)
            words = "went away" if self._broken else "answered with an error"
            raise self._failed(words, error)
        return asked.result()

    async def close(self) -> None:
        """Disconnect; a process that was started ends."""
        self._stop.set()
        if self._task is None:
            return
        done, _ = await asyncio.wait({self._task}, timeout=self._timeout)
        if not done:
            self._task.cancel()
            await asyncio.wait({self._task})

    def request_close(self) -> None:
        """Have it closed by its own event loop, from another one."""
        with contextlib.suppress(RuntimeError):  # that loop was closed, and ended it
            self._client.get_loop().call_soon_threadsafe(self._stop.set)

    async def _hold(self, make: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        try:
            async with make() as client:
                self._client.set_result(client)
                await self._stop.wait()
        except Exception as error:  # noqa: BLE001  # told to whoever waits, or to the log
            if not self._client.done():
                self._client.set_exception(error)
                with contextlib.suppress(Exception):
                    self._client.exception()  # looked at, so that the loop does not complain
            else:
                self._log(error)

    def _failed(self, words: str, error: BaseException | None) -> McpFailed:
        self._log(error)
        return McpFailed(
            f"The MCP server {self._name!r} {words}.",
            "See its own log, and whether its command or address is right.",
        )

    def _log(self, error: BaseException | None) -> None:
        logger_of("mastra.mcp").warning("MCP server %r", self._name, exc_info=error)


def _answered(error: BaseException) -> bool:
    """Whether the server itself said so; else it is the connection that broke."""
    types = import_sdk_module("mcp_types")
    return (
        isinstance(error, import_sdk_module("mcp").MCPError)
        and error.error.code != types.CONNECTION_CLOSED
    )
