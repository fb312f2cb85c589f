"""Test runs of other servers when messages are lost, late, unknown or too many."""

import asyncio
import contextlib
import json
import time
from typing import NamedTuple

import httpx
import pytest
from litestar.datastructures import State

from mastra_core import MemoryStorage, RateLimit
from mastra_core.database.message_bus import MAX_MESSAGE_BYTES
from mastra_core.errors import NotFound, StorageError
from mastra_server import create_app
from mastra_server.agents.live_runs import LiveRuns, RunScope
from mastra_server.agents.remote import message_exchange, request_handler
from mastra_server.agents.remote.remote_runs import RemoteRuns
from mastra_server.agents.thread_runs import ThreadRuns
from mastra_server.middleware.stored_window import StoredWindow
from tests.server.sample_app import create_sample

KEY = ("a", "o", "t")
DONE = b"data: [DONE]\n\n"


class MemoryBus:
    """A message bus in memory, which can lose and delay messages."""

    def __init__(self):
        self.listeners = []
        self.sent = []  # the kind of each message
        self.texts = []
        self.loses = lambda message: False
        self.copies = 1  # of each message that arrives
        self.delays = {}  # seconds for each kind of message

    async def publish(self, channel, messages):
        if any(len(text.encode()) > MAX_MESSAGE_BYTES for text in messages):
            raise StorageError("payload string too long")
        await asyncio.sleep(0)
        for text in messages:
            message = json.loads(text)
            self.sent.append(message["kind"])
            self.texts.append(text)
            await asyncio.sleep(self.delays.get(message["kind"], 0))
            for _ in range(0 if self.loses(message) else self.copies):
                self.deliver(channel, text)

    def find(self, kind):
        return [text for text in self.texts if json.loads(text)["kind"] == kind]

    def deliver(self, channel, text):
        for channels, queue in self.listeners:
            if channel in channels:
                queue.put_nowait(text)

    async def listen(self, *channels):
        queue = asyncio.Queue()
        self.listeners.append((channels, queue))
        yield ""
        while True:
            yield await queue.get()


class Server(NamedTuple):
    """The runs of one server."""

    remote: RemoteRuns
    runs: LiveRuns
    threads: ThreadRuns

    @property
    def exchange(self):
        return self.remote._exchange

    @property
    def senders(self):
        """The tasks that send frames to other servers, by request."""
        return self.remote._handler._senders

    def start(self, chunks, run_id="r", thread="", waits=False):
        memory = ("o" if thread else "", thread)
        run = self.runs.start(chunks, run_id, "a", "o", memory=memory, caller="c", size=1)
        run.is_waiting = waits
        self.remote.set_stamp(run)
        if thread:
            self.threads.add(("a", "o", thread), run)
        if not waits:
            self.remote.announce(run, ("a", "o", thread))
        return run

    def wait_for_turn(self, run):
        return asyncio.create_task(self.remote.wait_for_turn(KEY, run.id))

    async def observe(self, run_id="r", after=0):
        frames, _ = await self.remote.observe("a", RunScope("o"), run_id, after)
        return frames

    async def close(self):
        await self.runs.close()
        await self.remote.close()


@pytest.fixture(autouse=True)
def shorten_delays(monkeypatch):
    monkeypatch.setattr(message_exchange, "_START_DELAY", 0.02)
    monkeypatch.setattr(request_handler, "_FINISHED_DELAY", 0.02)


@contextlib.asynccontextmanager
async def open_servers(bus, count):
    servers = []
    for _ in range(count):
        runs, threads = LiveRuns(60), ThreadRuns()
        servers.append(Server(RemoteRuns(bus, runs, threads), runs, threads))
    await asyncio.gather(*(each.remote.open() for each in servers))
    await wait_until(
        lambda: all(len(each.exchange.list_servers()) == count - 1 for each in servers)
    )
    try:
        yield servers
    finally:
        await asyncio.gather(*(each.close() for each in servers))


