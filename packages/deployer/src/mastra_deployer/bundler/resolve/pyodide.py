"""Resolve dependencies for Pyodide, which is CPython as WebAssembly.

uv resolves for all platforms at once. mastra then reduces the lock to the packages that Pyodide
needs, with one suitable wheel for each. The wheel's file name is replaced by one that claims to fit
any platform. uv then fetches, checks and unpacks the wheels as usual.
"""

from __future__ import annotations

import csv
import io
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform
from mastra_deployer.bundler.own_wheels import compute_record_hash, format_record
from mastra_deployer.bundler.resolve.toml_strings import quote
from mastra_deployer.bundler.resolve.wheel_tags import get_file_name, parse_tags

__all__ = (
    "build_install_arguments",
    "build_pyodide_environment",
    "build_resolve_arguments",
    "fit_lock",
    "is_pyodide",
    "list_unfit",
    "strip_compiled_code",
)

# These work without their compiled part, only slower, but all their wheels contain it.
PURE_PYTHON_FALLBACKS = frozenset(("markupsafe", "pyyaml"))
_COMPILED = (".so", ".pyd", ".dylib")
_WHEEL = "Wheel-Version: 1.0\nGenerator: mastra\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def is_pyodide(platform: Platform) -> bool:
    """Return whether a platform is Pyodide, by the tag of its wheels.

    :param platform: the platform.
    """
    return platform.wheels.startswith("pyemscripten_")


def build_resolve_arguments(platform: Platform) -> list[str]:
    """Build the arguments of ``uv pip compile`` for a lock that covers all platforms.

    :param platform: the platform to build for.
    """
    return ["--python", sys.executable, "--python-version", platform.python, "--universal"]


def build_install_arguments(platform: Platform) -> list[str]:
    """Build the arguments of ``uv pip install`` for a lock from ``fit_lock``.

    :param platform: the platform to build for.
    """
    flags = ["--python-version", platform.python, "--python-platform", "wasm32-pyodide2024"]
    return ["--python", sys.executable, *flags]


def build_pyodide_environment(platform: Platform) -> dict[str, str]:
    """Return the values of environment markers on Pyodide.

    :param platform: the platform.
    """
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


def fit_lock(
    text: str,
    root: Path,
    platform: Platform,
    requirers: Mapping[str, Iterable[str]] | None = None,
) -> str:
    """Reduce a lock to the packages for Pyodide, with one wheel for each package.

    :param text: the lock.
    :param root: the directory that the paths in the lock are relative to.
    :param platform: the platform to build for.
    :param requirers: the requirers of each package; the error names them.
    :raises BuildError: when packages have no wheel for ``platform``; the message names them.
    """
    head, *chunks = text.split("[[packages]]\n")
    packages = tomllib.loads(text).get("packages", [])
    chosen, missing = [head], []
    for chunk, package in zip(chunks, packages, strict=True):
        if not _is_applicable(package, platform):
            continue
        if "directory" in package:
            chosen.append(re.sub(r"^marker = .*\n", "", chunk, flags=re.MULTILINE))
            continue
        wheel = _choose_wheel(package, platform)
        if wheel is None:
            missing.append(_describe_missing(package, (requirers or {}).get(package["name"], ())))
        else:
            chosen.append(_render_package(package, wheel, root))
    if missing:
        raise _build_missing_error(missing, platform)
    return "[[packages]]\n".join(chosen)


def list_unfit(text: str, platform: Platform) -> list[tuple[str, str]]:
    """Return the names and versions of packages that have wheels, but no wheel for Pyodide.

    :param text: a universal pylock.toml.
    :param platform: the platform to build for.
    """
    return [
        (package["name"], package["version"])
        for package in tomllib.loads(text).get("packages", [])
        if package.get("wheels")
        and _is_applicable(package, platform)
        and _choose_wheel(package, platform) is None
    ]


def strip_compiled_code(tree: Path) -> None:
    """Remove compiled code of another platform from an installed tree and its RECORD.

    :param tree: the directory that wheels are installed in.
    """
    for info in tree.glob("*.dist-info"):
        if canonicalize_name(info.name.partition("-")[0]) in PURE_PYTHON_FALLBACKS:
            _strip_distribution(tree, info)


def _is_applicable(package: Mapping[str, Any], platform: Platform) -> bool:
    marker = package.get("marker")
    return marker is None or Marker(marker).evaluate(build_pyodide_environment(platform))


