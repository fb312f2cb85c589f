"""Which file decides: the one named, else the first of a fixed order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mastra_core.errors import BuildError, ConfigError
from mastra_core.pipeline import Platform, Project, Report
from mastra_deployer.bundler.locks.lock_source import Asked, Source
from mastra_deployer.bundler.locks.pdm import pdm_lock
from mastra_deployer.bundler.locks.pipfile import pipfile_lock
from mastra_deployer.bundler.locks.plain import plain
from mastra_deployer.bundler.locks.poetry import poetry_lock
from mastra_deployer.bundler.locks.pylock import pylock
from mastra_deployer.bundler.locks.script import block_of, script
from mastra_deployer.bundler.locks.uvlock import uv_lock
from mastra_deployer.bundler.locks.workspace import workspace_root
from mastra_deployer.project.discovery import config_of, module_file

__all__ = ("choose_source", "has_lock")

T = TypeVar("T")

# A tool's own lock before the standard's, which is often exported from it.
_LOCKS: tuple[tuple[str, Callable[[Asked, Path], Source]], ...] = (
    ("uv.lock", uv_lock),
    ("poetry.lock", poetry_lock),
    ("pdm.lock", pdm_lock),
    ("Pipfile.lock", pipfile_lock),
    ("pylock.toml", pylock),
)


def choose_source(project: Project, platform: Platform, report: Report) -> Source:
    """The files that decide what ships.

    In this order: ``[tool.mastra.build] lock``, the entry's script block, uv.lock, poetry.lock,
    pdm.lock, Pipfile.lock, pylock.toml, pylock.NAME.toml, pyproject.toml with requirements.txt.

    :raises BuildError: with ``[tool.mastra.build] locked``, when there is no lock.
    """
    build = config_of(project).build
    entry = module_file(project) if project.module else None  # a project may be its needs alone
    asked = Asked(
        project=project,
        entry=entry,
        platform=platform,
        extras=build.extras,
        groups=build.groups,
    )
    source = _understood("What the project requires", lambda: _chosen(asked, build.lock, report))
    if build.locked and not source.locked:
        raise BuildError(
            f"There is no lock: {source.name} leaves versions open, and --locked wants them "
            "decided.",
            f"Run `{source.update}`, and commit the result; or build without --locked.",
        )
    read = source.read
    return dataclasses.replace(source, read=lambda: _understood(source.name, read))


def _understood(name: str, read: Callable[[], T]) -> T:
    """What ``read`` gives; files that are not made as their tool makes them are an error."""
    try:
        return read()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{name} cannot be understood: {type(error).__name__} {str(error).splitlines()[0]!r}.",
            "Make the lock again with its tool, or correct what was written by hand.",
        ) from None


def has_lock(root: Path) -> bool:
    """Whether a project has a lock of any tool."""
    return bool(_found(root))


def _chosen(asked: Asked, named: str, report: Report) -> Source:
    if named:
        return _named(asked, named)
    if asked.entry and (block := block_of(asked.entry)) is not None:
        return script(asked, asked.entry, block)
    found = _found(asked.root)
    if not found:
        return plain(asked)
    (name, make, path), *others = found
    if others:
        listed = ", ".join(other[0] for other in others)
        report.note(
            f"{name} decides which versions ship; {listed} was not read.",
            "Delete what is not used, or name the file that decides: [tool.mastra.build] lock.",
        )
    return make(asked, path)


def _found(root: Path) -> list[tuple[str, Callable[[Asked, Path], Source], Path]]:
    places = {"uv.lock": workspace_root(root)}
    usual = [(name, make, places.get(name, root) / name) for name, make in _LOCKS]
    found = [item for item in usual if item[2].is_file()]
    if found:
        return found
    named = sorted(root.glob("pylock.*.toml"))
    if len(named) > 1:
        raise ConfigError(
            f"There are several locks: {', '.join(path.name for path in named)}.",
            f"Name the one that ships: [tool.mastra.build] lock = {named[0].name!r}.",
        )
    return [(path.name, pylock, path) for path in named]


def _named(asked: Asked, name: str) -> Source:
    path = asked.root / name
    if not path.is_file():
        raise ConfigError(
            f"[tool.mastra.build] lock: there is no {str(path)!r}.", "Correct the name, or make it."
        )
    makers = dict(_LOCKS)
    if path.name in makers:
        return makers[path.name](asked, path)
    if path.name.startswith("pylock.") and path.suffix == ".toml":
        return pylock(asked, path)
    if path.suffix in (".txt", ".in"):
        return dataclasses.replace(plain(asked, path), name=path.name)
    raise ConfigError(
        f"[tool.mastra.build] lock: {name!r} is no kind of lock that mastra knows.",
        "It reads uv.lock, poetry.lock, pdm.lock, Pipfile.lock, pylock.toml and .txt files.",
    )
