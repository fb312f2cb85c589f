"""Find steps by their paths: ``pay``, ``each[2]``, ``checkout.pay``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mastra_core.errors import Conflict, InvalidInput, NotFound
from mastra_core.workflows.engine.run_record import RunRecord

if TYPE_CHECKING:
    from mastra_core.workflows.model.definition import Step, WorkflowDefinition

__all__ = ("find_step", "find_suspended_step", "strip_indexes")

_INDEX = re.compile(r"\[\d+\]")


def strip_indexes(path: str) -> str:
    """Remove the item indexes from a path: ``each[2].pay`` becomes ``each.pay``.

    :param path: the path of a step.
    """
    return _INDEX.sub("", path)


def find_step(workflow: WorkflowDefinition, path: str) -> Step[Any, Any]:
    """Find the step at a path, also in nested workflows.

    :param workflow: the outermost workflow.
    :param path: the path of the step.
    :raises NotFound: when there is no such step.
    """
    inner: WorkflowDefinition | None = workflow
    for name in strip_indexes(path).split("."):
        steps = inner.iter_steps() if inner is not None else ()
        step = next((step for step in steps if step.id == name), None)
        if step is None:
            raise NotFound(f"Workflow {workflow.id!r} has no step {path!r}.")
        inner = step.workflow
    return step  # type: ignore[return-value]  # split returns at least one name


def find_suspended_step(record: RunRecord, step: str = "", label: str = "") -> str:
    """Find the suspended step that a caller means, and return its path.

    :param record: the record of the run.
    :param step: the path of the step, or of a group in which one step is suspended; may be empty if
        only one step of the run is suspended.
    :param label: the label that the step passed to ``suspend``; an alternative to ``step``.
    :raises Conflict: when the run, or the step, is not suspended.
    :raises InvalidInput: when several steps match.
    """
    if record.open.get(step) == "suspended" and not label:
        return step
    suspended = record.suspended_steps
    if not suspended:
        raise Conflict("This workflow run was not suspended")
    if label:
        matches = [path for path in suspended if record.steps[path].label == label]
    elif step:
        matches = [
            path for path in suspended if path == step or path.startswith((f"{step}.", f"{step}["))
        ]
    else:
        matches = suspended
    if not matches:
        raise Conflict(
            f"The step {label or step!r} is not suspended.",
            f"Suspended: {', '.join(suspended)}.",
        )
    if len(matches) > 1:
        raise InvalidInput(
            f"Several steps are suspended: {', '.join(matches)}.",
            "Name one of these steps: step='...'.",
        )
    return matches[0]
