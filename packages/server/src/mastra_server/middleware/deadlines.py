"""Deadlines that all lie as far ahead: what began first is over first, so one timer does for all.

``asyncio.timeout`` sets and clears a timer for each request, which is a tenth of what a small one
costs.
"""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ("Deadline", "Deadlines")


class Deadline:
    """Until when a task may take."""

    __slots__ = ("_cancelling", "_task", "at", "passed")

    def __init__(self, at: float, task: asyncio.Task[Any]) -> None:
        self.at = at
        self.passed = False
        self._task = task
        self._cancelling = task.cancelling()

    def pass_(self) -> None:
        """Cancel the task."""
        self.passed = True
        self._task.cancel()

    def taken_back(self) -> bool:
        """Whether the task was cancelled by this alone; it is so no longer then."""
        passed, self.passed = self.passed, False
        return passed and self._task.uncancel() <= self._cancelling


class Deadlines:
    """The deadlines of one application.

    :param seconds: how far ahead each of them lies.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ahead: dict[Deadline, None] = {}  # in the order of their times
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that the timer is set in

    def begin(self) -> Deadline:
        """One for the task that asks."""
        loop = asyncio.get_running_loop()
        task: Any = asyncio.current_task()
        deadline = Deadline(loop.time() + self._seconds, task)
        self._ahead[deadline] = None
        if self._loop is not loop:
            self._set(loop, deadline.at)
        return deadline

    def met(self, deadline: Deadline) -> None:
        """It need not be kept any longer."""
        self._ahead.pop(deadline, None)

    def _set(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        self._loop = loop
        loop.call_at(at, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Pass those that are over, and come back for the next."""
        now = loop.time()
        for deadline in list(self._ahead):
            if deadline.at > now:
                self._set(loop, deadline.at)
                return
            del self._ahead[deadline]
            deadline.pass_()
        self._loop = None
