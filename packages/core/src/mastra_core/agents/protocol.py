"""The protocol of an agent; every object with these members is an agent."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from mastra_core.agents.close_stream import close_at_end
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

__all__ = (
    "AgentFailed",
    "AgentInfo",
    "AgentLike",
    "AgentOutput",
    "FrameworkTool",
    "attach_events",
    "build_agent_error",
    "build_output",
    "collect",
    "get_attached_events",
)


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A description of an agent, available without a run.

    :param instructions: the instructions, empty if they are a function.
    :param provider: the model's provider (``openai``), empty if unknown.
    :param model: name of the model without the provider.
    :param tools: the tools.
    :param agents: the agents that this agent can call, by key.
    :param workflows: the workflows that this agent can run, by key.
    :param has_more_tools: whether a run may have further tools: those of a toolbox, or those that a
        function chooses.
    :param output_schema: JSON Schema of the structured answer, ``None`` for text.
    :param requires: modules that are imported at run time.
    :param variables: environment variables, of which the provider needs one at run time.
    """

    instructions: str = ""
    provider: str = ""
    model: str = ""
    tools: tuple[Tool, ...] = ()
    agents: dict[str, Any] = {}
    workflows: dict[str, Any] = {}
    has_more_tools: bool = False
    output_schema: dict[str, Any] | None = None
    requires: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


class FrameworkTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that only the framework of its agent can call.

    :param id: the name that a model calls the tool by.
    :param description: text that tells the model when to call the tool.
    :param input_schema: JSON Schema of the arguments.
    :param output_schema: JSON Schema of the result; ``None`` if it is unknown.
    :param requires_approval: whether a person may have to approve a call.
    """

    id: str
    description: str = ""
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    requires_approval: bool = False


class AgentOutput(msgspec.Struct, frozen=True, kw_only=True):
    """The output of a whole run.

    :param text: text of the last turn.
    :param reason: why the run ended, as in ``Finish``.
    :param object: the structured answer, ``None`` for a text.
    :param usage: the sum of the tokens of all turns.
    :param events: all events of the run, in order.
    """

    text: str
    reason: str
    object: Any = None
    usage: Usage = Usage()
    events: tuple[AgentEvent, ...] = ()

    @property
    def history(self) -> bytes:
        """The serialised messages of the framework, from which a run can continue."""
        finish = self._find_finish()
        return finish.history if finish else b""

    @property
    def is_fallback(self) -> bool:
        """Whether ``object`` is the caller's fallback."""
        finish = self._find_finish()
        return finish is not None and finish.is_fallback

    def _find_finish(self) -> Finish | None:
        return next((each for each in reversed(self.events) if isinstance(each, Finish)), None)

    @property
    def tool_calls(self) -> list[ToolCall]:
        """Every tool call of the model, in order."""
        return [event for event in self.events if isinstance(event, ToolCall)]

    @property
    def tool_results(self) -> list[ToolResult]:
        """Every result of a tool, in order."""
        return [event for event in self.events if isinstance(event, ToolResult)]

    @property
    def reasoning(self) -> str:
        """The model's reasoning, if the provider returns it."""
        return "".join(event.text for event in self.events if isinstance(event, ReasoningDelta))

    @property
    def files(self) -> list[File]:
        """Every image or file that the model created, in order."""
        return [event for event in self.events if isinstance(event, File)]

    @property
    def waiting(self) -> list[ApprovalRequired | ToolSuspended]:
        """The calls about which a person must decide before the run can continue."""
        return [
            event for event in self.events if isinstance(event, ApprovalRequired | ToolSuspended)
        ]


@runtime_checkable
class AgentLike(Protocol):
    """An agent of any framework."""

    @property
    def id(self) -> str:
        """The id of the agent. Callers address the agent by this id or by its registration key."""

    @property
    def name(self) -> str:
        """Display name of the agent."""

    @property
    def description(self) -> str:
        """The purpose of the agent, in one sentence; may be empty."""

    def info(self) -> AgentInfo:
        """Describe the agent quickly, without a run and without importing a framework."""

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run the agent to the end, and return its output.

        :param input: the input of the run.
        :raises AgentFailed: when the run fails.
        """

    def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        """Run the agent and yield its events; a failed run ends with ``Failure``.

        :param input: the input of the run.
        """


async def collect(events: AsyncIterator[AgentEvent]) -> AgentOutput:
    """Read the events of one run and build its output.

    :param events: the events of the run.
    :raises AgentFailed: when the run ends in ``Failure``.
    """
    seen: list[AgentEvent] = []
    with attach_events(seen):
        async with close_at_end(events):
            async for event in events:
                if isinstance(event, Failure):
                    raise build_agent_error(event, seen)
                seen.append(event)
    return build_output(seen)


@contextlib.contextmanager
def attach_events(events: Sequence[AgentEvent]) -> Iterator[None]:
    """Attach events to the ``CancelledError`` that ends a block, so that a memory stores them.

    A subclass of ``CancelledError`` would not end ``asyncio.timeout`` with a ``TimeoutError``.

    :param events: the events of the run, to which the block adds further ones.
    """
    import asyncio

    try:
        yield
    except asyncio.CancelledError as error:
        error.events = tuple(events)  # type: ignore[attr-defined]  # read by get_attached_events
        raise


def get_attached_events(error: BaseException) -> tuple[AgentEvent, ...]:
    """Return the events of a cancelled run that are attached to its ``CancelledError``.

    :param error: the ``CancelledError``.
    """
    events: tuple[AgentEvent, ...] = getattr(error, "events", ())
    return events


def build_agent_error(failure: Failure, events: Sequence[AgentEvent]) -> AgentFailed:
    """Build the error that ``generate`` raises for a failed run.

    :param failure: the last event of the run.
    :param events: the events before the failure.
    """
    return AgentFailed(
        failure.message, kind=failure.kind, status=failure.status, events=tuple(events)
    )


def build_output(events: Sequence[AgentEvent]) -> AgentOutput:
    """Build the output of a run from its events.

    The text of the output is the text of the last turn. Text before a tool call is not part of the
    answer.

    :param events: the events of a run that did not fail.
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