async def wait_until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # nothing reports what tests wait for
            await asyncio.sleep(0.005)


async def chunks(count=1_000_000, wait=0.002, size=0):
    for index in range(count):
        yield {"n": index, "x": "x" * size}
        await asyncio.sleep(wait)


async def read(frames):
    async with asyncio.timeout(20):
        return b"".join([frame async for frame in frames])


def list_numbers(got):
    return [int(part.partition(b",")[0]) for part in got.split(b'"n":')[1:]]


def test_a_stream_with_lost_frames_has_no_end_marker():
    async def main():
        bus = MemoryBus()
        async with open_servers(bus, 2) as (one, two):
            bus.loses = lambda message: 3 <= message.get("number", 0) <= 5
            one.start(chunks(30))
            got = await read(await two.observe())
            numbers = list_numbers(got)
            assert 0 < len(numbers) < 30
            assert numbers == [*range(len(numbers))]
            assert not got.endswith(DONE)
            bus.loses = lambda message: False
            rest = await read(await two.observe(after=len(numbers)))
            assert numbers + list_numbers(rest) == [*range(30)]
            assert rest.endswith(DONE)

    asyncio.run(main())


def test_a_stream_whose_messages_arrive_twice_is_whole():
    async def main():
        bus = MemoryBus()
        bus.copies = 2
        async with open_servers(bus, 2) as (one, two):
            one.start(chunks(10, size=12_000))
            got = await read(await two.observe())
            assert list_numbers(got) == [*range(10)]
            assert got.endswith(DONE)

    asyncio.run(main())


def test_a_request_to_abort_that_arrives_twice_aborts_one_run():
    """The second copy arrives when the next run of the thread has become the active one."""

    async def main():
        bus = MemoryBus()
        async with open_servers(bus, 2) as (one, two):
            first, second = (one.start(chunks(), run_id, "t") for run_id in ("r1", "r2"))
            assert await two.remote.abort_thread(KEY, "")
            assert [first.is_running, second.is_running] == [False, True]
            (text,) = bus.find("abort-thread")
            bus.deliver("mastra_servers", text)
            await two.exchange.send("mastra_servers", two.exchange.build("wait"))
            await wait_until(lambda: "none" in bus.sent)  # the answer to the message after the copy
            assert second.is_running
            assert bus.sent.count("accept") == 1
            assert await two.remote.abort_thread(KEY, "")
            assert not second.is_running

    asyncio.run(main())


@pytest.mark.parametrize("count", [1, 2])
def test_a_cancelled_request_is_not_answered_when_it_arrives_late(count):
    """The request may arrive before and after its cancellation, or only after it."""

    async def main():
        bus = MemoryBus()
        async with open_servers(bus, 2) as (one, two):
            run = one.start(chunks())
            fields = {"agent": "a", "owner": "o", "run": "r", "after": 0}
            request = two.exchange.build("observe", **fields)
            cancellation = two.exchange.build("cancel", request=request.request)
            for message in [request, cancellation, request][-count - 1 :]:
                await two.exchange.send("mastra_servers", message)
                await wait_until(lambda: all(queue.empty() for _, queue in bus.listeners))
            await wait_until(lambda: one.senders == {})
            assert not run._log.has_readers
            assert run.is_running

    asyncio.run(main())


def test_a_request_is_not_answered_again_after_its_end():
    async def main():
        bus = MemoryBus()
        bus.loses = lambda message: message["kind"] == "cancel"
        async with open_servers(bus, 2) as (one, two):
            one.start(chunks(3))
            assert (await read(await two.observe())).endswith(DONE)
            await wait_until(lambda: one.senders == {})
            (text,) = bus.find("observe")
            bus.deliver("mastra_servers", text)
            await wait_until(lambda: all(queue.empty() for _, queue in bus.listeners))
            assert one.senders == {}

    asyncio.run(main())


