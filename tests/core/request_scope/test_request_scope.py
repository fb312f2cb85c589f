"""Test signals, tasks and lifetimes across requests, under the guard and on a shared event loop."""

import asyncio
import gc
import time

import pytest

from mastra_core.errors import ConfigError
from mastra_core.request_scope import (
    cancel_task,
    create_signal,
    disable_request_scope,
    enable_request_scope,
    enter_request,
    get_current_request,
    is_request_scoped,
    is_task_done,
    keep_alive,
    scoped_task,
    start_task,
    wait_for_task,
)
from tests.server.request_guard import RequestGuard


@pytest.fixture(params=["shared", "scoped"])
def run(request):
    """Run an asynchronous function; in both modes it must do the same."""
    guard = RequestGuard()
    if request.param == "scoped":
        enable_request_scope(guard.hold)

    async def call(function):
        await function(guard)
        await guard.wait_for_ends()

    def start(function):
        with asyncio.Runner(loop_factory=guard.new_loop) as runner:
            runner.run(call(function))
        if is_request_scoped():
            assert guard.breaches == []

    yield start
    disable_request_scope()


async def act(guard, name, function):
    """Run a function as one request."""
    async with guard.enter(name):
        with enter_request():
            return await function()


def test_a_signal_crosses_requests(run):
    async def main(guard):
        signal = create_signal()

        async def wait():
            await asyncio.wait_for(signal.wait(), 5)
            return signal.is_set()

        async def set_signal():
            signal.set()

        waiting = asyncio.create_task(act(guard, "wait", wait))
        await asyncio.sleep(0.02)
        await act(guard, "set", set_signal)
        assert await waiting
        signal.clear()
        assert not signal.is_set()

    run(main)


def test_a_signal_of_the_same_request_wakes_at_once(run):
    async def main(guard):
        async def pass_on():
            begun = asyncio.get_running_loop().time()
            for _ in range(200):
                signal = create_signal()
                waiting = asyncio.ensure_future(signal.wait())
                await asyncio.sleep(0)
                signal.set()
                await waiting
            return asyncio.get_running_loop().time() - begun

        assert await act(guard, "both", pass_on) < 0.5  # polling alone would take one second

    run(main)


def test_a_task_outlives_its_request_and_is_cancelled_by_another(run):
    async def main(guard):
        ends = []

        async def work():
            try:
                await asyncio.sleep(60)
            finally:
                ends.append(get_current_request())

        async def start():
            return start_task(work(), "work"), get_current_request()

        async def stop():
            cancel_task(task)
            await wait_for_task(task)

        task, request = await act(guard, "start", start)
        await asyncio.sleep(0.02)
        assert not task.done()
        await act(guard, "stop", stop)
        assert task.cancelled()
        assert ends == [request]

    run(main)


def test_a_task_ends_with_its_result_or_its_error(run):
    async def main(guard):
        async def give():
            return 7

        async def fail():
            raise ValueError("no")

        async def start():
            return start_task(give()), start_task(fail())

        given, failed = await act(guard, "start", start)
        for each in (given, failed):
            await wait_for_task(each)
        assert given.result() == 7
        assert isinstance(failed.exception(), ValueError)

    run(main)


def test_a_kept_task_is_not_collected(run):
    async def main(guard):
        done = []

        async def work():
            await asyncio.sleep(0.05)
            done.append(True)

        async def start():
            keep_alive(asyncio.ensure_future(work()))

        await act(guard, "start", start)
        gc.collect()
        await asyncio.sleep(0.2)
        assert done == [True]

    run(main)


def test_what_ends_with_a_request_runs_after_its_kept_tasks():
    guard, order = RequestGuard(), []
    enable_request_scope(guard.hold)

    async def work():
        await asyncio.sleep(0.05)
        order.append("task")

    async def close(name):
        order.append(name)
        if name == "second":
            get_current_request().on_end(lambda: close("added"))
            raise RuntimeError("closing failed")

    async def start():
        request = get_current_request()
        request.on_end(lambda: close("first"))
        request.on_end(lambda: close("second"))
        keep_alive(asyncio.ensure_future(work()))
        order.append("response")

    async def main():
        await act(guard, "start", start)
        await guard.wait_for_ends()

    try:
        with asyncio.Runner(loop_factory=guard.new_loop) as runner:
            runner.run(main())
    finally:
        disable_request_scope()
    assert order == ["response", "task", "second", "added", "first"]
    assert guard.breaches == []


def test_a_hold_must_be_a_function():
    with pytest.raises(ConfigError, match="not a function"):
        enable_request_scope(None)
    assert not is_request_scoped()


def test_a_task_is_lost_with_its_request(monkeypatch):
    """The platform drops a request without a word; nobody waits for its task for ever."""
    monkeypatch.setattr(scoped_task, "_LOST_AFTER", 0.3)
    monkeypatch.setattr(scoped_task, "_GRACE", 0.2)
    enable_request_scope(asyncio.ensure_future)

    async def main():
        busy = start_task(asyncio.sleep(60))
        task = start_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        supervisor = scoped_task._supervisors[task]
        monkeypatch.setattr(supervisor, "sign", lambda: None)
        begun = asyncio.get_running_loop().time()
        await wait_for_task(task)
        assert 0.4 < asyncio.get_running_loop().time() - begun < 5
        assert is_task_done(task)
        assert not task.done()
        assert not is_task_done(busy), "a task that works is not lost"
        time.sleep(0.6)  # noqa: ASYNC251  # a function that blocks the event loop is no loss
        assert not is_task_done(busy)
        await asyncio.sleep(0.2)
        assert not is_task_done(busy)
        cancel_task(busy)

    try:
        asyncio.run(main())
    finally:
        disable_request_scope()
