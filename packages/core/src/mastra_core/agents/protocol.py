"""The protocol: whatever has these members is an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol, runtime_checkable

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
    Usage,
)
from mastra_core.agents.messages import AgentInput
from mastra_core.errors import AgentFailed
from mastra_core.tools import Tool

__all__ = ("AgentFailed", "AgentInfo", "AgentLike", "AgentOutput", "collect", "put_together")


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say of an agent without running it.

    :param provider: the model's provider (``openai``), empty where there is none.
    :param model: the model's name, without the provider.
    :param agents: those it can ask, by key.
    :param requires: module names of which the provider needs one at run time.
    :param variables: environment variables of which the provider needs one at run time.
    """

    instructions: str = ""
    provider: str = ""
    model: str = ""
    tools: tuple[Tool, ...] = ()
    agents: dict[str, Any] = {}
    output_schema: dict[str, Any] | None = None
    requires: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


class AgentOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run, put together."""

    text: str
    reason: str
    object: Any = None
    usage: Usage = Usage()
    events: tuple[AgentEvent, ...] = ()

    @property
    def history(self) -> bytes:
        """The framework's own serialised messages, to go on from; empty where there are none."""
        finishes = [event for event in self.events if isinstance(event, Finish)]
        return finishes[-1].history if finishes else b""

    @property
    def tool_calls(self) -> list[ToolCall]:
        """Every call the model made, in order."""
        return [event for event in self.events if isinstance(event, ToolCall)]

    @property
    def tool_results(self) -> list[ToolResult]:
        """Every result a tool gave, in order."""
        return [event for event in self.events if isinstance(event, ToolResult)]

    @property
    def reasoning(self) -> str:
        """What the model thought, as far as it says."""
        return "".join(event.text for event in self.events if isinstance(event, ReasoningDelta))

    @property
    def files(self) -> list[File]:
        """Every image or file the model made, in order."""
        return [event for event in self.events if isinstance(event, File)]

    @property
    def waiting(self) -> list[ApprovalRequired | ToolSuspended]:
        """The calls that somebody must decide before the run can go on."""
        return [
            event for event in self.events if isinstance(event, ApprovalRequired | ToolSuspended)
        ]


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

    :raises AgentFailed: when the run ends in ``Failure``.
    """
    seen: list[AgentEvent] = []
    async for event in events:
        if isinstance(event, Failure):
            raise AgentFailed(event.message, kind=event.kind, status=event.status)
        seen.append(event)
    return put_together(seen)


def put_together(events: Sequence[AgentEvent]) -> AgentOutput:
    """The events of a run that did not break as an ``AgentOutput``.

    The text is that of the last turn: what came before a tool call is not the answer.
    """
    text = ""
    finish = Finish()
    for event in events:
        match event:
            case TextDelta():
                text += event.text
            case StepFinish(continued=True):
                text = ""
            case ApprovalRequired() | ToolSuspended():
                finish = Finish(reason="suspended")
            case Finish():
                finish = event
    return AgentOutput(
        text=text,
        reason=finish.reason,
        object=finish.object,
        usage=finish.usage,
        events=tuple(events),
    )
