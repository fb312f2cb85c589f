"""Keep the connection of a silent stream open, which proxies would close."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from mastra_server.http.responses import cancel_tasks

__all__ = ("HEARTBEAT_INTERVAL", "add_heartbeats")

HEARTBEAT_INTERVAL = 15.0  # seconds; proxies close a connection that is silent for 30 to 60


async def add_heartbeats(frames: AsyncGenerator[bytes], heartbeat: bytes) -> AsyncGenerator[bytes]:
    """Yield frames, and a heartbeat each time there was no frame for 15 seconds.

    One task reads all frames, because a timeout or a span in the generator must end in the task in
    which it began. While the caller uses a frame, the task reads only the next one.

    :param frames: the frames; closed at the end.
    :param heartbeat: bytes that readers of the stream ignore.
    """
    waiting: list[bytes] = []
    changed, taken = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        async with contextlib.aclosing(frames) as opened:
            async for frame in opened:
                waiting.append(frame)
                changed.set()
                await taken.wait()
                taken.clear()

    task = asyncio.create_task(read())
    task.add_done_callback(lambda _: changed.set())
    try:
        while waiting or not task.done():
            if not await _wait(changed):
                yield heartbeat
                continue
            changed.clear()
            if waiting:
                frame = waiting.pop()
                taken.set()
                yield frame
        task.result()
    finally:
        await cancel_tasks(task)


async def _wait(signal: asyncio.Event) -> bool:
    """Wait for a change; return ``False`` if there is none for a long time."""
    try:
        async with asyncio.timeout(HEARTBEAT_INTERVAL):
            await signal.wait()
    except TimeoutError:
        return False
    return True
