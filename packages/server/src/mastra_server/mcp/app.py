"""Serve the MCP protocol, if ``Server(mcp=True)`` enables it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, asgi
from litestar.connection import ASGIConnection
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from mastra_core import Mastra
from mastra_server.http.errors import ErrorResponse
from mastra_server.http.request_body import (
    InvalidBody,
    StructureError,
    check_numbers,
    check_structure,
)
from mastra_server.mcp.tools import get_mcp_caller

__all__ = ("MAX_VALUES", "McpRoute")

_PATH = "/mcp/mastra/mcp"
MAX_VALUES = 20_000  # of one message: the SDK decodes it slowly


async def _read_body(receive: Any) -> bytes:
    """Read a whole body; another layer limits its size."""
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


def _replay_body(body: bytes, receive: Any) -> Any:
    """Return an ASGI receive callable that repeats a body, and then calls ``receive``."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return pending.pop() if pending else await receive()

    return receive_again


def _get_caller(scope: Any) -> Any:
    return get_mcp_caller(ASGIConnection(scope))


class McpRoute:
    """The route of the MCP protocol, and the tasks that must run while it is served.

    :param mastra: the application.
    :raises ConfigError: when the extra ``mastra-core[mcp]`` is not installed.
    """

    def __init__(self, mastra: Mastra) -> None:
        from mastra_core.mcp.serve import McpApp  # slow to import, and rarely enabled

        self._app = McpApp(mastra, _get_caller)
        self._path = mastra.server.api_prefix + _PATH

    def build_route(self) -> ASGIRouteHandler:
        """Build the handler of the MCP route, which ``auth`` protects like other routes."""

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            body = await _read_body(receive)
            try:
                check_structure(body, MAX_VALUES)
                check_numbers(body, MAX_VALUES)
            except StructureError as error:
                await ErrorResponse(InvalidBody("body", str(error)))(scope, receive, send)
                return
            await self._app(scope, _replay_body(body, receive), send)

        return asgi(self._path, copy_scope=True)(handle)

    @contextlib.asynccontextmanager
    async def run_lifespan(self, _: Litestar) -> AsyncIterator[Any]:
        """Accept requests while the application runs.

        :param _: the application, which is not used.
        """
        async with self._app.run():
            yield
