"""Trace the requests to models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model

from mastra_core.agents.loop.model_request import ModelRequest
from mastra_core.telemetry import annotate, is_recording, open_span

__all__ = ("trace_request",)


def trace_request(request: ModelRequest) -> contextlib.AbstractContextManager[None]:
    """Open a span around one turn of the model; without tracing, there is none.

    :param request: the request, whose response is recorded at the end of the block.
    """
    return _trace(request) if is_recording() else contextlib.nullcontext()


@contextlib.contextmanager
def _trace(request: ModelRequest) -> Iterator[None]:
    model: Model = request.models[0]
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model.system,
        "gen_ai.request.model": model.model_name,
    }
    with open_span(f"chat {model.model_name}", attributes) as span:
        annotate(span, input=_dump(request.messages))
        yield
        _record_response(span, request.response)


def _record_response(span: Any, response: ModelResponse) -> None:
    attributes = {
        "gen_ai.response.model": response.model_name,
        "gen_ai.usage.input_tokens": response.usage.input_tokens,
        "gen_ai.usage.output_tokens": response.usage.output_tokens,
    }
    span.set_attributes({name: value for name, value in attributes.items() if value is not None})
    annotate(span, output=_dump([response])[0]["parts"])


def _dump(messages: Any) -> Any:
    return ModelMessagesTypeAdapter.dump_python(messages, mode="json", warnings=False)
