"""Build the record of a run from its events; the record is the run's present state."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from mastra_core.workflows.engine.outcome import RunError
from mastra_core.workflows.engine.run_events import (
    RunEvent,
    RunFinished,
    RunIdle,
    RunPaused,
    RunRewound,
    RunStarted,
    StepEnded,
    StepResumed,
    StepRetried,
    StepStarted,
    StepSuspended,
    StepWaiting,
    get_timestamp_ms,
)

__all__ = ("RunRecord", "Status", "StepRecord")

Status = Literal[
    "pending", "running", "waiting", "suspended", "paused", "success", "failed", "canceled"
]
FINISHED_STATUSES = frozenset(("success", "failed", "canceled"))
SETTLED_STATUSES = FINISHED_STATUSES | {"suspended", "paused"}
OPEN_STATUSES = frozenset(("running", "waiting", "suspended"))


class StepRecord(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """The record of one step, with times in milliseconds since the epoch.

    :param status: the status.
    :param payload: the input.
    :param output: the output.
    :param error: the error of a failed step.
    :param started_at: the time at which the first attempt started.
    :param ended_at: the end.
    :param suspend_payload: the payload that the step passed to ``suspend``.
    :param suspended_at: the time of the last suspend.
    :param resume_payload: the data of the last resume.
    :param resumed_at: the time of the last resume.
    :param wakes_at: the time at which a sleep, or the wait for a retry, ends.
    :param retries: the number of retries.
    :param group: whether the step contains others: a nested workflow or a ``foreach``.
    :param iteration: the number of the loop's iteration, from 1; 0 outside a loop.
    :param label: another name by which the suspended step can be resumed.
    :param key: the key in the journal under which a suspended step waits.
    """

    status: Literal["running", "waiting", "suspended", "success", "bailed", "failed", "canceled"]
    payload: Any = None
    output: Any = None
    error: RunError | None = None
    started_at: int = 0
    ended_at: int | None = None
    suspend_payload: Any = None
    suspended_at: int | None = None
    resume_payload: Any = None
    resumed_at: int | None = None
    wakes_at: int | None = None
    child_run_id: str = ""
    retries: int = 0
    group: bool = False
    iteration: int = 0
    label: str = ""
    key: str = ""


class RunRecord(msgspec.Struct, kw_only=True, gc=False):
    """The present state of a run, built from its events.

    The record does not contain the request context, because a middleware may store a user's data
    there.

    :param run_id: the id of the run.
    :param workflow_id: the id of the workflow.
    :param resource_id: the owner of the run.
    :param status: the status.
    :param input: the input.
    :param initial_state: the shared state at the start.
    :param state: the shared state.
    :param result: the result of a successful run.
    :param error: the error of a failed run.
    :param steps: the records of the steps, by path.
    :param path: the paths of the steps in the order of their starts, once for each start.
    :param open: the status of each unfinished step, by path, without groups.
    :param open_groups: the paths of the unfinished groups, in the order of their starts.
    :param created_at: the time of creation, in milliseconds since the epoch.
    :param updated_at: the time of the last event, in milliseconds since the epoch.
    """

    run_id: str
    workflow_id: str
    resource_id: str = ""
    status: Status = "pending"
    input: Any = None
    initial_state: dict[str, Any] = {}
    state: dict[str, Any] = {}
    result: Any = None
    error: RunError | None = None
    steps: dict[str, StepRecord] = msgspec.field(default_factory=dict)
    path: list[str] = msgspec.field(default_factory=list)
    open: dict[str, str] = msgspec.field(default_factory=dict)
    open_groups: dict[str, None] = msgspec.field(default_factory=dict)
    created_at: int = msgspec.field(default_factory=get_timestamp_ms)
    updated_at: int = msgspec.field(default_factory=get_timestamp_ms)

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended."""
        return self.status in FINISHED_STATUSES

    @property
    def is_settled(self) -> bool:
        """Whether the run has ended, is paused, or waits for ``resume``."""
        return self.status in SETTLED_STATUSES

    @property
    def suspended_steps(self) -> list[str]:
        """The paths of the suspended steps."""
        return [path for path, status in self.open.items() if status == "suspended"]

    def apply(self, event: RunEvent) -> None:
        """Apply one event.

        :param event: the event.
        """
        self.updated_at = event.at
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)


