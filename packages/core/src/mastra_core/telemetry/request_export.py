"""Send the spans of each request after its response, without threads.

Other exports use a thread, which Cloudflare Workers do not have.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from mastra_core.fetch import fetch
from mastra_core.logger import get_logger
from mastra_core.logs.bounded_queue import BoundedQueue
from mastra_core.redaction import safe_message
from mastra_core.request_scope import RequestLifetime, get_current_request
from mastra_core.telemetry.export_counts import ExportCounts
from mastra_core.telemetry.otel_environment import OtlpSettings
from mastra_core.telemetry.otlp_encoding import SpanLimits, encode_spans
from mastra_core.telemetry.span_size import estimate_span_size

__all__ = ("RequestSpans",)

_MAX_SPANS = 2_048  # of one request; later spans are dropped
_MAX_BYTES = 8 * 1024 * 1024  # of the spans of one request; a Worker has 128 MB
_FIRST_FAILURE = 300  # the lowest status that reports no success
_RETRIED = frozenset((429, 502, 503, 504))
_RETRY_DELAY = 1.0  # seconds
_TIMEOUT = 5.0  # seconds for one request to the collector


class RequestSpans:
    """Collects the spans of a request, and sends them by OTLP when the request has ended.

    Spans that end outside of a request are sent with the next request.

    :param settings: the collector.
    :param limits: the limits of each span.
    :param counts: counts the exported and lost spans.
    """

    def __init__(self, settings: OtlpSettings, limits: SpanLimits, counts: ExportCounts) -> None:
        self._settings = settings
        self._limits = limits
        self._counts = counts
        self._pending = _build_queue()  # spans without a request

    def add(self, span: Any) -> None:
        """Add an ended span to those that are exported after the current request.

        :param span: the span.
        """
        request = get_current_request()
        if request is None:
            spans = self._pending
        elif self in request.values:
            spans = request.values[self]
        else:
            spans = request.values[self] = self._pending
            self._pending = _build_queue()
            request.on_end(partial(self._send_spans, request))
        if not spans.put(span, estimate_span_size(span)):
            self._counts.add("dropped", 1)

    async def _send_spans(self, request: RequestLifetime) -> None:
        spans = request.values.pop(self)  # a span that ends from now on begins a new queue
        await self._send(spans.take())

    async def _send(self, spans: list[Any]) -> None:
        failures: list[Any] = []  # spans with a value that cannot be encoded
        body = encode_spans(spans, self._limits, failures)
        try:
            status = await self._post(body)
            if status in _RETRIED:
                await asyncio.sleep(_RETRY_DELAY)
                status = await self._post(body)
            reason = f"status {status}" if status >= _FIRST_FAILURE else ""
        except OSError as error:
            reason = safe_message(error)
        if reason:
            self._counts.add("dropped", len(spans))
            get_logger("mastra.telemetry").warning(
                "spans are lost: %s", reason, extra={"lost_spans": len(spans)}
            )
        else:
            self._counts.add("exported", len(spans) - len(failures))
            self._counts.add("dropped", len(failures))

    async def _post(self, body: bytes) -> int:
        headers = {**self._settings.headers, "content-type": "application/x-protobuf"}
        response = await fetch(
            self._settings.endpoint, method="POST", headers=headers, body=body, seconds=_TIMEOUT
        )
        return response.status


def _build_queue() -> BoundedQueue[Any]:
    return BoundedQueue(_MAX_BYTES, _MAX_SPANS)
