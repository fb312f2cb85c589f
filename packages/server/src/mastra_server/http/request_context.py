"""Build the request context: values from caller and middleware for agents, tools and steps."""

from __future__ import annotations

import base64
from typing import Any

from litestar.connection import ASGIConnection

from mastra_core.errors import Forbidden
from mastra_server.http.request_body import InvalidQuery, decode_json

__all__ = (
    "CONTEXT_KEY",
    "RESOURCE_KEY",
    "THREAD_KEY",
    "build_context",
    "request_context",
    "restrict_to_resource",
    "restrict_to_thread",
)

RESOURCE_KEY, THREAD_KEY = "mastra__resourceId", "mastra__threadId"  # as in Mastra itself
CONTEXT_KEY = "mastra_context"  # in the ASGI scope


def request_context(request: ASGIConnection[Any, Any, Any, Any]) -> dict[str, Any]:
    """Return the request context, to which middleware can add values.

    The values reach the agents, tools and workflow steps of this request. A value from middleware
    replaces the caller's value with the same key, so middleware should store an authenticated user
    in this dictionary.

    :param request: the request, or Litestar's connection.
    :returns: the dictionary of this request.
    """
    scope: Any = request.scope
    context: dict[str, Any] = scope.setdefault(CONTEXT_KEY, {})
    return context


def build_context(
    request: ASGIConnection[Any, Any, Any, Any], body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Build one request's context: the query overrides the body, and middleware overrides both.

    :param request: the request.
    :param body: the ``requestContext`` of the request body.
    :returns: the merged values; keys that only middleware may set are dropped from body and query.
    :raises InvalidQuery: when the query's context is neither JSON nor base64 of JSON.
    """
    sent = {**(body or {}), **_read_query_context(request)}
    allowed = {key: value for key, value in sent.items() if not _is_reserved(key)}
    return allowed | request_context(request)


def restrict_to_resource(request: ASGIConnection[Any, Any, Any, Any], resource: str = "") -> str:
    """Return the resource whose memory the request may use.

    :param request: the request.
    :param resource: the resource that the caller names.
    :returns: the resource that ``auth`` or a middleware has set, else ``resource``.
    :raises Forbidden: when the caller names a resource that it may not access.
    """
    return _restrict(request, RESOURCE_KEY, resource)


def restrict_to_thread(request: ASGIConnection[Any, Any, Any, Any], thread: str = "") -> str:
    """Return the thread that the request may use.

    :param request: the request.
    :param thread: the thread that the caller names.
    :returns: the thread that a middleware has set, else ``thread``.
    :raises Forbidden: when the caller names a thread that it may not access.
    """
    return _restrict(request, THREAD_KEY, thread)


def _restrict(request: ASGIConnection[Any, Any, Any, Any], key: str, value: str) -> str:
    owner = request_context(request).get(key)
    own = "" if owner is None else str(owner)  # a middleware may set a number
    if own and value and own != value:
        raise Forbidden("Access denied")
    return own or value


def _read_query_context(request: ASGIConnection[Any, Any, Any, Any]) -> dict[str, Any]:
    text = request.query_params.get("requestContext", "")
    if not text:
        return {}
    try:
        raw = text.encode() if text.lstrip().startswith("{") else base64.b64decode(text + "==")
        return decode_json(raw, dict[str, Any])
    except ValueError:  # not base64, not text, or not a JSON object
        raise InvalidQuery("requestContext", "Expected JSON, or base64 of JSON") from None


def _is_reserved(key: str) -> bool:
    """Return whether other code trusts ``key``, so that only middleware may set it."""
    return key == "user" or key.startswith("mastra__")