def _choose_wheel(package: Mapping[str, Any], platform: Platform) -> dict[str, Any] | None:
    """Return the most specific wheel for Pyodide.

    For a few packages, return a wheel for Linux if there is none for Pyodide, because these
    packages also work without their compiled code.
    """
    files = [package["archive"]] if "archive" in package else package.get("wheels", [])
    files_by_name = {name: file for file in files if (name := get_file_name(file)).endswith(".whl")}
    ranks = {tag: rank for rank, tag in enumerate(_iter_tags(platform))}
    ranked = {name: min((ranks[tag] for tag in parse_tags(name) if tag in ranks), default=None)
              for name in files_by_name}  # fmt: skip
    usable = [(rank, name) for name, rank in ranked.items() if rank is not None]
    if usable:
        return dict(files_by_name[min(usable)[1]])
    version = f"cp{platform.python.replace('.', '')}"
    sources = sorted(name for name in files_by_name if version in name and "manylinux" in name)
    return (
        dict(files_by_name[sources[0]])
        if sources and package["name"] in PURE_PYTHON_FALLBACKS
        else None
    )


def _iter_tags(platform: Platform) -> Iterator[Tag]:
    major, _, minor = platform.python.partition(".")
    version, tag = (int(major), int(minor)), f"cp{major}{minor}"
    yield from cpython_tags(version, [tag], [platform.wheels])
    yield from compatible_tags(version, tag, [platform.wheels])


def _render_package(package: Mapping[str, Any], wheel: dict[str, Any], root: Path) -> str:
    """Render a package of the lock, with a new wheel name that fits any platform.

    The new name has a build number, which distinguishes the wheel in uv's cache from an original
    wheel with the same name.
    """
    name, version, _, tags = parse_wheel_filename(get_file_name(wheel))
    lines = [f'name = "{name}"', f'version = "{version}"']
    if "index" in package:
        lines.append(f"index = {quote(package['index'])}")
    fields = {"hashes": f"{{ sha256 = {quote(wheel['hashes']['sha256'])} }}"}
    if not any(tag.platform == "any" for tag in tags):
        real = min(f"{tag.abi}_{tag.platform}" for tag in tags)
        file = f"{name.replace('-', '_')}-{version}-0{real}-py3-none-any.whl"
        fields["name"] = quote(file)
    if "url" in wheel:
        fields["url"] = quote(wheel["url"])
    else:
        fields["path"] = quote((root / wheel["path"]).resolve().as_posix())
    inner = ", ".join(f"{key} = {value}" for key, value in sorted(fields.items()))
    plain = "archive" in package and "name" not in fields
    kind = f"archive = {{ {inner} }}" if plain else f"wheels = [{{ {inner} }}]"
    return "\n".join([*lines, kind, "", ""])


def _strip_distribution(tree: Path, info: Path) -> None:
    rows = list(csv.reader(io.StringIO((info / "RECORD").read_text(encoding="utf-8"))))
    remaining: list[tuple[str, str, int | str]] = []
    for name, digest, size in rows:
        if name.endswith(_COMPILED):
            (tree / name).unlink()
        elif name == f"{info.name}/WHEEL":
            (tree / name).unlink()  # may be a hard link to uv's cache
            (tree / name).write_text(_WHEEL, encoding="utf-8", newline="\n")
            remaining.append((name, compute_record_hash(_WHEEL.encode()), len(_WHEEL)))
        else:
            remaining.append((name, digest, size))
    (info / "RECORD").unlink()
    (info / "RECORD").write_text(format_record(remaining), encoding="utf-8", newline="\n")


def _describe_missing(package: Mapping[str, Any], requirers: Iterable[str]) -> str:
    label = f"{package['name']!r} {package.get('version', '')}".strip()
    names = sorted(requirers)
    return f"{label} (required by {', '.join(names)})" if names else label


def _build_missing_error(missing: list[str], platform: Platform) -> BuildError:
    return BuildError(
        f"These packages have no wheel for Pyodide ({platform.wheels}): {', '.join(missing)}.",
        "Remove the dependency, or use a version that has a wheel. Or set UV_FIND_LINKS or "
        "UV_EXTRA_INDEX_URL to a source with a wheel. Or deploy to a target that runs CPython.",
    )
