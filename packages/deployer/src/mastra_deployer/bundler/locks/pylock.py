"""Read standard locks: ``pylock.toml`` and ``pylock.NAME.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_deployer.bundler.locks.groups import select_lines
from mastra_deployer.bundler.locks.lock_source import (
    LockRequest,
    LockSource,
    ResolverInput,
    build_drift_error,
    check_python,
    collect_hashes,
)
from mastra_deployer.bundler.locks.requirement_files import read_project_requirements
from mastra_deployer.bundler.resolve.markers import build_marker_environment, evaluate_marker
from mastra_deployer.project.config import read_pyproject, read_toml

__all__ = ("read_pylock",)


def read_pylock(request: LockRequest, lock: Path) -> LockSource:
    """Read a pylock.toml of any tool.

    :param request: the project, the target and the selected groups.
    :param lock: the file.
    """
    pyproject = read_pyproject(request.root)
    lines = [*read_project_requirements(request.root, pyproject)]
    optional = pyproject.get("project", {}).get("optional-dependencies", {})
    lines += select_lines(pyproject, [name for name in request.extras if name in optional], ())
    update = f"uv export --format pylock.toml -o {lock.name}"
    return LockSource(
        name=lock.name,
        files=(request.root / "pyproject.toml", lock),
        direct=tuple(lines),
        read=lambda: _read_locked(request, lines, lock, update),
        locked=True,
        update=update,
        requires_python=pyproject.get("project", {}).get("requires-python", ""),
    )


def _read_locked(request: LockRequest, lines: list[str], lock: Path, update: str) -> ResolverInput:
    data = read_toml(lock)
    _check_coverage(request, data, lock)
    # The lock's default groups are installed; a group for development does not ship.
    groups = {*data.get("default-groups", ()), *request.groups} - ({"dev"} - {*request.groups})
    packages = [
        package
        for package in data.get("packages", [])
        if "marker" not in package
        or evaluate_marker(package["marker"], request.platform, request.extras, groups)
    ]
    for line in lines:
        _check_line(line, packages, request, lock, update)
    return ResolverInput(
        lines=tuple(_format_requirement(package, lock) for package in packages),
        hashes=collect_hashes([(item["name"], list(_iter_hashes(item))) for item in packages]),
    )


def _check_coverage(request: LockRequest, data: Mapping[str, Any], lock: Path) -> None:
    check_python(data.get("requires-python", ""), request.platform, lock.name)
    selections = (
        ("extra", data.get("extras", ()), request.extras),
        ("dependency group", data.get("dependency-groups", ()), request.groups),
    )
    for noun, names, selected in selections:
        for name in selected:
            if name not in names:
                raise BuildError(
                    f"{lock.name} has no {noun} {name!r}.",
                    f"Recreate the lock, including {name!r}.",
                )
    environments = data.get("environments", [])
    if environments and not any(
        evaluate_marker(marker, request.platform) for marker in environments
    ):
        raise BuildError(
            f"{lock.name} does not cover {request.platform}. It covers "
            f"{' or '.join(environments)}.",
            "Recreate the lock for the target, or for all platforms.",
        )


def _check_line(
    line: str, packages: list[dict[str, Any]], request: LockRequest, lock: Path, update: str
) -> None:
    """Check that the lock has a required package in a matching version."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return
    environment = {**build_marker_environment(request.platform), "extra": ""}
    if requirement.marker is not None and not requirement.marker.evaluate(environment):
        return
    name = canonicalize_name(requirement.name)
    candidates = [package for package in packages if canonicalize_name(package["name"]) == name]
    if not candidates:
        raise build_drift_error(lock.name, f"it has no {name!r} for {request.platform}", update)
    version = candidates[0].get("version")
    if version and not requirement.specifier.contains(version, prereleases=True):
        raise build_drift_error(lock.name, f"it has {name} {version}, not {line!r}", update)


def _format_requirement(package: Mapping[str, Any], lock: Path) -> str:
    name = package["name"]
    if "directory" in package:
        return str((lock.parent / package["directory"]["path"]).resolve())
    if "archive" in package:
        source = package["archive"]
        url = source.get("url") or (lock.parent / source["path"]).resolve().as_uri()
        return f"{name} @ {url}"
    if "vcs" in package:
        source = package["vcs"]
        url = source.get("url") or (lock.parent / source["path"]).resolve().as_uri()
        suffix = f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""
        return f"{name} @ {source['type']}+{url}@{source['commit-id']}{suffix}"
    if "version" not in package:
        raise BuildError(
            f"{lock.name} does not contain the source of {name!r}.", "Recreate the lock."
        )
    return f"{name}=={package['version']}"


def _iter_hashes(package: Mapping[str, Any]) -> Iterator[str]:
    others = [package[key] for key in ("sdist", "archive") if key in package]
    for file in (*package.get("wheels", []), *others):
        if digest := file.get("hashes", {}).get("sha256"):
            yield f"sha256:{digest}"
