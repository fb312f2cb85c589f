"""Convert decisions about a suspended run to the form that pydantic-ai expects."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import pydantic_ai
from pydantic_ai import messages as native

from mastra_core.agents.messages import AgentInput, Decision, ToolResultPart
from mastra_core.errors import InvalidInput

__all__ = ("build_deferred_results", "find_pending_calls")


def find_pending_calls(history: list[native.ModelMessage]) -> dict[str, str]:
    """Return the calls of the last turn that have no result.

    :param history: pydantic-ai's messages.
    :returns: call ids, mapped to the names of the tools.
    """
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
    run_input: AgentInput,
    history: list[native.ModelMessage],
    *,
    allow_partial: bool,
    own_tools: Container[str] | None = None,
) -> pydantic_ai.DeferredToolResults | None:
    """Build the results for the calls that wait at the end of the history.

    :param run_input: the input of the run.
    :param history: pydantic-ai's messages.
    :param allow_partial: whether a call without a decision may wait again; else each call needs a
        decision.
    :param own_tools: the names of the tools that the agent executes, if they are known. A caller
        may send the result of another tool, even if the caller does not describe the tool again.
    :returns: the results; ``None`` if no call waits.
    :raises InvalidInput: for a decision about a call that does not wait, or a missing decision.
    """
    pending = find_pending_calls(history) if run_input.history else {}
    client_results = _read_client_results(run_input)
    decisions = client_results | run_input.decisions
    for call in decisions:
        if call not in pending:
            raise InvalidInput(f"The run is not waiting for a decision about the call {call!r}.")
    if not pending:
        return None
    if not decisions:
        raise InvalidInput(
            f"The run waits for decisions about {', '.join(map(repr, pending))}.",
            "Pass them as AgentInput.decisions.",
        )
    client_names = {tool.name for tool in run_input.client_tools}
    if own_tools is not None:
        answered = (pending[call] for call in client_results)
        client_names |= {name for name in answered if name not in own_tools}
    results = pydantic_ai.DeferredToolResults()
    for call, name in pending.items():
        decision = decisions.get(call)
        if decision is None and (name in client_names or not allow_partial):
            raise InvalidInput(f"The run waits for a decision about the call {call!r}.")
        _apply_decision(results, call, decision, client=name in client_names)
    return results


def _apply_decision(
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


def _read_client_results(run_input: AgentInput) -> dict[str, Decision]:
    """Return the results of client tools from the message after the history."""
    last: tuple[Any, ...] = (
        run_input.messages[-1].parts if run_input.history and run_input.messages else ()
    )
    return {
        part.id: Decision(data=part.result) for part in last if isinstance(part, ToolResultPart)
    }
