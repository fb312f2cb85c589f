"""Select the adapter that converts an object to an agent.

The adapter is selected by the name of the module that defines the object's class, or of a package
that contains this module. If the module of the class selects no adapter, the modules of its base
classes are tried. The search imports no framework. A table contains the built-in adapters; the
entry-point group ``mastra.agents`` lists the adapters of other packages. A bundle contains a copy
of the list of adapters, because reading the metadata of all installed distributions takes 40 ms at
every cold start.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from mastra_core.agents.protocol import AgentLike
from mastra_core.errors import ConfigError, PluginError

__all__ = ("as_agent", "freeze_adapters", "get_adapters")

_BUILT_IN = {
    "pydantic_ai": "mastra_core.agents.pydantic_ai:adapt",
    "agents.agent": "mastra_core.agents.openai_agents:adapt",  # users call modules "agents" too
    "langgraph": "mastra_core.agents.langgraph:adapt",
}
_frozen_adapters: dict[str, str] | None = None


def as_agent(value: Any) -> AgentLike:
    """Convert a value to an agent.

    :param value: an agent, an async function or generator, or an agent of another framework.
    :raises ConfigError: when no adapter accepts the value.
    """
    if isinstance(value, AgentLike) and not isinstance(value, type):
        return value
    if inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value):
        from mastra_core.agents.function import FunctionAgent

        return FunctionAgent(value)
    adapter = next(iter(_find_adapters(value)), None)
    if adapter is None:
        raise ConfigError(f"{value!r} is not an agent.", _suggest_agent(value))
    return _load_adapter(adapter)(value)


def freeze_adapters(adapters: Mapping[str, str]) -> None:
    """Use exactly these adapters, and search for no others.

    :param adapters: module or package of a class, mapped to ``module:attribute`` of its adapter.
    """
    global _frozen_adapters  # noqa: PLW0603  # set once, by the first line of a bundle's app
    _frozen_adapters = dict(adapters)


def get_adapters() -> dict[str, str]:
    """Return every known adapter.

    :returns: module or package of a class, mapped to ``module:attribute`` of its adapter.
    """
    return _BUILT_IN | (_load_entry_points() if _frozen_adapters is None else _frozen_adapters)


def _find_adapters(value: Any) -> list[str]:
    modules = [name for cls in type(value).__mro__ for name in _list_packages(cls)]
    found = [_BUILT_IN[name] for name in modules if name in _BUILT_IN]
    return found or [names[name] for names in [get_adapters()] for name in modules if name in names]


def _list_packages(cls: type) -> list[str]:
    """Return the module of ``cls`` and its parent packages, innermost first."""
    parts = cls.__module__.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _load_entry_points() -> dict[str, str]:
    from importlib.metadata import entry_points

    found: dict[str, str] = {}
    for entry in entry_points(group="mastra.agents"):
        found.setdefault(entry.name, entry.value)  # a build keeps the first one of a name, too
    return found


def _load_adapter(reference: str) -> Callable[[Any], AgentLike]:
    module, _, attribute = reference.partition(":")
    try:
        return getattr(import_module(module), attribute)  # type: ignore[no-any-return]  # the group's contract
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"The agent adapter {reference!r} cannot be loaded: {error}.",
            "Update or uninstall the package that contains the adapter.",
        ) from None


def _suggest_agent(value: Any) -> str:
    if inspect.isroutine(value):
        return "Write the function as an async function or an async generator: async def."
    package = _get_top_level_package(type(value))
    if isinstance(value, type) or package in sys.stdlib_module_names:
        return "Pass an Agent, an async function or a pydantic-ai agent."
    return (
        "Pass an Agent, an async function or a pydantic-ai agent, or install an adapter for "
        f"{package!r} (entry-point group mastra.agents)."
    )


def _get_top_level_package(cls: type) -> str:
    return cls.__module__.partition(".")[0]
