"""Which types flow through a workflow, and whether they fit one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypedDict

from mastra_core.errors import ConfigError
from mastra_core.workflows.model.nodes import Branch, ForEach, Loop, Node, Parallel, Single, Sleep
from mastra_core.workflows.model.step import Step
from mastra_core.workflows.model.type_compat import misfit

if TYPE_CHECKING:
    from mastra_core.workflows.model.workflow import Workflow

__all__ = ("accepted", "check_next", "check_result", "produced")


def accepted(workflow: Workflow) -> Any:
    """The type that the first step asks for."""
    first = next((node for node in workflow.nodes if node.steps), None)
    if first is None:
        return Any
    type_ = first.steps[0].input
    return list[type_] if isinstance(first, ForEach) else type_  # type: ignore[valid-type]  # made at run time


def produced(workflow: Workflow) -> Any:
    """The type that the last step gives."""
    last = next((node for node in reversed(workflow.nodes) if node.steps), None)
    return accepted(workflow) if last is None else _given(last)


def check_next(workflow: Workflow, node: Node) -> None:
    """Whether ``node`` can go on with what ``workflow`` gives so far.

    :raises ConfigError: naming both steps, when no value can be right for both.
    """
    before, given = _origin(workflow), _so_far(workflow)
    for name, wanted in _wanted(node):
        if reason := misfit(given, wanted):
            raise _misfit(before, f"what {name} takes", reason)
    if isinstance(node, Loop):
        told = f"The output of step {node.step.id!r}, which is repeated,"
        for name, wanted in (("it", node.step.input), ("its condition", node.condition.input)):
            if reason := misfit(node.step.output, wanted):
                raise _misfit(told, f"what {name} takes", reason)


def check_result(workflow: Workflow) -> None:
    """Whether the last step can give what the workflow says it gives.

    :raises ConfigError: naming both.
    """
    if workflow.output is None:
        return
    if reason := misfit(produced(workflow), workflow.output):
        told = _origin(workflow)
        raise _misfit(told, f"that of workflow {workflow.id!r}", reason)


def _misfit(one: str, other: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{one} is not {other}: {reason}.", "Change one of the types, or .map() in between."
    )


def _so_far(workflow: Workflow) -> Any:
    if any(node.steps for node in workflow.nodes):
        return produced(workflow)
    return Any if workflow.input is None else workflow.input


def _given(node: Node) -> Any:
    match node:
        case Parallel() | Branch():
            fields = {item.id: item.output for item in node.steps}
            return TypedDict("object", fields, total=isinstance(node, Parallel))  # type: ignore[operator]  # by name
        case ForEach():
            return list[node.step.output]  # type: ignore[name-defined]  # made at run time
        case Single():
            return node.step.output
    return Any


def _wanted(node: Node) -> Iterator[tuple[str, Any]]:
    """Who of ``node`` takes the output before, and as which type."""
    match node:
        case ForEach():
            yield _named(node.step), list[node.step.input]  # type: ignore[name-defined]  # made at run time
        case Sleep():
            if node.function is not None:
                yield f"sleep {node.id!r}", node.function.input
        case _:
            yield from ((_named(item), item.input) for item in node.steps)
    if isinstance(node, Branch):
        for item, condition in zip(node.steps, node.conditions, strict=True):
            yield f"the condition of step {item.id!r}", condition.input


def _named(item: Step[Any, Any]) -> str:
    return f"step {item.id!r}"


def _origin(workflow: Workflow) -> str:
    last = next((node for node in reversed(workflow.nodes) if node.steps), None)
    if last is None:
        return f"The input of workflow {workflow.id!r}"
    return f"The output of {' and '.join(map(_named, last.steps))}"