def test_a_server_remembers_a_bounded_number_of_requests(monkeypatch):
    monkeypatch.setattr(request_handler, "_MAX_RECENT", 3)

    async def main():
        async with open_servers(MemoryBus(), 2) as (one, two):
            for _ in range(5):
                assert not await two.remote.abort("a", RunScope("o"), "unknown")
            assert len(one.remote._handler._recent) == 3

    asyncio.run(main())


def test_a_stream_that_lost_part_of_a_large_frame_has_no_such_frame():
    async def main():
        bus = MemoryBus()
        async with open_servers(bus, 2) as (one, two):
            bus.loses = lambda message: message.get("number") == 1
            one.start(chunks(1, size=12_000))
            assert await read(await two.observe()) == b""

    asyncio.run(main())


@pytest.mark.parametrize(
    "text", ['{"kind":"of-tomorrow","sender":"x"}', '{"kind":"alive"}', "[]", "no JSON"]
)
def test_a_server_ignores_an_unknown_message(text):
    async def main():
        bus = MemoryBus()
        async with open_servers(bus, 2) as (one, two):
            bus.deliver("mastra_servers", text)
            one.start(chunks(3))
            assert list_numbers(await read(await two.observe())) == [0, 1, 2]

    asyncio.run(main())


@pytest.mark.parametrize("count", [0, 1])
def test_a_reader_that_stalls_is_disconnected(monkeypatch, count):
    """Also a reader that has not begun to read."""
    monkeypatch.setattr(message_exchange, "_MAX_QUEUED", 10)

    async def main():
        async with open_servers(MemoryBus(), 2) as (one, two):
            run = one.start(chunks())
            frames = await two.observe()
            first = [await anext(frames) for _ in range(count)]
            await wait_until(lambda: two.exchange._queues == one.senders == {})
            assert run.is_running
            got = b"".join(first) + await read(frames)
            assert list_numbers(got) == [*range(len(list_numbers(got)))]
            assert not got.endswith(DONE)

    asyncio.run(main())


def test_a_waiting_run_starts_although_the_end_of_an_earlier_run_was_lost(monkeypatch):
    monkeypatch.setattr(message_exchange, "ANSWER_TIMEOUT", 0.1)
    monkeypatch.setattr(message_exchange, "ALIVE_INTERVAL", 0.1)

    async def main():
        bus = MemoryBus()
        bus.loses = lambda message: message["kind"] == "end"
        async with open_servers(bus, 2) as (one, two):
            earlier = one.start(chunks(), "earlier", "t")
            turn = two.wait_for_turn(two.start(chunks(), "later", "t", waits=True))
            await wait_until(lambda: bus.sent.count("wait") == 3)  # the question is repeated
            assert not turn.done()
            await earlier.abort()
            async with asyncio.timeout(2):
                await turn

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["wait", "end"])
def test_a_run_waits_for_an_earlier_run_although_messages_were_lost(monkeypatch, kind):
    monkeypatch.setattr(message_exchange, "ANSWER_TIMEOUT", 0.05)
    monkeypatch.setattr(message_exchange, "ALIVE_INTERVAL", 0.05)

    async def main():
        bus = MemoryBus()
        bus.loses = lambda message: message["kind"] == kind and bus.sent.count(kind) < 3
        async with open_servers(bus, 2) as (one, two):
            earlier = one.start(chunks(), "earlier", "t")
            turn = two.wait_for_turn(two.start(chunks(), "later", "t", waits=True))
            await asyncio.sleep(0.3)
            assert not turn.done()
            await earlier.abort()
            async with asyncio.timeout(2):
                await turn

    asyncio.run(main())


