"""Directories of the benchmark: one persistent cache; every run adds a temporary directory."""

from __future__ import annotations

import os
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent


def cache_directory() -> Path:
    """Return the directory of what later runs reuse: downloads, Node, the peer's packages."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = base / "mastra-bench"
    path.mkdir(parents=True, exist_ok=True)
    return path
