"""Refuse paths that are not UTF-8, because uv and the manifest of a bundle need UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

from mastra_core.errors import ConfigError

__all__ = ("is_utf8", "require_utf8")


def is_utf8(name: str | Path) -> bool:
    """Return whether a name of the file system is UTF-8.

    :param name: the name or path.
    """
    try:
        str(name).encode()
    except UnicodeEncodeError:
        return False
    return True


def require_utf8(path: Path, subject: str, hint: str) -> None:
    """Raise an error if a path is not UTF-8.

    :param path: the path.
    :param subject: what the path belongs to; the message names it.
    :param hint: the cure.
    :raises ConfigError: when the path is not UTF-8.
    """
    if not is_utf8(path):
        raise ConfigError(f"The path {os.fsencode(path)!r} of {subject} is not UTF-8.", hint)
