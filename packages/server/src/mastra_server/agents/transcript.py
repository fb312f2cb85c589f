"""Group the events of a run into turns, for all kinds of response."""

from __future__ import annotations

import base64
import dataclasses
import functools
import uuid
from typing import Any

from mastra_core.agents import (
    AgentEvent,
    AgentInput,
    ApprovalRequired,
    Failure,
    File,
    Finish,
    ReasoningDelta,
    Start,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolResult,
    ToolSuspended,
    Usage,
)
from mastra_core.random_id import generate_id
from mastra_core.schema import encode_json
from mastra_core.workflows.engine.run_events import get_timestamp_ms
from mastra_server.descriptions.inline_references import inline_references

__all__ = (
    "APPROVAL_SCHEMA",
    "Transcript",
    "Turn",
    "build_call_payload",
    "build_error_payload",
    "build_file_payload",
    "build_model_metadata",
    "build_result_payload",
    "build_usage",
    "build_waiting_payload",
    "derive_id",
)

APPROVAL_SCHEMA = encode_json(
    {
        "type": "object",
        "properties": {"approved": {"type": "boolean"}, "reason": {"type": "string"}},
        "required": ["approved"],
        "additionalProperties": False,
    }
).decode()


@dataclasses.dataclass
class Turn:
    """One turn of the model: its text, reasoning, files, tool calls and their results."""

    text_pieces: list[str] = dataclasses.field(default_factory=list)
    reasoning_pieces: list[str] = dataclasses.field(default_factory=list)
    files: list[File] = dataclasses.field(default_factory=list)
    calls: list[ToolCall] = dataclasses.field(default_factory=list)
    results: list[ToolResult] = dataclasses.field(default_factory=list)
    reason: str = "stop"
    usage: Usage = dataclasses.field(default_factory=Usage)
    started_at: int = dataclasses.field(default_factory=get_timestamp_ms)

    @property
    def text(self) -> str:
        """The text so far."""
        return _join(self.text_pieces)

    @property
    def reasoning(self) -> str:
        """The reasoning so far."""
        return _join(self.reasoning_pieces)

    @functools.cached_property
    def reasoning_id(self) -> str:
        """The id of the turn's reasoning, which all events and messages of a response use."""
        return f"reasoning_{generate_id()}"


@dataclasses.dataclass
class Transcript:
    """The turns of a run so far."""

    agent_id: str
    run_input: AgentInput
    message_id: str = ""
    turns: list[Turn] = dataclasses.field(default_factory=list)
    model: str = ""
    provider: str = ""
    finish: Finish = dataclasses.field(default_factory=Finish)
    waiting: list[ApprovalRequired | ToolSuspended] = dataclasses.field(default_factory=list)
    is_open: bool = False

    def __post_init__(self) -> None:
        self.message_id = self.message_id or self.run_input.continued_id or generate_id()

    @property
    def turn(self) -> Turn:
        """The open turn; if the last turn is closed, a new turn."""
        if not self.is_open:
            self.turns.append(Turn())
            self.is_open = True
        return self.turns[-1]

    @property
    def text(self) -> str:
        """The text of the response: the last turn's text, or else structured output as JSON."""
        text = self.turns[-1].text if self.turns else ""
        if not text and self.finish.object is not None:
            return encode_json(self.finish.object).decode()
        return text

    def add(self, event: AgentEvent) -> None:
        """Add one event.

        :param event: the next event of the run.
        """
        match event:
            case Start():
                self.model, self.provider = event.model, event.provider
                self.message_id = event.message_id or self.message_id
            case TextDelta():
                self.turn.text_pieces.append(event.text)
            case ReasoningDelta():
                self.turn.reasoning_pieces.append(event.text)
            case File():
                self.turn.files.append(event)
            case ApprovalRequired() | ToolSuspended():
                self.waiting.append(event)
            case ToolCall():
                self.turn.calls.append(event)
            case ToolResult():
                self._add_result(event)
            case StepFinish() | Failure():
                self._close_turn(event)
            case Finish():
                self.finish = event

    def _add_result(self, event: ToolResult) -> None:
        turn = self.turn
        if not any(call.id == event.id for each in self.turns for call in each.calls):
            # The call was made before the run was suspended; clients need call and result.
            turn.calls.append(ToolCall(id=event.id, name=event.name, arguments=event.arguments))
        turn.results.append(event)

    def _close_turn(self, event: StepFinish | Failure) -> None:
        turn = self.turn
        self.is_open = False
        if isinstance(event, Failure):
            turn.reason = "error"
            self.finish = Finish(reason="error", usage=self.sum_usage())
        else:
            turn.reason, turn.usage = event.reason, event.usage

    def sum_usage(self) -> Usage:
        """Return the token usage of all turns."""
        return sum((turn.usage for turn in self.turns), Usage())


def derive_id(*parts: object) -> str:
    """Derive an id from other values, so that each reader of a stored run gets the same id.

    :param parts: values that together occur only once.
    """
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


def _join(pieces: list[str]) -> str:
    """Join the pieces of a text, and replace the pieces with the whole text.

    Appending each piece to a string would take time that grows with the square of the text's
    length.
    """
    if len(pieces) > 1:
        pieces[:] = ["".join(pieces)]
    return pieces[0] if pieces else ""


def build_model_metadata(transcript: Transcript) -> dict[str, str]:
    """Build the fields of a payload that name the model and its provider.

    :param transcript: the run.
    """
    return {
        "modelId": transcript.model,
        "modelVersion": "",
        "modelProvider": transcript.provider,
    }


def build_usage(usage: Usage) -> dict[str, Any]:
    """Build the numbers of tokens for a payload.

    :param usage: the usage.
    """
    tokens = {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
    }
    details = {"cachedInputTokens": usage.cached_tokens, "reasoningTokens": usage.reasoning_tokens}
    nonzero = {key: count for key, count in details.items() if count}
    return {**tokens, **nonzero, "raw": tokens}


def build_call_payload(call: Any) -> dict[str, Any]:
    """Build the payload of a tool call.

    :param call: a tool call, or an event about one.
    """
    return {"toolCallId": call.id, "toolName": call.name, "args": call.arguments}


def build_file_payload(file: File) -> dict[str, Any]:
    """Build the payload of a file that the model generated.

    :param file: the file.
    """
    data = file.url or base64.b64encode(file.data).decode()
    return {"mimeType": file.media_type, "data": data}


def build_result_payload(result: ToolResult) -> dict[str, Any]:
    """Build the payload of a tool result.

    :param result: the result.
    """
    payload = {**build_call_payload(result), "result": result.result}
    return {**payload, "isError": True} if result.failed else payload


def build_error_payload(result: ToolResult) -> dict[str, Any]:
    """Build the payload of a tool call that failed.

    :param result: the result of the call, which is the error message.
    """
    error = {"name": "Error", "message": str(result.result)}
    return {**build_call_payload(result), "error": error}


def build_waiting_payload(event: ApprovalRequired | ToolSuspended) -> dict[str, Any]:
    """Build the payload of a tool call that waits for a decision.

    :param event: the suspension.
    """
    payload = build_call_payload(event)
    if isinstance(event, ToolSuspended):
        schema = encode_json(inline_references(event.resume_schema or {})).decode()
        return {**payload, "suspendPayload": event.payload, "resumeSchema": schema}
    return {**payload, "resumeSchema": APPROVAL_SCHEMA}
