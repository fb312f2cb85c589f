"""A run's record as answers show it: the result, the run itself, the list of runs."""

from __future__ import annotations

from typing import Any

from mastra_core import Workflow
from mastra_core.workflows import RunError, RunRecord, StepRecord
from mastra_server.agent_messages import iso

__all__ = ("error_of", "listed_run", "run_details", "run_result", "step_times")


def run_result(record: RunRecord, trace: dict[str, str]) -> dict[str, Any]:
    """What whoever started or resumed a run, and waited, is told."""
    steps = {name: step_times(step) for name, step in record.steps.items()}
    result: dict[str, Any] = {
        "status": record.status,
        "steps": {"input": record.input, **steps},
        "input": record.input,
        "stepExecutionPath": list(record.steps),
    }
    if record.status == "suspended":
        waiting = record.suspended
        result["suspended"] = [[name] for name in waiting]
        result["suspendPayload"] = {name: record.steps[name].suspend_payload for name in waiting}
    return {**result, **_outcome(record), "runId": record.run_id, **trace}


def run_details(
    workflow: Workflow, record: RunRecord, fields: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """A run as it stands.

    :param fields: of what can be left out, what not to leave out; everything where empty.
    """
    always = {**_metadata(record), "status": record.status}
    chosen = {
        **_outcome(record),
        "payload": record.input,
        "steps": _steps(record),
        "activeStepsPath": {},
        "serializedStepGraph": workflow.graph(),
        "suspendedPaths": _suspended_paths(workflow, record),
        "resumeLabels": {},
        "waitingPaths": {},
    }
    return always | {key: value for key, value in chosen.items() if not fields or key in fields}


def listed_run(workflow: Workflow, record: RunRecord) -> dict[str, Any]:
    """A run among others. The request context is not kept, so it is shown empty."""
    snapshot = {
        "runId": record.run_id,
        "status": record.status,
        "value": {},
        "context": {"input": record.input, **_steps(record)},
        "activePaths": [],
        "stepExecutionPath": list(record.steps),
        "activeStepsPath": {},
        "serializedStepGraph": workflow.graph(),
        "suspendedPaths": _suspended_paths(workflow, record),
        "waitingPaths": {},
        "resumeLabels": {},
        **_outcome(record),
        "requestContext": {},
        "timestamp": record.updated_at,
    }
    return {**_metadata(record), "snapshot": snapshot}


def step_times(step: StepRecord) -> dict[str, Any]:
    """One step, without its payload."""
    told: dict[str, Any] = {"startedAt": step.started_at, "status": step.status}
    if step.status == "suspended":
        told |= {"suspendPayload": step.suspend_payload, "suspendedAt": step.suspended_at}
    if step.resumed_at is not None:
        told |= {"resumePayload": step.resume_payload, "resumedAt": step.resumed_at}
    if step.status == "success":
        told["output"] = step.output
    if step.error is not None:
        told["error"] = error_of(step.error)
    if step.ended_at is not None:
        told["endedAt"] = step.ended_at
    return told


def error_of(error: RunError) -> dict[str, str]:
    """Why something failed."""
    return {"message": error.message, "name": error.name}


def _metadata(record: RunRecord) -> dict[str, Any]:
    return {
        "runId": record.run_id,
        "workflowName": record.workflow_id,
        "resourceId": record.resource_id or None,
        "createdAt": iso(record.created_at),
        "updatedAt": iso(record.updated_at),
    }


def _outcome(record: RunRecord) -> dict[str, Any]:
    if record.status == "success":
        return {"result": record.result}
    return {"error": error_of(record.error)} if record.error else {}


def _steps(record: RunRecord) -> dict[str, Any]:
    return {
        name: {"payload": step.payload, **step_times(step)} for name, step in record.steps.items()
    }


def _suspended_paths(workflow: Workflow, record: RunRecord) -> dict[str, list[int]]:
    waiting = set(record.suspended)
    return {
        item.id: [index]
        for index, node in enumerate(workflow.nodes)
        for item in node.steps
        if item.id in waiting
    }
