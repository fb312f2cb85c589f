"""Read ``pdm.lock``, with [project] and PDM's own dev groups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mastra_deployer.bundler.locks.groups import select_lines
from mastra_deployer.bundler.locks.indexes import Indexes, add_credentials, expand_variables
from mastra_deployer.bundler.locks.lock_source import (
    LockRequest,
    LockSource,
    ResolverInput,
    build_drift_error,
    check_python,
)
from mastra_deployer.bundler.locks.pins import Pins
from mastra_deployer.bundler.locks.requirement_files import read_project_requirements
from mastra_deployer.project.config import read_pyproject, read_toml

__all__ = ("read_pdm_lock",)

_UPDATE = "pdm lock"


def read_pdm_lock(request: LockRequest, lock: Path) -> LockSource:
    """Read the default group and the selected groups of a pdm.lock.

    :param request: the project, the target and the selected groups.
    :param lock: the file.
    """
    pyproject = read_pyproject(request.root)
    lines = [*read_project_requirements(request.root, pyproject)]
    tables = {**pyproject, "dependency-groups": _merge_groups(pyproject)}
    lines += select_lines(tables, request.extras, request.groups)
    return LockSource(
        name="pdm.lock",
        files=(request.root / "pyproject.toml", lock),
        direct=tuple(lines),
        read=lambda: _read_locked(request, pyproject, lines, lock),
        locked=True,
        update=_UPDATE,
        requires_python=pyproject.get("project", {}).get("requires-python", ""),
        indexes=_read_indexes(pyproject),
    )


def _read_locked(
    request: LockRequest, pyproject: Mapping[str, Any], lines: list[str], lock: Path
) -> ResolverInput:
    data = read_toml(lock)
    metadata = data.get("metadata", {})
    if metadata.get("content_hash") != f"sha256:{_compute_content_hash(pyproject)}":
        raise build_drift_error(
            "pdm.lock", "pyproject.toml has changed since the lock was made", _UPDATE
        )
    for target in metadata.get("targets", [])[:1]:
        check_python(target.get("requires_python", ""), request.platform, "pdm.lock")
    pins = Pins(name="pdm.lock", update=_UPDATE)
    addresses: dict[str, str] = {}
    groups = {"default", *request.extras, *request.groups}
    for package in data.get("package", []):
        name = canonicalize_name(package["name"])
        # An entry with extras repeats the package, with the additional requirements.
        if package.get("extras") or groups.isdisjoint(package.get("groups", groups)):
            continue
        hashes = [file["hash"] for file in package.get("files", [])]
        pins.add(name, package["version"], package.get("marker", ""), hashes)
        if address := _get_address(lock.parent, package):
            addresses[name] = address
    return pins.to_resolver_input(
        [_add_address(line, addresses) for line in lines], addresses, request.platform
    )


def _get_address(directory: Path, package: Mapping[str, Any]) -> str:
    suffix = f"#subdirectory={package['subdirectory']}" if "subdirectory" in package else ""
    if "git" in package:
        return f"@ git+{package['git']}@{package['revision']}{suffix}"
    if "path" in package:
        return f"@ {(directory / package['path']).resolve().as_uri()}"
    return f"@ {package['url']}{suffix}" if "url" in package else ""


def _add_address(line: str, addresses: Mapping[str, str]) -> str:
    requirement = Requirement(line)
    address = addresses.get(canonicalize_name(requirement.name))
    if address is None:
        return line
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}{extras} {address}{marker}"


def _merge_groups(pyproject: Mapping[str, Any]) -> dict[str, list[Any]]:
    older = pyproject.get("tool", {}).get("pdm", {}).get("dev-dependencies", {})
    groups: dict[str, list[Any]] = {}
    for tables in (pyproject.get("dependency-groups", {}), older):
        for name, lines in tables.items():
            groups.setdefault(canonicalize_name(name), []).extend(lines)
    return groups


def _read_indexes(pyproject: Mapping[str, Any]) -> Indexes:
    """Read [[tool.pdm.source]]; a source with the name pypi replaces PyPI."""
    default, extra, links = "", [], []
    for source in pyproject.get("tool", {}).get("pdm", {}).get("source", []):
        user, password = (
            expand_variables(source.get(key, ""), "[[tool.pdm.source]]")
            for key in ("username", "password")
        )
        url = expand_variables(source.get("url", ""), "[[tool.pdm.source]]")
        url = add_credentials(url, user, password) if url else ""
        if source.get("type") == "find_links":
            links.append(url)
        elif source.get("name") == "pypi":
            default = url
        else:
            extra.append(url)
    return Indexes(default=default, extra=tuple(extra), links=tuple(links))


def _compute_content_hash(pyproject: Mapping[str, Any]) -> str:
    project, pdm = pyproject.get("project", {}), pyproject.get("tool", {}).get("pdm", {})
    content = {
        "sources": pdm.get("source", []),
        "dependencies": project.get("dependencies", []),
        "dev-dependencies": _merge_groups(pyproject),
        "optional-dependencies": project.get("optional-dependencies", {}),
        "requires-python": project.get("requires-python", ""),
        "resolution": pdm.get("resolution", {}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
