"""Stop conditions: functions of a run's events so far, for ``stop_when``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from mastra_core.agents.events import AgentEvent, StepFinish, ToolCall
from mastra_core.arguments.number_checks import check_count
from mastra_core.errors import ConfigError

__all__ = ("StopCondition", "check_stop_conditions", "has_tool_call", "step_count")

StopCondition: TypeAlias = Callable[[Sequence[AgentEvent]], bool]


def check_stop_conditions(conditions: Iterable[Any]) -> None:
    """Raise an error for a stop condition that cannot be called, or that is async.

    The result of an async function is a coroutine, which is true, so it would end every run.

    :param conditions: the stop conditions of an agent.
    :raises ConfigError: for a value that is not a sync function.
    """
    for each in conditions:
        if not callable(each) or inspect.iscoroutinefunction(each):
            raise ConfigError(
                f"The stop condition {each!r} is not a sync function.",
                "Pass a function of the events, such as step_count(3).",
            )


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
    :raises ConfigError: when the number is not an integer, or is less than 1.
    """
    check_count("number", number, least=1)
    return lambda events: sum(isinstance(event, StepFinish) for event in events) >= number
