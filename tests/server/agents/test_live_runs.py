"""Test the log of a run with no reader, many readers and slow readers."""

import asyncio
import contextlib

import pytest
from litestar.datastructures import State

from mastra_core.errors import Conflict, NotFound, TooManyRuns
from mastra_core.logger import get_logger
from mastra_core.request_scope import disable_request_scope, enable_request_scope, scoped_task
from mastra_server.agents import frame_log, live_run, live_runs
from mastra_server.agents.live_runs import LiveRuns
from mastra_server.agents.thread_runs import ThreadRuns


def build_chunk(index, size=0):
    return {"n": index, "x": "x" * size}


async def chunks(count, size=0, wait=0.0):
    for index in range(count):
        yield build_chunk(index, size)
        await asyncio.sleep(wait)


async def endless():
    yield build_chunk(0)
    await asyncio.Event().wait()


async def read(run, after=None, slowly=0.0):
    got = b""
    async for piece in run.stream_frames(after):
        got += piece
        await asyncio.sleep(slowly)
    return got


def list_numbers(got):
    return [int(part.partition(b",")[0]) for part in got.split(b'"n":')[1:]]


def test_many_readers():
    async def main():
        runs = LiveRuns(60)
        run = runs.start(chunks(50, wait=0.001), "r", "a")
        early = asyncio.create_task(read(run))
        slow = asyncio.create_task(read(run, slowly=0.005))
        await asyncio.sleep(0.02)
        late = await read(run, 0)
        assert (
            list_numbers(await early)
            == list_numbers(await slow)
            == list_numbers(late)
            == [*range(50)]
        )
        assert list_numbers(await read(run, 48)) == [48, 49]
        assert await read(run, 99) == b"data: [DONE]\n\n"
        assert late.endswith(b"id: r/50\n\ndata: [DONE]\n\n")

    asyncio.run(main())


async def chunks_at_once(count):
    for index in range(count):
        yield build_chunk(index)


def test_chunks_that_are_ready_together_are_sent_together(monkeypatch):
    monkeypatch.setattr(live_run, "SECONDS_PER_TURN", 60)

    async def main():
        run = LiveRuns(60).start(chunks_at_once(40), "r", "a")
        pieces = [piece async for piece in run.stream_frames()]
        assert [list_numbers(piece) for piece in pieces] == [
            [*range(16)],
            [*range(16, 32)],
            [*range(32, 40)],
            [],
        ]

    asyncio.run(main())


