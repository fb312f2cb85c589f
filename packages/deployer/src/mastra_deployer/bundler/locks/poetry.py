"""Read ``poetry.lock``, with [project] or the older [tool.poetry] tables."""

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

from mastra_deployer.bundler.locks.groups import find_spelling, iter_group_lines
from mastra_deployer.bundler.locks.indexes import Indexes, add_credentials
from mastra_deployer.bundler.locks.lock_source import (
    LockRequest,
    LockSource,
    ResolverInput,
    build_drift_error,
)
from mastra_deployer.bundler.locks.pins import Pins
from mastra_deployer.bundler.locks.poetry_constraints import (
    to_git_url,
    to_requirements,
    to_specifier,
)
from mastra_deployer.project.config import read_pyproject, read_toml

__all__ = ("is_poetry", "read_poetry_lock", "read_unlocked")

_UPDATE = "poetry lock"
_PROJECT = ("requires-python", "dependencies", "optional-dependencies")
_OLD = ("dependencies", "source", "extras", "dev-dependencies")


def is_poetry(pyproject: Mapping[str, Any]) -> bool:
    """Return whether the table of Poetry, and not [project], declares the dependencies.

    :param pyproject: the contents of pyproject.toml.
    """
    table = pyproject.get("tool", {}).get("poetry", {})
    return "dependencies" in table and "dependencies" not in pyproject.get("project", {})


def read_poetry_lock(request: LockRequest, lock: Path) -> LockSource:
    """Read the main group and the selected groups of a poetry.lock.

    :param request: the project, the target and the selected groups.
    :param lock: the file.
    """
    pyproject = read_pyproject(request.root)
    return LockSource(
        name="poetry.lock",
        files=(request.root / "pyproject.toml", lock),
        direct=tuple(line for line in _collect_lines(request, pyproject, {})),
        read=lambda: _read_locked(request, pyproject, lock),
        locked=True,
        update=_UPDATE,
        requires_python=_get_requires_python(pyproject),
        indexes=_read_indexes(pyproject),
    )


def read_unlocked(request: LockRequest, pyproject: Mapping[str, Any]) -> LockSource:
    """Read the requirements of [tool.poetry] without a lock; the resolver chooses the versions.

    :param request: the project, the target and the selected groups.
    :param pyproject: the contents of pyproject.toml.
    """
    lines = tuple(_collect_lines(request, pyproject, {}))
    return LockSource(
        name="pyproject.toml",
        files=(request.root / "pyproject.toml",),
        direct=lines,
        read=lambda: ResolverInput(lines=lines),
        locked=False,
        update=_UPDATE,
        requires_python=_get_requires_python(pyproject),
        indexes=_read_indexes(pyproject),
    )


def _read_locked(request: LockRequest, pyproject: Mapping[str, Any], lock: Path) -> ResolverInput:
    data = read_toml(lock)
    if data.get("metadata", {}).get("content-hash") not in _compute_content_hashes(pyproject):
        raise build_drift_error(
            "poetry.lock", "pyproject.toml has changed since the lock was made", _UPDATE
        )
    pins = Pins(name="poetry.lock", update=_UPDATE)
    addresses: dict[str, str] = {}
    groups = {"main", *request.groups}
    for package in data.get("package", []):
        if groups.isdisjoint(package.get("groups", groups)):
            continue
        name = canonicalize_name(package["name"])
        hashes = [file["hash"] for file in _get_files(data, package)]
        pins.add(name, package["version"], _get_marker(package), hashes)
        if address := _get_address(lock.parent, package):
            addresses[name] = address
    lines = _collect_lines(request, pyproject, addresses)
    return pins.to_resolver_input(lines, addresses, request.platform)


def _collect_lines(
    request: LockRequest, pyproject: Mapping[str, Any], addresses: Mapping[str, str]
) -> list[str]:
    """Collect the requirements of the main group and of the selected extras and groups."""
    project, poetry = pyproject.get("project", {}), pyproject.get("tool", {}).get("poetry", {})
    own = poetry.get("dependencies", {})
    lines = [
        _add_address(line, own, request, addresses) for line in project.get("dependencies", ())
    ]
    if not is_poetry(pyproject):
        own = {}
    extras = {**poetry.get("extras", {}), **project.get("optional-dependencies", {})}
    selected = {
        _get_canonical_name(item): item
        for name in request.extras
        for item in extras[find_spelling(name, extras, "extras")]
    }
    for name, value in own.items():
        optional = isinstance(value, dict) and value.get("optional")
        if name != "python" and (not optional or canonicalize_name(name) in selected):
            lines += to_requirements(
                name, value, request.root, addresses.get(canonicalize_name(name), "")
            )
            selected.pop(canonicalize_name(name), None)
    lines += [_add_address(item, {}, request, addresses) for item in selected.values()]
    return [*lines, *_iter_group_lines(request, pyproject, addresses)]


