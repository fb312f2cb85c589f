"""Continue a run whose last turn has tool calls without results."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Sequence
from typing import Any

import pydantic_ai
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
)

from mastra_core.agents.loop.call_outcome import PendingCall
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.pydantic_ai.approvals import build_deferred_results

__all__ = ("Resumption", "answer_interrupted_calls", "build_resumption")

_INTERRUPTED = "The tool call was interrupted, so it has no result."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resumption:
    """The decisions about the calls that wait at the end of the history.

    :param parts: the calls as the model wrote them.
    :param calls: the calls to execute.
    :param results: the results of declined calls, and of calls that the caller has executed.
    """

    parts: list[ToolCallPart]
    calls: list[PendingCall]
    results: list[ToolReturnPart]


def build_resumption(
    run_input: AgentInput, history: list[ModelMessage], own_tools: Container[str]
) -> Resumption | None:
    """Build the decisions about the calls that wait at the end of a history.

    :param run_input: the input of the run.
    :param history: pydantic-ai's messages.
    :param own_tools: the names of the tools that the agent executes.
    :returns: the decisions; ``None`` if no call waits.
    :raises InvalidInput: for a decision about a call that does not wait, or a missing decision.
    """
    results = build_deferred_results(run_input, history, allow_partial=True, own_tools=own_tools)
    if results is None:
        return None
    response = next(each for each in reversed(history) if isinstance(each, ModelResponse))
    resumption = Resumption(parts=[], calls=[], results=[])
    for part in response.tool_calls:
        if part.tool_call_id in results.approvals:
            _add_approval(resumption, part, results)
        elif part.tool_call_id in results.calls:
            resumption.parts.append(part)
            resumption.results.append(_to_result(part, results.calls[part.tool_call_id]))
    return resumption


def answer_interrupted_calls(history: list[ModelMessage]) -> list[ModelMessage]:
    """Return a history in which each tool call has a result; providers refuse any other history.

    :param history: pydantic-ai's messages.
    """
    repaired: list[ModelMessage] = []
    open_calls: list[ToolCallPart] = []
    for message in history:
        if isinstance(message, ModelResponse):
            repaired += _build_interrupted_request(open_calls, [])
            repaired.append(message)
            open_calls = message.tool_calls
        else:
            repaired += _build_interrupted_request(open_calls, message.parts) or [message]
            open_calls = []
    return [*repaired, *_build_interrupted_request(open_calls, [])]


def _build_interrupted_request(
    calls: Sequence[ToolCallPart], parts: Sequence[ModelRequestPart]
) -> list[ModelMessage]:
    """Return a request with ``parts`` and the missing results; nothing if all results exist."""
    answered = {getattr(part, "tool_call_id", None) for part in parts}
    missing = [_interrupt(call) for call in calls if call.tool_call_id not in answered]
    return [ModelRequest(parts=[*missing, *parts])] if missing else []


def _add_approval(
    resumption: Resumption, part: ToolCallPart, results: pydantic_ai.DeferredToolResults
) -> None:
    approval = results.approvals[part.tool_call_id]
    metadata = results.metadata.get(part.tool_call_id, {})
    if isinstance(approval, pydantic_ai.ToolDenied):
        resumption.parts.append(part)
        resumption.results.append(_build_result(part, approval.message, "denied"))
        return
    replaced = getattr(approval, "override_args", None)
    if replaced is not None:
        part = dataclasses.replace(part, args=replaced)
    resumption.parts.append(part)
    resumption.calls.append(
        PendingCall(
            part=part,
            approved=not metadata.get("undecided", False),
            resume_data=metadata.get("data"),
        )
    )


def _to_result(part: ToolCallPart, value: Any) -> ToolReturnPart:
    if isinstance(value, pydantic_ai.ToolFailed):
        return _build_result(part, value.message, "failed")
    return ToolReturnPart(part.tool_name, value, part.tool_call_id)


def _build_result(part: ToolCallPart, message: str, outcome: Any) -> ToolReturnPart:
    return ToolReturnPart(part.tool_name, message, part.tool_call_id, outcome=outcome)


def _interrupt(part: ToolCallPart) -> ToolReturnPart:
    return _build_result(part, _INTERRUPTED, "interrupted")
