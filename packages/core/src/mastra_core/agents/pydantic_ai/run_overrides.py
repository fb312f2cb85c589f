"""What one run does otherwise: other models, fewer tools or a certain one, an earlier end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic_ai
from pydantic_ai.capabilities import AbstractCapability, ModelFallback, PrepareTools
from pydantic_ai.messages import ModelMessage
from pydantic_ai.tools import ToolDefinition

from mastra_core.agents.events import StepFinish
from mastra_core.agents.messages import AgentInput, Limits
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
    """A condition of the run came true: the model is not asked again."""

    def __init__(self, messages: list[ModelMessage], usage: Any) -> None:
        super().__init__("stopped")
        self.messages = messages
        self.usage = usage


@dataclasses.dataclass
class _Stopping(AbstractCapability[Any]):
    conditions: Sequence[StopCondition]
    seen: int

    async def before_model_request(
        self, ctx: pydantic_ai.RunContext[Any], request_context: Any
    ) -> Any:
        events = build_events(ctx.messages, self.seen)
        if events:
            events.append(StepFinish(reason="tool-calls", continued=True))
        if any(condition(events) for condition in self.conditions):
            raise RunStopped(list(ctx.messages), ctx.usage)
        return request_context


def build_stop_conditions(
    conditions: Sequence[StopCondition], max_steps: int | None, seen: int
) -> list[AbstractCapability[Any]]:
    """Ends a run when one of ``conditions`` is true of its events, or its steps are used up.

    :param seen: how many messages were there before the run.
    """
    if max_steps is not None:
        conditions = [*conditions, step_count(max_steps)]
    return [_Stopping(conditions, seen)] if conditions else []


def build_model_fallback(models: Sequence[Any]) -> list[AbstractCapability[Any]]:
    """Asks the next of ``models`` where one's provider fails."""
    return (
        [ModelFallback(*models[1:], fallback_on=(pydantic_ai.exceptions.ModelAPIError,))]
        if len(models) > 1
        else []
    )


def build_tool_filter(names: Sequence[str] | None) -> list[AbstractCapability[Any]]:
    """Shows the model only the tools of these names."""
    if names is None:
        return []

    async def prepare(_: Any, tools: list[ToolDefinition]) -> list[ToolDefinition]:
        return [each for each in tools if each.name in names]

    return [PrepareTools(prepare)]


@dataclasses.dataclass
class _Forcing(AbstractCapability[Any]):
    choice: Any

    def get_model_settings(self) -> Any:
        """The choice for the first turn; with it in every turn no run would come to an answer."""
        return lambda ctx: {_CHOICE: self.choice} if ctx.run_step <= 1 else {}


def build_tool_choice(run_input: AgentInput) -> list[AbstractCapability[Any]]:
    """Has the model call a tool first, where ``tool_choice`` says so; a run that goes on has."""
    choice = run_input.settings.get(_CHOICE)
    return [_Forcing(choice)] if _is_forced(choice) and not run_input.decisions else []


def remove_forced_choice(settings: Mapping[str, Any]) -> dict[str, Any]:
    """``settings`` without a choice that ``forcing`` sees to."""
    forced = _is_forced(settings.get(_CHOICE))
    return {name: each for name, each in settings.items() if name != _CHOICE or not forced}


def _is_forced(choice: Any) -> bool:
    return choice == "required" or isinstance(choice, list | tuple)


def to_usage_limits(limits: Limits | None) -> pydantic_ai.UsageLimits | None:
    """``limits`` as pydantic-ai counts them."""
    if limits is None:
        return None
    made = pydantic_ai.UsageLimits(
        tool_calls_limit=limits.tool_calls,
        input_tokens_limit=limits.input_tokens,
        output_tokens_limit=limits.output_tokens,
        total_tokens_limit=limits.total_tokens,
    )
    if limits.requests is not None:  # pydantic-ai has a bound of its own, which stays otherwise
        made.request_limit = limits.requests
    return made
