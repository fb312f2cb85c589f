"""Determine the types between steps, and check that they are compatible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.workflows.model.definition import (
    Branch,
    ForEach,
    Loop,
    Node,
    Sleep,
    Step,
    WorkflowDefinition,
    get_output_type,
)
from mastra_core.workflows.model.type_compat import explain_mismatch

__all__ = ("check_next", "check_result")


def check_next(workflow: WorkflowDefinition, node: Node) -> None:
    """Check that ``node`` accepts the output of the last node in ``workflow``.

    :param workflow: the workflow, without the node that is to follow.
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


def check_result(workflow: WorkflowDefinition) -> None:
    """Check that the last step's output can be the declared output of the workflow.

    :param workflow: the workflow.
    :raises ConfigError: when the types are incompatible; the message names both types.
    """
    if workflow.output is None:
        return
    if reason := explain_mismatch(get_output_type(workflow), workflow.output):
        source = _describe_source(workflow)
        raise _create_error(source, f"the output of workflow {workflow.id!r}", reason)


def _create_error(source: str, target: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{source} does not match {target}: {reason}.",
        "Change one of the types, or add a .map() between them.",
    )


def _get_current_type(workflow: WorkflowDefinition) -> Any:
    if workflow.index.last is not None:
        return get_output_type(workflow)
    return Any if workflow.input is None else workflow.input


def _iter_consumers(node: Node) -> Iterator[tuple[str, Any]]:
    """Yield each function of ``node`` that takes the previous output, and its input type."""
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


def _describe_source(workflow: WorkflowDefinition) -> str:
    last = workflow.index.last
    if last is None:
        return f"The input of workflow {workflow.id!r}"
    return f"The output of {' and '.join(map(_format_step, last.steps))}"
