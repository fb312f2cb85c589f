"""What is known of a run: its events, and the record they fold into."""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec

__all__ = (
    "RunError",
    "RunEvent",
    "RunFinished",
    "RunRecord",
    "RunStarted",
    "Status",
    "StepEnded",
    "StepRecord",
    "StepResumed",
    "StepStarted",
    "StepSuspended",
    "StepWrote",
    "now",
)

Status = Literal["pending", "running", "suspended", "success", "failed", "canceled"]
FINISHED = frozenset(("success", "failed", "canceled"))


def now() -> int:
    """Milliseconds since the epoch, the wire's unit."""
    return time.time_ns() // 1_000_000


class RunError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a step or run failed; never a traceback."""

    message: str
    name: str = "Error"


class StepRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One step of a run; times are milliseconds since the epoch."""

    status: Literal["running", "suspended", "success", "failed", "canceled"]
    payload: Any = None
    output: Any = None
    error: RunError | None = None
    started_at: int = 0
    ended_at: int | None = None
    suspend_payload: Any = None
    suspended_at: int | None = None
    resume_payload: Any = None
    resumed_at: int | None = None


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    at: int = msgspec.field(default_factory=now)


class RunStarted(_Event, frozen=True, tag="run-started", kw_only=True):
    """The run began."""

    input: Any = None


class StepStarted(_Event, frozen=True, tag="step-started", kw_only=True):
    """A step executes for the first time in this run."""

    step: str
    payload: Any = None


class StepSuspended(_Event, frozen=True, tag="step-suspended", kw_only=True):
    """A step waits for ``resume``."""

    step: str
    payload: Any = None


class StepResumed(_Event, frozen=True, tag="step-resumed", kw_only=True):
    """A suspended step executes again, with data."""

    step: str
    data: Any = None


class StepWrote(_Event, frozen=True, tag="step-wrote", kw_only=True):
    """A step told something to whoever watches."""

    step: str
    chunk: Any = None


class StepEnded(_Event, frozen=True, tag="step-ended", kw_only=True):
    """A step is over: with an output, or an error."""

    step: str
    output: Any = None
    error: RunError | None = None


class RunFinished(_Event, frozen=True, tag="run-finished", kw_only=True):
    """The run is over."""

    status: Literal["success", "failed", "canceled"]
    result: Any = None
    error: RunError | None = None


RunEvent = (
    RunStarted | StepStarted | StepSuspended | StepResumed | StepWrote | StepEnded | RunFinished
)


class RunRecord(msgspec.Struct, kw_only=True):
    """A run as it stands: what its events fold into.

    The request context is not part of it: it may hold what the middleware knows of a user.
    """

    run_id: str
    workflow_id: str
    resource_id: str = ""
    status: Status = "pending"
    input: Any = None
    result: Any = None
    error: RunError | None = None
    steps: dict[str, StepRecord] = msgspec.field(default_factory=dict)
    created_at: int = msgspec.field(default_factory=now)
    updated_at: int = msgspec.field(default_factory=now)

    @property
    def finished(self) -> bool:
        """Nothing more will happen in it."""
        return self.status in FINISHED

    @property
    def suspended(self) -> list[str]:
        """The steps that wait for ``resume``."""
        return [name for name, item in self.steps.items() if item.status == "suspended"]

    def apply(self, event: RunEvent) -> None:
        """Fold one event in."""
        self.updated_at = event.at
        match event:
            case RunStarted():
                self.status, self.input = "running", event.input
            case RunFinished():
                self._finish(event)
            case StepWrote():
                pass
            case _:
                self._apply_to_step(event)
                running = any(item.status == "running" for item in self.steps.values())
                self.status = "suspended" if self.suspended and not running else "running"

    def _apply_to_step(self, event: StepStarted | StepSuspended | StepResumed | StepEnded) -> None:
        if isinstance(event, StepStarted):
            self.steps[event.step] = StepRecord(
                status="running", payload=event.payload, started_at=event.at
            )
            return
        step = self.steps[event.step]
        match event:
            case StepSuspended():
                step.status, step.suspended_at = "suspended", event.at
                step.suspend_payload = event.payload
            case StepResumed():
                step.status, step.resumed_at = "running", event.at
                step.resume_payload = event.data
            case StepEnded():
                step.status = "failed" if event.error else "success"
                step.ended_at, step.output, step.error = event.at, event.output, event.error

    def _finish(self, event: RunFinished) -> None:
        self.status, self.result, self.error = event.status, event.result, event.error
        for step in self.steps.values():
            if step.status in ("running", "suspended"):
                step.status, step.ended_at = "canceled", event.at
