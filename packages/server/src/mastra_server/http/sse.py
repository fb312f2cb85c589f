"""Server-sent events, framed the way Mastra's client reads them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from mastra_core.logger import logger_of
from mastra_server.http.responses import StreamAnswer, encode

__all__ = ("DONE", "HEARTBEAT", "frame", "sse_answer")

DONE = b"data: [DONE]\n\n"
HEARTBEAT = b": heartbeat\n\n"


def sse_answer(
    frames: AsyncGenerator[bytes], finally_: Callable[[], Awaitable[None]] | None = None
) -> StreamAnswer:
    """``frames`` as a stream of events.

    :param finally_: what to do when the reader has everything, or left.
    """
    return StreamAnswer(frames, "text/event-stream", finally_)


def frame(chunk: dict[str, Any]) -> bytes:
    """``chunk`` as one event; nothing, and a line in the log, where it has no JSON form."""
    try:
        return b"data: " + encode(chunk) + b"\n\n"
    except (TypeError, ValueError) as error:
        logger_of("mastra.server").error("a chunk has no JSON form", exc_info=error)
        return b""
