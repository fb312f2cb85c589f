"""What takes the space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mastra_deployer.bundler.vendor.wheel_store import Part

__all__ = ("APP", "largest", "sizes_of")

APP = "(app)"


def sizes_of(app: Path, parts: Iterable[Part]) -> dict[str, int]:
    """Apparent bytes of the app and of each distribution, the largest first.

    Bytecode counts for the package it belongs to.
    """
    own = sum(path.stat().st_size for path in app.rglob("*") if path.is_file())
    return largest({APP: own, **{part.name: part.size for part in parts}})


def largest(sizes: Mapping[str, int], count: int | None = None) -> dict[str, int]:
    """The parts by size, the largest first."""
    return dict(sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))[:count])
