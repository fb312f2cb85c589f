"""Convert the events of a run to the chunks of its stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from mastra_core.agents import (
    AgentEvent,
    AgentInput,
    ApprovalRequired,
    Failure,
    File,
    Finish,
    PartialObject,
    ReasoningDelta,
    Start,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolInputDelta,
    ToolInputEnd,
    ToolInputStart,
    ToolOutput,
    ToolResult,
    ToolSuspended,
    Usage,
)
from mastra_server.agents.messages import (
    build_content,
    build_request_messages,
    build_response_messages,
)
from mastra_server.agents.transcript import (
    Transcript,
    Turn,
    build_call_payload,
    build_error_payload,
    build_file_payload,
    build_model_metadata,
    build_result_payload,
    build_usage,
    build_waiting_payload,
    derive_id,
)
from mastra_server.http.dates import format_iso

__all__ = ("AgentChunkWriter",)


class AgentChunkWriter:
    """Converts events to chunks, and adds the chunks that must be between them.

    :param transcript: the transcript of the run so far.
    """

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        # A run that waits for a decision is suspended, so its stream ends without a finish chunk.
        self._state: Literal["new", "running", "suspended", "ended"] = "new"
        self._block = ""  # the kind of the open block: text, reasoning or none
        self._blocks = 0
        # Of agents that are tools of this agent, by call id.
        self._subagents: dict[str, AgentChunkWriter] = {}

    def write(self, event: AgentEvent) -> Iterator[dict[str, Any]]:
        """Yield the chunks of an event.

        :param event: the event.
        """
        if self._state == "ended":
            return
        if self._state == "new":
            self._state = "running"
            if isinstance(event, Start):  # may contain the message id of the answer
                self._transcript.add(event)
            names = {"id": self._transcript.agent_id, "messageId": self._transcript.message_id}
            yield self._build_chunk("start", names)
        if isinstance(event, Finish):
            yield from self._write_finish(event)
            return
        if not self._transcript.is_open:
            yield from self._open_step()
        self._transcript.add(event)
        if not isinstance(event, Start):
            yield from self._write_event(event)

    def close(self) -> Iterator[dict[str, Any]]:
        """Yield the last chunks of a run whose events ended without a ``Finish``."""
        yield from self.write(Finish())

    def _write_event(self, event: AgentEvent) -> Iterator[dict[str, Any]]:
        match event:
            case TextDelta():
                yield from self._write_delta("text", event.text)
            case PartialObject():
                yield from self._open_block("text")
                yield {**self._build_envelope("object"), "object": event.object}
            case ReasoningDelta():
                yield from self._write_delta("reasoning", event.text)
            case ToolOutput():
                yield from self._write_tool_output(event)
            case ToolInputStart() | ToolInputDelta() | ToolInputEnd():
                yield from self._write_tool_input(event)
            case ToolCall() | ToolResult() | File() | ApprovalRequired() | ToolSuspended():
                yield from self._close_block()
                yield self._build_event_chunk(event)
            case StepFinish():
                yield from self._close_block()
                yield self._build_chunk(
                    "step-finish", self._build_summary(event.reason, event.usage, event.continued)
                )
            case Failure():
                yield from self._write_failure(event)

    def _open_step(self) -> Iterator[dict[str, Any]]:
        payload = {
            "warnings": [],
            "messageId": self._transcript.message_id,
            "startedAt": self._transcript.turn.started_at,
            "request": {},
        }
        yield self._build_chunk("step-start", payload)

    def _write_delta(self, kind: str, text: str) -> Iterator[dict[str, Any]]:
        yield from self._open_block(kind)
        yield self._build_chunk(f"{kind}-delta", {"id": self._block_id, "text": text})

    def _open_block(self, kind: str) -> Iterator[dict[str, Any]]:
        if self._block != kind:
            yield from self._close_block()
            self._block = kind
            self._blocks += 1
            yield self._build_chunk(f"{kind}-start", {"id": self._block_id})

    def _close_block(self) -> Iterator[dict[str, Any]]:
        if self._block:
            kind, self._block = f"{self._block}-end", ""
            names = {"type": kind} if kind == "text-end" else {}
            yield self._build_chunk(kind, {**names, "id": self._block_id})

    @property
    def _block_id(self) -> str:
        return f"t{self._blocks}"

    def _build_event_chunk(
        self, event: ToolCall | ToolResult | File | ApprovalRequired | ToolSuspended
    ) -> dict[str, Any]:
        match event:
            case ToolCall():
                return self._build_chunk("tool-call", build_call_payload(event))
            case ToolResult(failed=True, declined=False):
                return self._build_chunk("tool-error", build_error_payload(event))
            case ToolResult():
                return self._build_chunk("tool-result", build_result_payload(event))
            case File():
                return self._build_chunk("file", build_file_payload(event))
        self._state = "suspended"
        is_approval = isinstance(event, ApprovalRequired)
        name = "tool-call-approval" if is_approval else "tool-call-suspended"
        return self._build_chunk(name, build_waiting_payload(event))

    def _write_tool_input(
        self, event: ToolInputStart | ToolInputDelta | ToolInputEnd
    ) -> Iterator[dict[str, Any]]:
        """Yield the chunks of a tool call whose arguments the model is writing."""
        yield from self._close_block()
        payload = {"toolCallId": event.id, "toolName": event.name}
        match event:
            case ToolInputStart():
                yield self._build_chunk("tool-call-input-streaming-start", payload)
            case ToolInputDelta():
                payload["argsTextDelta"] = event.text
                yield self._build_chunk("tool-call-delta", payload)
            case ToolInputEnd():
                payload = {"toolCallId": event.id}
                yield self._build_chunk("tool-call-input-streaming-end", payload)

    def _write_tool_output(self, event: ToolOutput) -> Iterator[dict[str, Any]]:
        """Yield the output of a tool: values, or chunks of a called agent."""
        outputs: Iterable[Any] = [event.output]
        if isinstance(event.output, AgentEvent):
            run_id = f"{self._transcript.run_input.run_id}-{event.id}"
            message_id = derive_id(self._transcript.message_id, event.id)
            transcript = Transcript(event.name, AgentInput(run_id=run_id), message_id)
            outputs = self._subagents.setdefault(event.id, AgentChunkWriter(transcript)).write(
                event.output
            )
        for output in outputs:
            payload = {"toolCallId": event.id, "toolName": event.name, "output": output}
            yield {**self._build_chunk("tool-output", payload), "from": "USER"}

    def _write_failure(self, event: Failure) -> Iterator[dict[str, Any]]:
        yield from self._close_block()
        error = {"message": event.message, "name": event.kind}
        yield self._build_chunk("error", {"type": "error", "error": error})
        yield self._build_chunk("step-finish", self._build_summary("error", Usage()))
        yield self._build_chunk(
            "finish", self._build_summary("error", self._transcript.sum_usage())
        )
        self._state = "ended"

    def _write_finish(self, event: Finish) -> Iterator[dict[str, Any]]:
        if self._state == "suspended":
            self._state = "ended"
            return
        if self._transcript.is_open or not self._transcript.turns:  # an agent that reports no steps
            yield from self.write(StepFinish(reason=event.reason))
        self._transcript.add(event)
        if event.object is not None:
            yield self._build_object_chunk(event)
        yield self._build_chunk("finish", self._build_summary(event.reason, event.usage))
        self._state = "ended"

    def _build_summary(
        self, reason: str, usage: Usage, is_continued: bool = False
    ) -> dict[str, Any]:
        transcript = self._transcript
        turn = transcript.turns[-1]
        sent, added = build_request_messages(transcript), build_response_messages(transcript)
        return {
            "messageId": transcript.message_id,
            "stepResult": {"reason": reason, "isContinued": is_continued},
            "metadata": {
                "id": f"{transcript.message_id}-{len(transcript.turns)}",
                "timestamp": format_iso(turn.started_at),
                "modelId": transcript.model,
                "modelProvider": transcript.provider,
                "modelMetadata": build_model_metadata(transcript),
            },
            "output": {
                "text": transcript.text,
                "toolCalls": [build_call_payload(call) for call in turn.calls],
                "usage": build_usage(usage),
                "steps": [_build_step(item) for item in transcript.turns],
                **_get_object(transcript),
            },
            "messages": {"all": [*sent, *added], "user": sent, "nonUser": added},
            "processorRetryCount": 0,
        }

    def _build_object_chunk(self, event: Finish) -> dict[str, Any]:
        chunk = {**self._build_envelope("object-result"), "object": event.object}
        return {**chunk, "metadata": {"fallback": True}} if event.is_fallback else chunk

    def _build_chunk(self, type_: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {**self._build_envelope(type_), "payload": payload}

    def _build_envelope(self, type_: str) -> dict[str, Any]:
        return {"type": type_, "runId": self._transcript.run_input.run_id, "from": "AGENT"}


def _get_object(transcript: Transcript) -> dict[str, Any]:
    value = transcript.finish.object
    return {} if value is None else {"object": value}


def _build_step(turn: Turn) -> dict[str, Any]:
    return {
        "content": build_content(turn),
        "finishReason": turn.reason,
        "usage": build_usage(turn.usage),
        "warnings": [],
    }
