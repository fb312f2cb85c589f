"""What takes the space."""

from __future__ import annotations

from pathlib import Path

from mastra_deployer.bundler.prune import distributions

__all__ = ("APP", "directory_size", "sizes_of")

APP = "(app)"


def sizes_of(app: Path, vendor: Path) -> dict[str, int]:
    """Apparent bytes of the app and of each distribution, the largest first.

    Bytecode counts for the package it belongs to.
    """
    sizes = {APP: directory_size(app)}
    owners: dict[str, str] = {}
    for item in distributions(vendor).values():
        for name in item.files:
            owners.setdefault(name.partition("/")[0], item.name)
        owners[item.info.name] = item.name
    for top in vendor.iterdir():
        owner = owners.get(top.name, top.name)
        sizes[owner] = sizes.get(owner, 0) + directory_size(top)
    return dict(sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0])))


def directory_size(path: Path) -> int:
    """Apparent bytes of a file, or of all files below a directory."""
    if path.is_file():
        return path.stat().st_size
    return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
