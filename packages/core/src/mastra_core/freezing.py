"""Support platforms that freeze a process between two of its requests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

__all__ = ("collect_tasks", "freezes_between_requests", "hold_response", "list_unawaited_tasks")

_VARIABLES = ("AWS_LAMBDA_FUNCTION_NAME", "VERCEL")
_unawaited: set[asyncio.Task[Any]] = set()  # tasks for which no response waits
_tasks: ContextVar[list[asyncio.Task[Any]] | None] = ContextVar("mastra_held_tasks", default=None)


def freezes_between_requests() -> bool:
    """Return whether the platform pauses the threads of this process between requests.

    Netlify's functions run on AWS Lambda.
    """
    return any(name in os.environ for name in _VARIABLES)


@contextlib.contextmanager
def collect_tasks() -> Iterator[list[asyncio.Task[Any]]]:
    """Collect the tasks of the block that must end before the process is frozen.

    The server does so for each request, and completes the response when the tasks have ended.

    :returns: a context manager that gives the list of the tasks.
    """
    tasks: list[asyncio.Task[Any]] = []
    token = _tasks.set(tasks)
    try:
        yield tasks
    finally:
        _tasks.reset(token)
        for task in tasks:  # the client may have left before their end
            _add_unawaited(task)


def hold_response(task: asyncio.Task[Any]) -> None:
    """Complete the response of the current request only when a task has ended.

    :param task: the task.
    """
    tasks = _tasks.get()
    if tasks is not None:
        tasks.append(task)
    elif freezes_between_requests():
        _add_unawaited(task)


def list_unawaited_tasks() -> list[asyncio.Task[Any]]:
    """Return the tasks that no response waits for; the next response must wait for them."""
    return [*_unawaited]


def _add_unawaited(task: asyncio.Task[Any]) -> None:
    if not task.done():
        _unawaited.add(task)
        task.add_done_callback(_unawaited.discard)
