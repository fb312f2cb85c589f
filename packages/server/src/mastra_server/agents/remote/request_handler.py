"""Answer the requests of other servers about the runs of this server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import OrderedDict
from collections.abc import Callable

from mastra_server.agents.live_run import LiveRun
from mastra_server.agents.live_runs import LiveRuns
from mastra_server.agents.remote.message_exchange import MessageExchange
from mastra_server.agents.remote.messages import Message, MessageKind
from mastra_server.agents.thread_runs import ThreadKey, ThreadRuns

__all__ = ("RequestHandler",)

_FINISHED_DELAY = 0.3  # seconds for which a server with a finished run lets others answer first
_PART_BYTES = 5_000  # of a frame in one message, before base64
_FINISH_TIMEOUT = 2.0  # seconds to send the last frames of runs that a shutdown has aborted
_MAX_RECENT = 10_000  # requests; a second copy arrives within 20 seconds


class RequestHandler:
    """Lets other servers observe and abort the runs of this server, and wait for their end.

    :param exchange: exchanges messages with the other servers.
    :param runs: the runs of this server.
    :param threads: the threads of this server.
    """

    def __init__(self, exchange: MessageExchange, runs: LiveRuns, threads: ThreadRuns) -> None:
        self._exchange = exchange
        self._runs = runs
        self._threads = threads
        self._senders: dict[str, asyncio.Task[None]] = {}  # by request
        self._turns: set[str] = set()  # requests whose runs of this server have not ended
        self._recent: OrderedDict[str, None] = OrderedDict()  # requests, oldest first
        self._handlers: dict[str, Callable[[Message], None]] = {
            "abort": self._abort,
            "abort-thread": self._abort_in_thread,
            "listen": self._report_runs,
            "observe": self._send_run,
        }

    def handle(self, message: Message) -> None:
        """Answer a request of another server, or stop answering a cancelled request.

        A message may arrive twice. A second copy could abort the next run of a thread, or start to
        send frames after the cancellation of the request.

        :param message: the request or the cancellation; other messages are ignored.
        """
        if message.kind == "wait":  # repeated on purpose, because an answer may be lost
            self._report_turn(message)
        elif message.kind == "cancel":
            self._cancel(message)
        elif (handle := self._handlers.get(message.kind)) and self._remember(message.request):
            handle(message)

    async def finish_streams(self) -> None:
        """Wait up to two seconds until the last frames of the observed runs have been sent."""
        if self._senders:
            await asyncio.wait([*self._senders.values()], timeout=_FINISH_TIMEOUT)

    def announce(self, run: LiveRun, key: ThreadKey, server: str) -> None:
        """Tell other servers that a run has started, or continues after a suspension.

        :param run: the run.
        :param key: the thread of the run; the thread's id is empty if the run has no thread.
        :param server: the name of the server to tell, or ``ALL_SERVERS``.
        """
        _, resource, thread = key
        message = self._exchange.build(
            "started",
            agent=run.agent_id,
            owner=run.owner,
            run=run.id,
            resource=resource,
            thread=thread,
            stamp=run.stamp,
        )
        self._exchange.send_soon(server, message)

    def _remember(self, request: str) -> bool:
        """Remember a request, and return whether it is new; forget the oldest of too many."""
        if request in self._recent:
            return False
        self._recent[request] = None
        if len(self._recent) > _MAX_RECENT:
            self._recent.popitem(last=False)
        return True

    def _cancel(self, message: Message) -> None:
        """Stop sending the frames of a run to another server."""
        self._remember(message.request)  # the request itself may arrive later
        if task := self._senders.get(message.request):
            task.cancel()

    def _report_runs(self, message: Message) -> None:
        """Announce the active runs of a thread to a server that has a listener of the thread."""
        key = _get_key(message)
        for run in self._threads.list_active(key):
            if not run.is_waiting:
                self.announce(run, key, message.sender)

    def _send_run(self, message: Message) -> None:
        """Send the frames of a run to another server."""
        run = self._find_run(message)
        if run is None:
            self._refuse(message)
            return
        task = self._exchange.start(self._send_frames(message, run))
        self._senders[message.request] = task
        task.add_done_callback(lambda _: self._senders.pop(message.request, None))

    async def _send_frames(self, message: Message, run: LiveRun) -> None:
        if not run.is_running:
            await asyncio.sleep(_FINISHED_DELAY)
        await self._answer(message, "accept")
        number = 0
        async with contextlib.aclosing(run.stream_frames(message.after)) as frames:
            async for frame in frames:
                parts = self._split_frame(frame, message.request, number)
                number += len(parts)
                await self._exchange.send(message.sender, *parts)
        await self._answer(message, "end")

    def _split_frame(self, frame: bytes, request: str, number: int) -> list[Message]:
        starts = range(0, len(frame), _PART_BYTES)
        return [
            self._exchange.build(
                "frame",
                request=request,
                number=number + index,
                data=base64.b64encode(frame[start : start + _PART_BYTES]).decode(),
                is_last=start == starts[-1],
            )
            for index, start in enumerate(starts)
        ]

    def _abort(self, message: Message) -> None:
        run = self._find_run(message)
        if run is None:
            self._refuse(message)
        else:
            self._exchange.start(self._abort_and_accept(run, message))

    def _abort_in_thread(self, message: Message) -> None:
        run = self._threads.get_active(_get_key(message))
        if run is None or message.run not in ("", run.id):
            self._refuse(message)
        else:
            self._exchange.start(self._abort_and_accept(run, message))

    async def _abort_and_accept(self, run: LiveRun, message: Message) -> None:
        await run.abort()
        await self._answer(message, "accept")

    def _report_turn(self, message: Message) -> None:
        """Tell another server when all earlier runs of a thread on this server have ended."""
        place = message.stamp, message.sender
        active = self._threads.list_active(_get_key(message))
        runs = [run for run in active if (run.stamp, self._exchange.name) < place]
        if not runs:
            self._refuse(message)
        elif message.request not in self._turns:
            self._turns.add(message.request)
            self._exchange.start(self._report_ends(runs, message))

    async def _report_ends(self, runs: list[LiveRun], message: Message) -> None:
        try:
            for run in runs:
                await run.wait()
        finally:
            self._turns.discard(message.request)
        await self._answer(message, "end")

    def _find_run(self, message: Message) -> LiveRun | None:
        """Return the run that another server requests, if the requester may see it."""
        run = self._runs.find(message.run, message.agent, message.owner, message.thread)
        return run if run is not None and message.resource in ("", run.resource) else None

    def _refuse(self, message: Message) -> None:
        self._exchange.start(self._answer(message, "none"))

    async def _answer(self, message: Message, kind: MessageKind) -> None:
        answer = self._exchange.build(kind, request=message.request)
        await self._exchange.send(message.sender, answer)


def _get_key(message: Message) -> ThreadKey:
    return message.agent, message.resource, message.thread
