"""Read the events of an agent from the run of a workflow."""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncGenerator
from typing import TypeGuard

import msgspec

from mastra_core.agents.close_stream import close_at_end
from mastra_core.agents.event_chunk import read_event_chunk
from mastra_core.agents.events import AgentEvent, Failure, Finish, Start, StepFinish
from mastra_core.workflows.engine.protocol import Run
from mastra_core.workflows.engine.run_events import (
    RunFinished,
    RunIdle,
    RunRewound,
    StepResumed,
    StepWrote,
)

__all__ = ("iter_agent_events",)

_RETRY = StepFinish(reason="retry", continued=True)
_CANCELED = Failure(message="The run was canceled.", kind="RunCanceled", status=409)


async def iter_agent_events(
    run: Run, offset: int = 0, *, until_suspended: bool = False
) -> AsyncGenerator[AgentEvent]:
    """Yield the events of an agent, until its run ends or is suspended.

    If a run failed and was then restarted, the event of this failure is left out.

    :param run: the run of the agent's workflow.
    :param offset: the number of events of the workflow to skip.
    :param until_suspended: whether to stop at the first suspension, even if another caller has
        resumed the run before this reader noticed the suspension.
    """
    last: Failure | Finish | None = None  # waits for the end of the run
    is_suspended = False
    async with close_at_end(run.iter_events(offset)) as events:
        async for event in events:
            if isinstance(event, StepWrote):
                found = _read_event(event, run.record.run_id)
                if _may_be_last(found):
                    last = found
                elif found is not None:
                    last = None
                    is_suspended = until_suspended and isinstance(found, Finish)
                    yield found
            elif is_suspended and isinstance(event, RunIdle | StepResumed):
                return
            elif isinstance(event, RunRewound):
                if isinstance(last, Failure):
                    yield _RETRY
                last = None
            elif isinstance(event, RunFinished):
                last = _complete_last(event, last)
    if last is not None:
        yield last


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
