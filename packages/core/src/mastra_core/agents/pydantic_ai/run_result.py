"""The messages of a run told as events, once it is over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pydantic_ai
from pydantic_ai import messages as native

from mastra_core.agents.events import (
    AgentEvent,
    ApprovalRequired,
    Finish,
    StepFinish,
    ToolCall,
    ToolOutput,
    ToolResult,
    ToolSuspended,
    Usage,
)
from mastra_core.agents.pydantic_ai.convert_parts import (
    get_finish_reason,
    parse_arguments,
    to_events,
    to_tool_call,
    to_usage,
)
from mastra_core.schema import dump

__all__ = ("build_end_events", "build_events", "build_stop_events", "to_tool_result")

_OUTPUT_TOOL = "final_result"


def build_events(
    messages: Sequence[native.ModelMessage], seen: int, outputs: Sequence[ToolOutput] = ()
) -> list[AgentEvent]:
    """The events of a run; its last turn is not closed yet.

    :param seen: how many of the messages were there before the run.
    :param written: what tools told while they ran.
    """
    calls = {call.id: call for message in messages[:seen] for call in _calls(message)}
    events: list[AgentEvent] = []
    usage = Usage()  # of the turn that goes on: an earlier run's, where this one resumes it
    for message in messages[seen:]:
        if isinstance(message, native.ModelRequest):
            events += _results(message, calls, outputs)
            continue
        if events:
            events.append(StepFinish(reason="tool-calls", continued=True, usage=usage))
        usage = to_usage(message.usage)
        made = _calls(message)
        calls |= {call.id: call for call in made}
        events += [event for part in message.parts for event in to_events(part)]
        events += made
    return events


def build_end_events(result: Any, before: Usage) -> list[AgentEvent]:
    """How a run ended whose events were told until here.

    :param before: the tokens of the turns that were closed.
    """
    output, messages = result.output, result.all_messages()
    total = to_usage(result.usage)
    if isinstance(output, pydantic_ai.DeferredToolRequests):
        return _deferred(output, total, before, messages)
    reason = get_finish_reason(result.response)
    object_ = None if isinstance(output, str) else dump(output)
    return [
        StepFinish(reason=reason, usage=subtract_usage(total, before)),
        _Finished.of(messages, reason=reason, object=object_, usage=total),
    ]


def build_stop_events(
    messages: list[native.ModelMessage], usage: Any, before: Usage
) -> list[AgentEvent]:
    """How a run ended that a condition stopped."""
    return _called(messages, to_usage(usage), before)


def subtract_usage(total: Usage, before: Usage) -> Usage:
    """What came to ``before`` to make ``total``."""
    return Usage(
        input_tokens=total.input_tokens - before.input_tokens,
        output_tokens=total.output_tokens - before.output_tokens,
        cached_tokens=total.cached_tokens - before.cached_tokens,
        reasoning_tokens=total.reasoning_tokens - before.reasoning_tokens,
    )


def to_tool_result(part: Any, calls: dict[str, ToolCall]) -> ToolResult:
    """What a tool answered, or why it did not."""
    call = calls.get(part.tool_call_id)
    return ToolResult(
        id=part.tool_call_id,
        name=part.tool_name or (call.name if call else ""),
        arguments=call.arguments if call else {},
        result=dump(part.content),
        failed=part.outcome != "success",
    )


class _Finished(Finish, frozen=True, dict=True, kw_only=True):
    """Writes the history when somebody reads it: most runs are asked for once and forgotten."""

    @classmethod
    def of(cls, messages: list[native.ModelMessage], **fields: Any) -> _Finished:
        made = cls(**fields)
        made.__dict__["messages"] = messages
        return made

    @property  # type: ignore[misc]  # the place of a field, made when it is read
    def history(self) -> bytes:
        # Not by the adapter's `dump_json`, which takes twice as long over the same.
        serializer = native.ModelMessagesTypeAdapter.serializer
        return serializer.to_json(self.__dict__.get("messages", []), warnings=False)


def _deferred(
    output: Any, total: Usage, before: Usage, messages: list[native.ModelMessage]
) -> list[AgentEvent]:
    if not output.approvals:  # only tools of the caller
        return _called(messages, total, before)
    waiting = [_waits(part, output.metadata.get(part.tool_call_id)) for part in output.approvals]
    return [*waiting, _Finished.of(messages, reason="suspended", usage=total)]


def _called(messages: list[native.ModelMessage], total: Usage, before: Usage) -> list[AgentEvent]:
    reason = "tool-calls"
    return [
        StepFinish(reason=reason, usage=subtract_usage(total, before)),
        _Finished.of(messages, reason=reason, usage=total),
    ]


def _waits(part: native.ToolCallPart, metadata: Any) -> ApprovalRequired | ToolSuspended:
    call, arguments = part.tool_call_id, parse_arguments(part)
    if metadata and "suspended" in metadata:
        payload = metadata["suspended"]
        return ToolSuspended(id=call, name=part.tool_name, arguments=arguments, payload=payload)
    return ApprovalRequired(id=call, name=part.tool_name, arguments=arguments)


def _calls(message: native.ModelMessage) -> list[ToolCall]:
    if not isinstance(message, native.ModelResponse):
        return []
    return [
        to_tool_call(part)
        for part in message.tool_calls
        if not part.tool_name.startswith(_OUTPUT_TOOL)
    ]


def _results(
    message: native.ModelRequest, calls: dict[str, ToolCall], written: Sequence[ToolOutput]
) -> Iterator[AgentEvent]:
    for part in message.parts:
        if isinstance(part, native.ToolReturnPart) and part.tool_call_id in calls:
            yield from (each for each in written if each.id == part.tool_call_id)
            yield to_tool_result(part, calls)
