"""A client of the SDK over HTTP, with headers of our own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from mastra_core.mcp.sdk import import_sdk_module

__all__ = ("open_http_client",)

_STREAM = 300.0  # seconds between two pieces of an answer that is streamed


@contextlib.asynccontextmanager
async def open_http_client(
    url: str, headers: Mapping[str, str], connect_timeout: float
) -> AsyncGenerator[Any]:
    """A connected client of the server at ``url``.

    :param patience: seconds to connect and to send.
    """
    httpx2, transport = import_sdk_module("httpx2"), import_sdk_module("mcp.client.streamable_http")
    limits = httpx2.Timeout(connect_timeout, read=_STREAM)
    async with (
        httpx2.AsyncClient(headers=dict(headers), timeout=limits) as http,
        import_sdk_module("mcp").Client(
            transport.streamable_http_client(url, http_client=http)
        ) as client,
    ):
        yield client
