"""Read from an ELF file what its program or library needs, without running the file."""

from __future__ import annotations

import dataclasses
import mmap
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from mastra_deployer.files.elf_format import LOAD, MAGIC, Segment, read_segments

__all__ = ("ElfFile", "find_needed_glibc", "read_elf_file")

_MACHINES = {
    3: "i686",
    21: "ppc64le",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
}
_ORDER_OFFSET, _MACHINE_OFFSET = 5, 18
_BIG_ENDIAN = 2
_DYNAMIC, _INTERPRETER = 2, 3  # types of segments
_NEEDED, _STRINGS, _RPATH, _RUNPATH = 1, 5, 15, 29  # tags of dynamic entries
_ENTRY = struct.Struct("<qQ")
_GLIBC = re.compile(rb"\0GLIBC_(2\.\d+)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ElfFile:
    """A program or a shared library for Linux.

    :param machine: machine name, ``x86_64``.
    :param loader: path of the dynamic loader; empty for a static program, and for a library.
    :param needed: names of the libraries that the file needs.
    :param run_paths: the directories in which the loader first searches the libraries, as the file
        names them (``RUNPATH``).
    :param old_run_paths: the directories of the older entry ``RPATH``, which also apply to the
        libraries that the file's own libraries need.
    """

    machine: str
    loader: str = ""
    needed: tuple[str, ...] = ()
    run_paths: tuple[str, ...] = ()
    old_run_paths: tuple[str, ...] = ()

    @property
    def libc(self) -> str:
        """The C library of the file: ``glibc``, ``musl``, or empty if unknown."""
        if "/ld-musl-" in self.loader:
            return "musl"
        return "glibc" if "/ld-" in self.loader or "/ld64" in self.loader else ""


def read_elf_file(path: Path) -> ElfFile | None:
    """Read an ELF file.

    :param path: the file.
    :returns: the properties of the file; ``None`` for any other file, and for a damaged file. For a
        32-bit file and for a big-endian file, only ``machine`` is set.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            return _parse(view)
    except (OSError, ValueError, struct.error, IndexError):
        return None


def find_needed_glibc(path: Path) -> tuple[int, int]:
    """Return the newest glibc version that a file needs, such as ``(2, 34)``, or else ``(0, 0)``.

    :param path: an ELF file, which is searched for the names of versions.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        versions = {match[1].decode() for match in _GLIBC.finditer(view)}
    pairs = [text.partition(".")[::2] for text in versions]
    return max(((int(major), int(minor)) for major, minor in pairs), default=(0, 0))


def _parse(view: mmap.mmap) -> ElfFile | None:
    if view[:4] != MAGIC[:4]:
        return None
    is_big = view[_ORDER_OFFSET] == _BIG_ENDIAN
    machine_field = view[_MACHINE_OFFSET : _MACHINE_OFFSET + 2]
    number = int.from_bytes(machine_field, "big" if is_big else "little")
    machine = _MACHINES.get(number, f"machine {number}")
    if view[: len(MAGIC)] != MAGIC:
        return ElfFile(machine=machine)
    segments = read_segments(view)
    entries = list(_iter_dynamic_entries(view, segments))
    start = next((_find_offset(segments, value) for tag, value in entries if tag == _STRINGS), 0)

    def get_texts(tag: int) -> tuple[str, ...]:
        return tuple(_read_text(view, start + value) for each, value in entries if each == tag)

    loaders = [_read_text(view, item.offset) for item in segments if item.type == _INTERPRETER]
    return ElfFile(
        machine=machine,
        loader=loaders[0] if loaders else "",
        needed=get_texts(_NEEDED),
        run_paths=tuple(path for text in get_texts(_RUNPATH) for path in text.split(":") if path),
        old_run_paths=tuple(path for text in get_texts(_RPATH) for path in text.split(":") if path),
    )


def _iter_dynamic_entries(
    view: mmap.mmap, segments: tuple[Segment, ...]
) -> Iterator[tuple[int, int]]:
    for segment in segments:
        if segment.type == _DYNAMIC:
            end = segment.offset + segment.file_size
            for offset in range(segment.offset, end, _ENTRY.size):
                tag, value = _ENTRY.unpack_from(view, offset)
                if tag == 0:
                    return
                yield tag, value


def _find_offset(segments: tuple[Segment, ...], address: int) -> int:
    """Return the position in the file of the byte that is mapped at an address."""
    for item in segments:
        if item.type == LOAD and item.address <= address < item.address + item.file_size:
            return address - item.address + item.offset
    raise ValueError(f"no segment of the ELF file contains the address {address:#x}")


def _read_text(view: mmap.mmap, offset: int) -> str:
    end = view.find(b"\0", offset)
    return view[offset:end].decode("utf-8", "surrogateescape")
