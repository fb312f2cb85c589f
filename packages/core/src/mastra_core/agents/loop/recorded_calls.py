"""Record the calls of a durable run: answers of the model, and results of tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from pydantic_ai.messages import ToolReturnPart

from mastra_core.agents.events import AgentEvent, ApprovalRequired, ToolSuspended
from mastra_core.agents.loop.call_outcome import CallOutcome, PendingCall, UsageSink
from mastra_core.agents.loop.model_request import ModelRequest
from mastra_core.agents.loop.turn_events import iter_response_events
from mastra_core.agents.pydantic_ai.model_responses import dump_response, load_response
from mastra_core.agents.run_journal import RunJournal
from mastra_core.logger import get_logger
from mastra_core.request_scope import is_being_cancelled
from mastra_core.schema import dump
from mastra_core.usage import Usage

__all__ = ("execute_once", "iter_answer_once")


class _RecordedCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    content: Any = None
    outcome: Any = "success"
    metadata: Any = None
    waiting: ApprovalRequired | ToolSuspended | None = None
    usage: Usage = Usage()


class _CallUsage:
    """Counts the tokens of one tool call separately, and also adds them to the run."""

    def __init__(self, run: UsageSink) -> None:
        self.total = Usage()
        self._run = run

    def add(self, usage: Usage) -> None:
        self.total += usage
        self._run.add(usage)


async def iter_answer_once(
    journal: RunJournal,
    request: ModelRequest,
    iter_answer: Callable[[ModelRequest], AsyncGenerator[AgentEvent]],
) -> AsyncGenerator[AgentEvent]:
    """Yield the events of the recorded answer, or else the events of a new request.

    :param journal: the journal of the run, in which the turn has begun.
    :param request: the request.
    :param iter_answer: sends the request.
    """
    recorded = journal.find(journal.answer_name)
    if recorded is None:
        await journal.prepare()
        async with aclosing(iter_answer(request)) as events:
            async for event in events:
                yield event
        journal.record(journal.answer_name, dump_response(request.response))
        journal.is_repeated = False
        return
    request.response = load_response(recorded)
    for event in iter_response_events(request.response):
        yield event
    journal.is_replaying = False


async def execute_once(
    journal: RunJournal,
    call: PendingCall,
    usage: UsageSink,
    execute: Callable[[str, UsageSink], Awaitable[CallOutcome]],
) -> CallOutcome:
    """Return the recorded outcome of a tool call, or else execute the call.

    :param journal: the journal of the run.
    :param call: the call.
    :param usage: counts the tokens of the run.
    :param execute: executes the call; takes the call's name and the counter of its tokens.
    """
    part = call.part
    name = f"tool:{journal.turn}:{part.tool_call_id}"
    recorded = journal.find(name)
    if recorded is not None:
        return _load_outcome(call, recorded, usage)
    await journal.prepare(events=True)
    if journal.is_repeated:
        get_logger("mastra.agents").warning(
            "the call %r of the tool %r may be executed again, because its process has ended",
            part.tool_call_id,
            part.tool_name,
        )
    call_usage = _CallUsage(usage)
    outcome = await execute(name, call_usage)
    if outcome.result is not None and outcome.result.outcome == "failed" and is_being_cancelled():
        raise asyncio.CancelledError  # the tool fails because its process stops
    journal.record(name, _dump_outcome(outcome, call_usage.total))
    return outcome


def _dump_outcome(outcome: CallOutcome, usage: Usage) -> Any:
    result = outcome.result
    if result is None:
        return dump(_RecordedCall(waiting=outcome.waiting, usage=usage))
    return dump(
        _RecordedCall(
            content=result.content, outcome=result.outcome, metadata=result.metadata, usage=usage
        )
    )


def _load_outcome(call: PendingCall, value: Any, usage: UsageSink) -> CallOutcome:
    part = call.part
    recorded = msgspec.convert(value, _RecordedCall)
    usage.add(recorded.usage)
    if recorded.waiting is not None:
        return CallOutcome(part=part, waiting=recorded.waiting)
    result = ToolReturnPart(
        part.tool_name,
        recorded.content,
        part.tool_call_id,
        metadata=recorded.metadata,
        outcome=recorded.outcome,
    )
    return CallOutcome(part=part, result=result)
