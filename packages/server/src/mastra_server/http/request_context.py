"""The request context: what caller and middleware pass along to agents, tools and steps."""

from __future__ import annotations

import base64
from typing import Any

from litestar.connection import ASGIConnection

from mastra_core.errors import Forbidden
from mastra_server.http.request_body import InvalidQuery, decoded

__all__ = ("RESOURCE", "THREAD", "confined", "confined_thread", "context_of", "request_context")

RESOURCE, THREAD = "mastra__resourceId", "mastra__threadId"  # keys of Mastra's own context
_KEY = "mastra_context"


def request_context(request: ASGIConnection[Any, Any, Any, Any]) -> dict[str, Any]:
    """What middleware puts here reaches agents, tools and workflow steps of this request.

    It wins over what the caller sends, so it is the place for an authenticated user.
    """
    scope: Any = request.scope
    context: dict[str, Any] = scope.setdefault(_KEY, {})
    return context


def context_of(
    request: ASGIConnection[Any, Any, Any, Any], body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The context of one request: from its body, then its query, then the middleware.

    :param body: the body's own ``requestContext``.
    :raises InvalidQuery: when the query's is neither JSON nor base64 of it.
    """
    asked = {**(body or {}), **_from_query(request)}
    allowed = {key: value for key, value in asked.items() if not _reserved(key)}
    return allowed | request_context(request)


def confined(request: ASGIConnection[Any, Any, Any, Any], resource: str = "") -> str:
    """The owner of the memory that a request may touch: the one that ``auth`` or a middleware has
    set, else ``resource``, which the caller names.

    :raises Forbidden: when the caller names another than its own.
    """
    return _own(request, RESOURCE, resource)


def confined_thread(request: ASGIConnection[Any, Any, Any, Any], thread: str = "") -> str:
    """The thread that a request may touch: the one that a middleware has set, else ``thread``.

    :raises Forbidden: when the caller names another than its own.
    """
    return _own(request, THREAD, thread)


def _own(request: ASGIConnection[Any, Any, Any, Any], key: str, named: str) -> str:
    own: str = request_context(request).get(key, "")
    if own and named and own != named:
        raise Forbidden("Access denied")
    return own or named


def _from_query(request: ASGIConnection[Any, Any, Any, Any]) -> dict[str, Any]:
    text = request.query_params.get("requestContext", "")
    if not text:
        return {}
    try:
        raw = text.encode() if text.lstrip().startswith("{") else base64.b64decode(text + "==")
        return decoded(raw, dict[str, Any])
    except ValueError:  # no base64, no text, or no JSON of an object
        raise InvalidQuery("requestContext", "Expected JSON, or base64 of JSON") from None


def _reserved(key: str) -> bool:
    """Names that only middleware may set: code trusts them."""
    return key == "user" or key.startswith("mastra__")
