"""Run Node with packages from npm, as the acceptance suite does."""

from mastra_deployer.testing.acceptance.node import find_node, install_packages, run_script

__all__ = ("find_node", "install_packages", "run_script")
