"""Store the trace and the baggage of a run, and continue them later or in another process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from mastra_core.telemetry.tracing import get_current_span, get_recorder, get_span_ids

__all__ = ("continue_trace", "leave_request", "link_trace", "restore_baggage", "save_context")

_BAGGAGE = "baggage"  # a header, and the key of the stored text
_MAX_BAGGAGE = 8192  # bytes, as the specification of the header has it


def save_context(earlier: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the ids of the current span and the baggage, in a form that can be stored.

    :param earlier: the result of an earlier call, whose baggage is kept.
    """
    if get_recorder() is None:
        return {}
    from opentelemetry.baggage.propagation import W3CBaggagePropagator

    carrier = get_span_ids(get_current_span())
    headers: dict[str, str] = {}
    with restore_baggage(earlier or {}):
        W3CBaggagePropagator().inject(headers)
    if 0 < len(headers.get(_BAGGAGE, "")) <= _MAX_BAGGAGE:
        carrier |= headers
    return carrier


def continue_trace(carrier: Mapping[str, str]) -> Any:
    """Return the context of an earlier span, for a new span that continues the same trace.

    :param carrier: what ``save_context`` or ``get_span_ids`` has returned; empty for a new trace.
    :returns: OpenTelemetry's context, or ``None`` for the current one.
    """
    if "traceId" not in carrier or get_recorder() is None:
        return None
    from opentelemetry import trace

    trace_id, span_id = int(carrier["traceId"], 16), int(carrier["spanId"], 16)
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)  # only a sampled span has ids
    parent = trace.SpanContext(trace_id, span_id, True, flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))


def link_trace(carrier: Mapping[str, str]) -> tuple[Any, ...]:
    """Return a link from a new span to a related earlier span.

    :param carrier: what ``save_context`` or ``get_span_ids`` has returned; empty for no link.
    :returns: OpenTelemetry's link in a tuple; empty for no link.
    """
    if "traceId" not in carrier or get_recorder() is None:
        return ()
    from opentelemetry.trace import Link
    from opentelemetry.trace import get_current_span as get_span

    return (Link(get_span(continue_trace(carrier)).get_span_context()),)


def restore_baggage(carrier: Mapping[str, str]) -> contextlib.AbstractContextManager[None]:
    """Restore the baggage of an earlier request within a block.

    If the present request has an entry with the same name, that entry wins.

    :param carrier: what ``save_context`` has returned.
    """
    if _BAGGAGE not in carrier or get_recorder() is None:
        return contextlib.nullcontext()
    return _attach_baggage(carrier[_BAGGAGE])


@contextlib.contextmanager
def leave_request() -> Iterator[None]:
    """Detach the request's span and baggage within a block, which starts runs of other callers."""
    if get_recorder() is None:
        yield
        return
    from opentelemetry.context import Context, attach, detach

    token = attach(Context())
    try:
        yield
    finally:
        detach(token)


@contextlib.contextmanager
def _attach_baggage(text: str) -> Iterator[None]:
    from opentelemetry import baggage
    from opentelemetry.baggage.propagation import W3CBaggagePropagator
    from opentelemetry.context import attach, detach

    present = baggage.get_all()
    context = W3CBaggagePropagator().extract({_BAGGAGE: text})
    for name, value in present.items():
        context = baggage.set_baggage(name, value, context)
    token = attach(context)
    try:
        yield
    finally:
        detach(token)
