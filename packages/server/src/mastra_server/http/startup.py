"""Open the resources of the application before the first request, and report a failure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from litestar import Litestar

from mastra_core import Mastra
from mastra_core.errors import ConfigError, StorageError
from mastra_server.http.asgi import Message

__all__ = ("StartupErrorApp", "keep_startup_error", "open_resources")


async def open_resources(app: Litestar) -> None:
    """Open databases, telemetry, trace store and engine before the first request.

    :param app: the application.
    :raises StorageError: when a database cannot be opened.
    :raises ConfigError: when a package for traces is not installed.
    """
    import asyncio

    mastra: Mastra = app.state.mastra
    tracers = [each for each in (mastra.telemetry, app.state.trace_store) if each is not None]
    await mastra.storage.open()
    for limiter in app.state.rate_limiters:
        await limiter.open()
    for tracer in tracers:
        await asyncio.to_thread(tracer.start)  # imports the SDK, which takes long
    await mastra.engine.open((*mastra.workflows.values(), *mastra.agent_workflows))


@contextlib.contextmanager
def keep_startup_error(app: Litestar) -> Iterator[None]:
    """If the block raises an error, keep its message for ``StartupErrorApp``.

    :param app: the application.
    """
    try:
        yield
    except (ConfigError, StorageError) as error:
        app.state.startup_error = str(error)
        raise


class StartupErrorApp(Litestar):
    """A Litestar application that logs only the message of a failed startup.

    Litestar would report the whole traceback, even if the user only has to create a directory.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the application, and replace the traceback of a failed startup with its message.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        if scope["type"] != "lifespan":
            await super().__call__(scope, receive, send)
            return

        async def send_message(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed" and "startup_error" in self.state:
                message = {**message, "message": self.state.startup_error}
            await send(message)

        await super().__call__(scope, receive, send_message)
