"""Find distributions that are tools for developers and never ship."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from mastra_deployer.project.entry_points import TOOL_GROUPS, list_entry_points

__all__ = ("find_tool_distributions",)


def find_tool_distributions() -> frozenset[str]:
    """Return the names of mastra-deployer and of distributions with deployers or plugins."""
    names: set[str] = {
        canonicalize_name(entry.dist.name)
        for group in TOOL_GROUPS
        for entry in list_entry_points(group)
        if entry.dist is not None
    }
    return frozenset((names | {"mastra-deployer"}) - {"mastra-server"})
