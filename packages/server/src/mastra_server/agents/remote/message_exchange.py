"""Exchange messages with the other servers that share the database."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import msgspec

from mastra_core.database.message_bus import MAX_MESSAGE_BYTES, MessageBus
from mastra_core.errors import StorageError
from mastra_core.logger import get_logger
from mastra_core.request_scope import is_being_cancelled
from mastra_server.agents.remote.messages import Message, MessageKind

__all__ = ("ALL_SERVERS", "Answer", "MessageExchange")

ALL_SERVERS = "mastra_servers"
ANSWER_TIMEOUT = 1.5  # seconds until a server that has not answered is left out
ALIVE_INTERVAL = 5.0  # seconds between the reports of a server
ALIVE_TIMEOUT = 12.0  # seconds after which a server that has not reported counts as dead
_RETRY_DELAY = 1.0  # seconds between attempts to listen
_START_DELAY = 0.1  # seconds for other servers to report when this server starts
_MAX_QUEUED = 2_000  # messages that wait for a slow reader: at most 13 MB
_CLOSE_TIMEOUT = 2.0  # seconds to tell the other servers that this one leaves


class Answer(NamedTuple):
    """The answer of a server that has accepted a request.

    :param server: the name of the server.
    :param queue: receives further messages about the request, until the request is closed.
    """

    server: str
    queue: asyncio.Queue[Message]


class MessageExchange:
    """Sends messages and requests to the other servers, and knows which servers are alive.

    :param bus: the message bus between the servers.
    :param handle: handles each message, except answers to the requests of this server.

    ``name`` is the channel on which other servers send messages to this server only.
    """

    def __init__(self, bus: MessageBus, handle: Callable[[Message], None]) -> None:
        self.name = f"mastra_server_{uuid.uuid4().hex}"
        self._bus = bus
        self._handle = handle
        self._queues: dict[str, asyncio.Queue[Message]] = {}  # by request
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_ready = asyncio.Event()
        self._servers: dict[str, float] = {}  # when each other server was last heard
        self._clock = 0

    async def open(self) -> None:
        """Listen to the other servers."""
        self.start(self._listen())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await self._is_ready.wait()
        self.start(self._report_alive())
        await asyncio.sleep(_START_DELAY)

    async def close(self) -> None:
        """Tell the other servers that this one leaves, and stop listening."""
        with contextlib.suppress(TimeoutError):  # the database may be unreachable
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self.send(ALL_SERVERS, self.build("leave"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def list_servers(self) -> set[str]:
        """Return the names of the other servers that have reported recently."""
        start = time.monotonic() - ALIVE_TIMEOUT
        self._servers = {name: at for name, at in self._servers.items() if at >= start}
        return set(self._servers)

    def take_stamp(self) -> int:
        """Return a time by the logical clock that all servers share, later than each known time."""
        self._clock = max(self._clock + 1, time.time_ns())
        return self._clock

    def build(self, kind: MessageKind, **fields: Any) -> Message:
        """Build a message of this server.

        :param kind: the kind of the message.
        :param fields: the other fields; the id of the request is random by default.
        """
        return Message(kind, self.name, **{"request": uuid.uuid4().hex, **fields})

    async def send(self, server: str, *messages: Message) -> None:
        """Send messages. If the database cannot be used, they are lost without an error.

        :param server: the name of the server, or ``ALL_SERVERS``.
        :param messages: the messages.
        """
        with contextlib.suppress(StorageError):
            await self._bus.publish(server, [message.encode() for message in messages])

    def send_soon(self, server: str, message: Message) -> None:
        """Send a message in the background.

        :param server: the name of the server, or ``ALL_SERVERS``.
        :param message: the message.
        """
        self.start(self.send(server, message))

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Execute a coroutine in a task that is cancelled when the exchange closes.

        :param work: the coroutine.
        :returns: the task.
        """
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def ask(self, question: Message) -> Answer | None:
        """Send a request to all servers, and wait until one of them accepts it.

        If a server accepts, the caller must later close or cancel the request.

        :param question: the request.
        :returns: the answer; ``None`` if no server accepts the request in time.
        :raises StorageError: when the database cannot be used.
        """
        text, servers = question.encode(), self.list_servers()
        if len(text.encode()) > MAX_MESSAGE_BYTES:
            return None  # no run has so long an id
        queue = self._queues[question.request] = asyncio.Queue()
        answer = None
        try:
            if servers:
                await self._bus.publish(ALL_SERVERS, [text])
            async with asyncio.timeout(ANSWER_TIMEOUT):
                while servers and answer is None:
                    received = await queue.get()
                    servers.discard(received.sender)
                    answer = Answer(received.sender, queue) if received.kind == "accept" else None
        except TimeoutError:
            pass
        finally:
            if answer is None:  # a server may still accept, and send frames that nobody reads
                self.cancel_request(question.request)
        return answer

    async def ask_all(self, question: Message) -> None:
        """Send a request to all servers, and wait until each has answered or counts as dead.

        Any message may be lost, so the request is repeated.

        :param question: the request.
        :raises StorageError: when the database cannot be used.
        """
        servers, delay = self.list_servers(), ANSWER_TIMEOUT
        if not servers:
            return
        queue = self._queues[question.request] = asyncio.Queue()
        try:
            await self._bus.publish(ALL_SERVERS, [question.encode()])
            while servers:
                try:
                    async with asyncio.timeout(delay):
                        servers.discard((await queue.get()).sender)
                except TimeoutError:
                    servers &= self.list_servers()
                    delay = ALIVE_INTERVAL
                    if servers:
                        await self.send(ALL_SERVERS, question)
        finally:
            self.close_request(question.request)

    def close_request(self, request: str) -> bool:
        """Receive no more messages about a request; return whether it was open.

        :param request: the id of the request.
        """
        return self._queues.pop(request, None) is not None

    def cancel_request(self, request: str) -> None:
        """Close a request, and tell the server that answers it, unless the request is already
        closed.

        :param request: the id of the request.
        """
        if self.close_request(request):
            self.send_soon(ALL_SERVERS, self.build("cancel", request=request))

    async def _report_alive(self) -> None:
        while not is_being_cancelled():
            await self.send(ALL_SERVERS, self.build("alive"))
            await asyncio.sleep(ALIVE_INTERVAL)

    async def _listen(self) -> None:
        while not is_being_cancelled():
            try:
                async for text in self._bus.listen(ALL_SERVERS, self.name):
                    if text:
                        self._receive_text(text)
                    else:
                        self._is_ready.set()
            except StorageError as error:
                self._is_ready.clear()
                get_logger("mastra.server").warning(
                    "other servers cannot be reached: %s", error.message
                )
            await asyncio.sleep(_RETRY_DELAY)

    def _receive_text(self, text: str) -> None:
        try:
            message = msgspec.json.decode(text, type=Message)
        except (msgspec.DecodeError, UnicodeError):  # of another version, or another program
            get_logger("mastra.server").debug("a message of another server is unknown")
        else:
            if message.sender != self.name:
                self._receive(message)

    def _receive(self, message: Message) -> None:
        self._record_server(message)
        queue = self._queues.get(message.request)
        if queue is None:
            self._handle(message)
        elif message.kind == "frame" and queue.qsize() >= _MAX_QUEUED:
            self.cancel_request(message.request)  # the reader is too slow, and is disconnected
            queue.put_nowait(msgspec.structs.replace(message, kind="end"))
        else:
            queue.put_nowait(message)

    def _record_server(self, message: Message) -> None:
        """Record that a server is alive; tell a new server that this one is alive."""
        self._clock = max(self._clock, message.stamp)
        if message.kind == "leave":
            self._servers.pop(message.sender, None)
            return
        is_new = message.sender not in self._servers
        self._servers[message.sender] = time.monotonic()
        if is_new:
            self.send_soon(message.sender, self.build("alive"))
