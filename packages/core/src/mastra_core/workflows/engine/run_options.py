"""Options and start points of an execution, and addresses of steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

__all__ = ("BATCH_SIZE", "UNSET", "RunOptions", "StartPoint", "StepAddress")

BATCH_SIZE = 100  # steps or events after which the event loop can do other work
UNSET: Any = msgspec.UNSET  # a missing value; None is a valid one


class StartPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The step in which a run begins, if it is not the first step.

    :param path: the ids of the steps, from the outermost to the step itself: ``("checkout",
        "pay")``.
    :param values: the input of the step, and the input of each workflow in which the step is
        nested, by path.
    :param outputs: the assumed outputs of earlier steps, by path.
    :param resume_data: the data with which the step is resumed.
    """

    path: tuple[str, ...]
    values: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    resume_data: Any = None

    def descend(self) -> StartPoint | None:
        """Return the start point inside the nested workflow whose step is first in ``path``.

        :returns: the start point; ``None`` if the path ends at the nested workflow, which then
            begins at its first step.
        """
        return msgspec.structs.replace(self, path=self.path[1:]) if self.path[1:] else None


class RunOptions(msgspec.Struct, kw_only=True):
    """The options of one execution of a run.

    :param context: the request context; steps hold this mapping itself, not a copy.
    :param state: the shared state, changed in place.
    :param start: the step to begin in; the first one by default.
    :param per_step: whether to pause after one node.
    :param resource_id: the owner of the run.
    :param trace: a mapping to which the ids of the execution's span are added, if there is a span.
    :param resumed_by: the ids of the span of the request that resumed the run last.
    :param start_child: starts another run, once for each wait, and returns the id of that run;
        ``None`` if the engine cannot start child runs. The arguments are a pair (the key of the
        wait, and whether this run waits for the end of the started run), the workflow to start, and
        the input of that workflow.
    """

    context: Mapping[str, Any] = {}
    state: dict[str, Any] = {}
    start: StartPoint | None = None
    per_step: bool = False
    resource_id: str = ""
    trace: dict[str, str] = {}
    resumed_by: dict[str, str] = {}
    start_child: Callable[[tuple[str, bool], Any, Any], Awaitable[str]] | None = None


class StepAddress(msgspec.Struct, frozen=True, gc=False):
    """The address of a step in a run.

    :param path: the path that callers see; the same in each iteration of a loop.
    :param key: the journal key; unique in the run.
    :param iteration: the iteration of the loop, from 1; 0 outside a loop.
    """

    path: str
    key: str
    iteration: int = 0
