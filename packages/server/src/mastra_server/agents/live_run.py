"""Run an agent independently of the readers of its stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from mastra_core.errors import RequestError
from mastra_core.logger import get_logger
from mastra_core.request_scope import (
    cancel_task,
    is_request_scoped,
    is_task_done,
    start_task,
    wait_for_task,
)
from mastra_server.agents.frame_log import MIN_BYTES, FrameLog, LogBudget
from mastra_server.http.heartbeats import HEARTBEAT_INTERVAL
from mastra_server.http.sse import DONE, HEARTBEAT, encode_event

if TYPE_CHECKING:
    from mastra_server.agents.durable_runs import DurableAgentRun

__all__ = ("ChunkConverter", "LiveRun", "keep_chunk")

CANCEL_TIMEOUT = 1.0  # seconds in which the readers of a canceled durable run get its end
ABORT_DELAY = 2.0  # seconds for a reader to reconnect before its run is aborted
# A run passes control to its readers and to other requests at the latest after so many chunks, and
# after so many seconds. Chunks that are ready together are then sent together.
CHUNKS_PER_TURN = 16
SECONDS_PER_TURN = 0.002


ChunkConverter = Callable[[dict[str, Any]], Iterable[dict[str, Any]]]


def keep_chunk(chunk: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Return a chunk unchanged.

    :param chunk: the chunk.
    """
    return (chunk,)


class LiveRun:
    """A run: a task that writes frames to a log, and any number of readers of the log.

    A suspended run continues in the same log.

    The task of a durable run only reads events from the database. When the task ends, the durable
    run continues.

    :param run_id: the id of the run.
    :param agent_id: the id of the agent.
    :param owner: the resource that the caller is restricted to; empty without a restriction.
    :param budget: the memory that the logs of all runs share.
    """

    def __init__(
        self, run_id: str, agent_id: str, owner: str = "", budget: LogBudget | None = None
    ) -> None:
        self.id = run_id
        self.agent_id = agent_id
        self.owner = owner
        self.resource = ""  # the resource of the input
        self.thread = ""  # the thread of the input
        self.chat = ""  # the id of the chat in which the run answers
        self.is_waiting = False  # for runs of its thread on other servers
        self.durable: DurableAgentRun | None = None
        self.stamp = 0  # the time of the start by the logical clock of all servers
        self._log = FrameLog(run_id, budget or LogBudget())
        self._start_position = 0  # the number of the first frame since the run last started
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
    def size(self) -> int:
        """The number of bytes of the log."""
        return self._log.size

    def start(
        self,
        chunks: AsyncGenerator[dict[str, Any]],
        seconds: float | None,
        convert: ChunkConverter = keep_chunk,
        caller: str = "",
    ) -> asyncio.Task[None]:
        """Start the run, or continue it after a suspension.

        The run continues without readers, unless ``abort_without_readers`` is called after each
        start. One task drives ``chunks`` to their end, because agent frameworks bind cancel scopes
        and context variables to a task.

        :param chunks: the chunks of the run.
        :param seconds: the timeout of the run; ``None`` for none.
        :param convert: a function that converts each chunk to the chunks that readers receive.
        :param caller: the caller whose limits apply to the run.
        :returns: the task.
        """
        self._convert = convert
        self._must_continue = _return_true
        self._start_position = self._log.position
        self._log.begin(caller)
        self._task = start_task(self._read_chunks(chunks, seconds), f"run {self.id}")
        self._task.add_done_callback(lambda _: self._log.end())
        return self._task

    def end(self) -> None:
        """Say that the task has ended, even if the platform has ended it silently."""
        self._log.end()

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

        :param must_continue: a function that is called after two seconds without a reader, and
            returns whether the run continues.
        """
        self._must_continue = must_continue

    async def schedule_abort(self) -> None:
        """Abort the run after a delay, unless a reader connects or the run must continue."""
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        if self._log.has_readers or not self.is_running:
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
        if task is None or is_resumed or self._log.has_readers or self._must_continue():
            return
        cancel_task(task)

    async def stream_frames(self, after: int | None = None) -> AsyncGenerator[bytes]:
        """Stream the frames of the run to one reader, until the run ends.

        :param after: the number of frames that the reader has received; by default, the reader gets
            the frames since the run last started. A comment replaces frames that are no longer in
            the log.
        :returns: the frames, joined if several are ready.
        """
        log, task = self._log, self._task
        try:
            with log.open_reader(self._choose_position(after)) as reader:
                while not (reader.disconnected or (self._is_draining and not reader.offset)):
                    if reader.position < log.position:
                        yield log.read(reader)
                    elif not self.is_running:
                        if not self._is_detached:
                            yield DONE
                        return
                    elif not await reader.wait(HEARTBEAT_INTERVAL):
                        yield HEARTBEAT
        finally:
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
        return min(after, self._log.position)

    async def _read_chunks(
        self, chunks: AsyncGenerator[dict[str, Any]], seconds: float | None
    ) -> None:
        get_time = asyncio.get_running_loop().time
        turn_end, written = get_time() + SECONDS_PER_TURN, 0
        convert = self._convert
        try:
            async with asyncio.timeout(seconds), contextlib.aclosing(chunks) as items:
                async for chunk in items:
                    for event in convert(chunk):
                        await self._write_event(event)
                    written += 1
                    if written >= CHUNKS_PER_TURN or get_time() >= turn_end:
                        await asyncio.sleep(0)
                        turn_end, written = get_time() + SECONDS_PER_TURN, 0
        except asyncio.CancelledError:
            if not self._is_detached:
                self._append("abort", {})
            raise
        except TimeoutError:
            self._append_failure("TimeoutError", f"The run took longer than {seconds:g} s.")
        except RequestError as error:  # for example, another request has resumed the run
            self._append_failure(type(error).__name__, error.message)
        except Exception as error:  # noqa: BLE001  # the response has begun: end the stream cleanly
            get_logger("mastra.server").error("the run %r failed", self.id, exc_info=error)
            self._append_failure("Error", "Internal Server Error")

    async def _write_event(self, event: dict[str, Any]) -> None:
        frame = encode_event(event)
        if len(frame) > MIN_BYTES and not self._log.try_make_room_for(len(frame)):
            size = len(frame)
            del frame  # a run that waits takes no memory for it
            await self._log.make_room_for(size)
            frame = encode_event(event)
        if self._log.write((frame,)):
            await self._log.make_room()

    def _append_failure(self, name: str, message: str) -> None:
        error = {"name": name, "message": message}
        self._append("error", {"type": "error", "error": error})

    def _append(self, type_: str, payload: dict[str, Any]) -> None:
        chunk = {"type": type_, "runId": self.id, "from": "AGENT", "payload": payload}
        self._log.write(map(encode_event, self._convert(chunk)))

    def wake_readers(self) -> None:
        """Wake all readers, because the server drains."""
        self._log.wake_readers()


def _return_true() -> bool:
    return True
