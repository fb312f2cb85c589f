"""Read pyproject.toml and requirements.txt, if there is no other lock."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from mastra_deployer.bundler.locks import poetry
from mastra_deployer.bundler.locks.groups import select_lines
from mastra_deployer.bundler.locks.lock_source import (
    LockRequest,
    LockSource,
    ResolverInput,
    collect_hashes,
)
from mastra_deployer.bundler.own_wheels import build_wheel
from mastra_deployer.bundler.resolve.requirements import (
    ParsedRequirements,
    parse_names,
    read_requirements,
)
from mastra_deployer.project.config import read_pyproject
from mastra_deployer.project.workspace import find_workspace_root

__all__ = ("read_project_requirements", "read_unlocked_requirements")

_LOCK = "uv lock"
_PIN = "uv pip compile --generate-hashes requirements.in -o requirements.txt"


def read_unlocked_requirements(request: LockRequest, file: Path | None = None) -> LockSource:
    """Read requirements without a lock; the resolver chooses the versions.

    :param request: the project, the target and the selected groups.
    :param file: the file to read in place of requirements.txt.
    """
    root, pyproject = request.root, read_pyproject(request.root)
    if poetry.is_poetry(pyproject) and file is None:
        return poetry.read_unlocked(request, pyproject)
    file = file or root / "requirements.txt"
    parsed = read_requirements(file) if file.is_file() else ParsedRequirements()
    project_lines = read_project_requirements(root, pyproject)
    selected = select_lines(pyproject, request.extras, request.groups)
    lines = [line for line in parsed.lines if line.partition("[")[0] != str(root.resolve())]
    return LockSource(
        name=_format_name(file, project_lines),
        files=_list_files(root, parsed),
        direct=(*project_lines, *selected, *lines),
        read=lambda: _build_input(request, pyproject, project_lines, selected, lines, parsed),
        locked=parsed.is_pinned
        and parse_names([*project_lines, *selected]).keys() <= parse_names(lines).keys(),
        update=_PIN if parsed.lines and not project_lines else _LOCK,
        requires_python=pyproject.get("project", {}).get("requires-python", ""),
        indexes=parsed.indexes,
    )


def read_project_requirements(root: Path, pyproject: Mapping[str, Any]) -> list[str]:
    """Return the requirement lines of [project].

    If only the build backend knows the requirements, they are read from a built wheel.

    :param root: the project's directory.
    :param pyproject: the contents of the project's pyproject.toml.
    :raises BuildError: when the wheel does not build.
    """
    table = pyproject.get("project", {})
    if "dependencies" in table.get("dynamic", ()):
        return _read_wheel_requirements(build_wheel(root))
    return list(table.get("dependencies", []))


def _build_input(
    request: LockRequest,
    pyproject: Mapping[str, Any],
    project_lines: list[str],
    extra_lines: list[str],
    lines: list[str],
    requirements: ParsedRequirements,
) -> ResolverInput:
    table = pyproject.get("project", {})
    is_static = bool(table) and "dependencies" not in table.get("dynamic", ())
    flags = [f"--extra={name}" for name in request.extras]
    flags += [f"--group={name}" for name in request.groups]
    return ResolverInput(
        lines=(
            *requirements.indexes.to_lines(),
            *(lines if is_static else [*project_lines, *extra_lines, *lines]),
        ),
        constraints=tuple(requirements.constraints),
        # uv reads the file itself, for the package sources of [tool.uv].
        pyproject=request.root / "pyproject.toml" if is_static else None,
        options=tuple(flags if is_static else ()),
        hashes=collect_hashes(requirements.hashes),
    )


def _list_files(root: Path, requirements: ParsedRequirements) -> tuple[Path, ...]:
    directories = {root, find_workspace_root(root)}
    settings = [
        directory / name for directory in directories for name in ("pyproject.toml", "uv.toml")
    ]
    return (*sorted(settings), *requirements.files)


def _format_name(file: Path, project_lines: list[str]) -> str:
    names = ["pyproject.toml"] if project_lines or not file.is_file() else []
    return " and ".join([*names, *([file.name] if file.is_file() else [])])


def _read_wheel_requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(item for item in archive.namelist() if item.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(name).decode())
    lines = headers.get_all("Requires-Dist") or []
    return [line for line in lines if "extra ==" not in line]
