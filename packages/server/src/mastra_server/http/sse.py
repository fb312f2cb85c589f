"""Encode server-sent events in the form that Mastra's client reads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from mastra_core.schema import encode_json
from mastra_server.http.responses import StreamResponse

__all__ = ("DONE", "HEARTBEAT", "encode_event", "sse_response")

DONE = b"data: [DONE]\n\n"
HEARTBEAT = b": heartbeat\n\n"


def sse_response(
    frames: AsyncGenerator[bytes], finally_: Callable[[], Awaitable[None]] | None = None
) -> StreamResponse:
    """Build a response that streams server-sent events.

    :param frames: the encoded events.
    :param finally_: a function to call when the client has received everything, or disconnected.
    """
    return StreamResponse(frames, "text/event-stream", finally_)


def encode_event(chunk: dict[str, Any]) -> bytes:
    """Encode ``chunk`` as one server-sent event.

    :param chunk: the chunk.
    :raises TypeError: when the chunk cannot be encoded as JSON.
    """
    return b"data: " + encode_json(chunk) + b"\n\n"
