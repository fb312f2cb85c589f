"""The deadline of a stream of events."""

import asyncio

import pytest

from mastra_core.agents.deadline import RunTimedOut, iter_with_timeout


async def count(delay):
    for number in range(3):
        yield number
        await asyncio.sleep(delay)


async def read_all(delay, seconds):
    return [number async for number in iter_with_timeout(count(delay), seconds)]


def test_a_stream_within_its_time_is_read():
    assert asyncio.run(read_all(0, 5)) == [0, 1, 2]
    assert asyncio.run(read_all(0, None)) == [0, 1, 2]


def test_a_timer_that_ends_before_its_time_is_the_timeout():
    """uvloop's clock has a resolution of a millisecond, so its timers may end that much early."""
    loop = asyncio.new_event_loop()
    loop._clock_resolution = 0.05  # timers of asyncio end early by the resolution of the clock
    with pytest.raises(RunTimedOut, match=r"took longer than 0\.1 s"):
        loop.run_until_complete(read_all(5, 0.1))
    loop.close()


async def fail_by_itself():
    yield 0
    raise TimeoutError("of the model")


def test_a_timeout_of_the_stream_itself_is_its_own_error():
    async def read():
        return [number async for number in iter_with_timeout(fail_by_itself(), 5)]

    with pytest.raises(TimeoutError, match="of the model"):
        asyncio.run(read())
