"""Read the events of an agent from the run of a workflow."""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncGenerator, Iterator
from typing import TypeGuard

import msgspec

from mastra_core.agents.close_stream import close_at_end
from mastra_core.agents.event_chunk import read_event_chunk
from mastra_core.agents.events import AgentEvent, Failure, Finish, Start, StepFinish
from mastra_core.workflows.engine.protocol import Run
from mastra_core.workflows.engine.run_events import (
    RunEvent,
    RunFinished,
    RunIdle,
    RunRewound,
    StepResumed,
    StepSuspended,
    StepWrote,
)

__all__ = ("iter_agent_events",)

_RETRY = StepFinish(reason="retry", continued=True)
_CANCELED = Failure(message="The run was canceled.", kind="RunCanceled", status=409)


async def iter_agent_events(
    run: Run, offset: int = 0, *, until_suspended: bool = False
) -> AsyncGenerator[AgentEvent]:
    """Yield the events of an agent, until its run ends or is suspended.

    The ``Finish`` of a suspension is yielded when the run is suspended, so that a caller can decide
    at once. If a run failed and was then restarted, the event of this failure is left out.

    :param run: the run of the agent's workflow.
    :param offset: the number of events of the workflow to skip.
    :param until_suspended: whether to stop at the first suspension, even if another caller has
        resumed the run before this reader noticed the suspension.
    """
    converter = _EventConverter(run.record.run_id)
    async with close_at_end(run.iter_events(offset)) as events:
        async for event in events:
            is_over = converter.has_suspension and isinstance(event, RunIdle | StepResumed)
            for found in converter.convert(event):
                yield found
            if is_over and until_suspended:
                return
    for found in converter.close():
        yield found


class _EventConverter:
    """Converts the events of a workflow to the events of its agent.

    :param run_id: the id of the run.
    """

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._last: Failure | Finish | None = None  # waits for the end of the run
        self._suspension: Finish | None = None  # waits until the run is suspended

    @property
    def has_suspension(self) -> bool:
        """Whether the agent has ended its part of the run, and the run is not suspended yet."""
        return self._suspension is not None

    def convert(self, event: RunEvent) -> Iterator[AgentEvent]:
        """Yield the events of the agent that follow from an event of the workflow.

        :param event: the event of the workflow.
        """
        if isinstance(event, StepWrote):
            yield from self._convert_chunk(event)
            return
        if self._suspension is not None and not isinstance(event, StepSuspended):
            yield self._suspension
            self._suspension = None
        if isinstance(event, RunRewound):
            if isinstance(self._last, Failure):
                yield _RETRY
            self._last = None
        elif isinstance(event, RunFinished):
            self._last = _complete_last(event, self._last)

    def close(self) -> Iterator[AgentEvent]:
        """Yield the events that were waiting for the end of the run."""
        for event in (self._suspension, self._last):
            if event is not None:
                yield event

    def _convert_chunk(self, event: StepWrote) -> Iterator[AgentEvent]:
        found = _read_event(event, self._run_id)
        if _may_be_last(found):
            self._last = found
        elif found is not None:
            self._last = None
            if isinstance(found, Finish):
                self._suspension = found
            else:
                yield found


def _may_be_last(event: AgentEvent | None) -> TypeGuard[Failure | Finish]:
    if isinstance(event, Finish):
        return event.reason != "suspended"
    return isinstance(event, Failure)


def _complete_last(event: RunFinished, last: Failure | Finish | None) -> Failure | Finish | None:
    """Return the event that ends an agent's run, with the history from the workflow's result."""
    if isinstance(last, Finish):
        if event.status == "success":
            return msgspec.structs.replace(last, history=base64.b64decode(event.result or ""))
        last = None
    if event.status == "canceled":
        return _CANCELED
    if event.error is None or last is not None:
        return last
    return Failure(message=event.error.message, kind=event.error.name)


def _read_event(event: StepWrote, run_id: str) -> AgentEvent | None:
    found = read_event_chunk(event.chunk)
    if found is None:
        return None
    agent_event = found[1]
    if isinstance(agent_event, Start) and not agent_event.message_id:
        # All servers must show the same id.
        message_id = str(uuid.uuid5(uuid.NAMESPACE_URL, run_id))
        return msgspec.structs.replace(agent_event, message_id=message_id)
    return agent_event
