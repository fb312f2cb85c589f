"""Import the MCP SDK, which is an optional dependency."""

from __future__ import annotations

import functools
from importlib import import_module, metadata
from typing import Any

from mastra_core.errors import ConfigError

__all__ = ("import_sdk_module",)


def import_sdk_module(name: str) -> Any:
    """Import a module of the SDK, or a module that the SDK needs.

    :param name: dotted name of the module.
    :raises ConfigError: when the extra ``mcp`` is not installed, or the SDK is too old.
    """
    _require_version()
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The Model Context Protocol needs {error.name!r}, which is not installed.",
            "Install the extra: pip install 'mastra-core[mcp]'.",
        ) from None


@functools.cache
def _require_version() -> None:
    """Check that the SDK has version 2, because version 1 has other modules and names."""
    try:
        version = metadata.version("mcp")
    except metadata.PackageNotFoundError:
        return
    if version.partition(".")[0] == "1":
        raise ConfigError(
            f"The package mcp {version} is installed, but mastra needs mcp 2.3 or newer.",
            "Install the extra: pip install --upgrade 'mastra-core[mcp]'. If another package "
            "requires mcp<2, install a version of that package that allows mcp 2.",
        )
