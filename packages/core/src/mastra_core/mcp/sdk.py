"""Import of the MCP SDK, which is an optional dependency."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mastra_core.errors import ConfigError

__all__ = ("import_sdk_module",)


def import_sdk_module(name: str) -> Any:
    """Import a module of the SDK or of one of its dependencies.

    :param name: dotted name of the module.
    :raises ConfigError: when the extra ``mcp`` is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The Model Context Protocol needs {error.name!r}, which is not installed.",
            "Install the extra: pip install 'mastra-core[mcp]'.",
        ) from None
