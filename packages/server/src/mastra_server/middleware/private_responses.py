"""Keep responses with the data of one caller out of caches that others use."""

from __future__ import annotations

from collections.abc import Awaitable

from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.request_context import CONTEXT_KEY

__all__ = ("PrivateResponses",)

_HEADER = (b"cache-control", b"no-store")


class PrivateResponses:
    """Add ``cache-control: no-store`` to responses to identified callers.

    Some content delivery networks store each response without this header, and do not distinguish
    requests by cookies or tokens. A response with a ``cache-control`` header of its own is not
    changed.

    :param app: the application inside.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass on the request; add the header if ``auth`` or a middleware identifies the caller.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        # Created here, because a middleware may pass on a copy of the scope.
        context = scope.setdefault(CONTEXT_KEY, {})

        def send_with_header(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start" and context:
                headers = [*message.get("headers", ())]
                if all(name.lower() != _HEADER[0] for name, _ in headers):
                    message["headers"] = [*headers, _HEADER]
            return send(message)

        return self._app(scope, receive, send_with_header)
