"""Run an agent independently of its readers, and keep the latest frames of its stream."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from mastra_core.errors import RequestError
from mastra_core.logger import get_logger
from mastra_core.request_scope import (
    cancel_task,
    create_signal,
    is_request_scoped,
    is_task_done,
    start_task,
    wait_for_task,
)
from mastra_server.http.heartbeats import HEARTBEAT_INTERVAL
from mastra_server.http.sse import DONE, HEARTBEAT, encode_event

if TYPE_CHECKING:
    from mastra_server.agents.durable_runs import DurableRun

__all__ = ("ChunkConverter", "LiveRun", "LogBudget", "keep_chunk")

CANCEL_TIMEOUT = 1.0  # seconds in which the readers of a canceled durable run get its end
ABORT_DELAY = 2.0  # seconds for a reader to reconnect before its run is aborted
SLOW_READER_TIMEOUT = 30.0  # seconds that a run waits for its slowest reader
MAX_FRAMES = 10_000
# A run passes control to its readers and to other requests at the latest after so many chunks, and
# after so many seconds. Chunks that are ready together are then sent together.
CHUNKS_PER_TURN = 16
SECONDS_PER_TURN = 0.002
MAX_CHUNK = 64 * 1024  # bytes of frames that a reader gets at a time, unless one frame is larger
MAX_BYTES = 2 * 1024 * 1024  # of the log of one run
MIN_BYTES = 64 * 1024  # of the log of one run, while many runs are running
MAX_TOTAL_BYTES = 128 * 1024 * 1024  # of the logs of all running runs


ChunkConverter = Callable[[dict[str, Any]], Iterable[dict[str, Any]]]


def keep_chunk(chunk: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Return a chunk unchanged.

    :param chunk: the chunk.
    """
    return (chunk,)


