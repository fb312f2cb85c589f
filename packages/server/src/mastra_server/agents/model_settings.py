"""Read the model settings of a caller."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Any

import msgspec

from mastra_server.http.request_body import InvalidBody, convert_value

__all__ = ("ModelSettings", "Temperature", "TokenCount", "TopP", "read_model_settings")

Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
TopP = Annotated[float, msgspec.Meta(ge=0, le=1)]
TokenCount = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
_Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
_StopSequence = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
_CAPITAL = re.compile(r"(?=[A-Z])")


class ModelSettings(msgspec.Struct, rename="camel", kw_only=True):
    """The model settings that every caller may pass: the call settings of the AI SDK.

    ``maxTokens`` is an earlier name of ``maxOutputTokens``.
    """

    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None = None
    max_output_tokens: TokenCount | None = None
    max_tokens: TokenCount | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    stop_sequences: Annotated[list[_StopSequence], msgspec.Meta(max_length=64)] | None = None
    seed: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    max_retries: Annotated[int, msgspec.Meta(ge=0, le=10)] | None = None


_WIRE_NAMES = {each.name: each.encode_name for each in msgspec.structs.fields(ModelSettings)}


def read_model_settings(
    values: dict[str, Any] | None, extra_names: Collection[str] = ()
) -> dict[str, Any]:
    """Read a caller's model settings, and refuse settings that only the application may set.

    A setting such as ``extra_body`` becomes part of the request to the model's provider, so a
    caller could choose another model with it.

    :param values: the settings by name, in camelCase or snake_case.
    :param extra_names: the names of further settings that a caller may pass, from
        ``Server.model_settings``.
    :returns: the settings that have a value, with the names of ``AgentInput.settings``.
    :raises InvalidBody: if a setting is not allowed or has a wrong type; the error names the
        setting.
    """
    allowed: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in (values or {}).items():
        name = _CAPITAL.sub("_", key).lower()
        if name in _WIRE_NAMES:
            allowed[_WIRE_NAMES[name]] = value
        elif name in extra_names:
            extra[name] = value
        else:
            raise InvalidBody(f"modelSettings.{key}", f"Expected one of {_list_names(extra_names)}")
    settings = _to_settings(convert_value(allowed, ModelSettings, "modelSettings"))
    return {name: value for name, value in (settings | extra).items() if value is not None}


def _to_settings(settings: ModelSettings) -> dict[str, Any]:
    fields = msgspec.structs.asdict(settings)
    output_tokens = fields.pop("max_output_tokens")
    return fields if output_tokens is None else fields | {"max_tokens": output_tokens}


def _list_names(extra_names: Collection[str]) -> str:
    return ", ".join([*_WIRE_NAMES.values(), *extra_names])
