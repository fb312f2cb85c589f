"""The check of the values that schedules pass to the runs of a workflow."""

from __future__ import annotations

from typing import Any

from mastra_core.errors import ConfigError, InvalidInput
from mastra_core.schema import dump, encode_json, validate

__all__ = ("check_schedules",)


def check_schedules(workflow: Any) -> None:
    """Check that the inputs and states of a workflow's schedules fit the workflow.

    :param workflow: the workflow.
    :raises ConfigError: when an input or a state does not fit its type, or is not a JSON value.
    """
    for schedule in workflow.schedules:
        for what, value, check in (
            ("input", schedule.input, lambda v: validate(workflow.input_type, dump(v))),
            ("state", schedule.state, lambda v: _check_state(workflow.state, v)),
            ("context", schedule.context, _check_context),
        ):
            try:
                check(value)
            except (InvalidInput, TypeError) as error:
                shown = "" if what == "context" else f" {value!r}"  # a context may have secrets
                raise ConfigError(
                    f"The {what}{shown} of the schedule {schedule.cron!r} does not fit the "
                    f"workflow {workflow.id!r}: {getattr(error, 'message', error)}",
                    f"Pass Schedule({schedule.cron!r}, {what}=...).",
                ) from None


def _check_state(type_: Any, state: Any) -> None:
    fields = {} if state is None else state
    if fields or type_ is not None:
        validate(dict[str, Any] if type_ is None else type_, dump(fields))


def _check_context(context: Any) -> None:
    if context is not None:
        encode_json(validate(dict[str, Any], dump(context)))
