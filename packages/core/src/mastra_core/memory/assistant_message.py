"""Build the message that a memory stores for a run of an agent."""

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.agents.events import (
    AgentEvent,
    ApprovalRequired,
    Failure,
    File,
    Finish,
    ReasoningDelta,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolResult,
    ToolSuspended,
)
from mastra_core.agents.messages import (
    FilePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from mastra_core.schema import dump

__all__ = ("ABORTED", "APPROVALS", "SUSPENSIONS", "AssistantMessageBuilder")

# Keys of a message's metadata, as front ends read them.
ABORTED = "aborted"
OBJECT = "structuredOutput"
APPROVALS = "pendingToolApprovals"
SUSPENSIONS = "suspendedTools"


class AssistantMessageBuilder:
    """Collects the events of a run, and builds the parts of its stored message.

    :ivar finish: the event that ended the run; ``None`` while the run continues, and for a failed
        or aborted run.
    """

    def __init__(self) -> None:
        self.finish: Finish | None = None
        self._failed = False
        self._waiting: dict[str, ApprovalRequired | ToolSuspended] = {}
        self._parts: list[Part] = []  # of the closed turns
        self._reasoning: list[str] = []  # pieces: adding to one text would copy it each time
        self._text: list[str] = []
        self._files: list[FilePart] = []
        self._calls: dict[str, ToolCallPart] = {}
        self._results: dict[str, ToolResultPart] = {}

    def add(self, event: AgentEvent) -> None:
        """Add one event.

        :param event: the event.
        """
        match event:
            case TextDelta():
                self._text.append(event.text)
            case ReasoningDelta():
                self._reasoning.append(event.text)
            case File():
                part = FilePart(media_type=event.media_type, url=event.url, data=event.data)
                self._files.append(part)
            case ToolCall() | ToolResult() | ApprovalRequired() | ToolSuspended():
                self._add_call(event)
            case StepFinish(continued=True):
                if event.reason == "retry":  # the model corrects this text
                    self._text = []
                self._close_turn()
            case Failure():
                self._failed = True
            case Finish():
                self.finish = event

    def _add_call(self, event: ToolCall | ToolResult | ApprovalRequired | ToolSuspended) -> None:
        call = ToolCallPart(id=event.id, name=event.name, arguments=event.arguments)
        self._calls.setdefault(event.id, call)
        if isinstance(event, ToolResult):
            failed = event.failed and not event.declined
            self._results[event.id] = ToolResultPart(
                id=event.id, name=event.name, result=event.result, failed=failed
            )
        elif not isinstance(event, ToolCall):
            self._waiting[event.id] = event

    def build_parts(self) -> tuple[Part, ...]:
        """Build the parts of the message to store.

        If the run failed, only tool calls with a result are stored, because these calls have
        happened. The text of an aborted run is stored. Calls without a result are dropped, except
        calls that wait for a person or that the caller will answer.
        """
        finish = self.finish
        if self._failed:
            self._reasoning, self._text, self._files = [], [], []
        elif finish is not None and finish.object is not None and not any(self._text):
            self._text = [msgspec.json.encode(dump(finish.object)).decode()]
        is_open = finish is not None and finish.reason in ("tool-calls", "suspended")
        self._close_turn(open_calls=is_open)
        return tuple(self._parts)

    def build_metadata(self, run_id: str) -> dict[str, Any]:
        """Build the metadata of the stored message: waiting calls, an abort, a structured answer.

        :param run_id: id of the run.
        """
        if self.finish is None:
            return {} if self._failed else {ABORTED: True}
        answer = self.finish.object
        metadata: dict[str, Any] = {} if answer is None else {OBJECT: dump(answer)}
        for event in self._waiting.values():
            is_approval = isinstance(event, ApprovalRequired)
            key = APPROVALS if is_approval else SUSPENSIONS
            metadata.setdefault(key, {})[event.id] = _describe_waiting(event, run_id)
        return metadata

    def _close_turn(self, *, open_calls: bool = False) -> None:
        """Add the parts of a turn: its reasoning, its text, and its tool calls with results."""
        if reasoning := "".join(self._reasoning):
            self._parts.append(ReasoningPart(text=reasoning))
        if text := "".join(self._text):
            self._parts.append(TextPart(text=text))
        self._parts += self._files
        self._parts += [
            call for name, call in self._calls.items() if open_calls or name in self._results
        ]
        self._parts += [self._results[name] for name in self._calls if name in self._results]
        self._reasoning, self._text = [], []
        self._files, self._calls, self._results = [], {}, {}


def _describe_waiting(event: ApprovalRequired | ToolSuspended, run_id: str) -> dict[str, Any]:
    call = {"toolCallId": event.id, "toolName": event.name, "args": event.arguments}
    if isinstance(event, ApprovalRequired):
        return {**call, "type": "approval", "runId": run_id}
    return {**call, "type": "suspension", "runId": run_id, "suspendPayload": event.payload}
