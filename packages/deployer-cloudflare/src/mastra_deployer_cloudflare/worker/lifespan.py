"""Run the startup of an ASGI app, and keep its lifespan for the life of the isolate."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

__all__ = ("Lifespan", "StartError")

_SUSPENDED = object()


class StartError(Exception):
    """The app cannot start; the message says why."""


class _Suspension:
    """Suspend the coroutine that awaits this object, which is never resumed."""

    def __await__(self) -> Generator[object, None, None]:
        yield _SUSPENDED


class Lifespan:
    """The lifespan of an app, which is awaited until the app has started.

    After the start, the coroutine of the lifespan stays suspended, without a task or a timer. A
    task would belong to the request that started the app, and end with that request.

    :param app: the ASGI application.
    :param state: the state that the lifespan shares with requests.
    :param strict: whether an exception means a failed start even if the app did not read the
        startup event. An app that does not support the lifespan raises an exception without reading
        this event.
    """

    def __init__(
        self, app: Callable[..., Awaitable[None]], state: dict[str, Any], *, strict: bool
    ) -> None:
        self._app, self._state, self._strict = app, state, strict
        self._is_received = False
        self._failure = ""
        self._coroutine = self._run()

    def __await__(self) -> Generator[object, None, None]:
        """Run the app until it has started, or has no lifespan.

        :raises StartError: when the app reports a failed start.
        """
        yield from self._drive(self._coroutine)
        if self._failure:
            raise StartError(self._failure)

    async def _run(self) -> None:
        asgi = {"version": "3.0", "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": asgi, "state": self._state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception:
            if not self._failure and (self._strict or self._is_received):
                raise

    async def _receive(self) -> dict[str, Any]:
        if self._is_received:  # the app waits for its shutdown, which a Worker does not have
            await _Suspension()
        self._is_received = True
        return {"type": "lifespan.startup"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "lifespan.startup.failed":
            self._failure = message.get("message") or "The lifespan of the app failed."

    @staticmethod
    def _drive(coroutine: Coroutine[object, None, None]) -> Generator[object, None, None]:
        """Pass each awaited future to the task, until the coroutine is suspended."""
        step = functools.partial(coroutine.send, None)
        while True:
            try:
                awaited = step()
            except StopIteration:
                return
            if awaited is _SUSPENDED:
                return
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001  # such as a cancellation of the task
                step = functools.partial(coroutine.throw, error)
            else:
                step = functools.partial(coroutine.send, None)
