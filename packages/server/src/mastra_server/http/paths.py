"""Give each path one canonical form, so that middleware and routes match the same paths."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Iterable, Iterator

from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler

from mastra_core.errors import ConfigError
from mastra_server.http.asgi import App, Receive, Scope, Send
from mastra_server.http.errors import ErrorResponse
from mastra_server.http.responses import text_response

__all__ = ("CanonicalPath", "PathPattern", "mount_handlers", "to_declared_path")

_DECLARED_PREFIX = "/api"  # the prefix in the decorators of this package's handlers


def mount_handlers(handlers: Iterable[HTTPRouteHandler], prefix: str) -> Iterator[HTTPRouteHandler]:
    """Yield copies of ``handlers`` with ``prefix`` in place of ``/api`` in their paths.

    :param handlers: the handlers, declared below ``/api``.
    :param prefix: the path prefix under which the handlers are served, such as ``/v1``; may be
        empty.
    :returns: the copies.
    """
    for handler in handlers:
        mounted = copy.copy(handler)
        mounted.paths = {_replace_prefix(path, prefix) for path in handler.paths}
        yield mounted


def to_declared_path(path: str, prefix: str) -> str:
    """Convert a requested path to the form in which handlers declare paths: below ``/api``.

    :param path: the path of the request.
    :param prefix: the prefix that the API is served under.
    :returns: the path, with ``/api`` in place of ``prefix``; empty if it is not below ``prefix``.
    """
    inside = path == prefix or path.startswith(f"{prefix}/")
    return _DECLARED_PREFIX + path.removeprefix(prefix) if inside else ""


def _replace_prefix(path: str, prefix: str) -> str:
    inside = path == _DECLARED_PREFIX or path.startswith(f"{_DECLARED_PREFIX}/")
    return (prefix + path.removeprefix(_DECLARED_PREFIX) or "/") if inside else path


class PathPattern:
    """A pattern for paths.

    ``/a/*`` matches ``/a`` and all paths below it. ``/a`` matches only itself, and ``*`` matches
    every path.

    :param path: the pattern.
    :param label: the kind of setting that contains the pattern, for the error message.
    :raises ConfigError: when the pattern has no leading slash, or has a ``*`` that is not in a
        ``/*`` at its end.
    """

    def __init__(self, path: str, label: str) -> None:
        matches_all = path in ("*", "/*")
        self._prefix = "" if matches_all else path.removesuffix("/*")
        self._matches_below = matches_all or path.endswith("/*")
        if "*" in self._prefix or not (matches_all or path.startswith("/")):
            raise ConfigError(
                f"The {label} path {path!r} has '*' in the middle, or no leading '/'.",
                "Write a path like '/api/agents/*', or check request.url.path yourself.",
            )

    def matches(self, path: str) -> bool:
        """Return whether the pattern matches ``path``.

        :param path: a path in canonical spelling.
        """
        return path == self._prefix or (self._matches_below and path.startswith(self._prefix + "/"))


class CanonicalPath:
    """Remove the root path of the server, and respond 404 to doubled and trailing slashes.

    Litestar would route ``//api/agents/`` to ``/api/agents``, and so bypass a middleware on
    ``/api/*``.

    :param app: the inner ASGI application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Call the inner application with the canonical path, and refuse websockets.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        if scope["type"] != "http":
            return send({"type": "websocket.close", "code": 4404, "reason": "Not Found"})
        path = _strip_root_path(scope["path"], scope.get("root_path", "").rstrip("/"))
        if path != "/" and (path.endswith("/") or "//" in path or not path.startswith("/")):
            default = text_response("404 Not Found", 404)
            return ErrorResponse(NotFoundException(), default)(scope, receive, send)
        scope["path"], scope["root_path"] = path, ""
        return self._app(scope, receive, send)


def _strip_root_path(path: str, root: str) -> str:
    inside = root and (path == root or path.startswith(root + "/"))
    return path[len(root) :] or "/" if inside else path
