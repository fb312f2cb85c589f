"""No tool's lock: pyproject.toml and requirements.txt as they stand."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from mastra_deployer.bundler.locks import poetry
from mastra_deployer.bundler.locks.groups import chosen
from mastra_deployer.bundler.locks.lock_source import Asked, Source, Wanted, allowed_hashes
from mastra_deployer.bundler.locks.workspace import workspace_root
from mastra_deployer.bundler.own_wheels import build_wheel
from mastra_deployer.bundler.resolve.requirements import Stated, named, read_requirements
from mastra_deployer.project.config import read_pyproject

__all__ = ("plain", "stated_lines")

_MAKE = "uv lock"
_PIN = "uv pip compile --generate-hashes requirements.in -o requirements.txt"


def plain(asked: Asked, file: Path | None = None) -> Source:
    """What pyproject.toml and a requirements file ask for, versions left to the resolver.

    :param file: in place of requirements.txt.
    """
    root, pyproject = asked.root, read_pyproject(asked.root)
    if poetry.is_poetry(pyproject) and file is None:
        return poetry.unlocked(asked, pyproject)
    file = file or root / "requirements.txt"
    stated = read_requirements(file) if file.is_file() else Stated()
    own = stated_lines(root, pyproject)
    more = chosen(pyproject, asked.extras, asked.groups)
    lines = [line for line in stated.lines if line.partition("[")[0] != str(root.resolve())]
    return Source(
        name=_name(file, own),
        files=_files(root, stated),
        direct=(*own, *more, *lines),
        read=lambda: _wanted(asked, pyproject, own, more, lines, stated),
        locked=stated.pinned and named([*own, *more]).keys() <= named(lines).keys(),
        update=_PIN if stated.lines and not own else _MAKE,
        requires_python=pyproject.get("project", {}).get("requires-python", ""),
        indexes=stated.indexes,
    )


def stated_lines(root: Path, pyproject: Mapping[str, Any]) -> list[str]:
    """Requirement lines of [project], from a built wheel where only the build backend knows."""
    table = pyproject.get("project", {})
    if "dependencies" in table.get("dynamic", ()):
        return _from_wheel(build_wheel(root))
    return list(table.get("dependencies", []))


def _wanted(
    asked: Asked,
    pyproject: Mapping[str, Any],
    own: list[str],
    more: list[str],
    lines: list[str],
    stated: Stated,
) -> Wanted:
    table = pyproject.get("project", {})
    static = bool(table) and "dependencies" not in table.get("dynamic", ())
    flags = [f"--extra={name}" for name in asked.extras]
    flags += [f"--group={name}" for name in asked.groups]
    return Wanted(
        lines=(*stated.indexes.lines(), *(lines if static else [*own, *more, *lines])),
        constraints=tuple(stated.constraints),
        # The file itself: [tool.uv] says where things come from.
        pyproject=asked.root / "pyproject.toml" if static else None,
        options=tuple(flags if static else ()),
        hashes=allowed_hashes(stated.hashes),
    )


def _files(root: Path, stated: Stated) -> tuple[Path, ...]:
    places = {root, workspace_root(root)}
    settings = [place / name for place in places for name in ("pyproject.toml", "uv.toml")]
    return (*sorted(settings), *stated.files)


def _name(file: Path, own: list[str]) -> str:
    names = ["pyproject.toml"] if own or not file.is_file() else []
    return " and ".join([*names, *([file.name] if file.is_file() else [])])


def _from_wheel(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(item for item in archive.namelist() if item.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(name).decode())
    lines = headers.get_all("Requires-Dist") or []
    return [line for line in lines if "extra ==" not in line]
