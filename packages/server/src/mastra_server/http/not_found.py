"""What is answered where no route is found: who is here, what is left out, or nothing."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.response.base import ASGIResponse

from mastra_server.http.asgi import App
from mastra_server.http.errors import ErrorAnswer
from mastra_server.http.paths import declared
from mastra_server.http.responses import text_answer
from mastra_server.http.unsupported import refusal

__all__ = ("unrouted_handlers",)

_Request = Request[Any, Any, Any]
_READING = ("GET", "HEAD")
_WELCOME = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Mastra</title>"
    "<p>This server runs agents and workflows. It answers at <code>{api}</code>."
)


def unrouted_handlers() -> dict[Any, Any]:
    """What Litestar is to do with a path or a method that it does not know."""
    return {NotFoundException: _unrouted, MethodNotAllowedException: _unrouted}


def _unrouted(request: _Request, _: Exception) -> ErrorAnswer | _Plain:
    scope: dict[str, Any] = dict(request.scope)
    method, path = scope["method"], scope["path"]
    prefix = request.app.state.mastra.server.api_prefix
    routed = "route_handler" in scope  # the user's own route says that nothing is there
    if path == "/" and method in _READING and not routed:
        return _Plain(_welcome(prefix))
    kept = request.app.state.trace_book is not None
    refused = None if routed else refusal(method, declared(path, prefix), traces=kept)
    return ErrorAnswer(refused) if refused else _Plain(text_answer("404 Not Found", 404))


def _welcome(prefix: str) -> ASGIResponse:
    """Studio asks for it to see whether anybody is there."""
    policy = {"content-security-policy": "default-src 'none'; frame-ancestors 'none'"}
    page = _WELCOME.format(api=prefix or "/")
    return ASGIResponse(body=page.encode(), media_type="text/html", headers=policy)


class _Plain:
    """An answer, as Litestar takes one from an exception handler."""

    def __init__(self, answer: ASGIResponse) -> None:
        self._answer = answer

    def to_asgi_response(self, **_: Any) -> App:
        """The answer itself."""
        return self._answer
