"""The events of a run: readers receive them, and the run's record is built from them."""

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
    "get_timestamp_ms",
)


def get_timestamp_ms() -> int:
    """Return the present time in milliseconds since the epoch, the unit of the HTTP API."""
    return time.time_ns() // 1_000_000


class _Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type"):
    at: int = msgspec.field(default_factory=get_timestamp_ms)


class RunStarted(_Event, frozen=True, kw_only=True, gc=False, tag="run-started"):
    """The run was started, with ``input`` and the initial ``state``."""

    input: Any = None
    state: dict[str, Any] = {}


class RunRewound(_Event, frozen=True, kw_only=True, gc=False, tag="run-rewound"):
    """The run is executed again.

    The run forgets the records of ``steps``, and assumes that earlier steps had the given
    ``outputs``, by path.
    """

    steps: tuple[str, ...] = ()
    outputs: dict[str, Any] = {}


class StepStarted(_Event, frozen=True, kw_only=True, gc=False, tag="step-started"):
    """The execution of a step begins, also in each iteration of a loop.

    ``group`` is set for a step that contains other steps: a nested workflow or a ``foreach``.
    ``iteration`` is the number of the loop's iteration, from 1; 0 outside a loop.
    """

    step: str
    payload: Any = None
    group: bool = False
    iteration: int = 0


class StepSuspended(_Event, frozen=True, kw_only=True, gc=False, tag="step-suspended"):
    """A step waits for ``resume``; ``key`` is the journal key of this wait."""

    step: str
    payload: Any = None
    label: str = ""
    key: str = ""


class StepResumed(_Event, frozen=True, kw_only=True, gc=False, tag="step-resumed"):
    """A suspended step is executed again, with the data from ``resume``."""

    step: str
    data: Any = None


class StepWaiting(_Event, frozen=True, kw_only=True, gc=False, tag="step-waiting"):
    """A step sleeps or waits for a retry, until ``wakes_at`` (milliseconds since the epoch).

    If the step waits for the end of another run, ``run_id`` names that run, and ``wakes_at`` is
    ``None``.
    """

    step: str
    wakes_at: int | None = None
    run_id: str = ""


class StepRetried(_Event, frozen=True, kw_only=True, gc=False, tag="step-retried"):
    """A failed step is retried; ``attempt`` is 2 for the first retry."""

    step: str
    attempt: int
    error: RunError | None = None


class StepWrote(_Event, frozen=True, kw_only=True, gc=False, tag="step-wrote"):
    """A step sent a value to the readers of the run."""

    step: str
    chunk: Any = None


class StepEnded(_Event, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="step-ended"):
    """A step ended with an output or an error.

    ``bailed`` means that the step ended its workflow. ``cancels_steps`` means that the step is a
    group whose unfinished steps were canceled.
    """

    step: str
    output: Any = None
    error: RunError | None = None
    bailed: bool = False
    cancels_steps: bool = False


class RunIdle(_Event, frozen=True, kw_only=True, gc=False, tag="run-idle"):
    """No step is running.

    The status is ``waiting`` if a step sleeps or waits for another run, and ``suspended`` if all
    remaining steps are suspended.
    """

    status: Literal["waiting", "suspended"]


class RunPaused(_Event, frozen=True, kw_only=True, gc=False, tag="run-paused"):
    """A run with ``per_step`` has executed one node, and pauses."""

    state: dict[str, Any] = {}


class RunFinished(_Event, frozen=True, kw_only=True, gc=False, tag="run-finished"):
    """The run has finished."""

    status: Literal["success", "failed", "canceled"]
    result: Any = None
    error: RunError | None = None
    state: dict[str, Any] = {}


_StepEvent = StepStarted | StepSuspended | StepResumed | StepWaiting | StepRetried | StepEnded
RunEvent = _StepEvent | StepWrote | RunStarted | RunRewound | RunIdle | RunPaused | RunFinished
