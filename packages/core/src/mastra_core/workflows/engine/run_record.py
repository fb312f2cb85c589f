"""What is known of a run: its events, and the record they fold into."""

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
    now,
)

__all__ = ("RunRecord", "Status", "StepRecord")

Status = Literal[
    "pending", "running", "waiting", "suspended", "paused", "success", "failed", "canceled"
]
FINISHED = frozenset(("success", "failed", "canceled"))
SETTLED = FINISHED | {"suspended", "paused"}
OPEN = frozenset(("running", "waiting", "suspended"))


class StepRecord(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One step of a run; times are milliseconds since the epoch.

    :param group: it is made of other steps: a nested workflow or a ``foreach``.
    :param retries: how often it was tried again.
    :param wakes_at: when a sleep ends.
    :param key: by which the journal knows what a suspended step waits for.
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
    retries: int = 0
    group: bool = False
    label: str = ""
    key: str = ""


class RunRecord(msgspec.Struct, kw_only=True, gc=False):
    """A run as it stands: what its events fold into.

    The request context is not part of it: it may hold what the middleware knows of a user.

    :param steps: by path.
    :param path: steps in the order in which they began; one that ran twice is in it twice.
    :param open: steps that are not over, by path, and what they do; groups left out.
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
    created_at: int = msgspec.field(default_factory=now)
    updated_at: int = msgspec.field(default_factory=now)

    @property
    def finished(self) -> bool:
        """Nothing more will happen in it."""
        return self.status in FINISHED

    @property
    def settled(self) -> bool:
        """Nothing happens in it until somebody does something."""
        return self.status in SETTLED

    @property
    def suspended(self) -> list[str]:
        """The paths of the steps that wait for ``resume``."""
        return [path for path, status in self.open.items() if status == "suspended"]

    def apply(self, event: RunEvent) -> None:
        """Fold one event in."""
        self.updated_at = event.at
        fold = _FOLDS.get(type(event))
        if fold is not None:
            fold(self, event)


def _run_started(record: RunRecord, event: RunStarted) -> None:
    record.status, record.input = "running", event.input
    record.initial_state = record.state = event.state


def _run_rewound(record: RunRecord, event: RunRewound) -> None:
    record.status, record.result, record.error = "running", None, None
    record.open.clear()
    for path in event.steps:
        record.steps.pop(path, None)
    for path, output in event.outputs.items():
        step = record.steps.get(path) or StepRecord(status="success", started_at=event.at)
        record.steps[path] = msgspec.structs.replace(
            step, status="success", output=output, error=None, ended_at=step.ended_at or event.at
        )


def _run_idle(record: RunRecord, event: RunIdle) -> None:
    record.status = event.status


def _run_paused(record: RunRecord, event: RunPaused) -> None:
    record.status, record.state = "paused", event.state


def _run_finished(record: RunRecord, event: RunFinished) -> None:
    record.status, record.result, record.error = event.status, event.result, event.error
    record.state = event.state
    if event.status == "success" and not record.open:  # unless it was bailed out of
        return
    record.open.clear()
    for step in record.steps.values():
        if step.status in OPEN:
            step.status, step.ended_at = "canceled", event.at


def _step_started(record: RunRecord, event: StepStarted) -> None:
    record.status = "running"
    path = event.step
    record.steps[path] = StepRecord(
        status="running", payload=event.payload, started_at=event.at, group=event.group
    )
    record.path.append(path)
    if not event.group:
        record.open[path] = "running"


def _step_suspended(record: RunRecord, event: StepSuspended) -> None:
    record.status = "running"
    step = record.steps[event.step]
    step.status, step.suspended_at = "suspended", event.at
    step.suspend_payload, step.label, step.key = event.payload, event.label, event.key
    record.open[event.step] = "suspended"


def _step_resumed(record: RunRecord, event: StepResumed) -> None:
    record.status = "running"
    step = record.steps[event.step]
    step.status, step.resumed_at, step.resume_payload = "running", event.at, event.data
    record.open[event.step] = "running"


def _step_waiting(record: RunRecord, event: StepWaiting) -> None:
    record.status = "running"
    step = record.steps[event.step]
    step.status, step.wakes_at = "waiting", event.wakes_at
    record.open[event.step] = "waiting"


def _step_retried(record: RunRecord, event: StepRetried) -> None:
    record.status = "running"
    step = record.steps[event.step]
    step.status, step.retries = "running", event.attempt - 1
    record.open[event.step] = "running"


def _step_ended(record: RunRecord, event: StepEnded) -> None:
    record.status = "running"
    step = record.steps[event.step]
    step.status = "failed" if event.error else "bailed" if event.bailed else "success"
    step.ended_at, step.output, step.error = event.at, event.output, event.error
    record.open.pop(event.step, None)
    if step.group and event.error:
        _abandon(record, event.step, event.at)


def _abandon(record: RunRecord, group: str, at: int) -> None:
    """What was under way in a group that failed is over too."""
    within = (f"{group}.", f"{group}[")
    for path in [path for path in record.open if path.startswith(within)]:
        del record.open[path]
        record.steps[path].status, record.steps[path].ended_at = "canceled", at


_FOLDS: dict[type, Any] = {
    RunStarted: _run_started,
    RunRewound: _run_rewound,
    RunIdle: _run_idle,
    RunPaused: _run_paused,
    RunFinished: _run_finished,
    StepStarted: _step_started,
    StepSuspended: _step_suspended,
    StepResumed: _step_resumed,
    StepWaiting: _step_waiting,
    StepRetried: _step_retried,
    StepEnded: _step_ended,
}
