"""Observe and abort agent runs of other servers that share the database.

A run stays in the memory of its server. A server that does not know a run asks all other servers on
the message bus of the storage. The server of the run then sends the frames of the run, until the
run ends or the reader is gone. If no other server observes a run, the run costs at most one
message, at its start.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial

from mastra_core.database.message_bus import MessageBus
from mastra_core.errors import NotFound
from mastra_core.logger import get_logger
from mastra_server.agents.live_run import LiveRun
from mastra_server.agents.live_runs import LiveRuns, RunScope
from mastra_server.agents.remote.message_exchange import ALL_SERVERS, Answer, MessageExchange
from mastra_server.agents.remote.messages import Message
from mastra_server.agents.remote.request_handler import RequestHandler
from mastra_server.agents.thread_runs import ThreadKey, ThreadRuns

__all__ = ("RemoteRuns",)

SILENCE_TIMEOUT = 40.0  # seconds without a frame or heartbeat until a server counts as dead


class _RemoteRun:
    """A run of another server, as a listener of the run's thread reads it."""

    def __init__(self, open_frames: Callable[[], AsyncGenerator[bytes]]) -> None:
        self.stream_frames = open_frames


class RemoteRuns:
    """Observes and aborts the runs of other servers, and announces this server's runs to them.

    :param bus: the message bus between the servers.
    :param runs: the runs of this server.
    :param threads: the threads of this server.
    """

    def __init__(self, bus: MessageBus, runs: LiveRuns, threads: ThreadRuns) -> None:
        self._exchange = MessageExchange(bus, self._handle)
        self._handler = RequestHandler(self._exchange, runs, threads)
        self._runs = runs
        self._threads = threads

    async def open(self) -> None:
        """Listen to the other servers."""
        self._threads.on_listen = self._request_runs
        await self._exchange.open()

    async def close(self) -> None:
        """End the streams to other servers, and stop listening."""
        await self._handler.finish_streams()
        await self._exchange.close()

    def set_stamp(self, run: LiveRun) -> None:
        """Set the start time of a run by the logical clock that all servers share.

        :param run: the run.
        """
        run.stamp = self._exchange.take_stamp()

    def announce(self, run: LiveRun, key: ThreadKey) -> None:
        """Tell all servers that a run has started, or continues after a suspension.

        :param run: the run.
        :param key: the thread of the run; the thread's id is empty if the run has no thread.
        """
        if self._exchange.list_servers():
            self._handler.announce(run, key, ALL_SERVERS)

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
            disconnected, because a generator that was never started runs no ``finally``.
        :raises NotFound: when no server has such a run.
        """
        owner, thread, resource = scope
        question = self._exchange.build(
            "observe",
            agent=agent_id,
            owner=owner,
            run=run_id,
            resource=resource,
            thread=thread,
            after=after,
        )
        answer = await self._exchange.ask(question)
        if answer is None:
            raise NotFound("Agent run not found")
        frames = self._receive_frames(question.request, answer)
        return frames, partial(self._end_observation, question.request)

    async def abort(self, agent_id: str, scope: RunScope, run_id: str) -> bool:
        """Abort a run of another server.

        :param agent_id: the id of the agent.
        :param scope: the runs that the caller may see.
        :param run_id: the id of the run.
        :returns: whether another server had this run.
        """
        owner, thread, resource = scope
        question = self._exchange.build(
            "abort", agent=agent_id, owner=owner, run=run_id, resource=resource, thread=thread
        )
        return await self._request_abort(question)

    async def abort_thread(self, key: ThreadKey, run_id: str) -> bool:
        """Abort the active run of a thread on another server.

        :param key: the key of the thread.
        :param run_id: the id that the run must have; empty for any.
        :returns: whether another server had this run.
        """
        agent, resource, thread = key
        question = self._exchange.build(
            "abort-thread", agent=agent, run=run_id, resource=resource, thread=thread
        )
        return await self._request_abort(question)

    async def _request_abort(self, question: Message) -> bool:
        answer = await self._exchange.ask(question)
        self._exchange.close_request(question.request)
        return answer is not None

    async def wait_for_turn(self, key: ThreadKey, run_id: str) -> None:
        """Wait for the runs of a thread that started earlier on other servers.

        Servers order runs by a logical clock, so that no two runs wait for each other.

        :param key: the key of the thread.
        :param run_id: the id of a run of this server.
        """
        agent, resource, thread = key
        run = next((each for each in self._threads.list_active(key) if each.id == run_id), None)
        if run is not None:
            question = self._exchange.build(
                "wait", agent=agent, resource=resource, thread=thread, stamp=run.stamp
            )
            await self._exchange.ask_all(question)

    async def _receive_frames(self, request: str, answer: Answer) -> AsyncGenerator[bytes]:
        parts, number = [], 0
        try:
            while True:
                async with asyncio.timeout(SILENCE_TIMEOUT):
                    message = await answer.queue.get()
                if message.sender != answer.server:
                    continue  # another server has answered later
                if message.kind == "end":
                    return
                if message.kind != "frame" or message.number < number:
                    continue  # a message may arrive twice
                if message.number > number:
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
        self._exchange.cancel_request(request)

    def _request_runs(self, key: ThreadKey) -> None:
        """Ask the other servers for the active runs of a thread, for a listener of this server."""
        agent, resource, thread = key
        question = self._exchange.build("listen", agent=agent, resource=resource, thread=thread)
        self._exchange.send_soon(ALL_SERVERS, question)

    def _handle(self, message: Message) -> None:
        if message.kind == "started":
            self._add_run(message)
        else:
            self._handler.handle(message)

    def _add_run(self, message: Message) -> None:
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
