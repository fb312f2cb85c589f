"""Build the graph of a workflow as data, in the format of Mastra's JavaScript clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra_core.workflows.model.definition import (
    Branch,
    ForEach,
    Loop,
    Node,
    Parallel,
    Single,
    Sleep,
    Step,
)
from mastra_core.workflows.model.function import Function

if TYPE_CHECKING:
    from mastra_core.workflows.model.definition import WorkflowDefinition

__all__ = ("build_graph",)


def build_graph(workflow: WorkflowDefinition) -> list[dict[str, Any]]:
    """Build the graph of a workflow.

    :param workflow: the workflow.
    :returns: one entry for each node; the entry of a nested workflow contains its graph.
    """
    return [_build_node_entry(node) for node in workflow.nodes]


def _build_node_entry(node: Node) -> dict[str, Any]:
    match node:
        case ForEach():
            options = {"concurrency": node.concurrency}
            return {"type": "foreach", "step": _build_step_entry(node.step), "opts": options}
        case Loop():
            return {
                "type": "loop",
                "step": _build_step_entry(node.step),
                "serializedCondition": _build_condition(node.step, node.condition),
                "loopType": "dountil" if node.until else "dowhile",
            }
        case Single():
            return _build_step_entry(node.step)
        case Parallel():
            return {"type": "parallel", "steps": [_build_step_entry(step) for step in node.steps]}
        case Branch():
            pairs = zip(node.steps, node.conditions, strict=True)
            return {
                "type": "conditional",
                "steps": [_build_step_entry(step) for step in node.steps],
                "serializedConditions": [_build_condition(step, test) for step, test in pairs],
            }
        case Sleep():
            return _build_sleep_entry(node)


def _build_sleep_entry(node: Sleep) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "sleepUntil" if node.until else "sleep", "id": node.id}
    if node.function is not None:
        entry["fn"] = node.function.name
    elif node.moment is not None:
        entry["date"] = node.moment.isoformat()
    else:
        entry["duration"] = 1000 * (node.duration or 0)  # milliseconds
    return entry


def _build_condition(step: Step[Any, Any], condition: Function) -> dict[str, str]:
    return {"id": f"{step.id}-condition", "fn": condition.name}


def _build_step_entry(step: Step[Any, Any]) -> dict[str, Any]:
    description = {"description": step.description} if step.description else {}
    head = {"id": step.id, **description}
    match step.kind:
        case "agent":
            return {"type": "agent", **head, "agentId": step.source_id}
        case "tool":
            return {"type": "tool", **head, "toolId": step.source_id}
        case "mapping":
            return {"type": "mapping", "id": step.id, "mapConfig": step.description}
        case "workflow":
            flow = build_graph(step.workflow) if step.workflow is not None else []
            inner = {"workflowId": step.source_id, "serializedStepFlow": flow}
            return {"type": "workflow", **head, **inner}
    return {"type": "step", "step": {**head, "canSuspend": step.can_suspend}}
