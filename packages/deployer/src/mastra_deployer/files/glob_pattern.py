"""Find files by a glob pattern, with the same result in each version of Python."""

from __future__ import annotations

from pathlib import Path

__all__ = ("find_matches",)


def find_matches(directory: Path, pattern: str) -> list[Path]:
    """Return the sorted paths below a directory that match a pattern.

    ``**`` matches any number of directories; if it is the last part, it matches their files too, as
    it does since Python 3.13.

    :param directory: the directory to which the pattern is relative.
    :param pattern: the pattern, such as ``data/**/*.json``.
    :raises ValueError: when the pattern is empty, or contains ``**`` within a name.
    :raises NotImplementedError: when the pattern is absolute.
    """
    parts = Path(pattern).parts
    if not parts or any("**" in part and part != "**" for part in parts):
        raise ValueError(f"Unacceptable pattern: {pattern!r}")
    found = {*directory.glob(pattern)}
    if parts[-1] == "**":
        found.update(directory.glob(f"{pattern}/*"))
    return sorted(found)
