"""Decide by the file name whether a target can install a wheel."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from mastra_core.pipeline import Platform
from mastra_deployer.project.interpreters import parse_glibc
from mastra_deployer.project.macos_version import get_macos_version, is_macos

__all__ = ("describe_platform", "get_file_name", "is_compatible", "list_platforms", "parse_tags")

_DEFAULT_GLIBC = 28  # minor version
_ALIAS = re.compile(r"manylinux(1|2010|2014)_")
_OLDER = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_WINDOWS = {"x86_64": "win_amd64", "aarch64": "win_arm64", "i686": "win32"}


def is_compatible(name: str, platform: Platform) -> bool:
    """Return whether a wheel can be installed on a platform.

    :param name: the wheel's file name.
    :param platform: the platform of the target.
    """
    macos = get_macos_version() if is_macos(platform.wheels) else (0, 0)
    return not parse_tags(name).isdisjoint(_build_tags(platform.python, platform.wheels, macos))


def parse_tags(name: str) -> frozenset[Tag]:
    """Return the tags in the file name of a wheel; empty for other files.

    :param name: the file name.
    """
    try:
        return parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return frozenset()


def describe_platform(platform: Platform) -> str:
    """Return a text for cache keys, which identifies the wheels that fit a platform.

    :param platform: the platform of the target.
    """
    version = f" {get_macos_version()}" if is_macos(platform.wheels) else ""
    return f"{platform}{version}"


def list_platforms(names: Iterable[str], python: str) -> list[str]:
    """Return the platforms of wheels.

    :param names: file names of wheels.
    :param python: the version of Python whose platforms are returned, such as ``3.12``. If no wheel
        is for this version, the result has the Python tag and the platform of each wheel.
    """
    tags = [tag for name in names for tag in parse_tags(name) if not _ALIAS.match(tag.platform)]
    interpreter = f"cp{python.replace('.', '')}"
    platforms = sorted({tag.platform for tag in tags if tag.interpreter == interpreter})
    return platforms or sorted({f"{tag.interpreter} {tag.platform}" for tag in tags})


def get_file_name(file: Mapping[str, Any]) -> str:
    """Return the name of a file in a pylock.toml.

    :param file: the table of the file.
    """
    location = file.get("name") or file.get("path") or urlparse(file.get("url", "")).path
    return unquote(Path(location).name)


@functools.lru_cache(maxsize=8)  # a lock has thousands of wheels, and all have the same platform
def _build_tags(python: str, wheels: str, macos: tuple[int, int]) -> frozenset[Tag]:
    """Return the tags of the wheels that a Python can install."""
    major, _, minor = python.partition(".")
    version, tag = (int(major), int(minor)), f"cp{major}{minor}"
    platforms = list(_iter_platform_tags(wheels, macos))
    # Older versions of the stable ABI fit too; packaging includes them.
    tags = {*cpython_tags(version, [tag], platforms), *cpython_tags(version, None, platforms)}
    return frozenset(tags.union(compatible_tags(version, tag, platforms)))


def _iter_platform_tags(wheels: str, macos: tuple[int, int]) -> Iterator[str]:
    machine, _, rest = wheels.partition("-")
    if wheels.startswith("pyemscripten_"):
        yield wheels
    elif is_macos(wheels):
        yield from mac_platforms(macos, {"aarch64": "arm64"}.get(machine, machine))
    elif "windows" in rest:
        yield _WINDOWS[machine]
    elif "musl" in rest:
        yield from (f"musllinux_1_{minor}_{machine}" for minor in range(2, -1, -1))
    else:
        for minor in range(parse_glibc(wheels) or _DEFAULT_GLIBC, 4, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if minor in _OLDER:
                yield f"{_OLDER[minor]}_{machine}"
        yield f"linux_{machine}"
