"""Trees of files: listing, linking and hashing."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

__all__ = (
    "HAS_MODES",
    "Identity",
    "get_identity",
    "hash_file",
    "is_executable",
    "iter_files",
    "lay_out",
    "measure_files",
    "normalize_mode",
)

HAS_MODES = os.name == "posix"
"""Whether files have modes, which say whether they are executable; on Windows they have none."""

Identity: TypeAlias = tuple[int, int, int, int]
"""Device, inode, size and modification time of a file, the same for all its hard links."""

_BLOCK_SIZE = 1 << 20
_FOLLOWS_LINKS = os.link not in os.supports_follow_symlinks
"""Whether a symbolic link is copied as the file behind it; only Windows knows no other way."""
_PROGRAM_HEADS = (b"#!", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


def lay_out(source: Path, target: Path) -> None:
    """Copy a tree of files with hard links, or as real copies if hard links are impossible.

    Linking is about fifteen times faster than copying. Linked files share their content, so replace
    a file, and never write into it. For this reason, files in the dependency cache are read-only.
    A symbolic link to a file stays a link, except on Windows.

    :param source: the directory to copy.
    :param target: the new directory. If it exists, its files with the same names are replaced.
    """
    target.mkdir(parents=True, exist_ok=True)
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.is_dir():
                lay_out(Path(entry.path), target / entry.name)
            else:
                _link_or_copy(entry.path, f"{target}{os.sep}{entry.name}")


def iter_files(directory: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield each file and link below a directory with its relative name, in any order.

    :param directory: the root of the tree.
    """
    pending = [("", str(directory))]
    while pending:
        prefix, parent = pending.pop()
        with os.scandir(parent) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append((f"{name}/", entry.path))
                else:
                    yield name, entry


def measure_files(directory: Path) -> int:
    """Return the bytes of all files below a directory.

    A link to a file counts as the file. A link to a directory counts nothing.

    :param directory: the root of the tree.
    """
    return sum(entry.stat().st_size for _, entry in iter_files(directory) if entry.is_file())


def get_identity(status: os.stat_result) -> Identity:
    """Return a value that changes with the content of a file, without reading the file.

    :param status: the result of ``stat``.
    """
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def is_executable(path: str | Path, status: os.stat_result) -> bool:
    """Return whether the owner of a file may execute it.

    On a system without modes, scripts and programs of Linux and macOS count as executable. A bundle
    that is made on such a system therefore has the right modes elsewhere.

    :param path: the file.
    :param status: the result of ``stat`` for it.
    """
    if HAS_MODES:
        return bool(status.st_mode & stat.S_IXUSR)
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # called for each file of a bundle
            return file.read(4).startswith(_PROGRAM_HEADS)
    except OSError:  # a directory
        return False


def normalize_mode(path: str | Path, status: os.stat_result) -> None:
    """Normalize the mode of a file or directory, so that it does not depend on the umask.

    The mode of directories and executable files is 755. The mode of other files is 644. If the
    owner has no write permission, the modes are 555 and 444. On Windows, nothing changes.

    :param path: the file or directory.
    :param status: the result of ``stat`` for it.
    """
    if not HAS_MODES:
        return
    mode = 0o755 if is_executable(path, status) else 0o644
    if not status.st_mode & stat.S_IWUSR:
        mode &= 0o555
    if stat.S_IMODE(status.st_mode) != mode:
        os.chmod(path, mode)  # noqa: PTH101  # called for each file of a bundle


def hash_file(path: str | Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal.

    :param path: the file.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123  # called for each file of a bundle
        while block := file.read(_BLOCK_SIZE):
            digest.update(block)
    return digest.hexdigest()


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=_FOLLOWS_LINKS)  # the default of 3.14 is to follow
    except FileExistsError:  # writing into the file would also change the files it is linked with
        os.unlink(target)  # noqa: PTH108  # called for each file of a bundle
        _link_or_copy(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy(source, target, follow_symlinks=_FOLLOWS_LINKS)
