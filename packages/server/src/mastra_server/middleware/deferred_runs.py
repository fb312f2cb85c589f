"""Leave durable runs to the background function of the platform, if there is one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from mastra_core.errors import StorageError
from mastra_core.freezing import collect_tasks, defer_runs, list_unawaited_tasks
from mastra_core.logger import get_logger
from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.middleware.frozen_runs import is_for_runs, take_up_runs, wait_for_all

__all__ = ("BackgroundRuns", "DeferredRuns")

_HEADER = b"x-mastra-background"
_INTERVAL = 2.0  # seconds between two looks for runs that wait
# The last segments of the routes that start or continue a run, and respond at once.
_IMMEDIATE = frozenset(
    (
        "start",
        "resume",
        "resume-no-wait",
        "restart",
        "restart-all-active-workflow-runs",
        "retry",
        "move",
        "run",
        "time-travel",
    )
)


class BackgroundRuns:
    """Execute waiting runs within an invocation of the background function.

    The response ends when each run has ended or waits. It ends earlier if the platform disconnects
    because the invocation has run out of time.

    :param app: the inner ASGI application.
    :param prefix: the prefix of the routes.
    :param continue_runs: a function that continues the runs that are due or were lost, and returns
        when each of them has ended or waits.
    """

    def __init__(self, app: App, prefix: str, continue_runs: Callable[[], Awaitable[None]]) -> None:
        self._app, self._prefix, self._continue_runs = app, prefix, continue_runs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and delay the end of its response while runs are executed.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        if not is_for_runs(scope, self._prefix):
            await self._app(scope, receive, send)
            return
        with collect_tasks() as tasks:
            tasks.append(asyncio.create_task(take_up_runs(self._continue_runs)))

            async def send_parts(message: Message) -> None:
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    await _wait_until_rest_or_disconnect(tasks, receive)
                await send(_name_path(message, self._prefix))

            await self._app(scope, receive, send_parts)


class DeferredRuns:
    """Let the background function execute the runs that no client waits for.

    A request that waits for the result of its run executes the run itself, and its response ends
    when the run has ended or waits.

    :param app: the inner ASGI application.
    :param prefix: the prefix of the routes.
    :param has_waiting_runs: a function that returns whether any runs are due or were lost.
    """

    def __init__(
        self, app: App, prefix: str, has_waiting_runs: Callable[[], Awaitable[bool]]
    ) -> None:
        self._app, self._prefix, self._has_waiting_runs = app, prefix, has_waiting_runs
        self._next_look = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add a header with the path that continues its runs.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        if not is_for_runs(scope, self._prefix):
            await self._app(scope, receive, send)
        elif scope["path"].rpartition("/")[2] in _IMMEDIATE:
            await self._defer(scope, receive, send)
        else:
            await self._execute(scope, receive, send)

    async def _defer(self, scope: Scope, receive: Receive, send: Send) -> None:
        with defer_runs() as deferral:

            async def send_head(message: Message) -> None:
                await send(_name_path(message, self._prefix) if deferral.has_runs else message)

            await self._app(scope, receive, send_head)

    async def _execute(self, scope: Scope, receive: Receive, send: Send) -> None:
        with collect_tasks() as tasks:

            async def send_parts(message: Message) -> None:
                if message["type"] == "http.response.start" and await self._find_waiting_runs():
                    message = _name_path(message, self._prefix)
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    await wait_for_all(tasks)
                await send(message)

            await self._app(scope, receive, send_parts)

    async def _find_waiting_runs(self) -> bool:
        """Return whether the background function must continue runs that are due or were lost."""
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + _INTERVAL
        try:
            return await self._has_waiting_runs()
        except StorageError as error:  # the route itself reports it
            get_logger("mastra.workflows").error(
                "waiting durable runs cannot be continued: %s", error
            )
            return False


def _name_path(message: Message, prefix: str) -> Message:
    """Return an ASGI message; if it is a response's head, add the path that continues runs.

    When a response leaves runs to the background function, the platform requests this path from the
    function. When an invocation of the function runs out of time, the platform requests the path
    again.
    """
    if message["type"] != "http.response.start":
        return message
    header = (_HEADER, f"{prefix}/workflows/run-counts".encode())
    return {**message, "headers": [*message["headers"], header]}


async def _wait_until_rest_or_disconnect(tasks: list[asyncio.Task[Any]], receive: Receive) -> None:
    """Wait for the request's tasks and the claimed runs, unless the platform disconnects."""
    disconnect = asyncio.create_task(_wait_for_disconnect(receive))
    try:
        while not disconnect.done():
            pending = {each for each in (*tasks, *list_unawaited_tasks()) if not each.done()}
            if not pending:
                return
            await asyncio.wait([*pending, disconnect], return_when=asyncio.FIRST_COMPLETED)
    finally:
        disconnect.cancel()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
