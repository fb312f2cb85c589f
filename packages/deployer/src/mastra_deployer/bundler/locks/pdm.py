"""PDM: ``pdm.lock``, with [project] and pdm's own dev groups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mastra_deployer.bundler.locks.groups import chosen
from mastra_deployer.bundler.locks.indexes import Indexes, expand, with_credentials
from mastra_deployer.bundler.locks.lock_source import Asked, Source, Wanted, check_python, drifted
from mastra_deployer.bundler.locks.pins import Pins
from mastra_deployer.bundler.locks.plain import stated_lines
from mastra_deployer.project.config import read_pyproject, read_toml

__all__ = ("pdm_lock",)

_UPDATE = "pdm lock"


def pdm_lock(asked: Asked, lock: Path) -> Source:
    """The versions of a pdm.lock; no group but the default one, unless it is named."""
    pyproject = read_pyproject(asked.root)
    lines = [*stated_lines(asked.root, pyproject)]
    tables = {**pyproject, "dependency-groups": _groups(pyproject)}
    lines += chosen(tables, asked.extras, asked.groups)
    return Source(
        name="pdm.lock",
        files=(asked.root / "pyproject.toml", lock),
        direct=tuple(lines),
        read=lambda: _locked(asked, pyproject, lines, lock),
        locked=True,
        update=_UPDATE,
        requires_python=pyproject.get("project", {}).get("requires-python", ""),
        indexes=_indexes(pyproject),
    )


def _locked(asked: Asked, pyproject: Mapping[str, Any], lines: list[str], lock: Path) -> Wanted:
    data = read_toml(lock)
    metadata = data.get("metadata", {})
    if metadata.get("content_hash") != f"sha256:{_content_hash(pyproject)}":
        raise drifted("pdm.lock", "pyproject.toml has changed since it was made", _UPDATE)
    for target in metadata.get("targets", [])[:1]:
        check_python(target.get("requires_python", ""), asked.platform, "pdm.lock")
    pins = Pins(name="pdm.lock", update=_UPDATE)
    located: dict[str, str] = {}
    groups = {"default", *asked.extras, *asked.groups}
    for package in data.get("package", []):
        name = canonicalize_name(package["name"])
        # One with extras is the same package again, with what the extra adds.
        if package.get("extras") or groups.isdisjoint(package.get("groups", groups)):
            continue
        hashes = [file["hash"] for file in package.get("files", [])]
        pins.add(name, package["version"], package.get("marker", ""), hashes)
        if place := _located(lock.parent, package):
            located[name] = place
    return pins.wanted([_placed(line, located) for line in lines], located, asked.platform)


def _located(place: Path, package: Mapping[str, Any]) -> str:
    part = f"#subdirectory={package['subdirectory']}" if "subdirectory" in package else ""
    if "git" in package:
        return f"@ git+{package['git']}@{package['revision']}{part}"
    if "path" in package:
        return f"@ {(place / package['path']).resolve().as_uri()}"
    return f"@ {package['url']}{part}" if "url" in package else ""


def _placed(line: str, located: Mapping[str, str]) -> str:
    item = Requirement(line)
    place = located.get(canonicalize_name(item.name))
    if place is None:
        return line
    extras = f"[{','.join(sorted(item.extras))}]" if item.extras else ""
    return f"{item.name}{extras} {place}{f' ; {item.marker}' if item.marker else ''}"


def _groups(pyproject: Mapping[str, Any]) -> dict[str, list[Any]]:
    older = pyproject.get("tool", {}).get("pdm", {}).get("dev-dependencies", {})
    groups: dict[str, list[Any]] = {}
    for tables in (pyproject.get("dependency-groups", {}), older):
        for name, lines in tables.items():
            groups.setdefault(canonicalize_name(name), []).extend(lines)
    return groups


def _indexes(pyproject: Mapping[str, Any]) -> Indexes:
    """[[tool.pdm.source]]; one called pypi stands for PyPI."""
    default, more, links = "", [], []
    for source in pyproject.get("tool", {}).get("pdm", {}).get("source", []):
        user, password = (
            expand(source.get(key, ""), "[[tool.pdm.source]]") for key in ("username", "password")
        )
        url = expand(source.get("url", ""), "[[tool.pdm.source]]")
        url = with_credentials(url, user, password) if url else ""
        if source.get("type") == "find_links":
            links.append(url)
        elif source.get("name") == "pypi":
            default = url
        else:
            more.append(url)
    return Indexes(default=default, extra=tuple(more), links=tuple(links))


def _content_hash(pyproject: Mapping[str, Any]) -> str:
    project, pdm = pyproject.get("project", {}), pyproject.get("tool", {}).get("pdm", {})
    content = {
        "sources": pdm.get("source", []),
        "dependencies": project.get("dependencies", []),
        "dev-dependencies": _groups(pyproject),
        "optional-dependencies": project.get("optional-dependencies", {}),
        "requires-python": project.get("requires-python", ""),
        "resolution": pdm.get("resolution", {}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
