"""Compiled graphs of LangGraph whose state has messages.

Nothing here is imported before somebody registers such a graph, and so has imported LangGraph.
"""

from __future__ import annotations

from typing import Any

from mastra_core.agents.langgraph.runner import GraphAgent
from mastra_core.errors import ConfigError

__all__ = ("adapt",)


def adapt(graph: Any) -> GraphAgent:
    """A user's compiled graph as an agent.

    :raises ConfigError: when it is not compiled, or its state has no messages.
    """
    name = getattr(graph, "name", "")
    if not hasattr(graph, "astream") or not hasattr(graph, "channels"):
        raise ConfigError(f"{graph!r} is not a compiled graph.", "Pass builder.compile().")
    if "messages" not in graph.channels:
        raise ConfigError(
            f"The state of the graph {name!r} has no messages.",
            "Add them (MessagesState), or call the graph in an async function and pass that.",
        )
    return GraphAgent(graph)
