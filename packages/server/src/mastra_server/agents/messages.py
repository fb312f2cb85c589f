"""Build a run's messages for responses: as a model reads them, and as Mastra stores them."""

from __future__ import annotations

from typing import Any

from mastra_core.agents import Message, TextPart, ToolResult
from mastra_server.agents.transcript import Transcript, Turn
from mastra_server.http.dates import format_iso

__all__ = (
    "build_content",
    "build_finished_call",
    "build_reasoning_part",
    "build_request_messages",
    "build_response_messages",
    "build_stored_input",
    "build_stored_message",
    "build_ui_message",
)


def build_content(turn: Turn, text: str = "") -> list[dict[str, Any]]:
    """Build the content of one turn: reasoning, text, tool calls, tool results.

    :param turn: the turn.
    :param text: the text to use if the turn has no text, as with structured output.
    :returns: the parts.
    """
    turn_text = turn.text or text
    content: list[dict[str, Any]] = []
    if turn.reasoning:
        content.append({"type": "reasoning", "text": turn.reasoning})
    if turn_text:
        content.append({"type": "text", "text": turn_text})
    content += [
        {"type": "tool-call", "toolCallId": call.id, "toolName": call.name, "input": call.arguments}
        for call in turn.calls
    ]
    return content + _build_results(turn)


def build_finished_call(call: dict[str, Any], result: Any, *, is_error: bool) -> dict[str, Any]:
    """Build a tool call that has a result, in the form in which Mastra stores messages.

    :param call: the id, the name and the arguments of the call.
    :param result: the result of the tool, or the message of its error.
    :param is_error: whether the tool failed.
    """
    if is_error:
        return {"state": "output-error", **call, "errorText": str(result)}
    return {"state": "result", **call, "result": result}


def build_reasoning_part(text: str) -> dict[str, Any]:
    """Build the part of a stored message that contains reasoning.

    :param text: the reasoning.
    """
    return {"type": "reasoning", "reasoning": text, "details": [{"type": "text", "text": text}]}


def build_response_messages(transcript: Transcript) -> list[dict[str, Any]]:
    """Build the messages that the run added, in a form for models.

    :param transcript: the run.
    :returns: messages of the roles ``assistant`` and ``tool``.
    """
    messages: list[dict[str, Any]] = []
    for turn in transcript.turns:
        own = [
            part for part in _build_turn_content(transcript, turn) if part["type"] != "tool-result"
        ]
        if own:
            messages.append({"role": "assistant", "content": own})
        if turn.results:
            messages.append({"role": "tool", "content": _build_results(turn)})
    return messages


def build_request_messages(transcript: Transcript) -> list[dict[str, Any]]:
    """Build the messages that the caller sent, with their text only.

    :param transcript: the run.
    :returns: the messages without system messages.
    """
    return [
        {"role": message.role, "content": _get_text_parts(message)}
        for message in transcript.run_input.messages
        if message.role != "system"
    ]


def build_stored_message(transcript: Transcript, trace: dict[str, str]) -> dict[str, Any]:
    """Build one message from the run's response, in the form in which Mastra stores messages.

    :param transcript: the run.
    :param trace: the trace id of the run, if it is traced.
    :returns: the message.
    """
    parts = [part for turn in transcript.turns for part in _build_stored_parts(transcript, turn)]
    metadata: dict[str, Any] = {"modelId": transcript.model, "provider": transcript.provider}
    if transcript.finish.object is not None:
        metadata["structuredOutput"] = transcript.finish.object
    if "traceId" in trace:
        metadata["traceId"] = trace["traceId"]
    return {
        "id": transcript.message_id,
        "role": "assistant",
        "content": {
            "format": 2,
            "parts": parts,
            "content": transcript.text,
            "metadata": metadata,
        },
        "createdAt": format_iso(transcript.turns[0].started_at if transcript.turns else 0),
        **_get_thread_fields(transcript),
    }


