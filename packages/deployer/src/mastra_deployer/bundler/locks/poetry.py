"""Poetry: ``poetry.lock``, with [project] or the older [tool.poetry] tables."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mastra_deployer.bundler.locks.groups import group_lines, known
from mastra_deployer.bundler.locks.indexes import Indexes, with_credentials
from mastra_deployer.bundler.locks.lock_source import Asked, Source, Wanted, drifted
from mastra_deployer.bundler.locks.pins import Pins
from mastra_deployer.bundler.locks.poetry_constraints import git_address, requirement, specifier
from mastra_deployer.project.config import read_pyproject, read_toml

__all__ = ("is_poetry", "poetry_lock", "unlocked")

_UPDATE = "poetry lock"
_PROJECT = ("requires-python", "dependencies", "optional-dependencies")
_OLD = ("dependencies", "source", "extras", "dev-dependencies")


def is_poetry(pyproject: Mapping[str, Any]) -> bool:
    """Whether the dependencies stand in poetry's own table."""
    table = pyproject.get("tool", {}).get("poetry", {})
    return "dependencies" in table and "dependencies" not in pyproject.get("project", {})


def poetry_lock(asked: Asked, lock: Path) -> Source:
    """The versions of a poetry.lock; no group but the main one, unless it is named."""
    pyproject = read_pyproject(asked.root)
    return Source(
        name="poetry.lock",
        files=(asked.root / "pyproject.toml", lock),
        direct=tuple(line for line in _lines(asked, pyproject, {})),
        read=lambda: _locked(asked, pyproject, lock),
        locked=True,
        update=_UPDATE,
        requires_python=_python(pyproject),
        indexes=_indexes(pyproject),
    )


def unlocked(asked: Asked, pyproject: Mapping[str, Any]) -> Source:
    """What [tool.poetry] asks for, versions left to the resolver."""
    lines = tuple(_lines(asked, pyproject, {}))
    return Source(
        name="pyproject.toml",
        files=(asked.root / "pyproject.toml",),
        direct=lines,
        read=lambda: Wanted(lines=lines),
        locked=False,
        update=_UPDATE,
        requires_python=_python(pyproject),
        indexes=_indexes(pyproject),
    )


def _locked(asked: Asked, pyproject: Mapping[str, Any], lock: Path) -> Wanted:
    data = read_toml(lock)
    if data.get("metadata", {}).get("content-hash") not in _content_hashes(pyproject):
        raise drifted("poetry.lock", "pyproject.toml has changed since it was made", _UPDATE)
    pins = Pins(name="poetry.lock", update=_UPDATE)
    located: dict[str, str] = {}
    groups = {"main", *asked.groups}
    for package in data.get("package", []):
        if groups.isdisjoint(package.get("groups", groups)):
            continue
        name = canonicalize_name(package["name"])
        hashes = [file["hash"] for file in _files(data, package)]
        pins.add(name, package["version"], _package_marker(package), hashes)
        if place := _located(lock.parent, package):
            located[name] = place
    lines = _lines(asked, pyproject, located)
    return pins.wanted(lines, located, asked.platform)


def _lines(asked: Asked, pyproject: Mapping[str, Any], located: Mapping[str, str]) -> list[str]:
    """What the project asks for: the main group, and the extras and groups that were chosen."""
    project, poetry = pyproject.get("project", {}), pyproject.get("tool", {}).get("poetry", {})
    own = poetry.get("dependencies", {})
    lines = [_placed(line, own, asked, located) for line in project.get("dependencies", ())]
    if not is_poetry(pyproject):
        own = {}
    extras = {**poetry.get("extras", {}), **project.get("optional-dependencies", {})}
    wanted = {
        _bare(item): item for name in asked.extras for item in extras[known(name, extras, "extras")]
    }
    for name, value in own.items():
        optional = isinstance(value, dict) and value.get("optional")
        if name != "python" and (not optional or canonicalize_name(name) in wanted):
            lines += requirement(name, value, asked.root, located.get(canonicalize_name(name), ""))
            wanted.pop(canonicalize_name(name), None)
    lines += [_placed(item, {}, asked, located) for item in wanted.values()]
    return [*lines, *_group_lines(asked, pyproject, located)]


