"""Traces by OpenTelemetry: set up when a server starts, no cost where nobody asked.

Spans are made where a ``Telemetry`` was started, which sends them, or where somebody in the process
keeps them. Only that loads OpenTelemetry's SDK (the extra ``mastra-core[telemetry]``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from mastra_core.errors import ConfigError

__all__ = (
    "Keeper",
    "Span",
    "Telemetry",
    "active",
    "ids_of",
    "installed",
    "keep",
    "note",
    "release",
    "span",
)

_SAMPLERS = ("always_on", "always_off", "ratio", "parent_based")
_EXPORTERS = ("otlp", "console")
_active = False  # somebody sends or keeps spans: all that is asked where nobody does

Span = Any  # opentelemetry.trace.Span, or None where nothing is traced


class Keeper(Protocol):
    """Sees the spans of this process, in whatever thread they begin and end."""

    def began(self, span: Span) -> None:
        """A span began."""

    def noted(self, span: Span, facts: Mapping[str, Any]) -> None:
        """Somebody said of a span what is not sent anywhere."""

    def ended(self, span: Span) -> None:
        """A span ended."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Telemetry:
    """Where the spans of requests, agents and workflows go.

    :param service_name: ``service.name`` of the resource; ``OTEL_SERVICE_NAME`` overrides it.
    :param sampling: ``{"type": "always_on" | "always_off" | "ratio" | "parent_based"}``; the
        last two take ``"probability"`` (0 to 1), default 1.
    :param export: ``{"type": "otlp", "endpoint": URL, "headers": {...}}`` sends OTLP over HTTP,
        where ``OTEL_EXPORTER_OTLP_*`` fills what is not given; ``{"type": "console"}`` prints.
    :param enabled: ``False`` keeps the settings and sends nothing.
    :raises ConfigError: for a type or probability that does not exist.
    """

    service_name: str = "mastra"
    sampling: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"type": "always_on"})
    export: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"type": "otlp"})
    enabled: bool = True

    def __post_init__(self) -> None:
        _known("sampling", self.sampling, _SAMPLERS)
        _known("export", self.export, _EXPORTERS)
        _probability(self.sampling)

    def start(self) -> None:
        """Send spans from now on, until every ``Telemetry`` that was started has been stopped.

        The first of a process settles where they go.

        :raises ConfigError: when the extra ``telemetry`` is not installed.
        """
        if not self.enabled or _switched_off():
            return
        if _process.exporter is None:
            with _named("Telemetry"):
                provider, exporter = _provider(self), _batches(self.export)
            provider.add_span_processor(exporter)
            _process.exporter = exporter
        _process.senders[id(self)] = self
        _settle()

    def stop(self) -> None:
        """Send what is left, for at most five seconds, and shut the exporter down."""
        started = _process.senders.pop(id(self), None)
        if started is None or _process.senders:
            return
        exporter, _process.exporter = _process.exporter, None
        exporter.force_flush(5_000)
        exporter.shutdown()
        _settle()


class _Process:
    """What there is one of in a process."""

    def __init__(self) -> None:
        self.exporter: Any = None
        self.senders: dict[int, Telemetry] = {}
        self.keepers: tuple[Keeper, ...] = ()
        self.watched: Any = None  # the provider whose spans the keepers see


_process = _Process()


def keep(keeper: Keeper, settings: Telemetry | None = None) -> None:
    """Show ``keeper`` every span of this process from now on; with the SDK switched off, none.

    :param settings: where nothing was started yet, its name and sampling are used.
    :raises ConfigError: when the extra ``telemetry`` is not installed.
    """
    if _switched_off():
        return
    with _named("Keeping traces"):
        provider = _provider(settings or Telemetry())
        if _process.watched is not provider:
            provider.add_span_processor(_watch())
            _process.watched = provider
    _process.keepers = (*_process.keepers, keeper)
    _settle()


def release(keeper: Keeper) -> None:
    """Show ``keeper`` nothing more."""
    _process.keepers = tuple(each for each in _process.keepers if each is not keeper)
    _settle()