class LogBudget:
    """The memory for logs, which all active runs share equally."""

    def __init__(self) -> None:
        self.running = 0

    @property
    def max_bytes(self) -> int:
        """The maximum size of the log of one run."""
        return min(MAX_BYTES, max(MIN_BYTES, MAX_TOTAL_BYTES // max(self.running, 1)))


class LiveRun:
    """A run: a task that writes frames to a log, and any number of readers of the log.

    The log has a maximum size. When the log is full, the run waits up to 30 seconds for readers
    that have not read the oldest frame. After 30 seconds, the run disconnects these readers and
    drops the frame. A run without readers never waits for readers. A suspended run continues in the
    same log.

    A durable run is executed elsewhere, and this task only reads the events of the run. The durable
    run continues if this task ends.

    :param run_id: the id of the run.
    :param agent_id: the id of the agent.
    :param owner: the resource that the caller is restricted to; empty without a restriction.
    :param budget: the memory that the logs of all runs share.
    """

    def __init__(
        self, run_id: str, agent_id: str, owner: str = "", budget: LogBudget | None = None
    ) -> None:
        self._budget = budget or LogBudget()
        self.id = run_id
        self.agent_id = agent_id
        self.owner = owner
        self.resource = ""  # the resource of the input
        self.thread = ""  # the thread of the input
        self.chat = ""  # the id of the chat in which the run answers
        self.size = 0  # bytes of the log
        self.is_waiting = False  # for runs of its thread on other servers
        self.durable: DurableRun | None = None
        self.stamp = 0  # the time of the start by the logical clock of all servers
        self._log: deque[bytes] = deque()
        self._first = 0  # the number of the oldest frame in the log
        self._start_position = 0  # the number of the first frame since the run last started
        self._readers: set[_Reader] = set()
        self._reader_progress = create_signal()
        self._task: asyncio.Task[None] | None = None
        self._convert: ChunkConverter = keep_chunk
        self._must_continue: Callable[[], bool] = _return_true
        self._abort_timer: asyncio.TimerHandle | None = None
        self._is_detached = False

    @property
    def is_running(self) -> bool:
        """Whether the run may still write frames."""
        return self._task is not None and not is_task_done(self._task)

    @property
    def position(self) -> int:
        """The number of frames that were written so far."""
        return self._first + len(self._log)

    def start(
        self,
        chunks: AsyncGenerator[dict[str, Any]],
        seconds: float | None,
        convert: ChunkConverter = keep_chunk,
    ) -> asyncio.Task[None]:
        """Start the run, or continue it after a suspension.

        Unless ``abort_without_readers`` is called after each start, the run continues without
        readers. One task drives ``chunks`` to their end, because agent frameworks bind cancel
        scopes and context variables to a task.

        :param chunks: the chunks of the run.
        :param seconds: the timeout of the run; ``None`` for none.
        :param convert: a function that converts each chunk to the chunks that readers receive.
        :returns: the task.
        """
        self._convert = convert
        self._must_continue = _return_true
        self._start_position = self.position
        self._task = start_task(self._read_chunks(chunks, seconds), f"run {self.id}")
        self._task.add_done_callback(lambda _: self.wake_readers())
        return self._task

    async def wait(self) -> None:
        """Wait until the run has ended or is suspended."""
        if self._task is not None:
            await wait_for_task(self._task)

    def on_end(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when the run ends or is suspended.

        :param callback: the function to call.
        """
        if self._task is not None:
            self._task.add_done_callback(lambda _: callback())

    async def abort(self) -> None:
        """Stop the run; its readers receive an ``abort`` chunk."""
        if self.durable is not None and await self.durable.cancel() and self._task is not None:
            with contextlib.suppress(TimeoutError):  # the readers get the end from the database
                async with asyncio.timeout(CANCEL_TIMEOUT):
                    await wait_for_task(self._task)
        await self._stop()
        if self.durable is not None:  # the task may have stored the run meanwhile
            await self.durable.cancel()

    async def detach(self) -> None:
        """Stop reading a durable run, so that its readers reconnect; abort any other run."""
        self._is_detached = self.durable is not None
        await self._stop()

    async def _stop(self) -> None:
        if self._task is not None and not is_task_done(self._task):
            cancel_task(self._task)
            await wait_for_task(self._task)

    def abort_without_readers(self, must_continue: Callable[[], bool]) -> None:
        """Abort the run when it has had no reader for two seconds.

        :param must_continue: a function that returns whether the run continues without readers. It
            is called after the two seconds.
        """
        self._must_continue = must_continue

    async def schedule_abort(self) -> None:
        """Abort the run after a delay, unless a reader connects or the run must continue."""
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        if self._readers or not self.is_running:
            return
        if is_request_scoped():  # a timer alone would end with the request
            start_task(self._abort_after_delay(self._task), f"abort of run {self.id}")
        else:
            loop = asyncio.get_running_loop()
            self._abort_timer = loop.call_later(
                ABORT_DELAY, self._abort_without_readers, self._task
            )

    def build_disconnect_callback(self, *, at_once: bool = False) -> Callable[[], Awaitable[None]]:
        """Return a callback for the end of a response; it aborts the run if the run has no reader.

        The callback does nothing if the run has been resumed meanwhile, because the resumed run has
        a reader of its own.

        :param at_once: whether to abort the run without a delay.
        """
        task = self._task

        async def end_reading() -> None:
            if self._task is not task:
                return
            if at_once and self.is_running and not self._is_draining:
                await self.abort()
            else:
                await self.schedule_abort()

        return end_reading

    async def _abort_after_delay(self, task: asyncio.Task[None] | None) -> None:
        await asyncio.sleep(ABORT_DELAY)
        self._abort_without_readers(task)

    def _abort_without_readers(self, task: asyncio.Task[None] | None) -> None:
        is_resumed = self._task is not task
        if task is None or is_resumed or self._readers or self._must_continue():
            return
        cancel_task(task)

    async def stream_frames(self, after: int | None = None) -> AsyncGenerator[bytes]:
        """Stream the frames of the run to one reader, until the run ends.

        :param after: the number of frames that the reader has received; by default, the reader gets
            the frames since the run last started. A comment replaces frames that are no longer in
            the log.
        :returns: the frames, joined if several are ready.
        """
        reader = _Reader(self._choose_position(after))
        self._readers.add(reader)
        task = self._task
        try:
            while not (reader.disconnected or self._is_draining):
                if reader.position < self.position:
                    yield self._read_frames(reader)
                elif not self.is_running:
                    if not self._is_detached:
                        yield DONE
                    return
                elif not await reader.wait(HEARTBEAT_INTERVAL):
                    yield HEARTBEAT
        finally:
            self._readers.discard(reader)
            self._reader_progress.set()
            if self._task is task:  # otherwise the run was resumed, and a reader will connect
                await self.schedule_abort()

    @property
    def _is_draining(self) -> bool:
        """Whether readers must reconnect to another server, which continues the run."""
        return self.durable is not None and self.durable.is_draining

    def _choose_position(self, after: int | None) -> int:
        if after is None:
            return self._start_position
        if self.durable is not None:  # this server may not have read so far yet
            return after
        return min(after, self.position)

    async def _read_chunks(
        self, chunks: AsyncGenerator[dict[str, Any]], seconds: float | None
    ) -> None:
        get_time = asyncio.get_running_loop().time
        turn_end, written = get_time() + SECONDS_PER_TURN, 0
        try:
            async with asyncio.timeout(seconds), contextlib.aclosing(chunks) as items:
                async for chunk in items:
                    self._append(chunk)
                    while self._is_full:
                        await self._drop_oldest_frame()
                    written += 1
                    if written >= CHUNKS_PER_TURN or get_time() >= turn_end:
                        await asyncio.sleep(0)
                        turn_end, written = get_time() + SECONDS_PER_TURN, 0
        except asyncio.CancelledError:
            if not self._is_detached:
                self._append(self._build_chunk("abort", {}))
            raise
        except TimeoutError:
            self._append_failure("TimeoutError", f"The run took longer than {seconds:g} s.")
        except RequestError as error:  # for example, another request has resumed the run
            self._append_failure(type(error).__name__, error.message)
        except Exception as error:  # noqa: BLE001  # the response has begun: end the stream cleanly
            get_logger("mastra.server").error("the run %r failed", self.id, exc_info=error)
            self._append_failure("Error", "Internal Server Error")

    def _append_failure(self, name: str, message: str) -> None:
        error = {"name": name, "message": message}
        self._append(self._build_chunk("error", {"type": "error", "error": error}))

    def _build_chunk(self, type_: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {"type": type_, "runId": self.id, "from": "AGENT", "payload": payload}

    @property
    def _is_full(self) -> bool:
        if len(self._log) > MAX_FRAMES:
            return True
        return self.size > self._budget.max_bytes and len(self._log) > 1

    def _append(self, chunk: dict[str, Any]) -> None:
        for each in self._convert(chunk):
            frame = encode_event(each)
            self._log.append(frame)
            self.size += len(frame)
        self.wake_readers()

    def wake_readers(self) -> None:
        """Wake all readers, because there are new frames, or because the server drains."""
        for reader in self._readers:
            reader.wakeup.set()

    async def _drop_oldest_frame(self) -> None:
        """Drop the oldest frame when every reader has read it or has timed out."""
        if self._find_slow_readers():
            try:
                async with asyncio.timeout(SLOW_READER_TIMEOUT):
                    while self._find_slow_readers():
                        self._reader_progress.clear()
                        await self._reader_progress.wait()
            except TimeoutError:
                self._disconnect(self._find_slow_readers())
        self.size -= len(self._log.popleft())
        self._first += 1

    def _find_slow_readers(self) -> set[_Reader]:
        """Return the readers that have not read the oldest frame."""
        return {reader for reader in self._readers if reader.position <= self._first}

    def _disconnect(self, readers: set[_Reader]) -> None:
        self._readers -= readers
        for reader in readers:
            reader.disconnected = True
            reader.wakeup.set()

    def _read_frames(self, reader: _Reader) -> bytes:
        """Return the next frames for ``reader``, and the id for a reconnection.

        The frames are joined to a copy, which stays in memory until the client has received it.
        Many readers of a long log can be slow, so each gets a limited part of the log at a time.

        The id for a reconnection is in a block without data. Mastra's client ignores this block,
        because it is not an event.
        """
        lost = reader.position < self._first
        frames, size = list[bytes](), 0
        for frame in itertools.islice(self._log, max(reader.position - self._first, 0), None):
            size += len(frame)
            if frames and size > MAX_CHUNK:
                break
            frames.append(frame)
        reader.position = max(reader.position, self._first) + len(frames)
        if lost:
            frames.insert(0, f": frames before {self._first} are no longer kept\n\n".encode())
        self._reader_progress.set()
        return b"".join((*frames, f"id: {self.id}/{reader.position}\n\n".encode()))


def _return_true() -> bool:
    return True


class _Reader:
    """The position of one reader in the frames of a run."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.disconnected = False
        self.wakeup = create_signal()

    async def wait(self, seconds: float) -> bool:
        """Wait until the reader is woken; return ``False`` if this does not happen in time."""
        try:
            async with asyncio.timeout(seconds):  # wait_for loses cancellations before 3.12
                await self.wakeup.wait()
        except TimeoutError:
            return False
        self.wakeup.clear()
        return True
