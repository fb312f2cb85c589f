"""Read a single-file app that declares its dependencies itself: ``# /// script``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from mastra_core.errors import ConfigError
from mastra_deployer.bundler.locks.indexes import Indexes
from mastra_deployer.bundler.locks.lock_source import LockRequest, LockSource, ResolverInput
from mastra_deployer.bundler.locks.uvlock import export_lock

__all__ = ("get_script_lock", "read_script", "read_script_block")

_BLOCK = re.compile(r"^# /// script\s*$\n((?:^#(?: .*)?$\n)+?)^# ///\s*$", re.MULTILINE)


def read_script_block(entry: Path) -> dict[str, Any] | None:
    """Return the ``# /// script`` block of a file; ``None`` if it has none.

    :param entry: the file.
    :raises ConfigError: for several blocks, or a block that is not TOML.
    """
    # A block is ASCII as a rule; the rest of the file may have any encoding that Python reads.
    blocks = _BLOCK.findall(entry.read_text(encoding="utf-8", errors="replace"))
    if not blocks:
        return None
    if len(blocks) > 1:
        raise ConfigError(
            f"{str(entry)!r} has {len(blocks)} script blocks, but only one is allowed.",
            "Keep one of them.",
        )
    text = "\n".join(line[2:] for line in blocks[0].splitlines())
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"The script block of {str(entry)!r} is not TOML: {error}.", "Correct that line."
        ) from None


def get_script_lock(entry: Path) -> Path:
    """Return the path of a script's uv lock, even if the file does not exist.

    :param entry: the script.
    """
    return entry.with_name(f"{entry.name}.lock")


def read_script(request: LockRequest, entry: Path, block: dict[str, Any]) -> LockSource:
    """Read the dependencies of a script, from its lock if there is one.

    :param request: the project, the target and the selected groups.
    :param entry: the script.
    :param block: the ``# /// script`` block of the script.
    :raises ConfigError: when extras or groups are selected, because a script has none.
    """
    lock = get_script_lock(entry)
    if request.extras or request.groups:
        raise ConfigError(
            f"{entry.name} is a script, so it has no extras or groups.",
            "Remove extras and groups from [tool.mastra.build].",
        )
    locked = lock.is_file()
    flags = ["--script", str(entry)]
    lines = tuple(block.get("dependencies", ()))
    return LockSource(
        name=lock.name if locked else f"{entry.name}'s script block",
        files=(entry, *([lock] if locked else [])),
        direct=lines,
        read=(lambda: export_lock(request, lock, flags))
        if locked
        else (lambda: ResolverInput(lines=lines)),
        locked=locked,
        update=f"uv lock --script {entry.name}",
        requires_python=block.get("requires-python", ""),
        indexes=_read_indexes(block),
    )


def _read_indexes(block: dict[str, Any]) -> Indexes:
    """Read the package indexes in [tool.uv] of the script's block."""
    listed = block.get("tool", {}).get("uv", {}).get("index", [])
    default = [item["url"] for item in listed if item.get("default")]
    extra = [item["url"] for item in listed if not item.get("default")]
    return Indexes(default=default[0] if default else "", extra=tuple(extra))
