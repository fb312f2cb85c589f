"""Export log lines by OTLP, with OpenTelemetry's SDK."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import ConfigError
from mastra_core.logs.http_session import build_session
from mastra_core.logs.http_url import parse_http_url
from mastra_core.logs.log_records import copy_record, read_extra_fields
from mastra_core.logs.transport import LogTransport
from mastra_core.secret import Secret, reveal_all
from mastra_core.worker_thread import run_for

__all__ = ("OtlpTransport",)

_SKIPPED = ("opentelemetry", "urllib3")  # loggers of the exporter itself
_CLOSE_TIMEOUT = 1.5  # seconds
_NANOSECONDS = 1_000_000_000


class OtlpTransport(LogTransport):
    """Exports lines by OTLP over HTTP; ``OTEL_*`` variables set defaults of the arguments.

    The transport needs the extra ``mastra-core[telemetry]``.

    :param endpoint: the base URL of the collector, without a path like ``/v1/logs``.
    :param headers: headers for the collector; a value may be a ``Secret``.
    :param service_name: ``service.name`` of the resource; ``OTEL_SERVICE_NAME`` and
        ``OTEL_RESOURCE_ATTRIBUTES`` override it.
    :param level: records below this level of ``logging`` are not exported.
    :raises ConfigError: for an endpoint that is not a URL, or an argument of the wrong type.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        headers: Mapping[str, str | Secret] | None = None,
        service_name: str = "mastra",
        level: int = 0,
    ) -> None:
        super().__init__()
        check_types(locals(), OtlpTransport.__init__.__annotations__)
        if endpoint:
            parse_http_url(endpoint, "OtlpTransport")
        self._endpoint = endpoint
        self._headers = headers
        self._service_name = service_name
        self.level = level
        self._provider: Any = None
        self._close_by = math.inf  # on the monotonic clock; set when the logger stops

    def format(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return a copy of a log record, including the ids of the current trace.

        :param record: the log record.
        """
        return copy_record(record)

    def write(self, lines: Sequence[logging.LogRecord]) -> None:
        """Pass records to OpenTelemetry's exporter, which sends them in another thread.

        :param lines: the records.
        :raises ConfigError: when the extra ``telemetry`` is not installed.
        """
        if self._provider is None:
            self._provider = self._build_provider()
        for record in lines:
            if not record.name.startswith(_SKIPPED):
                self._provider.get_logger(record.name).emit(_convert_record(record))

    def begin_close(self, close_by: float) -> None:
        """Export the waiting records now, in a thread.

        :param close_by: the time of the monotonic clock at which ``close`` gives up.
        """
        self._close_by = close_by
        if self._provider is not None:
            run_for(0, self._provider.force_flush)

    def close(self) -> None:
        """Export the waiting records, for at most 1.5 seconds."""
        provider, self._provider = self._provider, None
        close_by, self._close_by = self._close_by, math.inf
        if provider is not None:
            seconds = min(_CLOSE_TIMEOUT, close_by - time.monotonic())
            run_for(max(0.0, seconds), provider.shutdown)

    def _build_provider(self) -> Any:
        try:
            from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
            from opentelemetry.sdk._logs import LoggerProvider
            from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

            from mastra_core.otel_resource import build_resource
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"Exporting logs needs {error.name!r}, which is not installed.",
                "Install the extra: pip install 'mastra-core[telemetry]'.",
            ) from None
        provider = LoggerProvider(build_resource(self._service_name), shutdown_on_exit=False)
        url = f"{self._endpoint.rstrip('/')}/v1/logs" if self._endpoint else None
        headers = reveal_all(self._headers) if self._headers else None
        exporter = OTLPLogExporter(endpoint=url, headers=headers, session=build_session())
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        return provider


def _convert_record(record: logging.LogRecord) -> Any:
    from opentelemetry._logs import LogRecord, SeverityNumber

    fields = dict(read_extra_fields(record))
    ids = fields.pop("trace_id", ""), fields.pop("span_id", "")
    if record.exc_text:
        fields["exception.stacktrace"] = record.exc_text
    return LogRecord(
        timestamp=int(record.created * _NANOSECONDS),
        context=_build_context(*ids),
        severity_text="WARN" if record.levelno == logging.WARNING else record.levelname,
        severity_number=SeverityNumber(_convert_level(record.levelno)),
        body=record.getMessage(),
        attributes={name: _convert_value(value) for name, value in fields.items()},
    )


def _build_context(trace_id: str, span_id: str) -> Any:
    """Return a context with the span in which the line was logged."""
    from opentelemetry import trace
    from opentelemetry.context import Context

    if not trace_id or not span_id:
        return Context()
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    span = trace.SpanContext(int(trace_id, 16), int(span_id, 16), False, flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(span), Context())


def _convert_level(level: int) -> int:
    """Return OpenTelemetry's severity: 5 for debug, 9 for info, 13 for warn, 17 for error."""
    return min(max(1, (level // 10) * 4 + 1), 21)


def _convert_value(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) else str(value)
