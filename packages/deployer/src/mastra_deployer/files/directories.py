"""Find and create the directories to which mastra writes."""

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
from mastra_deployer.files.home_directory import NO_HOME, find_home_directory
from mastra_deployer.files.path_encoding import require_utf8
from mastra_deployer.files.refuse_links import refuse_links

__all__ = (
    "OUTPUT_DIRECTORY",
    "build_unwritable_error",
    "convert_cache_errors",
    "convert_project_errors",
    "ensure_local_directory",
    "get_cache_directory",
    "get_local_file",
    "get_vendor_reuse_directory",
    "publish_directory",
)

OUTPUT_DIRECTORY = ".mastra"
_DISK_ERRORS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG))


def get_cache_directory(kind: str) -> Path:
    """Create and return a directory in the user's cache.

    ``MASTRA_CACHE_DIR`` moves the whole cache.

    :param kind: the directory's name.
    :raises ConfigError: when the directory cannot be created.
    """
    path = _get_cache_root() / kind
    require_utf8(path, "the cache", "Set MASTRA_CACHE_DIR to another directory.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The cache {str(path)!r} cannot be created: {error.strerror}.",
            "Set MASTRA_CACHE_DIR to a writable directory.",
        ) from None
    return path


def ensure_local_directory(project: Project, *names: str) -> Path:
    """Create and return ``.mastra-local`` of a project, or a directory in it; git ignores both.

    :param project: the project.
    :param names: the names of the directory, relative to ``.mastra-local``.
    :raises ConfigError: if the project cannot be written, or the path contains a symbolic link.
    """
    local = project.local_directory
    directory, ignore = local.joinpath(*names), local / ".gitignore"
    refuse_links(project.root, directory)
    refuse_links(project.root, ignore)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise build_unwritable_error(local, error) from None
    return directory


def get_local_file(project: Project, *names: str) -> Path:
    """Return the path of a file in a project's ``.mastra-local``.

    The directory of the file is created if possible. If the directory cannot be created, a later
    write to the file fails.

    :param project: the project.
    :param names: the names of the file, relative to ``.mastra-local``.
    :raises ConfigError: when the path contains a symbolic link, or ``.mastra-local`` cannot be
        created.
    """
    file = ensure_local_directory(project).joinpath(*names)
    refuse_links(project.root, file)
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
    return file


def get_vendor_reuse_directory(project: Project) -> Path:
    """Return the path to which the dependencies of a replaced bundle are moved, for reuse.

    :param project: the project.
    :raises ConfigError: if the path contains a symbolic link.
    """
    directory = project.local_directory / "spare"
    refuse_links(project.root, directory)
    return directory


def build_unwritable_error(path: Path, error: OSError) -> ConfigError:
    """Build the error for a path in the project that mastra cannot write.

    :param path: the file or directory.
    :param error: the system's error.
    """
    return ConfigError(
        f"{str(path)!r} cannot be written: {error.strerror}.",
        "Check the owner and the free space of the project's directory.",
    )


@contextlib.contextmanager
def convert_cache_errors() -> Iterator[None]:
    """Convert system errors of the block, which writes only to the cache, to ``ConfigError``.

    :raises ConfigError: when the cache is full or cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"The cache {str(_get_cache_root())!r} cannot be written: {error.strerror or error}.",
            "Free some space on its disk, or set MASTRA_CACHE_DIR to another directory. You can "
            "delete the cache at any time.",
        ) from None


@contextlib.contextmanager
def convert_project_errors(directory: Path) -> Iterator[None]:
    """Convert disk errors of the block, which writes below ``directory``, to ``ConfigError``.

    :param directory: a directory of the project.
    :raises ConfigError: for a full or read-only disk. Other system errors are raised unchanged.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        path = Path(error.filename2 or error.filename or directory)
        raise build_unwritable_error(
            directory if path.is_relative_to(directory) else path, error
        ) from None


def publish_directory(source: Path, destination: Path) -> None:
    """Rename a finished directory to its path in the cache.

    If another process has already published a directory at this path, its contents are the same,
    and ``source`` is deleted.

    :param source: the finished directory, on the cache's file system.
    :param destination: the directory's path in the cache.
    """
    try:
        source.rename(destination)
    except OSError:
        if not destination.exists():
            raise
        shutil.rmtree(source, ignore_errors=True)


def _get_cache_root() -> Path:
    if directory := os.environ.get("MASTRA_CACHE_DIR"):
        return Path(directory).absolute()
    variable = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_CACHE_HOME")
    configured = os.environ.get(variable)
    base = Path(configured) if configured else find_home_directory()
    if base is None:
        raise ConfigError(
            f"There is no directory for the cache. {NO_HOME}",
            "Set MASTRA_CACHE_DIR to a writable directory.",
        )
    names = {"darwin": ("Library", "Caches", "mastra"), "win32": ("mastra", "cache")}
    default = ("mastra",) if configured else (".cache", "mastra")
    return base.joinpath(*names.get(sys.platform, default))
