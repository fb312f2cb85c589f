"""Run Node with packages from npm, as the acceptance suite does."""

from __future__ import annotations

from pathlib import Path

from mastra_deployer.testing.acceptance.node import find_node, install_packages, run_script

__all__ = ("find_node", "install_front_ends", "install_packages", "run_script")

# With its peers, AG-UI would install CopilotKit's server, which it needs for other purposes only.
_OPTIONS = ("--legacy-peer-deps", "--omit=optional", "--ignore-scripts")
_FRONT_ENDS = (
    "@mastra/client-js@1.47.0",
    "@mastra/core@1.68.0",  # the version that the client contains
    "@mastra/react@1.5.0",
    "@ag-ui/mastra@1.1.2",
    "@ag-ui/client@1.0.0",
    "@ag-ui/core@1.0.0",
    "ai@7.0.173",
    "@ai-sdk/react@4.0.177",
    "react@19",
    "react-dom@19",
    "zod@3.25.76",
    "jsdom@31.0.1",
    "sucrase@3",
)


def install_front_ends() -> Path:
    """Return a directory with the packages of all front ends, so that npm installs them once."""
    return install_packages(*_OPTIONS, *_FRONT_ENDS)
