"""Poetry's own way to write requirements, in the words of the standard."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from mastra_core.errors import ConfigError

__all__ = ("requirement", "specifier")


def requirement(name: str, value: Any, root: Path, located: str = "") -> list[str]:
    """The lines of one entry of a dependency table.

    :param value: a version, a table, or a list of tables for different markers.
    :param located: ``@ address`` that a lock gives, in place of the version.
    """
    if isinstance(value, list):
        return [line for item in value for line in requirement(name, item, root, located)]
    table = {"version": value} if isinstance(value, str) else value
    extras = f"[{','.join(table['extras'])}]" if table.get("extras") else ""
    place = located or _located(table, root) or specifier(table.get("version", "*"), name)
    marker = _marker(table)
    spaced = f" {place}" if place.startswith("@") else place
    return [f"{name}{extras}{spaced}{f' ; {marker}' if marker else ''}"]


def specifier(text: str, name: str) -> str:
    """A version constraint as PEP 440 has it; empty for any version.

    :raises ConfigError: for one that it cannot say.
    """
    if "|" in text:
        raise ConfigError(
            f"The versions {text!r} of {name!r} are alternatives, which no standard writes.",
            "Run `poetry lock`, so that one version is chosen, or write one range.",
        )
    parts = re.split(r"\s*,\s*|(?<=[\w*])\s+(?=[<>=!~^])", text.strip())
    try:
        return ",".join(filter(None, (_part(part.strip()) for part in parts)))
    except InvalidVersion:
        raise ConfigError(
            f"The version {text!r} of {name!r} cannot be read.", "Write it like '^1.2'."
        ) from None


def _part(text: str) -> str:
    if text in ("", "*"):
        return ""
    if text.startswith(("~=", ">", "<", "=", "!")):
        operator, version = re.match(r"([~<>=!]+)\s*(.*)", text).groups()  # type: ignore[union-attr]  # it begins so
        return f"{'==' if operator == '=' else operator}{version}"
    if text.startswith(("^", "~")):
        return _range(text[0], text[1:].strip())
    return f"=={text}"


def _range(kind: str, text: str) -> str:
    """``^1.2``: up to the next change of the first part that is not 0; ``~1.2``: of the second."""
    release = Version(text).release
    if kind == "~":
        place = min(1, len(release) - 1)
    else:
        place = next((n for n, part in enumerate(release) if part), len(release) - 1)
    upper = [*release[:place], release[place] + 1]
    return f">={text},<{'.'.join(map(str, upper))}"


def _located(table: Mapping[str, Any], root: Path) -> str:
    if git := table.get("git"):
        ref = table.get("rev") or table.get("tag") or table.get("branch") or ""
        part = f"#subdirectory={table['subdirectory']}" if "subdirectory" in table else ""
        return f"@ git+{git_address(git)}{f'@{ref}' if ref else ''}{part}"
    if path := table.get("path") or table.get("file"):
        return f"@ {(root / path).resolve().as_uri()}"
    return f"@ {table['url']}" if "url" in table else ""


def git_address(text: str) -> str:
    """An address with a scheme; ``git@host:path`` is ssh."""
    if "://" in text:
        return text
    host, _, path = text.partition(":")
    return f"ssh://{host}/{path}"


def _marker(table: Mapping[str, Any]) -> str:
    parts = [f"({table['markers']})"] if table.get("markers") else []
    if python := table.get("python"):
        for part in filter(None, specifier(python, "python").split(",")):
            operator, version = re.match(r"([~<>=!]+)(.*)", part).groups()  # type: ignore[union-attr]  # made so
            parts.append(f"python_full_version {operator} '{version}'")
    if "platform" in table:
        parts.append(f"sys_platform == '{table['platform']}'")
    return " and ".join(parts)
