"""Find distributions that are tools for developers and never ship."""

from __future__ import annotations

import functools
from importlib import metadata

from packaging.utils import canonicalize_name

from mastra_deployer.bundler.vendor.distributions import TOOL_GROUPS

__all__ = ("find_tool_distributions",)


@functools.cache
def find_tool_distributions() -> frozenset[str]:
    """Return the names of mastra-deployer and of distributions with deployers or plugins."""
    installed = metadata.entry_points()  # once for all groups: it reads every distribution
    names: set[str] = {
        canonicalize_name(entry.dist.name)
        for group in TOOL_GROUPS
        for entry in installed.select(group=group)
        if entry.dist is not None
    }
    return frozenset((names | {"mastra-deployer"}) - {"mastra-server"})
