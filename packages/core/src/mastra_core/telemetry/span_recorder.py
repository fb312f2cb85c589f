"""Start spans, and pass them to the listeners and exporters of the process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from mastra_core.telemetry.light_span import LightSpan, record_error
from mastra_core.telemetry.sampling import Sampling, unsampled_headers

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from mastra_core.telemetry.propagation import Propagation
    from mastra_core.telemetry.span_listener import SpanListener

__all__ = ("Recorder",)

Headers = Sequence[tuple[bytes, bytes]]
_Block = contextlib.AbstractContextManager[Any]
_NO_SPAN: _Block = contextlib.nullcontext()
_BAGGAGE = b"baggage"


class Recorder:
    """Starts spans of this process.

    :param resource: the OpenTelemetry resource of the process.
    :param sampling: which requests and runs are traced.
    :param tracer: the tracer that creates the spans, if the application has a tracer provider of
        its own; by default, spans are ``LightSpan`` objects.
    """

    def __init__(self, resource: Resource, sampling: Sampling, tracer: Any = None) -> None:
        self.resource = resource
        self.sampling = sampling
        self.tracer = tracer
        self.listeners: tuple[SpanListener, ...] = ()
        self.exporter: Callable[[Any], None] | None = None  # receives ended spans
        self.propagation: Propagation | None = None  # to the providers of models
        fields = propagate.get_global_textmap().fields
        self._caller_headers = frozenset(name.lower().encode() for name in fields)

    def start(
        self,
        name: str,
        attributes: Mapping[str, Any] | None,
        kind: SpanKind,
        context: Context | None = None,
        links: Sequence[Link] = (),
    ) -> _Block:
        """Return a context manager whose span is the current span within its block.

        :param name: the name of the span.
        :param attributes: the attributes of the span.
        :param kind: the kind of the span.
        :param context: the context of the parent span; the current context by default.
        :param links: links to other related spans.
        """
        if self.tracer is not None:
            return _enter_foreign_span(
                self.tracer.start_as_current_span(
                    name,
                    context=context,
                    kind=kind,
                    attributes=attributes,
                    links=links or None,
                    record_exception=False,
                    set_status_on_exception=False,
                )
            )
        if context is None and unsampled_headers.get() is not None:
            return _NO_SPAN
        is_sampled, parent = self._find_parent(context)
        if not is_sampled:
            return _UnsampledBlock(())
        return _SpanBlock(self._create(name, attributes, kind, parent, links), context)

    def open(
        self,
        name: str,
        attributes: Mapping[str, Any] | None,
        kind: SpanKind,
        start_time: int | None = None,
    ) -> Any:
        """Return a span that does not become the current span, and that the caller must end.

        :param name: the name of the span.
        :param attributes: the attributes of the span.
        :param kind: the kind of the span.
        :param start_time: nanoseconds since the epoch; now by default.
        :returns: the span, or ``None`` if it is not sampled.
        """
        if self.tracer is not None:
            return self.tracer.start_span(
                name, kind=kind, attributes=attributes, start_time=start_time
            )
        if unsampled_headers.get() is not None:
            return None
        is_sampled, parent = self._find_parent(None)
        if not is_sampled:
            return None
        return self._create(name, attributes, kind, parent, (), start_time)

    def start_request(self, name: str, headers: Headers) -> _Block:
        """Return a context manager for the span of a request.

        The span is ``None`` if the request is not sampled, or if a library has already opened a
        span for the request.

        :param name: the name of the span.
        :param headers: the headers of the request.
        """
        outer = trace.get_current_span()
        if getattr(outer, "kind", None) is SpanKind.SERVER and outer.is_recording():
            return _NO_SPAN
        if self.tracer is not None:
            caller = self.extract(_decode_headers(headers))
            return self.start(name, {}, SpanKind.SERVER, caller)
        sampling = self.sampling
        if not sampling.trusts_callers:
            if not sampling.decide():
                return _UnsampledBlock(headers)
            context, parent = self._read_caller(headers)
        else:
            context, parent = self._read_caller(headers)
            sampled = sampling.decide() if parent is None else parent.trace_flags.sampled
            if not sampled:
                return _UnsampledBlock(headers)
        return _SpanBlock(self._create(name, None, SpanKind.SERVER, parent, ()), context)

    def extract(self, headers: Mapping[str, str]) -> Context:
        """Return a caller's span as a parent context, with the sampling decision of this process.

        :param headers: the headers of the caller's request.
        """
        context = propagate.extract(headers)
        caller = trace.get_current_span(context).get_span_context()
        if not caller.is_valid or self.sampling.trusts_callers:
            return context
        flags = TraceFlags.SAMPLED if self.sampling.decide() else TraceFlags.DEFAULT
        state = caller.trace_state
        parent = SpanContext(caller.trace_id, caller.span_id, True, TraceFlags(flags), state)
        return trace.set_span_in_context(NonRecordingSpan(parent), context)

    def finish(self, span: Any) -> None:
        """Pass an ended span to the listeners and the exporter.

        :param span: the span.
        """
        for listener in self.listeners:
            listener.on_end(span)
        if self.exporter is not None:
            self.exporter(span)

    def _read_caller(self, headers: Headers) -> tuple[Context | None, SpanContext | None]:
        """Return the context and the span in a caller's headers; ``None`` for each missing one."""
        if not any(name in self._caller_headers for name, _ in headers):
            return None, None
        context = propagate.extract(_decode_headers(headers))
        caller = trace.get_current_span(context).get_span_context()
        return context, caller if caller.is_valid else None

    def _find_parent(self, context: Context | None) -> tuple[bool, LightSpan | SpanContext | None]:
        """Return whether to sample a new span, and the parent of the span."""
        parent = trace.get_current_span(context)
        if isinstance(parent, LightSpan):
            return True, parent
        ids = parent.get_span_context()
        if not ids.is_valid:
            return self.sampling.decide(), None
        return self.sampling.decide_for_parent(ids.trace_flags.sampled), ids

    def _create(
        self,
        name: str,
        attributes: Mapping[str, Any] | None,
        kind: SpanKind,
        parent: LightSpan | SpanContext | None,
        links: Sequence[Link],
        start_time: int | None = None,
    ) -> LightSpan:
        own = dict(attributes) if attributes else {}
        span = LightSpan(name, kind, parent, own, links, self.resource, self.finish)
        if start_time is not None:
            span.start_time = start_time
        for listener in self.listeners:
            listener.on_start(span)
        return span


