"""Send the spans of each request after its response, without threads.

The SDK's own processor sends spans from a thread, which Cloudflare Workers do not have.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import partial

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.util.re import parse_env_headers

from mastra_core.fetch import fetch
from mastra_core.logger import get_logger
from mastra_core.request_scope import RequestLifetime, get_current_request

__all__ = ("RequestSpanProcessor", "build_resource")

MAX_SPANS = 2048  # of one request; later spans are dropped
_FIRST_FAILURE = 300  # the lowest status that reports no success
_RETRIED = frozenset((429, 502, 503, 504))
_RETRY_DELAY = 1.0  # seconds
_TIMEOUT = 5.0  # seconds for one request to the collector
_PREFIX = "OTEL_EXPORTER_OTLP_"


class RequestSpanProcessor(SpanProcessor):
    """Collects the spans of a request, and sends them by OTLP when the request has ended.

    Spans that end outside of a request are sent with the next request.

    :param endpoint: the URL of the collector; ``OTEL_EXPORTER_OTLP_*`` by default.
    :param headers: headers for the collector; ``OTEL_EXPORTER_OTLP_*`` by default.
    """

    def __init__(self, endpoint: str | None, headers: Mapping[str, str] | None) -> None:
        self._url = endpoint or _read_endpoint()
        self._headers = dict(headers or _read_headers())
        self._pending: list[ReadableSpan] = []  # spans without a request

    def on_end(self, span: ReadableSpan) -> None:
        """Add a span to those of its request.

        :param span: the span.
        """
        if span.context is None or not span.context.trace_flags.sampled:
            return
        request = get_current_request()
        if request is None:
            spans = self._pending
        elif self in request.values:
            spans = request.values[self]
        else:
            spans = request.values[self] = self._pending
            self._pending = []
            request.on_end(partial(self._send_spans_of, request))
        if len(spans) < MAX_SPANS:
            spans.append(span)

    async def _send_spans_of(self, request: RequestLifetime) -> None:
        await self._send(request.values[self])
        del request.values[self]  # a later span begins a new list

    async def _send(self, spans: list[ReadableSpan]) -> None:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        body = encode_spans(spans).SerializeToString()
        try:
            status = await self._post(body)
            if status in _RETRIED:
                await asyncio.sleep(_RETRY_DELAY)
                status = await self._post(body)
            reason: object = f"status {status}" if status >= _FIRST_FAILURE else ""
        except OSError as error:
            reason = error
        if reason:
            get_logger("mastra.telemetry").warning("%d spans are lost: %s", len(spans), reason)

    async def _post(self, body: bytes) -> int:
        headers = {**self._headers, "content-type": "application/x-protobuf"}
        response = await fetch(
            self._url, method="POST", headers=headers, body=body, seconds=_TIMEOUT
        )
        return response.status


def build_resource(service_name: str) -> Resource:
    """Build the resource of the process; the SDK's own way starts threads.

    :param service_name: the value of ``service.name``.
    """
    attributes = {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": sdk_version,
    }
    found = OTELResourceDetector().detect()
    return Resource(attributes).merge(found).merge(Resource({"service.name": service_name}))


def _read_endpoint() -> str:
    if url := os.environ.get(f"{_PREFIX}TRACES_ENDPOINT"):
        return url
    base = os.environ.get(f"{_PREFIX}ENDPOINT") or "http://localhost:4318"
    return base.rstrip("/") + "/v1/traces"


def _read_headers() -> dict[str, str]:
    text = os.environ.get(f"{_PREFIX}TRACES_HEADERS") or os.environ.get(f"{_PREFIX}HEADERS", "")
    return dict(parse_env_headers(text, liberal=True))
