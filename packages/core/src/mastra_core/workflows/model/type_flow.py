"""Determine the types that are passed between steps, and check that they are compatible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypedDict

from mastra_core.errors import ConfigError
from mastra_core.workflows.model.nodes import Branch, ForEach, Loop, Node, Parallel, Single, Sleep
from mastra_core.workflows.model.step import Step
from mastra_core.workflows.model.type_compat import explain_mismatch

if TYPE_CHECKING:
    from mastra_core.workflows.model.workflow import Workflow

__all__ = ("check_next", "check_result", "get_input_type", "get_output_type")


def get_input_type(workflow: Workflow) -> Any:
    """Return the input type of the first step.

    :param workflow: the workflow.
    """
    first = next((node for node in workflow.nodes if node.steps), None)
    if first is None:
        return Any
    type_ = first.steps[0].input
    return list[type_] if isinstance(first, ForEach) else type_  # type: ignore[valid-type]  # built at run time


def get_output_type(workflow: Workflow) -> Any:
    """Return the output type of the last step.

    :param workflow: the workflow.
    """
    last = next((node for node in reversed(workflow.nodes) if node.steps), None)
    return get_input_type(workflow) if last is None else _get_node_output_type(last)


def check_next(workflow: Workflow, node: Node) -> None:
    """Check that ``node`` accepts the present output of ``workflow``.

    :param workflow: the workflow before the node.
    :param node: the node that is appended.
    :raises ConfigError: when the types are incompatible; the message names both steps.
    """
    source, output = _describe_source(workflow), _get_current_type(workflow)
    for consumer, input_ in _iter_consumers(node):
        if reason := explain_mismatch(output, input_):
            raise _create_error(source, f"the input of {consumer}", reason)
    if isinstance(node, Loop):
        source = f"The output of the repeated step {node.step.id!r}"
        inputs = (("the same step", node.step.input), ("its condition", node.condition.input))
        for consumer, input_ in inputs:
            if reason := explain_mismatch(node.step.output, input_):
                raise _create_error(source, f"the input of {consumer}", reason)


def check_result(workflow: Workflow) -> None:
    """Check that the output of the last step can be the declared output of the workflow.

    :param workflow: the workflow.
    :raises ConfigError: when the types are incompatible; the message names both.
    """
    if workflow.output is None:
        return
    if reason := explain_mismatch(get_output_type(workflow), workflow.output):
        source = _describe_source(workflow)
        raise _create_error(source, f"the output of workflow {workflow.id!r}", reason)


def _create_error(source: str, target: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{source} does not fit {target}: {reason}.",
        "Change one of the types, or add a .map() between them.",
    )


def _get_current_type(workflow: Workflow) -> Any:
    if any(node.steps for node in workflow.nodes):
        return get_output_type(workflow)
    return Any if workflow.input is None else workflow.input


def _get_node_output_type(node: Node) -> Any:
    match node:
        case Parallel() | Branch():
            fields = {step.id: step.output for step in node.steps}
            return TypedDict("object", fields, total=isinstance(node, Parallel))  # type: ignore[operator]  # the fields have names at run time only
        case ForEach():
            return list[node.step.output]  # type: ignore[name-defined]  # built at run time
        case Single():
            return node.step.output
    return Any


def _iter_consumers(node: Node) -> Iterator[tuple[str, Any]]:
    """Yield the functions of ``node`` that take the previous output, and their input types."""
    match node:
        case ForEach():
            yield _format_step(node.step), list[node.step.input]  # type: ignore[name-defined]  # built at run time
        case Sleep():
            if node.function is not None:
                yield f"sleep {node.id!r}", node.function.input
        case _:
            yield from ((_format_step(step), step.input) for step in node.steps)
    if isinstance(node, Branch):
        for step, condition in zip(node.steps, node.conditions, strict=True):
            yield f"the condition of step {step.id!r}", condition.input


def _format_step(step: Step[Any, Any]) -> str:
    return f"step {step.id!r}"


def _describe_source(workflow: Workflow) -> str:
    last = next((node for node in reversed(workflow.nodes) if node.steps), None)
    if last is None:
        return f"The input of workflow {workflow.id!r}"
    return f"The output of {' and '.join(map(_format_step, last.steps))}"
