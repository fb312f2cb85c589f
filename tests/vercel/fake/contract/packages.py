"""Vercel's npm packages: its command line, and the SDK with the schemas."""

from __future__ import annotations

from pathlib import Path

from tests.node import find_node
from tests.npm import ensure_installed

CLI, SDK = "vercel@64.0.2", "@vercel/sdk@1.28.35"


def get_cli_command() -> list[str]:
    """Return the command that runs `vercel`."""
    return [find_node(), str(ensure_installed(CLI) / "node_modules/vercel/dist/vc.js")]


def get_sdk_directory() -> Path:
    """Return the directory of `@vercel/sdk`."""
    return ensure_installed(SDK) / "node_modules/@vercel/sdk"
