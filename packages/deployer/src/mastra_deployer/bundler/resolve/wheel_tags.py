"""Which wheels a target takes, told by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from mastra_core.pipeline import Platform

__all__ = ("file_name", "fits", "platforms_of", "tags_of")

# What the short names of uv stand for.
_GLIBC = {"manylinux2014": 17, "unknown-linux-gnu": 28}
_ALIAS = re.compile(r"manylinux(1|2010|2014)_")
_OLDER = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_WINDOWS = {"x86_64": "win_amd64", "aarch64": "win_arm64", "i686": "win32"}


def fits(name: str, platform: Platform) -> bool:
    """Whether the wheel of that file name can be installed on the target."""
    return not tags_of(name).isdisjoint(_tags(platform))


def tags_of(name: str) -> frozenset[Tag]:
    """The tags of a wheel's file name; none for what is no wheel."""
    try:
        return parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return frozenset()


def platforms_of(names: Iterable[str], python: str) -> list[str]:
    """What wheels are for: platforms of that Python; where it has none, with each Python's tag."""
    tags = [tag for name in names for tag in tags_of(name) if not _ALIAS.match(tag.platform)]
    wanted = f"cp{python.replace('.', '')}"
    own = sorted({tag.platform for tag in tags if tag.interpreter == wanted})
    return own or sorted({f"{tag.interpreter} {tag.platform}" for tag in tags})


def file_name(file: Mapping[str, Any]) -> str:
    """The name of a file of a pylock.toml."""
    place = file.get("name") or file.get("path") or urlparse(file.get("url", "")).path
    return unquote(Path(place).name)


def _tags(platform: Platform) -> set[Tag]:
    major, _, minor = platform.python.partition(".")
    version, tag = (int(major), int(minor)), f"cp{major}{minor}"
    platforms = list(_platforms(platform.wheels))
    # Of the stable ABI any older one fits too; packaging lists them by itself.
    tags = {*cpython_tags(version, [tag], platforms), *cpython_tags(version, None, platforms)}
    return tags | {*compatible_tags(version, tag, platforms)}


def _platforms(wheels: str) -> Iterator[str]:
    machine, _, rest = wheels.partition("-")
    if wheels.startswith("pyemscripten_"):
        yield wheels
    elif "darwin" in rest:
        yield from mac_platforms((14, 0), {"aarch64": "arm64"}.get(machine, machine))
    elif "windows" in rest:
        yield _WINDOWS[machine]
    elif "musl" in rest:
        yield from (f"musllinux_1_{minor}_{machine}" for minor in range(2, -1, -1))
    else:
        found = re.fullmatch(r"manylinux_2_(\d+)", rest)
        newest = int(found[1]) if found else _GLIBC.get(rest, 28)
        for minor in range(newest, 4, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if minor in _OLDER:
                yield f"{_OLDER[minor]}_{machine}"
        yield f"linux_{machine}"
