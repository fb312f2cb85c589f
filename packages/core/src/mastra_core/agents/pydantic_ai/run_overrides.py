"""Build the options of one run: models, selected tools, a forced call, stop conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic_ai
from pydantic_ai.capabilities import AbstractCapability, ModelFallback, PrepareTools
from pydantic_ai.messages import ModelMessage
from pydantic_ai.tools import ToolDefinition

from mastra_core.agents.events import StepFinish
from mastra_core.agents.messages import AgentInput, UsageLimits
from mastra_core.agents.pydantic_ai.run_result import build_events
from mastra_core.agents.stop_conditions import StopCondition, step_count

__all__ = (
    "RunStopped",
    "build_model_fallback",
    "build_stop_conditions",
    "build_tool_choice",
    "build_tool_filter",
    "remove_forced_choice",
    "to_usage_limits",
)


_CHOICE = "tool_choice"


class RunStopped(Exception):
    """A stop condition is true, so the model is not called again.

    :param messages: pydantic-ai's messages of the run.
    :param usage: pydantic-ai's token counts of the run.
    """

    def __init__(self, messages: list[ModelMessage], usage: Any) -> None:
        super().__init__("stopped")
        self.messages = messages
        self.usage = usage


@dataclasses.dataclass
class _StopCapability(AbstractCapability[Any]):
    conditions: Sequence[StopCondition]
    previous_count: int

    async def before_model_request(
        self, ctx: pydantic_ai.RunContext[Any], request_context: Any
    ) -> Any:
        events = build_events(ctx.messages, self.previous_count)
        if events:
            events.append(StepFinish(reason="tool-calls", continued=True))
        if any(condition(events) for condition in self.conditions):
            raise RunStopped(list(ctx.messages), ctx.usage)
        return request_context


def build_stop_conditions(
    conditions: Sequence[StopCondition], max_steps: int | None, previous_count: int
) -> list[AbstractCapability[Any]]:
    """Build the capability that ends a run at a stop condition or at its last step.

    :param conditions: functions that take the events so far; the run ends when one returns true.
    :param max_steps: maximum number of model turns, ``None`` for no maximum.
    :param previous_count: number of messages before the run.
    """
    if max_steps is not None:
        conditions = [*conditions, step_count(max_steps)]
    return [_StopCapability(conditions, previous_count)] if conditions else []


def build_model_fallback(models: Sequence[Any]) -> list[AbstractCapability[Any]]:
    """Build the capability that tries the next model when a provider fails.

    :param models: the models in the order in which they are tried.
    """
    return (
        [ModelFallback(*models[1:], fallback_on=(pydantic_ai.exceptions.ModelAPIError,))]
        if len(models) > 1
        else []
    )


def build_tool_filter(names: Sequence[str] | None) -> list[AbstractCapability[Any]]:
    """Build the capability that hides tools from the model.

    :param names: names of the tools to show; ``None`` for all of them.
    """
    if names is None:
        return []

    async def prepare(_: Any, tools: list[ToolDefinition]) -> list[ToolDefinition]:
        return [each for each in tools if each.name in names]

    return [PrepareTools(prepare)]


@dataclasses.dataclass
class _ToolChoiceCapability(AbstractCapability[Any]):
    choice: Any

    def get_model_settings(self) -> Any:
        """Return ``tool_choice`` in the first turn only, so that the model can answer in later
        turns.
        """
        return lambda ctx: {_CHOICE: self.choice} if ctx.run_step <= 1 else {}


def build_tool_choice(run_input: AgentInput) -> list[AbstractCapability[Any]]:
    """Build the capability that forces a tool call in the first turn.

    A resumed run gets no such capability, because its first turn was before it was suspended.

    :param run_input: the input of the run.
    """
    choice = run_input.settings.get(_CHOICE)
    return [_ToolChoiceCapability(choice)] if _is_forced(choice) and not run_input.decisions else []


def remove_forced_choice(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without a ``tool_choice`` that ``build_tool_choice`` implements.

    :param settings: the model settings.
    """
    forced = _is_forced(settings.get(_CHOICE))
    return {name: each for name, each in settings.items() if name != _CHOICE or not forced}


def _is_forced(choice: Any) -> bool:
    return choice == "required" or isinstance(choice, list | tuple)


def to_usage_limits(limits: UsageLimits | None) -> pydantic_ai.UsageLimits | None:
    """Convert usage limits to pydantic-ai's.

    :param limits: the limits, or ``None``.
    """
    if limits is None:
        return None
    native = pydantic_ai.UsageLimits(
        tool_calls_limit=limits.tool_calls,
        input_tokens_limit=limits.input_tokens,
        output_tokens_limit=limits.output_tokens,
        total_tokens_limit=limits.total_tokens,
    )
    if limits.requests is not None:  # else pydantic-ai's default limit stays
        native.request_limit = limits.requests
    return native
