"""What takes the space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mastra_deployer.bundler.prune import distributions

__all__ = ("APP", "directory_size", "largest", "sizes_of")

APP = "(app)"


def sizes_of(app: Path, vendor: Path) -> dict[str, int]:
    """Apparent bytes of the app and of each distribution, the largest first.

    Bytecode counts for the package it belongs to.
    """
    sizes = {APP: directory_size(app)}
    owners = _owners(vendor)
    loose = vendor / "__pycache__"
    parts = [path for path in vendor.iterdir() if path != loose]
    parts += list(loose.iterdir()) if loose.exists() else []
    for part in parts:
        owner = owners.get(part.name.partition(".")[0], part.name)
        sizes[owner] = sizes.get(owner, 0) + directory_size(part)
    return largest(sizes)


def largest(sizes: Mapping[str, int], count: int | None = None) -> dict[str, int]:
    """The parts by size, the largest first."""
    return dict(sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))[:count])


def _owners(vendor: Path) -> dict[str, str]:
    """Top-level name, up to its first dot, to the distribution it belongs to."""
    owners: dict[str, str] = {}
    for item in distributions(vendor).values():
        for name in (*item.files, item.info.name):
            owners.setdefault(name.partition("/")[0].partition(".")[0], item.name)
    return owners


def directory_size(path: Path) -> int:
    """Apparent bytes of a file, or of all files below a directory."""
    if path.is_file():
        return path.stat().st_size
    return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
