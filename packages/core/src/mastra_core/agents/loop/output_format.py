"""The format of a structured answer: what the model gets, and how its answer is checked."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition

from mastra_core.agents.pydantic_ai.answer_stream import AnswerShape
from mastra_core.agents.pydantic_ai.convert_parts import load_arguments
from mastra_core.agents.pydantic_ai.output_types import OutputCheck, describe_output
from mastra_core.agents.pydantic_ai.run_result import OUTPUT_TOOL

__all__ = ("OutputFormat", "build_output_format")

_DESCRIPTION = "The final response which ends this conversation"
_FENCE = "```"


@dataclasses.dataclass(frozen=True)
class OutputFormat:
    """The format of a structured answer.

    :param definition: the tool that the model calls with its answer.
    :param object: the schema of the answer, for models that write JSON instead of calling a tool.
    :param check: returns a valid answer as JSON builtins, or raises ``ValueError``.
    :param shape: the facts about the answer that a stream needs to show an incomplete answer.
    """

    definition: ToolDefinition
    object: OutputObjectDefinition
    check: OutputCheck
    shape: AnswerShape

    def parse_call(self, call: ToolCallPart) -> Any:
        """Return the answer that a model gave as a call of ``definition``.

        :param call: the call.
        :raises ValueError: for an invalid answer.
        """
        return self.check(load_arguments(call))

    def parse_text(self, text: str) -> Any:
        """Return the answer that a model wrote as JSON, possibly with other text around it.

        :param text: the text.
        :raises ValueError: for an invalid answer.
        """
        return self.check(_decode_text(text))


def build_output_format(type_: Any, *, enforce_patterns: bool = True) -> OutputFormat | None:
    """Build the format of a type or a JSON Schema.

    :param type_: the type or the schema; ``None`` for text.
    :param enforce_patterns: whether patterns in a JSON Schema are checked; false for a schema that
        a caller sent.
    :raises InvalidInput: for an invalid JSON Schema.
    """
    if type_ is None:
        return None
    description = describe_output(type_, enforce_patterns=enforce_patterns)
    schema = description.schema
    text = str(schema.get("description") or _DESCRIPTION)
    return OutputFormat(
        definition=ToolDefinition(
            name=OUTPUT_TOOL, description=text, parameters_json_schema=schema, kind="output"
        ),
        object=OutputObjectDefinition(json_schema=schema, name=description.name),
        check=description.check,
        shape=description.shape,
    )


def _decode_text(text: str) -> Any:
    """Decode JSON, or the JSON in a fenced block, or the object in a text.

    :raises msgspec.DecodeError: when the text contains no JSON.
    """
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        for candidate in _iter_candidates(text):
            with contextlib.suppress(msgspec.DecodeError):
                return msgspec.json.decode(candidate)
        raise


def _iter_candidates(text: str) -> Iterator[str]:
    _, fence, block = text.partition(_FENCE)
    if fence:
        yield block.partition(_FENCE)[0].removeprefix("json")
    yield text[text.find("{") : text.rfind("}") + 1]
