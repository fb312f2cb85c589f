"""Cancel tasks at deadlines, with one timer for all tasks.

All tasks have the same timeout, so one timer is enough. ``asyncio.timeout`` would start a timer for
each request, which takes a tenth of the time of a small request. Some platforms cancel a timer when
the request that started it ends. There, each request has its own timer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mastra_core.request_scope import is_request_scoped

__all__ = ("Deadline", "Deadlines", "RequestDeadlines", "create_deadlines")


class Deadline:
    """The time at which an unfinished task is cancelled.

    :param at: the time on the clock of the event loop, in seconds.
    :param task: the task to cancel at this time.
    """

    __slots__ = ("_cancelling", "_task", "at", "expired")

    def __init__(self, at: float, task: asyncio.Task[Any]) -> None:
        self.at = at
        self.expired = False
        self._task = task
        self._cancelling = task.cancelling()

    def expire(self) -> None:
        """Cancel the task."""
        self.expired = True
        self._task.cancel()

    def withdraw(self) -> bool:
        """Undo the cancellation; return whether the deadline alone cancelled the task."""
        expired, self.expired = self.expired, False
        return expired and self._task.uncancel() <= self._cancelling


class Deadlines:
    """The deadlines of one application.

    :param seconds: the timeout of each task, in seconds.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pending: dict[Deadline, None] = {}  # in the order of their times
        self._loop: asyncio.AbstractEventLoop | None = None  # the loop of the timer, if one is set

    def start(self) -> Deadline:
        """Start a deadline for the current task."""
        loop = asyncio.get_running_loop()
        task: Any = asyncio.current_task(loop)
        deadline = Deadline(loop.time() + self._seconds, task)
        self._pending[deadline] = None
        if self._loop is not loop:
            self._schedule(loop, deadline.at)
        return deadline

    def remove(self, deadline: Deadline) -> None:
        """Remove a deadline, because its task ended in time.

        :param deadline: the deadline.
        """
        self._pending.pop(deadline, None)

    def _schedule(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        self._loop = loop
        loop.call_at(at, self._expire_due, loop)

    def _expire_due(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel the tasks whose deadline has passed, and set the timer for the next deadline."""
        now = loop.time()
        for deadline in list(self._pending):
            if deadline.at > now:
                self._schedule(loop, deadline.at)
                return
            del self._pending[deadline]
            deadline.expire()
        self._loop = None


class _TimedDeadline(Deadline):
    """A deadline that has its own timer."""

    __slots__ = ("timer",)
    timer: asyncio.TimerHandle


class RequestDeadlines:
    """The deadlines of an application on a platform where requests share no timers.

    :param seconds: the timeout of each task, in seconds.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def start(self) -> _TimedDeadline:
        """Start a deadline that has its own timer, for the current task."""
        loop = asyncio.get_running_loop()
        task: Any = asyncio.current_task(loop)
        deadline = _TimedDeadline(loop.time() + self._seconds, task)
        deadline.timer = loop.call_at(deadline.at, deadline.expire)
        return deadline

    def remove(self, deadline: Any) -> None:
        """Remove a deadline, because its task ended in time.

        :param deadline: the deadline.
        """
        deadline.timer.cancel()


def create_deadlines(seconds: float) -> Deadlines | RequestDeadlines:
    """Create the deadlines of an application.

    :param seconds: the timeout of each task, in seconds.
    """
    return RequestDeadlines(seconds) if is_request_scoped() else Deadlines(seconds)
