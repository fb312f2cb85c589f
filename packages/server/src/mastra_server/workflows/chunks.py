"""Convert the events of a workflow run to chunks, the same for every reader."""

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
    """Applies a run's events to a record and converts each to chunks.

    :param run_id: the id of the run.
    :param workflow_id: the id of the workflow.
    """

    def __init__(self, run_id: str, workflow_id: str) -> None:
        self._record = RunRecord(run_id=run_id, workflow_id=workflow_id)
        self._calls: dict[str, str] = {}
        self._counts: dict[tuple[str, int], int] = {}

    def tell(self, event: RunEvent) -> Iterator[dict[str, Any]]:
        """Yield the chunks of the next event.

        :param event: the event.
        """
        was_settled = self._record.settled
        self._record.apply(event)
        if was_settled and isinstance(event, StepResumed | RunRewound):
            yield self.start()
        handler = _CHUNKS.get(type(event))
        if handler is not None:
            yield from handler(self, event)

    def start(self) -> dict[str, Any]:
        """Build the chunk for a run that starts, or continues after it had settled."""
        return self.chunk("workflow-start", {"workflowId": self._record.workflow_id})

    def finish(self, status: str, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
        """Build the chunk for a run that has ended, or is suspended or paused.

        :param status: the status of the run.
        :param metadata: further values.
        """
        payload = {
            "workflowStatus": status,
            "metadata": metadata or {},
            "output": {"usage": _NO_TOKENS},
        }
        if status == "success":
            payload["finalWorkflowResult"] = self._record.result
        return self.chunk("workflow-finish", payload)

    def chunk(self, type_: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Build one chunk of the run.

        :param type_: the type of the chunk.
        :param payload: its payload.
        """
        return {"type": type_, "runId": self._record.run_id, "from": "WORKFLOW", "payload": payload}

    def started(self, _: RunStarted) -> Iterator[dict[str, Any]]:
        """Convert the start of the run.

        :param _: the event, which is not needed.
        """
        yield self.start()

    def rested(self, event: RunIdle) -> Iterator[dict[str, Any]]:
        """End the stream if the run is suspended; nothing in it executes.

        :param event: the event.
        """
        if event.status == "suspended":
            yield self.finish("suspended")

    def paused(self, _: RunPaused) -> Iterator[dict[str, Any]]:
        """Convert the pause after the single step that was requested.

        :param _: the event, which is not needed.
        """
        yield self.chunk("workflow-paused", {})
        yield self.finish("paused")

    def finished(self, event: RunFinished) -> Iterator[dict[str, Any]]:
        """Convert the end of the run.

        :param event: the event.
        """
        if event.status == "canceled":
            yield self.chunk("workflow-canceled", {})
        yield self.finish(event.status)

    def wrote(self, event: StepWrote) -> Iterator[dict[str, Any]]:
        """Convert the output that a step wrote.

        :param event: the event.
        """
        payload = {
            "stepName": plain(event.step),
            "output": event.chunk,
            "runId": self._record.run_id,
        }
        yield {**self.chunk("workflow-step-output", payload), "from": "USER"}

    def began(self, event: StepStarted | StepResumed) -> Iterator[dict[str, Any]]:
        """Convert the start of a step.

        :param event: the event.
        """
        if index_of(event.step) is None:
            self._calls[event.step] = str(uuid.uuid4())
            yield self.chunk("workflow-step-start", self._step(event.step))

    def waits(self, event: StepWaiting) -> Iterator[dict[str, Any]]:
        """Convert a step that sleeps, or waits for its next attempt.

        :param event: the event.
        """
        if index_of(event.step) is None:
            yield self.chunk("workflow-step-waiting", self._step(event.step))

    def suspended(self, event: StepSuspended) -> Iterator[dict[str, Any]]:
        """Convert the suspension of a step; an item of a ``foreach`` is suspended as its step.

        :param event: the event.
        """
        yield from self._progress(event)
        payload = {**self._step(event.step), "stepName": plain(event.step), "id": plain(event.step)}
        yield self.chunk("workflow-step-suspended", payload)

    def ended(self, event: StepEnded) -> Iterator[dict[str, Any]]:
        """Convert the end of a step; the end of an item is progress of its ``foreach``.

        :param event: the event.
        """
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
