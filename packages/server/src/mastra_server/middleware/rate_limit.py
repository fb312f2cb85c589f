"""Limit the rate of requests per caller."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable
from typing import Any

from litestar import Request

from mastra_core import RateLimit
from mastra_core.errors import ConfigError
from mastra_core.request_scope import is_request_scoped
from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.callers import read_client_address
from mastra_server.http.errors import ErrorResponse, TooManyRequests
from mastra_server.http.health import HEALTH_PATHS
from mastra_server.http.responses import json_response
from mastra_server.middleware.moving_window import MovingWindow

__all__ = ("RateLimiter",)


class RateLimiter:
    """Respond 429 with ``retry-after`` if a caller exceeds the rate limit.

    :param app: the inner ASGI application.
    :param settings: the limit, how to identify callers, and the storage.
    :raises ConfigError: when the package ``limits`` is not installed, or the rate limit is invalid.
    """

    def __init__(self, app: App, settings: RateLimit) -> None:
        self._app = app
        self._settings = settings
        self._item = _parse_amount(settings.amount)
        self._strategy: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on requests within the limit.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        if scope["path"] in HEALTH_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            allowed, headers = await self._count(Request(scope, receive, send))
        except Exception as error:  # noqa: BLE001  # no layer outside this one answers
            await ErrorResponse(error)(scope, receive, send)
            return
        if not allowed:
            refusal = json_response({"error": "Too many requests"}, 429, headers)
            await ErrorResponse(TooManyRequests("Too many requests"), refusal)(scope, receive, send)
            return
        rate_headers = [
            (name.encode(), value.encode()) for name, value in headers.items() if name[0] == "x"
        ]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *rate_headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    async def open(self) -> None:
        """Open the storage in which requests are counted, so that a problem stops the startup.

        :raises ConfigError: when the URL of the storage is invalid, or a package is missing.
        :raises StorageError: when a database cannot be used.
        """
        if self._settings.is_in_memory:
            return
        limiter = self._get_limiter()
        if self._settings.is_in_database:
            await limiter.open()

    async def close(self) -> None:
        """Close the database in which requests are counted, if there is one."""
        if self._settings.is_in_database and self._strategy is not None:
            await self._strategy.close()

    async def _count(self, request: Request[Any, Any, Any]) -> tuple[bool, dict[str, str]]:
        """Count a request; return whether it is within the limit, and the headers about the limit.

        :raises Exception: any exception that the user's function ``by`` or the storage raises.
        """
        caller = await self._identify_caller(request)
        allowed = await self._get_limiter().hit(self._item, caller)
        return allowed, await self._build_headers(caller)

    async def _identify_caller(self, request: Request[Any, Any, Any]) -> str:
        if self._settings.by is None:
            return read_client_address(request.scope)
        name = self._settings.by(request)
        return str(await name if isinstance(name, Awaitable) else name)

    async def _build_headers(self, caller: str) -> dict[str, str]:
        reset, remaining = await self._get_limiter().get_window_stats(self._item, caller)
        seconds = str(max(math.ceil(reset - time.time()), 1))
        limit = {"x-ratelimit-limit": str(self._item.amount)}
        return {**limit, "x-ratelimit-remaining": str(remaining), "retry-after": seconds}

    def _get_limiter(self) -> Any:
        """Return the limiter; create it at first use, because it belongs to an event loop."""
        if self._strategy is None and self._settings.is_in_database:
            from mastra_server.middleware.stored_window import StoredWindow

            self._strategy = StoredWindow(self._settings.storage)
        if self._strategy is None and is_request_scoped() and self._settings.is_in_memory:
            self._strategy = MovingWindow()
        if self._strategy is None:
            from limits.aio.strategies import MovingWindowRateLimiter

            self._strategy = MovingWindowRateLimiter(_open_storage(self._settings.storage))
        return self._strategy


def _open_storage(url: str) -> Any:
    """Return a storage of the package ``limits``; keep the URL's password out of error messages."""
    from limits.aio.storage import Storage
    from limits.errors import ConfigurationError
    from limits.storage import storage_from_string

    try:
        storage = storage_from_string(url)
    except ConfigurationError:
        storage = None
    if not isinstance(storage, Storage):  # such as a storage that blocks the event loop
        raise ConfigError(
            f"The rate limit cannot use the storage {url.partition(':')[0]!r}.",
            "Write a URL like 'async+redis://host:6379', and install the client of that database.",
        )
    return storage


def _parse_amount(text: str) -> Any:
    try:
        from limits import parse_many
    except ImportError:
        raise ConfigError(
            "Server(rate_limit=...) needs the package limits, which is not installed.",
            'Install it: pip install "mastra-server[limits]".',
        ) from None
    try:
        (item,) = parse_many(text)  # "100/minute;5/second" has two items
    except ValueError:
        raise ConfigError(
            f"The rate limit {text!r} is invalid.", "Write it like '100/minute'."
        ) from None
    return item
