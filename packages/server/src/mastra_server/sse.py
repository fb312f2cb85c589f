"""Server-sent events, framed the way Mastra's client reads them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from mastra_core.logger import logger_of
from mastra_server.answers import StreamAnswer, encode, stop

__all__ = ("SILENCE", "sse_answer")

SILENCE = 15.0  # seconds; proxies cut a connection that says nothing for 30 to 60
_DONE = b"data: [DONE]\n\n"
_HEARTBEAT = b": heartbeat\n\n"


def sse_answer(chunks: AsyncGenerator[dict[str, Any]]) -> StreamAnswer:
    """``chunks`` as one ``data:`` line each, then ``[DONE]``; a comment line after silence."""
    return StreamAnswer(_frames(chunks), "text/event-stream")


async def _frames(chunks: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    """One task drives ``chunks`` from beginning to end: agent frameworks keep cancel scopes and
    context variables in theirs, which must not be left in another task than they were entered.
    """
    queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)
    pump = asyncio.create_task(_pump(chunks, queue))
    try:
        while True:
            try:
                async with asyncio.timeout(SILENCE):  # wait_for loses cancellations before 3.12
                    frame = await queue.get()
            except TimeoutError:
                frame = _HEARTBEAT
            yield frame
            if frame is _DONE:
                return
    finally:
        await stop(pump)


async def _pump(chunks: AsyncGenerator[dict[str, Any]], queue: asyncio.Queue[bytes]) -> None:
    try:
        async with contextlib.aclosing(chunks) as items:
            async for chunk in items:
                frame = _frame(chunk)
                if frame:
                    await queue.put(frame)
    except Exception as error:  # noqa: BLE001  # the head is sent; all that is left is to end well
        logger_of("mastra.server").error("a stream failed", exc_info=error)
    await queue.put(_DONE)


def _frame(chunk: dict[str, Any]) -> bytes:
    try:
        return b"data: " + encode(chunk) + b"\n\n"
    except (TypeError, ValueError) as error:
        logger_of("mastra.server").error("a chunk has no JSON form", exc_info=error)
        return b""