def build_stored_input(transcript: Transcript) -> list[dict[str, Any]]:
    """Build the caller's messages in the form in which Mastra stores messages.

    :param transcript: the run.
    :returns: the messages of the roles ``user`` and ``assistant``.
    """
    created = transcript.turns[0].started_at if transcript.turns else 0
    return [
        {
            "id": f"{transcript.message_id}-{index}",
            "role": message.role,
            "createdAt": format_iso(created),
            "content": {
                "format": 2,
                "parts": [{**part, "createdAt": created} for part in _get_text_parts(message)],
                "content": message.text,
            },
            **_get_thread_fields(transcript),
        }
        for index, message in enumerate(transcript.run_input.messages)
        if message.role in ("user", "assistant")
    ]


def build_ui_message(transcript: Transcript, trace: dict[str, str]) -> dict[str, Any]:
    """Build one message of an AI SDK user interface from the run's response.

    :param transcript: the run.
    :param trace: the trace id of the run, if it is traced.
    :returns: the message.
    """
    message = build_stored_message(transcript, trace)
    parts: list[dict[str, Any]] = []
    for part in message["content"]["parts"]:
        if part["type"] == "tool-invocation":
            parts.append(_to_ui_tool_part(part["toolInvocation"]))
        elif part["type"] == "reasoning":
            parts.append({"type": "reasoning", "text": part["reasoning"], "state": "done"})
        else:
            parts.append({key: value for key, value in part.items() if key != "createdAt"})
    metadata = {
        **message["content"]["metadata"],
        "createdAt": message["createdAt"],
        **_get_thread_fields(transcript),
    }
    return {"id": message["id"], "role": "assistant", "metadata": metadata, "parts": parts}


def _get_thread_fields(transcript: Transcript) -> dict[str, str]:
    """Return the ids of thread and resource; empty if the run has no thread."""
    run_input = transcript.run_input
    return (
        {"threadId": run_input.thread, "resourceId": run_input.resource} if run_input.thread else {}
    )


def _to_ui_tool_part(call: dict[str, Any]) -> dict[str, Any]:
    part = {
        "type": f"tool-{call['toolName']}",
        "toolCallId": call["toolCallId"],
        "input": call["args"],
        "state": "input-available",
    }
    if call["state"] == "result":
        part |= {"state": "output-available", "output": call["result"]}
    elif call["state"] == "output-error":
        part |= {"state": "output-error", "errorText": call["errorText"]}
    return part


def _build_turn_content(transcript: Transcript, turn: Turn) -> list[dict[str, Any]]:
    last = turn is transcript.turns[-1]
    return build_content(turn, transcript.text if last else "")


def _build_stored_parts(transcript: Transcript, turn: Turn) -> list[dict[str, Any]]:
    results = {result.id: result for result in turn.results}
    parts: list[dict[str, Any]] = []
    for part in _build_turn_content(transcript, turn):
        if part["type"] == "tool-call":
            parts.append(
                {"type": "tool-invocation", "toolInvocation": _build_invocation(part, results)}
            )
        elif part["type"] == "reasoning":
            parts.append(build_reasoning_part(part["text"]))
        elif part["type"] != "tool-result":
            parts.append(part)
    return [{**part, "createdAt": turn.started_at} for part in parts]


def _build_invocation(part: dict[str, Any], results: dict[str, ToolResult]) -> dict[str, Any]:
    call_id = part["toolCallId"]
    call = {"toolCallId": call_id, "toolName": part["toolName"], "args": part["input"]}
    result = results.get(call_id)
    if result is None:
        return {"state": "call", **call}
    return build_finished_call(call, result.result, is_error=result.failed and not result.declined)


def _build_results(turn: Turn) -> list[dict[str, Any]]:
    return [
        {
            "type": "tool-result",
            "toolCallId": result.id,
            "toolName": result.name,
            "input": result.arguments,
            "output": {"type": _get_output_type(result), "value": result.result},
        }
        for result in turn.results
    ]


def _get_output_type(result: ToolResult) -> str:
    if result.failed and not result.declined:
        return "error-text"
    return "text" if isinstance(result.result, str) else "json"


def _get_text_parts(message: Message) -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": part.text} for part in message.parts if isinstance(part, TextPart)
    ]
