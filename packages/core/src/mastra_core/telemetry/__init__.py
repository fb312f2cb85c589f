"""Record and export OpenTelemetry traces."""

from mastra_core.telemetry.export_counts import ExportCounts
from mastra_core.telemetry.span_listener import SpanListener
from mastra_core.telemetry.stored_context import (
    continue_trace,
    leave_request,
    link_trace,
    restore_baggage,
    save_context,
)
from mastra_core.telemetry.telemetry import (
    Telemetry,
    add_listener,
    flush_spans,
    get_export_counts,
    is_sdk_installed,
    remove_listener,
)
from mastra_core.telemetry.tracing import (
    Span,
    annotate,
    build_model_headers,
    enter_model_span,
    extract_parent,
    get_current_span,
    get_span_ids,
    inject_context,
    is_content_received,
    is_recording,
    open_span,
    start_request_span,
    start_span,
)

__all__ = (
    "ExportCounts",
    "Span",
    "SpanListener",
    "Telemetry",
    "add_listener",
    "annotate",
    "build_model_headers",
    "continue_trace",
    "enter_model_span",
    "extract_parent",
    "flush_spans",
    "get_current_span",
    "get_export_counts",
    "get_span_ids",
    "inject_context",
    "is_content_received",
    "is_recording",
    "is_sdk_installed",
    "leave_request",
    "link_trace",
    "open_span",
    "remove_listener",
    "restore_baggage",
    "save_context",
    "start_request_span",
    "start_span",
)
