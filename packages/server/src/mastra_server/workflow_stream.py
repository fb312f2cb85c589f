"""A run's events as the records of its stream: JSON, each ended by the byte 0x1E."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncGenerator
from typing import Any

from mastra_core.errors import InvalidInput
from mastra_core.logger import logger_of
from mastra_core.workflows import Run, RunRecord
from mastra_core.workflows.events import (
    RunEvent,
    RunFinished,
    StepEnded,
    StepResumed,
    StepStarted,
    StepSuspended,
    StepWrote,
)
from mastra_server.answers import StreamAnswer, closing, encode
from mastra_server.workflow_wire import step_times

__all__ = ("refused_stream", "run_stream")

_TYPES = {
    StepStarted: "workflow-step-start",
    StepResumed: "workflow-step-start",
    StepSuspended: "workflow-step-suspended",
    StepEnded: "workflow-step-result",
}
_TOLD = frozenset((*_TYPES, StepWrote, RunFinished))
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


def run_stream(run: Run, offset: int = 0) -> StreamAnswer:
    """What happens in ``run`` from event ``offset`` on, until it finishes or waits.

    The run does not depend on anybody reading.
    """
    return _answer(_chunks(run, offset))


def refused_stream(workflow_id: str, run_id: str, error: InvalidInput) -> StreamAnswer:
    """The stream of a run that never began: the client expects the reason in it, not a 400."""
    told = {
        "message": error.message,
        "domain": "MASTRA_WORKFLOW",
        "category": "USER",
        "code": "WORKFLOW_SCHEMA_VALIDATION_FAILED",
        "details": dict(error.issues),
    }

    async def chunks() -> AsyncGenerator[dict[str, Any]]:
        yield _chunk(run_id, "workflow-start", {"workflowId": workflow_id})
        metadata = {"error": told, "errorMessage": error.message}
        yield _chunk(run_id, "workflow-finish", _finish("failed", metadata))

    return _answer(chunks())


def _answer(chunks: AsyncGenerator[dict[str, Any]]) -> StreamAnswer:
    return StreamAnswer(_records(chunks), "text/plain")


async def _records(chunks: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    async with contextlib.aclosing(chunks) as items:
        async for chunk in items:
            try:
                record = encode(chunk) + b"\x1e"
            except (TypeError, ValueError) as error:
                logger_of("mastra.server").error("a chunk has no JSON form", exc_info=error)
                continue
            yield record


async def _chunks(run: Run, offset: int) -> AsyncGenerator[dict[str, Any]]:
    writer = _Writer(RunRecord(run_id=run.record.run_id, workflow_id=run.record.workflow_id))
    yield writer.start()
    finished = False
    async with closing(run.events()) as events:
        index = 0
        async for event in events:
            writer.record.apply(event)
            index += 1
            if index <= offset or type(event) not in _TOLD:
                continue
            finished = isinstance(event, RunFinished)
            yield writer.tell(event)
    if not finished:
        yield writer.suspended()


class _Writer:
    """Folds a record of its own: the run's may be ahead of the event that is told."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self._calls: dict[str, str] = {}

    def start(self) -> dict[str, Any]:
        return self._chunk("workflow-start", {"workflowId": self.record.workflow_id})

    def suspended(self) -> dict[str, Any]:
        return self._chunk("workflow-finish", _finish(self.record.status, {}))

    def tell(self, event: RunEvent) -> dict[str, Any]:
        match event:
            case RunFinished():
                payload = _finish(event.status, {})
                if event.status == "success":
                    payload["finalWorkflowResult"] = event.result
                return self._chunk("workflow-finish", payload)
            case StepWrote():
                output = {"stepName": event.step, "output": event.chunk}
                payload = {**output, "runId": self.record.run_id}
                return {**self._chunk("workflow-step-output", payload), "from": "USER"}
            case StepStarted() | StepResumed() | StepSuspended() | StepEnded():
                return self._chunk(_TYPES[type(event)], self._step(event))
            case _:
                raise TypeError(f"{event!r} has no chunk")

    def _step(self, event: Any) -> dict[str, Any]:
        if isinstance(event, StepStarted | StepResumed) or event.step not in self._calls:
            self._calls[event.step] = str(uuid.uuid4())
        step = self.record.steps[event.step]
        return {
            "stepName": event.step,
            "id": event.step,
            "stepCallId": self._calls[event.step],
            "payload": step.payload,
            **step_times(step),
        }

    def _chunk(self, type_: str, payload: dict[str, Any]) -> dict[str, Any]:
        return _chunk(self.record.run_id, type_, payload)


def _chunk(run_id: str, type_: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"type": type_, "runId": run_id, "from": "WORKFLOW", "payload": payload}


def _finish(status: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {"workflowStatus": status, "metadata": metadata, "output": {"usage": _NO_TOKENS}}
