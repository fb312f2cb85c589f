"""When a run need not go on: functions of its events so far, for ``stop_when``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from mastra_core.agents.events import AgentEvent, StepFinish, ToolCall

__all__ = ("StopCondition", "has_tool_call", "step_count")

StopCondition: TypeAlias = Callable[[Sequence[AgentEvent]], bool]


def has_tool_call(name: str) -> StopCondition:
    """Stop once the model has called the tool ``name``."""
    return lambda events: any(
        isinstance(event, ToolCall) and event.name == name for event in events
    )


def step_count(number: int) -> StopCondition:
    """Stop after so many model turns."""
    return lambda events: sum(isinstance(event, StepFinish) for event in events) >= number
