"""Run tasks concurrently or with a deadline, even if a task ignores its cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from mastra_core.workflows.engine.run_options import BATCH_SIZE

__all__ = ("DeadlineExceeded", "gather", "retrieve_exception", "run_with_deadline")

CANCEL_GRACE = 0.5  # seconds in which a cancelled task may end


class DeadlineExceeded(Exception):
    """The task did not end before its deadline."""


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
