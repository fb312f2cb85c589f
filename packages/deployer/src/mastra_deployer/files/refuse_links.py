"""Refuse symbolic links in paths that mastra writes, because a link may lead out of the project."""

from __future__ import annotations

from pathlib import Path

from mastra_core.errors import ConfigError

__all__ = ("refuse_links",)


def refuse_links(root: Path, path: Path) -> None:
    """Raise an error if a path below a directory is a link or leads through a link.

    Links above the directory belong to the user and are allowed. Paths outside of the directory are
    not checked.

    :param root: the absolute path of the directory.
    :param path: the absolute path that is about to be written, locked or deleted.
    :raises ConfigError: naming the link.
    """
    base = next((base for base in (root, root.resolve()) if path.is_relative_to(base)), None)
    if base is None:
        return
    current, depth = base, 0
    for name in path.relative_to(base).parts:
        current /= name
        depth += -1 if name == ".." else 1
        if depth < 0:
            return
        if current.is_symlink():
            raise ConfigError(
                f"{str(current)!r} is a symbolic link, and mastra would write to its destination.",
                "Delete the link, or replace it with its destination.",
            )
