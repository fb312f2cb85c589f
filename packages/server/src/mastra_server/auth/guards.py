"""Protect the routes: each route requires authentication, unless it is public."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from mastra_core import Mastra
from mastra_core.errors import Forbidden
from mastra_core.logger import get_logger
from mastra_core.workflows.engine.run_checks import check_texts
from mastra_server.http.errors import Unauthorized
from mastra_server.http.paths import PathPattern
from mastra_server.http.request_context import RESOURCE_KEY, request_context

__all__ = ("AuthGuard", "build_guards", "is_studio_in_development")

_LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
_LOCAL_CLIENTS = ("127.0.0.1", "::1")
_PROXY_HEADERS = ("forwarded", "x-forwarded-for")  # a browser sends none of them
_Connection = ASGIConnection[Any, Any, Any, Any]


def build_guards(mastra: Mastra) -> list[AuthGuard]:
    """Build the guards of the application: one guard with ``Server(auth=...)``, or else none.

    :param mastra: the application.
    """
    if mastra.server.auth is None:
        return []
    if not hasattr(mastra.server.auth, "resource"):
        get_logger("mastra.server").warning(
            "auth has no resource(user): every authenticated caller may read all threads of memory"
        )
    return [
        AuthGuard(
            mastra.server.auth, [PathPattern(path, "public") for path in mastra.server.public]
        )
    ]


class AuthGuard:
    """Authenticate the caller before a handler runs.

    The guard checks the handler that Litestar selected, so no spelling of a path bypasses the
    guard.

    :param auth: the value of ``Server(auth=...)``.
    :param public: the patterns of the paths that need no authentication.
    """

    def __init__(self, auth: Any, public: list[PathPattern]) -> None:
        self._auth = auth
        self._public_patterns = public

    async def __call__(self, connection: _Connection, handler: BaseRouteHandler) -> None:
        """Check the caller of a connection.

        :param connection: the connection.
        :param handler: the handler that Litestar selected.
        :raises Unauthorized: if the request has no token, or a token that ``authenticate`` rejects.
        :raises Forbidden: when ``authorize`` refuses.
        :raises InvalidInput: when the caller's resource contains a character that no database can
            store.
        """
        if self._is_public(connection, handler) or is_studio_in_development(connection):
            return
        user = await self.find_user(connection)
        if user is None:
            raise Unauthorized("Invalid or expired token")
        authorize = getattr(self._auth, "authorize", None)
        if authorize is not None and not await _await_result(authorize(user, connection)):
            raise Forbidden("Access denied")
        self._set_user(connection, user)

    async def find_user(self, connection: _Connection) -> Any:
        """Return the user of a connection, or ``None`` without valid credentials.

        :param connection: the connection.
        """
        token = self._get_token(connection)
        user = await _await_result(self._auth.authenticate(token, connection)) if token else None
        return user or None  # an empty text or mapping, for example, is no user

    def _is_public(self, connection: _Connection, handler: BaseRouteHandler) -> bool:
        if handler.opt.get("requires_auth") is False:
            return True
        path = connection.scope["path"]
        return any(pattern.matches(path) for pattern in self._public_patterns)

    def _get_token(self, connection: _Connection) -> str:
        get_token = getattr(self._auth, "token", None)
        if get_token is not None:
            return get_token(connection) or ""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
        return str(connection.query_params.get("apiKey", ""))

    def _set_user(self, connection: _Connection, user: Any) -> None:
        connection.scope["user"] = user
        context = request_context(connection)
        context["user"] = user
        resource = getattr(self._auth, "resource", None)
        owner = resource(user) if resource is not None else None
        if owner not in (None, ""):  # an id may be the number 0
            check_texts(resource_id=str(owner))
            context[RESOURCE_KEY] = str(owner)


def is_studio_in_development(connection: _Connection) -> bool:
    """Return whether Mastra Studio of ``mastra dev`` sent a request.

    A page of another origin cannot send Studio's header, because CORS refuses this header. A
    request whose header ``Host`` does not name this machine is refused as well. A program on
    another machine, or at the other end of a tunnel, can send every header, so the connection
    itself must come from this machine, and not from a proxy.

    :param connection: the connection.
    """
    headers = connection.headers
    return (
        os.environ.get("MASTRA_DEV") == "true"
        and headers.get("x-mastra-dev-playground") == "true"
        and _LOCAL_HOST.fullmatch(headers.get("host", "")) is not None
        and (connection.scope.get("client") or ("",))[0] in _LOCAL_CLIENTS
        and not any(name in headers for name in _PROXY_HEADERS)
    )


async def _await_result(value: Any) -> Any:
    return await value if isinstance(value, Awaitable) else value
