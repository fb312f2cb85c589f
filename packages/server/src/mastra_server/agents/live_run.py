"""An agent's run that goes on whether or not anybody watches, and the last of what it said."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any

from mastra_core.logger import logger_of
from mastra_server.http.responses import stop
from mastra_server.http.sse import DONE, HEARTBEAT, frame

__all__ = ("LiveRun",)

SILENCE = 15.0  # seconds; proxies cut a connection that says nothing for 30 to 60
PATIENCE = 30.0  # seconds that a run waits for the slowest of those who watch it
MOST_FRAMES = 10_000
MOST_BYTES = 2 * 1024 * 1024


class LiveRun:
    """One run: a task that fills a log of frames, and any number of readers of the log.

    The log is bounded. Where it is full, the run waits a while for readers that are about to lose
    something; those that do not move are cut off, and the oldest frames go. A run that nobody
    watches never waits. A run that was suspended goes on in the same log.

    :param owner: the resource that its caller is confined to; empty for none.
    """

    def __init__(self, run_id: str, agent_id: str, owner: str = "") -> None:
        self.id = run_id
        self.agent_id = agent_id
        self.owner = owner
        self.size = 0  # bytes of the log
        self._log: deque[bytes] = deque()
        self._first = 0  # the number of the oldest frame that is still there
        self._part = 0  # the number of the first frame since the run went on
        self._readers: set[_Reader] = set()
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """More frames will come."""
        return self._task is not None and not self._task.done()

    @property
    def position(self) -> int:
        """How many frames there were."""
        return self._first + len(self._log)

    def go(self, chunks: AsyncGenerator[dict[str, Any]], seconds: float) -> asyncio.Task[None]:
        """Begin, or go on after a suspension; one task drives ``chunks`` to their end, since agent
        frameworks keep cancel scopes and context variables in theirs.

        :param seconds: the most it may take.
        """
        self._part = self.position
        self._task = asyncio.create_task(self._drive(chunks, seconds), name=f"run {self.id}")
        self._task.add_done_callback(lambda _: self._wake())
        return self._task

    async def ended(self) -> None:
        """Wait until nothing more will come."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def on_end(self, call: Callable[[], object]) -> None:
        """Have ``call`` made when nothing more will come."""
        if self._task is not None:
            self._task.add_done_callback(lambda _: call())

    async def abort(self) -> None:
        """Stop it; whoever watches is told with a chunk ``abort``."""
        if self._task is not None and not self._task.done():
            await stop(self._task)

    async def frames(self, after: int | None = None) -> AsyncGenerator[bytes]:
        """What a reader is sent, to the end of the run.

        :param after: how many frames the reader has had; where not given, it gets those since the
            run last went on. Frames that are gone are left out, and a comment says so.
        """
        reader = _Reader(self._part if after is None else min(after, self.position))
        self._readers.add(reader)
        try:
            while not reader.cut:
                if reader.position < self.position:
                    yield self._rest(reader)
                elif not self.running:
                    yield DONE
                    return
                elif not await reader.woken(SILENCE):
                    yield HEARTBEAT
        finally:
            self._readers.discard(reader)
            self._moved.set()

    async def _drive(self, chunks: AsyncGenerator[dict[str, Any]], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds), contextlib.aclosing(chunks) as items:
                async for chunk in items:
                    self._tell(chunk)
                    while self._full:
                        await self._make_room()
                    await asyncio.sleep(0)  # an agent that never waits must not keep everybody
        except asyncio.CancelledError:
            self._tell(self._aborted())
            raise
        except Exception as error:  # noqa: BLE001  # the head is sent; all that is left is to end well
            logger_of("mastra.server").error("the run %r failed", self.id, exc_info=error)
            self._tell(self._aborted())

    def _aborted(self) -> dict[str, Any]:
        return {"type": "abort", "runId": self.id, "from": "AGENT", "payload": {}}

    @property
    def _full(self) -> bool:
        return len(self._log) > MOST_FRAMES or (self.size > MOST_BYTES and len(self._log) > 1)

    def _tell(self, chunk: dict[str, Any]) -> None:
        made = frame(chunk)
        if made:
            self._log.append(made)
            self.size += len(made)
            self._wake()

    def _wake(self) -> None:
        for reader in self._readers:
            reader.news.set()

    async def _make_room(self) -> None:
        """Drop the oldest frame, once nobody who watches needs it or they had their time."""
        if self._slow():
            try:
                async with asyncio.timeout(PATIENCE):
                    while self._slow():
                        self._moved.clear()
                        await self._moved.wait()
            except TimeoutError:
                self._cut(self._slow())
        self.size -= len(self._log.popleft())
        self._first += 1

    def _slow(self) -> set[_Reader]:
        """Who has not read the oldest frame."""
        return {reader for reader in self._readers if reader.position <= self._first}

    def _cut(self, readers: set[_Reader]) -> None:
        self._readers -= readers
        for reader in readers:
            reader.cut = True
            reader.news.set()

    def _rest(self, reader: _Reader) -> bytes:
        """Every frame that ``reader`` has not had, then the id to come back with. A block without
        data is no event, and Mastra's client passes over it.
        """
        lost = reader.position < self._first
        start = max(reader.position - self._first, 0)
        pieces = [self._log[index] for index in range(start, len(self._log))]
        if lost:
            pieces.insert(0, f": frames before {self._first} are no longer kept\n\n".encode())
        reader.position = self.position
        self._moved.set()
        return b"".join((*pieces, f"id: {self.id}/{reader.position}\n\n".encode()))


class _Reader:
    """How far somebody has read."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.cut = False
        self.news = asyncio.Event()

    async def woken(self, seconds: float) -> bool:
        """Wait for news; ``False`` when there were none."""
        try:
            async with asyncio.timeout(seconds):  # wait_for loses cancellations before 3.12
                await self.news.wait()
        except TimeoutError:
            return False
        self.news.clear()
        return True
