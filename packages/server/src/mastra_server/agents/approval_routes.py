"""Routes of suspended agent runs: list, approve, decline, resume."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.response.base import ASGIResponse

from mastra_core.agents import AgentInput, AgentLike, ApprovalRequired, Decision, SuspendedRun
from mastra_server.agents.approval_schemas import SuspendedList, SuspendedQuery
from mastra_server.agents.live_runs import live_answer
from mastra_server.agents.messages import iso
from mastra_server.agents.result import agent_result
from mastra_server.agents.routes import agent_of
from mastra_server.agents.stream import agent_chunks
from mastra_server.agents.suspended_runs import decided, found, suspended_runs, waiting_call
from mastra_server.agents.transcript import call_payload
from mastra_server.http.request_body import read_body, read_date_param, read_number_param
from mastra_server.http.request_context import restrict_to_resource
from mastra_server.http.responses import StreamResponse, json_response
from mastra_server.http.schemas import Generated

__all__ = ("ROUTES", "going_on")

_Request = Request[Any, Any, Any]
_PAGE = 100


class _Decided(msgspec.Struct, rename="camel"):
    run_id: str
    tool_call_id: str
    reason: str = ""
    request_context: dict[str, Any] | None = None


class _Resumed(msgspec.Struct, rename="camel"):
    run_id: str
    resume_data: Any
    tool_call_id: str | None = None
    request_context: dict[str, Any] | None = None


@get(
    "/api/agents/{agent_id:str}/suspended-runs",
    operation_id="suspended_list",
    query=SuspendedQuery,
    response=SuspendedList,
)
async def _list(request: _Request) -> ASGIResponse:
    """List the suspended runs of an agent, newest first."""
    runs = await suspended_runs(request).list(agent_of(request).id)
    matching = [run for run in runs if _wanted(request, run)]
    size, page = (
        read_number_param(request, "perPage") or _PAGE,
        read_number_param(request, "page") or 0,
    )
    page_runs = matching[size * page : size * (page + 1)]
    return json_response({"runs": [_listed(run) for run in page_runs], "total": len(matching)})


@post(
    "/api/agents/{agent_id:str}/approve-tool-call",
    operation_id="suspended_approve",
    body=_Decided,
    stream="sse",
    errors=(409,),
)
async def _approve(request: _Request) -> StreamResponse:
    """Approve a tool call and stream the rest of the run."""
    return await _streamed(request, approved=True)


@post(
    "/api/agents/{agent_id:str}/decline-tool-call",
    operation_id="suspended_decline",
    body=_Decided,
    stream="sse",
    errors=(409,),
)
async def _decline(request: _Request) -> StreamResponse:
    """Decline a tool call and stream the rest of the run."""
    return await _streamed(request, approved=False)


@post(
    "/api/agents/{agent_id:str}/approve-tool-call-generate",
    operation_id="suspended_approve_whole",
    body=_Decided,
    response=Generated,
    errors=(402, 409, 422, 429, 502, 503),
)
async def _approve_whole(request: _Request) -> ASGIResponse:
    """Approve a tool call and respond when the run has ended."""
    return await _generated(request, approved=True)


@post(
    "/api/agents/{agent_id:str}/decline-tool-call-generate",
    operation_id="suspended_decline_whole",
    body=_Decided,
    response=Generated,
    errors=(402, 409, 422, 429, 502, 503),
)
async def _decline_whole(request: _Request) -> ASGIResponse:
    """Decline a tool call and respond when the run has ended."""
    return await _generated(request, approved=False)


@post(
    [
        "/api/agents/{agent_id:str}/resume-stream",
        "/api/agents/{agent_id:str}/resume-stream-until-idle",
    ],
    operation_id="suspended_{path}",
    body=_Resumed,
    stream="sse",
    errors=(409,),
)
async def _resume(request: _Request) -> StreamResponse:
    """Pass the data that a tool call waits for, and stream the rest of the run."""
    agent, body = agent_of(request), await read_body(request, _Resumed)
    run = await found(request, agent, body.run_id)
    call = waiting_call(run, body.tool_call_id)
    decision = Decision(data=body.resume_data)
    if isinstance(call, ApprovalRequired):
        decision = _decision(body.resume_data)
    run_input = decided(request, run, call.id, decision, body.request_context)
    return live_answer(request, agent.id, run_input, going_on(request, agent, run_input))


ROUTES = (_list, _approve, _decline, _approve_whole, _decline_whole, _resume)


async def _streamed(request: _Request, *, approved: bool) -> StreamResponse:
    agent, run_input = await _wish(request, approved=approved)
    return live_answer(request, agent.id, run_input, going_on(request, agent, run_input))


async def _generated(request: _Request, *, approved: bool) -> ASGIResponse:
    agent, run_input = await _wish(request, approved=approved)
    await suspended_runs(request).take(run_input.run_id)
    return json_response(await agent_result(agent, run_input, suspended_runs(request)))


async def _wish(request: _Request, *, approved: bool) -> tuple[AgentLike, AgentInput]:
    agent, body = agent_of(request), await read_body(request, _Decided)
    run = await found(request, agent, body.run_id)
    call = waiting_call(run, body.tool_call_id)
    decision = Decision(approved=approved, reason=body.reason)
    return agent, decided(request, run, call.id, decision, body.request_context)


async def going_on(
    request: _Request, agent: AgentLike, run_input: AgentInput
) -> AsyncGenerator[dict[str, Any]]:
    """Stream the chunks of a resumed run.

    The run is removed from the suspended ones only when its stream begins: a reader that reconnects
    must remove nothing.

    :param request: the request.
    :param agent: the agent.
    :param run_input: the input that resumes the run.
    :returns: the chunks.
    """
    runs = suspended_runs(request)
    await runs.take(run_input.run_id)
    async for chunk in agent_chunks(agent, run_input, runs):
        yield chunk


def _decision(data: Any) -> Decision:
    """Read a decision from ``{"approved": true, "reason": "..."}``, or from any truthy value."""
    if not isinstance(data, dict):
        return Decision(approved=bool(data))
    return Decision(approved=data.get("approved") is True, reason=str(data.get("reason") or ""))


def _wanted(request: _Request, run: SuspendedRun) -> bool:
    resource = restrict_to_resource(request, request.query_params.get("resourceId", ""))
    thread = request.query_params.get("threadId")
    since, until = read_date_param(request, "fromDate"), read_date_param(request, "toDate")
    return (
        (not resource or run.wish.resource == resource)
        and (not thread or run.wish.thread == thread)
        and (since is None or run.suspended_at >= since)
        and (until is None or run.suspended_at <= until)
    )


def _listed(run: SuspendedRun) -> dict[str, Any]:
    return {
        "runId": run.run_id,
        "status": "suspended",
        "suspendedAt": iso(run.suspended_at),
        "threadId": run.wish.thread or None,
        "resourceId": run.wish.resource or None,
        "toolCalls": [
            {**call_payload(event), "requiresApproval": isinstance(event, ApprovalRequired)}
            for event in run.waiting
        ],
    }
