"""Tasks of runs, which other requests can cancel and wait for."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from mastra_core.request_scope.mode import is_request_scoped

if TYPE_CHECKING:
    import asyncio

__all__ = ("cancel_task", "is_being_cancelled", "is_task_done", "start_task", "wait_for_task")

T = TypeVar("T")


def start_task(work: Coroutine[Any, Any, T], name: str = "") -> asyncio.Task[T]:
    """Start a task that may outlive its request.

    :param work: the coroutine.
    :param name: the name of the task.
    :returns: the task, for ``cancel_task`` and ``wait_for_task``. The caller must keep a reference
        to the task.
    """
    import asyncio

    if not is_request_scoped():
        return asyncio.create_task(work, name=name or None)
    from mastra_core.request_scope.scoped_task import start_scoped_task

    return start_scoped_task(work, name)


def cancel_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task of any request.

    A task of another request polls for its cancellation, and ends up to a tenth of a second later.

    :param task: the task that ``start_task`` returned.
    """
    if not is_request_scoped():
        task.cancel()
        return
    from mastra_core.request_scope.scoped_task import cancel_scoped_task

    cancel_scoped_task(task)


def is_task_done(task: asyncio.Task[Any]) -> bool:
    """Return whether a task has ended, or was lost together with its request.

    :param task: the task that ``start_task`` returned.
    """
    if task.done() or not is_request_scoped():
        return task.done()
    from mastra_core.request_scope.scoped_task import is_scoped_task_lost

    return is_scoped_task_lost(task)


def is_being_cancelled() -> bool:
    """Return whether the current task was cancelled.

    A loop that never ends by itself must call this function. Before Python 3.12,
    ``asyncio.wait_for`` can lose a cancellation, and database libraries call ``wait_for``.
    """
    import asyncio

    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def wait_for_task(task: asyncio.Task[Any]) -> None:
    """Wait until a task of any request has ended; do not raise its error.

    :param task: the task that ``start_task`` returned.
    """
    if not is_request_scoped():
        import asyncio

        await asyncio.wait([task])
        return
    from mastra_core.request_scope.scoped_task import wait_for_scoped_task

    await wait_for_scoped_task(task)
