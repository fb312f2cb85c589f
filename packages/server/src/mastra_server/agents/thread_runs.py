"""Runs in the threads of a memory: one after the other, and told to all who listen to a thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from litestar.datastructures import State

from mastra_core.errors import TooManyRuns
from mastra_server.agents.live_run import SILENCE, LiveRun
from mastra_server.http.sse import DONE, HEARTBEAT

__all__ = ("ThreadKey", "ThreadRuns", "in_turn")

ThreadKey = tuple[str, str, str]  # agent, resource, thread
CONNECTED = b": connected\n\n"
MOST_WAITING = 100  # runs of one thread, and runs that a listener has not come to
_GLANCE = 1.0  # seconds between looks at whether the server drains


class ThreadRuns:
    """The runs that go on in each thread, oldest first, and who listens to it."""

    def __init__(self) -> None:
        self._running: dict[ThreadKey, list[LiveRun]] = {}
        self._listeners: dict[ThreadKey, set[asyncio.Queue[LiveRun]]] = {}

    def follow(self, key: ThreadKey, run: LiveRun) -> None:
        """A run begins in a thread, or goes on there after it was suspended."""
        self._running.setdefault(key, []).append(run)
        run.on_end(partial(self._gone, key, run))
        for listener in self._listeners.get(key, ()):
            _told(listener, run)

    def active(self, key: ThreadKey) -> LiveRun | None:
        """The run whose turn it is."""
        return next(iter(self._running.get(key, ())), None)

    def last(self, key: ThreadKey) -> LiveRun | None:
        """The run that a new one has to wait for.

        :raises TooManyRuns: when too many wait already.
        """
        running = self._running.get(key, [])
        if len(running) >= MOST_WAITING:
            raise TooManyRuns(f"{len(running)} runs wait in the thread {key[2]!r}.")
        return running[-1] if running else None

    async def frames(self, key: ThreadKey, state: State) -> AsyncGenerator[bytes]:
        """What a listener is sent: the runs that go on, then those that come; without end, but
        that of the server.
        """
        heard: asyncio.Queue[LiveRun] = asyncio.Queue(MOST_WAITING)
        for run in self._running.get(key, ()):
            _told(heard, run)
        self._listeners.setdefault(key, set()).add(heard)
        try:
            yield CONNECTED
            while not state.draining:
                async for frame in _next(heard, state):
                    yield frame
        finally:
            self._leave(key, heard)

    def _leave(self, key: ThreadKey, heard: asyncio.Queue[LiveRun]) -> None:
        self._listeners[key].discard(heard)
        if not self._listeners[key]:
            del self._listeners[key]

    def _gone(self, key: ThreadKey, run: LiveRun) -> None:
        self._running[key].remove(run)
        if not self._running[key]:
            del self._running[key]


async def in_turn(
    before: LiveRun | None, chunks: AsyncGenerator[dict[str, Any]]
) -> AsyncGenerator[dict[str, Any]]:
    """``chunks``, once the run before them has ended."""
    async with contextlib.aclosing(chunks):
        if before is not None:
            await before.ended()
        async for chunk in chunks:
            yield chunk


def _told(listener: asyncio.Queue[LiveRun], run: LiveRun) -> None:
    """One that does not come after loses the oldest: it can be observed by its id."""
    if listener.full():
        listener.get_nowait()
    listener.put_nowait(run)


async def _next(heard: asyncio.Queue[LiveRun], state: State) -> AsyncGenerator[bytes]:
    """The frames of the next run; a heartbeat where there is none for long."""
    run = await _within(heard, SILENCE, state)
    if run is None:
        yield HEARTBEAT
        return
    async with contextlib.aclosing(run.frames()) as frames:
        async for frame in frames:
            if frame != DONE:  # that ends a run, and a listener waits for more
                yield frame


async def _within(heard: asyncio.Queue[LiveRun], seconds: float, state: State) -> LiveRun | None:
    for _ in range(round(seconds / _GLANCE)):
        if state.draining:
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GLANCE):
                return await heard.get()
    return None
