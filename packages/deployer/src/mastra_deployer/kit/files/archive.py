"""Write reproducible zip and tar archives without loading them into memory."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import hashlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import IO

from mastra_core.errors import BundleError
from mastra_deployer.kit.files.archive_entries import ArchiveEntry, iter_entries
from mastra_deployer.kit.files.gzip_writer import GzipWriter

__all__ = (
    "TAR_END",
    "ZipArchive",
    "create_zip",
    "iter_tar_member",
    "split_file",
    "tar_directory",
    "write_tar",
    "write_zip",
    "zip_directory",
)

TAR_END = bytes(2 * tarfile.BLOCKSIZE)
"""The bytes at the end of each tar."""
_BEST = 9  # level of compression
_CHUNK = 1 << 20
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can store
_UNIX = 3  # the system that made the zip; readers apply modes only to zips of Unix


@dataclasses.dataclass(frozen=True, kw_only=True)
class ZipArchive:
    """A zip in memory, with its digest in the forms of platforms.

    :param content: the bytes of the zip.
    """

    content: bytes

    @functools.cached_property
    def sha256(self) -> str:
        """The digest in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @functools.cached_property
    def content_base64(self) -> str:
        """The bytes in base64, for a request in JSON."""
        return base64.b64encode(self.content).decode()

    @functools.cached_property
    def sha256_base64(self) -> str:
        """The digest in base64, as in ``CodeSha256`` of AWS Lambda."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()


def create_zip(
    directory: Path,
    *,
    paths: Iterable[str] | None = None,
    executables: Collection[str] | None = None,
) -> ZipArchive:
    """Return a directory's files as a zip with its digest, in the format of ``zip_directory``.

    :param directory: the directory that contains the files.
    :param paths: the files to write, relative to ``directory``; all files if left out.
    :param executables: the paths that get mode 755; if left out, each file that its owner may
        execute gets mode 755.
    :raises BundleError: for a symbolic link, for a path that is no file of the directory, and when
        there is no such directory.
    """
    file = io.BytesIO()
    zip_directory(directory, file, paths=paths, executables=executables)
    return ZipArchive(content=file.getvalue())


def zip_directory(
    directory: Path,
    file: Path | IO[bytes],
    *,
    paths: Iterable[str] | None = None,
    executables: Collection[str] | None = None,
) -> None:
    """Write a directory's files as a zip: sorted, dated 1980, with modes 644 and 755.

    The bytes are the same on every machine with the same zlib.

    :param directory: the directory that contains the files.
    :param file: a path, which is replaced, or a file open for writing.
    :param paths: the files to write, relative to ``directory``; all files if left out.
    :param executables: the paths that get mode 755; if left out, each file that its owner may
        execute gets mode 755.
    :raises BundleError: for a symbolic link, for a path that is no file of the directory, and when
        there is no such directory.
    """
    _require_directory(directory)
    with _open_file(file) as target:
        write_zip(iter_entries(directory, paths=paths, executables=executables), target)


def tar_directory(
    directory: Path,
    file: Path | IO[bytes],
    *,
    compress: bool = True,
    prefix: str = "",
    paths: Iterable[str] | None = None,
    executables: Collection[str] | None = None,
) -> None:
    """Write a directory's files as a tar: sorted, dated 1970, owner 0, modes 644 and 755.

    The tar contains files and no directories. An uncompressed tar has the same bytes on every
    machine. A compressed tar has the same bytes on every machine with the same zlib.

    :param directory: the directory that contains the files.
    :param file: a path, which is replaced, or a file open for writing.
    :param compress: whether to compress with gzip.
    :param prefix: a directory that is put before all names.
    :param paths: the files to write, relative to ``directory``; all files if left out.
    :param executables: the paths that get mode 755; if left out, each file that its owner may
        execute gets mode 755.
    :raises BundleError: for a symbolic link, for a path that is no file of the directory, and when
        there is no such directory.
    """
    _require_directory(directory)
    entries = iter_entries(directory, prefix, paths=paths, executables=executables)
    with _open_file(file) as target:
        stream = GzipWriter(target.write, _BEST) if compress else None
        write_tar(entries, stream.write if stream else target.write)
        if stream:
            stream.close()


def write_zip(entries: Iterable[ArchiveEntry], file: IO[bytes], *, append: bool = False) -> None:
    """Write a compressed zip of entries in their order, all dated 1980.

    :param entries: the entries.
    :param file: a file that is open for writing, and with ``append`` also for reading.
    :param append: whether to add the entries to the zip that ``file`` contains. The entries of this
        zip are not compressed again.
    """
    with zipfile.ZipFile(file, "a" if append else "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in entries:
            mode = 0o777 if entry.link else entry.mode
            info = zipfile.ZipInfo(f"{entry.path}/" if entry.directory else entry.path, _EARLIEST)
            info.create_system = _UNIX
            info.external_attr = (_get_type(entry) | mode) << 16
            if entry.link or entry.directory:
                archive.writestr(info, entry.link)
                continue
            info.compress_type = zipfile.ZIP_DEFLATED
            info.file_size = entry.get_size()  # selects zip64 for very large files
            with archive.open(info, "w") as member:
                for chunk in _iter_content(entry, info.file_size):
                    member.write(chunk)


def write_tar(entries: Iterable[ArchiveEntry], write: Callable[[bytes], object]) -> None:
    """Write a tar of entries in their order, all dated 1970, with owner 0.

    :param entries: the entries.
    :param write: receives the bytes of the tar, such as ``write`` of a file or of a `GzipWriter`.
    """
    size = len(TAR_END)
    for entry in entries:
        for chunk in iter_tar_member(entry):
            write(chunk)
            size += len(chunk)
    write(TAR_END + bytes(-size % tarfile.RECORDSIZE))


def iter_tar_member(entry: ArchiveEntry) -> Iterator[bytes]:
    """Yield the bytes of one entry of a tar: its header, its content and its padding.

    A tar consists of such members and of ``TAR_END``.

    :param entry: the entry.
    :raises BundleError: when the entry's file changes while it is read.
    """
    info = tarfile.TarInfo(entry.path)
    info.mode = entry.mode
    if entry.directory:
        info.type = tarfile.DIRTYPE
    elif entry.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
    else:
        info.size = entry.get_size()
    yield info.tobuf(tarfile.PAX_FORMAT)
    if info.isreg():
        yield from _iter_content(entry, info.size)
        yield bytes(-info.size % tarfile.BLOCKSIZE)


def split_file(file: Path, size: int) -> Iterator[bytes]:
    """Yield the content of a file in parts; the last part may be smaller.

    :param file: the file, which is read while the parts are consumed.
    :param size: bytes of a part.
    :raises ValueError: for a size below 1.
    """
    if size < 1:
        raise ValueError(f"A part of a file cannot have {size!r} bytes.")
    with file.open("rb") as content:
        while part := content.read(size):
            yield part


def _require_directory(directory: Path | str) -> None:
    """Raise an error for a missing directory, because an archive of it would be empty."""
    if not Path(directory).is_dir():
        raise BundleError(
            f"{str(directory)!r} is not a directory.", "Check the path of the directory."
        )


def _open_file(file: Path | str | IO[bytes]) -> contextlib.AbstractContextManager[IO[bytes]]:
    return Path(file).open("wb") if isinstance(file, Path | str) else contextlib.nullcontext(file)


def _get_type(entry: ArchiveEntry) -> int:
    if entry.directory:
        return stat.S_IFDIR
    return stat.S_IFLNK if entry.link else stat.S_IFREG


def _iter_content(entry: ArchiveEntry, size: int) -> Iterator[bytes]:
    """Yield the content of an entry, and check its size against the entry's header."""
    length = 0
    with entry.open() as content:
        while chunk := content.read(_CHUNK):
            length += len(chunk)
            yield chunk
    if length != size:
        raise BundleError(
            f"{str(entry.source)!r} changed while it was written to an archive.",
            "Stop programs that write into the bundle. Then run the command again.",
        )
