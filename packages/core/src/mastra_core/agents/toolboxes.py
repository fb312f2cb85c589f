"""List the tools of an agent's toolboxes, and close toolboxes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mastra_core.agents.agent_tree import iter_agents
from mastra_core.agents.wrappers.capabilities import Capabilities
from mastra_core.errors import AgentFailed, McpFailed
from mastra_core.logger import get_logger
from mastra_core.tools import Tool, Toolbox

__all__ = ("close_toolboxes", "list_tools")


async def list_tools(toolboxes: Iterable[Toolbox]) -> list[Tool]:
    """Return the tools that toolboxes offer at this moment.

    :param toolboxes: the toolboxes.
    :raises AgentFailed: when a toolbox does not respond.
    """
    try:
        return [tool for box in toolboxes for tool in await box.list_tools()]
    except McpFailed as error:
        raise AgentFailed(error.message, kind="McpFailed", status=502) from None


async def close_toolboxes(agents: Iterable[Any]) -> None:
    """Close the toolboxes of agents and sub-agents, if they have ``aclose``; log errors.

    :param agents: the agents.
    """
    boxes = [box for agent in iter_agents(agents) for box in Capabilities(agent).toolboxes]
    for box in boxes:
        close = getattr(box, "aclose", None)
        if close is None:
            continue
        try:
            await close()
        except Exception as error:  # noqa: BLE001  # the other toolboxes must be closed too
            get_logger("mastra.agents").error("a toolbox cannot be closed", exc_info=error)
