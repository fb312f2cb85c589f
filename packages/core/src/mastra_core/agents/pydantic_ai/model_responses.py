"""Convert answers of models to JSON builtins and back, for the journal of a durable run."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse

from mastra_core.schema import encode_json

__all__ = ("dump_response", "load_response")


def dump_response(response: ModelResponse) -> Any:
    """Convert an answer to JSON builtins.

    :param response: the answer.
    """
    text = ModelMessagesTypeAdapter.serializer.to_json([response], warnings=False)
    return msgspec.json.decode(text)


def load_response(value: Any) -> ModelResponse:
    """Convert JSON builtins to an answer.

    :param value: the result of ``dump_response``.
    """
    (response,) = ModelMessagesTypeAdapter.validate_json(encode_json(value))
    return cast("ModelResponse", response)
