"""List the packages that have no wheel for a target, with their requirers and other wheels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.markers import evaluate_marker
from mastra_deployer.bundler.resolve.wheel_tags import get_file_name, is_compatible, list_platforms

__all__ = ("build_missing_wheels_error",)

_MAX_SHOWN = 6
_VIA = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?==\S+.*?# via (.+)$", re.MULTILINE)


def build_missing_wheels_error(
    packages: Sequence[Mapping[str, Any]], platform: Platform, requirements: str
) -> BuildError | None:
    """Build an error that names each package without a wheel for the target.

    :param packages: the packages of a lock for every platform.
    :param platform: the platform of the target.
    :param requirements: the packages of the lock as lines of a requirements file with ``# via``
        comments.
    :returns: ``None`` if every package has a wheel.
    """
    via = {canonicalize_name(name): requirers for name, requirers in _VIA.findall(requirements)}
    sentences = [
        _format_sentence(package, platform, via.get(canonicalize_name(package["name"]), ""))
        for package in packages
        if _is_lacking(package, platform)
    ]
    if not sentences:
        return None
    return BuildError(
        "\n".join(sentences),
        "Use a version that has a wheel. Or set UV_FIND_LINKS to a directory with a wheel. Or "
        "build for another Python (--python) or another platform (--platform). Or remove the "
        "dependency that requires the package.",
    )


def _is_lacking(package: Mapping[str, Any], platform: Platform) -> bool:
    if "marker" in package and not evaluate_marker(package["marker"], platform):
        return False
    wheels = package.get("wheels", [])
    if "directory" in package or "archive" in package or ("sdist" in package and not wheels):
        return False
    return not any(is_compatible(get_file_name(file), platform) for file in wheels)


def _format_sentence(package: Mapping[str, Any], platform: Platform, via: str) -> str:
    available = list_platforms(map(get_file_name, package.get("wheels", [])), platform.python)
    more = f" and {len(available) - _MAX_SHOWN} more" if len(available) > _MAX_SHOWN else ""
    requirers = (
        ", ".join(dict.fromkeys(map(_format_requirer, via.split(", ")))) if via else "the project"
    )
    name = f"{package['name']} {package.get('version', '')}".strip()
    return (
        f"{name} has no wheel for {platform}. It is required by {requirers}. There are wheels for "
        f"{', '.join(available[:_MAX_SHOWN])}{more}."
    )


def _format_requirer(item: str) -> str:
    """Return the name of a requirer in uv's output, or ``the project`` for an input file."""
    return "the project" if item.startswith("-r ") or item.endswith((".toml", ")")) else item