@contextlib.contextmanager
def span(name: str, attributes: Mapping[str, Any] | None = None, **options: Any) -> Iterator[Span]:
    """A span around a block; ``None`` where no telemetry was started.

    :param options: passed to ``start_as_current_span`` (``kind``, ``context``).
    """
    if not _active:
        yield None
        return
    from opentelemetry import trace

    tracer = trace.get_tracer("mastra")
    with tracer.start_as_current_span(name, attributes=attributes, **options) as current:
        yield current


def active() -> bool:
    """Whether spans are recorded in this process."""
    return _active


def installed() -> bool:
    """Whether the SDK is, which keeping and sending need."""
    from importlib.util import find_spec

    return bool(find_spec("opentelemetry") and find_spec("opentelemetry.sdk"))


def note(span: Span, **facts: Any) -> None:
    """Say of ``span`` what only those who keep it in this process may see; it is sent nowhere.

    :param facts: ``input``, ``output``, ``run``, ``thread``, ``resource``; an ``error`` in words.
    """
    for keeper in _process.keepers:
        keeper.noted(span, facts)


def ids_of(span: Span) -> dict[str, str]:
    """``traceId`` and ``spanId``; nothing of a span that is none."""
    context = span.get_span_context() if span is not None else None
    if context is None or not context.is_valid:
        return {}
    return {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}


def _settle() -> None:
    global _active  # noqa: PLW0603  # read by every span; an attribute's look-up would cost each
    _active = bool(_process.senders or _process.keepers)


def _switched_off() -> bool:
    return os.environ.get("OTEL_SDK_DISABLED", "") == "true"


@contextlib.contextmanager
def _named(what: str) -> Iterator[None]:
    """What is not installed, in words."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{what} needs {error.name!r}, which is not installed.",
            "Install the extra: pip install 'mastra-core[telemetry]'.",
        ) from None


def _known(what: str, setting: Any, allowed: tuple[str, ...]) -> None:
    value = setting.get("type") if isinstance(setting, Mapping) else setting
    if not isinstance(setting, Mapping) or value not in allowed:
        raise ConfigError(
            f"The telemetry {what} type {value!r} does not exist.",
            f'Write {what}={{"type": ...}} with {", ".join(allowed)}.',
        )


def _probability(sampling: Mapping[str, Any]) -> float:
    value = sampling.get("probability", 1)
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(
            f"The telemetry sampling probability is {value!r}.", "Use a number from 0 to 1."
        )
    return float(value)


def _provider(settings: Telemetry) -> Any:
    """The provider of the process, which OpenTelemetry allows one of, and which is never taken
    back: another's, where it is of the SDK, or one that is made now.
    """
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    found: Any = trace.get_tracer_provider()
    if isinstance(found, TracerProvider):
        return found
    name = os.environ.get("OTEL_SERVICE_NAME") or settings.service_name
    made = TracerProvider(
        resource=Resource.create({"service.name": name}),
        sampler=_sampler(settings.sampling),
        shutdown_on_exit=False,  # the server's lifespan stops it; at exit a dead collector blocks
    )
    trace.set_tracer_provider(made)
    return made


def _batches(export: Mapping[str, Any]) -> Any:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(_exporter(export))


def _watch() -> Any:
    """What tells the keepers; one a provider, which lets go of none."""
    from opentelemetry.sdk.trace import SpanProcessor

    class Watch(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002  # the SDK's
            for keeper in _process.keepers:
                keeper.began(span)

        def on_end(self, span: Any) -> None:
            for keeper in _process.keepers:
                keeper.ended(span)

    return Watch()


def _sampler(sampling: Mapping[str, Any]) -> Any:
    from opentelemetry.sdk.trace import sampling as sdk

    match sampling["type"]:
        case "always_off":
            return sdk.ALWAYS_OFF
        case "ratio":
            return sdk.TraceIdRatioBased(_probability(sampling))
        case "parent_based":
            return sdk.ParentBasedTraceIdRatio(_probability(sampling))
        case _:
            return sdk.ALWAYS_ON


def _exporter(export: Mapping[str, Any]) -> Any:
    if export["type"] == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    endpoint = export.get("endpoint")
    if endpoint and not endpoint.rstrip("/").endswith("/v1/traces"):
        endpoint = endpoint.rstrip("/") + "/v1/traces"
    headers = dict(export["headers"]) if export.get("headers") else None
    return OTLPSpanExporter(endpoint=endpoint, headers=headers, timeout=5)
