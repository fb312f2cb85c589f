"""Execute durable runs within requests, on platforms that freeze the process between requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mastra_core.errors import StorageError
from mastra_core.freezing import collect_tasks, list_unawaited_tasks
from mastra_core.logger import get_logger
from mastra_server.http.asgi import App, Message, Receive, Scope, Send

__all__ = ("FrozenRuns", "is_for_runs", "take_up_runs", "wait_for_all")

_READ_TIMEOUT = 5.0  # seconds for which a GET lets waiting runs continue before it is answered
_UNAWAITED_TIMEOUT = 30.0  # seconds for tasks that nobody awaits; one may wait for this response


class FrozenRuns:
    """Continue waiting runs during each request for workflows, and end the response after that.

    :param app: the inner ASGI application.
    :param prefix: the prefix of the routes.
    :param continue_runs: a function that continues the runs that are due or were lost, and returns
        when each of them has ended or waits.
    """

    def __init__(self, app: App, prefix: str, continue_runs: Callable[[], Awaitable[None]]) -> None:
        self._app, self._prefix, self._continue_runs = app, prefix, continue_runs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and delay the end of the response while its runs are executed.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        if not is_for_runs(scope, self._prefix):
            await self._app(scope, receive, send)
            return
        with collect_tasks() as tasks:
            task = asyncio.create_task(take_up_runs(self._continue_runs))
            tasks.append(task)
            if scope["method"] == "GET":  # the response shows the continued runs
                await asyncio.wait([task], timeout=_READ_TIMEOUT)

            async def send_last(message: Message) -> None:
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    await wait_for_all(tasks)
                await send(message)

            await self._app(scope, receive, send_last)


def is_for_runs(scope: Scope, prefix: str) -> bool:
    """Return whether a request is for workflows, their runs or their schedules.

    :param scope: the ASGI scope.
    :param prefix: the prefix of the routes.
    """
    if scope["type"] != "http":
        return False
    path: str = scope["path"]
    return path.startswith((f"{prefix}/workflow", f"{prefix}/schedules"))


async def take_up_runs(continue_runs: Callable[[], Awaitable[None]]) -> None:
    """Continue waiting runs until each has ended or waits again; log a failure of the database.

    :param continue_runs: a function that continues the runs that are due or were lost, and returns
        when each of them has ended or waits.
    """
    try:
        await continue_runs()
    except StorageError as error:  # the route itself reports it
        get_logger("mastra.workflows").error("waiting durable runs cannot be continued: %s", error)


async def wait_for_all(tasks: list[asyncio.Task[Any]]) -> None:
    """Wait for the tasks of a request, and then for the tasks that nothing awaits.

    :param tasks: the tasks, which may add further tasks.
    """
    while pending := [task for task in tasks if not task.done()]:
        await asyncio.wait(pending)
    if unawaited := list_unawaited_tasks():
        await asyncio.wait(unawaited, timeout=_UNAWAITED_TIMEOUT)
