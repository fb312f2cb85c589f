"""Record and export OpenTelemetry traces.

Spans are recorded only after a ``Telemetry`` was started or a listener was added. A ``Telemetry``
exports spans. A listener receives spans in this process. OpenTelemetry's SDK (the extra
``mastra-core[telemetry]``) is not loaded before.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from mastra_core.errors import ConfigError
from mastra_core.logger import get_logger
from mastra_core.request_scope import is_request_scoped
from mastra_core.telemetry.otel_environment import read_exporter, read_protocol, read_sampling

__all__ = (
    "Span",
    "SpanListener",
    "Telemetry",
    "add_listener",
    "annotate",
    "continue_trace",
    "extract_parent",
    "get_span_ids",
    "is_recording",
    "is_sdk_installed",
    "open_span",
    "remove_listener",
    "start_span",
)

_SAMPLERS = ("always_on", "always_off", "ratio", "parent_based")
_EXPORTERS = ("otlp", "console")
_is_recording = False  # whether any exporter or listener exists; the only check on the hot path

Span = Any  # opentelemetry.trace.Span, or None where nothing is recorded


class SpanListener(Protocol):
    """A receiver of the spans of this process; it is called in the thread of the span."""

    def on_start(self, span: Span) -> None:
        """Receive a span that started.

        :param span: the span.
        """

    def on_annotate(self, span: Span, attributes: Mapping[str, Any]) -> None:
        """Receive attributes of a span; these attributes are not exported.

        :param span: the span.
        :param attributes: the attributes, as ``annotate`` got them.
        """

    def on_end(self, span: Span) -> None:
        """Receive a span that ended.

        :param span: the span.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class Telemetry:
    """The export of the spans of requests, agents and workflows.

    :param service_name: ``service.name`` of the resource; ``OTEL_SERVICE_NAME`` overrides it.
    :param sampling: ``{"type": "always_on" | "always_off" | "ratio" | "parent_based"}``; the last
        two take ``"probability"`` (0 to 1), default 1. Only ``parent_based`` with
        ``"trust_callers": True`` follows the decision in a caller's ``traceparent``.
    :param export: ``{"type": "otlp", "endpoint": URL, "headers": {...}}`` sends OTLP over HTTP,
        where ``OTEL_EXPORTER_OTLP_*`` supplies missing values; ``{"type": "console"}`` prints.
        ``OTEL_TRACES_EXPORTER`` overrides the type, and ``OTEL_TRACES_SAMPLER`` the sampling.
    :param enabled: ``False`` keeps the settings and exports nothing.
    :raises ConfigError: for an unknown type or an invalid probability.
    """

    service_name: str = "mastra"
    sampling: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"type": "always_on"})
    export: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"type": "otlp"})
    enabled: bool = True

    def __post_init__(self) -> None:
        _check_type("sampling", self.sampling, _SAMPLERS)
        _check_type("export", self.export, _EXPORTERS)
        _parse_probability(self.sampling)

    def start(self) -> None:
        """Start to export spans, until every started ``Telemetry`` has been stopped.

        The first started ``Telemetry`` of a process determines the exporter.

        :raises ConfigError: when the extra ``telemetry`` is not installed.
        """
        if not self.enabled or _is_sdk_disabled():
            return
        if _process.exporter is None:
            with _require_package("Telemetry"):
                provider, exporter = _get_provider(self), _build_processor(self.export)
            if exporter is not None and _add_processor(provider, exporter):
                _process.exporter = exporter
        _process.senders[id(self)] = self
        _update_active()

    def stop(self) -> None:
        """Export the remaining spans for at most five seconds, and shut down the exporter."""
        started = _process.senders.pop(id(self), None)
        if started is None or _process.senders:
            return
        exporter, _process.exporter = _process.exporter, None
        if exporter is not None:
            exporter.force_flush(5_000)
            exporter.shutdown()
        _update_active()


class _Process:
    """The state that exists once in a process."""

    def __init__(self) -> None:
        self.exporter: Any = None
        self.senders: dict[int, Telemetry] = {}
        self.listeners: tuple[SpanListener, ...] = ()
        self.listened_provider: Any = None  # the provider whose spans the listeners receive
        self.trusts_callers = False  # whether a caller decides if its trace is sampled


_process = _Process()


def add_listener(listener: SpanListener, settings: Telemetry | None = None) -> None:
    """Start to pass every span of this process to ``listener``.

    Nothing is passed while the SDK is disabled (``OTEL_SDK_DISABLED``).

    :param listener: receives the spans.
    :param settings: service name and sampling, used where nothing was started yet.
    :raises ConfigError: when the extra ``telemetry`` is not installed.
    """
    if _is_sdk_disabled():
        return
    with _require_package("Keeping traces"):
        provider = _get_provider(settings or Telemetry())
        if _process.listened_provider is not provider:
            _add_processor(provider, _build_listener_processor())
            _process.listened_provider = provider
    _process.listeners = (*_process.listeners, listener)
    _update_active()


