"""Find the home directory of the user, who may have none, as in a container."""

from __future__ import annotations

from pathlib import Path

__all__ = ("NO_HOME", "find_home_directory")

NO_HOME = "HOME is not set, and the user is not in the system's table of users."
"""A sentence that says why there is no home directory."""


def find_home_directory() -> Path | None:
    """Return the home directory of the user; ``None`` if the user has none."""
    try:
        return Path.home()
    except RuntimeError:
        return None
