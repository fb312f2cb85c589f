"""One spelling for each path, so that middleware and routes never read it differently."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator

from litestar.handlers import HTTPRouteHandler

from mastra_core.errors import ConfigError
from mastra_server.http.asgi import App, Receive, Scope, Send
from mastra_server.http.responses import text_answer

__all__ = ("CanonicalPath", "PathPattern", "declared", "placed")

_DECLARED = "/api"  # the prefix that our handlers are written with


def placed(handlers: Iterable[HTTPRouteHandler], prefix: str) -> Iterator[HTTPRouteHandler]:
    """``handlers``, those of the API below ``prefix`` instead of ``/api``."""
    for handler in handlers:
        moved = copy.copy(handler)
        moved.paths = {_moved(path, prefix) for path in handler.paths}
        yield moved


def declared(path: str, prefix: str) -> str:
    """``path`` as our handlers are written, below ``/api``; empty where it is not of the API."""
    inside = path == prefix or path.startswith(f"{prefix}/")
    return _DECLARED + path.removeprefix(prefix) if inside else ""


def _moved(path: str, prefix: str) -> str:
    inside = path == _DECLARED or path.startswith(f"{_DECLARED}/")
    return (prefix + path.removeprefix(_DECLARED) or "/") if inside else path


class PathPattern:
    """``/a/*`` is ``/a`` and everything below it, ``/a`` that path only, ``*`` every path.

    :param what: whose pattern it is, for the message.
    :raises ConfigError: for ``*`` anywhere but at its end.
    """

    def __init__(self, path: str, what: str) -> None:
        everywhere = path in ("*", "/*")
        self._prefix = "" if everywhere else path.removesuffix("/*")
        self._below = everywhere or path.endswith("/*")
        if "*" in self._prefix or not (everywhere or path.startswith("/")):
            raise ConfigError(
                f"The {what} path {path!r} has '*' in the middle, or no '/' in front.",
                "Write '/api/agents/*', or check request.url.path in a middleware.",
            )

    def matches(self, path: str) -> bool:
        """Whether ``path``, spelled canonically, is meant."""
        return path == self._prefix or (self._below and path.startswith(self._prefix + "/"))


class CanonicalPath:
    """Strips the prefix the server is mounted under; doubled and trailing slashes are 404.

    Litestar would route ``//api/agents/`` to ``/api/agents``, past a middleware on ``/api/*``.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is spelled well; there are no websockets."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 4404, "reason": "Not Found"})
            return
        path = _local(scope["path"], scope.get("root_path", "").rstrip("/"))
        if path != "/" and (path.endswith("/") or "//" in path or not path.startswith("/")):
            await text_answer("404 Not Found", 404)(scope, receive, send)
            return
        scope["path"], scope["root_path"] = path, ""
        await self._app(scope, receive, send)


def _local(path: str, root: str) -> str:
    inside = root and (path == root or path.startswith(root + "/"))
    return path[len(root) :] or "/" if inside else path
