"""Types of structured answers as pydantic-ai expects them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, is_typeddict

import pydantic_ai
from pydantic import AfterValidator

from mastra_core.errors import InvalidInput
from mastra_core.schema import dump, to_json_schema, validate

if TYPE_CHECKING:
    from mastra_core.agents.messages import AgentInput

__all__ = ("get_run_output_type", "to_native_output")

_SCHEMES = ("http", "https", "ftp", "file", "data")  # that the validator would load a schema from


def get_run_output_type(run_input: AgentInput) -> Any:
    """Return the type or schema that this run's answer must have.

    :param run_input: the input of the run.
    :returns: the type or schema; ``None`` for the agent's own.
    """
    return run_input.output_schema if run_input.output is None else run_input.output


def to_native_output(type_: Any) -> Any:
    """Convert an output type to pydantic-ai's.

    pydantic knows most types. A JSON Schema, and a type that only msgspec knows, is a dictionary
    for pydantic. The answer is validated here: the model gets the error and may try again.

    :param type_: the type or the JSON Schema of the answer; ``None`` for text.
    """
    if type_ is None:
        return str
    if isinstance(type_, dict):
        return _build_output(type_, "result", _build_checker(type_))
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
        raise _build_schema_error(error) from None
    type_: Any = Annotated[structured, AfterValidator(check)]
    return pydantic_ai.ToolOutput(type_, name="final_result")


def _refuse_remote_schema(uri: str) -> NoReturn:
    """Refuse to load a schema: a caller must not make the server read files or other hosts."""
    raise ValueError(f"it refers to {uri!r}, which is outside of the schema")


def _build_schema_error(error: Exception) -> InvalidInput:
    return InvalidInput(
        f"The schema of the answer is invalid: {error}.", "Send a JSON Schema of an object."
    )


def _build_checker(schema: dict[str, Any]) -> Any:
    import fastjsonschema

    handlers = dict.fromkeys(_SCHEMES, _refuse_remote_schema)
    try:
        validate_schema = fastjsonschema.compile(
            copy.deepcopy(schema), handlers=handlers, use_default=False
        )
    except Exception as error:  # noqa: BLE001  # a malformed schema may raise anything
        raise _build_schema_error(error) from None

    def check(value: Any) -> Any:
        try:
            return validate_schema(value)
        except fastjsonschema.JsonSchemaValueException as error:
            raise ValueError(str(error).replace("data", "answer", 1)) from None

    return check
