"""Send an agent's events to a run's readers, without duplicates if the step is repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mastra_core.agents.event_chunk import build_event_chunk
from mastra_core.agents.events import (
    AgentEvent,
    ApprovalRequired,
    Failure,
    Finish,
    Start,
    StepFinish,
    ToolCall,
    ToolOutput,
    ToolResult,
    ToolSuspended,
)

if TYPE_CHECKING:
    from mastra_core.agents.run_journal import RunJournal
    from mastra_core.workflows.engine.step_parts import StepParts

__all__ = ("EventWriter",)

_RETRY = StepFinish(reason="retry", continued=True)


class EventWriter:
    """Sends the events of one run of an agent.

    If a step is repeated, events of calls that the journal recorded are not sent again. If a
    process ends while the model answers, the readers have received only a part of the answer. After
    such a partial answer, the readers receive a ``StepFinish`` with the reason ``retry``, and then
    the events of a new answer.

    :param agent_id: the id of the agent.
    :param parts: the recorded parts of the step that runs the agent.
    :param journal: the journal of the run. Without a journal, a repeated step sends all events
        again.
    """

    def __init__(self, agent_id: str, parts: StepParts, journal: RunJournal | None) -> None:
        self._agent_id = agent_id
        self._parts = parts
        self._journal = journal
        self._turns = 0  # that have ended
        self._answer = ""  # the name of the answer that is sent

    async def write(self, event: AgentEvent) -> None:
        """Send an event.

        :param event: the next event of the agent.
        """
        journal = self._journal
        if journal is None:
            await self._write_answer(event, "start")
            return
        if isinstance(event, ToolOutput | Failure):
            await self._send(event)
        elif name := self._get_name(event, journal):
            await self._send(event, name)
        elif not journal.is_replaying:
            await self._write_answer(event, f"answer:{journal.turn}")

    async def _write_answer(self, event: AgentEvent, name: str) -> None:
        """Send an event of a model's answer while the journal does not have the answer yet."""
        is_first, self._answer = name != self._answer, name
        if not is_first:
            await self._send(event)
        elif not self._parts.is_written(name):
            await self._send(event, name)
        else:
            await self._send(_RETRY)
            await self._send(event)

    async def _send(self, event: AgentEvent, name: str = "") -> None:
        await self._parts.write(build_event_chunk(self._agent_id, event), name)

    def _get_name(self, event: AgentEvent, journal: RunJournal) -> str:
        """Return a unique name for an event to send once; empty for a part of a model's answer."""
        match event:
            case Start():
                return "start"
            case ToolResult():
                return f"result:{journal.turn}:{event.id}"
            case ApprovalRequired() | ToolSuspended():
                return f"waiting:{event.id}"
            case StepFinish():
                self._turns += 1
                return f"turn:{self._turns}"
            case Finish():
                return "finish"
            case ToolCall() if not journal.turn:  # a decided call is repeated for readers
                return f"call:{event.id}"
        return ""
