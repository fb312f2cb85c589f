"""Run an agent and convert its events to the chunks of its stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import Any

from mastra_core.agents import (
    AgentEvent,
    AgentInput,
    AgentLike,
    ApprovalRequired,
    Failure,
    File,
    Finish,
    ReasoningDelta,
    Start,
    StepFinish,
    SuspendedRuns,
    TextDelta,
    ToolCall,
    ToolOutput,
    ToolResult,
    ToolSuspended,
    Usage,
)
from mastra_core.logger import logger_of
from mastra_server.agents.messages import asked, content_of, iso, said
from mastra_server.agents.suspended_runs import kept
from mastra_server.agents.transcript import (
    Transcript,
    call_payload,
    file_payload,
    model_label,
    result_payload,
    usage_of,
    waiting_payload,
)
from mastra_server.http.responses import close_on_exit
from mastra_server.middleware.request_spans import agent_ended, agent_failed, agent_span

__all__ = ("agent_chunks",)


async def agent_chunks(
    agent: AgentLike, run_input: AgentInput, suspended: SuspendedRuns
) -> AsyncGenerator[dict[str, Any]]:
    """Run ``agent`` and stream its chunks; never raise.

    :param agent: the agent.
    :param run_input: the input of the run.
    :param suspended: the store that keeps the run if it is suspended.
    :returns: the chunks.
    """
    transcript = Transcript(agent.id, run_input)
    writer = _Writer(transcript)
    with agent_span(agent, run_input) as span:
        try:
            async with close_on_exit(kept(agent, run_input, suspended)) as events:
                async for event in events:
                    if isinstance(event, Failure):
                        agent_failed(span, event.message)
                    for chunk in writer.tell(event):
                        yield chunk
        except Exception as error:  # noqa: BLE001  # an adapter may violate the protocol
            logger_of("mastra.server").error("agent %r failed", agent.id, exc_info=error)
            agent_failed(span, "Internal Server Error")
            for chunk in writer.tell(Failure(message="Internal Server Error")):
                yield chunk
        agent_ended(span, transcript)
    for chunk in writer.close():
        yield chunk


class _Writer:
    """Converts events to chunks, and adds the chunks that must come between them."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._started = False
        self._over = False
        self._waits = False  # for a decision; the stream then ends without a finish chunk
        self._block = ""  # the kind of the open block: text, reasoning or none
        self._blocks = 0
        self._inner: dict[str, _Writer] = {}  # of agents that are tools of this one, by call id

    def tell(self, event: AgentEvent) -> Iterator[dict[str, Any]]:
        """Yield the chunks for ``event``."""
        if self._over:
            return
        if not self._started:
            self._started = True
            if isinstance(event, Start):  # it may carry the message id of the response
                self._transcript.add(event)
            names = {"id": self._transcript.agent_id, "messageId": self._transcript.message_id}
            yield self._chunk("start", names)
        if isinstance(event, Finish):
            yield from self._finished(event)
            return
        if not self._transcript.open:
            yield from self._opened()
        self._transcript.add(event)
        if not isinstance(event, Start):
            yield from self._told(event)

    def close(self) -> Iterator[dict[str, Any]]:
        """Yield the remaining chunks of a run whose events ended without a ``Finish``."""
        yield from self.tell(Finish())

    def _told(self, event: AgentEvent) -> Iterator[dict[str, Any]]:
        match event:
            case TextDelta():
                yield from self._delta("text", event.text)
            case ReasoningDelta():
                yield from self._delta("reasoning", event.text)
            case ToolOutput():
                yield from self._output(event)
            case ToolCall() | ToolResult() | File() | ApprovalRequired() | ToolSuspended():
                yield from self._ended()
                yield self._whole(event)
            case StepFinish():
                yield from self._ended()
                yield self._chunk(
                    "step-finish", self._summary(event.reason, event.usage, event.continued)
                )
            case Failure():
                yield from self._failed(event)

    def _opened(self) -> Iterator[dict[str, Any]]:
        payload = {
            "warnings": [],
            "messageId": self._transcript.message_id,
            "startedAt": self._transcript.turn.at,
            "request": {},
        }
        yield self._chunk("step-start", payload)

    def _delta(self, kind: str, text: str) -> Iterator[dict[str, Any]]:
        if self._block != kind:
            yield from self._ended()
            self._block = kind
            self._blocks += 1
            yield self._chunk(f"{kind}-start", {"id": self._block_id})
        yield self._chunk(f"{kind}-delta", {"id": self._block_id, "text": text})

    def _ended(self) -> Iterator[dict[str, Any]]:
        if self._block:
            kind, self._block = f"{self._block}-end", ""
            yield self._chunk(kind, {"type": kind, "id": self._block_id})

    @property
    def _block_id(self) -> str:
        return f"t{self._blocks}"

    def _whole(
        self, event: ToolCall | ToolResult | File | ApprovalRequired | ToolSuspended
    ) -> dict[str, Any]:
        match event:
            case ToolCall():
                return self._chunk("tool-call", call_payload(event))
            case ToolResult():
                return self._chunk("tool-result", result_payload(event))
            case File():
                return self._chunk("file", file_payload(event))
        self._waits = True
        is_approval = isinstance(event, ApprovalRequired)
        name = "tool-call-approval" if is_approval else "tool-call-suspended"
        return self._chunk(name, waiting_payload(event))

    def _output(self, event: ToolOutput) -> Iterator[dict[str, Any]]:
        """Yield the output of a tool: its own values, or the chunks of the agent that it runs."""
        outputs: Iterable[Any] = [event.output]
        if isinstance(event.output, AgentEvent):
            run_id = f"{self._transcript.wish.run_id}-{event.id}"
            transcript = Transcript(event.name, AgentInput(run_id=run_id))
            outputs = self._inner.setdefault(event.id, _Writer(transcript)).tell(event.output)
        for output in outputs:
            payload = {"toolCallId": event.id, "toolName": event.name, "output": output}
            yield {**self._chunk("tool-output", payload), "from": "USER"}

    def _failed(self, event: Failure) -> Iterator[dict[str, Any]]:
        yield from self._ended()
        error = {"message": event.message, "name": event.kind}
        yield self._chunk("error", {"type": "error", "error": error})
        yield self._chunk("step-finish", self._summary("error", Usage()))
        yield self._chunk("finish", self._summary("error", self._transcript.usage()))
        self._over = True

    def _finished(self, event: Finish) -> Iterator[dict[str, Any]]:
        if self._waits:
            self._over = True
            return
        if self._transcript.open or not self._transcript.turns:  # an agent that reports no steps
            yield from self.tell(StepFinish(reason=event.reason))
        self._transcript.add(event)
        if event.object is not None:
            yield {**self._envelope("object-result"), "object": event.object}
        yield self._chunk("finish", self._summary(event.reason, event.usage))
        self._over = True

    def _summary(self, reason: str, usage: Usage, continued: bool = False) -> dict[str, Any]:
        transcript = self._transcript
        turn = transcript.turns[-1]
        sent, added = asked(transcript), said(transcript)
        return {
            "messageId": transcript.message_id,
            "stepResult": {"reason": reason, "isContinued": continued},
            "metadata": {
                "id": f"{transcript.message_id}-{len(transcript.turns)}",
                "timestamp": iso(turn.at),
                "modelId": transcript.model,
                "modelProvider": transcript.provider,
                "modelMetadata": model_label(transcript),
            },
            "output": {
                "text": transcript.text,
                "toolCalls": [call_payload(call) for call in turn.calls],
                "usage": usage_of(usage),
                "steps": [_step(item) for item in transcript.turns],
                **_object(transcript),
            },
            "messages": {"all": [*sent, *added], "user": sent, "nonUser": added},
            "processorRetryCount": 0,
        }

    def _chunk(self, type_: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {**self._envelope(type_), "payload": payload}

    def _envelope(self, type_: str) -> dict[str, Any]:
        return {"type": type_, "runId": self._transcript.wish.run_id, "from": "AGENT"}


def _object(transcript: Transcript) -> dict[str, Any]:
    value = transcript.finish.object
    return {} if value is None else {"object": value}


def _step(turn: Any) -> dict[str, Any]:
    return {
        "content": content_of(turn),
        "finishReason": turn.reason,
        "usage": usage_of(turn.usage),
        "warnings": [],
    }
