"""Exceptions as answers: the message where it is meant for the caller, never a traceback."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
)
from litestar.response.base import ASGIResponse

from mastra_core.agents.protocol import AgentFailed
from mastra_core.errors import InvalidInput, RequestError
from mastra_core.logger import logger_of
from mastra_server.answers import json_answer, text_answer
from mastra_server.asgi import App, Message, Receive, Scope, Send

__all__ = ("BodyTooLarge", "ErrorBoundary", "answer_to", "exception_handlers")


class BodyTooLarge(RequestError):
    """The request's body exceeds ``Server.body_limit``."""

    status = 413


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
            await answer_to(error, scope)(scope, receive, send)


def exception_handlers() -> dict[Any, Any]:
    """What Litestar is to do with what routes raise."""
    return {
        NotFoundException: _no_route,
        MethodNotAllowedException: _no_route,
        HTTPException: _handle,
        Exception: _handle,
    }


def answer_to(error: Exception, scope: Scope) -> ASGIResponse:
    """The answer that ``error`` deserves; what nobody foresaw is logged with its traceback."""
    if isinstance(error, RequestError):
        return json_answer(_told(error), error.status)
    if isinstance(error, AgentFailed):
        return json_answer({"error": error.message}, 500)
    if isinstance(error, HTTPException) and error.status_code != 500:  # noqa: PLR2004  # HTTP's own number
        return json_answer({"error": error.detail}, error.status_code, error.headers)
    fields = {"method": scope.get("method"), "path": scope["path"]}
    logger_of("mastra.server").error("the request failed", exc_info=error, extra=fields)
    return json_answer({"error": "Internal Server Error"}, 500)


def _told(error: RequestError) -> dict[str, Any]:
    issues = error.issues if isinstance(error, InvalidInput) else ()
    told: dict[str, Any] = {"error": error.message}
    if issues:
        told["issues"] = [{"field": field, "message": message} for field, message in issues]
    return told


class _Handled:
    """A ready answer in the shape that Litestar's exception handlers give."""

    def __init__(self, answer: ASGIResponse) -> None:
        self._answer = answer

    def to_asgi_response(self, **_: Any) -> ASGIResponse:
        return self._answer


def _handle(request: Request[Any, Any, Any], error: Exception) -> _Handled:
    return _Handled(answer_to(error, request.scope))


def _no_route(_: Request[Any, Any, Any], __: Exception) -> _Handled:
    return _Handled(text_answer("404 Not Found", 404))
