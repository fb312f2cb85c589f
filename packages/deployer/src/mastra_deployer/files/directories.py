"""Where mastra keeps what it makes."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Project

__all__ = (
    "OUTPUT",
    "cache_directory",
    "cache_writing",
    "local_directory",
    "project_writing",
    "publish",
    "spare_directory",
    "unwritable",
)

OUTPUT = ".mastra"
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG))


def cache_directory(kind: str) -> Path:
    """A directory in the user's cache; ``MASTRA_CACHE_DIR`` moves the whole cache."""
    path = _cache_root() / kind
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The cache {str(path)!r} cannot be made: {error.strerror}.",
            "Set MASTRA_CACHE_DIR to a directory that can be written.",
        ) from None
    return path


def local_directory(project: Project) -> Path:
    """``.mastra-local`` of a project, made so that git ignores it.

    :raises ConfigError: when the project cannot be written.
    """
    local = project.local
    try:
        local.mkdir(exist_ok=True)
        ignore = local / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise unwritable(local, error) from None
    return local


def spare_directory(project: Project) -> Path:
    """Where dependencies lie that a replaced bundle left behind, made or not."""
    return project.local / "spare"


def unwritable(path: Path, error: OSError) -> ConfigError:
    """The error for a place in the project that cannot be written."""
    return ConfigError(
        f"{str(path)!r} cannot be written: {error.strerror}.",
        "Check the owner and the free space of the project's directory.",
    )


@contextlib.contextmanager
def cache_writing() -> Iterator[None]:
    """For a block that writes nothing but the cache: what fails there is said of the cache.

    :raises ConfigError: when the cache is full, or cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"The cache {str(_cache_root())!r} cannot be written: {error.strerror or error}.",
            "Free some space there (the cache may be deleted at any time), or set "
            "MASTRA_CACHE_DIR to another directory.",
        ) from None


@contextlib.contextmanager
def project_writing(place: Path) -> Iterator[None]:
    """For a block that writes below ``place``: a full or read-only disk is said of it.

    :raises ConfigError: for those; other errors of the system pass.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        named = Path(error.filename2 or error.filename or place)
        raise unwritable(place if named.is_relative_to(place) else named, error) from None


def publish(made: Path, place: Path) -> None:
    """Rename a finished directory to its place in the cache.

    Places are named by content, so who comes second has the same and throws his away.
    """
    try:
        made.rename(place)
    except OSError:
        if not place.exists():
            raise
        shutil.rmtree(made, ignore_errors=True)


def _cache_root() -> Path:
    if named := os.environ.get("MASTRA_CACHE_DIR"):
        return Path(named).absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mastra"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "mastra" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mastra"
