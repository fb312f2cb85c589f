"""Find the agents that agents call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mastra_core.agents.protocol import AgentLike

__all__ = ("get_parts", "iter_agents")


def iter_agents(agents: Iterable[Any]) -> Iterator[Any]:
    """Yield agents and the agents that they call, each of them once.

    Several agents may call the same agent, and own agents may call each other in a circle.

    :param agents: the agents.
    """
    pending = [*agents]
    seen: dict[int, Any] = {}  # with the objects themselves, because ids are used again
    while pending:
        agent = pending.pop()
        if id(agent) not in seen:
            seen[id(agent)] = agent
            yield agent
            pending.extend(get_parts(agent, "agents", AgentLike))


def get_parts(agent: Any, name: str, type_: type) -> list[Any]:
    """Return the agents or workflows that an agent calls; own agents may have any attributes.

    :param agent: the agent.
    :param name: the name of the attribute.
    :param type_: the class of the parts; other values are left out.
    """
    parts = getattr(agent, name, None)
    values = parts.values() if isinstance(parts, Mapping) else ()
    return [each for each in values if isinstance(each, type_)]
