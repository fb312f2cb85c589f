"""Send spans to an exporter of OpenTelemetry's SDK, or write spans as lines of OTLP JSON."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_core.logger import get_logger
from mastra_core.override import override
from mastra_core.redaction import safe_message
from mastra_core.telemetry.export_counts import ExportCounts
from mastra_core.telemetry.light_span import LightSpan
from mastra_core.telemetry.otlp_encoding import SpanLimits, encode_spans
from mastra_core.telemetry.span_queue import ExportFailure, SpanSender

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ("DirectExport", "ExporterSender", "FileSender", "to_readable_span")

_IDS = ("traceId", "spanId", "parentSpanId")


class ExporterSender(SpanSender):
    """Passes batches to an exporter of OpenTelemetry's SDK.

    :param exporter: the exporter.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    @override
    def send(self, spans: Sequence[Any], stopping: threading.Event, deadline: float) -> None:
        result = self._exporter.export([to_readable_span(span) for span in spans])
        if getattr(result, "name", "SUCCESS") != "SUCCESS":
            raise ExportFailure(f"{type(self._exporter).__name__} reports a failure")

    @override
    def close(self) -> None:
        self._exporter.shutdown()


class DirectExport:
    """Exports each span when it ends, on platforms without threads.

    :param sender: the destination of the spans.
    :param counts: counts the exported and lost spans.
    """

    def __init__(self, sender: ExporterSender, counts: ExportCounts) -> None:
        self._sender = sender
        self._counts = counts

    def add(self, span: Any) -> None:
        """Export an ended span; a failure is logged, and not raised in the traced code.

        :param span: the span.
        """
        try:
            self._sender.send([span], threading.Event(), 0)
        except Exception as error:  # noqa: BLE001  # an exporter of the user may raise anything
            self._counts.add("dropped", 1)
            get_logger("mastra.telemetry").warning(
                "spans are lost: %s", safe_message(error), extra={"lost_spans": 1}
            )
        else:
            self._counts.add("exported", 1)


class FileSender(SpanSender):
    """Appends each batch to a file as one line of OTLP JSON, which collectors can read.

    :param path: path of the file; missing directories are created.
    :param limits: the limits of each span.
    """

    def __init__(self, path: Path, limits: SpanLimits) -> None:
        self._path = path.absolute()  # the working directory may change
        self._limits = limits

    @override
    def send(self, spans: Sequence[Any], stopping: threading.Event, deadline: float) -> None:
        failures: list[Any] = []
        line = json.dumps(_convert_to_json(encode_spans(spans, self._limits, failures))) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(
                self._path, "a", encoding="utf-8", opener=_open_privately
            ) as file:  # pathlib has no opener
                file.write(line)
        except OSError as error:
            raise ExportFailure(f"{str(self._path)!r}: {error.strerror}") from None
        if failures:
            raise ExportFailure("some of their values cannot be encoded", len(failures))

    @override
    def close(self) -> None:
        pass  # the file is open only while a line is written


def _open_privately(path: str, flags: int) -> int:
    """Open a file for its owner and group only, because spans may contain private data."""
    return os.open(path, flags, 0o640)


def to_readable_span(span: Any) -> ReadableSpan:
    """Convert a span to a span of OpenTelemetry's SDK.

    :param span: a ``LightSpan``, or a span of the SDK, which is returned as it is.
    """
    if not isinstance(span, LightSpan):
        return span  # type: ignore[no-any-return]  # spans of the SDK are readable
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={**span.attributes, **span.content},
        events=[Event(each.name, each.attributes, each.timestamp) for each in span.events],
        links=span.links,
        kind=span.kind,
        instrumentation_scope=InstrumentationScope("mastra"),
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _convert_to_json(body: bytes) -> Any:
    """Convert an OTLP request to OTLP JSON, where ids are hexadecimal."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
    )

    message = ExportTraceServiceRequest.FromString(body)
    return _convert_ids(MessageToDict(message, use_integers_for_enums=True))


def _convert_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_convert_ids(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: base64.b64decode(each).hex() if key in _IDS else _convert_ids(each)
        for key, each in value.items()
    }
