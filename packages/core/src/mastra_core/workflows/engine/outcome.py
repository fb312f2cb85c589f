"""What came of calling a user's function: plain data, so that any journal can keep it.

These structs, and those of events and records, hold JSON builtins, which have no cycles, so the
garbage collector need not look at them (``gc=False``): many of them are made.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ("Outcome", "RunError")


class RunError(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why a step or run failed; never a traceback."""

    message: str
    name: str = "Error"


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How one call ended, as JSON builtins.

    :param value: the output; what a workflow was bailed out of with; the payload of a suspend.
    :param kept: what a suspended step finds again when it is resumed; nobody else sees it.
    :param label: by which a suspended step may be resumed, beside its path.
    :param again: it failed in a way that its retry policy covers.
    :param state: what the step changed of the shared state.
    """

    kind: Literal["done", "bailed", "suspended", "failed"] = "done"
    value: Any = None
    error: RunError | None = None
    kept: Any = None
    label: str = ""
    again: bool = False
    state: dict[str, Any] = {}
