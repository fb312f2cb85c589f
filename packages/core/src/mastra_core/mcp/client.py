"""Tools of an MCP server, for an agent."""

from __future__ import annotations

import functools
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Self

from mastra_core.errors import ConfigError, McpFailed
from mastra_core.mcp.results import parse_result
from mastra_core.mcp.sdk import import_sdk_module
from mastra_core.secret import Secret
from mastra_core.tools import Tool

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Lock

    from mastra_core.mcp.connection import Connection

__all__ = ("McpClient",)

_FRESH = 300.0  # seconds until a server is asked again what tools it has


class McpClient:
    """The tools of one MCP server; pass it among the ``tools`` of an ``Agent``.

    It connects when the first run needs a tool, and again when the connection broke. The server
    that serves the application closes it; elsewhere use it as ``async with``, or ``aclose``.

    :param command: a program that speaks the protocol over its standard input and output.
    :param url: of a server that speaks it over HTTP.
    :param name: put before the names of the tools, which so cannot clash (``files_read``).
    :param env: variables of the program, beside ``PATH`` and its like; ours are not inherited.
    :param cwd: where the program runs.
    :param headers: of every request, as ``Authorization``.
    :param only: the tools that are wanted, by the server's names for them.
    :param requires_approval: a person must agree before a tool is called; or to these alone.
    :param timeout: seconds to connect, and to answer a call.
    :raises ConfigError: when it is not exactly one of ``command`` and ``url``.
    """

    def __init__(
        self,
        *,
        command: Sequence[str] = (),
        url: str = "",
        name: str = "",
        env: Mapping[str, Secret | str] | None = None,
        cwd: str | None = None,
        headers: Mapping[str, Secret | str] | None = None,
        only: Collection[str] | None = None,
        requires_approval: bool | Collection[str] = False,
        timeout: float = 30,
    ) -> None:
        if isinstance(command, str) or bool(command) == bool(url):
            raise ConfigError(
                "An McpClient is given both or neither of a command and an address.",
                'Pass command=["program", "argument"], or url="https://...".',
            )
        self.name = name
        self._command = list(command)
        self._url = url
        self._env = env
        self._cwd = cwd
        self._headers = headers or {}
        self._only = only
        self._approval = requires_approval
        self._timeout = timeout
        self._connections: dict[AbstractEventLoop, Connection] = {}
        self._locks: dict[AbstractEventLoop, Lock] = {}
        self._tools: list[Tool] = []
        self._asked = float("-inf")

    async def tools(self) -> list[Tool]:
        """What the server offers, as tools of ours.

        :raises McpFailed: when it cannot be asked.
        :raises ConfigError: without the extra ``mcp``.
        """
        if time.monotonic() - self._asked > _FRESH:
            self._tools = [self._tool(each) for each in await self._listed()]
            self._asked = time.monotonic()
        return self._tools

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """What the server's tool ``name`` answers: its data, or its text.

        :raises McpFailed: when it cannot be asked, or goes away meanwhile.
        """
        connection = await self._connected()
        given = dict(arguments)
        return parse_result(await connection.request(lambda client: client.call_tool(name, given)))

    async def aclose(self) -> None:
        """Disconnect, from every event loop it was used in; it may be used again."""
        await self._leave()
        for loop in list(self._connections):
            self._connections.pop(loop).request_close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _tool(self, listed: Any) -> Tool:
        async def call(**arguments: Any) -> Any:
            return await self.call_tool(listed.name, arguments)

        asks = self._approval
        return Tool(
            id=f"{self.name}_{listed.name}" if self.name else listed.name,
            description=listed.description or listed.title or "",
            function=call,
            input=listed.input_schema,
            requires_approval=asks if isinstance(asks, bool) else listed.name in asks,
        )

    async def _leave(self) -> None:
        """Disconnect from this event loop."""
        import asyncio

        self._asked = float("-inf")
        known = self._connections.pop(asyncio.get_running_loop(), None)
        if known is not None:
            await known.close()

    async def _listed(self) -> list[Any]:
        """Every page of the server's list; asking twice does no harm."""
        try:
            found = await self._pages()
        except McpFailed:
            await self._leave()
            found = await self._pages()
        return [each for each in found if self._only is None or each.name in self._only]

    async def _pages(self) -> list[Any]:
        found: list[Any] = []
        cursor: str | None = None
        while True:
            connection = await self._connected()
            page = await connection.request(functools.partial(_page, cursor))
            found += page.tools
            cursor = page.next_cursor
            if not cursor:
                return found

    async def _connected(self) -> Connection:
        """The connection, opened where there is none that works in this event loop."""
        import asyncio

        from mastra_core.mcp.connection import Connection

        loop = asyncio.get_running_loop()
        self._forget_closed()
        async with self._locks.setdefault(loop, asyncio.Lock()):
            known = self._connections.get(loop)
            if known is not None and not known.is_lost:
                return known
            if known is not None:
                await known.close()
            made = Connection(self._label, self._timeout)
            await made.open(self._opened)
            self._connections[loop] = made
            return made

    def _forget_closed(self) -> None:
        """A loop that was closed has ended its connection, and would be kept in memory by it."""
        for loop in [each for each in list(self._locks) if each.is_closed()]:
            self._locks.pop(loop, None)
            self._connections.pop(loop, None)

    @property
    def _label(self) -> str:
        """What messages call the server: nothing that may hold a secret."""
        if self.name or self._command:
            return self.name or self._command[0]
        from urllib.parse import urlsplit

        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def _opened(self) -> AbstractAsyncContextManager[Any]:
        mcp = import_sdk_module("mcp")
        if self._command:
            env = None if self._env is None else _revealed(self._env)
            program, *arguments = self._command
            return mcp.Client(  # type: ignore[no-any-return]  # an optional package
                mcp.StdioServerParameters(command=program, args=arguments, env=env, cwd=self._cwd)
            )
        from mastra_core.mcp.http_client import open_http_client

        return open_http_client(self._url, _revealed(self._headers), self._timeout)


async def _page(cursor: str | None, client: Any) -> Any:
    return await client.list_tools(cursor=cursor, cache_mode="refresh")


def _revealed(values: Mapping[str, Secret | str]) -> dict[str, str]:
    return {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in values.items()
    }
