"""Serve the MCP protocol where ``Server(mcp=True)`` enables it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, asgi
from litestar.connection import ASGIConnection
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from mastra_core import Mastra
from mastra_server.mcp.tools import get_mcp_caller

__all__ = ("McpRoute",)

_PATH = "/mcp/mastra/mcp"


def _get_caller(scope: Any) -> Any:
    return get_mcp_caller(ASGIConnection(scope))


class McpRoute:
    """The route of the protocol, and the tasks that must run while it is served.

    :param mastra: the application.
    :raises ConfigError: without the extra ``mastra-core[mcp]``.
    """

    def __init__(self, mastra: Mastra) -> None:
        from mastra_core.mcp.serve import McpApp  # slow to import, and rarely enabled

        self._app = McpApp(mastra, _get_caller)
        self._path = mastra.server.api_prefix + _PATH

    def build_route(self) -> ASGIRouteHandler:
        """Build the handler of the MCP route; ``auth`` guards it like every other route."""

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            await self._app(scope, receive, send)

        return asgi(self._path, copy_scope=True)(handle)

    @contextlib.asynccontextmanager
    async def run_lifespan(self, _: Litestar) -> AsyncIterator[Any]:
        """Accept requests while the application runs.

        :param _: the application, which is not needed.
        """
        async with self._app.run():
            yield
