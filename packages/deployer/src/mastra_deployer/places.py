"""Where mastra keeps what it makes."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from mastra_core.errors import ConfigError
from mastra_core.line import Project

__all__ = (
    "OUTPUT",
    "cache_directory",
    "local_directory",
    "publish",
    "scratch_directory",
    "spare_directory",
    "unwritable",
)

OUTPUT = ".mastra"


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


def scratch_directory(parent: Path, prefix: str = "tmp-") -> tempfile.TemporaryDirectory[str]:
    """A temporary directory on the file system of ``parent``, so that results can be renamed.

    What begins with ``tmp-`` in ``.mastra-local`` is removed by the next build.
    """
    return tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True)


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