@pytest.mark.parametrize(("seconds", "turns"), [(60, 100 // 16), (0, 100)])
def test_an_agent_that_never_awaits_lets_other_tasks_run(monkeypatch, seconds, turns):
    monkeypatch.setattr(live_run, "SECONDS_PER_TURN", seconds)

    async def main():
        run = LiveRuns(60).start(chunks_at_once(100), "r", "a")
        count = 0
        while run.is_running:
            await asyncio.sleep(0)
            count += 1
        assert turns <= count <= turns + 3

    asyncio.run(main())


def test_log_is_bounded_without_readers(monkeypatch):
    monkeypatch.setattr(frame_log, "MAX_FRAMES", 10)

    async def main():
        run = LiveRuns(60).start(chunks(1000), "r", "a")
        async with asyncio.timeout(5):
            await run.wait()
        got = await read(run, 3)
        assert got.startswith(b": frames before 990 are no longer kept\n\n")
        assert list_numbers(got) == [*range(990, 1000)]

    asyncio.run(main())


def test_log_is_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(frame_log, "MAX_BYTES", 1000)
    monkeypatch.setattr(frame_log, "MIN_BYTES", 1000)

    async def main():
        run = LiveRuns(60).start(chunks(100, 400), "r", "a")
        while run.is_running:
            assert run.size < 1500
            await asyncio.sleep(0)

    asyncio.run(main())


def test_a_run_waits_for_a_slow_reader(monkeypatch):
    monkeypatch.setattr(frame_log, "MAX_FRAMES", 10)

    async def main():
        run = LiveRuns(60).start(chunks(100), "r", "a")
        assert list_numbers(await read(run, slowly=0.002)) == [*range(100)]

    asyncio.run(main())


def test_a_reader_gets_a_long_log_in_parts():
    """Many readers can be slow, so none of them holds a copy of the whole log."""

    async def main():
        run = LiveRuns(60).start(chunks(300, 5_000), "r", "a")
        await run.wait()
        parts = [piece async for piece in run.stream_frames(0)]
        assert list_numbers(b"".join(parts)) == [*range(300)]
        assert max(map(len, parts)) < frame_log.MAX_CHUNK + 1_000
        assert len(parts) > 20
        position = int(parts[3].rpartition(b"/")[2])
        assert list_numbers(await read(run, position)) == list_numbers(b"".join(parts[4:]))

    asyncio.run(main())


def test_a_stalled_reader_is_disconnected(monkeypatch):
    monkeypatch.setattr(frame_log, "MAX_FRAMES", 10)
    monkeypatch.setattr(frame_log, "SLOW_READER_TIMEOUT", 0.05)

    async def main():
        run = LiveRuns(60).start(chunks(100), "r", "a")
        stuck = run.stream_frames()
        first = await anext(stuck)
        quick = asyncio.create_task(read(run, 0))
        rest = b"".join([piece async for piece in stuck if not await asyncio.sleep(0.3)])
        assert b"[DONE]" not in first + rest
        assert list_numbers(await quick) == [*range(100)]

    asyncio.run(main())


@pytest.mark.parametrize("scoped", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_late_end_of_a_response_leaves_the_resumed_run_alone(monkeypatch, scoped, at_once):
    """A slow client may receive the end of a run after another request has resumed the run."""
    monkeypatch.setattr(live_run, "ABORT_DELAY", 0)
    if scoped:
        enable_request_scope(lambda task: None)

    async def main():
        runs = LiveRuns(60)
        run = runs.start(chunks(3), "r", "a")
        run.abort_without_readers(lambda: False)
        end_first = run.build_disconnect_callback(at_once=at_once)
        first = run.stream_frames()
        async for piece in first:
            if b"[DONE]" in piece:
                break
        await run.wait()
        runs.start(chunks(20, wait=0.01), "r", "a").abort_without_readers(lambda: False)
        await first.aclose()
        await end_first()
        await asyncio.sleep(0.05)
        assert list_numbers(await read(run)) == [*range(20)]
        end_second = run.build_disconnect_callback(at_once=at_once)
        await end_second()  # the run has ended, so there is nothing to abort
        runs.start(endless(), "r", "a").abort_without_readers(lambda: False)
        await asyncio.sleep(0.01)
        await run.build_disconnect_callback(at_once=at_once)()
        async with asyncio.timeout(5):
            await run.wait()
        assert b'"type":"abort"' in await read(run)

    try:
        asyncio.run(main())
    finally:
        disable_request_scope()


@pytest.mark.parametrize("scoped", [False, True])
def test_a_delayed_abort_leaves_the_resumed_run_alone(monkeypatch, scoped):
    """A run that suspends within the delay may be resumed before its end."""
    monkeypatch.setattr(live_run, "ABORT_DELAY", 0.1)
    if scoped:
        enable_request_scope(lambda task: None)

    async def main():
        runs = LiveRuns(60)
        run = runs.start(chunks(2, wait=0.02), "r", "a")
        run.abort_without_readers(lambda: False)
        await run.build_disconnect_callback()()
        await run.wait()
        runs.start(chunks(20, wait=0.02), "r", "a").abort_without_readers(lambda: False)
        await run.wait()
        assert list_numbers(await read(run)) == [*range(20)]

    try:
        asyncio.run(main())
    finally:
        disable_request_scope()


def test_a_resumed_run_continues_its_log():
    async def main():
        runs = LiveRuns(60)
        run = runs.start(chunks(3), "r", "a")
        await read(run)
        assert runs.find("r", "a", "somebody") is None
        again = runs.start(chunks(2), "r", "a")
        assert again is run
        with pytest.raises(Conflict):
            runs.start(chunks(1), "r", "a")
        assert list_numbers(await read(again)) == [0, 1]
        assert list_numbers(await read(again, 0)) == [0, 1, 2, 0, 1]

    asyncio.run(main())


def test_number_of_runs_is_bounded(monkeypatch):
    monkeypatch.setattr(live_runs, "MAX_RUNNING", 2)
    monkeypatch.setattr(live_runs, "MAX_FINISHED", 3)

    async def main():
        runs = LiveRuns(60)
        for index in range(2):
            runs.start(endless(), f"endless-{index}", "a")
        with pytest.raises(TooManyRuns):
            runs.start(chunks(1), "r", "a")
        await runs.close()
        for index in range(5):
            await read(runs.start(chunks(1), f"r{index}", "a"))
            await asyncio.sleep(0)
        for known in ("r2", "r3", "r4"):
            assert runs.find(known, "a") is not None
        for gone in ("endless-0", "r0", "r1"):
            assert runs.find(gone, "a") is None

    asyncio.run(main())


@pytest.mark.parametrize(("name", "value"), [("MAX_FINISHED_BYTES", 40), ("MAX_AGE", -1)])
def test_finished_runs_are_bounded_by_bytes_and_age(monkeypatch, name, value):
    monkeypatch.setattr(live_runs, name, value)

    async def main():
        runs = LiveRuns(60)
        await read(runs.start(chunks(1), "first", "a"))
        await read(runs.start(chunks(1), "last", "a"))
        await asyncio.sleep(0)
        assert runs.find("first", "a") is None

    asyncio.run(main())


@pytest.mark.parametrize("secret", [object(), RuntimeError("secret")])
def test_a_failed_run_ends_with_an_error(secret):
    async def odd():
        yield {"n": 0}
        yield {"n": secret}
        yield {"n": 2}

    async def main():
        got = await read(LiveRuns(60).start(odd(), "r", "a"))
        assert b'"type":"error"' in got
        assert b"secret" not in got
        assert got.count(b'"n"') == 1
        assert got.endswith(b"data: [DONE]\n\n")

    asyncio.run(main())


def test_a_run_is_lost_with_its_request(monkeypatch):
    """The platform drops the request of a run: readers end, and its place and id are free."""
    monkeypatch.setattr(scoped_task, "_LOST_AFTER", 0.3)
    monkeypatch.setattr(scoped_task, "_GRACE", 0.1)
    monkeypatch.setattr(live_run, "HEARTBEAT_INTERVAL", 0.2)
    enable_request_scope(asyncio.ensure_future)
    threads, key = ThreadRuns(), ("a", "", "t")

    async def main():
        runs = LiveRuns(60)
        run = runs.start(endless(), "r", "a")
        threads.add(key, run)
        reading = asyncio.create_task(read(run))
        with pytest.raises(Conflict):
            runs.start(endless(), "r", "a")
        await asyncio.sleep(0)
        supervisor = scoped_task._supervisors[run._task]
        monkeypatch.setattr(supervisor, "sign", lambda: None)
        assert list_numbers(await asyncio.wait_for(reading, 20)) == [0]
        assert threads.get_active(key) is None
        threads.add(("a", "", "other"), runs.start(chunks(1), "other", "a"))
        assert key not in threads._running, "a lost run takes no memory"
        again = runs.start(chunks(2), "r", "a")
        assert runs.find("r", "a") is again
        assert list_numbers(await read(again)) == [0, 1]

    try:
        asyncio.run(main())
    finally:
        disable_request_scope()


def test_a_run_of_another_thread_begins_a_new_log():
    async def main():
        runs = LiveRuns(60)
        await read(runs.start(chunks(3), "r", "a", memory=("ann", "t1")))
        other = runs.start(chunks(2), "r", "a", memory=("ann", "t2"))
        assert list_numbers(await read(other, 0)) == [0, 1]

    asyncio.run(main())


async def refuse(secret):
    yield build_chunk(0)
    raise NotFound("There is no suspended run 'r'.")


def test_an_error_of_the_request_is_shown(caplog):
    """Two servers may resume a run at the same time; the stream of the second one has begun."""

    async def main():
        run = LiveRuns(60).start(refuse(""), "r", "a")
        got = await read(run)
        assert b'"error":{"name":"NotFound","message":"There is no suspended run' in got
        assert got.endswith(live_run.DONE)

    get_logger("mastra.server").addHandler(caplog.handler)
    asyncio.run(main())
    get_logger("mastra.server").removeHandler(caplog.handler)
    assert not caplog.records


def test_all_runs_are_aborted_at_the_same_time():
    """The time until a server may kill its process is for all runs together."""

    async def clean_up(both):
        try:
            await asyncio.Event().wait()
        finally:
            await both.wait()
        yield

    async def main():
        runs, both = LiveRuns(60), asyncio.Barrier(2)
        started = [runs.start(clean_up(both), name, "a") for name in ("one", "two")]
        await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            await runs.close()
        assert not any(run.is_running for run in started)

    asyncio.run(main())


def test_a_new_listener_gets_no_run_that_has_ended():
    async def main():
        runs, threads, key = LiveRuns(60), ThreadRuns(), ("a", "", "t")
        ended = runs.start(chunks(2), "ended", "a")
        threads.add(key, ended)
        await read(ended)
        await asyncio.sleep(0)
        threads.add(key, runs.start(endless(), "running", "a"))
        frames = threads.stream_frames(key, State({"draining": False}))
        async with contextlib.aclosing(frames):
            assert await anext(frames) == b": connected\n\n"
            assert b"id: running/1" in await asyncio.wait_for(anext(frames), 20)
        await runs.close()
        await asyncio.sleep(0)
        assert not threads._running, "ended runs take no memory"

    asyncio.run(main())


def test_an_idle_listener_sleeps_until_the_heartbeat():
    async def main():
        threads, state = ThreadRuns(), State({"draining": False})
        frames = threads.stream_frames(("a", "r", "t"), state)
        assert await anext(frames) == b": connected\n\n"
        listener = asyncio.create_task(anext(frames))
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        (timer,) = loop._scheduled
        assert timer.when() - loop.time() > live_run.HEARTBEAT_INTERVAL - 5
        state.draining = True
        threads.wake_listeners()
        assert await listener == live_run.HEARTBEAT
        assert await anext(frames, None) is None

    asyncio.run(main())
