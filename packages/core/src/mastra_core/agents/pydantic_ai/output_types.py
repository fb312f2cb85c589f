"""Convert the types of structured answers to the types of pydantic-ai."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias, is_typeddict

import pydantic_ai
from pydantic import AfterValidator, TypeAdapter, ValidationError

from mastra_core.agents.pydantic_ai.answer_check import build_answer_check
from mastra_core.agents.pydantic_ai.answer_stream import AnswerShape
from mastra_core.agents.pydantic_ai.answer_wrapper import list_choices, unwrap_check, wrap_schema
from mastra_core.errors import InvalidInput
from mastra_core.schema import describe_validation_error, dump, to_json_schema, validate

if TYPE_CHECKING:
    from mastra_core.agents.messages import AgentInput

__all__ = (
    "OutputCheck",
    "OutputDescription",
    "describe_output",
    "get_answer_shape",
    "get_run_output_type",
    "to_native_output",
)

OutputCheck: TypeAlias = Callable[[Any], Any]


def get_run_output_type(run_input: AgentInput) -> Any:
    """Return the type or schema of this run's answer.

    :param run_input: the input of the run.
    :returns: the type or schema; ``None`` for the agent's own type.
    """
    return run_input.output_schema if run_input.output is None else run_input.output


class OutputDescription(NamedTuple):
    """A structured answer.

    :param schema: the JSON Schema that the model gets, which always describes an object.
    :param name: name of the type.
    :param check: returns a valid answer as JSON builtins, or raises ``ValueError``.
    :param shape: the facts about the answer that a stream needs to show an incomplete answer.
    """

    schema: dict[str, Any]
    name: str
    check: OutputCheck
    shape: AnswerShape = AnswerShape()


def describe_output(type_: Any, *, enforce_patterns: bool = True) -> OutputDescription:
    """Describe the structured answer of a type or a JSON Schema.

    :param type_: the type or the JSON Schema of the answer.
    :param enforce_patterns: whether patterns in a JSON Schema are checked; false for a schema that
        a caller sent.
    :raises InvalidInput: for an invalid JSON Schema.
    """
    description = _describe_type(type_, enforce_patterns=enforce_patterns)
    schema, wrapper = wrap_schema(description.schema)
    if not wrapper:
        return description._replace(schema=schema)
    check = unwrap_check(description.check, wrapper)
    shape = AnswerShape(wrapper, list_choices(description.schema))
    return OutputDescription(schema, description.name, check, shape)


def _describe_type(type_: Any, *, enforce_patterns: bool) -> OutputDescription:
    """Describe an answer that is not wrapped in an object.

    :raises InvalidInput: for an invalid JSON Schema.
    """
    if isinstance(type_, dict):
        check = build_answer_check(type_, enforce_patterns=enforce_patterns)
        return OutputDescription(copy.deepcopy(type_), "result", check)
    if _is_checked_by_msgspec(type_):
        return OutputDescription(to_json_schema(type_), type_.__name__, _build_check(type_))
    return _describe_pydantic(type_)


def to_native_output(type_: Any, *, enforce_patterns: bool = True) -> Any:
    """Convert an output type to a type of pydantic-ai.

    pydantic supports most types. For a JSON Schema or a type that only msgspec supports, pydantic
    gets a dictionary, and this module validates the answer. If the answer is invalid, the model
    gets the error and may try again.

    :param type_: the type or the JSON Schema of the answer.
    :param enforce_patterns: whether patterns in a JSON Schema are checked; false for a schema that
        a caller sent.
    :raises InvalidInput: for an invalid JSON Schema.
    """
    if not isinstance(type_, dict) and not _is_checked_by_msgspec(type_):
        return type_
    description = describe_output(type_, enforce_patterns=enforce_patterns)
    try:
        structured = pydantic_ai.StructuredDict(description.schema, name=description.name)
    except pydantic_ai.UserError as error:
        raise InvalidInput(
            f"The schema of the answer is invalid: {error}.", "Send a valid JSON Schema."
        ) from None
    annotated: Any = Annotated[structured, AfterValidator(description.check)]
    return pydantic_ai.ToolOutput(annotated, name="final_result")


def get_answer_shape(type_: Any) -> AnswerShape | None:
    """Return the shape of the JSON that a model writes if ``to_native_output`` converts this type.

    :param type_: the type or the JSON Schema of the answer; ``None`` for the agent's own type.
    :returns: the shape; ``None`` for a type that pydantic-ai converts.
    """
    if isinstance(type_, dict):
        schema = type_
    elif type_ is not None and _is_checked_by_msgspec(type_):
        schema = to_json_schema(type_)
    else:
        return None
    return AnswerShape(wrap_schema(schema)[1], list_choices(schema))


def _is_checked_by_msgspec(type_: Any) -> bool:
    # pydantic refuses the TypedDict of the standard library before Python 3.12.
    return hasattr(type_, "__struct_fields__") or is_typeddict(type_)


def _build_check(type_: Any) -> OutputCheck:
    def check(value: Any) -> Any:
        try:
            return dump(validate(type_, value))
        except InvalidInput as error:
            raise ValueError(error.message) from None

    return check


def _describe_pydantic(type_: Any) -> OutputDescription:
    adapter: TypeAdapter[Any] = TypeAdapter(type_)

    def check(value: Any) -> Any:
        try:
            return dump(adapter.validate_python(value))
        except ValidationError as error:
            raise ValueError(describe_validation_error(error)) from None

    return OutputDescription(adapter.json_schema(), getattr(type_, "__name__", "result"), check)
