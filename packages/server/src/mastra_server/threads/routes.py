"""Routes of threads: send a message, subscribe to runs, abort a run, decide a tool call."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, Literal

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.agents import (
    AgentInput,
    AgentLike,
    ApprovalRequired,
    Decision,
    SuspendedRunQuery,
    ToolSuspended,
)
from mastra_core.errors import NotFound
from mastra_core.random_id import generate_id
from mastra_core.storage.records import now
from mastra_server.agents.admission import check_thread_access
from mastra_server.agents.request import AgentBody, build_run_input
from mastra_server.agents.routes import get_agent
from mastra_server.agents.run_streams import get_thread_key, start_live_run
from mastra_server.agents.stream import resume_agent, stream_agent
from mastra_server.agents.suspended_runs import (
    build_resume_input,
    build_waiting_decision,
    find_waiting_call,
    get_suspended_runs,
)
from mastra_server.agents.thread_runs import ThreadKey, ThreadRuns, run_after
from mastra_server.http.dates import format_iso
from mastra_server.http.handlers import post
from mastra_server.http.request_body import Id, OptionalId, convert_value, read_body
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.http.responses import StreamResponse, json_response
from mastra_server.http.sse import sse_response
from mastra_server.threads.schemas import Aborted, Accepted, Decided

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]


class _SentMessage(msgspec.Struct):
    contents: str | list[Any]
    metadata: dict[str, Any] = {}


class _Idle(msgspec.Struct, rename="camel"):
    behavior: Literal["wake"] = "wake"
    stream_options: dict[str, Any] = {}


class _Active(msgspec.Struct):
    behavior: Literal["deliver"] = "deliver"


class _Sent(msgspec.Struct, rename="camel"):
    message: str | list[Any] | _SentMessage
    thread_id: Id
    resource_id: OptionalId = ""
    if_idle: _Idle = msgspec.field(default_factory=_Idle)
    if_active: _Active = msgspec.field(default_factory=_Active)

    @property
    def sent_message(self) -> _SentMessage:
        """The message with its metadata."""
        message = self.message
        return message if isinstance(message, _SentMessage) else _SentMessage(message)


class _ThreadsThread(msgspec.Struct, rename="camel"):
    thread_id: Id
    resource_id: OptionalId = ""
    expected_run_id: OptionalId = ""


class _Approval(msgspec.Struct, rename="camel"):
    thread_id: Id
    tool_call_id: Id
    approved: bool
    resource_id: OptionalId = ""
    resume_data: Any = None
    request_context: dict[str, Any] | None = None
    messages: list[Any] | None = None
    stream_options: dict[str, Any] = {}


@post(
    ["/api/agents/{agent_id:str}/send-message", "/api/agents/{agent_id:str}/queue-message"],
    operation_id="threads_{path}",
    body=_Sent,
    response=Accepted,
    errors=(403, 409, 429),
)
async def _send_message(request: _Request) -> ASGIResponse:
    """Run an agent on a message after the thread's other runs; stream the run to subscribers."""
    agent, body = get_agent(request), await read_body(request, _Sent)
    sent = body.sent_message
    messages = [{"role": "user", "content": sent.contents}]
    run_input = _build_run_input(request, body.if_idle.stream_options, messages, body)
    signal = _build_signal(sent)
    message = msgspec.structs.replace(run_input.messages[-1], id=signal["id"])
    run_input = msgspec.structs.replace(run_input, messages=(*run_input.messages[:-1], message))
    echo = {
        "type": "data-user-message",
        "runId": run_input.run_id,
        "data": signal,
        "transient": True,
    }
    await _start_run(request, agent, run_input, echo)
    return json_response({"accepted": True, "runId": run_input.run_id, "signal": signal})


@post(
    "/api/agents/{agent_id:str}/threads/subscribe",
    operation_id="threads_subscribe",
    body=_ThreadsThread,
    stream="sse",
)
async def _subscribe(request: _Request) -> StreamResponse:
    """Stream the runs of a thread: active runs, and then new runs."""
    agent, body = get_agent(request), await read_body(request, _ThreadsThread)
    key = _build_thread_key(request, agent, body.thread_id, body.resource_id)
    return sse_response(_get_thread_runs(request).stream_frames(key, request.app.state))


@post(
    "/api/agents/{agent_id:str}/threads/abort",
    operation_id="threads_abort",
    body=_ThreadsThread,
    response=Aborted,
)
async def _abort_run(request: _Request) -> ASGIResponse:
    """Abort the active run of a thread; the next waiting run starts."""
    agent, body = get_agent(request), await read_body(request, _ThreadsThread)
    key = _build_thread_key(request, agent, body.thread_id, body.resource_id)
    run, remote = _get_thread_runs(request).get_active(key), request.app.state.remote_runs
    matches = run is not None and body.expected_run_id in ("", run.id)
    if run is not None and matches:
        await run.abort()
    elif run is None and remote is not None:
        matches = await remote.abort_thread(key, body.expected_run_id)
    return json_response({"aborted": matches})