def _apply_run_started(record: RunRecord, event: RunStarted) -> None:
    record.status, record.input = "running", event.input
    record.initial_state = record.state = event.state


def _apply_run_rewound(record: RunRecord, event: RunRewound) -> None:
    record.status, record.result, record.error = "running", None, None
    record.open.clear()
    record.open_groups.clear()
    for path in event.steps:
        record.steps.pop(path, None)
    for path, output in event.outputs.items():
        step = record.steps.get(path) or StepRecord(status="success", started_at=event.at)
        record.steps[path] = msgspec.structs.replace(
            step, status="success", output=output, error=None, ended_at=step.ended_at or event.at
        )


def _apply_run_idle(record: RunRecord, event: RunIdle) -> None:
    record.status = event.status


def _apply_run_paused(record: RunRecord, event: RunPaused) -> None:
    record.status, record.state = "paused", event.state


def _apply_run_finished(record: RunRecord, event: RunFinished) -> None:
    record.status, record.result, record.error = event.status, event.result, event.error
    record.state = event.state
    if event.status == "success" and not (record.open or record.open_groups):
        return  # bail succeeds with steps still open
    record.open.clear()
    record.open_groups.clear()
    for step in record.steps.values():
        if step.status in OPEN_STATUSES:
            step.status, step.ended_at = "canceled", event.at


def _apply_step_started(record: RunRecord, event: StepStarted) -> None:
    record.status = "running"
    path = event.step
    record.steps[path] = StepRecord(
        status="running",
        payload=event.payload,
        started_at=event.at,
        group=event.group,
        iteration=event.iteration,
    )
    record.path.append(path)
    if event.group:
        record.open_groups[path] = None
    else:
        record.open[path] = "running"


def _apply_step_suspended(record: RunRecord, event: StepSuspended) -> None:
    record.status = "running"
    # A list may have read the last events only.
    step = record.steps.setdefault(event.step, StepRecord(status="running", started_at=event.at))
    step.status, step.suspended_at = "suspended", event.at
    step.suspend_payload, step.label, step.key = event.payload, event.label, event.key
    record.open[event.step] = "suspended"


def _apply_step_resumed(record: RunRecord, event: StepResumed) -> None:
    record.status = "running"
    step = record.steps.get(event.step)
    if step is None:  # the run was rewound at the same time
        return
    step.status, step.resumed_at, step.resume_payload = "running", event.at, event.data
    record.open[event.step] = "running"


def _apply_step_waiting(record: RunRecord, event: StepWaiting) -> None:
    record.status = "running"
    step = record.steps[event.step]
    step.status, step.wakes_at = "waiting", event.wakes_at
    step.child_run_id = event.run_id or step.child_run_id
    record.open[event.step] = "waiting"


def _apply_step_retried(record: RunRecord, event: StepRetried) -> None:
    record.status = "running"
    step = record.steps[event.step]
    step.status, step.retries = "running", event.attempt - 1
    if step.group:
        _cancel_open_steps(record, event.step, event.at)
    else:
        record.open[event.step] = "running"


def _apply_step_ended(record: RunRecord, event: StepEnded) -> None:
    record.status = "running"
    step = record.steps[event.step]
    step.status = "failed" if event.error else "bailed" if event.bailed else "success"
    step.ended_at, step.output, step.error = event.at, event.output, event.error
    record.open.pop(event.step, None)
    record.open_groups.pop(event.step, None)
    if step.group and (event.error or event.cancels_steps):
        _cancel_open_steps(record, event.step, event.at)


def _cancel_open_steps(record: RunRecord, group: str, at: int) -> None:
    """Mark the unfinished steps of a group as canceled."""
    within = (f"{group}.", f"{group}[")
    for path in [each for each in (*record.open, *record.open_groups) if each.startswith(within)]:
        record.open.pop(path, None)
        record.open_groups.pop(path, None)
        record.steps[path].status, record.steps[path].ended_at = "canceled", at


_HANDLERS: dict[type, Any] = {
    RunStarted: _apply_run_started,
    RunRewound: _apply_run_rewound,
    RunIdle: _apply_run_idle,
    RunPaused: _apply_run_paused,
    RunFinished: _apply_run_finished,
    StepStarted: _apply_step_started,
    StepSuspended: _apply_step_suspended,
    StepResumed: _apply_step_resumed,
    StepWaiting: _apply_step_waiting,
    StepRetried: _apply_step_retried,
    StepEnded: _apply_step_ended,
}
