"""Exceptions as answers: the message where it is meant for the caller, never a traceback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse

from mastra_core.agents.protocol import AgentFailed
from mastra_core.errors import InvalidInput, RequestError
from mastra_core.logger import logger_of
from mastra_server.http.asgi import App, Message, Receive, Scope, Send
from mastra_server.http.responses import answer_of, json_answer

__all__ = (
    "BodyTooLarge",
    "ErrorAnswer",
    "ErrorBoundary",
    "NotOffered",
    "Unauthorized",
    "answer_to",
    "exception_handlers",
    "status_of",
)

_INTERNAL = 500


class BodyTooLarge(RequestError):
    """The request's body exceeds ``Server.body_limit``."""

    status = 413


class NotOffered(RequestError):
    """Something of the original's that this server does not do."""

    status = 501


class Unauthorized(RequestError):
    """Nobody that the server knows."""

    status = 401


class ErrorBoundary:
    """Answers for whatever the user's middleware raises."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; an exception after the answer began goes to the server, which hangs up."""
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
            await ErrorAnswer(error)(scope, receive, send)


def exception_handlers() -> dict[Any, Any]:
    """What Litestar is to do with what routes raise."""
    return {
        HTTPException: _handle,
        Exception: _handle,
    }


def answer_to(error: Exception, scope: Scope) -> ASGIResponse:
    """The answer that ``error`` deserves; what nobody foresaw is logged with its traceback."""
    status = status_of(error)
    if isinstance(error, RequestError):
        marks = {"www-authenticate": "Bearer"} if isinstance(error, Unauthorized) else None
        return json_answer(_told(error), status, marks)
    if isinstance(error, AgentFailed):
        return json_answer({"error": error.message}, status)
    if isinstance(error, HTTPException) and status != _INTERNAL:
        return json_answer({"error": error.detail}, status, error.headers)
    fields = {"method": scope.get("method"), "path": scope["path"]}
    logger_of("mastra.server").error("the request failed", exc_info=error, extra=fields)
    return json_answer({"error": "Internal Server Error"}, _INTERNAL)


def status_of(error: Exception) -> int:
    """HTTP's number for ``error``."""
    if isinstance(error, RequestError | AgentFailed):
        return error.status
    return error.status_code if isinstance(error, HTTPException) else _INTERNAL


def _told(error: RequestError) -> dict[str, Any]:
    issues = error.issues if isinstance(error, InvalidInput) else ()
    told: dict[str, Any] = {"error": error.message}
    if issues:
        told["issues"] = [{"field": field, "message": message} for field, message in issues]
    return told


class ErrorAnswer:
    """The answer to ``error``: the user's, if ``on_error`` gives one."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def to_asgi_response(self, **_: Any) -> App:
        """What Litestar asks of an exception handler."""
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        answer: App = answer_to(self._error, scope)
        on_error = scope["litestar_app"].state.mastra.server.on_error
        if on_error is not None:
            request: Request[Any, Any, Any] = Request(scope, receive, send)
            answer = await _asked(on_error, self._error, request) or answer
        await answer(scope, receive, send)


async def _asked(
    on_error: Callable[..., Any], error: Exception, request: Request[Any, Any, Any]
) -> App | None:
    """What the user's function answers; its own failure is logged, and ours stands."""
    try:
        value = on_error(error, request)
        value = await value if isinstance(value, Awaitable) else value
        return None if value is None else answer_of(value, request, status_of(error))
    except Exception as failure:  # noqa: BLE001  # user code may raise anything
        logger_of("mastra.server").error("on_error failed", exc_info=failure)
        return None


def _handle(_: Request[Any, Any, Any], error: Exception) -> ErrorAnswer:
    return ErrorAnswer(error)
