"""Convert the types of structured answers to the types of pydantic-ai."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Annotated, Any, is_typeddict

import pydantic_ai
from pydantic import AfterValidator

from mastra_core.agents.pydantic_ai.answer_check import build_answer_check
from mastra_core.errors import InvalidInput
from mastra_core.schema import dump, to_json_schema, validate

if TYPE_CHECKING:
    from mastra_core.agents.messages import AgentInput

__all__ = ("get_run_output_type", "to_native_output")


def get_run_output_type(run_input: AgentInput) -> Any:
    """Return the type or schema of this run's answer.

    :param run_input: the input of the run.
    :returns: the type or schema; ``None`` for the agent's own.
    """
    return run_input.output_schema if run_input.output is None else run_input.output


def to_native_output(type_: Any, *, enforce_patterns: bool = True) -> Any:
    """Convert an output type to a type of pydantic-ai.

    pydantic supports most types. For a JSON Schema or a type that only msgspec supports, pydantic
    gets a dictionary, and this module validates the answer. The model gets the error and may try
    again.

    :param type_: the type or the JSON Schema of the answer; ``None`` for text.
    :param enforce_patterns: whether patterns in a JSON Schema are checked; not those of callers.
    :raises InvalidInput: for an invalid JSON Schema.
    """
    if type_ is None:
        return str
    if isinstance(type_, dict):
        return _build_output(
            type_, "result", build_answer_check(type_, enforce_patterns=enforce_patterns)
        )
    # pydantic refuses the TypedDict of the standard library before Python 3.12.
    if hasattr(type_, "__struct_fields__") or is_typeddict(type_):

        def convert(value: dict[str, Any]) -> Any:
            try:
                return dump(validate(type_, value))
            except InvalidInput as error:
                raise ValueError(error.message) from None

        return _build_output(to_json_schema(type_), type_.__name__, convert)
    return type_


def _build_output(schema: dict[str, Any], name: str, check: Any) -> Any:
    try:
        structured = pydantic_ai.StructuredDict(copy.deepcopy(schema), name=name)
    except pydantic_ai.UserError as error:
        raise InvalidInput(
            f"The schema of the answer is invalid: {error}.", "Send a JSON Schema of an object."
        ) from None
    type_: Any = Annotated[structured, AfterValidator(check)]
    return pydantic_ai.ToolOutput(type_, name="final_result")
