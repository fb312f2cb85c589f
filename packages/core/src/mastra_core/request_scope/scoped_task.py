"""Tasks that belong to one request. Each task polls whether another request has cancelled it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from mastra_core.request_scope.request_lifetime import (
    RequestLifetime,
    get_current_request,
    keep_alive,
)

__all__ = (
    "cancel_scoped_task",
    "is_scoped_task_lost",
    "start_scoped_task",
    "wait_for_scoped_task",
)

T = TypeVar("T")
_POLL_INTERVAL = 0.1  # seconds between two checks of a task for its cancellation
_MIN_WAIT = 0.005  # seconds between the first two checks of another request's task
_LOST_AFTER = 10.0  # seconds without a sign of life, after which a task may be lost
_GRACE = 1.0  # further seconds, because a function that blocks the event loop delays the sign


class _Supervisor:
    """Polls, within the request of a task, whether the task was cancelled."""

    def __init__(self) -> None:
        self.request: RequestLifetime | None = get_current_request()
        self.seen_at = time.monotonic()
        self.missed_at = 0.0  # when the sign of life was missed for the first time; 0 for never
        self.is_cancelled = False
        self.work: asyncio.Task[Any] | None = None

    def sign(self) -> None:
        """Record that the task is alive, so that other requests see it."""
        self.seen_at, self.missed_at = time.monotonic(), 0.0

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the work, and cancel it when the flag is set."""
        work: asyncio.Task[T] = asyncio.create_task(coroutine)
        self.work, is_cancelled = work, False
        try:
            while not work.done():
                await asyncio.wait([work], timeout=_POLL_INTERVAL)
                self.sign()
                if self.is_cancelled and not is_cancelled:
                    is_cancelled = work.cancel()
        finally:
            if not work.done():  # this task itself was cancelled
                work.cancel()
        return work.result()


_supervisors: WeakKeyDictionary[asyncio.Task[Any], _Supervisor] = WeakKeyDictionary()


def start_scoped_task(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Start a task of the current request, and keep the request alive until the task ends.

    :param work: the coroutine.
    :param name: the name of the task.
    """
    supervisor = _Supervisor()
    task = asyncio.create_task(supervisor.run(work), name=name or None)
    _supervisors[task] = supervisor
    keep_alive(task)
    return task


def cancel_scoped_task(task: asyncio.Task[Any]) -> None:
    """Ask a task to end; cancel it at once if it belongs to the current request.

    :param task: the task.
    """
    supervisor = _supervisors[task]
    if supervisor.request is get_current_request() and supervisor.work is not None:
        supervisor.work.cancel()
    else:
        supervisor.is_cancelled = True


def is_scoped_task_lost(task: asyncio.Task[Any]) -> bool:
    """Return whether the platform has ended the request of a task before the task ended.

    :param task: the task.
    """
    supervisor, now = _supervisors[task], time.monotonic()
    if now - supervisor.seen_at < _LOST_AFTER:
        return False
    supervisor.missed_at = supervisor.missed_at or now
    return now - supervisor.missed_at > _GRACE


async def wait_for_scoped_task(task: asyncio.Task[Any]) -> None:
    """Wait until a task of any request has ended.

    :param task: the task.
    """
    interval = _MIN_WAIT
    while not (task.done() or is_scoped_task_lost(task)):
        await asyncio.sleep(interval)
        interval = min(interval * 2, _POLL_INTERVAL)
