"""List the installed deployers and plugins."""

from __future__ import annotations

import functools
import sys
from importlib import metadata

__all__ = ("DEPLOYERS", "PLUGINS", "TOOL_GROUPS", "list_entry_points", "list_tool_packages")

DEPLOYERS = "mastra.deployers"
PLUGINS = "mastra.plugins"
TOOL_GROUPS = (DEPLOYERS, PLUGINS)
"""The entry point groups of developer tools, which a bundle does not contain."""


def list_entry_points(group: str) -> tuple[metadata.EntryPoint, ...]:
    """Return the installed entry points of a group, without loading them.

    :param group: one of ``TOOL_GROUPS``.
    """
    return _read_entry_points(group, tuple(sys.path))


def list_tool_packages() -> set[str]:
    """Return the import names of deployer and plugin packages, which no bundle may contain."""
    entries = (entry for group in TOOL_GROUPS for entry in list_entry_points(group))
    names = {entry.module.partition(".")[0] for entry in entries}
    return (names | {"mastra_deployer"}) - {"mastra_server"}


@functools.cache  # a call reads a file of each installed distribution
def _read_entry_points(group: str, path: tuple[str, ...]) -> tuple[metadata.EntryPoint, ...]:
    """Return the entry points of a group; the result is cached for each import path."""
    del path  # where the distributions are searched
    return tuple(metadata.entry_points(group=group))
