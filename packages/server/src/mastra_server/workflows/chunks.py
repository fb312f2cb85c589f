"""What happens in a run as chunks: the same ones for whoever began it and whoever comes later."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

from mastra_core.workflows import RunRecord
from mastra_core.workflows.engine.run_events import (
    RunEvent,
    RunFinished,
    RunIdle,
    RunPaused,
    RunRewound,
    RunStarted,
    StepEnded,
    StepResumed,
    StepStarted,
    StepSuspended,
    StepWaiting,
    StepWrote,
)
from mastra_server.workflows.result import step_times
from mastra_server.workflows.step_paths import index_of, plain

__all__ = ("ChunkWriter",)

_NO_TOKENS = dict.fromkeys(
    (
        "inputTokens",
        "outputTokens",
        "totalTokens",
        "cachedInputTokens",
        "cacheCreationInputTokens",
        "reasoningTokens",
    ),
    0,
)
_STATUSES = {StepEnded: "success", StepSuspended: "suspended"}


class ChunkWriter:
    """Folds a run's events, and says what each means to a client."""

    def __init__(self, run_id: str, workflow_id: str) -> None:
        self._record = RunRecord(run_id=run_id, workflow_id=workflow_id)
        self._calls: dict[str, str] = {}
        self._counts: dict[tuple[str, int], int] = {}

    def tell(self, event: RunEvent) -> Iterator[dict[str, Any]]:
        """The chunks of the next event."""
        rested = self._record.settled
        self._record.apply(event)
        if rested and isinstance(event, StepResumed | RunRewound):
            yield self.start()
        tell = _CHUNKS.get(type(event))
        if tell is not None:
            yield from tell(self, event)

    def start(self) -> dict[str, Any]:
        """The run begins, or goes on after a rest."""
        return self.chunk("workflow-start", {"workflowId": self._record.workflow_id})

    def finish(self, status: str, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
        """The run is over, or rests."""
        payload = {
            "workflowStatus": status,
            "metadata": metadata or {},
            "output": {"usage": _NO_TOKENS},
        }
        if status == "success":
            payload["finalWorkflowResult"] = self._record.result
        return self.chunk("workflow-finish", payload)

    def chunk(self, type_: str, payload: dict[str, Any]) -> dict[str, Any]:
        """One chunk of the run."""
        return {"type": type_, "runId": self._record.run_id, "from": "WORKFLOW", "payload": payload}

    def started(self, _: RunStarted) -> Iterator[dict[str, Any]]:
        """The run began."""
        yield self.start()

    def rested(self, event: RunIdle) -> Iterator[dict[str, Any]]:
        """Nothing is under way: a stream ends here if somebody has to resume it."""
        if event.status == "suspended":
            yield self.finish("suspended")

    def paused(self, _: RunPaused) -> Iterator[dict[str, Any]]:
        """The one step that was asked for is done."""
        yield self.chunk("workflow-paused", {})
        yield self.finish("paused")

    def finished(self, event: RunFinished) -> Iterator[dict[str, Any]]:
        """The run is over."""
        if event.status == "canceled":
            yield self.chunk("workflow-canceled", {})
        yield self.finish(event.status)

    def wrote(self, event: StepWrote) -> Iterator[dict[str, Any]]:
        """A step told something."""
        payload = {
            "stepName": plain(event.step),
            "output": event.chunk,
            "runId": self._record.run_id,
        }
        yield {**self.chunk("workflow-step-output", payload), "from": "USER"}

    def began(self, event: StepStarted | StepResumed) -> Iterator[dict[str, Any]]:
        """A step executes."""
        if index_of(event.step) is None:
            self._calls[event.step] = str(uuid.uuid4())
            yield self.chunk("workflow-step-start", self._step(event.step))

    def waits(self, event: StepWaiting) -> Iterator[dict[str, Any]]:
        """A step sleeps, or waits to be tried again."""
        if index_of(event.step) is None:
            yield self.chunk("workflow-step-waiting", self._step(event.step))

    def suspended(self, event: StepSuspended) -> Iterator[dict[str, Any]]:
        """A step waits for a person; an item of a list waits in the name of its step."""
        yield from self._progress(event)
        payload = {**self._step(event.step), "stepName": plain(event.step), "id": plain(event.step)}
        yield self.chunk("workflow-step-suspended", payload)

    def ended(self, event: StepEnded) -> Iterator[dict[str, Any]]:
        """A step is over; the end of an item is progress of its list."""
        if index_of(event.step) is None:
            yield self.chunk("workflow-step-result", self._step(event.step))
        yield from self._progress(event)

    def _progress(self, event: StepEnded | StepSuspended) -> Iterator[dict[str, Any]]:
        group, bracket, index = event.step.removesuffix("]").rpartition("[")
        if not bracket or not index.isdecimal() or index_of(group) is not None:
            return
        payload = {
            "id": group,
            "completedCount": self._completed(group, isinstance(event, StepEnded)),
            "totalCount": len(self._record.steps[group].payload),
            "currentIndex": int(index),
            "iterationStatus": _STATUSES[type(event)],
        }
        if isinstance(event, StepEnded):
            failed = {"iterationStatus": "failed"} if event.error else {}
            payload |= {"iterationOutput": event.output, **failed}
        yield self.chunk("workflow-step-progress", payload)

    def _completed(self, group: str, more: bool) -> int:
        began = self._record.steps[group].started_at
        count = self._counts.get((group, began), 0) + more
        self._counts[group, began] = count
        return count

    def _step(self, path: str) -> dict[str, Any]:
        step = self._record.steps[path]
        return {
            "stepName": path,
            "id": path,
            "stepCallId": self._calls.setdefault(path, str(uuid.uuid4())),
            "payload": step.payload,
            **step_times(step),
        }


_CHUNKS: dict[type, Callable[[ChunkWriter, Any], Iterator[dict[str, Any]]]] = {
    RunStarted: ChunkWriter.started,
    RunIdle: ChunkWriter.rested,
    RunPaused: ChunkWriter.paused,
    RunFinished: ChunkWriter.finished,
    StepStarted: ChunkWriter.began,
    StepResumed: ChunkWriter.began,
    StepWaiting: ChunkWriter.waits,
    StepSuspended: ChunkWriter.suspended,
    StepWrote: ChunkWriter.wrote,
    StepEnded: ChunkWriter.ended,
}
