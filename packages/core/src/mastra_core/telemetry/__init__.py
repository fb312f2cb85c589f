"""Record and export OpenTelemetry traces."""

from mastra_core.telemetry.telemetry import (
    Span,
    SpanListener,
    Telemetry,
    add_listener,
    annotate,
    continue_trace,
    extract_parent,
    get_span_ids,
    is_recording,
    is_sdk_installed,
    open_span,
    remove_listener,
    start_span,
)

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
