"""The lifetime of one request, which ends after its response and the tasks that it waits for."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from mastra_core.logger import get_logger
from mastra_core.request_scope.mode import get_hold

if TYPE_CHECKING:
    import asyncio

__all__ = ("RequestLifetime", "enter_request", "get_current_request", "keep_alive")

_tasks: set[asyncio.Future[Any]] = set()  # an event loop holds only weak references to its tasks
_current: ContextVar[RequestLifetime | None] = ContextVar("mastra_request", default=None)


class RequestLifetime:
    """A request; it lasts until the response is complete and each task of ``add_task`` has ended.

    :ivar values: objects that parts of the application keep for this request, such as connections.
    """

    def __init__(self) -> None:
        import asyncio

        self.values: dict[Any, Any] = {}
        self._kept: set[asyncio.Future[Any]] = set()
        self._callbacks: list[Callable[[], Awaitable[None]]] = []
        self._answered = asyncio.Event()

    def add_task(self, task: asyncio.Future[Any]) -> None:
        """Make the request last until a task ends.

        :param task: a task of this request.
        """
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    def on_end(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call ``callback`` after the response and all tasks that outlive it have ended.

        :param callback: an asynchronous function. Callbacks run in the reverse order. The error of
            a callback is logged.
        """
        import asyncio

        if not self._callbacks:
            _hold(asyncio.ensure_future(self._run_callbacks()))
        self._callbacks.append(callback)

    def mark_answered(self) -> None:
        """Mark the response as complete."""
        self._answered.set()

    async def _run_callbacks(self) -> None:
        import asyncio

        await self._answered.wait()
        while self._kept:
            await asyncio.wait(self._kept)
        while self._callbacks:
            callback = self._callbacks[-1]
            try:
                await callback()
            except Exception as error:  # noqa: BLE001  # nobody waits for the result
                get_logger("mastra.server").error("the end of a request failed", exc_info=error)
            self._callbacks.remove(callback)  # a callback may have added another one


@contextlib.contextmanager
def enter_request() -> Iterator[RequestLifetime]:
    """Make the block, and the tasks that it creates, one request.

    If the request scope is enabled, the server calls this function for each request.

    :returns: a context manager that gives the request.
    """
    request = RequestLifetime()
    token = _current.set(request)
    try:
        yield request
    finally:
        request.mark_answered()
        _current.reset(token)


def get_current_request() -> RequestLifetime | None:
    """Return the request to which the calling code belongs; ``None`` if there is none."""
    return _current.get()


def keep_alive(task: asyncio.Future[Any]) -> None:
    """Let a task run to its end, even if the response of its request is complete earlier.

    :param task: the task, which the current request created.
    """
    if get_hold() is None:
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        return
    request = _current.get()
    if request is not None:
        request.add_task(task)
    _hold(task)


def _hold(task: asyncio.Future[Any]) -> None:
    hold = get_hold()
    if hold is not None:
        hold(task)
