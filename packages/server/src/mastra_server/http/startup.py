"""What the application needs before its first request, and how it is told where that fails."""

from __future__ import annotations

from typing import Any

from litestar import Litestar

from mastra_core import Mastra
from mastra_core.errors import ConfigError, StorageError
from mastra_server.http.asgi import Message

__all__ = ("PlainStart", "ready")


async def ready(app: Litestar) -> None:
    """Open the storage, and what traces: better known now than in a request is what is wrong.

    :raises StorageError: when the storage cannot be opened.
    :raises ConfigError: when what traces is not installed.
    """
    import asyncio

    mastra: Mastra = app.state.mastra
    begin = [each for each in (mastra.telemetry, app.state.trace_book) if each is not None]
    try:
        await mastra.storage.open()
        for each in begin:
            await asyncio.to_thread(each.start)  # it imports the SDK
    except (ConfigError, StorageError) as error:
        app.state.refused = str(error)
        raise


class PlainStart(Litestar):
    """Has a start that failed told by its words alone, where somebody can act on them.

    Litestar would tell the traceback to who has only to make a directory.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on."""

        async def tell(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed" and "refused" in self.state:
                message = {**message, "message": self.state.refused}
            await send(message)

        await super().__call__(scope, receive, tell if scope["type"] == "lifespan" else send)
