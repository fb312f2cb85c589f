"""Builds for Pyodide: CPython as WebAssembly, whose wheels uv knows only the older kinds of.

uv resolves for all platforms at once; of that the packages that Pyodide needs are kept, each with
the one wheel that fits. uv installs them under names that say they fit anywhere: it fetches,
checks and unpacks as always, and never asks what the wheel is for.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform
from mastra_deployer.bundler.own_wheels import record_hash, record_text
from mastra_deployer.bundler.resolve.wheel_tags import file_name, tags_of

__all__ = (
    "fit_lock",
    "install_arguments",
    "is_pyodide",
    "make_pure",
    "marker_environment",
    "resolve_arguments",
)

# Without their compiled part these do the same, more slowly; no wheel of theirs is without it.
PURE = frozenset(("markupsafe", "pyyaml"))
_COMPILED = (".so", ".pyd", ".dylib")
_WHEEL = "Wheel-Version: 1.0\nGenerator: mastra\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def is_pyodide(platform: Platform) -> bool:
    """Whether a platform is a Pyodide, named by the tag of its wheels."""
    return platform.wheels.startswith("pyemscripten_")


def resolve_arguments(platform: Platform) -> list[str]:
    """For ``uv pip compile``: the lock lists every wheel, and says what is needed where."""
    wanted = ["--universal"]
    return ["--python", sys.executable, "--python-version", platform.python, *wanted]


def install_arguments(platform: Platform) -> list[str]:
    """For ``uv pip install`` of a lock that was fitted: what it has is for any platform."""
    wanted = ["--python-platform", "wasm32-pyodide2024"]
    return ["--python", sys.executable, "--python-version", platform.python, *wanted]


def marker_environment(platform: Platform) -> dict[str, str]:
    """What environment markers find there."""
    return {
        "python_version": platform.python,
        "python_full_version": f"{platform.python}.0",
        "sys_platform": "emscripten",
        "platform_system": "Emscripten",
        "platform_machine": "wasm32",
        "platform_release": "",
        "platform_version": "",
        "os_name": "posix",
        "implementation_name": "cpython",
        "implementation_version": f"{platform.python}.0",
        "platform_python_implementation": "CPython",
    }


def fit_lock(text: str, place: Path, platform: Platform) -> str:
    """The part of a universal pylock.toml that Pyodide needs, one wheel for each package.

    :param place: the directory that paths in it are relative to.
    :raises BuildError: naming every package without a wheel that runs there.
    """
    head, *chunks = text.split("[[packages]]\n")
    packages = tomllib.loads(text).get("packages", [])
    fitting, missing = [head], []
    for chunk, package in zip(chunks, packages, strict=True):
        if not _applies(package, platform):
            continue
        if "directory" in package:
            fitting.append(re.sub(r"^marker = .*\n", "", chunk, flags=re.MULTILINE))
            continue
        wheel = _fitting(package, platform)
        if wheel is None:
            missing.append(f"{package['name']!r} {package.get('version', '')}".strip())
        else:
            fitting.append(_written(package, wheel, place))
    if missing:
        raise _without_wheels(missing, platform)
    return "[[packages]]\n".join(fitting)


def make_pure(tree: Path) -> None:
    """Take compiled code of this machine out of an installed tree, keeping RECORD true."""
    for info in tree.glob("*.dist-info"):
        if canonicalize_name(info.name.partition("-")[0]) in PURE:
            _strip(tree, info)


def _applies(package: Mapping[str, Any], platform: Platform) -> bool:
    marker = package.get("marker")
    return marker is None or Marker(marker).evaluate(marker_environment(platform))


def _fitting(package: Mapping[str, Any], platform: Platform) -> dict[str, Any] | None:
    """The wheel that runs there, the most special first; else one to take the code out of."""
    files = [package["archive"]] if "archive" in package else package.get("wheels", [])
    named = {name: file for file in files if (name := file_name(file)).endswith(".whl")}
    ranks = {tag: rank for rank, tag in enumerate(_tags(platform))}
    ranked = {name: min((ranks[tag] for tag in tags_of(name) if tag in ranks), default=None)
              for name in named}  # fmt: skip
    usable = [(rank, name) for name, rank in ranked.items() if rank is not None]
    if usable:
        return dict(named[min(usable)[1]])
    version = f"cp{platform.python.replace('.', '')}"
    sources = sorted(name for name in named if version in name and "manylinux" in name)
    return dict(named[sources[0]]) if sources and package["name"] in PURE else None


def _tags(platform: Platform) -> Iterator[Tag]:
    major, _, minor = platform.python.partition(".")
    version, tag = (int(major), int(minor)), f"cp{major}{minor}"
    yield from cpython_tags(version, [tag], [platform.wheels])
    yield from compatible_tags(version, tag, [platform.wheels])


def _written(package: Mapping[str, Any], wheel: dict[str, Any], place: Path) -> str:
    """A package of a lock, its wheel under a name that fits anywhere.

    The build number keeps it apart in uv's cache from wheels that are really called so.
    """
    name, version, _, tags = parse_wheel_filename(file_name(wheel))
    lines = [f'name = "{name}"', f'version = "{version}"']
    if "index" in package:
        lines.append(f"index = {json.dumps(package['index'])}")
    fields = {"hashes": f"{{ sha256 = {json.dumps(wheel['hashes']['sha256'])} }}"}
    if not any(tag.platform == "any" for tag in tags):
        real = min(f"{tag.abi}_{tag.platform}" for tag in tags)
        shown = f"{name.replace('-', '_')}-{version}-0{real}-py3-none-any.whl"
        fields["name"] = json.dumps(shown)
    if "url" in wheel:
        fields["url"] = json.dumps(wheel["url"])
    else:
        fields["path"] = json.dumps((place / wheel["path"]).resolve().as_posix())
    inner = ", ".join(f"{key} = {value}" for key, value in sorted(fields.items()))
    plain = "archive" in package and "name" not in fields
    kind = f"archive = {{ {inner} }}" if plain else f"wheels = [{{ {inner} }}]"
    return "\n".join([*lines, kind, "", ""])


def _strip(tree: Path, info: Path) -> None:
    rows = list(csv.reader(io.StringIO((info / "RECORD").read_text(encoding="utf-8"))))
    kept: list[tuple[str, str, int | str]] = []
    for name, digest, size in rows:
        if name.endswith(_COMPILED):
            (tree / name).unlink()
        elif name == f"{info.name}/WHEEL":
            (tree / name).unlink()  # it may be linked to uv's cache
            (tree / name).write_text(_WHEEL, encoding="utf-8")
            kept.append((name, record_hash(_WHEEL.encode()), len(_WHEEL)))
        else:
            kept.append((name, digest, size))
    (info / "RECORD").unlink()
    (info / "RECORD").write_text(record_text(kept), encoding="utf-8")


def _without_wheels(missing: list[str], platform: Platform) -> BuildError:
    return BuildError(
        f"No wheel runs on Pyodide ({platform.wheels}) of {', '.join(missing)}.",
        "Take a version that has one or leave it out, or name a place that has one by "
        "UV_FIND_LINKS or UV_EXTRA_INDEX_URL (Pyodide's own index has many), or deploy to a "
        "target that runs CPython.",
    )
