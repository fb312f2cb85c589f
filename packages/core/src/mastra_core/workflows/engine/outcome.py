"""The outcomes of calls of a user's functions, as plain data that any journal can store.

Outcomes, events and records are created often, and contain only JSON builtins without cycles, so
the garbage collector does not track these structs (``gc=False``).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ("Outcome", "RunError")


class RunError(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The reason why a step or run failed, without the traceback.

    :param message: the message.
    :param name: the name of the exception's class.
    """

    message: str
    name: str = "Error"


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The outcome of one call, in JSON builtins.

    :param kind: how the call ended.
    :param value: the output, the result of ``bail``, or the payload of ``suspend``.
    :param error: the error of a failure.
    :param kept: the value that ``suspend`` keeps for the resumed step; no caller sees it.
    :param label: another name by which a suspended step can be resumed.
    :param again: whether the retry policy applies to the failure.
    :param refused: whether the data that resumed the step was refused, because it does not have the
        declared type.
    :param state: the fields of the shared state that the step changed.
    """

    kind: Literal["done", "bailed", "suspended", "failed"] = "done"
    value: Any = None
    error: RunError | None = None
    kept: Any = None
    label: str = ""
    again: bool = False
    refused: bool = False
    state: dict[str, Any] = {}
