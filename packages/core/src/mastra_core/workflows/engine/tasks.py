"""Run tasks concurrently, in batches or with a deadline, even if one ignores its cancellation."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from mastra_core.workflows.engine.run_options import BATCH_SIZE

__all__ = ("DeadlineExceeded", "TurnLimit", "gather", "retrieve_exception", "run_with_deadline")

CANCEL_GRACE = 0.5  # seconds in which a cancelled task may end


class DeadlineExceeded(Exception):
    """The task did not end before its deadline."""


class TurnLimit:
    """Lets the parts of a run begin a batch of steps, and the next batch in a later turn.

    Steps that never wait would otherwise block the event loop until the last of them has ended,
    even if each concurrent part lets other tasks run now and then.
    """

    __slots__ = ("_begun", "_waiting")

    def __init__(self) -> None:
        self._begun = 0  # steps of the present batch
        self._waiting: deque[asyncio.Future[None]] = deque()

    def try_begin(self) -> bool:
        """Count a step, and return whether it belongs to the present batch."""
        if self._begun >= BATCH_SIZE:
            return False
        self._begun += 1
        return True

    async def begin_later(self) -> None:
        """Wait for a later batch; the steps begin in the order of their calls."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._begin_batch)
        self._waiting.append(turn)
        await turn

    def _begin_batch(self) -> None:
        self._begun = 0
        while self._waiting and self._begun < BATCH_SIZE:
            turn = self._waiting.popleft()
            if not turn.done():  # a canceled part begins no step
                self._begun += 1
                turn.set_result(None)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._begin_batch)


async def gather(jobs: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Run coroutines concurrently; raise the first failure, and cancel the other coroutines.

    Tasks are started in batches, and the event loop can do other work between two batches.

    :param jobs: the coroutines; each is created when it starts.
    :returns: the results of the coroutines, in the order of ``jobs``.
    """
    tasks: list[asyncio.Task[Any]] = []
    try:
        for job in jobs:
            tasks.append(asyncio.create_task(job))
            if len(tasks) % BATCH_SIZE == 0:
                await asyncio.sleep(0)
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await _cancel_tasks(tasks)
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()):
            raise error
    return [task.result() for task in tasks]


async def run_with_deadline(
    job: Coroutine[Any, Any, Any], deadline: Coroutine[Any, Any, Any]
) -> Any:
    """Run ``job`` and return its result, unless ``deadline`` passes first.

    :param job: the coroutine.
    :param deadline: a coroutine that ends when the time is over.
    :raises DeadlineExceeded: when ``deadline`` passes first. The job is cancelled; a job that
        ignores this keeps running, and its result is discarded.
    """
    work, timer = asyncio.create_task(job), asyncio.create_task(deadline)
    try:
        await asyncio.wait((work, timer), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise DeadlineExceeded
    finally:
        await _cancel_tasks((work, timer))
    return work.result()


async def _cancel_tasks(tasks: Sequence[asyncio.Task[Any]]) -> None:
    remaining = [task for task in tasks if not task.done()]
    for task in remaining:
        task.cancel()
        task.add_done_callback(retrieve_exception)
    for task in tasks:
        if task.done():
            retrieve_exception(task)
    if remaining:
        await asyncio.wait(remaining, timeout=CANCEL_GRACE)


def retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Retrieve the exception of a task, so that asyncio does not log it.

    :param task: the task; it has ended.
    """
    if not task.cancelled():
        task.exception()
