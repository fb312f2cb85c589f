"""Measure the parts of a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mastra_core.pipeline import measure_files

if TYPE_CHECKING:  # a command that only sorts sizes needs no bundler
    from mastra_deployer.bundler.vendor.wheel_store import StoredWheel

__all__ = ("APP_KEY", "measure_sizes", "sort_by_size")

APP_KEY = "(app)"


def measure_sizes(app: Path, wheels: Iterable[StoredWheel]) -> dict[str, int]:
    """Measure the app and each distribution; the largest part is first.

    Bytecode counts for the package that it belongs to.

    :param app: directory of the app's files.
    :param wheels: the dependencies that ship.
    :returns: sizes of the files in bytes, by the name of the distribution or the app.
    """
    return sort_by_size(
        {APP_KEY: measure_files(app), **{wheel.name: wheel.size for wheel in wheels}}
    )


def sort_by_size(sizes: Mapping[str, int], count: int | None = None) -> dict[str, int]:
    """Sort sizes, the largest first.

    :param sizes: size in bytes by name.
    :param count: the number of sizes to return; ``None`` for all.
    """
    return dict(sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))[:count])
