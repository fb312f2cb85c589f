"""What happens in a run, as whoever watches it is told."""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec

from mastra_core.workflows.engine.outcome import RunError

__all__ = (
    "RunEvent",
    "RunFinished",
    "RunIdle",
    "RunPaused",
    "RunRewound",
    "RunStarted",
    "StepEnded",
    "StepResumed",
    "StepRetried",
    "StepStarted",
    "StepSuspended",
    "StepWaiting",
    "StepWrote",
    "now",
)


def now() -> int:
    """Milliseconds since the epoch, the wire's unit."""
    return time.time_ns() // 1_000_000


class _Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type"):
    at: int = msgspec.field(default_factory=now)


class RunStarted(_Event, frozen=True, kw_only=True, gc=False, tag="run-started"):
    """The run began."""

    input: Any = None
    state: dict[str, Any] = {}


class RunRewound(_Event, frozen=True, kw_only=True, gc=False, tag="run-rewound"):
    """The run begins again in its middle: ``steps`` are forgotten, ``outputs`` are as given."""

    steps: tuple[str, ...] = ()
    outputs: dict[str, Any] = {}


class StepStarted(_Event, frozen=True, kw_only=True, gc=False, tag="step-started"):
    """A step executes, for the first time in this run or in this iteration of a loop."""

    step: str
    payload: Any = None
    group: bool = False


class StepSuspended(_Event, frozen=True, kw_only=True, gc=False, tag="step-suspended"):
    """A step waits for ``resume``."""

    step: str
    payload: Any = None
    label: str = ""
    key: str = ""


class StepResumed(_Event, frozen=True, kw_only=True, gc=False, tag="step-resumed"):
    """A suspended step executes again, with data."""

    step: str
    data: Any = None


class StepWaiting(_Event, frozen=True, kw_only=True, gc=False, tag="step-waiting"):
    """A step sleeps, or waits to be tried again, until ``wakes_at``."""

    step: str
    wakes_at: int


class StepRetried(_Event, frozen=True, kw_only=True, gc=False, tag="step-retried"):
    """A step that failed executes again; ``attempt`` is 2 for the first time."""

    step: str
    attempt: int
    error: RunError | None = None


class StepWrote(_Event, frozen=True, kw_only=True, gc=False, tag="step-wrote"):
    """A step told something to whoever watches."""

    step: str
    chunk: Any = None


class StepEnded(_Event, frozen=True, kw_only=True, gc=False, tag="step-ended"):
    """A step is over: with an output, or an error."""

    step: str
    output: Any = None
    error: RunError | None = None
    bailed: bool = False


class RunIdle(_Event, frozen=True, kw_only=True, gc=False, tag="run-idle"):
    """Nothing in the run is under way: something sleeps, or all that is left is suspended."""

    status: Literal["waiting", "suspended"]


class RunPaused(_Event, frozen=True, kw_only=True, gc=False, tag="run-paused"):
    """One step was asked for, and is done."""

    state: dict[str, Any] = {}


class RunFinished(_Event, frozen=True, kw_only=True, gc=False, tag="run-finished"):
    """The run is over."""

    status: Literal["success", "failed", "canceled"]
    result: Any = None
    error: RunError | None = None
    state: dict[str, Any] = {}


_StepEvent = StepStarted | StepSuspended | StepResumed | StepWaiting | StepRetried | StepEnded
RunEvent = _StepEvent | StepWrote | RunStarted | RunRewound | RunIdle | RunPaused | RunFinished
