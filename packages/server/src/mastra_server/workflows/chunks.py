"""Convert the events of a workflow run to chunks, which are the same for all readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mastra_core.agents import AgentInput, Finish, Start, Usage
from mastra_core.agents.event_chunk import read_event_chunk
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
from mastra_core.workflows.engine.step_paths import strip_indexes
from mastra_server.agents.chunk_writer import AgentChunkWriter
from mastra_server.agents.transcript import Transcript, derive_id
from mastra_server.workflows.result import build_step
from mastra_server.workflows.step_paths import get_item_index

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
    """Builds the record of a run from its events, and converts each event to chunks.

    :param run_id: the id of the run.
    :param workflow_id: the id of the workflow.
    """

    def __init__(self, run_id: str, workflow_id: str) -> None:
        self._record = RunRecord(run_id=run_id, workflow_id=workflow_id)
        self._calls: dict[str, int] = {}  # how often each step has started
        self._usage = Usage()  # of the agents that were steps
        self._agents: dict[str, AgentChunkWriter] = {}  # of steps that run agents
        self._messages = 0  # of agents that were steps
        self._counts: dict[tuple[str, int], int] = {}

    def write(self, event: RunEvent) -> Iterator[dict[str, Any]]:
        """Yield the chunks of the next event.

        :param event: the event.
        """
        was_settled = self._record.is_settled
        self._record.apply(event)
        if was_settled and isinstance(event, StepResumed | RunRewound):
            yield self.build_start()
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            yield from handler(self, event)

    def build_start(self) -> dict[str, Any]:
        """Build the chunk for the start of a run, or for its continuation."""
        return self.build_chunk("workflow-start", {"workflowId": self._record.workflow_id})

    def build_finish(self, status: str, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
        """Build the chunk for a run that has ended, or is suspended or paused.

        :param status: the status of the run.
        :param metadata: further values.
        """
        payload = {
            "workflowStatus": status,
            "metadata": metadata or {},
            "output": {"usage": _NO_TOKENS | _build_tokens(self._usage)},
        }
        if status == "success":
            payload["finalWorkflowResult"] = self._record.result
        return self.build_chunk("workflow-finish", payload)

    def build_chunk(self, type_: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Build one chunk of the run.

        :param type_: the type of the chunk.
        :param payload: the payload of the chunk.
        """
        return {"type": type_, "runId": self._record.run_id, "from": "WORKFLOW", "payload": payload}

    def on_started(self, _: RunStarted) -> Iterator[dict[str, Any]]:
        """Convert the start of the run.

        :param _: the event, which is not used.
        """
        yield self.build_start()

    def on_idle(self, event: RunIdle) -> Iterator[dict[str, Any]]:
        """End the stream if the run is suspended, but not if it only sleeps.

        :param event: the event.
        """
        if event.status == "suspended":
            yield self.build_finish("suspended")

    def on_paused(self, _: RunPaused) -> Iterator[dict[str, Any]]:
        """Convert the end of the requested step, after which a run with ``per_step`` pauses.

        :param _: the event, which is not used.
        """
        yield self.build_chunk("workflow-paused", {})
        yield self.build_finish("paused")

    def on_finished(self, event: RunFinished) -> Iterator[dict[str, Any]]:
        """Convert the end of the run.

        :param event: the event.
        """
        if event.status == "canceled":
            yield self.build_chunk("workflow-canceled", {})
        yield self.build_finish(event.status)

    def on_step_wrote(self, event: StepWrote) -> Iterator[dict[str, Any]]:
        """Convert the output that a step wrote.

        :param event: the event.
        """
        for output in self._list_outputs(event):
            payload = {
                "stepName": strip_indexes(event.step),
                "output": output,
                "runId": self._record.run_id,
            }
            yield {**self.build_chunk("workflow-step-output", payload), "from": "USER"}

    def on_step_started(self, event: StepStarted | StepResumed) -> Iterator[dict[str, Any]]:
        """Convert the start of a step.

        :param event: the event.
        """
        if get_item_index(event.step) is None:
            self._calls[event.step] = self._calls.get(event.step, 0) + 1
            yield self.build_chunk("workflow-step-start", self._build_step(event.step))

    def on_step_waiting(self, event: StepWaiting) -> Iterator[dict[str, Any]]:
        """Convert the event of a step that sleeps or waits for its next attempt.

        :param event: the event.
        """
        if get_item_index(event.step) is None:
            yield self.build_chunk("workflow-step-waiting", self._build_step(event.step))

    def on_step_suspended(self, event: StepSuspended) -> Iterator[dict[str, Any]]:
        """Convert the suspension of a step; an item of a ``foreach`` step is reported as the step.

        :param event: the event.
        """
        yield from self._write_progress(event)
        payload = {
            **self._build_step(event.step),
            "stepName": strip_indexes(event.step),
            "id": strip_indexes(event.step),
        }
        yield self.build_chunk("workflow-step-suspended", payload)

    def on_step_ended(self, event: StepEnded) -> Iterator[dict[str, Any]]:
        """Convert the end of a step; report the end of a ``foreach`` item as progress of the step.

        :param event: the event.
        """
        if get_item_index(event.step) is None:
            yield self.build_chunk("workflow-step-result", self._build_step(event.step))
        yield from self._write_progress(event)

    def _list_outputs(self, event: StepWrote) -> list[Any]:
        """Return the value that a step wrote, or the chunks for an event of its agent."""
        found = read_event_chunk(event.chunk)
        if found is None:
            return [event.chunk]
        agent_id, agent_event = found
        if isinstance(agent_event, Start):
            run_input = AgentInput(run_id=self._record.run_id)
            self._messages += 1
            message_id = derive_id(self._record.run_id, event.step, "message", self._messages)
            transcript = Transcript(agent_id, run_input, message_id)
            self._agents[event.step] = AgentChunkWriter(transcript)
        writer = self._agents.get(event.step)
        if isinstance(agent_event, Finish):
            self._usage += agent_event.usage
            self._agents.pop(event.step, None)  # the transcript is large
        return [] if writer is None else list(writer.write(agent_event))

    def _write_progress(self, event: StepEnded | StepSuspended) -> Iterator[dict[str, Any]]:
        group, bracket, index = event.step.removesuffix("]").rpartition("[")
        if not bracket or not index.isdecimal() or get_item_index(group) is not None:
            return
        payload = {
            "stepName": group,
            "id": group,
            "completedCount": self._count_completed(group, isinstance(event, StepEnded)),
            "totalCount": len(self._record.steps[group].payload),
            "currentIndex": int(index),
            "iterationStatus": _STATUSES[type(event)],
        }
        if isinstance(event, StepEnded):
            failed = {"iterationStatus": "failed"} if event.error else {}
            payload |= {"iterationOutput": event.output, **failed}
        yield self.build_chunk("workflow-step-progress", payload)

    def _count_completed(self, group: str, more: bool) -> int:
        began = self._record.steps[group].started_at
        count = self._counts.get((group, began), 0) + more
        self._counts[group, began] = count
        return count

    def _build_step(self, path: str) -> dict[str, Any]:
        step = self._record.steps[path]
        return {
            "stepName": path,
            "id": path,
            "stepCallId": self._build_call_id(path),
            "payload": step.payload,
            **build_step(step),
        }

    def _build_call_id(self, path: str) -> str:
        """Return the id of the latest call of a step, which is the same for all readers."""
        return derive_id(self._record.run_id, path, self._calls.get(path, 0))


def _build_tokens(usage: Usage) -> dict[str, int]:
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
        "cachedInputTokens": usage.cached_tokens,
        "reasoningTokens": usage.reasoning_tokens,
    }


_HANDLERS: dict[type, Callable[[ChunkWriter, Any], Iterator[dict[str, Any]]]] = {
    RunStarted: ChunkWriter.on_started,
    RunIdle: ChunkWriter.on_idle,
    RunPaused: ChunkWriter.on_paused,
    RunFinished: ChunkWriter.on_finished,
    StepStarted: ChunkWriter.on_step_started,
    StepResumed: ChunkWriter.on_step_started,
    StepWaiting: ChunkWriter.on_step_waiting,
    StepSuspended: ChunkWriter.on_step_suspended,
    StepWrote: ChunkWriter.on_step_wrote,
    StepEnded: ChunkWriter.on_step_ended,
}
