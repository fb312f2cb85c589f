"""The entries of archives: files, symbolic links and directories."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from mastra_core.arguments.argument_types import refuse_text
from mastra_core.errors import BundleError
from mastra_core.pipeline.file_tree import is_executable
from mastra_deployer.files.strip_symbols import is_elf_file, strip_symbols

__all__ = ("ArchiveEntry", "iter_entries", "strip_entries")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArchiveEntry:
    """A file, a symbolic link or a directory of an archive.

    :param path: path in the archive, without a leading slash.
    :param mode: permissions of the entry; a symbolic link always has 777.
    :param source: the file that has the content of the entry.
    :param content: content of the entry, if there is no ``source``.
    :param link: target of a symbolic link; such an entry has no content.
    :param directory: whether the entry is a directory.
    """

    path: str
    mode: int = 0o644
    source: Path | None = None
    content: bytes = b""
    link: str = ""
    directory: bool = False

    def open(self) -> BinaryIO:
        """Open the content for reading."""
        return self.source.open("rb") if self.source else io.BytesIO(self.content)

    def get_size(self) -> int:
        """Return the size of the content in bytes."""
        return self.source.stat().st_size if self.source else len(self.content)


def iter_entries(
    directory: Path,
    prefix: str = "",
    *,
    paths: Iterable[str] | None = None,
    executables: Collection[str] | None = None,
    keep_links: bool = False,
) -> Iterator[ArchiveEntry]:
    """Yield an entry for each file of a directory, sorted by path, with mode 644 or 755.

    The entries do not have the files' own modes, which depend on the machine's umask.

    :param directory: the directory that contains the files; a missing directory has none.
    :param prefix: a directory that is put before all paths.
    :param paths: the files to yield, relative to ``directory``; all files if left out.
    :param executables: the paths that get mode 755; if left out, each file that its owner may
        execute gets mode 755.
    :param keep_links: whether to yield symbolic links; otherwise a symbolic link is an error.
    :raises BundleError: for a symbolic link, unless ``keep_links`` is true, for a path that is no
        file of the directory.
    """
    refuse_text(paths, "paths", "iter_entries")
    refuse_text(executables, "executables", "iter_entries")
    directory = Path(directory)
    for name in sorted(_list_files(directory) if paths is None else {*map(_as_name, paths)}):
        path = directory / name
        target = (PurePosixPath(prefix) / name).as_posix()
        if path.is_symlink():
            yield _create_link(path, target, keep=keep_links)
        elif not path.is_file():
            raise BundleError(
                f"{str(path)!r} is not a file.", "Check the paths of the archive's files."
            )
        else:
            executable = (
                is_executable(path, path.stat()) if executables is None else name in executables
            )
            yield ArchiveEntry(path=target, mode=0o755 if executable else 0o644, source=path)


def strip_entries(entries: Iterable[ArchiveEntry]) -> Iterator[ArchiveEntry]:
    """Yield the entries without the symbols of compiled libraries and programs.

    :param entries: the entries of an archive; those that are not ELF files stay unchanged.
    """
    for entry in entries:
        stripped = None
        if entry.source is not None and is_elf_file(entry.source):
            stripped = strip_symbols(entry.source.read_bytes())
        yield (
            entry if stripped is None else dataclasses.replace(entry, source=None, content=stripped)
        )


def _as_name(path: str) -> str:
    """Return a path relative to the directory of an archive."""
    name = PurePosixPath(path)
    if name.is_absolute() or ".." in name.parts:
        raise BundleError(
            f"The path {str(path)!r} leads out of the directory of the archive.",
            "Use a path that is relative to the directory.",
        )
    return name.as_posix()


def _list_files(directory: Path) -> Iterator[str]:
    for path in directory.rglob("*"):
        if path.is_symlink() or path.is_file():
            yield path.relative_to(directory).as_posix()


def _create_link(path: Path, target: str, *, keep: bool) -> ArchiveEntry:
    if not keep:
        raise BundleError(
            f"{str(path)!r} is a symbolic link, but the archive may contain only files.",
            "Replace the link with the file itself.",
        )
    return ArchiveEntry(path=target, link=str(path.readlink()))
