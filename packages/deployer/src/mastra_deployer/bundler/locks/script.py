"""An app in one file that states its dependencies itself: ``# /// script``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from mastra_core.errors import ConfigError
from mastra_deployer.bundler.locks.indexes import Indexes
from mastra_deployer.bundler.locks.lock_source import Asked, Source, Wanted
from mastra_deployer.bundler.locks.uvlock import export

__all__ = ("block_of", "script", "script_lock")

_BLOCK = re.compile(r"^# /// script\s*$\n((?:^#(?: .*)?$\n)+?)^# ///\s*$", re.MULTILINE)


def block_of(entry: Path) -> dict[str, Any] | None:
    """The ``# /// script`` block of a file; ``None`` without one.

    :raises ConfigError: for two of them, or one that is not TOML.
    """
    found = _BLOCK.findall(entry.read_text(encoding="utf-8"))
    if not found:
        return None
    if len(found) > 1:
        raise ConfigError(f"{str(entry)!r} has {len(found)} script blocks.", "Keep one.")
    text = "\n".join(line[2:] for line in found[0].splitlines())
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"The script block of {str(entry)!r} is not TOML: {error}.", "Correct that line."
        ) from None


def script_lock(entry: Path) -> Path:
    """Where uv keeps the lock of a script."""
    return entry.with_name(f"{entry.name}.lock")


def script(asked: Asked, entry: Path, block: dict[str, Any]) -> Source:
    """What a script states of itself, and its own lock where there is one."""
    lock = script_lock(entry)
    if asked.extras or asked.groups:
        raise ConfigError(
            f"{entry.name} is a script, which has no extras or groups.",
            "Take extras and groups out of [tool.mastra.build].",
        )
    locked = lock.is_file()
    flags = ["--script", str(entry)]
    lines = tuple(block.get("dependencies", ()))
    return Source(
        name=lock.name if locked else f"{entry.name}'s script block",
        files=(entry, *([lock] if locked else [])),
        direct=lines,
        read=(lambda: export(asked, lock, flags)) if locked else (lambda: Wanted(lines=lines)),
        locked=locked,
        update=f"uv lock --script {entry.name}",
        requires_python=block.get("requires-python", ""),
        indexes=_indexes(block),
    )


def _indexes(block: dict[str, Any]) -> Indexes:
    """[tool.uv] of the block, whose indexes are written like a project's."""
    listed = block.get("tool", {}).get("uv", {}).get("index", [])
    default = [item["url"] for item in listed if item.get("default")]
    extra = [item["url"] for item in listed if not item.get("default")]
    return Indexes(default=default[0] if default else "", extra=tuple(extra))
