"""Runs of agents that wait for somebody: kept, found again, and gone on with."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request

from mastra_core.agents import (
    AgentEvent,
    AgentInput,
    AgentLike,
    ApprovalRequired,
    Decision,
    Finish,
    SuspendedRun,
    SuspendedRuns,
    ToolSuspended,
)
from mastra_core.agents.protocol import put_together
from mastra_core.errors import Conflict, NotFound
from mastra_server.http.request_body import InvalidBody
from mastra_server.http.request_context import confined, context_of
from mastra_server.http.responses import closing

__all__ = ("decided", "found", "kept", "suspended_runs", "unclaimed", "waiting_call")

_Request = Request[Any, Any, Any]


def suspended_runs(request: _Request) -> SuspendedRuns:
    """Where they are kept."""
    runs: SuspendedRuns = request.app.state.mastra.suspended_runs
    return runs


async def kept(
    agent: AgentLike, wish: AgentInput, runs: SuspendedRuns
) -> AsyncGenerator[AgentEvent]:
    """The events of a run; one that is suspended is kept before anybody hears of it, so that
    whoever decides at once finds it.
    """
    held: list[AgentEvent] = []
    async with closing(agent.stream(wish)) as events:
        async for event in events:
            if isinstance(event, ApprovalRequired | ToolSuspended):
                held.append(event)
            elif not isinstance(event, Finish):
                yield event
            else:
                held.append(event)
    if any(isinstance(event, ApprovalRequired | ToolSuspended) for event in held):
        await runs.put(SuspendedRun.of(agent.id, wish, put_together(held)))
    for event in held:
        yield event


async def unclaimed(request: _Request, agent: AgentLike, wish: AgentInput) -> None:
    """Nobody may put a run in the place of another's that waits: callers choose ids as well.

    :raises Conflict: when the id of ``wish`` is that of another's run.
    """
    try:
        run = await suspended_runs(request).get(wish.run_id)
    except NotFound:
        return
    if (run.agent_id, run.wish.resource) != (agent.id, wish.resource):
        raise Conflict(f"The run id {wish.run_id!r} is taken.")


async def found(request: _Request, agent: AgentLike, run_id: str) -> SuspendedRun:
    """A suspended run of this agent and caller.

    :raises NotFound: when there is none.
    """
    run = await suspended_runs(request).get(run_id)
    owner = confined(request)
    if run.agent_id != agent.id or (owner and run.wish.resource != owner):
        raise NotFound(f"There is no suspended run {run_id!r}.")
    return run


def waiting_call(run: SuspendedRun, call_id: str | None) -> ApprovalRequired | ToolSuspended:
    """The call that is decided; the only one, where none is named.

    :raises InvalidBody: when ``run`` does not wait for it, or for several.
    """
    for event in run.waiting:
        if event.id == call_id or (call_id is None and len(run.waiting) == 1):
            return event
    known = ", ".join(event.id for event in run.waiting)
    raise InvalidBody("toolCallId", f"Expected one of {known}")


def decided(
    request: _Request,
    run: SuspendedRun,
    call_id: str,
    decision: Decision,
    context: dict[str, Any] | None,
) -> AgentInput:
    """The input with which ``run`` goes on."""
    return run.resumed({call_id: decision}, context_of(request, context))
