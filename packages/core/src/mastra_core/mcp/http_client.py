"""The HTTP client of the MCP SDK, with custom headers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from mastra_core.mcp.sdk import import_sdk_module

__all__ = ("open_http_client",)

_READ_TIMEOUT = 300.0  # seconds between two chunks of a streamed response


@contextlib.asynccontextmanager
async def open_http_client(
    url: str, headers: Mapping[str, str], connect_timeout: float
) -> AsyncGenerator[Any]:
    """Open a connected client of a server.

    :param url: URL of the server.
    :param headers: headers of every request.
    :param connect_timeout: seconds that connecting and sending may take.
    """
    httpx2, transport = import_sdk_module("httpx2"), import_sdk_module("mcp.client.streamable_http")
    timeouts = httpx2.Timeout(connect_timeout, read=_READ_TIMEOUT)
    async with (
        httpx2.AsyncClient(headers=dict(headers), timeout=timeouts) as http,
        import_sdk_module("mcp").Client(
            transport.streamable_http_client(url, http_client=http)
        ) as client,
    ):
        yield client
