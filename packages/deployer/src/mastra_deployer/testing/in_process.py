"""A deployer that is handed over rather than installed, called as the command calls it."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from mastra_core.hooks import NAME, DeployerSpec, PluginSpec
from mastra_core.pipeline import Target
from mastra_deployer.bundler import stage
from mastra_deployer.plugins import manager as doors
from mastra_deployer.plugins.hook_calls import Line

__all__ = ("HandedLine", "unmarked")


class HandedLine(Line):
    """The line with one deployer and no ambient plugins.

    :param deployer: a module, or any object, with hooks.
    :raises PluginError: when it does not keep the contract.
    """

    def __init__(self, deployer: object) -> None:
        self._name = getattr(deployer, "__name__", type(deployer).__name__)
        self._deployer = pluggy.PluginManager(NAME)
        self._deployer.add_hookspecs(DeployerSpec)
        self._deployer.register(stage, name="mastra-deployer")
        doors.admit(self._deployer, deployer, self._name)
        self._plugins = pluggy.PluginManager(NAME)
        self._plugins.add_hookspecs(PluginSpec)
        self.target = self._one("mastra_target", Target)


def unmarked(deployer: object) -> Iterable[str]:
    """Functions that are named like hooks and are none: ``@hookimpl`` is missing."""
    for name in dir(deployer):
        found = getattr(deployer, name)
        if name.startswith("mastra_") and callable(found) and not hasattr(found, f"{NAME}_impl"):
            yield name
