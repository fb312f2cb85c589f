"""Call the hooks of a deployer that is an object in this process, and not an installed plugin."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from mastra_core.hooks import NAME, PluginSpec
from mastra_core.pipeline import Target
from mastra_deployer.plugins.hook_calls import HookCaller
from mastra_deployer.plugins.manager import create_manager, register_checked

__all__ = ("InProcessCaller", "iter_unmarked_hooks")


class InProcessCaller(HookCaller):
    """Calls the hooks of one deployer, without any installed plugins.

    :param deployer: a module, or any object, with hooks.
    :raises PluginError: when a hook does not match its specification.
    """

    def __init__(self, deployer: object) -> None:
        self._name = getattr(deployer, "__name__", type(deployer).__name__)
        self._deployer = create_manager()
        register_checked(self._deployer, deployer, self._name)
        self._plugins = pluggy.PluginManager(NAME)
        self._plugins.add_hookspecs(PluginSpec)
        self.target = self._call_deployer("mastra_target", Target)


def iter_unmarked_hooks(deployer: object) -> Iterable[str]:
    """Yield the names of functions that are named like hooks but have no ``@hookimpl``.

    :param deployer: a module, or any object, with hooks.
    """
    for name in dir(deployer):
        value = getattr(deployer, name)
        if name.startswith("mastra_") and callable(value) and not hasattr(value, f"{NAME}_impl"):
            yield name
