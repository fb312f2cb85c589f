"""The protocol: whatever has these members is an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol, runtime_checkable

import msgspec

from mastra_core.agents.events import (
    AgentEvent,
    ApprovalRequired,
    Failure,
    Finish,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolResult,
    Usage,
)
from mastra_core.agents.messages import AgentInput
from mastra_core.errors import AgentFailed
from mastra_core.tools import Tool

__all__ = ("AgentFailed", "AgentInfo", "AgentLike", "AgentOutput", "collect")


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say of an agent without running it.

    :param provider: the model's provider (``openai``), empty where there is none.
    :param model: the model's name, without the provider.
    :param requires: module names of which the provider needs one at run time.
    :param variables: environment variables of which the provider needs one at run time.
    """

    instructions: str = ""
    provider: str = ""
    model: str = ""
    tools: tuple[Tool, ...] = ()
    output_schema: dict[str, Any] | None = None
    requires: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


class AgentOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run, put together."""

    text: str
    reason: str
    object: Any = None
    usage: Usage = Usage()
    history: bytes = b""
    events: tuple[AgentEvent, ...] = ()

    @property
    def tool_calls(self) -> list[ToolCall]:
        """Every call the model made, in order."""
        return [event for event in self.events if isinstance(event, ToolCall)]

    @property
    def tool_results(self) -> list[ToolResult]:
        """Every result a tool gave, in order."""
        return [event for event in self.events if isinstance(event, ToolResult)]


@runtime_checkable
class AgentLike(Protocol):
    """An agent of any framework."""

    @property
    def id(self) -> str:
        """What a caller addresses it by, beside its registration key."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def description(self) -> str:
        """What it is for, in a sentence; may be empty."""

    def info(self) -> AgentInfo:
        """What can be said without running it; cheap, and imports no framework."""

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run to the end.

        :raises AgentFailed: when the run breaks.
        """

    def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        """Run, giving each event as it happens; a broken run ends in ``Failure``."""


async def collect(events: AsyncIterator[AgentEvent]) -> AgentOutput:
    """The events of one run as an ``AgentOutput``.

    The text is that of the last turn: what came before a tool call is not the answer.

    :raises AgentFailed: when the run ends in ``Failure``.
    """
    seen: list[AgentEvent] = []
    text = ""
    finish = Finish()
    async for event in events:
        seen.append(event)
        match event:
            case TextDelta():
                text += event.text
            case StepFinish(continued=True):
                text = ""
            case Failure():
                raise AgentFailed(event.message)
            case ApprovalRequired():
                finish = Finish(reason="suspended")
            case Finish():
                finish = event
    return AgentOutput(
        text=text,
        reason=finish.reason,
        object=finish.object,
        usage=finish.usage,
        history=finish.history,
        events=tuple(seen),
    )
