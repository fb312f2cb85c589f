"""Convert exceptions to responses with a message for the caller, without a traceback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request
from litestar.exceptions import (
    ClientException,
    HTTPException,
    InternalServerException,
    ValidationException,
)
from litestar.response.base import ASGIResponse

from mastra_core.agents.protocol import AgentFailed
from mastra_core.errors import ConfigError, InvalidInput, RequestError, StorageError
from mastra_core.logger import get_logger
from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.responses import json_response, to_response

__all__ = (
    "BodyTooLarge",
    "ErrorBoundary",
    "ErrorResponse",
    "GatewayTimeout",
    "TooManyRequests",
    "Unauthorized",
    "UnsupportedOperation",
    "get_exception_handlers",
    "get_status",
)

_INTERNAL = 500
_UNAVAILABLE = 503
_DISCONNECTED = (
    "client disconnected prematurely"  # Litestar's only sign of this fault of the client
)


class BodyTooLarge(RequestError):
    """The request's body exceeds ``Server.body_limit``."""

    status = 413


class GatewayTimeout(RequestError):
    """The request took longer than ``Server.timeout``."""

    status = 504


class TooManyRequests(RequestError):
    """The caller's active requests take too much of the server's memory."""

    status = 429


class UnsupportedOperation(RequestError):
    """Mastra has this operation, but this server does not implement it."""

    status = 501


class Unauthorized(RequestError):
    """The request carries no valid credentials."""

    status = 401


class ErrorBoundary:
    """Turn exceptions of the user's middleware into responses.

    :param app: the inner ASGI application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the inner application, and respond to its exceptions.

        If the response has already begun, the exception is raised again, and the ASGI server closes
        the connection.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if started:
                raise
            await ErrorResponse(error)(scope, receive, send)


def get_exception_handlers() -> dict[Any, Any]:
    """Return Litestar's exception handlers for all exceptions of routes."""
    return {
        HTTPException: _handle_exception,
        Exception: _handle_exception,
    }


def _build_error_response(error: Exception, scope: Scope) -> ASGIResponse:
    """Build the response for ``error``, and log an unexpected error with its traceback.

    :param error: the exception.
    :param scope: the ASGI scope of the request, for the log.
    :returns: the response with the status of the error.
    """
    status = get_status(error)
    if isinstance(error, RequestError):
        headers = {"www-authenticate": "Bearer"} if isinstance(error, Unauthorized) else None
        return json_response(_format_error(error), status, headers)
    if isinstance(error, AgentFailed):
        return json_response({"error": error.message}, status)
    if isinstance(error, HTTPException) and status != _INTERNAL:
        return json_response(_format_http_error(error), status, error.headers)
    fields = {"method": scope.get("method"), "path": scope["path"]}
    if isinstance(error, StorageError):  # its message names a file or a database
        reason = f"{error.message} {error.hint}".strip()
        get_logger("mastra.server").error("the request failed: %s", reason, extra=fields)
        return json_response({"error": "The storage is not available"}, status)
    get_logger("mastra.server").error("the request failed", exc_info=error, extra=fields)
    if isinstance(error, ConfigError):  # a missing extra, for example: the message says the cure
        return json_response({"error": f"{error.message} {error.hint}".strip()}, _INTERNAL)
    return json_response({"error": "Internal Server Error"}, _INTERNAL)


def get_status(error: Exception) -> int:
    """Return the HTTP status for ``error``.

    :param error: the exception.
    """
    if isinstance(error, RequestError | AgentFailed):
        return error.status
    if isinstance(error, StorageError):
        return _UNAVAILABLE
    return error.status_code if isinstance(error, HTTPException) else _INTERNAL


def _format_error(error: RequestError) -> dict[str, Any]:
    issues = error.issues if isinstance(error, InvalidInput) else ()
    body: dict[str, Any] = {"error": error.message}
    if issues:
        body["issues"] = [{"field": field, "message": message} for field, message in issues]
    return body


def _format_http_error(error: HTTPException) -> dict[str, Any]:
    """Return the body of the response to an error of Litestar, with an issue for each field."""
    body: dict[str, Any] = {"error": error.detail}
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        body["issues"] = [
            {"field": str(each.get("key") or each.get("source") or ""), "message": each["message"]}
            for each in error.extra
            if isinstance(each, dict) and isinstance(each.get("message"), str)
        ]
    return body


class ErrorResponse:
    """The response to an error: the result of the user's ``on_error``, or a default response.

    :param error: the exception.
    :param default: the response to use if ``on_error`` returns ``None``; built from the error by
        default.
    """

    def __init__(self, error: Exception, default: App | None = None) -> None:
        if isinstance(error, InternalServerException) and error.detail == _DISCONNECTED:
            error = ClientException("the client disconnected")  # no fault of the server to log
        self._error = error
        self._default = default

    def to_asgi_response(self, **_: Any) -> App:
        """Return this object, because Litestar calls this method on the result of a handler.

        :param _: arguments that Litestar passes, which are not used.
        """
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        response: App = self._default or _build_error_response(self._error, scope)
        app = scope.get("litestar_app")  # missing if a layer is used without the application
        on_error = app.state.mastra.server.on_error if app is not None else None
        if on_error is not None:
            request: Request[Any, Any, Any] = Request(scope, receive, send)
            response = await _call_on_error(on_error, self._error, request) or response
        await response(scope, receive, send)


async def _call_on_error(
    on_error: Callable[..., Any], error: Exception, request: Request[Any, Any, Any]
) -> App | None:
    """Return the response of the user's ``on_error``.

    If ``on_error`` itself fails, log the failure and return ``None`` for the default response.
    """
    try:
        value = on_error(error, request)
        value = await value if isinstance(value, Awaitable) else value
        return None if value is None else to_response(value, request, get_status(error))
    except Exception as failure:  # noqa: BLE001  # user code may raise anything
        get_logger("mastra.server").error("on_error failed", exc_info=failure)
        return None


def _handle_exception(_: Request[Any, Any, Any], error: Exception) -> ErrorResponse:
    return ErrorResponse(error)
