"""Replace a directory or a file with a finished one, in one atomic step."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from mastra_core.errors import BundleError
from mastra_core.pipeline import MANIFEST

__all__ = (
    "choose_temporary_parent",
    "needs_repair",
    "repair_directory",
    "replace_directory",
    "replace_file",
    "require_replaceable",
)

_AT_FDCWD = -100
_EXCHANGE = 2


def replace_directory(source: Path, destination: Path) -> None:
    """Move ``source`` to ``destination``, so that readers see either the old or the new directory.

    If the system can exchange the names of two directories, the old one is at ``source``
    afterwards.

    :param source: the finished directory, on the file system of ``destination``.
    :param destination: the bundle to replace, or a path that does not exist.
    :raises BundleError: when ``destination`` is a link, is not a bundle or cannot be written; it
        is then unchanged.
    """
    require_replaceable(destination)
    try:
        _replace(source, destination)
    except OSError as error:
        raise BundleError(
            f"{str(destination)!r} cannot be replaced: {error.strerror}. "
            "The old bundle is unchanged.",
            "Check the owner of its parent directory.",
        ) from None


def require_replaceable(destination: Path) -> None:
    """Raise an error if a directory must not be replaced.

    :param destination: the bundle to replace, or a path that does not exist.
    :raises BundleError: when ``destination`` is a link or a file, or contains files and is not a
        bundle.
    """
    if destination.is_symlink():
        raise BundleError(
            f"{str(destination)!r} is a symbolic link, so it cannot be replaced.",
            "Delete the link, or pass its destination with --output.",
        )
    is_file = destination.exists() and not destination.is_dir()
    if is_file or _has_other_files(destination):
        raise BundleError(
            f"{str(destination)!r} is not a bundle of mastra, so mastra does not replace it.",
            "Move it to another place, or choose another directory with --output.",
        )


def _has_other_files(destination: Path) -> bool:
    """Return whether a directory contains files, but no bundle."""
    if not destination.is_dir() or (destination / MANIFEST).exists():
        return False
    return any(destination.iterdir())


def replace_file(file: Path, content: bytes, draft: Path, *, mode: int = 0o666) -> None:
    """Write a file, so that readers see either the old or the new content.

    :param file: the file to write.
    :param content: the content of the file.
    :param draft: a path on the same file system that no other process writes. An old file or link
        at the path of ``draft`` is deleted first, because writing to a link would change its
        destination.
    :param mode: permissions of the file, before the umask.
    :raises OSError: when the file cannot be written.
    """
    try:
        draft.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with open(os.open(draft, flags, mode), "wb") as stream:  # noqa: PTH123  # a descriptor
            stream.write(content)
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def repair_directory(destination: Path) -> None:
    """Restore the old directory after a replacement that was killed between two renames.

    :param destination: the replaced directory.
    """
    if needs_repair(destination):
        backup = _get_backup_path(destination)
        if destination.exists():
            shutil.rmtree(backup, ignore_errors=True)
        else:
            backup.rename(destination)


def needs_repair(destination: Path) -> bool:
    """Return whether a replacement of ``destination`` was killed or is still running.

    :param destination: the replaced directory.
    """
    backup = _get_backup_path(destination)
    return not backup.is_symlink() and (backup / MANIFEST).exists()


def choose_temporary_parent(destination: Path, default: Path) -> Path:
    """Return the parent of the temporary directory that will be renamed to ``destination``.

    The directory is on the file system of ``destination``, because a rename works only within a
    file system.

    :param destination: the directory that will be replaced.
    :param default: the directory to return if it is on the file system of ``destination``.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    same = destination.parent.stat().st_dev == default.stat().st_dev
    return default if same else destination.parent


def _replace(source: Path, destination: Path) -> None:
    if not destination.exists():
        source.rename(destination)
    elif not _exchange_names(source, destination):
        backup = _get_backup_path(destination)
        destination.rename(backup)
        try:
            source.rename(destination)
        except OSError:
            backup.rename(destination)
            raise
        shutil.rmtree(backup, ignore_errors=True)


def _exchange_names(source: Path, destination: Path) -> bool:
    """Exchange two names in one system call, if Linux and the file system support this."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes  # only a build that replaces a bundle needs it

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    status = libc.renameat2(
        _AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(destination), _EXCHANGE
    )
    return bool(status == 0)


def _get_backup_path(destination: Path) -> Path:
    return destination.with_name(f".{destination.name}.mastra-swap")
