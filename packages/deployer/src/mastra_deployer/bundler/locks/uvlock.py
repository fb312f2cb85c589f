"""Read ``uv.lock`` of a project, of its workspace, or of a script."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError
from mastra_deployer.bundler.locks.groups import select_lines
from mastra_deployer.bundler.locks.lock_source import (
    LockRequest,
    LockSource,
    ResolverInput,
    check_python,
    collect_hashes,
)
from mastra_deployer.bundler.locks.pins import Pins
from mastra_deployer.bundler.locks.requirement_files import read_project_requirements
from mastra_deployer.bundler.resolve.markers import evaluate_marker
from mastra_deployer.bundler.resolve.tool_distributions import find_tool_distributions
from mastra_deployer.project.config import read_pyproject, read_toml
from mastra_deployer.project.uv import run_uv

__all__ = ("export_lock", "read_uv_lock")

_LOCAL = re.compile(r'^source = \{ (?:editable|directory|virtual) = "([^"]+)" \}', re.MULTILINE)


def read_uv_lock(request: LockRequest, lock: Path) -> LockSource:
    """Read a uv.lock; raise an error if it does not match the pyproject.toml.

    :param request: the project, the target and the selected groups.
    :param lock: the file.
    """
    pyproject = read_pyproject(request.root)
    directory = lock.parent
    flags = [f"--extra={name}" for name in request.extras]
    flags += [f"--group={name}" for name in request.groups]
    return LockSource(
        name="uv.lock" if directory == request.root.resolve() else f"uv.lock in {str(directory)!r}",
        files=(lock, *_iter_manifests(lock)),
        direct=(
            *read_project_requirements(request.root, pyproject),
            *select_lines(pyproject, request.extras, request.groups),
        ),
        read=lambda: export_lock(
            request, lock, ["--no-default-groups", "--no-emit-project", *flags]
        ),
        locked=True,
        update="uv lock",
        requires_python=pyproject.get("project", {}).get("requires-python", ""),
    )


def export_lock(request: LockRequest, lock: Path, flags: Sequence[str]) -> ResolverInput:
    """Export a lock for the target; uv itself detects an outdated lock.

    :param request: the project, the target and the selected groups.
    :param lock: the file.
    :param flags: the flags of ``uv export``.
    :raises BuildError: when the lock does not match the project or the target.
    """
    data = read_toml(lock)
    _check_target(request, lock, data)
    text = _run_export(request, data, flags)
    return ResolverInput(
        # uv's paths are relative to the workspace, but the resolver's input file is elsewhere.
        lines=tuple(_make_paths_absolute(line, lock.parent) for line in text.splitlines() if line),
        hashes=collect_hashes(list(_iter_hashes(data.get("package", [])))),
    )


def _run_export(request: LockRequest, data: dict[str, Any], flags: Sequence[str]) -> str:
    options = ["--no-hashes", "--no-annotate", "--no-header", "--no-editable", *flags]
    prune = [flag for name in sorted(find_tool_distributions()) for flag in ("--prune", name)]
    python = [f"--python={path}"] if (path := request.find_interpreter()) else []
    command = ["export", "--quiet", *options, *prune]
    try:
        return run_uv([*command, "--locked", *python], cwd=request.root)
    except BuildError as error:
        # uv compares the lock with the project only if it finds a Python that fits.
        if "No interpreter found" not in error.message:
            raise
    pins = Pins(name="uv.lock", update="uv lock")
    for package in data.get("package", []):
        marker = " or ".join(f"({item})" for item in package.get("resolution-markers", []))
        pins.add(package["name"], package.get("version", "0"), marker, [])
    for line in read_project_requirements(request.root, read_pyproject(request.root)):
        pins.check(line, {}, request.platform)
    return run_uv([*command, "--frozen"], cwd=request.root)


def _check_target(request: LockRequest, lock: Path, data: dict[str, Any]) -> None:
    check_python(data.get("requires-python", ""), request.platform, lock.name)
    markers = data.get("supported-markers", [])
    if markers and not any(evaluate_marker(marker, request.platform) for marker in markers):
        raise BuildError(
            f"{str(lock)!r} does not cover {request.platform}. It covers {' or '.join(markers)}.",
            "Add the target to [tool.uv] environments and run `uv lock`.",
        )


def _make_paths_absolute(line: str, directory: Path) -> str:
    if line.startswith((".", "/")):
        path, mark, rest = line.partition(" ;")
        return f"{(directory / path).resolve()}{mark}{rest}"
    return re.sub(
        r" @ (\.{1,2}/\S+)", lambda match: f" @ {(directory / match[1]).resolve().as_uri()}", line
    )


def _iter_manifests(lock: Path) -> Iterator[Path]:
    """Yield the metadata files of all local projects in the lock.

    The lock is searched as text, because parsing a large lock in every build takes too long.
    """
    directory = lock.parent
    yield from (directory / "pyproject.toml", directory / "uv.toml")
    for member in _LOCAL.findall(lock.read_text(encoding="utf-8")):
        yield from (directory / member / name for name in ("pyproject.toml", "setup.py"))


def _iter_hashes(packages: list[dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    for package in packages:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        yield package["name"], [file["hash"] for file in files if "hash" in file]
