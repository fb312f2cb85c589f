"""The packages of a lock, each under a name that says exactly which wheel it is."""

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
from mastra_deployer.bundler.resolve.source_builds import local_wheel
from mastra_deployer.bundler.vendor.prune import PRUNE_VERSION

__all__ = ("Package", "packages_of")

_TABLE = "[[packages]]\n"


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One distribution that is to be installed.

    :param name: canonical.
    :param key: of the wheel it comes from.
    :param text: its table in the lock; empty for a local project.
    :param wheel: of a local project.
    """

    name: str
    key: str
    text: str = ""
    wheel: Path | None = None


def packages_of(closure: Closure, platform: Platform) -> list[Package]:
    """Every package of the closure; local projects are built as wheels first."""
    text = closure.lock.read_text(encoding="utf-8")
    tables = tomllib.loads(text).get("packages", [])
    found = [
        Package(
            name=canonicalize_name(table["name"]), key=_key(table, platform), text=_TABLE + chunk
        )
        for table, chunk in zip(tables, text.split(_TABLE)[1:], strict=True)
        if "directory" not in table  # uv would build it for this machine, or refuse to
    ]
    return [
        *found,
        *(_local(local_wheel(path, platform), platform) for path in closure.directories),
    ]


def _local(wheel: Path, platform: Platform) -> Package:
    anywhere = wheel.name.endswith("-none-any.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    key = _digest([wheel.name, digest, "" if anywhere else str(platform)])
    return Package(name=canonicalize_name(wheel.name.partition("-")[0]), key=key, wheel=wheel)


def _key(table: Mapping[str, Any], platform: Platform) -> str:
    """Of the hashes alone: where a wheel comes from does not matter."""
    files = [
        *table.get("wheels", []),
        *(table[kind] for kind in ("archive", "sdist") if kind in table),
    ]
    names = [_name(file) for file in files]
    hashes = sorted(json.dumps(file.get("hashes", {}), sort_keys=True) for file in files)
    anywhere = len(files) == 1 and names[0].endswith("-none-any.whl")
    facts = [table["name"], table.get("version", ""), table.get("marker", ""), *hashes]
    return _digest([*facts, "" if anywhere else str(platform)])


def _name(file: Mapping[str, Any]) -> str:
    place = file.get("name") or file.get("path") or file.get("url", "")
    return str(place).rpartition("/")[2].partition("#")[0]


def _digest(facts: list[str]) -> str:
    return hashlib.sha256("\n".join([PRUNE_VERSION, *facts]).encode()).hexdigest()
