"""Store suspended agent runs, find them, and build the input to resume them."""

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
    Failure,
    Finish,
    SuspendedRun,
    SuspendedRuns,
    ToolSuspended,
)
from mastra_core.agents.protocol import build_output
from mastra_core.agents.wrappers.capabilities import Capabilities
from mastra_core.errors import Conflict, InvalidInput, NotFound, TooManyRuns
from mastra_server.agents.log_scope import enter_log_scope
from mastra_server.http.request_body import InvalidBody
from mastra_server.http.request_context import (
    build_context,
    restrict_to_resource,
    restrict_to_thread,
)
from mastra_server.http.responses import close_on_exit

__all__ = (
    "build_resume_input",
    "build_waiting_decision",
    "find_waiting_call",
    "get_suspended_run",
    "get_suspended_runs",
    "stream_events",
    "take_suspended_run",
)

_Request = Request[Any, Any, Any]


def get_suspended_runs(request: _Request) -> SuspendedRuns:
    """Return the store of suspended runs.

    :param request: the request.
    """
    runs: SuspendedRuns = request.app.state.mastra.suspended_runs
    return runs


def build_waiting_decision(
    agent: AgentLike, call: ApprovalRequired | ToolSuspended, data: Any
) -> Decision:
    """Build the decision that passes data to a waiting call.

    This function checks the data while the run is still stored, so invalid data does not lose the
    run.

    :param agent: the agent.
    :param call: the call that waits.
    :param data: for an approval, an object such as ``{"approved": true}``, or any truthy value;
        otherwise the data that the tool needs.
    :raises InvalidBody: when the data does not have the type that the tool declares.
    """
    if isinstance(call, ToolSuspended):
        _check_resume_data(agent, call.name, data)
        return Decision(data=data)
    if not isinstance(data, dict):
        return Decision(approved=bool(data))
    return Decision(approved=data.get("approved") is True, reason=str(data.get("reason") or ""))


def _check_resume_data(agent: AgentLike, name: str, data: Any) -> None:
    for tool in Capabilities(agent).callable_tools:
        if tool.id == name:
            try:
                tool.parse_resume_data(data)
            except InvalidInput as error:
                raise InvalidBody("resumeData", error.message) from None


async def stream_events(
    agent: AgentLike, run_input: AgentInput, runs: SuspendedRuns
) -> AsyncGenerator[AgentEvent]:
    """Run an agent and stream its events; store the run when it is suspended.

    A suspended run is stored before its last events are sent, so the run exists when a client sends
    its decision at once.

    :param agent: the agent.
    :param run_input: the input of the run.
    :param runs: the store of suspended runs.
    :returns: the events.
    """
    enter_log_scope(agent, run_input)
    final_events: list[AgentEvent] = []
    async with close_on_exit(agent.stream(run_input)) as events:
        async for event in events:
            if isinstance(event, ApprovalRequired | ToolSuspended | Finish):
                final_events.append(event)
            else:
                yield event
    if any(isinstance(event, ApprovalRequired | ToolSuspended) for event in final_events):
        run = SuspendedRun.from_output(agent, run_input, build_output(final_events))
        try:
            await runs.put(run)
        except (Conflict, TooManyRuns) as error:  # the response has begun
            yield Failure(message=error.message, kind=type(error).__name__, status=error.status)
            yield Finish(reason="error")
            return
    for event in final_events:
        yield event


async def get_suspended_run(
    request: _Request, agent: AgentLike, run_id: str, resource: str | None = None
) -> SuspendedRun:
    """Return the suspended run with an id, if the caller may see it.

    :param request: the request.
    :param agent: the agent.
    :param run_id: the id of the run.
    :param resource: the owner that the caller names; by default the resource that the caller is
        restricted to, or any owner.
    :raises NotFound: when there is no such run.
    :raises Forbidden: when the caller names a resource that it may not access.
    :raises Conflict: when several resources have a run with this id, and the caller names no
        resource.
    """
    owner, thread = restrict_to_resource(request, resource or ""), restrict_to_thread(request)
    run = await get_suspended_runs(request).get(agent.id, run_id, owner or None)
    if thread not in ("", run.run_input.thread):
        raise NotFound(f"There is no suspended run {run_id!r}.")
    return run


async def take_suspended_run(runs: SuspendedRuns, agent: AgentLike, run_input: AgentInput) -> None:
    """Remove the suspended run that an input resumes.

    :param runs: the store of suspended runs.
    :param agent: the agent.
    :param run_input: the input that resumes the run.
    :raises NotFound: when another caller has resumed the run.
    """
    await runs.take(agent.id, run_input.run_id, run_input.resource)


def find_waiting_call(run: SuspendedRun, call_id: str | None) -> ApprovalRequired | ToolSuspended:
    """Return the tool call to which a decision belongs.

    :param run: the suspended run.
    :param call_id: the id of the call; may be ``None`` if the run waits for a single call.
    :raises InvalidBody: when ``run`` does not wait for the call, or when ``call_id`` is ``None``
        and ``run`` waits for several calls.
    """
    for event in run.waiting:
        if event.id == call_id or (call_id is None and len(run.waiting) == 1):
            return event
    known = ", ".join(event.id for event in run.waiting)
    raise InvalidBody("toolCallId", f"Expected one of {known}")


def build_resume_input(
    request: _Request,
    agent: AgentLike,
    run: SuspendedRun,
    decisions: dict[str, Decision],
    context: dict[str, Any] | None,
) -> AgentInput:
    """Build the input to resume ``run``.

    :param request: the request.
    :param agent: the agent of the run.
    :param run: the suspended run.
    :param decisions: the decisions by call id.
    :param context: the ``requestContext`` of the body.
    :returns: the input.
    :raises Conflict: when the agent cannot continue the run.
    """
    run.check_agent(agent)
    return run.to_input(decisions, build_context(request, context))
