"""The files that ``mastra new`` writes: texts with ``<<name>>`` where something is filled in."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from mastra_core.errors import ConfigError

__all__ = ("compatible", "filled", "write_files")

_TEMPLATES = Path(__file__).parent / "template"
# Braces, dollars and percent signs all mean something in what is written.
_PLACE = re.compile(r"^([ \t]*)<<(\w+)>>\n|<<(\w+)>>", re.MULTILINE)


def filled(template: str, values: Mapping[str, str]) -> dict[str, str]:
    """Every file of a template: its path to its text.

    A line that is nothing but ``<<name>>`` becomes the lines of the value, indented as it is, or
    nothing. In a path ``NAME`` stands for the value of that name, and ``dot-`` for a leading dot:
    installers and tools leave hidden files out of a package.
    """
    root = _TEMPLATES / template
    found = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {
        _path(path.relative_to(root), values): _PLACE.sub(
            lambda place: _value(place, values), path.read_text(encoding="utf-8")
        )
        for path in found
        if "__pycache__" not in path.parts
    }


def write_files(files: Mapping[str, str], directory: Path, *, force: bool = False) -> list[Path]:
    """Write files below ``directory``, or none of them.

    :param force: whether files that are there are replaced.
    :raises ConfigError: when one is there with another content.
    """
    targets = {directory / name: text for name, text in files.items()}
    for target, text in targets.items():
        if target.exists() and not force and target.read_bytes() != text.encode():
            raise ConfigError(f"{str(target)!r} is there already.", "Pass --force to replace it.")
    for target, text in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
    return list(targets)


def compatible(distribution: str) -> str:
    """The versions that go with the installed one, as a requirement: ``>=0.1,<0.2``."""
    major, minor, *_ = metadata.version(distribution).split(".")
    following = f"0.{int(minor) + 1}" if major == "0" else str(int(major) + 1)
    return f">={major}.{minor},<{following}"


def _value(place: re.Match[str], values: Mapping[str, str]) -> str:
    indent, alone, inline = place.groups()
    if inline:
        return values[inline]
    text = values[alone]
    return textwrap.indent(text, indent) + "\n" if text else ""


def _path(path: Path, values: Mapping[str, str]) -> str:
    parts = [re.sub(r"^dot-", ".", part) for part in path.parts]
    return "/".join(part.replace("NAME", values.get("NAME", "NAME")) for part in parts)
