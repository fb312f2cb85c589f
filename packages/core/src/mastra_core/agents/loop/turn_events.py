"""Convert one turn of the model to events, whole or while it streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_ai import messages as native

from mastra_core.agents.events import AgentEvent
from mastra_core.agents.pydantic_ai.convert_parts import to_events, to_tool_call
from mastra_core.agents.pydantic_ai.run_result import OUTPUT_TOOL
from mastra_core.agents.pydantic_ai.tool_inputs import ToolInputConverter

__all__ = ("TurnConverter", "iter_response_events")


def iter_response_events(response: native.ModelResponse) -> Iterator[AgentEvent]:
    """Yield the events of a whole turn.

    :param response: the model's response.
    """
    for part in response.parts:
        yield from _convert_part(part)


class TurnConverter:
    """Converts a turn while it streams."""

    def __init__(self) -> None:
        self._inputs = ToolInputConverter()

    def convert(self, event: Any) -> list[AgentEvent]:
        """Convert one event of the model's stream.

        :param event: pydantic-ai's event.
        :returns: the events; empty where pydantic-ai's event has no meaning for a run.
        """
        match event:
            case native.PartDeltaEvent(delta=native.ToolCallPartDelta()):
                return self._inputs.convert(event)
            case native.PartDeltaEvent():
                return to_events(event.delta)
            case native.PartStartEvent(part=native.ToolCallPart()):
                return self._inputs.convert(event)
            case native.PartStartEvent():
                return to_events(event.part)
            case native.PartEndEvent(part=native.ToolCallPart() as part):
                return [*self._inputs.convert(event), *_convert_part(part)]
            case _:
                return []


def _convert_part(part: Any) -> list[AgentEvent]:
    if not isinstance(part, native.ToolCallPart):
        return to_events(part)
    return [] if part.tool_name == OUTPUT_TOOL else [to_tool_call(part)]