def remove_listener(listener: SpanListener) -> None:
    """Pass no more spans to ``listener``.

    :param listener: a listener that was added.
    """
    _process.listeners = tuple(each for each in _process.listeners if each is not listener)
    _update_active()


@contextlib.contextmanager
def start_span(
    name: str, attributes: Mapping[str, Any] | None = None, **options: Any
) -> Iterator[Span]:
    """Start a span around a block; yield ``None`` if spans are not recorded.

    :param name: name of the span.
    :param attributes: attributes of the span.
    :param options: passed to ``start_as_current_span`` (``kind``, ``context``).
    """
    if not _is_recording:
        yield None
        return
    from opentelemetry import trace

    tracer = trace.get_tracer("mastra")
    with tracer.start_as_current_span(name, attributes=attributes, **options) as current:
        yield current


@contextlib.contextmanager
def open_span(name: str, attributes: Mapping[str, Any]) -> Iterator[Span]:
    """Open a span around a block that may yield to a reader in another context.

    The span is not the current span of the block. An exception is recorded as the span's error.

    :param name: name of the span.
    :param attributes: attributes of the span.
    """
    from opentelemetry import trace

    current = trace.get_tracer("mastra").start_span(name, attributes=attributes)
    try:
        yield current
    except Exception as error:
        current.set_status(trace.StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        current.end()


def extract_parent(headers: Mapping[str, str]) -> Any:
    """Return a caller's ``traceparent`` as the parent context for the request's span.

    The caller chooses the trace id. This process decides whether to sample the trace, as for a
    trace of its own. A caller can therefore neither hide its trace nor force its export.

    :param headers: the headers of the request.
    :returns: OpenTelemetry's context.
    """
    from opentelemetry import propagate, trace

    context = propagate.extract(headers)
    caller = trace.get_current_span(context).get_span_context()
    if not caller.is_valid or _process.trusts_callers:
        return context
    sampled = trace.TraceFlags.SAMPLED if _is_sampled() else trace.TraceFlags.DEFAULT
    parent = trace.SpanContext(
        caller.trace_id, caller.span_id, True, trace.TraceFlags(sampled), caller.trace_state
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), context)


def continue_trace(ids: Mapping[str, str]) -> Any:
    """Return a span of an earlier time as the parent context for a span that continues it.

    :param ids: what ``get_span_ids`` returned for that span; empty for a new trace.
    :returns: OpenTelemetry's context, or ``None`` for the current one.
    """
    if not ids:
        return None
    from opentelemetry import trace

    trace_id, span_id = int(ids["traceId"], 16), int(ids["spanId"], 16)
    sampled = trace.TraceFlags.SAMPLED if _is_sampled(trace_id) else trace.TraceFlags.DEFAULT
    parent = trace.SpanContext(trace_id, span_id, False, trace.TraceFlags(sampled))
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))


def is_recording() -> bool:
    """Return whether spans are recorded in this process."""
    return _is_recording


def is_sdk_installed() -> bool:
    """Return whether OpenTelemetry's SDK is installed."""
    from importlib.util import find_spec

    return bool(find_spec("opentelemetry") and find_spec("opentelemetry.sdk"))


def annotate(span: Span, **attributes: Any) -> None:
    """Pass attributes of a span to the listeners of this process, without exporting them.

    :param span: the span.
    :param attributes: ``input``, ``output``, ``run``, ``thread``, ``resource``, and ``error`` as a
        message.
    """
    for listener in _process.listeners:
        listener.on_annotate(span, attributes)


def get_span_ids(span: Span) -> dict[str, str]:
    """Return the ids of a span in the form for callers.

    :param span: the span, or ``None``.
    :returns: ``traceId`` and ``spanId`` in hexadecimal; empty for ``None`` or an invalid span.
    """
    context = span.get_span_context() if span is not None else None
    if context is None or not context.is_valid:
        return {}
    return {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}


def _update_active() -> None:
    global _is_recording  # noqa: PLW0603  # read for every span; an attribute look-up would cost more
    _is_recording = bool(_process.senders or _process.listeners)


def _is_sampled(trace_id: int = 0) -> bool:
    """Return the sampling decision of the provider for a trace; for a new one by default."""
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import Decision

    provider: Any = trace.get_tracer_provider()
    provider = getattr(provider, "provider", provider)  # of a provider that wraps another
    if not isinstance(provider, TracerProvider):
        return True  # another library's provider decides by itself
    trace_id = trace_id or provider.id_generator.generate_trace_id()
    result = provider.sampler.should_sample(Context(), trace_id, "", trace.SpanKind.SERVER)
    return result.decision is Decision.RECORD_AND_SAMPLE


def _is_sdk_disabled() -> bool:
    return os.environ.get("OTEL_SDK_DISABLED", "") == "true"


