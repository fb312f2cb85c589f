"""Build responses from a run's record: the result, the details, the list of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mastra_core import Workflow
from mastra_core.workflows import RunError, RunRecord, StepRecord
from mastra_core.workflows.engine.step_paths import strip_indexes
from mastra_server.http.dates import format_iso
from mastra_server.workflows.step_paths import (
    get_outer_step,
    locate_labels,
    locate_steps,
)

__all__ = (
    "build_error",
    "build_listed_run",
    "build_run_details",
    "build_run_result",
    "build_step",
    "count_runs",
)


def build_run_result(record: RunRecord, trace: dict[str, str]) -> dict[str, Any]:
    """Build the response for a client that waited for the end of a run.

    :param record: the record of the run.
    :param trace: the trace id of the run, if it is traced.
    :returns: the body of the response.
    """
    steps = {
        path: _build_stored_step(step)
        for path, step in _select_steps(record, include_nested=False).items()
    }
    result: dict[str, Any] = {
        "status": record.status,
        "steps": {"input": record.input, **steps},
        "input": record.input,
        "stepExecutionPath": _list_executed(record),
    }
    if record.status == "suspended":
        waiting = {
            strip_indexes(path): record.steps[path].suspend_payload
            for path in record.suspended_steps
        }
        result["suspended"] = [path.split(".") for path in waiting]
        result["suspendPayload"] = waiting
    return {**result, **_build_outcome(record), "runId": record.run_id, **trace}


def build_run_details(
    workflow: Workflow,
    record: RunRecord,
    fields: frozenset[str] = frozenset(),
    *,
    include_nested: bool = True,
) -> dict[str, Any]:
    """Build the details of a run in its present state.

    :param workflow: the workflow.
    :param record: the record of the run.
    :param fields: the optional fields to include; all if empty.
    :param include_nested: include the steps of nested workflows, by path.
    :returns: the body of the response.
    """
    required = {**_build_metadata(record), "status": record.status}
    optional = {
        **_build_outcome(record),
        **({"initialState": record.initial_state} if record.initial_state else {}),
        "payload": record.input,
        "steps": _build_steps(record, include_nested=include_nested),
        "activeStepsPath": locate_steps(workflow, record, "running"),
        "serializedStepGraph": workflow.build_graph(),
        "suspendedPaths": locate_steps(workflow, record, "suspended"),
        "resumeLabels": locate_labels(record),
        "waitingPaths": locate_steps(workflow, record, "waiting"),
    }
    return required | {key: value for key, value in optional.items() if not fields or key in fields}


def build_listed_run(
    workflow: Workflow, graph: list[dict[str, Any]], record: RunRecord
) -> dict[str, Any]:
    """Build the list entry of a run, with an empty request context.

    :param workflow: the workflow.
    :param graph: the graph of the workflow, which all entries of a list share.
    :param record: the record of the run.
    :returns: the entry.
    """
    snapshot = {
        "runId": record.run_id,
        "status": record.status,
        "value": record.state,
        "context": {"input": record.input, **_build_steps(record, include_nested=False)},
        "activePaths": _find_last_node(workflow, record),
        "stepExecutionPath": _list_executed(record),
        "activeStepsPath": locate_steps(workflow, record, "running"),
        "serializedStepGraph": graph,
        "suspendedPaths": locate_steps(workflow, record, "suspended"),
        "waitingPaths": locate_steps(workflow, record, "waiting"),
        "resumeLabels": locate_labels(record),
        **_build_outcome(record),
        "requestContext": {},
        "timestamp": record.updated_at,
    }
    return {**_build_metadata(record), "snapshot": snapshot}


def count_runs(counts: Mapping[str, int]) -> dict[str, int]:
    """Count the active runs and the suspended runs.

    :param counts: the number of runs by status.
    :returns: the number of ``running`` runs and of ``suspended`` runs.
    """
    running = counts.get("running", 0) + counts.get("waiting", 0)
    return {"running": running, "suspended": counts.get("suspended", 0)}


def build_step(step: StepRecord) -> dict[str, Any]:
    """Build the state of one step, without its payload.

    :param step: the record of the step.
    :returns: status, times, output, error, and the iteration of a loop.
    """
    fields: dict[str, Any] = {"startedAt": step.started_at, "status": step.status}
    if step.status == "suspended":
        fields |= {"suspendPayload": step.suspend_payload, "suspendedAt": step.suspended_at}
    if step.resumed_at is not None:
        fields |= {"resumePayload": step.resume_payload, "resumedAt": step.resumed_at}
    if step.status in ("success", "bailed"):
        fields["output"] = step.output
    if step.error is not None:
        fields["error"] = build_error(step.error)
    if step.ended_at is not None:
        fields["endedAt"] = step.ended_at
    if step.iteration:
        fields["metadata"] = {"iterationCount": step.iteration}
    return fields


def _build_stored_step(step: StepRecord) -> dict[str, Any]:
    """Build the state of a step in a result or in a stored run; only chunks have ``bailed``."""
    fields = build_step(step)
    return {**fields, "status": "success"} if step.status == "bailed" else fields


def build_error(error: RunError) -> dict[str, str]:
    """Build the error of a failed run or step.

    :param error: the recorded error.
    """
    return {"message": error.message, "name": error.name}


def _build_metadata(record: RunRecord) -> dict[str, Any]:
    return {
        "runId": record.run_id,
        "workflowName": record.workflow_id,
        "resourceId": record.resource_id or None,
        "createdAt": format_iso(record.created_at),
        "updatedAt": format_iso(record.updated_at),
    }


def _build_outcome(record: RunRecord) -> dict[str, Any]:
    if record.error is not None:  # also of a run that succeeded, but whose events are damaged
        return {"error": build_error(record.error)}
    return {"result": record.result} if record.status == "success" else {}


def _build_steps(record: RunRecord, *, include_nested: bool) -> dict[str, Any]:
    return {
        path: {"payload": step.payload, **_build_stored_step(step)}
        for path, step in _select_steps(record, include_nested=include_nested).items()
    }


def _select_steps(record: RunRecord, *, include_nested: bool) -> dict[str, StepRecord]:
    """Return the steps by path, without items. A group with a suspended step is suspended."""
    steps = {
        path: step
        for path, step in record.steps.items()
        if "[" not in path and (include_nested or "." not in path)
    }
    for path in record.suspended_steps if record.status == "suspended" else ():
        group = steps.get(get_outer_step(path))
        if group is not None and group.group and group.status == "running":
            steps[get_outer_step(path)] = _to_suspended(group, record.steps[path])
    return steps


def _to_suspended(group: StepRecord, inner: StepRecord) -> StepRecord:
    return msgspec.structs.replace(
        group,
        status="suspended",
        suspend_payload=inner.suspend_payload,
        suspended_at=inner.suspended_at,
    )


def _list_executed(record: RunRecord) -> list[str]:
    return [path for path in record.path if "." not in path and "[" not in path]


def _find_last_node(workflow: Workflow, record: RunRecord) -> list[int]:
    """Return the index of the last executed node."""
    ids = set(_list_executed(record)[-1:])
    nodes = enumerate(workflow.nodes)
    return [number for number, node in nodes if ids & {item.id for item in node.steps}]
