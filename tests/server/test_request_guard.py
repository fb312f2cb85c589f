"""Test that the guard reports each breach of the request rule, and nothing else."""

import asyncio

import pytest

from tests.server.request_guard import RequestGuard


def find_breaches(*functions):
    """Run asynchronous functions one after the other, each as a request with the same store."""
    guard, store = RequestGuard(), {}

    async def main():
        for function in functions:
            async with guard.enter(function.__name__):
                await function(guard, store)
        await guard.wait_for_ends()

    with asyncio.Runner(loop_factory=guard.new_loop) as runner:
        runner.run(main())
    return [each.partition("\n")[0] for each in guard.breaches]


async def create_future(guard, store):
    store["it"] = asyncio.get_running_loop().create_future()


async def create_event_with_waiter(guard, store):
    event = store["it"] = asyncio.Event()
    guard.hold(asyncio.ensure_future(event.wait()))
    await asyncio.sleep(0)


async def create_lock(guard, store):
    lock = store["it"] = asyncio.Lock()
    await lock.acquire()
    guard.hold(asyncio.ensure_future(lock.acquire()))
    await asyncio.sleep(0)


async def create_task(guard, store):
    store["it"] = asyncio.ensure_future(asyncio.sleep(0.05))
    guard.hold(store["it"])


async def create_timer(guard, store):
    store["it"] = asyncio.get_running_loop().call_later(0.05, int)
    guard.hold(asyncio.ensure_future(asyncio.sleep(0.1)))


async def resolve(guard, store):
    store["it"].set_result(1)


async def set_event(guard, store):
    store["it"].set()


async def release(guard, store):
    store["it"].release()


async def cancel(guard, store):
    store["it"].cancel()


async def wait(guard, store):
    await asyncio.wait([store["it"]])


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        (create_future, resolve, "resolved a future"),
        (create_event_with_waiter, set_event, "resolved a future"),
        (create_lock, release, "resolved a future"),
        (create_task, cancel, "cancelled a future"),
        (create_task, wait, "awaited a future"),
        (create_timer, cancel, "cancelled a timer"),
    ],
)
def test_another_request_is_touched(first, second, what):
    found = find_breaches(first, second)
    assert found
    assert found[0].startswith(f"{second.__name__} #1 {what} of {first.__name__} #0")


async def leave_a_task(guard, store):
    store["it"] = asyncio.ensure_future(asyncio.sleep(0.2))


async def leave_a_timer(guard, store):
    asyncio.get_running_loop().call_later(0.2, int)


@pytest.mark.parametrize("leave", [leave_a_task, leave_a_timer])
def test_something_is_left(leave):
    assert any("left the" in each for each in find_breaches(leave))


async def work_alone(guard, store):
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.sleep(0)
    event.set()
    await waiting
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await loop.create_future()
    loop.call_later(60, int).cancel()
    task = asyncio.ensure_future(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()


async def use_a_thread(guard, store):
    assert await asyncio.to_thread(lambda: 7) == 7


async def use_a_socket(guard, store):
    async def answer(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def keep_a_task(guard, store):
    guard.hold(asyncio.ensure_future(asyncio.sleep(0.05)))


@pytest.mark.parametrize("work", [work_alone, use_a_thread, use_a_socket, keep_a_task])
def test_honest_requests(work):
    assert find_breaches(work, work) == []
