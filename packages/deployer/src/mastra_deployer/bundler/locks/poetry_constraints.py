"""Convert requirements from Poetry's own format to the standard format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from mastra_core.errors import ConfigError

__all__ = ("to_requirements", "to_specifier")


def to_requirements(name: str, value: Any, root: Path, address: str = "") -> list[str]:
    """Convert one entry of a dependency table to requirement lines.

    :param name: the name of the package.
    :param value: a version, a table, or a list of tables for different markers.
    :param root: the directory that paths are relative to.
    :param address: ``@ URL`` from a lock, in place of the version.
    :raises ConfigError: for a version that PEP 440 cannot express.
    """
    if isinstance(value, list):
        return [line for item in value for line in to_requirements(name, item, root, address)]
    table = {"version": value} if isinstance(value, str) else value
    extras = f"[{','.join(table['extras'])}]" if table.get("extras") else ""
    version = address or _get_address(table, root) or to_specifier(table.get("version", "*"), name)
    marker = _build_marker(table)
    spaced = f" {version}" if version.startswith("@") else version
    return [f"{name}{extras}{spaced}{f' ; {marker}' if marker else ''}"]


def to_specifier(text: str, name: str) -> str:
    """Convert a version constraint to PEP 440; an empty text means any version.

    :param text: the constraint.
    :param name: the name of the package, for errors.
    :raises ConfigError: for a constraint that PEP 440 cannot express.
    """
    if "|" in text:
        raise ConfigError(
            f"The requirement {name!r} has alternative versions ({text!r}), which PEP 440 cannot "
            "express.",
            "Run `poetry lock`, so that the lock selects one version. Or write one version range.",
        )
    parts = re.split(r"\s*,\s*|(?<=[\w*])\s+(?=[<>=!~^])", text.strip())
    try:
        return ",".join(filter(None, (_convert_part(part.strip()) for part in parts)))
    except InvalidVersion:
        raise ConfigError(
            f"The version {text!r} of {name!r} cannot be parsed.", "Write it like '^1.2'."
        ) from None


def _convert_part(text: str) -> str:
    if text in ("", "*"):
        return ""
    if text.startswith(("~=", ">", "<", "=", "!")):
        operator, version = re.match(r"([~<>=!]+)\s*(.*)", text).groups()  # type: ignore[union-attr]  # it begins so
        return f"{'==' if operator == '=' else operator}{version}"
    if text.startswith(("^", "~")):
        return _convert_range(text[0], text[1:].strip())
    return f"=={text}"


def _convert_range(kind: str, text: str) -> str:
    """Convert ``^1.2`` (any 1.x from 1.2) and ``~1.2`` (any 1.2.x)."""
    release = Version(text).release
    if kind == "~":
        index = min(1, len(release) - 1)
    else:
        index = next((n for n, part in enumerate(release) if part), len(release) - 1)
    upper = [*release[:index], release[index] + 1]
    return f">={text},<{'.'.join(map(str, upper))}"


def _get_address(table: Mapping[str, Any], root: Path) -> str:
    if git := table.get("git"):
        ref = table.get("rev") or table.get("tag") or table.get("branch") or ""
        suffix = f"#subdirectory={table['subdirectory']}" if "subdirectory" in table else ""
        return f"@ git+{to_git_url(git)}{f'@{ref}' if ref else ''}{suffix}"
    if path := table.get("path") or table.get("file"):
        return f"@ {(root / path).resolve().as_uri()}"
    return f"@ {table['url']}" if "url" in table else ""


def to_git_url(text: str) -> str:
    """Return an address with a scheme; ``git@host:path`` becomes an ssh address.

    :param text: a URL, or ``host:path``.
    """
    if "://" in text:
        return text
    host, _, path = text.partition(":")
    return f"ssh://{host}/{path}"


def _build_marker(table: Mapping[str, Any]) -> str:
    parts = [f"({table['markers']})"] if table.get("markers") else []
    if python := table.get("python"):
        for part in filter(None, to_specifier(python, "python").split(",")):
            operator, version = re.match(r"([~<>=!]+)(.*)", part).groups()  # type: ignore[union-attr]  # made so
            parts.append(f"python_full_version {operator} '{version}'")
    if "platform" in table:
        parts.append(f"sys_platform == '{table['platform']}'")
    return " and ".join(parts)
