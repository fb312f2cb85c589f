"""Convert the messages of a finished run to events."""

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

__all__ = (
    "OUTPUT_TOOL",
    "RESULT_KEY",
    "build_end_events",
    "build_events",
    "build_finish",
    "build_stop_events",
    "subtract_usage",
    "to_tool_result",
)

OUTPUT_TOOL = "final_result"
RESULT_KEY = "mastra.result"  # metadata of a result part whose content is made for the model


def build_events(messages: Sequence[native.ModelMessage], previous_count: int) -> list[AgentEvent]:
    """Build the events of a run, except the end of its last turn.

    :param messages: pydantic-ai's messages.
    :param previous_count: number of messages before the run.
    """
    calls = {
        call.id: call for message in messages[:previous_count] for call in _list_calls(message)
    }
    events: list[AgentEvent] = []
    usage = Usage()  # of the current turn; a resumed turn was counted in the earlier run
    for message in messages[previous_count:]:
        if isinstance(message, native.ModelRequest):
            events += _iter_results(message, calls)
            continue
        if events:
            events.append(StepFinish(reason="tool-calls", continued=True, usage=usage))
        usage = to_usage(message.usage)
        new_calls = _list_calls(message)
        calls |= {call.id: call for call in new_calls}
        events += [event for part in message.parts for event in to_events(part)]
        events += new_calls
    return events


def build_end_events(result: Any, before: Usage, *, is_structured: bool) -> list[AgentEvent]:
    """Build the last events of a run.

    :param result: pydantic-ai's result.
    :param before: the tokens of the turns that have ended.
    :param is_structured: whether a text is a structured answer.
    """
    output, messages = result.output, result.all_messages()
    total = to_usage(result.usage)
    if isinstance(output, pydantic_ai.DeferredToolRequests):
        return _build_deferred_events(output, total, before, messages)
    reason = get_finish_reason(result.response)
    is_text = isinstance(output, str) and not is_structured
    object_ = None if is_text else dump(output)
    return [
        StepFinish(reason=reason, usage=subtract_usage(total, before)),
        build_finish(messages, reason=reason, object=object_, usage=total),
    ]


def build_stop_events(
    messages: list[native.ModelMessage], usage: Any, before: Usage
) -> list[AgentEvent]:
    """Build the last events of a run that a stop condition ended.

    :param messages: pydantic-ai's messages.
    :param usage: pydantic-ai's token counts.
    :param before: the tokens of the turns that have ended.
    """
    return _build_tool_calls_end(messages, to_usage(usage), before)


def subtract_usage(total: Usage, before: Usage) -> Usage:
    """Return the tokens that are in ``total`` but not in ``before``.

    :param total: the tokens of the run so far.
    :param before: the tokens of the turns that have ended.
    """
    return Usage(
        input_tokens=total.input_tokens - before.input_tokens,
        output_tokens=total.output_tokens - before.output_tokens,
        cached_tokens=total.cached_tokens - before.cached_tokens,
        reasoning_tokens=total.reasoning_tokens - before.reasoning_tokens,
    )


def to_tool_result(part: Any, calls: dict[str, ToolCall]) -> ToolResult:
    """Convert a tool's result, or its error.

    :param part: pydantic-ai's part.
    :param calls: the known calls, by id.
    """
    call = calls.get(part.tool_call_id)
    return ToolResult(
        id=part.tool_call_id,
        name=part.tool_name or (call.name if call else ""),
        arguments=call.arguments if call else {},
        result=dump(_get_result(part)),
        failed=part.outcome != "success",
        declined=part.outcome == "denied",
    )


def _get_result(part: Any) -> Any:
    """Return the result of a tool, whose model may have got something else."""
    metadata = getattr(part, "metadata", None)
    if isinstance(metadata, dict) and RESULT_KEY in metadata:
        return metadata[RESULT_KEY]
    return part.content


def build_finish(messages: list[native.ModelMessage], **fields: Any) -> Finish:
    """Build the last event of a run.

    :param messages: pydantic-ai's messages, which are the history.
    :param fields: the other fields of the event.
    """
    finish = _LazyFinish(**fields)
    finish.__dict__["messages"] = messages
    return finish


class _LazyFinish(Finish, frozen=True, dict=True, kw_only=True):
    """Serialises the history only when it is read, because most runs are never continued."""

    @property  # type: ignore[misc]  # replaces the field
    def history(self) -> bytes:
        # The adapter's `dump_json` takes twice as long.
        serializer = native.ModelMessagesTypeAdapter.serializer
        return serializer.to_json(self.__dict__.get("messages", []), warnings=False)


def _build_deferred_events(
    output: Any, total: Usage, before: Usage, messages: list[native.ModelMessage]
) -> list[AgentEvent]:
    if not output.approvals:  # only client tools
        return _build_tool_calls_end(messages, total, before)
    waiting = [
        _to_waiting_event(part, output.metadata.get(part.tool_call_id)) for part in output.approvals
    ]
    return [*waiting, build_finish(messages, reason="suspended", usage=total)]


def _build_tool_calls_end(
    messages: list[native.ModelMessage], total: Usage, before: Usage
) -> list[AgentEvent]:
    reason = "tool-calls"
    return [
        StepFinish(reason=reason, usage=subtract_usage(total, before)),
        build_finish(messages, reason=reason, usage=total),
    ]


def _to_waiting_event(part: native.ToolCallPart, metadata: Any) -> ApprovalRequired | ToolSuspended:
    call, arguments = part.tool_call_id, parse_arguments(part)
    if metadata and "suspended" in metadata:
        payload = metadata["suspended"]
        return ToolSuspended(id=call, name=part.tool_name, arguments=arguments, payload=payload)
    return ApprovalRequired(id=call, name=part.tool_name, arguments=arguments)


def _list_calls(message: native.ModelMessage) -> list[ToolCall]:
    if not isinstance(message, native.ModelResponse):
        return []
    return [
        to_tool_call(part)
        for part in message.tool_calls
        if not part.tool_name.startswith(OUTPUT_TOOL)
    ]


def _iter_results(message: native.ModelRequest, calls: dict[str, ToolCall]) -> Iterator[AgentEvent]:
    for part in message.parts:
        if isinstance(part, native.ToolReturnPart) and part.tool_call_id in calls:
            yield to_tool_result(part, calls)
