"""Stop conditions: functions of a run's events so far, for ``stop_when``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from mastra_core.agents.events import AgentEvent, StepFinish, ToolCall

__all__ = ("StopCondition", "has_tool_call", "step_count")

StopCondition: TypeAlias = Callable[[Sequence[AgentEvent]], bool]


def has_tool_call(name: str) -> StopCondition:
    """Stop when the model has called a tool.

    :param name: name of the tool.
    """
    return lambda events: any(
        isinstance(event, ToolCall) and event.name == name for event in events
    )


def step_count(number: int) -> StopCondition:
    """Stop after a number of model turns.

    :param number: the number of turns.
    """
    return lambda events: sum(isinstance(event, StepFinish) for event in events) >= number
