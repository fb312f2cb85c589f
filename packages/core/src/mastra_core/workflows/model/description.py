"""Describe the structure of a workflow as data, and compute its fingerprint.

The keys in the journal of a durable run depend on the order and the kinds of the nodes, and on the
ids of the steps. A process continues a run only if it knows the workflow with the same structure.
"""

from __future__ import annotations

import hashlib

import msgspec

from mastra_core.workflows.model.definition import (
    Branch,
    ForEach,
    Loop,
    Node,
    Parallel,
    Sleep,
    Step,
    WorkflowDefinition,
)

__all__ = (
    "NodeDescription",
    "StepDescription",
    "WorkflowDescription",
    "compute_fingerprint",
    "describe_workflow",
)

_FORMAT = 1  # part of each fingerprint; raise it when the journal gets other keys
_DIGITS = 16


class StepDescription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The structure of a step.

    :param id: the id.
    :param kind: the kind of object that the step was created from; ``sleep`` for a pause, and
        ``child without wait`` for a step that does not wait for its child run.
    :param workflow: the nested workflow.
    """

    id: str
    kind: str = "function"
    workflow: WorkflowDescription | None = None


class NodeDescription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The structure of a node.

    :param kind: ``step``, ``parallel``, ``branch``, ``foreach``, ``dowhile``, ``dountil`` or
        ``sleep``.
    :param steps: the steps of the node.
    """

    kind: str = "step"
    steps: tuple[StepDescription, ...] = ()


class WorkflowDescription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The structure of a workflow.

    :param id: the id of the workflow.
    :param version: the ``version`` of the workflow.
    :param format: the format of the journal's keys.
    :param nodes: the nodes.
    """

    id: str
    version: str = ""
    format: int = 0
    nodes: tuple[NodeDescription, ...] = ()


def describe_workflow(workflow: WorkflowDefinition) -> WorkflowDescription:
    """Describe the structure of a workflow.

    :param workflow: the workflow.
    """
    return WorkflowDescription(
        id=workflow.id,
        version=workflow.version,
        format=_FORMAT,
        nodes=tuple(_describe_node(node) for node in workflow.nodes),
    )


def compute_fingerprint(description: WorkflowDescription) -> str:
    """Compute the fingerprint of a workflow: 16 hexadecimal digits.

    :param description: the structure of the workflow.
    """
    return hashlib.sha256(msgspec.json.encode(description)).hexdigest()[:_DIGITS]


def _describe_node(node: Node) -> NodeDescription:
    if isinstance(node, Sleep):
        pause = StepDescription(id=node.id, kind="sleep")
        return NodeDescription(kind="sleep", steps=(pause,))
    return NodeDescription(kind=_get_kind(node), steps=tuple(map(_describe_step, node.steps)))


def _get_kind(node: Node) -> str:
    match node:
        case Parallel():
            return "parallel"
        case Branch():
            return "branch"
        case ForEach():
            return "foreach"
        case Loop():
            return "dountil" if node.until else "dowhile"
    return "step"


def _describe_step(step: Step) -> StepDescription:
    nested = None if step.workflow is None else describe_workflow(step.workflow)
    # The output of the step is the result of the child run, or else the id of the child run.
    kind = step.kind if step.awaits_child else "child without wait"
    return StepDescription(id=step.id, kind=kind, workflow=nested)
