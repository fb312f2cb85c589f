"""Tools of an MCP server for an agent."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Self

from mastra_core.arguments.argument_types import check_types, refuse_text
from mastra_core.arguments.number_checks import check_seconds
from mastra_core.errors import ConfigError, McpFailed
from mastra_core.logger import get_logger
from mastra_core.logs.http_url import parse_http_url
from mastra_core.mcp.results import parse_result
from mastra_core.mcp.sdk import import_sdk_module
from mastra_core.request_scope import RequestLifetime, get_current_request, is_request_scoped
from mastra_core.secret import Secret
from mastra_core.telemetry import inject_context
from mastra_core.tools import Tool

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Lock

    from mastra_core.mcp.connection import Connection

__all__ = ("McpClient",)

_IMPORT_VARIABLES = ("PYTHONPATH", "PYTHONNOUSERSITE")
_LIST_TTL = 300.0  # seconds until the server's tools are listed again
_MAX_PAGES = 100  # of a list of tools; a faulty server could name a next page forever


class McpClient:
    """The tools of one MCP server, for the ``tools`` of an ``Agent``.

    The client connects when the first run needs a tool, and again after a lost connection. On
    platforms where a connection cannot outlive its request, each request that needs a tool opens a
    connection. When an application's server stops, it closes the client. In other programs, use the
    client in ``async with``, or call ``aclose``.

    :param command: a program that speaks the protocol over its standard input and output.
    :param url: URL of a server that speaks the protocol over HTTP.
    :param name: prefix of the tools' names, which prevents duplicates (``files_read``).
    :param env: environment variables of the program. From this process, the program inherits only
        ``PATH``, ``PYTHONPATH`` and the like.
    :param cwd: working directory of the program.
    :param headers: headers of every request, such as ``Authorization``.
    :param only: names of the server's tools to offer; all by default.
    :param requires_approval: whether a person must approve each call; or the names of the tools
        whose calls a person must approve.
    :param timeout: time limit in seconds, for connecting and for the response to each call.
    :raises ConfigError: when both or neither of ``command`` and ``url`` are given, for an invalid
        URL or time limit, or for an argument of the wrong type.
    """

    def __init__(
        self,
        *,
        command: Sequence[str] = (),
        url: str = "",
        name: str = "",
        env: Mapping[str, Secret | str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        headers: Mapping[str, Secret | str] | None = None,
        only: Collection[str] | None = None,
        requires_approval: bool | Collection[str] = False,
        timeout: float = 30,
    ) -> None:
        if isinstance(command, str):  # not quoted, because an argument may be a credential
            raise ConfigError(
                "The command of an McpClient is text, but it must be a list.",
                'Pass command=["program", "argument"].',
            )
        refuse_text(only, "only", "McpClient")
        refuse_text(requires_approval, "requires_approval", "McpClient")
        check_types(locals(), McpClient.__init__.__annotations__)
        check_seconds(f"timeout={timeout!r}", timeout)
        if bool(command) == bool(url):
            raise ConfigError(
                "An McpClient needs either a command or a URL, but it got both or neither.",
                'Pass command=["program", "argument"], or url="https://...".',
            )
        if url:
            parse_http_url(url, "McpClient")
        self.name = name
        self._command = list(command)
        self._url = url
        self._env = env
        self._cwd = None if cwd is None else os.fspath(cwd)
        self._headers = headers or {}
        self._allowed_names = only
        self._approval = requires_approval
        self._timeout = timeout
        self._connections: dict[AbstractEventLoop, Connection] = {}
        self._locks: dict[AbstractEventLoop, Lock] = {}
        self._tools: list[Tool] = []
        self._listed_at = float("-inf")

    async def list_tools(self) -> list[Tool]:
        """Return the tools of the server.

        :raises McpFailed: when the server does not respond.
        :raises ConfigError: when the extra ``mcp`` is not installed.
        """
        if time.monotonic() - self._listed_at > _LIST_TTL:
            self._tools = [self._to_tool(each) for each in await self._list_with_retry()]
            self._listed_at = time.monotonic()
        return self._tools

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call a tool of the server.

        :param name: the name that the server gives to the tool.
        :param arguments: the arguments, JSON builtins.
        :returns: the data of the result, or its text.
        :raises McpFailed: when the server does not respond, or the connection is lost.
        """
        connection = await self._get_connection()
        values, options = dict(arguments), _build_trace_options()
        return parse_result(
            await connection.request(lambda client: client.call_tool(name, values, **options))
        )

    async def aclose(self) -> None:
        """Disconnect from the server in every event loop; a later use connects again."""
        await self._disconnect()
        for loop in list(self._connections):
            self._connections.pop(loop).request_close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _to_tool(self, definition: Any) -> Tool:
        async def call(**arguments: Any) -> Any:
            return await self.call_tool(definition.name, arguments)

        approval = self._approval
        if not isinstance(approval, bool):
            approval = definition.name in approval
        return Tool(
            id=f"{self.name}_{definition.name}" if self.name else definition.name,
            description=definition.description or definition.title or "",
            function=call,
            input=definition.input_schema,
            requires_approval=approval,
            remote=self._describe_call(definition.name),
        )

    def _describe_call(self, name: str) -> dict[str, Any]:
        """Return the attributes of the spans of a tool, in OpenTelemetry's conventions for MCP."""
        attributes = {"mcp.method.name": "tools/call", "mcp.tool.name": name}
        if self._command:
            return {**attributes, "network.transport": "pipe"}
        from urllib.parse import urlsplit

        parts = urlsplit(self._url)
        attributes |= {"network.transport": "tcp", "server.address": parts.hostname or ""}
        return {**attributes, "server.port": parts.port or (443 if parts.scheme == "https" else 80)}

    async def _disconnect(self) -> None:
        """Disconnect in this event loop."""
        import asyncio

        self._listed_at = float("-inf")
        request = _get_owner()
        if request is not None:
            connection = request.values.pop(self, None)
        else:
            connection = self._connections.pop(asyncio.get_running_loop(), None)
        if connection is not None:
            await connection.close()

    async def _list_with_retry(self) -> list[Any]:
        """List the server's tools; retry once on a new connection, because listing is safe."""
        try:
            found = await self._fetch_pages()
        except McpFailed:
            await self._disconnect()
            found = await self._fetch_pages()
        self._warn_of_unknown_names({each.name for each in found})
        return [
            each
            for each in found
            if self._allowed_names is None or each.name in self._allowed_names
        ]

    def _warn_of_unknown_names(self, names: Collection[str]) -> None:
        """Log unknown names: a tool misspelled in ``requires_approval`` would need no approval."""
        options = {"only": self._allowed_names, "requires_approval": self._approval}
        for option, wanted in options.items():
            if wanted is None or isinstance(wanted, bool):
                continue
            for name in sorted({*wanted} - {*names}):
                get_logger("mastra.mcp").warning(
                    "the MCP server %r has no tool %r, which %s names", self._label, name, option
                )

    async def _fetch_pages(self) -> list[Any]:
        found: list[Any] = []
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            connection = await self._get_connection()
            page = await connection.request(functools.partial(_fetch_page, cursor))
            found += page.tools
            cursor = page.next_cursor
            if not cursor:
                return found
        raise McpFailed(
            f"The MCP server {self._label!r} lists its tools on more than {_MAX_PAGES} pages.",
            "Check the server: it may send a next page after every page.",
        )

    async def _get_connection(self) -> Connection:
        """Return the connection of this event loop or request; open a new one if necessary."""
        import asyncio

        request = _get_owner()
        if request is not None:
            return await self._get_connection_of(request)
        loop = asyncio.get_running_loop()
        self._drop_closed_loops()
        async with self._locks.setdefault(loop, asyncio.Lock()):
            connection = self._connections.get(loop)
            if connection is not None and not connection.is_lost:
                return connection
            if connection is not None:
                await connection.close()
            connection = self._connections[loop] = await self._open_connection()
            return connection

    async def _get_connection_of(self, request: RequestLifetime) -> Connection:
        """Return the connection that is open for one request, until the request ends."""
        import asyncio

        async with request.values.setdefault((self, "lock"), asyncio.Lock()):
            connection: Connection | None = request.values.get(self)
            if connection is None or connection.is_lost:
                connection = request.values[self] = await self._open_connection()
                request.on_end(connection.close)
            return connection

    async def _open_connection(self) -> Connection:
        from mastra_core.mcp.connection import Connection

        connection = Connection(self._label, self._timeout)
        await connection.open(self._open_client)
        return connection

    def _drop_closed_loops(self) -> None:
        """Drop connections of closed event loops, because they would stay in memory."""
        for loop in [each for each in list(self._locks) if each.is_closed()]:
            self._locks.pop(loop, None)
            self._connections.pop(loop, None)

    @property
    def _label(self) -> str:
        """The name of the server for messages, without secrets."""
        if self.name or self._command:
            return self.name or self._command[0]
        from urllib.parse import urlsplit

        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def _open_client(self) -> AbstractAsyncContextManager[Any]:
        mcp = import_sdk_module("mcp")
        if self._command:
            env = {**_get_import_variables(), **_reveal(self._env or {})}
            program, *arguments = self._command
            return mcp.Client(  # type: ignore[no-any-return]  # an optional package
                mcp.StdioServerParameters(command=program, args=arguments, env=env, cwd=self._cwd)
            )
        from mastra_core.mcp.http_client import open_http_client

        return open_http_client(self._url, _reveal(self._headers), self._timeout)


def _get_import_variables() -> dict[str, str]:
    """Return the environment variables with which Python finds the application's modules."""
    return {name: os.environ[name] for name in _IMPORT_VARIABLES if name in os.environ}


def _get_owner() -> RequestLifetime | None:
    """Return the request that owns the connections; ``None`` if the event loop owns them."""
    return get_current_request() if is_request_scoped() else None


def _build_trace_options() -> dict[str, Any]:
    """Return the options that pass the current trace on to the server."""
    headers: dict[str, str] = {}
    inject_context(headers)
    return {"meta": headers} if headers else {}


async def _fetch_page(cursor: str | None, client: Any) -> Any:
    return await client.list_tools(cursor=cursor, cache_mode="refresh")


def _reveal(values: Mapping[str, Secret | str]) -> dict[str, str]:
    return {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in values.items()
    }
