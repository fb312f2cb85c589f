"""Record in a lock which versions are older than the newest version, and why.

The lock has an older version if the newest version has no wheel for the target, does not support
each patch release of the target's Python, or requires a package that has no wheel for the target.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from packaging.version import Version

from mastra_core.pipeline import Platform, Report
from mastra_deployer.bundler.resolve.markers import evaluate_marker
from mastra_deployer.bundler.resolve.pyodide import is_pyodide, list_unfit
from mastra_deployer.bundler.resolve.wheel_tags import get_file_name, is_compatible

__all__ = (
    "OlderVersion",
    "format_older_version",
    "list_breaking_versions",
    "list_lacking",
    "list_later_python",
    "list_older_versions",
    "list_versions",
    "report_older_versions",
)

_LINE = re.compile(r"^# older: (\S+) (\S+) (\S+) (wheel|python|requirement)$", re.MULTILINE)
_LATEST = 99  # no Python has so many patch releases


class OlderVersion(NamedTuple):
    """A package whose newest version the target cannot use.

    :param name: the name of the package.
    :param version: the version that the lock contains.
    :param newest: the newest version that the requirements allow, and that the target cannot use.
    :param lacks: why the target cannot use the newest version: it has no ``wheel``, needs another
        release of ``python``, or has a ``requirement`` without a wheel.
    """

    name: str
    version: str
    newest: str
    lacks: str


def list_versions(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and version of each package in a pylock.toml.

    :param text: the lock.
    """
    for package in tomllib.loads(text).get("packages", []):
        if "version" in package:
            yield package["name"], package["version"]


def list_lacking(text: str, platform: Platform) -> dict[str, str]:
    """Return the names and versions of packages that have wheels, but no wheel for a platform.

    :param text: a pylock.toml for every platform.
    :param platform: the platform of the target.
    """
    if is_pyodide(platform):
        return dict(list_unfit(text, platform))
    return {
        package["name"]: package["version"]
        for package in tomllib.loads(text).get("packages", [])
        if package.get("wheels")
        and ("marker" not in package or evaluate_marker(package["marker"], platform))
        and not any(is_compatible(get_file_name(file), platform) for file in package["wheels"])
    }


def list_later_python(text: str, platform: Platform) -> dict[str, str]:
    """Return the packages that need a later patch release of Python, with their versions.

    :param text: a pylock.toml for every platform.
    :param platform: the platform of the target.
    """
    if is_pyodide(platform):
        return {}
    return {
        package["name"]: package["version"]
        for package in tomllib.loads(text).get("packages", [])
        if "version" in package
        and "marker" in package
        and not evaluate_marker(package["marker"], platform)
        and evaluate_marker(package["marker"], platform, release=_LATEST)
    }


def list_older_versions(newest: Mapping[str, str], text: str, lacks: str) -> list[OlderVersion]:
    """Return the packages whose version in a lock is older than the newest version.

    :param newest: the newest version of each package, by name.
    :param text: the lock whose versions are compared with the newest versions.
    :param lacks: the reason for an older version: the value of ``OlderVersion.lacks``.
    """
    return [
        OlderVersion(name, version, newest[name], lacks)
        for name, version in list_versions(text)
        if name in newest and Version(version) < Version(newest[name])
    ]


def list_breaking_versions(items: Iterable[OlderVersion]) -> list[OlderVersion]:
    """Return the packages whose version is incompatible with the newest one by semantic versioning.

    :param items: packages whose version is older than the newest one.
    """
    return [item for item in items if _get_series(item.version) != _get_series(item.newest)]


def format_older_version(item: OlderVersion) -> str:
    """Return the comment in a lock that records an older version.

    :param item: the package.
    """
    return f"# older: {' '.join(item)}\n"


def report_older_versions(text: str, platform: Platform, report: Report) -> None:
    """Report the older versions that a lock contains.

    :param text: the lock.
    :param platform: the platform of the target.
    :param report: receives a note for each package.
    """
    for name, version, newest, lacks in _LINE.findall(text):
        if lacks == "wheel":
            report.note(
                f"{name} {version} is used, because {name} {newest} has no wheel for {platform}.",
                "To use the newest version, build for another Python (--python) or platform "
                "(--platform), or set UV_FIND_LINKS to a directory with a wheel.",
            )
        elif lacks == "requirement":
            report.warn(
                f"{name} {version} is used, because {name} {newest} requires a package that has no "
                f"wheel for {platform}.",
                f"To refuse other versions, require {name}=={newest}.",
            )
        else:
            report.note(
                f"{name} {version} is used, because {name} {newest} does not support Python "
                f"{platform.python}.0, and a bundle supports each release of Python "
                f"{platform.python}.",
                "To use the newest version, build for a newer Python, with --python or "
                "[tool.mastra] python.",
            )


def _get_series(version: str) -> tuple[int, ...]:
    """Return the part that compatible versions share: ``1`` for 1.2.3, and ``0.2`` for 0.2.3."""
    release = Version(version).release
    return release[:1] if release[0] else release[:2]
