"""A connection to an MCP server that a separate task keeps open.

The SDK requires that the task that opens a connection also closes it. The task of an agent's run
cannot close the connection, because the task ends earlier than the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from mastra_core.errors import ConfigError, McpFailed
from mastra_core.logger import get_logger
from mastra_core.mcp.sdk import import_sdk_module

__all__ = ("Connection",)

T = TypeVar("T")


class Connection:
    """One connected client of the MCP SDK.

    :param name: name of the server in messages.
    :param timeout: time limit in seconds, for connecting and for each response.
    """

    def __init__(self, name: str, timeout: float) -> None:
        self._name = name
        self._timeout = timeout
        self._stop = asyncio.Event()
        self._client: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._is_broken = False

    @property
    def is_lost(self) -> bool:
        """Whether the connection was lost and must be opened again."""
        return self._is_broken or (self._task is not None and self._task.done())

    async def open(self, connect: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        """Connect.

        :param connect: creates the SDK's client.
        :raises McpFailed: when the server does not respond in time.
        :raises ConfigError: when the SDK is missing or too old.
        """
        self._task = asyncio.create_task(self._run(connect), name=f"MCP server {self._name}")
        try:
            await asyncio.wait_for(asyncio.shield(self._client), self._timeout)
        except BaseException as error:
            await self.close()
            if not isinstance(error, Exception) or isinstance(error, ConfigError):
                raise
            raise self._to_error("cannot be reached", error) from None

    async def request(self, send: Callable[[Any], Awaitable[T]]) -> T:
        """Send a request, and wait for the response.

        :param send: sends the request with the SDK's client.
        :raises McpFailed: when the connection is lost, or the response does not come in time.
        """
        request = asyncio.ensure_future(send(self._client.result()))
        futures: set[asyncio.Future[Any]] = {request}
        if self._task is not None:
            futures.add(self._task)
        try:
            await asyncio.wait(futures, timeout=self._timeout, return_when="FIRST_COMPLETED")
        finally:
            request.cancel()
        is_ended = request.done()
        if not is_ended or request.cancelled():  # the SDK cancels a request with its connection
            reason = "went away" if is_ended or self.is_lost else "did not answer in time"
            raise self._to_error(reason, None)
        error = request.exception()
        if error is not None:
            self._is_broken = not _is_server_error(error)
            reason = "went away" if self._is_broken else "answered with an error"
            raise self._to_error(reason, error)
        return request.result()

    async def close(self) -> None:
        """Disconnect, and end the server's process if this client started it."""
        self._stop.set()
        if self._task is None:
            return
        done, _ = await asyncio.wait({self._task}, timeout=self._timeout)
        if not done:
            self._task.cancel()
            await asyncio.wait({self._task})

    def request_close(self) -> None:
        """Ask the connection's event loop to close the connection; call it from any event loop."""
        with contextlib.suppress(RuntimeError):  # a closed loop has closed the connection already
            self._client.get_loop().call_soon_threadsafe(self._stop.set)

    async def _run(self, connect: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        try:
            async with connect() as client:
                self._client.set_result(client)
                await self._stop.wait()
        except Exception as error:  # noqa: BLE001  # raised to the waiting caller, or logged
            if not self._client.done():
                self._client.set_exception(error)
                with contextlib.suppress(Exception):
                    self._client.exception()  # retrieved, so that the loop logs no warning
            else:
                self._log("went away", error)

    def _to_error(self, reason: str, error: BaseException | None) -> McpFailed:
        self._log(reason, error)
        return McpFailed(
            f"The MCP server {self._name!r} {reason}.",
            "Check the server's own log, and its command or URL.",
        )

    def _log(self, reason: str, error: BaseException | None) -> None:
        get_logger("mastra.mcp").warning("the MCP server %r %s", self._name, reason, exc_info=error)


def _is_server_error(error: BaseException) -> bool:
    """Return whether the server sent the error, so that the connection still works."""
    types = import_sdk_module("mcp_types")
    return (
        isinstance(error, import_sdk_module("mcp").MCPError)
        and error.error.code != types.CONNECTION_CLOSED
    )
