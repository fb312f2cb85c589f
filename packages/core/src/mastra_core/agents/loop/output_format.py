"""The format of a structured answer: what the model gets, and how its answer is checked."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition

from mastra_core.agents.pydantic_ai.convert_parts import load_arguments
from mastra_core.agents.pydantic_ai.output_types import OutputCheck, describe_output
from mastra_core.agents.pydantic_ai.run_result import OUTPUT_TOOL

__all__ = ("OutputFormat", "build_output_format")

_DESCRIPTION = "The final response which ends this conversation"
_REFERENCE = "#/$defs/"
_WRAPPER = "response"  # the property that holds an answer that is no object


@dataclasses.dataclass(frozen=True)
class OutputFormat:
    """The format of a structured answer.

    :param definition: the tool that the model calls with its answer.
    :param object: the same schema, for models that answer in JSON instead of calling a tool.
    :param check: returns a valid answer as JSON builtins, or raises ``ValueError``.
    :param wrapped: whether the answer is in a property of an object, because the arguments of a
        tool are always an object.
    """

    definition: ToolDefinition
    object: OutputObjectDefinition
    check: OutputCheck
    wrapped: bool

    def parse_call(self, call: ToolCallPart) -> Any:
        """Return the answer of a call of the tool.

        :param call: the call.
        :raises ValueError: for an invalid answer.
        """
        return self._check(load_arguments(call))

    def parse_text(self, text: str) -> Any:
        """Return the answer that a model wrote as JSON.

        :param text: the text.
        :raises ValueError: for an invalid answer.
        """
        return self._check(msgspec.json.decode(text))

    def _check(self, value: Any) -> Any:
        if not self.wrapped:
            return self.check(value)
        if not isinstance(value, dict) or _WRAPPER not in value:
            raise ValueError(f"The property {_WRAPPER!r} is missing.")
        return self.check(value[_WRAPPER])


def build_output_format(type_: Any, *, enforce_patterns: bool = True) -> OutputFormat | None:
    """Build the format of a type or a JSON Schema.

    :param type_: the type or the schema; ``None`` for text.
    :param enforce_patterns: whether patterns in a JSON Schema are checked; not those of callers.
    :raises InvalidInput: for an invalid JSON Schema.
    """
    if type_ is None:
        return None
    description = describe_output(type_, enforce_patterns=enforce_patterns)
    schema = _inline_root(description.schema)
    wrapped = schema.get("type") != "object"
    if wrapped:
        schema = _wrap(schema)
    text = str(schema.get("description") or _DESCRIPTION)
    return OutputFormat(
        definition=ToolDefinition(
            name=OUTPUT_TOOL, description=text, parameters_json_schema=schema, kind="output"
        ),
        object=OutputObjectDefinition(json_schema=schema, name=description.name),
        check=description.check,
        wrapped=wrapped,
    )


def _inline_root(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace a root that is a reference with its target, because providers need an object."""
    name = str(schema.get("$ref", "")).removeprefix(_REFERENCE)
    target = schema.get("$defs", {}).get(name)
    return {**target, "$defs": schema["$defs"]} if isinstance(target, dict) else schema


def _wrap(schema: dict[str, Any]) -> dict[str, Any]:
    definitions = schema.get("$defs")
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    wrapper = {
        "type": "object",
        "properties": {_WRAPPER: inner},
        "required": [_WRAPPER],
        "additionalProperties": False,
    }
    return {**wrapper, "$defs": definitions} if definitions else wrapper