def _iter_group_lines(
    request: LockRequest, pyproject: Mapping[str, Any], addresses: Mapping[str, str]
) -> Iterator[str]:
    poetry = pyproject.get("tool", {}).get("poetry", {})
    own = {name: item.get("dependencies", {}) for name, item in poetry.get("group", {}).items()}
    if "dev-dependencies" in poetry:
        own.setdefault("dev", poetry["dev-dependencies"])
    standard = pyproject.get("dependency-groups", {})
    for selected in request.groups:
        group = find_spelling(selected, {**own, **standard}, "groups")
        for name, value in own.get(group, {}).items():
            address = addresses.get(canonicalize_name(name), "")
            yield from to_requirements(name, value, request.root, address)
        if group in standard:
            yield from (
                _add_address(line, {}, request, addresses)
                for line in iter_group_lines(standard, group)
            )


def _add_address(
    line: str, own: Mapping[str, Any], request: LockRequest, addresses: Mapping[str, str]
) -> str:
    """Return a requirement of [project], with the URL of the package if it has one.

    The URL comes from [tool.poetry.dependencies] or from the lock.
    """
    item = Requirement(line)
    name = canonicalize_name(item.name)
    address = addresses.get(name, "")
    value = next((value for key, value in own.items() if canonicalize_name(key) == name), None)
    if not address and isinstance(value, dict) and value.keys() & {"git", "path", "url", "file"}:
        address = to_requirements(name, {**value, "markers": "", "extras": []}, request.root)[0]
        address = address.partition(" ")[2]
    if not address:
        return line
    extras = f"[{','.join(sorted(item.extras))}]" if item.extras else ""
    return f"{name}{extras} {address}{f' ; {item.marker}' if item.marker else ''}"


def _get_address(directory: Path, package: Mapping[str, Any]) -> str:
    source = package.get("source", {})
    kind, url = source.get("type"), source.get("url", "")
    if kind == "git":
        suffix = f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""
        return f"@ git+{to_git_url(url)}@{source['resolved_reference']}{suffix}"
    if kind in ("directory", "file"):
        return f"@ {(directory / url).resolve().as_uri()}"
    return f"@ {url}" if kind == "url" else ""


def _get_marker(package: Mapping[str, Any]) -> str:
    """Return the marker of the main group; empty if the marker is only a condition on an extra."""
    markers = package.get("markers", "")
    if isinstance(markers, dict):
        markers = markers.get("main", "")
    return "" if "extra ==" in markers else str(markers)


def _get_files(data: Mapping[str, Any], package: Mapping[str, Any]) -> list[dict[str, str]]:
    older = data.get("metadata", {}).get("files", {}).get(package["name"], [])
    return list(package.get("files", older))


def _get_requires_python(pyproject: Mapping[str, Any]) -> str:
    standard = pyproject.get("project", {}).get("requires-python")
    constraint = (
        pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python", "")
    )
    constraint = constraint.get("version", "") if isinstance(constraint, dict) else constraint
    # Alternatives do not fit into one specifier; Poetry checked them when it locked.
    return str(standard or ("" if "|" in constraint else to_specifier(constraint, "python")))


def _read_indexes(pyproject: Mapping[str, Any]) -> Indexes:
    """Read [[tool.poetry.source]], with the credentials of Poetry's own variables."""
    primary: list[str] = []
    extra: list[str] = []
    for source in pyproject.get("tool", {}).get("poetry", {}).get("source", []):
        if "url" not in source:  # only sets the priority of PyPI
            continue
        name = re.sub(r"[^A-Z0-9]", "_", source["name"].upper())
        user = os.environ.get(f"POETRY_HTTP_BASIC_{name}_USERNAME", "")
        password = os.environ.get(f"POETRY_HTTP_BASIC_{name}_PASSWORD", "")
        kind = source.get("priority", "primary")
        url = add_credentials(source["url"], user, password)
        (primary if kind in ("primary", "default") else extra).append(url)
    if not primary:
        return Indexes(extra=tuple(extra))
    return Indexes(default=primary[-1], extra=(*primary[:-1], *extra))


def _compute_content_hashes(pyproject: Mapping[str, Any]) -> set[str]:
    """Return the hashes that current and older versions of Poetry compute for a pyproject.toml."""
    return {_compute_content_hash(pyproject, groups=groups) for groups in (True, False)}


def _compute_content_hash(pyproject: Mapping[str, Any], *, groups: bool) -> str:
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


def _get_canonical_name(line: str) -> str:
    return canonicalize_name(Requirement(line).name)
