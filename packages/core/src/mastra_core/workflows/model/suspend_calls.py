"""Find functions that call ``suspend``, and the steps of a workflow that can suspend a run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mastra_core.workflows.model.definition import WorkflowDefinition

__all__ = ("calls_suspend", "iter_suspending_steps")


def calls_suspend(function: Callable[..., Any]) -> bool:
    """Return whether the code of a function contains a call of a method ``suspend``.

    Functions that the given function calls are not searched.

    :param function: the function.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    return isinstance(code, CodeType) and _mentions_suspend(code)


def iter_suspending_steps(workflow: WorkflowDefinition) -> Iterator[str]:
    """Yield the paths of the steps that can suspend a run, as far as the definition shows.

    :param workflow: the workflow.
    """
    for step in workflow.iter_steps():
        if step.suspends:
            yield step.id
        if step.workflow is not None:
            yield from (f"{step.id}.{inner}" for inner in iter_suspending_steps(step.workflow))


def _mentions_suspend(code: CodeType) -> bool:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return "suspend" in code.co_names or any(map(_mentions_suspend, inner))
