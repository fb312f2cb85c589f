"""Trace the requests to models."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model

from mastra_core.agents.loop.model_request import ModelRequest
from mastra_core.telemetry import Span, annotate, is_content_received, is_recording, open_span

if TYPE_CHECKING:
    from pydantic_ai.models.instrumented import InstrumentationSettings

__all__ = ("ModelCallSpan", "trace_request")

_SETTINGS = ("temperature", "top_p", "top_k", "max_tokens", "presence_penalty", "frequency_penalty")


class ModelCallSpan:
    """The span of one turn of the model.

    :param span: the span, ``None`` if the run is not sampled.
    """

    def __init__(self, span: Span) -> None:
        self._span = span
        self._started_at = time.perf_counter()

    def record_first_chunk(self) -> None:
        """Record that the first piece of the answer has arrived."""
        if self._span is not None:
            seconds = time.perf_counter() - self._started_at
            self._span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)


def trace_request(request: ModelRequest) -> contextlib.AbstractContextManager[ModelCallSpan | None]:
    """Open a span around one turn of the model; without tracing, the span is ``None``.

    :param request: the request, whose response is recorded at the end of the block.
    """
    return _trace(request) if is_recording() else contextlib.nullcontext()


@contextlib.contextmanager
def _trace(request: ModelRequest) -> Iterator[ModelCallSpan | None]:
    model = request.models[0]
    attributes = _describe_request(model, request.settings)
    with open_span(f"chat {model.model_name}", attributes, kind="client") as span:
        if span is None:
            yield None
            return
        messages = request.messages
        if is_content_received():
            annotate(
                span,
                input=_dump(messages),
                build_content=lambda: {"input": _describe(messages)},
            )
        request.span = span
        yield ModelCallSpan(span)
        _record_response(span, request.response)


def _describe_request(model: Model, settings: dict[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model.system,
        "gen_ai.request.model": model.model_name,
    }
    url = urlsplit(model.base_url or "")
    if url.hostname:
        attributes["server.address"] = url.hostname
        attributes["server.port"] = url.port or (443 if url.scheme == "https" else 80)
    sent = {name: settings[name] for name in _SETTINGS if settings.get(name) is not None}
    return attributes | {f"gen_ai.request.{name}": value for name, value in sent.items()}


def _record_response(span: Span, response: ModelResponse) -> None:
    reason = response.finish_reason
    attributes = {
        "gen_ai.response.model": response.model_name,
        "gen_ai.response.id": response.provider_response_id,
        "gen_ai.response.finish_reasons": None if reason is None else (reason,),
        "gen_ai.usage.input_tokens": response.usage.input_tokens,
        "gen_ai.usage.output_tokens": response.usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": response.usage.cache_read_tokens or None,
        "gen_ai.usage.cache_creation.input_tokens": response.usage.cache_write_tokens or None,
    }
    span.set_attributes({name: value for name, value in attributes.items() if value is not None})
    if is_content_received():
        annotate(
            span,
            output=_dump([response])[0]["parts"],
            build_content=lambda: {"output": _describe([response])},
        )


def _describe(messages: list[ModelMessage]) -> Any:
    """Return messages in the format of OpenTelemetry's conventions, without files."""
    described: list[Any] = [*_get_format().messages_to_otel_messages(messages)]
    for part in (part for each in described for part in each["parts"]):
        if isinstance(part.get("arguments"), str):  # text, in which no field would be masked
            with contextlib.suppress(msgspec.DecodeError):
                part["arguments"] = msgspec.json.decode(part["arguments"])
    instructions = getattr(messages[-1], "instructions", None) if messages else None
    if instructions:
        text = {"type": "text", "content": instructions}
        described.insert(0, {"role": "system", "parts": [text]})
    return described


@functools.cache
def _get_format() -> InstrumentationSettings:
    from opentelemetry.trace import NoOpTracerProvider
    from pydantic_ai.models.instrumented import InstrumentationSettings

    return InstrumentationSettings(
        tracer_provider=NoOpTracerProvider(), include_binary_content=False, version=6
    )


def _dump(messages: Any) -> Any:
    return ModelMessagesTypeAdapter.dump_python(messages, mode="json", warnings=False)
