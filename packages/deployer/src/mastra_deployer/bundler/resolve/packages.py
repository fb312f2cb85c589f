"""List the packages of a lock, each with a key that identifies its wheel."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from packaging.utils import canonicalize_name

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.closure import Closure
from mastra_deployer.bundler.resolve.source_builds import build_local_wheel
from mastra_deployer.bundler.resolve.wheel_tags import describe_platform, get_file_name
from mastra_deployer.bundler.vendor.prune import PRUNE_VERSION
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("Package", "list_packages")

_TABLE = "[[packages]]\n"


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution to install.

    :param name: the canonical name.
    :param key: identifies the wheel of the distribution.
    :param text: the package's table in the lock; empty for a local project.
    :param wheel: the wheel of a local project.
    """

    name: str
    key: str
    text: str = ""
    wheel: Path | None = None


def list_packages(
    closure: Closure, platform: Platform, interpreter: Interpreter | None
) -> list[Package]:
    """Return every locked package, after building the wheels of local projects.

    :param closure: the locked dependencies.
    :param platform: the platform to build for.
    :param interpreter: an interpreter of the target's version; ``None`` if this machine has none.
    :raises BuildError: when a local project cannot be built for the platform.
    """
    text = closure.lock.read_text(encoding="utf-8")
    tables = tomllib.loads(text).get("packages", [])
    packages = [
        Package(
            name=canonicalize_name(table["name"]),
            key=_compute_key(table, platform),
            text=_TABLE + chunk,
        )
        for table, chunk in zip(tables, text.split(_TABLE)[1:], strict=True)
        if "directory" not in table  # uv would build these for this machine, or fail
    ]
    return [
        *packages,
        *(
            _build_local_package(build_local_wheel(path, platform, interpreter), platform)
            for path in closure.directories
        ),
    ]


def _build_local_package(wheel: Path, platform: Platform) -> Package:
    is_universal = wheel.name.endswith("-none-any.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    key = _hash_facts([wheel.name, digest, "" if is_universal else describe_platform(platform)])
    return Package(name=canonicalize_name(wheel.name.partition("-")[0]), key=key, wheel=wheel)


def _compute_key(table: Mapping[str, Any], platform: Platform) -> str:
    """Compute a package's key from its hashes. The key is the same for every index."""
    files = [
        *table.get("wheels", []),
        *(table[kind] for kind in ("archive", "sdist") if kind in table),
    ]
    hashes = sorted(json.dumps(file.get("hashes", {}), sort_keys=True) for file in files)
    is_universal = len(files) == 1 and get_file_name(files[0]).endswith("-none-any.whl")
    facts = [table["name"], table.get("version", ""), table.get("marker", ""), *hashes]
    return _hash_facts([*facts, "" if is_universal else describe_platform(platform)])


def _hash_facts(facts: list[str]) -> str:
    return hashlib.sha256("\n".join([PRUNE_VERSION, *facts]).encode()).hexdigest()