def test_a_run_does_not_wait_for_a_server_that_is_dead(monkeypatch):
    monkeypatch.setattr(message_exchange, "ANSWER_TIMEOUT", 0.05)
    monkeypatch.setattr(message_exchange, "ALIVE_INTERVAL", 0.05)
    monkeypatch.setattr(message_exchange, "ALIVE_TIMEOUT", 0.4)

    async def main():
        bus = MemoryBus()
        async with open_servers(bus, 2) as (one, two):
            one.start(chunks(), "earlier", "t")
            turn = two.wait_for_turn(two.start(chunks(), "later", "t", waits=True))
            await asyncio.sleep(0.1)
            assert not turn.done()
            bus.loses = lambda message: message["sender"] == one.exchange.name
            async with asyncio.timeout(2):
                await turn

    asyncio.run(main())


def test_a_run_waits_for_a_run_of_a_server_whose_clock_is_ahead():
    async def main():
        async with open_servers(MemoryBus(), 2) as (one, two):
            one.exchange._clock = time.time_ns() + 5_000_000_000
            earlier = one.start(chunks(), "earlier", "t")
            await asyncio.sleep(0.05)
            later = two.start(chunks(), "later", "t", waits=True)
            turn = two.wait_for_turn(later)
            await asyncio.sleep(0.05)
            assert not turn.done()
            assert later.stamp > earlier.stamp
            await earlier.abort()
            async with asyncio.timeout(1):
                await turn

    asyncio.run(main())


def test_of_two_runs_with_equal_stamps_that_of_the_first_name_is_first():
    async def main():
        async with open_servers(MemoryBus(), 2) as servers:
            first, last = sorted(servers, key=lambda server: server.exchange.name)
            runs = [each.start(chunks(), "r", "t", waits=True) for each in (first, last)]
            runs[0].stamp = runs[1].stamp
            turn, late_turn = first.wait_for_turn(runs[0]), last.wait_for_turn(runs[1])
            async with asyncio.timeout(1):
                await turn
            await asyncio.sleep(0.05)
            assert not late_turn.done()
            await runs[0].abort()
            async with asyncio.timeout(1):
                await late_turn

    asyncio.run(main())


def test_a_run_that_another_server_resumes_reaches_a_listener():
    async def main():
        async with open_servers(MemoryBus(), 3) as (one, two, three):
            got = []

            async def listen():
                async for frame in three.threads.stream_frames(KEY, State({"draining": False})):
                    got.extend(list_numbers(frame))

            listener = asyncio.create_task(listen())
            await asyncio.sleep(0)
            one.start(chunks(3), thread="t")
            await wait_until(lambda: got == [0, 1, 2])
            two.start(chunks(4), thread="t")
            await wait_until(lambda: got == [0, 1, 2, 0, 1, 2, 3])
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    asyncio.run(main())


def test_a_server_that_closes_ends_the_streams_of_its_runs():
    async def main():
        async with open_servers(MemoryBus(), 2) as (one, two):
            one.start(chunks())
            frames = await two.observe()
            await anext(frames)
            await one.close()
            got = await read(frames)
            assert b'"type":"abort"' in got
            assert got.endswith(DONE)

    asyncio.run(main())


def test_a_server_closes_although_the_database_does_not_answer(monkeypatch):
    monkeypatch.setattr(message_exchange, "_CLOSE_TIMEOUT", 0.1)
    monkeypatch.setattr(request_handler, "_FINISH_TIMEOUT", 0.1)

    async def main():
        bus = MemoryBus()
        async with open_servers(bus, 2) as (one, two):
            one.start(chunks())
            frames = await two.observe()
            await anext(frames)
            bus.delays = dict.fromkeys(("frame", "end", "leave"), 60)
            async with asyncio.timeout(1):
                await one.close()
            await frames.aclose()

    asyncio.run(main())


def test_an_accept_that_is_late_is_cancelled(monkeypatch):
    monkeypatch.setattr(message_exchange, "ANSWER_TIMEOUT", 0.1)

    async def main():
        bus = MemoryBus()
        async with open_servers(bus, 2) as (one, two):
            bus.delays = {"accept": 0.2}
            run = one.start(chunks())
            with pytest.raises(NotFound):
                await two.observe()
            await asyncio.sleep(0.2)
            assert one.senders == {}
            assert not run._log.has_readers
            assert run.is_running

    asyncio.run(main())


