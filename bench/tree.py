"""What lies below a directory."""

from __future__ import annotations

import os
from pathlib import Path


def size(directory: Path) -> tuple[float, int]:
    """Apparent MB (a million bytes), and how many files."""
    files = [Path(at) / name for at, _, names in os.walk(directory) for name in names]
    return sum(path.lstat().st_size for path in files) / 1e6, len(files)
