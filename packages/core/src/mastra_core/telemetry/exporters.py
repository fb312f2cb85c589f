"""Build the exporter of ended spans that the setting ``export`` describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import ConfigError
from mastra_core.logs.http_url import parse_http_url
from mastra_core.request_scope import is_request_scoped
from mastra_core.secret import Secret, reveal_all
from mastra_core.telemetry.export_counts import ExportCounts
from mastra_core.telemetry.otel_environment import (
    read_exporter,
    read_limit,
    read_otlp,
    read_protocol,
    read_queue,
)
from mastra_core.telemetry.otlp_encoding import SpanLimits
from mastra_core.telemetry.setting_keys import check_keys
from mastra_core.telemetry.span_queue import SpanQueue, SpanSender

__all__ = ("build_export", "check_export")

_EXPORTERS = ("otlp", "console", "file")
_KEYS = ("type", "endpoint", "headers", "path")


_VALUE_TYPES = {
    "endpoint": "str | None",
    "headers": "Mapping[str, str | Secret] | None",
    "path": "str | os.PathLike[str] | None",
}


def check_export(export: Any) -> None:
    """Check the setting ``export``.

    :param export: the setting.
    :raises ConfigError: for a value that is neither an exporter nor a mapping with a known type,
        known keys and values of the right type.
    """
    if _is_exporter(export):
        return
    kind = export.get("type") if isinstance(export, Mapping) else export
    if not isinstance(export, Mapping) or kind not in [*_EXPORTERS]:
        raise ConfigError(
            f"The telemetry export type {kind!r} does not exist.",
            f'Write export={{"type": ...}} with {", ".join(_EXPORTERS)}, or pass an exporter of '
            "OpenTelemetry's SDK.",
        )
    check_keys("export", export, _KEYS)
    check_types(export, _VALUE_TYPES)
    if export.get("endpoint"):
        parse_http_url(export["endpoint"], "Telemetry")
    for name, value in (export.get("headers") or {}).items():
        if not isinstance(value, str | Secret):
            raise ConfigError(
                f"The header {name!r} of the telemetry export has the type "
                f"{type(value).__name__!r}, which is not text.",
                "Pass text or a Secret.",
            )
    if kind == "file" and not export.get("path"):
        raise ConfigError(
            "The telemetry export to a file has no path.",
            'Write export={"type": "file", "path": "traces.jsonl"}.',
        )


def build_export(
    export: Any, counts: ExportCounts
) -> tuple[Callable[[Any], None] | None, SpanQueue | None]:
    """Return the function that receives each ended span, and the queue of spans.

    :param export: the setting.
    :param counts: counts the exported and lost spans of this process.
    :returns: the function and the queue; both are ``None`` if nothing is exported. The queue is
        also ``None`` where threads do not exist.
    :raises ConfigError: for an invalid variable of OpenTelemetry.
    """
    kind = read_exporter("object" if _is_exporter(export) else export["type"])
    if kind == "none":
        return None, None
    settings = export if isinstance(export, Mapping) else {}
    if is_request_scoped():
        return _build_request_export(kind, export, settings, counts), None
    queue = SpanQueue(_build_sender(kind, export, settings), counts, **read_queue())
    return queue.add, queue


def _is_exporter(value: Any) -> bool:
    return callable(getattr(value, "export", None)) and callable(getattr(value, "shutdown", None))


def _build_request_export(
    kind: str, export: Any, settings: Mapping[str, Any], counts: ExportCounts
) -> Callable[[Any], None]:
    if kind == "otlp":
        from mastra_core.telemetry.request_export import RequestSpans

        collector = read_otlp(settings.get("endpoint"), settings.get("headers"))
        return RequestSpans(collector, _read_limits(), counts).add
    exporter = export if kind == "object" else _build_console_exporter()
    from mastra_core.telemetry.sdk_sender import DirectExport, ExporterSender

    return DirectExport(ExporterSender(exporter), counts).add


def _build_sender(kind: str, export: Any, settings: Mapping[str, Any]) -> SpanSender:
    from mastra_core.telemetry.sdk_sender import ExporterSender, FileSender

    endpoint, headers = settings.get("endpoint"), settings.get("headers")
    match kind:
        case "object":
            return ExporterSender(export)
        case "console":
            return ExporterSender(_build_console_exporter())
        case "file":
            return FileSender(Path(settings["path"]), _read_limits())
    if read_protocol("http/protobuf") == "grpc":
        return ExporterSender(_build_grpc_exporter(endpoint, headers))
    from mastra_core.telemetry.otlp_sender import OtlpSender

    return OtlpSender(read_otlp(endpoint, headers), _read_limits())


def _read_limits() -> SpanLimits:
    return SpanLimits(
        attributes=read_limit(
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", default=128
        ),
        length=read_limit(
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            default=None,
        ),
        events=read_limit("OTEL_SPAN_EVENT_COUNT_LIMIT", default=128),
        links=read_limit("OTEL_SPAN_LINK_COUNT_LIMIT", default=128),
    )


def _build_console_exporter() -> Any:
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    return ConsoleSpanExporter()


def _build_grpc_exporter(endpoint: str | None, headers: Mapping[str, str | Secret] | None) -> Any:
    from importlib import import_module

    try:
        module = import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
    except ModuleNotFoundError:
        raise ConfigError(
            "OTLP over gRPC needs 'opentelemetry-exporter-otlp-proto-grpc'.",
            "Install the package, or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf.",
        ) from None
    return module.OTLPSpanExporter(
        endpoint=endpoint, headers=reveal_all(headers) if headers else None, timeout=5
    )
