"""Run agents in a thread one after the other, and stream the runs to subscribers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, Protocol

from litestar.datastructures import State

from mastra_core.errors import TooManyRuns
from mastra_core.request_scope import create_signal, is_request_scoped
from mastra_server.agents.live_run import LiveRun
from mastra_server.http.heartbeats import HEARTBEAT_INTERVAL
from mastra_server.http.sse import DONE, HEARTBEAT

__all__ = ("StreamedRun", "ThreadKey", "ThreadRuns", "run_after")

ThreadKey = tuple[str, str, str]  # agent, resource, thread
CONNECTED = b": connected\n\n"
MAX_WAITING = 100  # runs of one thread, and runs in the queue of one listener


class StreamedRun(Protocol):
    """A run of this or another server, as a listener of the run's thread reads it."""

    @property
    def stream_frames(self) -> Callable[[], AsyncGenerator[bytes]]:
        """Return the frames since the run last started."""


class _Listener:
    """The runs that one listener has not streamed yet, oldest first.

    When the queue is full, the next run displaces the oldest run. The listener can still observe
    the displaced run by its id.
    """

    def __init__(self) -> None:
        self._runs: deque[StreamedRun] = deque(maxlen=MAX_WAITING)
        self._wakeup = create_signal()
        self._remote: deque[tuple[str, int]] = deque(maxlen=MAX_WAITING)

    def add_remote(self, run: StreamedRun, start: tuple[str, int]) -> None:
        """Add a run of another server, unless it was added before."""
        if start not in self._remote:
            self._remote.append(start)
            self.add(run)

    def add(self, run: StreamedRun) -> None:
        """Add a run, and wake the listener."""
        self._runs.append(run)
        self.wake()

    def wake(self) -> None:
        """Wake the listener, because there is a run, or because the server drains."""
        self._wakeup.set()

    async def get(self) -> StreamedRun | None:
        """Wait for the next run, and remove it from the queue.

        :returns: the run; ``None`` if the listener was woken without a run, or if there was no run
            for a long time.
        """
        if not self._runs:
            self._wakeup.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_INTERVAL):
                    await self._wakeup.wait()
        return self._runs.popleft() if self._runs else None


class ThreadRuns:
    """The active runs in each thread, oldest first, and the listeners of each thread."""

    def __init__(self) -> None:
        self._running: dict[ThreadKey, list[LiveRun]] = {}
        self._listeners: dict[ThreadKey, set[_Listener]] = {}
        self.on_listen: Callable[[ThreadKey], object] = _ignore_key

    def add(self, key: ThreadKey, run: LiveRun) -> None:
        """Add a run to a thread, and announce the run to all listeners.

        :param key: the thread.
        :param run: a run that starts, or continues after a suspension.
        """
        if is_request_scoped():
            self._remove_lost_runs()
        self._running.setdefault(key, []).append(run)
        run.on_end(partial(self._remove_run, key, run))
        if not run.is_waiting:
            self._announce(key, run)

    def end_waiting(self, key: ThreadKey, run_id: str) -> LiveRun | None:
        """Announce a run to the listeners after the run has waited for runs of other servers.

        :param key: the thread.
        :param run_id: the id of the run.
        :returns: the run; ``None`` if there is no such run.
        """
        for run in self.list_active(key):
            if run.id == run_id and run.is_waiting:
                run.is_waiting = False
                self._announce(key, run)
                return run
        return None

    def _announce(self, key: ThreadKey, run: LiveRun) -> None:
        for listener in self._listeners.get(key, ()):
            listener.add(run)

    def add_remote(self, key: ThreadKey, run: StreamedRun, start: tuple[str, int]) -> None:
        """Announce a run of another server to the listeners that do not know the run yet.

        :param key: the thread.
        :param run: the run.
        :param start: the id of the run, and the stamp of its start or continuation.
        """
        for listener in self._listeners.get(key, ()):
            listener.add_remote(run, start)

    def list_active(self, key: ThreadKey) -> list[LiveRun]:
        """Return the runs of a thread that have not ended, oldest first.

        :param key: the thread.
        """
        return [run for run in self._running.get(key, ()) if run.is_running]

    def has_listeners(self, key: ThreadKey) -> bool:
        """Return whether anybody listens to a thread.

        :param key: the thread.
        """
        return bool(self._listeners.get(key))

    def get_active(self, key: ThreadKey) -> LiveRun | None:
        """Return the oldest run of a thread, which is the run that executes now.

        :param key: the thread.
        """
        return next((run for run in self._running.get(key, ()) if run.is_running), None)

    def get_last(self, key: ThreadKey) -> LiveRun | None:
        """Return the newest run of a thread; the next run must wait for it.

        :param key: the thread.
        :raises TooManyRuns: when the thread has too many runs that have not ended.
        """
        running = self.list_active(key)
        if len(running) >= MAX_WAITING:
            raise TooManyRuns(
                f"The thread {key[2]!r} has {len(running)} runs that have not ended, and this is "
                "the maximum.",
                "Wait for the end of a run, or abort one.",
            )
        return running[-1] if running else None

    async def stream_frames(self, key: ThreadKey, state: State) -> AsyncGenerator[bytes]:
        """Stream the runs of a thread to one listener: active runs, and then new runs.

        :param key: the thread.
        :param state: the state of the application; the stream ends when the server drains.
        :returns: the frames.
        """
        listener = _Listener()
        for run in self._running.get(key, ()):
            if not run.is_waiting:
                listener.add(run)
        self._listeners.setdefault(key, set()).add(listener)
        self.on_listen(key)
        try:
            yield CONNECTED
            while not state.draining:
                async for frame in _stream_next_run(listener):
                    yield frame
        finally:
            self._remove_listener(key, listener)

    def wake_listeners(self) -> None:
        """Wake all listeners, because the server drains."""
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.wake()

    def _remove_listener(self, key: ThreadKey, listener: _Listener) -> None:
        self._listeners[key].discard(listener)
        if not self._listeners[key]:
            del self._listeners[key]

    def _remove_run(self, key: ThreadKey, run: LiveRun) -> None:
        runs = self._running.get(key, [])
        if run in runs:
            runs.remove(run)
        if not runs:
            self._running.pop(key, None)

    def _remove_lost_runs(self) -> None:
        """Remove runs whose request the platform has ended; these runs do not report their end."""
        for key, runs in list(self._running.items()):
            for run in [each for each in runs if not each.is_running]:
                self._remove_run(key, run)


def _ignore_key(_: ThreadKey) -> None:
    pass


async def run_after(
    before: LiveRun | None, chunks: AsyncGenerator[dict[str, Any]]
) -> AsyncGenerator[dict[str, Any]]:
    """Yield ``chunks`` after the preceding run has ended.

    :param before: the run to wait for, if any.
    :param chunks: the chunks of the run that has to wait.
    :returns: the chunks.
    """
    async with contextlib.aclosing(chunks):
        if before is not None:
            await before.wait()
        async for chunk in chunks:
            yield chunk


async def _stream_next_run(listener: _Listener) -> AsyncGenerator[bytes]:
    """Yield the frames of the next run, or a heartbeat if no run arrives for a long time."""
    run = await listener.get()
    if run is None:
        yield HEARTBEAT
        return
    async with contextlib.aclosing(run.stream_frames()) as frames:
        async for frame in frames:
            if frame != DONE:  # DONE ends one run, but the listener waits for more
                yield frame