@contextlib.contextmanager
def _require_package(what: str) -> Iterator[None]:
    """Raise ``ConfigError`` if the block imports a package that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{what} needs {error.name!r}, which is not installed.",
            "Install the extra: pip install 'mastra-core[telemetry]'.",
        ) from None


def _check_type(what: str, setting: Any, choices: tuple[str, ...]) -> None:
    value = setting.get("type") if isinstance(setting, Mapping) else setting
    if not isinstance(setting, Mapping) or value not in choices:
        raise ConfigError(
            f"The telemetry {what} type {value!r} does not exist.",
            f'Write {what}={{"type": ...}} with {", ".join(choices)}.',
        )


def _parse_probability(sampling: Mapping[str, Any]) -> float:
    value = sampling.get("probability", 1)
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{value!r} is not a sampling probability.", "Use a number from 0 to 1.")
    return float(value)


def _trusts_callers(sampling: Mapping[str, Any]) -> bool:
    return sampling["type"] == "parent_based" and sampling.get("trust_callers") is True


def _get_provider(settings: Telemetry) -> Any:
    """Return the SDK's provider of this process, and create it if necessary.

    OpenTelemetry allows one provider in a process and cannot remove it again. A provider that the
    application has set is used as it is.
    """
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    sampling = read_sampling(settings.sampling)
    _process.trusts_callers = _trusts_callers(sampling)
    current: Any = trace.get_tracer_provider()
    if not isinstance(current, trace.ProxyTracerProvider):  # the application has set one
        return current
    provider = TracerProvider(
        resource=_build_resource(os.environ.get("OTEL_SERVICE_NAME") or settings.service_name),
        sampler=_build_sampler(sampling),
        shutdown_on_exit=False,  # the server's lifespan stops it; an unreachable collector blocks
    )
    trace.set_tracer_provider(provider)
    return provider


def _build_resource(service_name: str) -> Any:
    if is_request_scoped():
        from mastra_core.telemetry.span_export import build_resource

        return build_resource(service_name)
    from opentelemetry.sdk.resources import Resource

    return Resource.create({"service.name": service_name})


def _add_processor(provider: Any, processor: Any) -> bool:
    """Pass the spans of a provider to a processor; return ``False`` if the provider cannot.

    The providers of some libraries, such as ddtrace, export spans by themselves only.
    """
    add = getattr(provider, "add_span_processor", None)
    if add is None:
        kind = type(provider)
        get_logger("mastra").warning(
            "spans go to the tracer provider %s.%s alone, because it accepts no span processor: "
            "Telemetry(export=...) and Server(traces=True) get none",
            kind.__module__,
            kind.__qualname__,
        )
        return False
    add(processor)
    return True


def _build_processor(export: Mapping[str, Any]) -> Any:
    """Build the processor that exports spans; ``None`` for no export."""
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    kind = read_exporter(export["type"])
    if kind == "none":
        return None
    if not is_request_scoped():
        return BatchSpanProcessor(_build_exporter(kind, export))
    if kind == "console":
        return SimpleSpanProcessor(_build_exporter(kind, export))
    from mastra_core.telemetry.span_export import RequestSpanProcessor

    return RequestSpanProcessor(_complete_endpoint(export), export.get("headers"))


def _build_listener_processor() -> Any:
    """Build a span processor that calls all listeners; a provider cannot remove a processor."""
    from opentelemetry.sdk.trace import SpanProcessor

    class ListenerProcessor(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002  # the SDK's signature
            for listener in _process.listeners:
                listener.on_start(span)

        def on_end(self, span: Any) -> None:
            for listener in _process.listeners:
                listener.on_end(span)

    return ListenerProcessor()


def _build_sampler(sampling: Mapping[str, Any]) -> Any:
    from opentelemetry.sdk.trace import sampling as sdk

    match sampling["type"]:
        case "always_off":
            return sdk.ALWAYS_OFF
        case "ratio" | "parent_based":  # spans follow their parent, whose trace id a caller chose
            return sdk.ParentBasedTraceIdRatio(_parse_probability(sampling))
        case _:
            return sdk.ALWAYS_ON


def _build_exporter(kind: str, export: Mapping[str, Any]) -> Any:
    if kind == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    endpoint = export.get("endpoint")
    headers = dict(export["headers"]) if export.get("headers") else None
    if read_protocol("http/protobuf") == "grpc":
        return _build_grpc_exporter(endpoint, headers)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=_complete_endpoint(export), headers=headers, timeout=5)


def _complete_endpoint(export: Mapping[str, Any]) -> str | None:
    """Return the configured endpoint with the path of traces."""
    endpoint: str | None = export.get("endpoint")
    if endpoint and not endpoint.rstrip("/").endswith("/v1/traces"):
        return endpoint.rstrip("/") + "/v1/traces"
    return endpoint


def _build_grpc_exporter(endpoint: str | None, headers: dict[str, str] | None) -> Any:
    from importlib import import_module

    try:
        module = import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
    except ModuleNotFoundError:
        raise ConfigError(
            "OTLP over gRPC needs 'opentelemetry-exporter-otlp-proto-grpc'.",
            "Install that package, or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf.",
        ) from None
    return module.OTLPSpanExporter(endpoint=endpoint, headers=headers, timeout=5)
