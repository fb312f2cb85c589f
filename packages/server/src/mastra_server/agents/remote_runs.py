"""Observe and abort agent runs of other servers that share the database.

A run stays in the memory of its server. A server that does not know a run asks all other servers on
the message bus of the storage. The server of the run then sends the frames of the run, until the
run ends or the reader is gone. A run that no other server observes costs one message at its start,
if there are other servers.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Literal

import msgspec

from mastra_core.database.message_bus import MAX_MESSAGE_BYTES, MessageBus
from mastra_core.errors import NotFound, StorageError
from mastra_core.logger import get_logger
from mastra_core.request_scope import is_being_cancelled
from mastra_server.agents.live_run import LiveRun
from mastra_server.agents.live_runs import LiveRuns, RunScope
from mastra_server.agents.thread_runs import ThreadKey, ThreadRuns

__all__ = ("RemoteRuns",)

ANSWER_TIMEOUT = 1.5  # seconds until a server that has not answered is left out
ALIVE_INTERVAL = 5.0  # seconds between the reports of a server
ALIVE_TIMEOUT = 12.0  # seconds after which a server that has not reported counts as dead
SILENCE_TIMEOUT = 40.0  # seconds without a frame or heartbeat until a server counts as dead
_RETRY_DELAY = 1.0  # seconds between attempts to listen
_START_DELAY = 0.1  # seconds for other servers to report when this server starts
_FINISHED_DELAY = 0.3  # seconds for which a server with a finished run lets others answer first
_PART_BYTES = 5_000  # of a frame in one message, before base64
_MAX_QUEUED = 2_000  # messages that wait for a slow reader: at most 13 MB
_CLOSE_TIMEOUT = 2.0  # seconds to send the last frames of runs that a shutdown has aborted
_ALL = "mastra_servers"

_Kind = Literal[
    "abort",
    "abort-thread",
    "accept",
    "alive",
    "cancel",
    "end",
    "frame",
    "leave",
    "listen",
    "none",
    "observe",
    "started",
    "wait",
]


class _Message(msgspec.Struct, omit_defaults=True):
    """A message to all servers, or to one of them.

    :param request: the id of a request. All messages about the request have this id.
    :param number: the position of a part of a frame. It makes messages differ, because of two equal
        messages one would be lost.
    :param is_last: whether the part is the last one of its frame.
    :param stamp: the start time of a run by the logical clock that all servers share.
    """

    kind: _Kind
    sender: str
    request: str = ""
    agent: str = ""
    owner: str = ""
    run: str = ""
    resource: str = ""
    thread: str = ""
    after: int | None = None
    number: int = 0
    data: str = ""
    is_last: bool = False
    stamp: int = 0


class _RemoteRun:
    """A run of another server, in the form in which a listener of its thread reads it."""

    def __init__(self, open_frames: Callable[[], AsyncGenerator[bytes]]) -> None:
        self.stream_frames = open_frames


class RemoteRuns:
    """The runs of other servers.

    :param bus: the message bus between the servers.
    :param runs: the runs of this server.
    :param threads: the threads of this server.
    """

    def __init__(self, bus: MessageBus, runs: LiveRuns, threads: ThreadRuns) -> None:
        self._bus = bus
        self._runs = runs
        self._threads = threads
        self._name = f"mastra_server_{uuid.uuid4().hex}"
        self._answers: dict[str, asyncio.Queue[_Message]] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: set[str] = set()  # requests whose runs of this server have not ended
        self._is_ready = asyncio.Event()
        self._servers: dict[str, float] = {}  # when each other server was last heard
        self._clock = 0
        self._handlers: dict[str, Callable[[_Message], None]] = {
            "abort": self._abort_own_run,
            "abort-thread": self._abort_own_run,
            "listen": self._report_own_runs,
            "observe": self._serve,
            "started": self._add_remote_run,
            "wait": self._report_turn,
        }

    async def open(self) -> None:
        """Listen to the other servers."""
        self._threads.on_listen = self._request_runs
        self._start(self._listen())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await self._is_ready.wait()
        self._start(self._report_alive())
        await asyncio.sleep(_START_DELAY)

    async def close(self) -> None:
        """Stop listening, and end the streams to other servers."""
        if self._senders:
            await asyncio.wait([*self._senders.values()], timeout=_CLOSE_TIMEOUT)
        with contextlib.suppress(TimeoutError):  # the database may be unreachable
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._send(_ALL, self._build("leave"))
        for task in [*self._senders.values(), *self._tasks]:
            task.cancel()
        await asyncio.gather(*self._senders.values(), *self._tasks, return_exceptions=True)

    def set_stamp(self, run: LiveRun) -> None:
        """Set the start time of a run by the logical clock that all servers share.

        :param run: the run.
        """
        self._clock = run.stamp = max(self._clock + 1, time.time_ns())

    def announce(self, run: LiveRun, key: ThreadKey) -> None:
        """Tell all servers that a run has started, or continues after a suspension.

        :param run: the run.
        :param key: the thread of the run; the thread's id is empty if the run has no thread.
        """
        _, resource, thread = key
        if self._list_servers():
            self._start(self._send(_ALL, self._build_start(run, resource, thread)))

    async def observe(
        self, agent_id: str, scope: RunScope, run_id: str, after: int | None
    ) -> tuple[AsyncGenerator[bytes], Callable[[], Awaitable[None]]]:
        """Observe a run of another server.

        :param agent_id: the id of the agent.
        :param scope: the runs that the caller may see.
        :param run_id: the id of the run.
        :param after: the number of frames to skip; ``None`` skips the frames before the run's last
            start.
        :returns: a generator of the frames, and a function to call when the reader has
            disconnected. If the generator was never started, it does not notice the
            disconnect.
        :raises NotFound: when no server has such a run.
        """
        owner, thread, resource = scope
        message = self._build("observe", agent=agent_id, owner=owner, run=run_id, after=after)
        message.resource, message.thread = resource, thread
        answer = await self._send_request(message)
        if answer is None:
            raise NotFound("Agent run not found")
        frames = self._receive_frames(message.request, answer.sender)
        return frames, partial(self._end_observation, message.request)

    async def abort(self, agent_id: str, scope: RunScope, run_id: str) -> bool:
        """Abort a run of another server.

        :param agent_id: the id of the agent.
        :param scope: the runs that the caller may see.
        :param run_id: the id of the run.
        :returns: whether another server had this run.
        """
        owner, thread, resource = scope
        message = self._build("abort", agent=agent_id, owner=owner, run=run_id)
        message.resource, message.thread = resource, thread
        return await self._request_abort(message)

    async def abort_thread(self, key: ThreadKey, run_id: str) -> bool:
        """Abort the active run of a thread on another server.

        :param key: the key of the thread.
        :param run_id: the id that the run must have; empty for any.
        :returns: whether another server had this run.
        """
        agent, resource, thread = key
        message = self._build("abort-thread", agent=agent, run=run_id)
        message.resource, message.thread = resource, thread
        return await self._request_abort(message)

    async def wait_for_turn(self, key: ThreadKey, run_id: str) -> None:
        """Wait for the runs of a thread that started earlier on other servers.

        Servers order runs by a logical clock, so that no two runs wait for each other.

        :param key: the key of the thread.
        :param run_id: the id of a run of this server.
        """
        agent, resource, thread = key
        servers = self._list_servers()
        run = next((each for each in self._threads.list_active(key) if each.id == run_id), None)
        if run is None or not servers:
            return
        message = self._build("wait", agent=agent, stamp=run.stamp)
        message.resource, message.thread = resource, thread
        queue = self._answers[message.request] = asyncio.Queue()
        try:
            await self._bus.publish(_ALL, [_encode(message)])
            await self._wait_for_ends(queue, servers, message)
        finally:
            del self._answers[message.request]

    async def _wait_for_ends(
        self, queue: asyncio.Queue[_Message], servers: set[str], question: _Message
    ) -> None:
        """Wait until each other server has no earlier run of the thread, or is considered dead.

        Any message may be lost, so this server repeats the question.
        """
        delay = ANSWER_TIMEOUT
        while servers:
            try:
                async with asyncio.timeout(delay):
                    servers.discard((await queue.get()).sender)
            except TimeoutError:
                servers &= self._list_servers()
                delay = ALIVE_INTERVAL
                if servers:
                    await self._send(_ALL, question)

    async def _request_abort(self, message: _Message) -> bool:
        answer = await self._send_request(message)
        self._answers.pop(message.request, None)
        return answer is not None

    async def _send_request(self, message: _Message) -> _Message | None:
        """Send a request to all servers, and return the first answer that is not negative.

        The caller removes the request's queue if there is an answer.
        """
        text, servers = _encode(message), self._list_servers()
        if len(text.encode()) > MAX_MESSAGE_BYTES:
            return None  # no run has so long an id
        queue = self._answers[message.request] = asyncio.Queue()
        answer = None
        try:
            if servers:
                await self._bus.publish(_ALL, [text])
            async with asyncio.timeout(ANSWER_TIMEOUT):
                while servers and answer is None:
                    received = await queue.get()
                    servers.discard(received.sender)
                    answer = received if received.kind == "accept" else None
        except TimeoutError:
            pass
        finally:
            if answer is None:
                del self._answers[message.request]
                # A server may still accept, and send frames that nobody reads.
                self._start(self._send(_ALL, self._build("cancel", request=message.request)))
        return answer

    async def _receive_frames(self, request: str, server: str) -> AsyncGenerator[bytes]:
        queue, parts, number = self._answers[request], [], 0
        try:
            while True:
                async with asyncio.timeout(SILENCE_TIMEOUT):
                    message = await queue.get()
                if message.sender != server:
                    continue  # another server has answered later
                if message.kind == "end":
                    return
                if message.number != number:
                    get_logger("mastra.server").warning("frames of another server were lost")
                    return
                number += 1
                parts.append(base64.b64decode(message.data))
                if message.is_last:
                    yield b"".join(parts)
                    parts.clear()
        except TimeoutError:
            get_logger("mastra.server").warning("the server of a run has not answered")
        finally:
            await self._end_observation(request)

    async def _end_observation(self, request: str) -> None:
        """Receive no more frames, and tell the server that sends them."""
        if self._answers.pop(request, None) is not None:
            self._start(self._send(_ALL, self._build("cancel", request=request)))

    async def _report_alive(self) -> None:
        while not is_being_cancelled():
            await self._send(_ALL, self._build("alive"))
            await asyncio.sleep(ALIVE_INTERVAL)

    def _list_servers(self) -> set[str]:
        """Return the other servers that have reported recently."""
        start = time.monotonic() - ALIVE_TIMEOUT
        self._servers = {name: at for name, at in self._servers.items() if at >= start}
        return set(self._servers)

    def _record_server(self, message: _Message) -> None:
        """Record that a server is alive; tell a new server that this one is alive."""
        self._clock = max(self._clock, message.stamp)
        if message.kind == "leave":
            self._servers.pop(message.sender, None)
            return
        is_new = message.sender not in self._servers
        self._servers[message.sender] = time.monotonic()
        if is_new:
            self._start(self._send(message.sender, self._build("alive")))

    async def _listen(self) -> None:
        while not is_being_cancelled():
            try:
                async for text in self._bus.listen(_ALL, self._name):
                    if text:
                        self._handle_text(text)
                    else:
                        self._is_ready.set()
            except StorageError as error:
                self._is_ready.clear()
                get_logger("mastra.server").warning(
                    "other servers cannot be reached: %s", error.message
                )
            await asyncio.sleep(_RETRY_DELAY)

    def _handle_text(self, text: str) -> None:
        try:
            message = msgspec.json.decode(text, type=_Message)
        except (msgspec.DecodeError, UnicodeError):  # of another version, or another program
            get_logger("mastra.server").debug("a message of another server is unknown")
        else:
            self._handle(message)

    def _handle(self, message: _Message) -> None:
        if message.sender == self._name:
            return
        self._record_server(message)
        if (queue := self._answers.get(message.request)) is not None:
            if message.kind == "frame" and queue.qsize() >= _MAX_QUEUED:
                # The reader is too slow, and is disconnected.
                del self._answers[message.request]
                message = msgspec.structs.replace(message, kind="end")
                self._start(self._send(_ALL, self._build("cancel", request=message.request)))
            queue.put_nowait(message)
        elif task := self._senders.get(message.request):
            task.cancel()  # the reader is gone
        elif handle := self._handlers.get(message.kind):
            handle(message)

    def _serve(self, message: _Message) -> None:
        """Send the frames of a run of this server to another server."""
        run = self._find_own_run(message)
        if run is None:
            self._start(self._refuse(message))
            return
        task = asyncio.create_task(self._send_frames(message, run))
        self._senders[message.request] = task
        task.add_done_callback(lambda _: self._senders.pop(message.request, None))

    def _find_own_run(self, message: _Message) -> LiveRun | None:
        """Return this server's run that another server requests, if the requester may see it."""
        run = self._runs.find(message.run, message.agent, message.owner, message.thread)
        return run if run is not None and message.resource in ("", run.resource) else None

    async def _refuse(self, message: _Message) -> None:
        await self._send(message.sender, self._build("none", request=message.request))

    def _report_turn(self, message: _Message) -> None:
        """Tell another server when all earlier runs of a thread on this server have ended."""
        key = (message.agent, message.resource, message.thread)
        place = message.stamp, message.sender
        active = self._threads.list_active(key)
        runs = [run for run in active if (run.stamp, self._name) < place]
        if not runs:
            self._start(self._refuse(message))
        elif message.request not in self._turns:
            self._turns.add(message.request)
            self._start(self._report_ends(runs, message))

    async def _report_ends(self, runs: list[LiveRun], message: _Message) -> None:
        try:
            for run in runs:
                await run.wait()
        finally:
            self._turns.discard(message.request)
        await self._send(message.sender, self._build("end", request=message.request))

    async def _send_frames(self, message: _Message, run: LiveRun) -> None:
        request, reader = message.request, message.sender
        if not run.is_running:
            await asyncio.sleep(_FINISHED_DELAY)
        await self._send(reader, self._build("accept", request=request))
        number = 0
        async with contextlib.aclosing(run.stream_frames(message.after)) as frames:
            async for frame in frames:
                messages = self._split_frame(frame, request, number)
                number += len(messages)
                await self._send(reader, *messages)
        await self._send(reader, self._build("end", request=request))

    def _split_frame(self, frame: bytes, request: str, number: int) -> list[_Message]:
        starts = range(0, len(frame), _PART_BYTES)
        return [
            self._build(
                "frame",
                request=request,
                number=number + index,
                data=base64.b64encode(frame[start : start + _PART_BYTES]).decode(),
                is_last=start == starts[-1],
            )
            for index, start in enumerate(starts)
        ]

    def _abort_own_run(self, message: _Message) -> None:
        if message.kind == "abort":
            run = self._find_own_run(message)
        else:
            run = self._threads.get_active((message.agent, message.resource, message.thread))
            run = run if run is not None and message.run in ("", run.id) else None
        is_active = run is not None and (run.is_running or message.kind == "abort")
        work = self._abort_and_answer(run, message) if run and is_active else self._refuse(message)
        self._start(work)

    async def _abort_and_answer(self, run: LiveRun, message: _Message) -> None:
        await run.abort()
        await self._send(message.sender, self._build("accept", request=message.request))

    def _request_runs(self, key: ThreadKey) -> None:
        """Ask other servers for the active runs of a thread to which somebody listens here."""
        agent, resource, thread = key
        message = self._build("listen", agent=agent, resource=resource, thread=thread)
        self._start(self._send(_ALL, message))

    def _report_own_runs(self, message: _Message) -> None:
        key = (message.agent, message.resource, message.thread)
        for run in self._threads.list_active(key):
            if run.is_waiting:
                continue
            answer = self._build_start(run, message.resource, message.thread)
            self._start(self._send(message.sender, answer))

    def _add_remote_run(self, message: _Message) -> None:
        """Let the listeners of a thread read a run of another server."""
        self._runs.forget_finished(message.run, message.agent, message.owner)

        async def stream_frames() -> AsyncGenerator[bytes]:
            with contextlib.suppress(NotFound):
                scope = RunScope(message.owner, message.thread, message.resource)
                frames, _ = await self.observe(message.agent, scope, message.run, None)
                async with contextlib.aclosing(frames):
                    async for frame in frames:
                        yield frame

        key = (message.agent, message.resource, message.thread)
        if message.thread:
            self._threads.add_remote(key, _RemoteRun(stream_frames), (message.run, message.stamp))

    def _build_start(self, run: LiveRun, resource: str, thread: str) -> _Message:
        message = self._build("started", run=run.id, agent=run.agent_id, owner=run.owner)
        message.resource, message.thread, message.stamp = resource, thread, run.stamp
        return message

    def _build(self, kind: _Kind, **fields: Any) -> _Message:
        return _Message(kind, self._name, **{"request": uuid.uuid4().hex, **fields})

    async def _send(self, server: str, *messages: _Message) -> None:
        with contextlib.suppress(StorageError):  # the receiver notices the silence
            await self._bus.publish(server, [_encode(each) for each in messages])

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _encode(message: _Message) -> str:
    return msgspec.json.encode(message).decode()
