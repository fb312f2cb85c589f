"""Respond to requests without a route: with a welcome page, a 501 with a reason, or a 404."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.response.base import ASGIResponse

from mastra_server.http.asgi import App
from mastra_server.http.errors import ErrorResponse
from mastra_server.http.paths import to_declared_path
from mastra_server.http.responses import text_response
from mastra_server.http.unsupported_routes import find_unsupported

__all__ = ("get_not_found_handlers",)

_Request = Request[Any, Any, Any]
_READ_METHODS = ("GET", "HEAD")
_WELCOME_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Mastra</title>"
    "<p>This server runs agents and workflows. Its API is at <code>{api}</code>."
)


def get_not_found_handlers() -> dict[Any, Any]:
    """Return Litestar's exception handlers for an unknown path or method."""
    return {NotFoundException: _handle_not_found, MethodNotAllowedException: _handle_not_found}


def _handle_not_found(request: _Request, error: Exception) -> ErrorResponse | _PlainResponse:
    scope: dict[str, Any] = dict(request.scope)
    method, path = scope["method"], scope["path"]
    prefix = request.app.state.mastra.server.api_prefix
    if "route_handler" in scope:  # a route of the user's own raised the error
        return ErrorResponse(error)
    if path == "/" and method in _READ_METHODS:
        return _PlainResponse(_build_welcome_page(prefix))
    traces = request.app.state.trace_store is not None
    unsupported = find_unsupported(method, to_declared_path(path, prefix), traces=traces)
    if unsupported is not None:
        return ErrorResponse(unsupported)
    return ErrorResponse(NotFoundException(), text_response("404 Not Found", 404))


def _build_welcome_page(prefix: str) -> ASGIResponse:
    """Build the page at ``/``; Studio requests it to see whether a server is running."""
    headers = {"content-security-policy": "default-src 'none'; frame-ancestors 'none'"}
    page = _WELCOME_PAGE.format(api=prefix or "/")
    return ASGIResponse(body=page.encode(), media_type="text/html", headers=headers)


class _PlainResponse:
    """A finished response, in the form that Litestar expects from an exception handler."""

    def __init__(self, response: ASGIResponse) -> None:
        self._response = response

    def to_asgi_response(self, **_: Any) -> App:
        """Return the response itself."""
        return self._response
