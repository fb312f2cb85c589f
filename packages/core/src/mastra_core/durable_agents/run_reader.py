"""Read the events of an agent from the run of a workflow."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator

import msgspec

from mastra_core.agents.event_chunk import read_event_chunk
from mastra_core.agents.events import AgentEvent, Failure, Start, StepFinish
from mastra_core.workflows.engine.protocol import Run
from mastra_core.workflows.engine.run_events import RunEvent, RunFinished, RunRewound, StepWrote

__all__ = ("iter_agent_events",)

_RETRY = StepFinish(reason="retry", continued=True)
_CANCELED = Failure(message="The run was canceled.", kind="RunCanceled", status=409)


async def iter_agent_events(run: Run, offset: int = 0) -> AsyncGenerator[AgentEvent]:
    """Yield the events of an agent, until its run ends or is suspended.

    A failure that a restart of the run has overcome is not yielded.

    :param run: the run of the agent's workflow.
    :param offset: the number of events of the workflow to skip.
    """
    failure: Failure | None = None
    async for event in run.iter_events(offset):
        if isinstance(event, StepWrote):
            found = _read_event(event, run.record.run_id)
            if isinstance(found, Failure):
                failure = found
            elif found is not None:
                yield found
        elif isinstance(event, RunRewound):
            if failure is not None:
                yield _RETRY
            failure = None
        elif (end := _build_failure(event, failure)) is not None:
            failure = end
    if failure is not None:
        yield failure


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


def _build_failure(event: RunEvent, failure: Failure | None) -> Failure | None:
    """Return the failure that has ended a run."""
    if not isinstance(event, RunFinished):
        return None
    if event.status == "canceled":
        return _CANCELED
    if event.error is None or failure is not None:
        return failure
    return Failure(message=event.error.message, kind=event.error.name)
