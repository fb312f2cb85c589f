"""What was decided about a suspended run, as pydantic-ai takes it."""

from __future__ import annotations

from typing import Any

import pydantic_ai
from pydantic_ai import messages as native

from mastra_core.agents.messages import AgentInput, Decision, ToolResultPart
from mastra_core.errors import InvalidInput

__all__ = ("build_deferred_results", "find_pending_calls")


def find_pending_calls(history: list[native.ModelMessage]) -> dict[str, str]:
    """The calls of the last turn that have no result: id to the tool's name."""
    answered: set[str] = set()
    for message in reversed(history):
        if isinstance(message, native.ModelResponse):
            return {
                call.tool_call_id: call.tool_name
                for call in message.tool_calls
                if call.tool_call_id not in answered
            }
        answered |= {getattr(part, "tool_call_id", "") for part in message.parts}
    return {}


def build_deferred_results(
    run_input: AgentInput, history: list[native.ModelMessage], *, allow_partial: bool
) -> pydantic_ai.DeferredToolResults | None:
    """The results for the calls that ``history`` waits for; ``None`` where it waits for none.

    :param partly: a call that nobody decided may ask again; else each must be decided.
    :raises InvalidInput: for a decision about another call, or one that is missing.
    """
    pending = find_pending_calls(history) if run_input.history else {}
    decisions = _results(run_input) | run_input.decisions
    for call in decisions:
        if call not in pending:
            raise InvalidInput(f"The run does not wait for the call {call!r}.")
    if not pending:
        return None
    if not decisions:
        raise InvalidInput(
            f"The run waits for decisions about {', '.join(map(repr, pending))}.",
            "Give them as AgentInput.decisions.",
        )
    theirs = {tool.name for tool in run_input.client_tools}
    results = pydantic_ai.DeferredToolResults()
    for call, name in pending.items():
        decision = decisions.get(call)
        if decision is None and (name in theirs or not allow_partial):
            raise InvalidInput(f"The run waits for a decision about the call {call!r}.")
        _decide(results, call, decision, client=name in theirs)
    return results


def _decide(
    results: pydantic_ai.DeferredToolResults, call: str, decision: Decision | None, *, client: bool
) -> None:
    if decision is None:
        results.approvals[call] = pydantic_ai.ToolApproved()
        results.metadata[call] = {"undecided": True}
    elif client:
        failed = pydantic_ai.ToolFailed(decision.reason or "The tool was not called.")
        results.calls[call] = decision.data if decision.approved else failed
    elif decision.approved:
        results.approvals[call] = pydantic_ai.ToolApproved(override_args=decision.arguments)
        results.metadata[call] = {"data": decision.data}
    else:
        reason = decision.reason or "The tool call was declined."
        results.approvals[call] = pydantic_ai.ToolDenied(reason)


def _results(wish: AgentInput) -> dict[str, Decision]:
    """Results of the client's own tools, which come as the last message beside the history."""
    last: tuple[Any, ...] = wish.messages[-1].parts if wish.history and wish.messages else ()
    return {
        part.id: Decision(data=part.result) for part in last if isinstance(part, ToolResultPart)
    }
