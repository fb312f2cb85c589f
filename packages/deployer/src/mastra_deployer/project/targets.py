"""Which target: the user's name for it, the deployer behind it, and where its settings stand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Project
from mastra_deployer.plugins.manager import installed_deployers
from mastra_deployer.project.deployer_argument import DeployerCall, read_deployer
from mastra_deployer.project.discovery import config_of, module_file, parse
from mastra_deployer.project.suggest import suggest

__all__ = ("SERVER", "Choice", "choose_target")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """A target as the user named it.

    :param name: the user's.
    :param deployer: an installed deployer's name, or a path in the project.
    :param table: its settings in pyproject.toml, the overlay of ``--env`` laid over.
    :param call: ``deployer=`` of the entry file, where it is for this deployer.
    :param python: version to build for, where the target's table names one.
    :param platform: machine to build for, in uv's words, likewise.
    """

    name: str
    deployer: str
    table: Mapping[str, Any]
    call: DeployerCall | None = None
    python: str = ""
    platform: str = ""


SERVER = Choice(name="server", deployer="server", table={})


def choose_target(project: Project, name: str = "", env: str = "") -> Choice:
    """The target called ``name``; without one, that of ``deployer=``, or the only one configured.

    :param env: chooses ``[tool.mastra.targets.NAME.env.ENV]``.
    :raises ConfigError: when it cannot be told which is meant.
    """
    targets = config_of(project).targets
    call = _call(project)
    called = _deployer_of(call, project) if call else ""
    name = name or called or (next(iter(targets)) if len(targets) == 1 else "")
    if not name:
        raise ConfigError(
            "There is no target to deploy to." if not targets else "There are several targets.",
            f"Name one: TARGET, or --target. {suggest('', {**targets, **installed_deployers()})}",
        )
    table = dict(targets.get(name, {}))
    deployer = str(table.pop("deployer", name))
    table = _overlaid(name, table, env)
    return Choice(
        name=name,
        deployer=deployer,
        python=str(table.pop("python", "")),
        platform=str(table.pop("platform", "")),
        table=table,
        call=call if called in (name, deployer) else None,
    )


def _overlaid(name: str, table: dict[str, Any], env: str) -> dict[str, Any]:
    overlays = table.pop("env", {})
    if env and env not in overlays:
        raise ConfigError(
            f"The target {name!r} has no environment {env!r}.",
            f"Write [tool.mastra.targets.{name}.env.{env}]. {suggest(env, overlays)}",
        )
    return {**table, **overlays.get(env, {})}


def _call(project: Project) -> DeployerCall | None:
    if not project.module:  # a bundle without its sources
        return None
    entry = module_file(project)
    return read_deployer(entry, parse(entry))


def _deployer_of(call: DeployerCall, project: Project) -> str:
    """The deployer whose package the settings class comes from, or the target that is a file."""
    file = Path(*call.module.lstrip(".").split(".")).with_suffix(".py")
    for name, table in config_of(project).targets.items():
        path = (project.root / str(table.get("deployer", name))).resolve()
        if path in ((project.root / file).resolve(), (project.import_root / file).resolve()):
            return name
    package = call.module.partition(".")[0]
    names = [
        name
        for name, entries in installed_deployers().items()
        if any(entry.module.partition(".")[0] == package for entry in entries)
    ]
    if len(names) > 1:  # one package, several targets: the class says which
        names = [name for name in names if _class_target(call, name)]
    if names:
        return names[0]
    return package.removeprefix("mastra_deployer_")


def _class_target(call: DeployerCall, name: str) -> bool:
    from importlib import import_module

    return getattr(getattr(import_module(call.module), call.cls, None), "target", "") == name
