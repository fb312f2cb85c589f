"""Tools that an agent gets from elsewhere: who has some, and asking for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mastra_core.errors import AgentFailed, McpFailed
from mastra_core.tools import Tool, Toolbox

__all__ = ("close_toolboxes", "list_tools")


async def list_tools(toolboxes: Iterable[Toolbox]) -> list[Tool]:
    """The tools that they have now.

    :raises AgentFailed: when one cannot be asked.
    """
    try:
        return [tool for box in toolboxes for tool in await box.tools()]
    except McpFailed as error:
        raise AgentFailed(error.message, kind="McpFailed", status=502) from None


async def close_toolboxes(agents: Iterable[Any]) -> None:
    """Close those of ``agents``, and of the agents that they ask, that can be closed."""
    for box in _toolboxes(agents):
        close = getattr(box, "aclose", None)
        if close is not None:
            await close()


def _toolboxes(agents: Iterable[Any]) -> Iterator[Toolbox]:
    for agent in agents:
        yield from getattr(agent, "toolboxes", ())
        yield from _toolboxes(getattr(agent, "agents", {}).values())
