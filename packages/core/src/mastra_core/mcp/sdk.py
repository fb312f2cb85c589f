"""The package of the protocol, which is an extra."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mastra_core.errors import ConfigError

__all__ = ("import_sdk_module",)


def import_sdk_module(name: str) -> Any:
    """A module of the package ``mcp``, or of one that it requires.

    :raises ConfigError: when the extra is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The Model Context Protocol needs {error.name!r}, which is not installed.",
            "Install the extra: pip install 'mastra-core[mcp]'.",
        ) from None
