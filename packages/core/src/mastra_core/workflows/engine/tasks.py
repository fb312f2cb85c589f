"""Tasks side by side, and tasks with a time limit: neither waits for ever on a deaf one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

__all__ = ("Expired", "gather", "within")

GRACE = 0.5  # seconds that a cancelled task is given to end


class Expired(Exception):
    """The time is over."""


async def gather(jobs: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """The results in order; the first failure cancels the others."""
    tasks = [asyncio.create_task(job) for job in jobs]
    if not tasks:
        return []
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await _drop(tasks)
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()):
            raise error
    return [task.result() for task in tasks]


async def within(job: Coroutine[Any, Any, Any], clock: Coroutine[Any, Any, Any]) -> Any:
    """The result of ``job``, if it ends before ``clock`` does.

    :raises Expired: when it does not; it is cancelled, and left alone if it does not listen.
    """
    work, limit = asyncio.create_task(job), asyncio.create_task(clock)
    try:
        await asyncio.wait((work, limit), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Expired
    finally:
        await _drop((work, limit))
    return work.result()


async def _drop(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
        task.add_done_callback(_look)
    left = [task for task in tasks if not task.done()]
    if left:
        await asyncio.wait(left, timeout=GRACE)


def _look(task: asyncio.Task[Any]) -> None:
    """Look at an error, since asyncio complains of those that nobody has looked at."""
    if not task.cancelled():
        task.exception()
