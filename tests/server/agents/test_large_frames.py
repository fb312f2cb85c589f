"""Large frames, which readers share and for which runs wait; and many readers of one run."""

import asyncio

import pytest

from mastra_server.agents import frame_log
from mastra_server.agents.frame_log import MAX_PIECE, LogBudget
from mastra_server.agents.live_run import LiveRun
from mastra_server.agents.live_runs import LiveRuns

SIZE = 3_000_000
TEXT = "x" * SIZE


async def write_chunks(number):
    for _ in range(10):  # readers connect before the first chunk
        await asyncio.sleep(0)
    for index in range(number):
        yield {"type": "text", "index": index, "text": TEXT}


async def read_all(run, pieces=None):
    """Read a stream; other readers and runs may do something after each piece."""
    received = bytearray()
    async for piece in run.stream_frames():
        received += piece
        if pieces is not None:
            pieces.append(len(piece))
        await asyncio.sleep(0)
    return bytes(received)


@pytest.fixture
def small_budget(monkeypatch):
    monkeypatch.setattr(frame_log, "MAX_LARGE_BYTES", 4 * SIZE)


def count_frames(stream):
    return stream.count(TEXT.encode())


def test_readers_get_a_large_frame_in_pieces():
    async def run():
        live, pieces = LiveRun("r", "a"), []
        live.start(write_chunks(2), None)
        return await asyncio.gather(*(read_all(live, pieces) for _ in range(3))), pieces

    streams, pieces = asyncio.run(run())
    assert len({*streams}) == 1
    assert count_frames(streams[0]) == 2
    assert streams[0].endswith(b"id: r/2\n\ndata: [DONE]\n\n")
    assert max(pieces) < MAX_PIECE + 100


def test_runs_wait_until_there_is_memory_for_large_frames(small_budget):
    async def run():
        budget, sizes = LogBudget(), []
        runs = [LiveRun(f"r{number}", "a", "", budget) for number in range(20)]
        for live in runs:
            live.start(write_chunks(3), None)
        readers = [asyncio.create_task(read_all(live)) for live in runs]
        while not all(reader.done() for reader in readers):
            sizes.append(sum(live.size for live in runs if live.is_running))
            await asyncio.sleep(0)
        return [count_frames(await reader) for reader in readers], max(sizes)

    counts, largest = asyncio.run(run())
    assert counts == [3] * 20
    assert largest <= 4 * SIZE


def test_frame_that_is_larger_than_the_memory_for_all_is_the_only_one(monkeypatch):
    monkeypatch.setattr(frame_log, "MAX_LARGE_BYTES", SIZE // 2)

    async def run():
        budget = LogBudget()
        runs = [LiveRun(f"r{number}", "a", "", budget) for number in range(2)]
        for live in runs:
            live.start(write_chunks(2), None)
        return await asyncio.gather(*map(read_all, runs))

    assert [count_frames(stream) for stream in asyncio.run(run())] == [2, 2]


def test_slow_readers_of_one_caller_leave_memory_for_the_others(small_budget):
    async def run():
        runs = LiveRuns(60)
        slow = [
            runs.start(write_chunks(2), f"slow{number}", "a", caller="slow") for number in range(5)
        ]
        held = [live.stream_frames() for live in slow]
        async with asyncio.TaskGroup() as group:
            for stream in held[:1]:
                group.create_task(anext(stream))  # it reads one piece, and then nothing
        other = runs.start(write_chunks(3), "other", "a", caller="other")
        received = await read_all(other)
        for stream in held:
            await stream.aclose()
        await runs.close()
        return received

    assert count_frames(asyncio.run(run())) == 3


def test_memory_returns_when_a_run_has_ended_and_its_readers_have_left(small_budget):
    async def run():
        runs = LiveRuns(60)
        budget = runs._log_budget
        live = runs.start(write_chunks(1), "r", "a", caller="one")
        stream = live.stream_frames()
        await anext(stream)
        await live.wait()
        await asyncio.sleep(0)
        during = budget._large.free
        await stream.aclose()
        after = budget._large.free
        resumed = runs.start(write_chunks(1), "r", "a", caller="two")
        await read_all(resumed)
        return during, after, budget._large.free

    during, after, at_end = asyncio.run(run())
    assert during < after == at_end == 4 * SIZE


def test_reader_that_has_lost_frames_is_told_so_before_a_large_frame():
    async def run():
        live = LiveRun("r", "a")
        live.start(write_chunks(3), None)
        await live.wait()
        return b"".join([piece async for piece in live.stream_frames(0)])

    stream = asyncio.run(run())
    assert stream.startswith(b": frames before 2 are no longer kept\n\ndata: ")
    assert count_frames(stream) == 1


@pytest.mark.parametrize(("readers", "least", "most"), [(100, 50, 110), (101, 1, 3)])
def test_many_readers_get_several_frames_at_a_time(monkeypatch, readers, least, most):
    monkeypatch.setattr(frame_log, "SECONDS_PER_READER", 60)

    async def write_slowly():
        for index in range(110):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            yield {"type": "text", "index": index}

    async def run():
        live, counts = LiveRun("r", "a"), [[] for _ in range(readers)]
        live.start(write_slowly(), None)
        streams = await asyncio.gather(*(read_all(live, each) for each in counts))
        return streams, [len(each) - 1 for each in counts]  # without the end

    streams, counts = asyncio.run(run())
    assert {stream.count(b"data: {") for stream in streams} == {110}
    assert least <= min(counts) <= max(counts) <= most


def test_slow_client_that_still_reads_a_large_frame_is_not_disconnected(monkeypatch):
    monkeypatch.setattr(frame_log, "SLOW_READER_TIMEOUT", 0.5)

    async def run():
        live, received = LiveRun("r", "a"), bytearray()
        live.start(write_chunks(2), None)
        async for piece in live.stream_frames():
            received += piece
            await asyncio.sleep(0.04)
        return count_frames(bytes(received))

    assert asyncio.run(run()) == 2


def test_reader_that_stops_within_a_large_frame_is_disconnected(monkeypatch):
    monkeypatch.setattr(frame_log, "SLOW_READER_TIMEOUT", 0.05)

    async def run():
        live = LiveRun("r", "a")
        live.start(write_chunks(2), None)
        stopped = live.stream_frames()
        first = await anext(stopped)
        await live.wait()
        return first, [piece async for piece in stopped]

    first, rest = asyncio.run(run())
    assert (len(first), rest) == (MAX_PIECE, [])
