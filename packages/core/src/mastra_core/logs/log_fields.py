"""Add fields to every log line of a request, a run or a call."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ("bind_log_fields", "get_log_fields", "set_log_fields", "set_log_step")

_NO_FIELDS: Mapping[str, Any] = {}
_fields: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar(
    "log_fields", default=_NO_FIELDS
)
_step: contextvars.ContextVar[str] = contextvars.ContextVar("log_step", default="")


@contextlib.contextmanager
def bind_log_fields(**fields: Any) -> Iterator[None]:
    """Add fields to all lines that are logged in a block, and in tasks and threads that it starts.

    A field shows ``****`` if its name is the name of a credential.

    :param fields: the fields; a field replaces a field with the same name that an outer block has
        set.
    """
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def set_log_fields(**fields: Any) -> None:
    """Add fields to the lines of the current task, until the task ends.

    A generator cannot use ``bind_log_fields``, because different tasks may run its parts.

    :param fields: the fields; a field replaces an earlier field with the same name.
    """
    _fields.set({**_fields.get(), **fields})


def set_log_step(step_id: str) -> None:
    """Add the field ``step`` to the lines of the current task.

    To save time in steps that log nothing, this function only stores the id, and each line that is
    logged adds the field.

    :param step_id: the id of the step.
    """
    _step.set(step_id)


def get_log_fields() -> Mapping[str, Any]:
    """Return the fields of the current task."""
    fields, step = _fields.get(), _step.get()
    return {**fields, "step": step} if step and "step" not in fields else fields
