"""Trace requests that this process sends."""

from __future__ import annotations

import contextlib

from mastra_core.telemetry.tracing import Span, get_current_span, start_span

__all__ = ("record_status", "start_client_span")

_FIRST_ERROR = 400


def start_client_span(method: str, url: str) -> contextlib.AbstractContextManager[Span]:
    """Start a span for an outgoing request, if a span of a received request or a run is active.

    The span has only the host and the port of the URL, because the rest may contain credentials.

    :param method: the HTTP method.
    :param url: the URL.
    :returns: a context manager that yields the span, or ``None`` if nothing is traced.
    """
    if get_current_span() is None:
        return contextlib.nullcontext()
    from urllib.parse import urlsplit

    attributes: dict[str, str | int] = {"http.request.method": method}
    with contextlib.suppress(ValueError):  # an invalid URL; the request itself reports it
        parts = urlsplit(url)
        attributes["server.address"] = parts.hostname or ""
        attributes["server.port"] = parts.port or (443 if parts.scheme == "https" else 80)
    return start_span(method, attributes, kind="client")


def record_status(span: Span, status: int) -> None:
    """Record the status of the response.

    :param span: the span of the request; ``None`` if nothing is traced.
    :param status: the HTTP status.
    """
    if span is None:
        return
    span.set_attribute("http.response.status_code", status)
    if status >= _FIRST_ERROR:
        from opentelemetry.trace import StatusCode

        span.set_attribute("error.type", str(status))
        span.set_status(StatusCode.ERROR)
