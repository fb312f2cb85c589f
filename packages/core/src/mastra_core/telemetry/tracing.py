"""Start and describe spans, at no cost where nothing is traced.

OpenTelemetry is imported when a ``Telemetry`` or a listener starts, not before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.telemetry.content import ContentSettings, encode_content
from mastra_core.telemetry.sampling import unsampled_headers

if TYPE_CHECKING:
    from mastra_core.telemetry.span_recorder import Recorder

__all__ = (
    "Span",
    "annotate",
    "build_model_headers",
    "enter_model_span",
    "extract_parent",
    "get_current_span",
    "get_recorder",
    "get_span_ids",
    "inject_context",
    "is_content_received",
    "is_recording",
    "open_span",
    "set_recorder",
    "start_request_span",
    "start_span",
)

Span = Any  # opentelemetry.trace.Span, or None where nothing is recorded
_Block = contextlib.AbstractContextManager[Any]
_NO_SPAN: _Block = contextlib.nullcontext()
_recorder: Recorder | None = None  # the only check on the hot path
_content: ContentSettings | None = None  # how to export inputs and outputs


def set_recorder(recorder: Recorder | None, content: ContentSettings | None = None) -> None:
    """Set the recorder of the spans of this process.

    :param recorder: the recorder; ``None`` to record nothing.
    :param content: how to export inputs and outputs; ``None`` to export neither.
    """
    global _recorder, _content  # read for every span; a look-up would cost more
    _recorder, _content = recorder, content


def get_recorder() -> Recorder | None:
    """Return the recorder of the spans of this process, or ``None``."""
    return _recorder


def is_recording() -> bool:
    """Return whether spans are recorded in this process."""
    return _recorder is not None


def is_content_received() -> bool:
    """Return whether a listener or the export gets the inputs and outputs of spans."""
    return _recorder is not None and (_content is not None or bool(_recorder.listeners))


def start_span(
    name: str,
    attributes: Mapping[str, Any] | None = None,
    *,
    kind: Any = None,
    context: Any = None,
    links: Sequence[Any] = (),
) -> _Block:
    """Start a span around a block; the span is ``None`` if it is not recorded.

    :param name: name of the span.
    :param attributes: attributes of the span.
    :param kind: ``"internal"`` (default), ``"server"``, ``"client"``, ``"producer"``,
        ``"consumer"``, or OpenTelemetry's ``SpanKind``.
    :param context: OpenTelemetry's context of the parent; the current context by default.
    :param links: OpenTelemetry's links to other spans.
    :returns: a context manager that yields the span.
    """
    if _recorder is None:
        return _NO_SPAN
    return _recorder.start(name, attributes, _get_kind(kind), context, links)


def start_request_span(name: str, headers: Sequence[tuple[bytes, bytes]]) -> _Block:
    """Start the span of a request to this process, as a child of the caller's span.

    The sampling decision of the request is made here, before a span or a context is created.

    :param name: name of the span.
    :param headers: the headers of the request, in lower case.
    :returns: a context manager that yields the span, or ``None`` if the request is not sampled.
    """
    return _NO_SPAN if _recorder is None else _recorder.start_request(name, headers)


@contextlib.contextmanager
def open_span(
    name: str,
    attributes: Mapping[str, Any],
    *,
    kind: Any = None,
    start_time: int | None = None,
    end_time: int | None = None,
) -> Iterator[Span]:
    """Open a span around a block in a generator, which other ``contextvars`` contexts may read.

    The span is not the current span of the block. An exception is recorded as the span's error.

    :param name: name of the span.
    :param attributes: attributes of the span.
    :param kind: the kind of the span, as for ``start_span``.
    :param start_time: nanoseconds since the epoch; now by default.
    :param end_time: nanoseconds since the epoch; by default the end of the block.
    """
    span = None
    if _recorder is not None:
        span = _recorder.open(name, attributes, _get_kind(kind), start_time)
    if span is None:
        yield None
        return
    try:
        yield span
    except Exception as error:
        from opentelemetry.trace import StatusCode

        kind_of_error = type(error).__name__
        span.set_attribute("error.type", kind_of_error)
        span.set_status(StatusCode.ERROR, kind_of_error)
        raise
    finally:
        span.end(end_time)


def extract_parent(headers: Mapping[str, str]) -> Any:
    """Return a caller's ``traceparent`` as the parent context for the request's span.

    The request's span gets the caller's trace id. Unless ``trust_callers`` is set, this process
    alone decides whether to sample the trace, so a caller can neither prevent nor force the export.

    :param headers: the headers of the request.
    :returns: OpenTelemetry's context; ``None`` if nothing is recorded.
    """
    return None if _recorder is None else _recorder.extract(headers)


def inject_context(headers: dict[str, str]) -> None:
    """Add the ids of the current span and the baggage to the headers of an outgoing request.

    Inside of a request that is not sampled, the caller's ``traceparent`` is passed on with a
    cleared sampling flag.

    :param headers: the headers of the outgoing request; the function adds to this mapping.
    """
    if _recorder is None:
        return
    from opentelemetry import propagate

    propagate.inject(headers)
    for name, value in unsampled_headers.get() or ():
        if name == b"traceparent" and "traceparent" not in headers:
            headers["traceparent"] = f"{value.decode('latin-1')[:53]}00"


def build_model_headers(span: Span, host: str) -> dict[str, str]:
    """Return the headers, such as ``traceparent``, for a request to the provider of a model.

    :param span: the span of the request, or ``None``.
    :param host: the host of the provider.
    """
    propagation = None if span is None or _recorder is None else _recorder.propagation
    return {} if propagation is None else propagation.build_headers(span, host)


def enter_model_span(span: Span, hosts: Sequence[str]) -> contextlib.AbstractContextManager[None]:
    """Make the span of a model request the current span, without baggage for unknown hosts.

    Some SDKs, and instrumentations of HTTP clients, add the ids of the current span and the baggage
    to their requests.

    :param span: the span of the request, or ``None``.
    :param hosts: the hosts that may get the request.
    """
    propagation = None if _recorder is None else _recorder.propagation
    if propagation is None:
        return contextlib.nullcontext()
    from opentelemetry import baggage

    hides_baggage = bool(baggage.get_all()) and not all(map(propagation.is_listed, hosts))
    if span is None and not hides_baggage:
        return contextlib.nullcontext()
    return _enter_model_span(span, hides_baggage=hides_baggage)


@contextlib.contextmanager
def _enter_model_span(span: Span, *, hides_baggage: bool) -> Iterator[None]:
    from opentelemetry import baggage, trace
    from opentelemetry.context import attach, detach

    context = None if span is None else trace.set_span_in_context(span)
    token = attach(baggage.clear(context) if hides_baggage or context is None else context)
    try:
        yield
    finally:
        detach(token)


def get_current_span() -> Span:
    """Return the recorded span that is current, or ``None``."""
    if _recorder is None or unsampled_headers.get() is not None:
        return None
    from opentelemetry import trace

    span = trace.get_current_span()
    return span if span.is_recording() else None


def annotate(
    span: Span, *, build_content: Callable[[], Mapping[str, Any]] | None = None, **attributes: Any
) -> None:
    """Pass attributes of a span to the listeners in this process.

    The input and the output are exported only with ``Telemetry(record_content=True)``.

    :param span: the span; if it is ``None``, the function does nothing.
    :param build_content: returns the ``input`` or ``output`` to export, if it differs from the
        value in ``attributes``.
    :param attributes: ``input``, ``output``, ``run``, ``thread``, ``resource``, and ``error`` as a
        message.
    """
    if span is None or _recorder is None:
        return
    for listener in _recorder.listeners:
        listener.on_annotate(span, attributes)
    if _content is None:
        return
    content = attributes if build_content is None else build_content()
    for name in ("input", "output"):
        if name in content:
            _add_content(span, name, content[name], _content)


def get_span_ids(span: Span) -> dict[str, str]:
    """Return the ids of a span as the fields of a response.

    :param span: the span, or ``None``.
    :returns: ``traceId`` and ``spanId`` in hexadecimal; empty for ``None``, and for a span that is
        invalid or not sampled.
    """
    context = span.get_span_context() if span is not None else None
    if context is None or not context.is_valid or not context.trace_flags.sampled:
        return {}
    return {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}


def _add_content(span: Span, name: str, value: Any, settings: ContentSettings) -> None:
    attribute = settings.get_attribute(span.attributes or {}, name)
    text = encode_content(value, settings.max_length).decode()
    content = getattr(span, "content", None)
    if isinstance(content, dict):  # not an attribute, because listeners get the value itself
        content[attribute] = text
    else:
        span.set_attribute(attribute, text)


def _get_kind(kind: Any) -> Any:
    from opentelemetry.trace import SpanKind

    if kind is None:
        return SpanKind.INTERNAL
    return SpanKind[kind.upper()] if isinstance(kind, str) else kind
