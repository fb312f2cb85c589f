"""The application as an MCP server, where ``Server(mcp=True)`` asks for it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from mastra_core import Mastra

__all__ = ("McpRoute",)

_PATH = "/mcp/mastra/mcp"


class McpRoute:
    """The one path of the protocol, and what must run while it is served.

    :raises ConfigError: without the extra ``mastra-core[mcp]``.
    """

    def __init__(self, mastra: Mastra) -> None:
        from mastra_core.mcp.serve import McpApp  # it is heavy, and few ask for it

        self._app = McpApp(mastra)
        self._path = mastra.server.api_prefix + _PATH

    def route(self) -> ASGIRouteHandler:
        """The handler, behind ``auth`` like every other."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await self._app(scope, receive, send)

        return asgi(self._path, copy_scope=True)(answer)

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Litestar) -> AsyncIterator[Any]:
        """Accept requests."""
        async with self._app.running():
            yield
