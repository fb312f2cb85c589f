"""Adapt compiled LangGraph graphs whose state contains messages.

This package is imported only when a user registers a graph, so the user has already imported
LangGraph.
"""

from __future__ import annotations

from typing import Any

from mastra_core.agents.langgraph.runner import GraphAgent
from mastra_core.errors import ConfigError

__all__ = ("adapt",)


def adapt(graph: Any) -> GraphAgent:
    """Convert a user's compiled graph to an agent.

    :param graph: a compiled graph.
    :raises ConfigError: when the graph is not compiled, or its state has no messages.
    """
    name = getattr(graph, "name", "")
    if not hasattr(graph, "astream") or not hasattr(graph, "channels"):
        raise ConfigError(f"{graph!r} is not a compiled graph.", "Pass builder.compile().")
    if "messages" not in graph.channels:
        raise ConfigError(
            f"The state of the graph {name!r} has no key 'messages'.",
            "Use MessagesState, or pass an async function that calls the graph.",
        )
    return GraphAgent(graph)
