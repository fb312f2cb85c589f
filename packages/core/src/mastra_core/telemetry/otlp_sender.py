"""Send spans to a collector by OTLP over HTTP."""

from __future__ import annotations

import gzip
import random
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from mastra_core.logs.http_session import build_session
from mastra_core.override import override
from mastra_core.telemetry.otel_environment import OtlpSettings
from mastra_core.telemetry.otlp_encoding import SpanLimits, encode_spans
from mastra_core.telemetry.span_queue import ExportFailure, SpanSender

__all__ = ("OtlpSender",)

_RETRIED = frozenset((429, 502, 503, 504))
_FIRST_DELAY = 1.0  # seconds before a request is sent again; doubled each time
_MAX_RESPONSE = 65_536  # bytes of a response that are read
_SUCCESSES = range(200, 300)


class OtlpSender(SpanSender):
    """Sends batches as ``POST`` requests on a connection that is kept open.

    Redirects are not followed, because the headers may hold credentials of the collector.

    :param settings: the collector.
    :param limits: the limits of each span.
    """

    def __init__(self, settings: OtlpSettings, limits: SpanLimits) -> None:
        self._settings = settings
        self._limits = limits
        self._session = build_session()
        self._session.verify = settings.certificate or True
        self._session.cert = settings.client_certificate
        self._headers = {**settings.headers, "content-type": "application/x-protobuf"}
        if settings.compression != "none":
            self._headers["content-encoding"] = settings.compression

    @override
    def send(self, spans: Sequence[Any], stopping: threading.Event, deadline: float) -> None:
        failures: list[Any] = []
        body = self._compress(encode_spans(spans, self._limits, failures))
        delay = _FIRST_DELAY
        while True:
            reason, wait = self._post(body, deadline)
            if reason is None and failures:
                raise ExportFailure("some of their values cannot be encoded", len(failures))
            if reason is None:
                return
            jitter = random.uniform(0.8, 1.2)  # noqa: S311  # no secret
            wait = wait or delay * jitter
            if wait < 0 or stopping.is_set() or time.monotonic() + wait >= deadline:
                raise ExportFailure(reason)
            stopping.wait(wait)
            delay *= 2

    @override
    def close(self) -> None:
        self._session.close()

    def _post(self, body: bytes, deadline: float) -> tuple[str | None, float]:
        """Return why the request failed, and the delay that the collector asks for.

        The delay is in seconds: 0 if the collector asks for no delay, and -1 if the request must
        not be repeated.

        :raises ExportFailure: when the collector accepted only some of the spans.
        """
        import requests

        try:
            with self._session.post(
                self._settings.endpoint,
                data=body,
                headers=self._headers,
                timeout=max(min(self._settings.timeout, deadline - time.monotonic()), 0.05),
                allow_redirects=False,
                stream=True,
            ) as response:
                answer = response.raw.read(_MAX_RESPONSE, decode_content=True)
        except (requests.ConnectionError, requests.Timeout) as error:
            return f"{self._settings.endpoint} does not answer: {type(error).__name__}", 0
        except Exception as error:  # noqa: BLE001  # a response may break any layer of the client
            return f"{self._settings.endpoint} fails: {type(error).__name__}", -1
        if response.status_code in _SUCCESSES:
            _check_answer(answer, response.headers)
            return None, 0
        reason = f"{self._settings.endpoint} answers with status {response.status_code}"
        if response.status_code not in _RETRIED:
            return reason, -1
        return reason, _read_retry_after(response.headers)

    def _compress(self, body: bytes) -> bytes:
        if self._settings.compression == "gzip":
            return gzip.compress(body, 6)
        return zlib.compress(body) if self._settings.compression == "deflate" else body


def _check_answer(answer: bytes, headers: Mapping[str, str]) -> None:
    """Read from a response how many spans the collector rejected.

    :raises ExportFailure: when the collector rejected spans, or when the response does not come
        from a collector.
    """
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceResponse,
    )

    if "html" in headers.get("content-type", ""):
        raise ExportFailure("the response is a web page, so the endpoint is not a collector")
    if "protobuf" not in headers.get("content-type", ""):
        return
    try:
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
    except DecodeError:
        raise ExportFailure("the answer of the collector is not OTLP") from None
    if partial.rejected_spans > 0:
        message = f"the collector rejects spans: {partial.error_message[:200]}"
        raise ExportFailure(message, partial.rejected_spans)


def _read_retry_after(headers: Mapping[str, str]) -> float:
    """Return the number of seconds in ``retry-after``; 0 for a date or a missing header."""
    text = headers.get("retry-after", "").strip()
    return float(text) if text.isdecimal() else 0
