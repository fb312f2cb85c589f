"""Choose the file that decides versions: the configured file, or the first of a fixed list."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mastra_core.errors import BuildError, ConfigError
from mastra_core.pipeline import Platform, Project, Report
from mastra_deployer.bundler.locks.declaration_file import find_declaration_file
from mastra_deployer.bundler.locks.lock_source import LockRequest, LockSource
from mastra_deployer.bundler.locks.pdm import read_pdm_lock
from mastra_deployer.bundler.locks.pipfile import read_pipfile_lock
from mastra_deployer.bundler.locks.poetry import read_poetry_lock
from mastra_deployer.bundler.locks.pylock import read_pylock
from mastra_deployer.bundler.locks.requirement_files import read_unlocked_requirements
from mastra_deployer.bundler.locks.script import read_script, read_script_block
from mastra_deployer.bundler.locks.uvlock import read_uv_lock
from mastra_deployer.project.discovery import find_module_file, get_config
from mastra_deployer.project.workspace import find_workspace_root

__all__ = ("choose_source", "has_lock")

T = TypeVar("T")

# A tool's own lock comes before pylock.toml, which is often exported from that lock.
_LOCKS: tuple[tuple[str, Callable[[LockRequest, Path], LockSource]], ...] = (
    ("uv.lock", read_uv_lock),
    ("poetry.lock", read_poetry_lock),
    ("pdm.lock", read_pdm_lock),
    ("Pipfile.lock", read_pipfile_lock),
    ("pylock.toml", read_pylock),
)


def choose_source(project: Project, platform: Platform, report: Report) -> LockSource:
    """Choose the files that decide which packages ship.

    The order is: ``[tool.mastra.build] lock``, the entry's script block, uv.lock, poetry.lock,
    pdm.lock, Pipfile.lock, pylock.toml, pylock.NAME.toml, pyproject.toml with requirements.txt.

    :param project: the app.
    :param platform: the platform to build for.
    :param report: receives a note when several locks exist.
    :raises BuildError: with ``[tool.mastra.build] locked``, when there is no lock.
    :raises ConfigError: for a file that is missing, unknown or malformed.
    """
    build = get_config(project).build
    entry = find_module_file(project) if project.module else None
    request = LockRequest(
        project=project,
        entry=entry,
        platform=platform,
        extras=build.extras,
        groups=build.groups,
    )
    source = _check_format(
        "The declaration of dependencies",
        lambda: _choose(request, build.lock, report),
        lambda: (
            f"Correct the dependencies in {find_declaration_file(project)}, or recreate the "
            "lock with its tool."
        ),
    )
    if build.locked and not source.locked:
        raise BuildError(
            f"There is no lock. {source.name} does not pin all versions, but --locked requires a "
            "lock that does.",
            f"Run `{source.update}` and commit the result, or build without --locked.",
        )
    read = source.read
    return dataclasses.replace(source, read=lambda: _check_format(source.name, read))


def _check_format(
    name: str,
    read: Callable[[], T],
    build_hint: Callable[[], str] = lambda: (
        "Recreate the lock with its tool, or correct manual changes."
    ),
) -> T:
    """Call ``read``, and raise an error if the file is malformed."""
    try:
        return read()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{name} is malformed: {type(error).__name__} {str(error).splitlines()[0]!r}.",
            build_hint(),
        ) from None


def has_lock(root: Path) -> bool:
    """Return whether a project has a lock of any tool.

    :param root: the project's directory.
    """
    return bool(_find_locks(root))


def _choose(request: LockRequest, name_option: str, report: Report) -> LockSource:
    if name_option:
        return _read_named(request, name_option)
    if request.entry and (block := read_script_block(request.entry)) is not None:
        return read_script(request, request.entry, block)
    locks = _find_locks(request.root)
    if not locks:
        return read_unlocked_requirements(request)
    (name, make, path), *others = locks
    if others:
        names = ", ".join(other[0] for other in others)
        report.note(
            f"{name} decides which versions ship. Other locks are not read: {names}.",
            "Delete the unused files, or name the file to use in [tool.mastra.build] lock.",
        )
    return make(request, path)


def _find_locks(root: Path) -> list[tuple[str, Callable[[LockRequest, Path], LockSource], Path]]:
    directories = {"uv.lock": find_workspace_root(root)}
    candidates = [(name, make, directories.get(name, root) / name) for name, make in _LOCKS]
    existing = [item for item in candidates if item[2].is_file()]
    if existing:
        return existing
    pylocks = sorted(root.glob("pylock.*.toml"))
    if len(pylocks) > 1:
        raise ConfigError(
            f"There are several locks: {', '.join(path.name for path in pylocks)}.",
            f"Name the lock to use: [tool.mastra.build] lock = {pylocks[0].name!r}.",
        )
    return [(path.name, read_pylock, path) for path in pylocks]


def _read_named(request: LockRequest, name: str) -> LockSource:
    path = request.root / name
    if not path.is_file():
        raise ConfigError(
            f"[tool.mastra.build] lock: {str(path)!r} does not exist.",
            "Correct the name, or create the lock.",
        )
    readers = dict(_LOCKS)
    if path.name in readers:
        return readers[path.name](request, path)
    if path.name.startswith("pylock.") and path.suffix == ".toml":
        return read_pylock(request, path)
    if path.suffix in (".txt", ".in"):
        return dataclasses.replace(read_unlocked_requirements(request, path), name=path.name)
    raise ConfigError(
        f"[tool.mastra.build] lock: mastra does not support the format of {name!r}.",
        "Use uv.lock, poetry.lock, pdm.lock, Pipfile.lock, pylock.toml or a .txt file.",
    )
