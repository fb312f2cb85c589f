"""Answer the requests of the AI SDK's ``useChat``: new messages, decisions, and reconnects."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.agents import AgentInput, AgentLike, Decision, SuspendedRun
from mastra_core.errors import NotFound
from mastra_server.agents.admission import check_thread_access
from mastra_server.agents.chat.ai_sdk_stream import UiVersion, to_ui_parts
from mastra_server.agents.request import AgentBody, build_run_input
from mastra_server.agents.run_streams import (
    find_chat_run,
    respond_with_run,
    respond_with_stream,
)
from mastra_server.agents.stream import resume_agent, stream_agent
from mastra_server.agents.suspended_runs import (
    build_resume_input,
    get_suspended_run,
    get_suspended_runs,
)
from mastra_server.http.request_body import MAX_ID_LENGTH, MaybeId, OptionalId, read_body
from mastra_server.http.responses import StreamResponse

__all__ = ("ChatBody", "resume_chat", "stream_chat")

_Request = Request[Any, Any, Any]
_MAX_DECIDED_RUNS = 10  # of one message; each is looked up in the storage


class ChatBody(AgentBody, kw_only=True, rename="camel"):
    """The input of a chat: the options of a run, and the fields that the AI SDK adds."""

    id: OptionalId = ""
    trigger: Literal["submit-message", "regenerate-message", "resume-stream"] = "submit-message"
    message_id: MaybeId = None


async def stream_chat(
    request: _Request, agent: AgentLike, version: UiVersion = "v6"
) -> StreamResponse:
    """Run an agent on the messages of a chat, or continue a run with the chat's decisions.

    :param request: the request.
    :param agent: the agent.
    :param version: the version of the AI SDK's stream.
    """
    body = await read_body(request, ChatBody)
    decided = await _find_decided_run(request, agent, body)
    if decided is None:
        run_input = build_run_input(request, body)
        await check_thread_access(agent, run_input)
        chunks = stream_agent(agent, run_input, get_suspended_runs(request))
    else:
        run_input = decided
        chunks = resume_agent(agent, run_input, get_suspended_runs(request))
    convert = partial(
        to_ui_parts,
        version=version,
        message_id=_get_last_id(body.messages),
        decisions={call: each.approved for call, each in run_input.decisions.items()},
    )
    return await respond_with_stream(
        request, agent.id, run_input, chunks, convert=convert, announce=False, chat=body.id
    )


def resume_chat(request: _Request, agent: AgentLike, chat: str) -> StreamResponse | ASGIResponse:
    """Stream the active run of a chat from its beginning; respond 204 if there is none.

    :param request: the request.
    :param agent: the agent.
    :param chat: the id of the chat.
    """
    run = find_chat_run(request, agent.id, chat)
    return ASGIResponse(status_code=204) if run is None else respond_with_run(run)


async def _find_decided_run(
    request: _Request, agent: AgentLike, body: ChatBody
) -> AgentInput | None:
    """Return the input that resumes a suspended run with the decisions in the last message."""
    decisions = dict(_iter_decisions(body.messages))
    run_ids = list(dict.fromkeys(run_id for run_id, _ in decisions))
    for run_id in run_ids[-_MAX_DECIDED_RUNS:]:
        try:
            run = await get_suspended_run(request, agent, run_id)
        except NotFound:  # decided before: a chat sends all of its messages again
            continue
        own = {call: each for (id_, call), each in decisions.items() if id_ == run_id}
        waiting = {call: own[call] for call in _list_waiting(run) if call in own}
        if waiting:
            return build_resume_input(request, agent, run, waiting, body.request_context)
    return None


def _list_waiting(run: SuspendedRun) -> list[str]:
    return [event.id for event in run.waiting]


def _iter_decisions(messages: Any) -> Iterator[tuple[tuple[str, str], Decision]]:
    """Yield the decisions of the last message, by run id and call id."""
    last = _get_last_message(messages)
    parts = last.get("parts") if last.get("role") == "assistant" else None
    for part in parts if isinstance(parts, list) else []:
        approval = part.get("approval") if isinstance(part, dict) else None
        if not isinstance(approval, dict) or part.get("state") != "approval-responded":
            continue
        call, id_ = str(part.get("toolCallId")), str(approval.get("id"))
        run_id = id_.removesuffix(f"::{call}")  # both ids may contain colons
        if run_id != id_:
            approved, reason = approval.get("approved") is True, approval.get("reason")
            yield (run_id, call), Decision(approved=approved, reason=str(reason or ""))


def _get_last_message(messages: Any) -> dict[str, Any]:
    last = messages[-1] if isinstance(messages, list) and messages else None
    return last if isinstance(last, dict) else {}


def _get_last_id(messages: Any) -> str:
    """Return the id of the message that the answer continues; empty for a new message."""
    last = _get_last_message(messages)
    id_ = last.get("id") if last.get("role") == "assistant" else None
    return id_ if isinstance(id_, str) and len(id_) <= MAX_ID_LENGTH else ""
