"""What an application has, as data: compared between source and bundle, and shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mastra_core.agents.protocol import AgentLike
from mastra_core.mastra import Mastra
from mastra_core.memory.memory_agent import memory_of

__all__ = ("describe", "missing_providers")


def describe(mastra: Mastra) -> dict[str, Any]:
    """Names of everything registered, and what serving it needs. JSON builtins."""
    return {
        "agents": {key: agent.id for key, agent in mastra.agents.items()},
        "workflows": {key: workflow.id for key, workflow in mastra.workflows.items()},
        "tools": {key: item.id for key, item in mastra.tools.items()},
        "variables": {
            key: list(names) for key, agent in mastra.agents.items() if (names := _variables(agent))
        },
        "middleware": len(mastra.server_middleware),
        "serve": {
            "host": mastra.server.host,
            "port": mastra.server.port,
            "drain": mastra.server.drain_timeout,
            "proxies": list(mastra.server.trusted_proxies),
            "api_prefix": mastra.server.api_prefix,
            "single_process": _single_process(mastra),
        },
    }


def missing_providers(mastra: Mastra) -> dict[str, list[str]]:
    """For each agent whose framework or provider cannot be imported: the modules it lacks."""
    missing: dict[str, list[str]] = {}
    for key, agent in mastra.agents.items():
        lacking = [name for name in agent.info().requires if not _findable(name)]
        if lacking:
            missing[key] = lacking
    return missing


def _single_process(mastra: Mastra) -> bool:
    """Two processes would not know of each other's runs or threads."""
    memories = [memory for agent in mastra.agents.values() if (memory := memory_of(agent))]
    return (bool(mastra.workflows) and mastra.engine.single_process) or any(
        memory.storage.single_process for memory in memories
    )


def _variables(agent: AgentLike) -> Sequence[str]:
    # An agent of another framework may answer with less than an AgentInfo.
    return getattr(agent.info(), "variables", ())


def _findable(module: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False
