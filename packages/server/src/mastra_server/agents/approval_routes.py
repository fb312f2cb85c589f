"""Routes of suspended agent runs: list, approve, decline, resume."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.agents import (
    AgentInput,
    AgentLike,
    ApprovalRequired,
    Decision,
    SuspendedRun,
    SuspendedRunQuery,
)
from mastra_server.agents.approval_schemas import SuspendedList, SuspendedQuery
from mastra_server.agents.last_event_id import is_reconnect
from mastra_server.agents.result import generate_result
from mastra_server.agents.routes import get_agent
from mastra_server.agents.run_streams import observe_live_run, respond_with_stream
from mastra_server.agents.stream import resume_agent
from mastra_server.agents.suspended_runs import (
    build_resume_input,
    build_waiting_decision,
    find_waiting_call,
    get_suspended_run,
    get_suspended_runs,
    take_suspended_run,
)
from mastra_server.agents.transcript import build_call_payload
from mastra_server.http.dates import format_iso, read_date_param
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import (
    Id,
    InvalidQuery,
    MaybeId,
    read_body,
    read_number_param,
)
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import StreamResponse, json_response
from mastra_server.http.schemas import Generated

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_DEFAULT_PAGE_SIZE = 100
_MAX_PAGE_SIZE = 1_000
_MAX_PAGE_BYTES = 32 * 1024 * 1024  # of the runs of one page in memory


class _Decided(msgspec.Struct, rename="camel"):
    run_id: Id
    tool_call_id: Id
    resource_id: MaybeId = None
    reason: str = ""
    request_context: dict[str, Any] | None = None


class _Resumed(msgspec.Struct, rename="camel"):
    run_id: Id
    resume_data: Any
    tool_call_id: MaybeId = None
    resource_id: MaybeId = None
    request_context: dict[str, Any] | None = None


@get(
    "/api/agents/{agent_id:str}/suspended-runs",
    operation_id="suspended_list",
    query=SuspendedQuery,
    response=SuspendedList,
)
async def _list_suspended_runs(request: _Request) -> ASGIResponse:
    """List the suspended runs of an agent, newest first."""
    found = await get_suspended_runs(request).list(_build_query(request))
    return json_response(
        {"runs": [_describe_run(run) for run in found.items], "total": found.total}
    )


@post(
    "/api/agents/{agent_id:str}/approve-tool-call",
    operation_id="suspended_approve",
    body=_Decided,
    stream="sse",
    errors=(409,),
)
async def _approve_tool_call(request: _Request) -> StreamResponse:
    """Approve a tool call, and stream the rest of the run."""
    return await _stream_decision(request, approve=True)


@post(
    "/api/agents/{agent_id:str}/decline-tool-call",
    operation_id="suspended_decline",
    body=_Decided,
    stream="sse",
    errors=(409,),
)
async def _decline_tool_call(request: _Request) -> StreamResponse:
    """Decline a tool call, and stream the rest of the run."""
    return await _stream_decision(request, approve=False)


@post(
    "/api/agents/{agent_id:str}/approve-tool-call-generate",
    operation_id="suspended_approve_whole",
    body=_Decided,
    response=Generated,
    errors=(402, 409, 422, 429, 502, 503),
)
async def _approve_and_wait(request: _Request) -> ASGIResponse:
    """Approve a tool call, and respond when the run has ended."""
    return await _generate_decision(request, approve=True)


@post(
    "/api/agents/{agent_id:str}/decline-tool-call-generate",
    operation_id="suspended_decline_whole",
    body=_Decided,
    response=Generated,
    errors=(402, 409, 422, 429, 502, 503),
)
async def _decline_and_wait(request: _Request) -> ASGIResponse:
    """Decline a tool call, and respond when the run has ended."""
    return await _generate_decision(request, approve=False)


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
async def _resume_run(request: _Request) -> StreamResponse:
    """Pass data to a tool call that waits for it, and stream the rest of the run."""
    agent, body = get_agent(request), await read_body(request, _Resumed)
    if is_reconnect(request):  # the decision was taken before
        return await observe_live_run(request, agent.id, body.run_id, resource=body.resource_id)
    run = await get_suspended_run(request, agent, body.run_id, body.resource_id)
    call = find_waiting_call(run, body.tool_call_id)
    decision = build_waiting_decision(agent, call, body.resume_data)
    run_input = build_resume_input(request, agent, run, {call.id: decision}, body.request_context)
    return await respond_with_stream(
        request, agent.id, run_input, resume_agent(agent, run_input, get_suspended_runs(request))
    )


ROUTES = (
    _list_suspended_runs,
    _approve_tool_call,
    _decline_tool_call,
    _approve_and_wait,
    _decline_and_wait,
    _resume_run,
)


async def _stream_decision(request: _Request, *, approve: bool) -> StreamResponse:
    agent, body = get_agent(request), await read_body(request, _Decided)
    if is_reconnect(request):  # the decision was taken before
        return await observe_live_run(request, agent.id, body.run_id, resource=body.resource_id)
    run_input = await _build_decided_input(request, agent, body, approve=approve)
    return await respond_with_stream(
        request, agent.id, run_input, resume_agent(agent, run_input, get_suspended_runs(request))
    )


async def _generate_decision(request: _Request, *, approve: bool) -> ASGIResponse:
    agent, body = get_agent(request), await read_body(request, _Decided)
    run_input = await _build_decided_input(request, agent, body, approve=approve)
    await take_suspended_run(get_suspended_runs(request), agent, run_input)
    return json_response(await generate_result(agent, run_input, get_suspended_runs(request)))


async def _build_decided_input(
    request: _Request, agent: AgentLike, body: _Decided, *, approve: bool
) -> AgentInput:
    run = await get_suspended_run(request, agent, body.run_id, body.resource_id)
    call = find_waiting_call(run, body.tool_call_id)
    decision = Decision(approved=approve, reason=body.reason)
    return build_resume_input(request, agent, run, {call.id: decision}, body.request_context)


def _build_query(request: _Request) -> SuspendedRunQuery:
    resource = restrict_to_resource(request, request.query_params.get("resourceId", ""))
    per_page = read_number_param(request, "perPage") or _DEFAULT_PAGE_SIZE
    if per_page > _MAX_PAGE_SIZE:
        raise InvalidQuery("perPage", f"Expected at most {_MAX_PAGE_SIZE}")
    return SuspendedRunQuery(
        agent=get_agent(request).id,
        resource=resource or None,
        thread=restrict_to_thread(request, request.query_params.get("threadId", "")) or None,
        since=read_date_param(request, "fromDate"),
        until=read_date_param(request, "toDate"),
        page=read_number_param(request, "page") or 0,
        per_page=per_page,
        max_bytes=_MAX_PAGE_BYTES,
    )


def _describe_run(run: SuspendedRun) -> dict[str, Any]:
    return {
        "runId": run.run_id,
        "status": "suspended",
        "suspendedAt": format_iso(run.suspended_at),
        "threadId": run.run_input.thread or None,
        "resourceId": run.run_input.resource or None,
        "toolCalls": [
            {**build_call_payload(event), "requiresApproval": isinstance(event, ApprovalRequired)}
            for event in run.waiting
        ],
    }
