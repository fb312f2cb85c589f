"""Read the ``Pipfile.lock`` of Pipenv; each category is a flat list of versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mastra_core.errors import ConfigError
from mastra_deployer.bundler.locks.groups import find_spelling
from mastra_deployer.bundler.locks.indexes import Indexes, expand_variables
from mastra_deployer.bundler.locks.lock_source import (
    LockRequest,
    LockSource,
    ResolverInput,
    build_drift_error,
    collect_hashes,
)
from mastra_deployer.bundler.locks.poetry_constraints import to_git_url
from mastra_deployer.project.config import read_toml

__all__ = ("read_pipfile_lock",)

_UPDATE = "pipenv lock"
_SECTIONS = frozenset(("source", "packages", "dev-packages", "requires", "scripts", "pipfile"))
_CATEGORY_NAMES = {"dev": "develop", "dev-packages": "develop"}


def read_pipfile_lock(request: LockRequest, lock: Path) -> LockSource:
    """Read the default category and the selected categories of a Pipfile.lock.

    :param request: the project, the target and the selected groups.
    :param lock: the file.
    """
    file = lock.with_name("Pipfile")
    pipfile = read_toml(file) if file.is_file() else {}
    # Only the Pipfile names the direct requirements. Without a Pipfile, every package is direct.
    direct = tuple(pipfile.get("packages", ())) or tuple(_read_json(lock).get("default", ()))
    python = pipfile.get("requires", {}).get("python_version", "")
    return LockSource(
        name="Pipfile.lock",
        files=(file, lock),
        direct=direct,
        read=lambda: _read_locked(request, pipfile, lock),
        locked=True,
        update=_UPDATE,
        requires_python=f"=={python}.*" if python else "",
        indexes=_read_indexes(_read_json(lock)),
    )


def _read_locked(request: LockRequest, pipfile: Mapping[str, Any], lock: Path) -> ResolverInput:
    data = _read_json(lock)
    if pipfile and data["_meta"]["hash"]["sha256"] != _compute_content_hash(pipfile):
        raise build_drift_error(
            "Pipfile.lock", "the Pipfile has changed since the lock was made", _UPDATE
        )
    tables = {name: table for name, table in data.items() if name != "_meta"}
    selected = (_CATEGORY_NAMES.get(name, name) for name in request.groups)
    groups = ["default", *(find_spelling(name, tables, "groups") for name in selected)]
    packages = {name: item for group in groups for name, item in tables[group].items()}
    return ResolverInput(
        lines=tuple(_iter_lines(packages, lock.parent)),
        hashes=collect_hashes([(name, item.get("hashes", [])) for name, item in packages.items()]),
    )


def _iter_lines(packages: Mapping[str, Any], directory: Path) -> Iterator[str]:
    for name, item in packages.items():
        extras = f"[{','.join(item['extras'])}]" if item.get("extras") else ""
        marker = f" ; {item['markers']}" if item.get("markers") else ""
        if git := item.get("git"):
            yield f"{name}{extras} @ git+{to_git_url(git)}@{item['ref']}{marker}"
        elif path := item.get("path") or item.get("file"):
            url = path if "://" in path else (directory / path).resolve().as_uri()
            yield f"{name}{extras} @ {url}{marker}"
        else:
            version = item.get("version", "*")
            yield f"{name}{extras}{'' if version == '*' else version}{marker}"


def _read_indexes(data: Mapping[str, Any]) -> Indexes:
    urls = [
        expand_variables(item["url"], "Pipfile.lock") for item in data["_meta"].get("sources", [])
    ]
    return Indexes(default=urls[0] if urls else "", extra=tuple(urls[1:]))


def _read_json(lock: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(lock.read_text(encoding="utf-8"))
        data["_meta"]["hash"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{str(lock)!r} is not a valid Pipfile.lock.", f"Recreate it: `{_UPDATE}`."
        ) from None
    return data


def _compute_content_hash(pipfile: Mapping[str, Any]) -> str:
    content: dict[str, Any] = {
        "_meta": {"sources": pipfile.get("source", []), "requires": pipfile.get("requires", {})},
        "default": pipfile.get("packages", {}),
        "develop": pipfile.get("dev-packages", {}),
    }
    reserved = {*_SECTIONS, "default", "develop", "pipenv"}
    content |= {name: table for name, table in pipfile.items() if name not in reserved}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
