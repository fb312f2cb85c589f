"""A client of the SDK over HTTP, with headers of our own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from mastra_core.mcp.sdk import load

__all__ = ("http_client",)

_STREAM = 300.0  # seconds between two pieces of an answer that is streamed


@contextlib.asynccontextmanager
async def http_client(url: str, headers: Mapping[str, str], patience: float) -> AsyncGenerator[Any]:
    """A connected client of the server at ``url``.

    :param patience: seconds to connect and to send.
    """
    httpx2, transport = load("httpx2"), load("mcp.client.streamable_http")
    limits = httpx2.Timeout(patience, read=_STREAM)
    async with (
        httpx2.AsyncClient(headers=dict(headers), timeout=limits) as http,
        load("mcp").Client(transport.streamable_http_client(url, http_client=http)) as client,
    ):
        yield client
