"""Encode the inputs and outputs of spans without credentials, and cut long ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec

from mastra_core.logger import mask_credentials
from mastra_core.logs.credential_masking import mask_json
from mastra_core.schema import dump

__all__ = ("ContentSettings", "encode_content")

_ELLIPSIS = "…"
# By operation, the attributes for the input and for the output in OpenTelemetry's conventions.
_ATTRIBUTES = {
    "execute_tool": ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result"),
    "chat": ("gen_ai.input.messages", "gen_ai.output.messages"),
    "invoke_agent": ("gen_ai.input.messages", "gen_ai.output.messages"),
}
_DEFAULT_ATTRIBUTES = ("mastra.input", "mastra.output")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContentSettings:
    """The settings for the inputs and outputs in exported spans.

    :param max_length: maximum bytes of an input or output; a longer one is cut.
    """

    max_length: int = 16_384

    def get_attribute(self, attributes: Mapping[str, Any], name: str) -> str:
        """Return the name of the attribute that holds the input or the output of a span.

        :param attributes: the attributes of the span.
        :param name: ``input`` or ``output``.
        """
        names = _ATTRIBUTES.get(str(attributes.get("gen_ai.operation.name")), _DEFAULT_ATTRIBUTES)
        return names[name == "output"]


def encode_content(value: Any, max_length: int) -> bytes:
    """Encode a value as JSON without credentials and the values of known secrets.

    A value that is too long is cut, and becomes a string.

    :param value: any value.
    :param max_length: maximum bytes of the value.
    """
    try:
        encoded = msgspec.json.encode(mask_credentials({"": dump(value)})[""])
    except Exception:  # noqa: BLE001  # users' types may raise anything; the run must continue
        return msgspec.json.encode(type(value).__name__)
    encoded = mask_json(encoded.decode()).encode()  # before the cut, which may split a secret
    if len(encoded) <= max_length:
        return encoded
    return msgspec.json.encode(encoded[:max_length].decode(errors="ignore") + _ELLIPSIS)
