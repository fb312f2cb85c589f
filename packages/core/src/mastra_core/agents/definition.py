"""The attributes of the built-in agent that its runner reads."""

from __future__ import annotations

from typing import Any, Protocol

from mastra_core.agents.context_functions import ModelFunction, ToolsFunction
from mastra_core.agents.instructions import Instructions
from mastra_core.agents.messages import UsageLimits
from mastra_core.agents.protocol import AgentInfo
from mastra_core.agents.stop_conditions import StopCondition
from mastra_core.tools import Tool, Toolbox

__all__ = ("AgentDefinition",)


class AgentDefinition(Protocol):
    """The arguments of ``mastra_core.Agent``, which documents them."""

    id: str
    name: str
    description: str
    instructions: Instructions
    models: tuple[Any, ...]
    choose_model: ModelFunction | None
    choose_tools: ToolsFunction | None
    toolboxes: tuple[Toolbox, ...]
    output: Any
    settings: dict[str, Any]
    retries: int
    max_steps: int | None
    stop_when: tuple[StopCondition, ...]
    timeout: float | None
    limits: UsageLimits | None
    stop_on_tool_error: bool

    @property
    def callable_tools(self) -> tuple[Tool, ...]:
        """The tools that the model may call, including other agents as tools."""

    def info(self) -> AgentInfo:
        """Describe the agent without running it."""
