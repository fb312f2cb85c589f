"""What came of calling a user's function: plain data, so that any journal can keep it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ("Outcome", "RunError")


class RunError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a step or run failed; never a traceback."""

    message: str
    name: str = "Error"


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one call ended, as JSON builtins.

    :param value: the output; what a workflow was bailed out of with; the payload of a suspend.
    :param label: by which a suspended step may be resumed, beside its path.
    :param again: it failed in a way that its retry policy covers.
    :param state: what the step changed of the shared state.
    """

    kind: Literal["done", "bailed", "suspended", "failed"] = "done"
    value: Any = None
    error: RunError | None = None
    label: str = ""
    again: bool = False
    state: dict[str, Any] = {}
