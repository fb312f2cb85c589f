"""Cancel agent runs that are running or suspended."""

from __future__ import annotations

import contextlib
from typing import Any

from litestar import Request

from mastra_core.agents import AgentLike
from mastra_core.agents.suspended_runs import cancel_called_workflows
from mastra_core.errors import NotFound
from mastra_core.memory.canceled_calls import save_canceled_calls
from mastra_server.agents.durable_runs import find_durable_agent
from mastra_server.agents.existing_runs import DurableRuns, get_existing_runs
from mastra_server.agents.suspended_runs import get_suspended_run, get_suspended_runs
from mastra_server.http.request_context import restrict_to_thread

__all__ = ("cancel_run", "cancel_suspended_run")

_Request = Request[Any, Any, Any]


async def cancel_run(request: _Request, agent: AgentLike, run_id: str, resource: str = "") -> None:
    """Cancel a run of this caller that is suspended, or running on this server or another one.

    :param request: the request.
    :param agent: the agent.
    :param run_id: the id of the run.
    :param resource: the owner that the caller names; any by default.
    :raises NotFound: when the caller may see no run with this id.
    :raises Forbidden: when the caller names a resource that it may not access.
    :raises Conflict: when another resource has a running run with this id, or the caller names no
        resource and several resources have a run with this id.
    """
    runs = get_existing_runs(request, agent.id, resource)
    if isinstance(runs, DurableRuns):
        try:
            await runs.abort(run_id)
        except NotFound:  # the run may have begun before the agent was durable
            if not await cancel_suspended_run(request, agent, run_id, resource):
                raise
        return
    run = runs.find(run_id)
    if run is not None and run.is_running:
        await run.abort()
        # The run may have been stored as suspended just before it was aborted.
        await _cancel_stored_run(request, agent, run_id, run.resource)
    elif not await cancel_suspended_run(request, agent, run_id, resource):
        await runs.abort(run_id)


async def cancel_suspended_run(
    request: _Request, agent: AgentLike, run_id: str, resource: str = ""
) -> bool:
    """Cancel a suspended run; nobody can decide its calls afterwards.

    :param request: the request.
    :param agent: the agent.
    :param run_id: the id of the run.
    :param resource: the owner that the caller names; any by default.
    :returns: ``False`` if the caller may see no suspended run with this id.
    :raises Forbidden: when the caller names a resource that it may not access.
    :raises Conflict: when several resources have a run with this id, and the caller names no
        resource.
    """
    durable = find_durable_agent(request, agent.id)
    try:
        run = await get_suspended_run(request, agent, run_id, resource)
    except NotFound:
        return False
    if durable is not None:
        with contextlib.suppress(NotFound):  # the run may have begun before the agent was durable
            await durable.cancel_run(run_id, run.run_input.resource)
            return True
    return await _cancel_stored_run(request, agent, run_id, run.run_input.resource)


async def _cancel_stored_run(
    request: _Request, agent: AgentLike, run_id: str, resource: str
) -> bool:
    """Remove a suspended run; return ``False`` if it is not stored, or is being resumed.

    A caller that is restricted to a thread may have started a run with the id of a suspended run of
    another thread, so the thread is checked here too.
    """
    runs, thread = get_suspended_runs(request), restrict_to_thread(request)
    try:
        stored = await runs.get(agent.id, run_id, resource)
        if thread not in ("", stored.run_input.thread):
            return False
        run = await runs.take(agent.id, run_id, resource)
    except NotFound:
        return False
    await cancel_called_workflows(agent, run_id, resource, run.waiting)
    await save_canceled_calls(agent, run)
    return True
