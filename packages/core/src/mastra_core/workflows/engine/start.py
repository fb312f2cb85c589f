"""How and where an execution begins, and where a step stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ("UNSET", "Options", "Place", "Start")

UNSET: Any = msgspec.UNSET  # None is a value like any other


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run begins that does not begin at its beginning.

    :param path: ids down to the step: ``("checkout", "pay")``.
    :param values: the input of that step, and of each workflow it is nested in, by path.
    :param outputs: what earlier steps are taken to have given, by path.
    :param resume_data: what the step is resumed with.
    """

    path: tuple[str, ...]
    values: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    resume_data: Any = None

    def inner(self) -> Start | None:
        """The same, seen from within the workflow that ``path`` begins with."""
        return msgspec.structs.replace(self, path=self.path[1:]) if self.path[1:] else None


class Options(msgspec.Struct, kw_only=True):
    """How one execution differs from another one of the same workflow.

    :param context: request context; steps hold this very mapping.
    :param state: the shared state, changed in place.
    :param per_step: stop after the first node.
    :param resource: whose run it is.
    :param trace: where the ids of the execution's span are put, if it has one.
    """

    context: Mapping[str, Any] = {}
    state: dict[str, Any] = {}
    start: Start | None = None
    per_step: bool = False
    resource: str = ""
    trace: dict[str, str] = {}


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a step stands in a run.

    :param path: its address for people; the same in each iteration of a loop.
    :param key: its name in the journal; never the same twice.
    """

    path: str
    key: str
    iteration: int = 0
