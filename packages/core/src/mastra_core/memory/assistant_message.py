"""The stored message of an agent's run."""

from __future__ import annotations

import msgspec

from mastra_core.agents.events import (
    AgentEvent,
    File,
    Finish,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolResult,
)
from mastra_core.agents.messages import FilePart, Part, TextPart, ToolCallPart, ToolResultPart
from mastra_core.schema import dump

__all__ = ("AssistantMessageBuilder",)


class AssistantMessageBuilder:
    """Collects the events of a run, and builds the parts of its stored message.

    :ivar finish: the end of the run; ``None`` while it goes on or where it failed.
    """

    def __init__(self) -> None:
        self.finish: Finish | None = None
        self._parts: list[Part] = []  # of the closed turns
        self._text = ""
        self._files: list[FilePart] = []
        self._calls: dict[str, ToolCallPart] = {}
        self._results: dict[str, ToolResultPart] = {}

    def add(self, event: AgentEvent) -> None:
        """Add one event.

        :param event: the event.
        """
        match event:
            case TextDelta():
                self._text += event.text
            case File():
                part = FilePart(media_type=event.media_type, url=event.url, data=event.data)
                self._files.append(part)
            case ToolCall() | ToolResult():
                call = ToolCallPart(id=event.id, name=event.name, arguments=event.arguments)
                self._calls.setdefault(event.id, call)
                if isinstance(event, ToolResult):
                    self._results[event.id] = ToolResultPart(
                        id=event.id, name=event.name, result=event.result
                    )
            case StepFinish(continued=True):
                self._close_turn()
            case Finish():
                self.finish = event

    def build_parts(self) -> tuple[Part, ...]:
        """Build the parts of the message to store.

        If the run did not finish, only tool calls with a result are stored, because these calls
        have happened. Incomplete text is dropped. Calls without a result are dropped too, except
        calls that the caller will answer.
        """
        finish = self.finish
        if finish is None or finish.reason == "suspended":
            self._text, self._files = "", []
        elif finish.object is not None and not self._text:
            self._text = msgspec.json.encode(dump(finish.object)).decode()
        self._close_turn(open_calls=finish is not None and finish.reason == "tool-calls")
        return tuple(self._parts)

    def _close_turn(self, *, open_calls: bool = False) -> None:
        """Add the parts of a turn: its text, and its tool calls with results."""
        if self._text:
            self._parts.append(TextPart(text=self._text))
        self._parts += self._files
        self._parts += [
            call for name, call in self._calls.items() if open_calls or name in self._results
        ]
        self._parts += [self._results[name] for name in self._calls if name in self._results]
        self._text, self._files, self._calls, self._results = "", [], {}, {}
