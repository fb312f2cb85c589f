"""The project's own metadata, for code that asks for its version or its entry points.

From source it is there, since the project is installed; a bundle holds its files only.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline import Project
from mastra_deployer.bundler.own_wheels import build_wheel
from mastra_deployer.bundler.vendor.distributions import TOOL_GROUPS
from mastra_deployer.project.config import read_pyproject

__all__ = ("own_metadata",)

_KEPT = ("METADATA", "entry_points.txt")


def own_metadata(project: Project) -> dict[str, bytes]:
    """Files of its ``.dist-info``, by name from the project's root; none where it is no package.

    A version that only the build backend knows is asked of it.
    """
    pyproject = read_pyproject(project.root)
    table = pyproject.get("project") or pyproject.get("tool", {}).get("poetry", {})
    is_package = pyproject.get("tool", {}).get("uv", {}).get("package", True)
    if "build-system" not in pyproject or not is_package or "name" not in table:
        return {}
    texts = _written(table) if "version" in table else _built(project)
    if not texts:
        return {}
    stem = canonicalize_name(str(table["name"])).replace("-", "_")
    root = project.import_root.relative_to(project.root)
    folder = root / f"{stem}-{_version(texts['METADATA'])}.dist-info"
    return {(folder / name).as_posix(): text.encode() for name, text in texts.items()}


def _written(table: Mapping[str, Any]) -> dict[str, str]:
    head = {"Metadata-Version": "2.1", "Name": table["name"], "Version": table["version"]}
    if summary := str(table.get("description", "")).partition("\n")[0]:
        head["Summary"] = summary
    if python := table.get("requires-python"):
        head["Requires-Python"] = python
    required = table.get("dependencies", ())
    lines = [f"{name}: {value}" for name, value in head.items()]
    if isinstance(required, list):  # Poetry's own table has another form
        lines += [f"Requires-Dist: {line}" for line in required]
    points = "\n".join(_entry_points(table))
    return {"METADATA": "\n".join([*lines, ""]), **({"entry_points.txt": points} if points else {})}


def _entry_points(table: Mapping[str, Any]) -> Iterator[str]:
    """Groups that tools look for stay out: a bundle holds no deployer."""
    groups = {**table.get("entry-points", {}), **table.get("plugins", {})}
    scripts = {"console_scripts": "scripts", "gui_scripts": "gui-scripts"}
    groups |= {group: table[key] for group, key in scripts.items() if key in table}
    for group, entries in sorted(groups.items()):
        if group not in TOOL_GROUPS:
            yield f"[{group}]"
            yield from (f"{name} = {value}" for name, value in sorted(entries.items()))
            yield ""


def _built(project: Project) -> dict[str, str]:
    try:
        wheel = build_wheel(project.root)
    except BuildError:  # who asks for it finds nothing, as in a checkout that is not installed
        return {}
    with zipfile.ZipFile(wheel) as archive:
        found = {
            name.rpartition("/")[2]: archive.read(name).decode()
            for name in archive.namelist()
            if name.rpartition("/")[0].endswith(".dist-info")
        }
    return {name: found[name] for name in _KEPT if name in found}


def _version(metadata: str) -> str:
    from email.parser import HeaderParser

    return str(HeaderParser().parsestr(metadata)["Version"])
