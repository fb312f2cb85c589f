"""Mark where a request begins and ends, on platforms whose event loop ends with each request."""

from __future__ import annotations

from mastra_core.request_scope import enter_request
from mastra_server.http.asgi import App, Receive, Scope, Send

__all__ = ("RequestBoundary",)


class RequestBoundary:
    """Open the scope of ``mastra_core.request_scope`` for each request.

    :param app: the inner ASGI application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; end its lifetime when its response is complete.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        with enter_request():
            await self._app(scope, receive, send)
