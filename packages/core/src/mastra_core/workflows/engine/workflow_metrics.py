"""Measure the runs of workflows by their events."""

from __future__ import annotations

import time
from typing import Any

from mastra_core.metrics.definitions import (
    WORKFLOW_ACTIVE_RUNS,
    WORKFLOW_OLDEST_RUN,
    WORKFLOW_RUN_DURATION,
)
from mastra_core.metrics.recording import is_recording, record
from mastra_core.workflows.engine.run_events import (
    RunEvent,
    RunFinished,
    RunIdle,
    RunPaused,
    RunRewound,
    RunStarted,
    StepResumed,
)

__all__ = ("measure_end", "measure_event", "measure_start")

_NONE = float("inf")  # the start time of the oldest run, while no run is active
_active: dict[Any, float] = {}  # when each active run started, in this order


def measure_event(workflow: str, run: Any, event: RunEvent) -> None:
    """Record the metrics of an event, for a run that only one process executes.

    :param workflow: the id of the workflow.
    :param run: any hashable value that identifies the run in this process.
    :param event: the event.
    """
    kind = type(event)
    if kind is RunStarted or kind is RunRewound or kind is StepResumed:
        measure_start(workflow, run)
    elif isinstance(event, RunFinished):
        measure_end(workflow, run, event.status)
    elif kind is RunPaused:
        measure_end(workflow, run, "paused")
    elif isinstance(event, RunIdle) and event.status == "suspended":
        measure_end(workflow, run, event.status)


def measure_start(workflow: str, run: Any) -> None:
    """Record that this process begins to execute a run.

    :param workflow: the id of the workflow.
    :param run: any hashable value that identifies the run in this process.
    """
    if run in _active or not is_recording():
        return
    _active[run] = time.time()
    record(WORKFLOW_ACTIVE_RUNS, 1, workflow)
    if len(_active) == 1:
        record(WORKFLOW_OLDEST_RUN, _active[run])


def measure_end(workflow: str, run: Any, outcome: str) -> None:
    """Record that this process ends the execution of a run.

    :param workflow: the id of the workflow.
    :param run: any hashable value that identifies the run in this process.
    :param outcome: the status of the run.
    """
    started_at = _active.pop(run, None)
    if started_at is None:
        return
    record(WORKFLOW_ACTIVE_RUNS, -1, workflow)
    record(WORKFLOW_RUN_DURATION, max(time.time() - started_at, 0), workflow, outcome)
    record(WORKFLOW_OLDEST_RUN, next(iter(_active.values()), _NONE))
