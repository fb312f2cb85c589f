"""The two doors through which other people's code comes in.

``mastra.deployers`` is addressed by name: exactly the one asked for is loaded, so no deployer
can break or answer for another. ``mastra.plugins`` is ambient: all are loaded, and may only
watch and object. Each door has its own spec and, for each run, its own plugin manager: in a
shared one an ambient plugin with a ``mastra_deploy`` would win silently and get the token.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from mastra_core.errors import ConfigError, PluginError
from mastra_core.hooks import NAME, DeployerSpec, PluginSpec
from mastra_deployer.project.suggest import suggest

__all__ = (
    "DEPLOYERS",
    "admit",
    "deployer_packages",
    "implemented",
    "installed_deployers",
    "load_deployer",
    "load_plugins",
)

DEPLOYERS = "mastra.deployers"
PLUGINS = "mastra.plugins"
_MUST = ("mastra_target", "mastra_bundle")


def installed_deployers() -> dict[str, list[EntryPoint]]:
    """Entry points of every deployer in mastra's environment, by name. Loads none of them."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=DEPLOYERS):
        found.setdefault(entry.name, []).append(entry)
    return found


def deployer_packages() -> set[str]:
    """Import names of packages that are tools and must not ship."""
    entries = [*entry_points(group=DEPLOYERS), *entry_points(group=PLUGINS)]
    names = {entry.module.partition(".")[0] for entry in entries}
    return (names | {"mastra_deployer"}) - {"mastra_server"}


def load_deployer(name: str, root: Path, own: object) -> pluggy.PluginManager:
    """A fresh manager with Mastra's own build and the one deployer asked for.

    :param name: of an installed deployer, or a path from the project's ``root``.
    :param own: what answers ``mastra_build`` where the deployer does not.
    :raises ConfigError: when there is none of that name.
    :raises PluginError: when two claim it, or it does not keep the contract.
    """
    manager = pluggy.PluginManager(NAME)
    manager.add_hookspecs(DeployerSpec)
    manager.register(own, name="mastra-deployer")
    if name.startswith((".", "/")) or name.endswith(".py"):
        admit(manager, _module_at(root, name), name)
    else:
        entry = _entry(name)
        admit(manager, _load(entry), _distribution(entry))
    for hook in _MUST:
        if not getattr(manager.hook, hook).get_hookimpls():
            raise PluginError(
                f"The deployer {name!r} has no {hook}.", "Every deployer has; see docs/hooks.md."
            )
    return manager


def load_plugins() -> pluggy.PluginManager:
    """A fresh manager with every ambient plugin, but those in ``MASTRA_DISABLE_PLUGINS``.

    :raises PluginError: naming the distribution that cannot be loaded or oversteps.
    """
    manager = pluggy.PluginManager(NAME)
    manager.add_hookspecs(PluginSpec)
    disabled = {name.strip() for name in os.environ.get("MASTRA_DISABLE_PLUGINS", "").split(",")}
    for entry in entry_points(group=PLUGINS):
        if entry.name not in disabled:
            owner = f"{_distribution(entry)} ({entry.name})"
            admit(manager, _load(entry), owner, ambient=True)
    return manager


def _entry(name: str) -> EntryPoint:
    installed = installed_deployers()
    entries = installed.get(name, [])
    if not entries:
        raise ConfigError(
            f"There is no target {name!r} in mastra's environment, {sys.prefix!r}.",
            f"{suggest(name, installed)} To install it: {_install_line(name)}",
        )
    claims = sorted({_distribution(entry) for entry in entries})
    if len(claims) > 1:
        raise PluginError(
            f"Two packages claim the target {name!r}: {' and '.join(claims)}.",
            f"Uninstall one: pip uninstall {claims[1]}.",
        )
    return entries[0]


def _install_line(name: str) -> str:
    package = f"mastra-deployer-{name}"
    prefix = Path(sys.prefix)
    if prefix.parent.name == "venvs" and "pipx" in prefix.parts:
        return f"pipx inject {prefix.name} {package}"
    if prefix.parent.name == "tools" and "uv" in prefix.parts:
        return f"uv tool install {prefix.name} --with {package}"
    return f"{sys.executable} -m pip install {package}"


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        raise PluginError(
            f"{_distribution(entry)} cannot be loaded: {type(error).__name__}: {error}.",
            "Update or uninstall it.",
        ) from error


def _module_at(root: Path, name: str) -> ModuleType:
    path = (root / name).resolve()
    name = f"_mastra_deployer_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ConfigError(f"There is no deployer {str(path)!r}.", "Correct deployer = '...'.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while it is being executed
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PluginError(
            f"The deployer {str(path)!r} cannot be loaded: {type(error).__name__}: {error}.",
            "Correct it.",
        ) from error
    return module


def admit(manager: pluggy.PluginManager, plugin: Any, owner: str, *, ambient: bool = False) -> None:
    """Register what came through a door, and hold it to its hooks.

    :raises PluginError: for a hook that does not exist, is not its to have, or is async.
    """
    try:
        manager.register(plugin, name=owner)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        names = [name for name, _ in inspect.getmembers(PluginSpec) if name.startswith("mastra_")]
        cure = (
            f"An ambient plugin may have {', '.join(names)}." if ambient else "See docs/hooks.md."
        )
        text = " ".join(str(error).split())
        raise PluginError(f"{owner} does not keep to the hooks: {text}.", cure) from None
    for caller in manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            if inspect.iscoroutinefunction(implementation.function):
                raise PluginError(
                    f"{owner} has an async {caller.name}, and hooks are synchronous.",
                    "Call asyncio.run inside it.",
                )


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value


def implemented(manager: pluggy.PluginManager) -> Mapping[str, bool]:
    """Which hooks the deployer in ``manager`` implements, beside Mastra's own build."""
    names = [name for name in dir(DeployerSpec) if name.startswith("mastra_")]
    return {
        name: any(
            item.plugin_name != "mastra-deployer"
            for item in getattr(manager.hook, name).get_hookimpls()
        )
        for name in names
    }
