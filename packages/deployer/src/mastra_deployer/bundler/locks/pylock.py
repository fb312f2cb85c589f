"""The standard's lock: ``pylock.toml`` and ``pylock.NAME.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_deployer.bundler.locks.groups import chosen
from mastra_deployer.bundler.locks.lock_source import (
    Asked,
    Source,
    Wanted,
    allowed_hashes,
    check_python,
    drifted,
)
from mastra_deployer.bundler.locks.plain import stated_lines
from mastra_deployer.bundler.resolve.markers import holds, marker_environment
from mastra_deployer.project.config import read_pyproject, read_toml

__all__ = ("pylock",)


def pylock(asked: Asked, lock: Path) -> Source:
    """The versions of a pylock.toml, whichever tool made it."""
    pyproject = read_pyproject(asked.root)
    lines = [*stated_lines(asked.root, pyproject)]
    optional = pyproject.get("project", {}).get("optional-dependencies", {})
    lines += chosen(pyproject, [name for name in asked.extras if name in optional], ())
    update = f"uv export --format pylock.toml -o {lock.name}"
    return Source(
        name=lock.name,
        files=(asked.root / "pyproject.toml", lock),
        direct=tuple(lines),
        read=lambda: _locked(asked, lines, lock, update),
        locked=True,
        update=update,
        requires_python=pyproject.get("project", {}).get("requires-python", ""),
    )


def _locked(asked: Asked, lines: list[str], lock: Path, update: str) -> Wanted:
    data = read_toml(lock)
    _check(asked, data, lock)
    # Its default groups are what it installs by itself; those for development do not ship.
    groups = {*data.get("default-groups", ()), *asked.groups} - ({"dev"} - {*asked.groups})
    packages = [
        package
        for package in data.get("packages", [])
        if "marker" not in package or holds(package["marker"], asked.platform, asked.extras, groups)
    ]
    for line in lines:
        _check_line(line, packages, asked, lock, update)
    return Wanted(
        lines=tuple(_pin(package, lock) for package in packages),
        hashes=allowed_hashes([(item["name"], list(_hashes(item))) for item in packages]),
    )


def _check(asked: Asked, data: Mapping[str, Any], lock: Path) -> None:
    check_python(data.get("requires-python", ""), asked.platform, lock.name)
    for key, wanted in (("extras", asked.extras), ("dependency-groups", asked.groups)):
        for name in wanted:
            if name not in data.get(key, ()):
                raise BuildError(
                    f"{lock.name} has no {key} {name!r}.", "Make the lock again with it."
                )
    environments = data.get("environments", [])
    if environments and not any(holds(marker, asked.platform) for marker in environments):
        raise BuildError(
            f"{lock.name} does not cover {asked.platform}: it is for {' or '.join(environments)}.",
            "Make the lock again for the target, or for every platform.",
        )


def _check_line(
    line: str, packages: list[dict[str, Any]], asked: Asked, lock: Path, update: str
) -> None:
    """What the project asks for has to be in the lock, in a version that it takes."""
    try:
        item = Requirement(line)
    except InvalidRequirement:
        return
    environment = {**marker_environment(asked.platform), "extra": ""}
    if item.marker is not None and not item.marker.evaluate(environment):
        return
    name = canonicalize_name(item.name)
    found = [package for package in packages if canonicalize_name(package["name"]) == name]
    if not found:
        raise drifted(lock.name, f"it has no {name!r} for {asked.platform}", update)
    version = found[0].get("version")
    if version and not item.specifier.contains(version, prereleases=True):
        raise drifted(lock.name, f"it has {name} {version}, not {line!r}", update)


def _pin(package: Mapping[str, Any], lock: Path) -> str:
    name = package["name"]
    if "directory" in package:
        return str((lock.parent / package["directory"]["path"]).resolve())
    if "archive" in package:
        source = package["archive"]
        place = source.get("url") or (lock.parent / source["path"]).resolve().as_uri()
        return f"{name} @ {place}"
    if "vcs" in package:
        source = package["vcs"]
        place = source.get("url") or (lock.parent / source["path"]).resolve().as_uri()
        part = f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""
        return f"{name} @ {source['type']}+{place}@{source['commit-id']}{part}"
    if "version" not in package:
        raise BuildError(
            f"{lock.name} says nothing of where {name!r} comes from.", "Make the lock again."
        )
    return f"{name}=={package['version']}"


def _hashes(package: Mapping[str, Any]) -> Iterator[str]:
    others = [package[key] for key in ("sdist", "archive") if key in package]
    for file in (*package.get("wheels", []), *others):
        if digest := file.get("hashes", {}).get("sha256"):
            yield f"sha256:{digest}"
