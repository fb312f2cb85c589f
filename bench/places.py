"""Where the benchmark keeps its things: one cache of its own, one temporary directory per run."""

from __future__ import annotations

import os
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent


def cache() -> Path:
    """What the next run can use again: uv's and npm's downloads, Node, the peer's packages."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = base / "mastra-bench"
    path.mkdir(parents=True, exist_ok=True)
    return path
