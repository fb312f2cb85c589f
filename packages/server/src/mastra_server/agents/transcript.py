"""Collect the events of a run into turns, from which both kinds of response are built."""

from __future__ import annotations

import base64
import dataclasses
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
from mastra_core.workflows.engine.run_events import now
from mastra_server.http.responses import encode_json

__all__ = (
    "Transcript",
    "Turn",
    "call_payload",
    "file_payload",
    "model_label",
    "result_payload",
    "usage_of",
    "waiting_payload",
)

_APPROVAL = encode_json(
    {
        "type": "object",
        "properties": {"approved": {"type": "boolean"}, "reason": {"type": "string"}},
        "required": ["approved"],
        "additionalProperties": False,
    }
).decode()


@dataclasses.dataclass
class Turn:
    """One model turn."""

    text: str = ""
    reasoning: str = ""
    files: list[File] = dataclasses.field(default_factory=list)
    calls: list[ToolCall] = dataclasses.field(default_factory=list)
    results: list[ToolResult] = dataclasses.field(default_factory=list)
    reason: str = "stop"
    usage: Usage = dataclasses.field(default_factory=Usage)
    at: int = dataclasses.field(default_factory=now)


@dataclasses.dataclass
class Transcript:
    """A run so far."""

    agent_id: str
    wish: AgentInput
    message_id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    turns: list[Turn] = dataclasses.field(default_factory=list)
    model: str = ""
    provider: str = ""
    finish: Finish = dataclasses.field(default_factory=Finish)
    waiting: list[ApprovalRequired | ToolSuspended] = dataclasses.field(default_factory=list)
    open: bool = False

    @property
    def turn(self) -> Turn:
        """The open turn; a new one where the last turn is closed."""
        if not self.open:
            self.turns.append(Turn())
            self.open = True
        return self.turns[-1]

    @property
    def text(self) -> str:
        """The text of the response: structured output as JSON, else the last turn's text."""
        if self.finish.object is not None:
            return encode_json(self.finish.object).decode()
        return self.turns[-1].text if self.turns else ""

    def add(self, event: AgentEvent) -> None:
        """Add one event.

        :param event: the next event of the run.
        """
        match event:
            case Start():
                self.model, self.provider = event.model, event.provider
                self.message_id = event.message_id or self.message_id
            case TextDelta():
                self.turn.text += event.text
            case ReasoningDelta():
                self.turn.reasoning += event.text
            case File():
                self.turn.files.append(event)
            case ApprovalRequired() | ToolSuspended():
                self.waiting.append(event)
            case ToolCall():
                self.turn.calls.append(event)
            case ToolResult():
                self._answered(event)
            case StepFinish() | Failure():
                self._close(event)
            case Finish():
                self.finish = event

    def _answered(self, event: ToolResult) -> None:
        turn = self.turn
        if not any(call.id == event.id for each in self.turns for call in each.calls):
            # The call was made before the run was suspended; clients need call and result.
            turn.calls.append(ToolCall(id=event.id, name=event.name, arguments=event.arguments))
        turn.results.append(event)

    def _close(self, event: StepFinish | Failure) -> None:
        turn = self.turn
        self.open = False
        if isinstance(event, Failure):
            turn.reason = "error"
            self.finish = Finish(reason="error", usage=self.usage())
        else:
            turn.reason, turn.usage = event.reason, event.usage

    def usage(self) -> Usage:
        """Return the token usage of all turns."""
        return sum((turn.usage for turn in self.turns), Usage())


def model_label(transcript: Transcript) -> dict[str, str]:
    """Build the model metadata of a payload.

    :param transcript: the run.
    """
    return {
        "modelId": transcript.model,
        "modelVersion": "",
        "modelProvider": transcript.provider,
    }


def usage_of(usage: Usage) -> dict[str, Any]:
    """Build the token usage of a payload.

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


def call_payload(call: Any) -> dict[str, Any]:
    """Build the payload of a tool call.

    :param call: a tool call, or an event about one.
    """
    return {"toolCallId": call.id, "toolName": call.name, "args": call.arguments}


def file_payload(file: File) -> dict[str, Any]:
    """Build the payload of a file that the model generated.

    :param file: the file.
    """
    data = file.url or base64.b64encode(file.data).decode()
    return {"mimeType": file.media_type, "data": data}


def result_payload(result: ToolResult) -> dict[str, Any]:
    """Build the payload of a tool result.

    :param result: the result.
    """
    payload = {**call_payload(result), "result": result.result}
    return {**payload, "isError": True} if result.failed else payload


def waiting_payload(event: ApprovalRequired | ToolSuspended) -> dict[str, Any]:
    """Build the payload of a tool call that waits for a decision.

    :param event: the suspension.
    """
    payload = call_payload(event)
    if isinstance(event, ToolSuspended):
        return {**payload, "suspendPayload": event.payload, "resumeSchema": "{}"}
    return {**payload, "resumeSchema": _APPROVAL}
