"""Provide the project's own metadata, so that code can read its version and entry points.

When an app runs from source, the project is installed and has metadata. A bundle contains only the
project's files, so this module adds the metadata.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline import Project
from mastra_deployer.bundler.own_wheels import build_wheel
from mastra_deployer.project.config import read_pyproject
from mastra_deployer.project.entry_points import TOOL_GROUPS

__all__ = ("build_own_metadata",)

_MAX_LINES = 12  # lines of the output of a build that an error shows
_FILES = ("METADATA", "entry_points.txt")


def build_own_metadata(project: Project) -> dict[str, bytes]:
    """Return the project's ``.dist-info`` files by name; none if the project is no package.

    If only the build backend knows the version, it is read from a built wheel.

    :param project: the app.
    :raises BuildError: when the wheel does not build.
    """
    pyproject = read_pyproject(project.root)
    table = pyproject.get("project") or pyproject.get("tool", {}).get("poetry", {})
    is_package = pyproject.get("tool", {}).get("uv", {}).get("package", True)
    if "build-system" not in pyproject or not is_package or "name" not in table:
        return {}
    texts = _render_metadata(table) if "version" in table else _read_built_metadata(project, table)
    if not texts:
        return {}
    stem = canonicalize_name(str(table["name"])).replace("-", "_")
    root = project.import_root.relative_to(project.root)
    folder = root / f"{stem}-{_parse_version(texts['METADATA'])}.dist-info"
    return {(folder / name).as_posix(): text.encode() for name, text in texts.items()}


def _render_metadata(table: Mapping[str, Any]) -> dict[str, str]:
    fields = {"Metadata-Version": "2.1", "Name": table["name"], "Version": table["version"]}
    if summary := str(table.get("description", "")).partition("\n")[0]:
        fields["Summary"] = summary
    if python := table.get("requires-python"):
        fields["Requires-Python"] = python
    required = table.get("dependencies", ())
    lines = [f"{name}: {value}" for name, value in fields.items()]
    if isinstance(required, list):  # Poetry's own table is a mapping
        lines += [f"Requires-Dist: {line}" for line in required]
    entry_points = "\n".join(_iter_entry_points(table))
    return {
        "METADATA": "\n".join([*lines, ""]),
        **({"entry_points.txt": entry_points} if entry_points else {}),
    }


def _iter_entry_points(table: Mapping[str, Any]) -> Iterator[str]:
    """Render the entry points. Leave out deployers and plugins, which no bundle contains."""
    groups = {**table.get("entry-points", {}), **table.get("plugins", {})}
    scripts = {"console_scripts": "scripts", "gui_scripts": "gui-scripts"}
    groups |= {group: table[key] for group, key in scripts.items() if key in table}
    for group, entries in sorted(groups.items()):
        if group not in TOOL_GROUPS:
            yield f"[{group}]"
            yield from (f"{name} = {value}" for name, value in sorted(entries.items()))
            yield ""


def _read_built_metadata(project: Project, table: Mapping[str, Any]) -> dict[str, str]:
    try:
        wheel = build_wheel(project.root)
    except BuildError as error:
        if "version" not in table.get("dynamic", ()):
            return {}  # without metadata, as in a checkout that is not installed
        first, _, output = error.message.partition("\n")
        hint = "Correct the build, or write the version into pyproject.toml: version = '1.2.3'."
        raise BuildError(
            f"The version of {table['name']!r} comes from its build backend, but the backend "
            f"fails:\n{_shorten_output(output)}",
            error.hint if "git history" in first else hint,
        ) from None
    with zipfile.ZipFile(wheel) as archive:
        files = {
            name.rpartition("/")[2]: archive.read(name).decode()
            for name in archive.namelist()
            if name.rpartition("/")[0].endswith(".dist-info")
        }
    return {name: files[name] for name in _FILES if name in files}


def _shorten_output(output: str) -> str:
    """Return the end of a build's output, which contains the reason of a failure."""
    return "\n".join([line for line in output.splitlines() if line.strip()][-_MAX_LINES:])


def _parse_version(metadata: str) -> str:
    from email.parser import HeaderParser

    return str(HeaderParser().parsestr(metadata)["Version"])
