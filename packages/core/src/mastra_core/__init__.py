"""mastra for Python: agents and workflows, written once and served anywhere.

This module holds what an application imports. Each name is imported on first use, so the command
line and the settings of a deployer load neither the agents nor the workflow engine. The hook specs
are in ``mastra_core.hooks`` and the types of the deploy pipeline in ``mastra_core.pipeline``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mastra_core.agent import Agent
    from mastra_core.agents import AgentInput, AgentLike
    from mastra_core.agents.preload import preload
    from mastra_core.errors import MastraError
    from mastra_core.logger import create_logger
    from mastra_core.mastra import Mastra
    from mastra_core.memory import Memory
    from mastra_core.secret import Secret
    from mastra_core.server import ApiRoute, Cors, Middleware, RateLimit, Server
    from mastra_core.storage import MemoryStorage, SqliteStorage
    from mastra_core.storage.d1 import D1Storage
    from mastra_core.storage.postgres import PostgresStorage
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
    from mastra_core.workflows.durable import DurableEngine
    from mastra_core.workflows.model.child_step import as_child
    from mastra_core.workflows.model.schedule import Schedule

__all__ = (
    "Agent",
    "AgentInput",
    "AgentLike",
    "ApiRoute",
    "Cors",
    "D1Storage",
    "DurableEngine",
    "Mastra",
    "MastraError",
    "Memory",
    "MemoryEngine",
    "MemoryStorage",
    "Middleware",
    "PostgresStorage",
    "RateLimit",
    "Retry",
    "Schedule",
    "Secret",
    "Server",
    "SqliteStorage",
    "Step",
    "StepContext",
    "Telemetry",
    "Tool",
    "ToolContext",
    "Workflow",
    "as_child",
    "as_step",
    "create_logger",
    "preload",
    "step",
    "tool",
)

_MODULES = {
    "Agent": "mastra_core.agent",
    "AgentInput": "mastra_core.agents",
    "AgentLike": "mastra_core.agents",
    "ApiRoute": "mastra_core.server",
    "Cors": "mastra_core.server",
    "D1Storage": "mastra_core.storage.d1",
    "DurableEngine": "mastra_core.workflows.durable",
    "Mastra": "mastra_core.mastra",
    "MastraError": "mastra_core.errors",
    "Memory": "mastra_core.memory",
    "MemoryEngine": "mastra_core.workflows",
    "MemoryStorage": "mastra_core.storage",
    "Middleware": "mastra_core.server",
    "PostgresStorage": "mastra_core.storage.postgres",
    "RateLimit": "mastra_core.server",
    "Retry": "mastra_core.workflows",
    "Schedule": "mastra_core.workflows.model.schedule",
    "Secret": "mastra_core.secret",
    "Server": "mastra_core.server",
    "SqliteStorage": "mastra_core.storage",
    "Step": "mastra_core.workflows",
    "StepContext": "mastra_core.workflows",
    "Telemetry": "mastra_core.telemetry",
    "Tool": "mastra_core.tools",
    "ToolContext": "mastra_core.tools",
    "Workflow": "mastra_core.workflows",
    "as_child": "mastra_core.workflows.model.child_step",
    "as_step": "mastra_core.workflows",
    "create_logger": "mastra_core.logger",
    "preload": "mastra_core.agents.preload",
    "step": "mastra_core.workflows",
    "tool": "mastra_core.tools",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
