"""Writes reproducible zip and tar archives without holding them in memory."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from mastra_core.errors import BundleError

__all__ = ("split_file", "tar_directory", "zip_directory")

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can express
_CHUNK = 1 << 20
_UNIX = 3  # the system that made a zip: readers apply modes only to this one


def zip_directory(
    directory: Path,
    file: Path | IO[bytes],
    *,
    paths: Iterable[str] | None = None,
    executables: Collection[str] = (),
) -> None:
    """Write a directory's files as a zip: sorted, dated 1980, modes 644 and 755.

    The bytes are the same on every machine with the same zlib.

    :param directory: that holds the files.
    :param file: a path, which is replaced, or a file open for writing.
    :param paths: the files to write, relative to ``directory``; all files where left out.
    :param executables: those of ``paths`` that get mode 755.
    :raises BundleError: for a symbolic link.
    """
    with (
        _open_file(file) as target,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, path in _iter_members(directory, paths):
            info = zipfile.ZipInfo(name, _EARLIEST)
            info.create_system = _UNIX
            info.external_attr = (stat.S_IFREG | _get_mode(name, executables)) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            info.file_size = path.stat().st_size  # selects zip64 for very large files
            with path.open("rb") as content, archive.open(info, "w") as member:
                shutil.copyfileobj(content, member, _CHUNK)


def tar_directory(
    directory: Path,
    file: Path | IO[bytes],
    *,
    compress: bool = True,
    prefix: str = "",
    paths: Iterable[str] | None = None,
    executables: Collection[str] = (),
) -> None:
    """Write a directory's files as a tar: sorted, dated 1970, owned by 0, modes 644 and 755.

    It holds files and no directories. The bytes are the same on every machine; compressed, with
    the same zlib.

    :param directory: that holds the files.
    :param file: a path, which is replaced, or a file open for writing.
    :param compress: whether to compress with gzip.
    :param prefix: a directory that all names are put below.
    :param paths: the files to write, relative to ``directory``; all files where left out.
    :param executables: those of ``paths`` that get mode 755.
    :raises BundleError: for a symbolic link.
    """
    with (
        _open_file(file) as target,
        _open_gzip(target) if compress else contextlib.nullcontext(target) as stream,
        tarfile.open(fileobj=stream, mode="w|", bufsize=_CHUNK) as archive,
    ):
        for name, path in _iter_members(directory, paths):
            info = tarfile.TarInfo((PurePosixPath(prefix) / name).as_posix())
            info.size = path.stat().st_size
            info.mode = _get_mode(name, executables)
            with path.open("rb") as content:
                archive.addfile(info, content)


def split_file(file: Path, size: int) -> Iterator[bytes]:
    """Yield the content of a file in parts; the last part may be smaller.

    :param file: read while the parts are consumed.
    :param size: bytes of a part.
    """
    with file.open("rb") as content:
        while part := content.read(size):
            yield part


def _open_file(file: Path | IO[bytes]) -> contextlib.AbstractContextManager[IO[bytes]]:
    return file.open("wb") if isinstance(file, Path) else contextlib.nullcontext(file)


@contextlib.contextmanager
def _open_gzip(target: IO[bytes]) -> Iterator[IO[bytes]]:
    """Open a gzip stream whose header holds no name and no time."""
    with gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) as stream:
        yield cast("IO[bytes]", stream)


def _iter_members(directory: Path, paths: Iterable[str] | None) -> Iterator[tuple[str, Path]]:
    if paths is None:
        found = (item for item in directory.rglob("*") if item.is_symlink() or item.is_file())
        paths = (item.relative_to(directory).as_posix() for item in found)
    for name in sorted(paths):
        path = directory / name
        if path.is_symlink():
            raise BundleError(
                f"{str(path)!r} is a symbolic link, and an archive holds only files.",
                "Replace the link by the file itself.",
            )
        yield name, path


def _get_mode(name: str, executables: Collection[str]) -> int:
    return 0o755 if name in executables else 0o644
