"""mastra for Python: agents and workflows, written once and served anywhere.

This module holds what an application imports. The hook specs are in ``mastra_core.hooks`` and the
types of the deploy pipeline in ``mastra_core.pipeline``; neither is loaded with this module.
"""

from mastra_core.agent import Agent
from mastra_core.agents import AgentInput, AgentLike
from mastra_core.errors import MastraError
from mastra_core.logger import create_logger
from mastra_core.mastra import Mastra
from mastra_core.memory import Memory
from mastra_core.secret import Secret
from mastra_core.server import ApiRoute, Cors, Middleware, RateLimit, Server
from mastra_core.storage import MemoryStorage, SqliteStorage
from mastra_core.telemetry import Telemetry
from mastra_core.tools import Tool, ToolContext, tool
from mastra_core.workflows import (
    MemoryEngine,
    Retry,
    Step,
    StepContext,
    Workflow,
    as_step,
    step,
)

__all__ = (
    "Agent",
    "AgentInput",
    "AgentLike",
    "ApiRoute",
    "Cors",
    "Mastra",
    "MastraError",
    "Memory",
    "MemoryEngine",
    "MemoryStorage",
    "Middleware",
    "RateLimit",
    "Retry",
    "Secret",
    "Server",
    "SqliteStorage",
    "Step",
    "StepContext",
    "Telemetry",
    "Tool",
    "ToolContext",
    "Workflow",
    "as_step",
    "create_logger",
    "step",
    "tool",
)
