"""Addresses of steps: ``pay``, ``each[2]``, ``checkout.pay``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mastra_core.errors import Conflict, InvalidInput, NotFound
from mastra_core.workflows.engine.run_record import RunRecord

if TYPE_CHECKING:
    from mastra_core.workflows.model.step import Step
    from mastra_core.workflows.model.workflow import Workflow

__all__ = ("step_at", "suspended_step")


def step_at(workflow: Workflow, path: str) -> Step[Any, Any]:
    """The step at a path, through nested workflows.

    :raises NotFound: when there is none.
    """
    inner: Workflow | None = workflow
    found = None
    for name in re.sub(r"\[\d+\]", "", path).split("."):
        steps = inner.steps() if inner is not None else ()
        found = next((item for item in steps if item.id == name), None)
        if found is None:
            raise NotFound(f"Workflow {workflow.id!r} has no step {path!r}.")
        inner = found.workflow
    return found or _nothing(path)


def suspended_step(record: RunRecord, step: str = "", label: str = "") -> str:
    """The path of the suspended step that a caller means.

    :param step: its path, or that of a group in which it is the only one; may be empty where
        only one is suspended.
    :param label: what it was suspended with.
    :raises Conflict: when the run, or that step, is not suspended.
    :raises InvalidInput: when several are meant.
    """
    waiting = record.suspended
    if not waiting:
        raise Conflict("This workflow run was not suspended")
    if label:
        meant = [path for path in waiting if record.steps[path].label == label]
    elif step:
        meant = [
            path for path in waiting if path == step or path.startswith((f"{step}.", f"{step}["))
        ]
    else:
        meant = waiting
    if not meant:
        raise Conflict(f"The step {label or step!r} is not suspended.")
    if len(meant) > 1:
        raise InvalidInput(f"Several steps are suspended: {', '.join(meant)}.", "Name one.")
    return meant[0]


def _nothing(path: str) -> Step[Any, Any]:
    raise NotFound(f"There is no step {path!r}.")
