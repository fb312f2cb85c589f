"""Support platforms that freeze a process between two of its requests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    import asyncio

__all__ = (
    "BackgroundRole",
    "Deferral",
    "collect_tasks",
    "defer_runs",
    "freezes_between_requests",
    "get_background_role",
    "get_deferral",
    "hold_response",
    "list_unawaited_tasks",
)

BackgroundRole = Literal["", "caller", "worker"]
_VARIABLES = ("AWS_LAMBDA_FUNCTION_NAME", "VERCEL")
_ROLE_VARIABLE = "MASTRA_BACKGROUND_ROLE"
_unawaited: set[asyncio.Task[Any]] = set()  # tasks for which no response waits
_tasks: ContextVar[list[asyncio.Task[Any]] | None] = ContextVar("mastra_held_tasks", default=None)
_deferral: ContextVar[Deferral | None] = ContextVar("mastra_deferral", default=None)


class Deferral:
    """The runs that a request leaves to the background function.

    ``has_runs`` tells whether the request has left a run to the background function.
    """

    def __init__(self) -> None:
        self.has_runs = False


def freezes_between_requests() -> bool:
    """Return whether the platform pauses the threads of this process between requests.

    Netlify's functions run on AWS Lambda.
    """
    return any(name in os.environ for name in _VARIABLES)


def get_background_role() -> BackgroundRole:
    """Return the role of this process in a deployment with a background function for long runs.

    A ``caller`` is a process that handles requests; if no client waits for a run, the process
    leaves the run to the background function. A ``worker`` is a process of the background function.
    The role is empty if the deployment has no background function.
    """
    role = os.environ.get(_ROLE_VARIABLE, "")
    return cast("BackgroundRole", role) if role in ("caller", "worker") else ""


@contextlib.contextmanager
def defer_runs() -> Iterator[Deferral]:
    """Let the background function execute the runs that the block starts or continues.

    :returns: a context manager that gives the deferral.
    """
    deferral = Deferral()
    token = _deferral.set(deferral)
    try:
        yield deferral
    finally:
        _deferral.reset(token)


def get_deferral() -> Deferral | None:
    """Return the current request's deferral; ``None`` if this process executes the runs itself."""
    return _deferral.get()


@contextlib.contextmanager
def collect_tasks() -> Iterator[list[asyncio.Task[Any]]]:
    """Collect the tasks of the block that must end before the process is frozen.

    The server calls this function for each request, and completes the response when these tasks
    have ended.

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