def test_no_run_has_an_id_that_is_too_long_for_a_message():
    async def main():
        run_id = "ä" * MAX_MESSAGE_BYTES
        async with open_servers(MemoryBus(), 2) as (_, two):
            with pytest.raises(NotFound):
                await two.observe(run_id)
            assert not await two.remote.abort("a", RunScope("o"), run_id)
            assert not await two.remote.abort_thread(KEY, run_id)
            assert two.exchange._queues == {}

    asyncio.run(main())


@contextlib.asynccontextmanager
async def open_app(**settings):
    """Start the application in this event loop, and yield an HTTP client for it."""
    app = create_app(create_sample(**settings))
    transport = httpx.ASGITransport(app)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        yield http


def test_a_request_with_a_run_id_that_is_too_long_is_answered_with_404():
    async def main():
        storage, run_id = MemoryStorage(), "r" * MAX_MESSAGE_BYTES
        storage.bus = MemoryBus()
        async with open_servers(storage.bus, 1) as (one,), open_app(storage=storage) as http:
            await wait_until(one.exchange.list_servers)
            cancelled = await http.post(f"/api/agents/echo-agent/runs/{run_id}/cancel")
            headers = {"last-event-id": f"{run_id}/0"}
            body = {"runId": "r"}
            observed = await http.post("/api/agents/echo-agent/observe", json=body, headers=headers)
            assert [each.status_code for each in (cancelled, observed)] == [404, 404]
            assert observed.json() == cancelled.json() == {"error": "Agent run not found"}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u:secret@127.0.0.1:1/db", "127.0.0.1"),
        ("postgresql://u:secret@127.0.0.1:port/db", "port"),
        ("sqlite:////missing/directory/counts.db", "Create the directory"),
    ],
)
def test_a_server_does_not_start_without_the_database_of_its_rate_limit(url, words):
    app = create_app(create_sample(server={"rate_limit": RateLimit(amount="9/day", storage=url)}))
    received = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))
    sent = []

    async def receive():
        return next(received)

    async def send(message):
        sent.append(message)

    with contextlib.suppress(Exception):  # the application also raises the error
        asyncio.run(app({"type": "lifespan", "app": app, "state": {}}, receive, send))
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert words in sent[0]["message"]
    assert "Traceback" not in sent[0]["message"]
    assert "secret" not in sent[0]["message"]


def test_an_error_of_the_database_of_a_rate_limit_is_answered_with_json(tmp_path, monkeypatch):
    async def raise_error(*_):
        raise StorageError("the connection to db-7.internal is lost")

    async def main():
        limit = RateLimit(amount="9/day", storage=f"sqlite:///{tmp_path}/counts.db")
        async with open_app(server={"rate_limit": limit}) as http:
            assert (await http.get("/api/agents")).status_code == 200
            monkeypatch.setattr(StoredWindow, "hit", raise_error)
            answer = await http.get("/api/agents")
            assert answer.status_code == 503
            assert answer.json() == {"error": "The storage is not available"}
            assert answer.headers["access-control-allow-origin"] == "*"
            assert (await http.get("/health")).status_code == 200

    asyncio.run(main())


def test_a_reader_that_leaves_before_the_first_frame():
    """The client of a response may disconnect before the frames are requested."""

    async def main():
        bus = MemoryBus()
        async with open_servers(bus, 2) as (one, two):
            one.start(chunks(3, wait=5))
            frames, end = await two.remote.observe("a", RunScope("o"), "r", 0)
            await wait_until(lambda: one.senders)
            await frames.aclose()
            await end()
            await wait_until(lambda: not one.senders)
            assert not two.exchange._queues
            await end()
            assert bus.sent.count("cancel") == 1

    asyncio.run(main())