def _group_lines(
    asked: Asked, pyproject: Mapping[str, Any], located: Mapping[str, str]
) -> Iterator[str]:
    poetry = pyproject.get("tool", {}).get("poetry", {})
    own = {name: item.get("dependencies", {}) for name, item in poetry.get("group", {}).items()}
    if "dev-dependencies" in poetry:
        own.setdefault("dev", poetry["dev-dependencies"])
    standard = pyproject.get("dependency-groups", {})
    for asked_for in asked.groups:
        group = known(asked_for, {**own, **standard}, "groups")
        for name, value in own.get(group, {}).items():
            place = located.get(canonicalize_name(name), "")
            yield from requirement(name, value, asked.root, place)
        if group in standard:
            yield from (_placed(line, {}, asked, located) for line in group_lines(standard, group))


def _placed(line: str, own: Mapping[str, Any], asked: Asked, located: Mapping[str, str]) -> str:
    """A line of [project], with the address that [tool.poetry.dependencies] or the lock gives."""
    item = Requirement(line)
    name = canonicalize_name(item.name)
    place = located.get(name, "")
    value = next((value for key, value in own.items() if canonicalize_name(key) == name), None)
    if not place and isinstance(value, dict) and value.keys() & {"git", "path", "url", "file"}:
        place = requirement(name, {**value, "markers": "", "extras": []}, asked.root)[0]
        place = place.partition(" ")[2]
    if not place:
        return line
    extras = f"[{','.join(sorted(item.extras))}]" if item.extras else ""
    return f"{name}{extras} {place}{f' ; {item.marker}' if item.marker else ''}"


def _located(place: Path, package: Mapping[str, Any]) -> str:
    source = package.get("source", {})
    kind, url = source.get("type"), source.get("url", "")
    if kind == "git":
        part = f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""
        return f"@ git+{git_address(url)}@{source['resolved_reference']}{part}"
    if kind in ("directory", "file"):
        return f"@ {(place / url).resolve().as_uri()}"
    return f"@ {url}" if kind == "url" else ""


def _package_marker(package: Mapping[str, Any]) -> str:
    """Of the main group; which extra or group wants it is for the lines to say."""
    markers = package.get("markers", "")
    if isinstance(markers, dict):
        markers = markers.get("main", "")
    return "" if "extra ==" in markers else str(markers)


def _files(data: Mapping[str, Any], package: Mapping[str, Any]) -> list[dict[str, str]]:
    older = data.get("metadata", {}).get("files", {}).get(package["name"], [])
    return list(package.get("files", older))


def _python(pyproject: Mapping[str, Any]) -> str:
    stated = pyproject.get("project", {}).get("requires-python")
    own = pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python", "")
    own = own.get("version", "") if isinstance(own, dict) else own
    # Alternatives cannot be said as one specifier; poetry has checked them when it locked.
    return str(stated or ("" if "|" in own else specifier(own, "python")))


def _indexes(pyproject: Mapping[str, Any]) -> Indexes:
    """[[tool.poetry.source]], with the credentials of poetry's own variables."""
    primary: list[str] = []
    more: list[str] = []
    for source in pyproject.get("tool", {}).get("poetry", {}).get("source", []):
        if "url" not in source:  # a place for PyPI in the order
            continue
        name = re.sub(r"[^A-Z0-9]", "_", source["name"].upper())
        user = os.environ.get(f"POETRY_HTTP_BASIC_{name}_USERNAME", "")
        password = os.environ.get(f"POETRY_HTTP_BASIC_{name}_PASSWORD", "")
        kind = source.get("priority", "primary")
        url = with_credentials(source["url"], user, password)
        (primary if kind in ("primary", "default") else more).append(url)
    if not primary:
        return Indexes(extra=tuple(more))
    return Indexes(default=primary[-1], extra=(*primary[:-1], *more))


def _content_hashes(pyproject: Mapping[str, Any]) -> set[str]:
    """What the lock may say of the pyproject.toml it was made from: by today's or older poetry."""
    return {_content_hash(pyproject, groups=groups) for groups in (True, False)}


def _content_hash(pyproject: Mapping[str, Any], *, groups: bool) -> str:
    project, poetry = pyproject.get("project", {}), pyproject.get("tool", {}).get("poetry", {})
    standard = {key: project[key] for key in _PROJECT if key in project}
    tables = pyproject.get("dependency-groups", {}) if groups else {}
    content: dict[str, Any] = {
        key: poetry.get(key)
        for key in (*_OLD, "group")
        if key in poetry or (key in _OLD and not standard and not tables)
    }
    if standard or tables:
        content = {"tool": {"poetry": content}}
        content |= {"project": standard} if standard else {}
        content |= {"dependency-groups": tables} if tables else {}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _bare(line: str) -> str:
    return canonicalize_name(Requirement(line).name)
