"""Convert an agent's events to and from the output that a workflow step sends to readers."""

from __future__ import annotations

from typing import Any

import msgspec

from mastra_core.agents.events import AgentEvent, Finish, ToolOutput
from mastra_core.schema import dump

__all__ = ("build_event_chunk", "read_event_chunk")

_TYPE = "agent-event"


def build_event_chunk(agent_id: str, event: AgentEvent) -> dict[str, Any]:
    """Convert an event to JSON builtins, without the history of the agent.

    :param agent_id: id of the agent.
    :param event: the event.
    """
    if isinstance(event, Finish):
        event = Finish(
            reason=event.reason,
            object=event.object,
            is_fallback=event.is_fallback,
            usage=event.usage,
        )
    if isinstance(event, ToolOutput) and isinstance(event.output, AgentEvent):
        output = build_event_chunk(event.name, event.output)
        event = msgspec.structs.replace(event, output=output)
    return {"type": _TYPE, "agent": agent_id, "event": dump(event)}


def read_event_chunk(chunk: Any) -> tuple[str, AgentEvent] | None:
    """Return the agent and the event that an output of a step contains.

    :param chunk: any value that a step of a workflow has written to the run's stream.
    :returns: the id of the agent and the event; ``None`` for any other output.
    """
    if not isinstance(chunk, dict) or chunk.keys() != {"type", "agent", "event"}:
        return None
    if chunk["type"] != _TYPE:
        return None
    try:
        event = msgspec.convert(chunk["event"], AgentEvent)
    except msgspec.ValidationError:  # a step of the application wrote it
        return None
    if isinstance(event, ToolOutput) and (inner := read_event_chunk(event.output)) is not None:
        event = msgspec.structs.replace(event, output=inner[1])
    return chunk["agent"], event
