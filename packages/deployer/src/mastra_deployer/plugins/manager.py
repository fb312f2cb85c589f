"""Find, load and register deployers and ambient plugins.

A deployer (entry point group ``mastra.deployers``) is loaded by its name, so that other deployers
have no effect. Ambient plugins (``mastra.plugins``) are all loaded, and may only observe and report
problems. Deployers and ambient plugins have separate hook specifications and plugin managers. In a
shared plugin manager, the hook ``mastra_deploy`` of an ambient plugin would be called with the
credentials.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from mastra_core.errors import ConfigError, PluginError
from mastra_core.hooks import NAME, DeployerSpec, PluginSpec
from mastra_deployer.plugins import default_build
from mastra_deployer.project.entry_points import DEPLOYERS, PLUGINS, list_entry_points
from mastra_deployer.project.suggest import find_nearest, suggest
from mastra_deployer.trust.project_deployers import require_trusted_file

__all__ = (
    "create_manager",
    "list_implemented_hooks",
    "list_installed_deployers",
    "load_deployer",
    "load_plugins",
    "register_checked",
)

_DEFAULT_BUILD = "mastra-deployer"  # the name of the plugin with the default ``mastra_build``
_OWN_DEPLOYERS = ("cloudflare", "netlify", "oci", "vercel")  # each has a package of this project
_REQUIRED_HOOKS = ("mastra_target", "mastra_bundle")


def list_installed_deployers() -> dict[str, list[EntryPoint]]:
    """Return the entry points of all installed deployers by name, without loading them."""
    entries_by_name: dict[str, list[EntryPoint]] = {}
    for entry in list_entry_points(DEPLOYERS):
        entries_by_name.setdefault(entry.name, []).append(entry)
    return entries_by_name


def create_manager() -> pluggy.PluginManager:
    """Return a plugin manager for one deployer, with the default ``mastra_build`` only."""
    manager = pluggy.PluginManager(NAME)
    manager.add_hookspecs(DeployerSpec)
    manager.register(default_build, name=_DEFAULT_BUILD)
    return manager


def load_deployer(
    name: str, root: Path, check_file: Callable[[Path], None] = require_trusted_file
) -> pluggy.PluginManager:
    """Load one deployer into a new plugin manager.

    :param name: an installed deployer's name, or a path from the project's ``root``.
    :param root: the project's directory.
    :param check_file: called with each project file that defines a deployer; raises an error if
        mastra must not run the file.
    :raises ConsentError: for a deployer of the project that the user does not trust.
    :raises ConfigError: when there is no deployer of that name.
    :raises PluginError: when two packages claim the name, or the deployer breaks the hook contract.
    """
    manager = create_manager()
    if name.startswith((".", "/")) or name.endswith(".py"):
        check_file((root / name).resolve())
        register_checked(manager, _load_module(root, name), name)
    else:
        entry = _find_entry_point(name)
        register_checked(manager, _load_entry_point(entry), _get_distribution_name(entry))
    for hook in _REQUIRED_HOOKS:
        if not getattr(manager.hook, hook).get_hookimpls():
            raise PluginError(
                f"The deployer {name!r} lacks the hook {hook}, which every deployer needs.",
                "See docs/hooks.md.",
            )
    return manager


def load_plugins() -> pluggy.PluginManager:
    """Load every ambient plugin into a new plugin manager.

    Plugins in ``MASTRA_DISABLE_PLUGINS`` are skipped.

    :raises PluginError: naming the distribution that cannot be loaded or breaks the hook contract.
    """
    manager = pluggy.PluginManager(NAME)
    manager.add_hookspecs(PluginSpec)
    disabled = {name.strip() for name in os.environ.get("MASTRA_DISABLE_PLUGINS", "").split(",")}
    for entry in list_entry_points(PLUGINS):
        if entry.name not in disabled:
            owner = f"{_get_distribution_name(entry)} ({entry.name})"
            register_checked(manager, _load_entry_point(entry), owner, ambient=True)
    return manager


def _find_entry_point(name: str) -> EntryPoint:
    installed = list_installed_deployers()
    entries = installed.get(name, [])
    if not entries:
        raise ConfigError(
            f"No deployer for the target {name!r} is installed in mastra's environment "
            f"{sys.prefix!r}.",
            _suggest_deployer(name, installed),
        )
    claims = sorted({_get_distribution_name(entry) for entry in entries})
    if len(claims) > 1:
        raise PluginError(
            f"Two packages provide the target {name!r}: {' and '.join(claims)}.",
            f"Uninstall one of them: pip uninstall {claims[1]}.",
        )
    return entries[0]


def _suggest_deployer(name: str, installed_names: Collection[str]) -> str:
    """Return a hint with the nearest known deployer, or with the command that installs a deployer.

    If the name is misspelled, the command installs the known deployer, because a package with the
    misspelled name may be malicious.
    """
    near = "" if name in _OWN_DEPLOYERS else find_nearest(name, {*installed_names, *_OWN_DEPLOYERS})
    if near in installed_names:
        return f"Did you mean {near!r}?"
    if near:
        return f"Did you mean {near!r}? To install it: {_format_install_command(near)}"
    others = set(installed_names) - {"server"}  # the universal target, to which nothing is deployed
    return f"{suggest('', others)} To install {name!r}: {_format_install_command(name)}"


def _format_install_command(name: str) -> str:
    package = f"mastra-deployer-{name}"
    prefix = Path(sys.prefix)
    if prefix.parent.name == "venvs" and "pipx" in prefix.parts:
        return f"pipx inject {prefix.name} {package}"
    if prefix.parent.name == "tools" and "uv" in prefix.parts:
        return f"uv tool install {prefix.name} --with {package}"
    return f"{sys.executable} -m pip install {package}"


def _load_entry_point(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{_get_distribution_name(entry)} cannot be loaded: {type(error).__name__}: {error}.",
            "Update or uninstall it.",
        ) from error


def _load_module(root: Path, name: str) -> ModuleType:
    path = (root / name).resolve()
    name = f"_mastra_deployer_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ConfigError(
            f"The deployer {str(path)!r} does not exist.",
            "Correct the value of deployer in [tool.mastra.targets].",
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module during its execution
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"The deployer {str(path)!r} cannot be loaded: {type(error).__name__}: {error}.",
            "Correct the file.",
        ) from error
    return module


def register_checked(
    manager: pluggy.PluginManager, plugin: Any, owner: str, *, ambient: bool = False
) -> None:
    """Register a plugin, and check its hooks.

    :param manager: the plugin manager that registers the plugin.
    :param plugin: the object that has the hooks.
    :param owner: the plugin's name in errors.
    :param ambient: whether the plugin is an ambient plugin, and not a deployer.
    :raises PluginError: for a hook that is unknown, not allowed for this kind of plugin, or async.
    """
    try:
        manager.register(plugin, name=owner)
        manager.check_pending()
    except ValueError:  # pluggy's error for an object that is registered already
        raise PluginError(
            f"{owner} registers a plugin that another entry point has already registered.",
            "Remove one of the two entry points.",
        ) from None
    except pluggy.PluginValidationError as error:
        names = [name for name, _ in inspect.getmembers(PluginSpec) if name.startswith("mastra_")]
        hint = (
            f"An ambient plugin may implement {', '.join(names)}."
            if ambient
            else "See docs/hooks.md."
        )
        text = " ".join(str(error).split())
        raise PluginError(f"{owner} has an invalid hook: {text}.", hint) from None
    for caller in manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            if inspect.iscoroutinefunction(implementation.function):
                raise PluginError(
                    f"{owner} has an async {caller.name}, but hooks are synchronous.",
                    "Make it a plain function, and call asyncio.run inside of it.",
                )


def _get_distribution_name(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value


def list_implemented_hooks(manager: pluggy.PluginManager) -> Mapping[str, bool]:
    """Return, for the name of each hook, whether the deployer implements the hook.

    :param manager: a manager from ``load_deployer``. Mastra's own implementation of
        ``mastra_build`` does not count.
    """
    names = [name for name in dir(DeployerSpec) if name.startswith("mastra_")]
    return {
        name: any(
            item.plugin_name != _DEFAULT_BUILD
            for item in getattr(manager.hook, name).get_hookimpls()
        )
        for name in names
    }
