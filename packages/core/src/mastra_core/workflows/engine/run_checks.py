"""The checks that every engine makes before it changes a run, and the values that it fills in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import Conflict, InvalidInput
from mastra_core.schema import dump, dump_instance, validate, validate_named
from mastra_core.workflows.engine.run_options import BATCH_SIZE
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.engine.step_paths import (
    find_step,
    find_suspended_step,
    strip_indexes,
)

if TYPE_CHECKING:
    from mastra_core.workflows.model.definition import WorkflowDefinition

__all__ = (
    "build_initial_state",
    "check_resume_data",
    "check_start_options",
    "check_texts",
    "is_storable",
    "read_input_data",
    "require_restartable",
    "require_rested",
    "validate_data",
)


_MAX_PRIORITY = 1000
_START_OPTIONS = {"context": "Mapping[str, Any] | None", "per_step": "bool"}


def check_start_options(context: object, per_step: object, priority: object) -> None:
    """Check the options with which a run is started.

    :param context: the request context of the steps.
    :param per_step: whether to pause after the first node.
    :param priority: the priority.
    :raises InvalidInput: when an option has the wrong type, or the priority is not an integer from
        0 to 1,000.
    """
    if context is not None or type(per_step) is not bool:  # most runs need no check
        check_types({"context": context, "per_step": per_step}, _START_OPTIONS, InvalidInput)
    if type(priority) is not int or not 0 <= priority <= _MAX_PRIORITY:
        raise InvalidInput(
            f"The priority {priority!r} is not an integer from 0 to {_MAX_PRIORITY}.",
            "A run with a greater priority starts earlier.",
        )


def check_texts(**texts: str) -> None:
    """Check that every database can store the texts that identify a run and its owner.

    :param texts: the texts by name.
    :raises InvalidInput: for a value that is not text, and when a text contains a NUL character or
        half of a surrogate pair.
    """
    try:  # one check of all texts is faster, for each new run
        if is_storable("".join(texts.values())):
            return
    except TypeError:
        check_types(texts, dict.fromkeys(texts, "str"), InvalidInput)
    name, text = next(each for each in texts.items() if not is_storable(each[1]))
    raise InvalidInput(
        f"The {name.replace('_', ' ')} {text!r} contains a character that no database can store.",
        "Remove NUL characters and unpaired surrogates.",
    )


def is_storable(text: str) -> bool:
    """Return whether every database can store a text.

    :param text: the text.
    """
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def validate_data(what: str, type_: Any, value: Any) -> None:
    """Check that data of a caller matches the declared type.

    :param what: a name of the data, for the error message.
    :param type_: the type.
    :param value: the data.
    :raises InvalidInput: when the data does not fit the type, or JSON cannot express it.
    """
    _parse_data(what, type_, value)


def read_input_data(type_: Any, value: Any) -> Any:
    """Return the input of a run as JSON builtins, with the defaults of fields that it lacks.

    Every step, condition and mapping therefore reads the same input.

    :param type_: the input type of the workflow.
    :param value: the input from the caller.
    :raises InvalidInput: when the input does not fit the type, or JSON cannot express it.
    """
    parsed = _parse_data("input data", type_, value)
    data = dump(value)
    if not isinstance(data, (dict, list)):
        return data
    try:
        filled = _add_defaults(data, dump_instance(type_, parsed))
        return filled if filled == data or validate(type_, filled) == parsed else data
    except (InvalidInput, TypeError):  # a default that JSON cannot express
        return data


def _parse_data(what: str, type_: Any, value: Any) -> Any:
    try:
        if type_ is Any:
            return dump(value)
        return validate_named(what, type_, value)
    except TypeError as error:
        raise InvalidInput(f"Invalid {what}: {error}.") from None


def _add_defaults(data: Any, defaults: Any) -> Any:
    """Add the fields of ``defaults`` that ``data`` lacks, at every level."""
    if isinstance(data, dict) and isinstance(defaults, dict):
        added = {key: value for key, value in defaults.items() if key not in data}
        common = {key: _add_defaults(data[key], defaults[key]) for key in data if key in defaults}
        return {**data, **common, **added}
    if isinstance(data, list) and isinstance(defaults, list) and len(data) == len(defaults):
        return [_add_defaults(*pair) for pair in zip(data, defaults, strict=True)]
    return data


async def check_resume_data(
    workflow: WorkflowDefinition | None, record: RunRecord, steps: Sequence[str], data: Any
) -> list[str]:
    """Check that all steps are suspended, and that the data fits each of their ``resume`` types.

    :param workflow: the workflow whose types validate ``data``; ``None`` to let the steps validate
        it.
    :param record: the record of the run.
    :param steps: the paths of the steps, or of groups in which one step is suspended.
    :param data: the data with which the steps are resumed.
    :returns: the paths of the suspended steps, each once.
    :raises Conflict: when a step is not suspended, or there is none.
    :raises InvalidInput: when the data does not fit the type.
    """
    import asyncio

    paths: dict[str, None] = {}
    checked: set[str] = set()
    for number, step in enumerate(steps, 1):
        path = find_suspended_step(record, step)
        paths[path] = None
        name = strip_indexes(path)
        if workflow is not None and name not in checked:
            checked.add(name)
            type_ = find_step(workflow, name).resume
            validate_data("resume data", Any if type_ is None else type_, data)
        if number % BATCH_SIZE == 0:
            await asyncio.sleep(0)
    if not paths:
        raise Conflict("No step of this workflow run was named.", "Name a suspended step.")
    return [*paths]


def build_initial_state(workflow: WorkflowDefinition, state: Any) -> dict[str, Any]:
    """Validate the initial state, and return it with the defaults of its type.

    :param workflow: the workflow.
    :param state: the fields that the caller passes.
    :raises InvalidInput: when the state does not fit its type.
    """
    fields = {} if state is None else state
    type_ = dict[str, Any] if workflow.state is None else workflow.state
    if not fields and workflow.state is None:
        return {}
    validate_data("initial state", type_, fields)
    initial: dict[str, Any] = dump(validate(type_, fields))
    return initial


def require_rested(record: RunRecord) -> None:
    """Check that no step of the run is running or sleeping.

    :param record: the record of the run.
    :raises Conflict: when the run is running or waiting.
    """
    if record.status in ("running", "waiting"):
        raise Conflict("This workflow run is still running", "Cancel it, or wait for its end.")


def require_restartable(record: RunRecord) -> None:
    """Check that a run was interrupted, has failed, or is stuck.

    :param record: the record of the run.
    :raises Conflict: when the run is pending or paused, or has succeeded.
    """
    if record.status in ("pending", "paused", "success"):
        raise Conflict(f"This workflow run is {record.status}, so it cannot be restarted.")