@post(
    "/api/agents/{agent_id:str}/send-tool-approval",
    operation_id="threads_decide",
    body=_Approval,
    response=Decided,
    errors=(403, 409, 429),
)
async def _decide_tool_call(request: _Request) -> ASGIResponse:
    """Approve or decline a tool call in a thread; stream the rest of the run to subscribers."""
    agent, body = get_agent(request), await read_body(request, _Approval)
    if body.messages:  # results of the client's own tools
        run_input = _build_run_input(request, body.stream_options, body.messages, body)
        await _start_run(request, agent, run_input)
    else:
        run_input = await _build_resumed_input(request, agent, body)
        chunks = resume_agent(agent, run_input, get_suspended_runs(request))
        start_live_run(request, agent.id, run_input, chunks)
    return json_response(
        {"accepted": True, "runId": run_input.run_id, "toolCallId": body.tool_call_id}
    )


ROUTES = (_send_message, _subscribe, _abort_run, _decide_tool_call)


def _build_run_input(
    request: _Request, options: dict[str, Any], messages: list[Any], body: _Sent | _Approval
) -> AgentInput:
    memory = options.get("memory")
    thread = {"thread": body.thread_id, "resource": body.resource_id}
    memory = {**(memory if isinstance(memory, dict) else {}), **thread}
    agent_body = {**options, "messages": messages, "memory": memory}
    return build_run_input(request, convert_value(agent_body, AgentBody))


async def _start_run(
    request: _Request, agent: AgentLike, run_input: AgentInput, echo: dict[str, Any] | None = None
) -> None:
    await check_thread_access(agent, run_input)
    key = get_thread_key(agent.id, run_input)
    before = _get_thread_runs(request).get_last(key)
    chunks = _prepend_echo(stream_agent(agent, run_input, get_suspended_runs(request)), echo)
    is_waiting = request.app.state.remote_runs is not None
    if is_waiting:
        chunks = _run_in_turn(request, key, run_input.run_id, chunks)
    chunks = run_after(before, chunks)
    start_live_run(request, agent.id, run_input, chunks, is_waiting=is_waiting)


async def _run_in_turn(
    request: _Request, key: ThreadKey, run_id: str, chunks: AsyncGenerator[dict[str, Any]]
) -> AsyncGenerator[dict[str, Any]]:
    """Wait until the thread's earlier runs on other servers have ended; yield ``chunks``."""
    async with contextlib.aclosing(chunks):
        remote, threads = request.app.state.remote_runs, _get_thread_runs(request)
        try:
            await remote.wait_for_turn(key, run_id)
        finally:
            if (run := threads.end_waiting(key, run_id)) is not None:
                remote.announce(run, key)
        async for chunk in chunks:
            yield chunk


async def _prepend_echo(
    chunks: AsyncGenerator[dict[str, Any]], echo: dict[str, Any] | None
) -> AsyncGenerator[dict[str, Any]]:
    """Yield the sent message, which other subscribers of the thread need, and then ``chunks``."""
    if echo is not None:
        yield echo
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            yield chunk


def _build_signal(message: _SentMessage) -> dict[str, Any]:
    return {
        "id": generate_id(),
        "type": "user",
        "tagName": "user",
        "contents": message.contents,
        "createdAt": format_iso(now()),
        **({"metadata": message.metadata} if message.metadata else {}),
    }


async def _build_resumed_input(request: _Request, agent: AgentLike, body: _Approval) -> AgentInput:
    """Find the run of a thread that waits for this decision, and build the input to resume it."""
    _, resource, thread = _build_thread_key(request, agent, body.thread_id, body.resource_id)
    query = SuspendedRunQuery(
        agent=agent.id, resource=resource, thread=thread, call=body.tool_call_id, per_page=1
    )
    for run in (await get_suspended_runs(request).list(query)).items:
        call = find_waiting_call(run, body.tool_call_id)
        decision = _build_decision(agent, call, body)
        return build_resume_input(request, agent, run, {call.id: decision}, body.request_context)
    raise NotFound(
        f"No run in the thread {body.thread_id!r} waits for the tool call {body.tool_call_id!r}."
    )


def _build_decision(
    agent: AgentLike, call: ApprovalRequired | ToolSuspended, body: _Approval
) -> Decision:
    if isinstance(call, ApprovalRequired) or not body.approved:
        return Decision(approved=body.approved)
    return build_waiting_decision(agent, call, body.resume_data)


def _get_thread_runs(request: _Request) -> ThreadRuns:
    runs: ThreadRuns = request.app.state.thread_runs
    return runs


def _build_thread_key(request: _Request, agent: AgentLike, thread: str, resource: str) -> ThreadKey:
    return agent.id, restrict_to_resource(request, resource), restrict_to_thread(request, thread)
