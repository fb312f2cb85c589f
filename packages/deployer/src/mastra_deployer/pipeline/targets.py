"""Choose a target by name, and find its deployer and its settings in pyproject.toml."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Project
from mastra_deployer.plugins.manager import list_installed_deployers
from mastra_deployer.project.deployer_argument import DeployerCall, read_deployer
from mastra_deployer.project.discovery import find_module_file, get_config, parse_source
from mastra_deployer.project.suggest import suggest

__all__ = ("SERVER", "TargetChoice", "choose_server", "choose_target", "list_target_names")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetChoice:
    """A target as the user selected it.

    :param name: the user's name.
    :param deployer: an installed deployer's name, or a path in the project.
    :param table: the target's settings in pyproject.toml, with the settings of ``--env`` applied.
    :param call: the call in ``deployer=`` of the entry file, if it configures this target.
    :param python: the Python version to build for, if the table sets one.
    :param platform: the platform to build for, in uv's notation, if the table sets one.
    :param env: the value of ``--env``.
    """

    name: str
    deployer: str
    table: Mapping[str, Any]
    call: DeployerCall | None = None
    python: str = ""
    platform: str = ""
    env: str = ""

    @property
    def record_name(self) -> str:
        """The name in mastra's records: ``NAME``, or ``NAME/ENV`` with ``--env``."""
        return f"{self.name}/{self.env}" if self.env else self.name


SERVER = TargetChoice(name="server", deployer="server", table={})


def choose_server(project: Project, env: str = "") -> TargetChoice:
    """Choose the universal target, without reading ``deployer=`` of the entry file.

    :param project: the project.
    :param env: applies ``[tool.mastra.targets.server.env.ENV]``.
    :raises ConfigError: when the configuration has no environment ``env``, or names another
        deployer for this target.
    """
    table = dict(get_config(project).targets.get(SERVER.name, {}))
    choice = _build_choice(SERVER.name, _apply_environment(SERVER.name, table, env), None)
    if choice.deployer != SERVER.deployer:
        raise ConfigError(
            f"[tool.mastra.targets.server] has the deployer {choice.deployer!r}, but the target "
            "'server' is the universal bundle.",
            "Give the target another name than 'server'.",
        )
    return choice


def choose_target(
    project: Project, name: str = "", env: str = "", usage: str = "mastra deploy TARGET"
) -> TargetChoice:
    """Choose a target by the user's name for it.

    Without a name, choose the target of ``deployer=``, or the only configured target.

    :param project: the project.
    :param name: the user's name for the target; may be empty.
    :param env: applies ``[tool.mastra.targets.NAME.env.ENV]``.
    :param usage: a command line that names a target; the hint of the error contains it.
    :raises ConfigError: when no target is named, and the project has none or several.
    """
    targets = get_config(project).targets
    call = _read_call(project)
    called_deployer = _find_deployer(call, project) if call else ""
    name = name or called_deployer or (next(iter(targets)) if len(targets) == 1 else "")
    if not name:
        raise ConfigError(
            "The command needs a target." if not targets else "There are several targets.",
            f"Name a target: `{usage}`. {suggest('', list_target_names(project))}",
        )
    table = _apply_environment(name, dict(targets.get(name, {})), env)
    is_called = bool(called_deployer) and called_deployer in (name, table.get("deployer", name))
    choice = _build_choice(name, table, call if is_called else None)
    return dataclasses.replace(choice, env=env)


def list_target_names(project: Project) -> list[str]:
    """Return the names of the targets that can be deployed to.

    :param project: the project; its configured targets and all installed deployers are listed.
    """
    return sorted({*get_config(project).targets, *list_installed_deployers()} - {SERVER.name})


def _build_choice(name: str, table: dict[str, Any], call: DeployerCall | None) -> TargetChoice:
    """Build a choice; move keys that are not settings, such as ``python``, to its fields."""
    return TargetChoice(
        name=name,
        deployer=str(table.pop("deployer", name)),
        python=str(table.pop("python", "")),
        platform=str(table.pop("platform", "")),
        table=table,
        call=call,
    )


def _apply_environment(name: str, table: dict[str, Any], env: str) -> dict[str, Any]:
    overlays = table.pop("env", {})
    if not isinstance(overlays, dict) or not all(isinstance(v, dict) for v in overlays.values()):
        raise ConfigError(
            f"[tool.mastra.targets.{name}.env] is not a table of tables.",
            f"Write the settings of an environment in [tool.mastra.targets.{name}.env.NAME].",
        )
    if env and env not in overlays:
        raise ConfigError(
            f"The target {name!r} has no environment {env!r}.",
            suggest(env, overlays)
            if overlays
            else f"Remove --env, or add [tool.mastra.targets.{name}.env.{env}] to pyproject.toml.",
        )
    return {**table, **overlays.get(env, {})}


def _read_call(project: Project) -> DeployerCall | None:
    if not project.module:  # a bundle without its sources
        return None
    entry = find_module_file(project)
    return read_deployer(entry, parse_source(entry))


def _find_deployer(call: DeployerCall, project: Project) -> str:
    """Return the target or installed deployer that defines the class in ``deployer=``."""
    file = Path(*call.module.lstrip(".").split(".")).with_suffix(".py")
    for name, table in get_config(project).targets.items():
        path = (project.root / str(table.get("deployer", name))).resolve()
        if path in ((project.root / file).resolve(), (project.import_root / file).resolve()):
            return name
    package = call.module.partition(".")[0]
    names = [
        name
        for name, entries in list_installed_deployers().items()
        if any(entry.module.partition(".")[0] == package for entry in entries)
    ]
    if len(names) > 1:  # one package with several targets: the class tells them apart
        names = [name for name in names if _is_target_of_class(call, name)]
    if names:
        return names[0]
    return package.removeprefix("mastra_deployer_")


def _is_target_of_class(call: DeployerCall, name: str) -> bool:
    from importlib import import_module

    return getattr(getattr(import_module(call.module), call.class_name, None), "target", "") == name
