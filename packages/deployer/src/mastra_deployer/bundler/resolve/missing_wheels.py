"""Names what has no wheel for a target: who wants it, and what it has wheels for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.markers import holds
from mastra_deployer.bundler.resolve.wheel_tags import file_name, fits, platforms_of

__all__ = ("lacking",)

_SHOWN = 6
_VIA = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?==\S+.*?# via (.+)$", re.MULTILINE)


def lacking(
    packages: Sequence[Mapping[str, Any]], platform: Platform, needed: str
) -> BuildError | None:
    """The error that names each package without a wheel for the target; ``None`` without one.

    :param packages: of a lock for every platform.
    :param needed: the same as requirements with ``# via`` comments.
    """
    via = {canonicalize_name(name): told for name, told in _VIA.findall(needed)}
    sentences = [
        _sentence(package, platform, via.get(canonicalize_name(package["name"]), ""))
        for package in packages
        if _lacks(package, platform)
    ]
    if not sentences:
        return None
    return BuildError(
        "\n".join(sentences),
        "Take a version that has one, or name a directory with such a wheel by UV_FIND_LINKS, or "
        f"build for another Python (--python) or platform (--platform) than {platform}, or leave "
        "out what brings it in.",
    )


def _lacks(package: Mapping[str, Any], platform: Platform) -> bool:
    if "marker" in package and not holds(package["marker"], platform):
        return False
    wheels = package.get("wheels", [])
    if "directory" in package or "archive" in package or ("sdist" in package and not wheels):
        return False
    return not any(fits(file_name(file), platform) for file in wheels)


def _sentence(package: Mapping[str, Any], platform: Platform, via: str) -> str:
    have = platforms_of(map(file_name, package.get("wheels", [])), platform.python)
    more = f" and {len(have) - _SHOWN} more" if len(have) > _SHOWN else ""
    wanted = ", ".join(dict.fromkeys(map(_who, via.split(", ")))) if via else "the project"
    return (
        f"{package['name']} {package.get('version', '')} has no wheel for {platform}, and "
        f"{wanted} requires it; there are wheels for {', '.join(have[:_SHOWN])}{more}."
    )


def _who(item: str) -> str:
    """What uv calls the requirer: a package, or one of the files we handed it."""
    return "the project" if item.startswith("-r ") or item.endswith((".toml", ")")) else item