@contextlib.contextmanager
def _enter_foreign_span(block: _Block) -> Iterator[Any]:
    """Enter a span of the application's tracer; an exception is recorded without credentials."""
    with block as span:
        try:
            yield span
        except Exception as error:
            if span.is_recording():
                record_error(span, error)
            raise


class _SpanBlock:
    """A context manager whose span is current; an exception in its block is recorded."""

    __slots__ = ("_context", "_mark", "_span", "_token")

    def __init__(self, span: LightSpan, context: Context | None) -> None:
        self._span = span
        self._context = context

    def __enter__(self) -> LightSpan:
        self._mark = unsampled_headers.set(None)
        self._token = attach(trace.set_span_in_context(self._span, self._context))
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace_back: TracebackType | None,
    ) -> None:
        detach(self._token)
        _reset_mark(self._mark)
        if isinstance(error, Exception):
            self._span.fail(error)
        self._span.end()


class _UnsampledBlock:
    """A context manager without a span; no span is started within its block."""

    __slots__ = ("_headers", "_mark", "_token")

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def __enter__(self) -> None:
        self._mark = unsampled_headers.set(self._headers)
        self._token = None
        if any(name == _BAGGAGE for name, _ in self._headers):
            self._token = attach(_read_baggage(self._headers))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace_back: TracebackType | None,
    ) -> None:
        if self._token is not None:
            detach(self._token)
        _reset_mark(self._mark)


def _reset_mark(mark: Token[Headers | None]) -> None:
    """Reset ``unsampled_headers``, unless a generator was closed in another context."""
    with contextlib.suppress(ValueError):
        unsampled_headers.reset(mark)


def _read_baggage(headers: Headers) -> Context:
    from opentelemetry.baggage.propagation import W3CBaggagePropagator

    return W3CBaggagePropagator().extract(_decode_headers(headers))


def _decode_headers(headers: Headers) -> dict[str, str]:
    """Decode headers; several headers with one name become a list, as in HTTP."""
    decoded: dict[str, str] = {}
    for name_bytes, value_bytes in headers:
        name, value = name_bytes.decode("latin-1"), value_bytes.decode("latin-1")
        decoded[name] = f"{decoded[name]},{value}" if name in decoded else value
    return decoded
