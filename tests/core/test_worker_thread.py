"""Functions that are called in a worker thread."""

import asyncio
import contextlib
import contextvars
import gc
import os
import subprocess
import sys
import threading
import time
import weakref

import pytest

from mastra_core.worker_thread import run_in_thread

user = contextvars.ContextVar("user", default="nobody")


def run_python(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def raise_error(error):
    raise error


def test_result_and_context_variables():
    async def run():
        user.set("Ada")
        name, thread = await run_in_thread(lambda: (user.get(), threading.get_ident()))
        assert name == "Ada"
        assert thread != threading.get_ident()

    asyncio.run(run())


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), asyncio.CancelledError()])
def test_an_exception_is_raised_where_the_result_is_awaited(error):
    async def run():
        with pytest.raises(type(error)) as raised:
            await run_in_thread(lambda: raise_error(error))
        assert raised.value is error

    asyncio.run(run())


def test_stop_iteration_ends_the_call():
    async def run():
        with pytest.raises(RuntimeError, match="StopIteration"):
            await asyncio.wait_for(run_in_thread(lambda: next(iter(()))), 10)

    asyncio.run(run())


def test_an_exception_is_released_without_a_collection_of_garbage():
    async def run():
        class Big(Exception):
            pass

        references = []

        def fail():
            error = Big()
            references.append(weakref.ref(error))
            try:
                raise error
            finally:
                del error

        gc.disable()
        try:
            with contextlib.suppress(Big):
                await run_in_thread(fail)
            for _ in range(100):  # the thread ends its call after it has handed over the result
                if references[0]() is None:
                    break
                await asyncio.sleep(0.01)
            assert references[0]() is None
        finally:
            gc.enable()

    asyncio.run(run())


def test_calls_run_at_the_same_time():
    async def run():
        barrier = threading.Barrier(4)
        await asyncio.wait_for(asyncio.gather(*(run_in_thread(barrier.wait) for _ in range(4))), 10)

    asyncio.run(run())


def test_a_canceled_call_ends_at_once_and_a_waiting_call_is_not_made():
    async def run():
        release, made = threading.Event(), []
        running = [asyncio.create_task(run_in_thread(release.wait)) for _ in range(64)]
        await asyncio.sleep(0)
        waiting = asyncio.create_task(run_in_thread(lambda: made.append(1)))
        await asyncio.sleep(0.05)
        for task in (waiting, running[0]):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        release.set()
        assert await asyncio.gather(*running[1:]) == [True] * 63
        assert await run_in_thread(lambda: "free") == "free"
        assert made == []

    asyncio.run(run())


def test_a_result_for_a_closed_event_loop_is_dropped():
    done = threading.Event()

    async def leave():
        task = asyncio.create_task(run_in_thread(lambda: (time.sleep(0.2), done.set())))
        await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(leave())
    assert done.wait(10)
    assert asyncio.run(run_in_thread(lambda: 1)) == 1


def test_the_process_ends_after_the_last_call():
    code = (
        "import asyncio, time\n"
        "from mastra_core.worker_thread import run_in_thread\n"
        "def work():\n"
        "    time.sleep(0.3)\n"
        "    print('finished', flush=True)\n"
        "async def main():\n"
        "    asyncio.ensure_future(run_in_thread(work))\n"
        "    await asyncio.sleep(0.1)\n"
        "asyncio.run(main())\n"
    )
    done = run_python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "finished\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_forked_process_has_threads_of_its_own():
    code = (
        "import asyncio, os, warnings\n"
        "from mastra_core.worker_thread import run_in_thread\n"
        "warnings.simplefilter('ignore')\n"  # Python 3.12 warns of a fork beside threads
        "async def call():\n"
        "    return await asyncio.wait_for(run_in_thread(lambda: 7), 10)\n"
        "assert asyncio.run(call()) == 7\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(asyncio.run(call()))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = run_python(code)
    assert (done.stdout, done.stderr) == ("7\n", "")
