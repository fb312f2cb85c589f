"""Traces by OpenTelemetry: set up when a server starts, no cost where nobody asked.

Only a configured ``Telemetry`` loads the OpenTelemetry API, and only starting it loads the SDK
(the extra ``mastra-core[telemetry]``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

from mastra_core.errors import ConfigError

__all__ = ("Span", "Telemetry", "span")

_SAMPLERS = ("always_on", "always_off", "ratio", "parent_based")
_EXPORTERS = ("otlp", "console")
_active = False

Span = Any  # opentelemetry.trace.Span, or None where nothing is traced


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
        """Install the tracer provider, once a process.

        :raises ConfigError: when the extra ``telemetry`` is not installed.
        """
        global _active  # noqa: PLW0603  # one provider a process is OpenTelemetry's own rule
        if not self.enabled or _active or os.environ.get("OTEL_SDK_DISABLED", "") == "true":
            return
        try:
            provider = _provider(self)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"Telemetry needs {error.name!r}, which is not installed.",
                "Install the extra: pip install 'mastra-core[telemetry]'.",
            ) from None
        from opentelemetry import trace

        trace.set_tracer_provider(provider)
        _active = True

    def stop(self) -> None:
        """Send what is left, for at most five seconds, and shut the exporter down."""
        global _active  # noqa: PLW0603  # see start
        if not _active:
            return
        from opentelemetry import trace

        provider: Any = trace.get_tracer_provider()
        provider.force_flush(5_000)
        provider.shutdown()
        _active = False


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
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME") or settings.service_name
    provider = TracerProvider(
        resource=Resource.create({"service.name": name}),
        sampler=_sampler(settings.sampling),
        shutdown_on_exit=False,  # the server's lifespan stops it; at exit a dead collector blocks
    )
    provider.add_span_processor(BatchSpanProcessor(_exporter(settings.export)))
    return provider


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
