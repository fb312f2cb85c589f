"""Remove symbol tables and debug information from ELF files.

Sections without the flag ``ALLOC`` are removed, and the segments behind them move forward. A
program that loads the file gets the same content at the same addresses. The same input gives the
same bytes on every machine. Files of other formats, and ELF files with an unusual structure, stay
unchanged.
"""

from __future__ import annotations

import dataclasses
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mastra_deployer.files.elf_format import (
    HEADER,
    LOAD,
    MAGIC,
    SEGMENT,
    Segment,
    read_segments,
)

__all__ = ("is_elf_file", "strip_file", "strip_symbols")

_SECTION = struct.Struct("<IIQQQQIIQQ")
_EXECUTABLE, _SHARED = 2, 3  # types of files
_NULL, _SYMTAB, _STRTAB, _NOBITS, _SYMTAB_INDEXES = 0, 2, 3, 8, 18  # types of sections
_ALLOC = 2  # flag of sections
_DEBUG_NAMES = (b".debug", b".zdebug", b".stab", b".gdb_index", b".gnu_debug", b".comment")
_TABLE_ALIGNMENT = 8
_MAX_ALIGNMENT = 4096  # of a section that is not mapped


class _Section(NamedTuple):
    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int

    @property
    def file_end(self) -> int:
        return self.offset + (0 if self.type in (_NULL, _NOBITS) else self.size)


class _Unusual(Exception):
    """The file cannot be stripped safely."""


def is_elf_file(path: Path) -> bool:
    """Return whether a file is an ELF file that can be stripped.

    :param path: the path of the file.
    """
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def strip_file(path: Path) -> bool:
    """Strip a file in place, and keep its mode.

    :param path: the path of a file of any kind, which no other process may read meanwhile.
    :returns: whether the file is smaller now.
    """
    stripped = strip_symbols(path.read_bytes()) if is_elf_file(path) else None
    if stripped is None:
        return False
    mode = stat.S_IMODE(path.stat().st_mode)
    path.unlink()  # other hard links keep the old content
    path.write_bytes(stripped)
    path.chmod(mode)
    return True


def strip_symbols(content: bytes) -> bytes | None:
    """Return an ELF file without symbol tables and debug information.

    :param content: the content of the file.
    :returns: ``None`` if nothing can be removed, or if that may not be safe.
    """
    try:
        stripped = _ElfFile.parse(content).strip()
    except (_Unusual, struct.error, IndexError, ValueError):
        return None
    return stripped if len(stripped) < len(content) else None


@dataclasses.dataclass(frozen=True)
class _ElfFile:
    content: bytes
    header: tuple[bytes, int, int, int, int, int, int, int, int, int, int, int, int, int]
    segments: tuple[Segment, ...]
    sections: tuple[_Section, ...]

    @classmethod
    def parse(cls, content: bytes) -> _ElfFile:
        header = HEADER.unpack_from(content)
        _, kind, *_, section_size, section_count, names = header
        sections_offset = header[6]
        if (
            not content.startswith(MAGIC)
            or kind not in (_EXECUTABLE, _SHARED)
            or section_size != _SECTION.size
            or not 0 < names < section_count
            or sections_offset > len(content)
        ):
            raise _Unusual
        return cls(
            content,
            header,
            read_segments(content),
            tuple(
                _Section._make(_SECTION.unpack_from(content, sections_offset + n * _SECTION.size))
                for n in range(section_count)
            ),
        )

    def strip(self) -> bytes:
        removed = self._find_removed()
        parts = self._find_parts()
        self._check(parts, removed)
        moved = _move_parts(parts)
        result = bytearray()
        for part in moved:
            result += bytes(part.new_start - len(result))
            result += self.content[part.start : part.end]
        sections = list(self.sections)
        for number, section in enumerate(self.sections):
            if number in removed:
                # The others keep their numbers, to which symbols refer.
                sections[number] = _Section(*[0] * 10)
            elif section.flags & _ALLOC:
                sections[number] = section._replace(offset=_move(moved, section.offset))
            elif section.type != _NULL:
                result += bytes(-len(result) % max(section.alignment, 1))
                sections[number] = section._replace(offset=len(result))
                result += self.content[section.offset : section.file_end]
            if len(result) > len(self.content):  # sections overlap: nothing would become smaller
                raise _Unusual
        result += bytes(-len(result) % _TABLE_ALIGNMENT)
        table = len(result)
        result += b"".join(_SECTION.pack(*section) for section in sections)
        segments = _move(moved, self.header[5])
        fields = (*self.header[:5], segments, table, *self.header[7:])
        result[: HEADER.size] = HEADER.pack(*fields)
        for number, segment in enumerate(self.segments):
            offset = _move(moved, segment.offset) if segment.file_size else 0
            where = segments + number * SEGMENT.size
            SEGMENT.pack_into(result, where, *segment._replace(offset=offset))
        return bytes(result)

    def _find_removed(self) -> set[int]:
        """Return the numbers of the sections that only debuggers and profilers read."""
        removed = {
            number
            for number, section in enumerate(self.sections)
            if not section.flags & _ALLOC
            and (
                section.type in (_SYMTAB, _SYMTAB_INDEXES)
                or self._get_name(section).startswith(_DEBUG_NAMES)
            )
        }
        names = {
            self.sections[number].link
            for number in removed
            if self.sections[number].type == _SYMTAB
        }
        used = {item.link for number, item in enumerate(self.sections) if number not in removed}
        used.add(self.header[13])
        removed |= {
            number
            for number in names - used
            if self.sections[number].type == _STRTAB and not self.sections[number].flags & _ALLOC
        }
        if removed & used:
            raise _Unusual
        return removed

    def _get_name(self, section: _Section) -> bytes:
        start = self.sections[self.header[13]].offset + section.name
        return self.content[start : self.content.index(b"\0", start)]

    def _find_parts(self) -> list[_Part]:
        """Return the mapped parts of the file in order; join parts that touch."""
        parts: list[_Part] = []
        loaded = [item for item in self.segments if item.type == LOAD and item.file_size]
        for segment in sorted(loaded, key=lambda item: item.offset):
            end = segment.offset + segment.file_size
            alignment = max(segment.alignment, 1)
            if parts and segment.offset < parts[-1].end + alignment:
                last = parts[-1]
                parts[-1] = last._replace(
                    end=max(last.end, end), alignment=max(last.alignment, alignment)
                )
            else:
                parts.append(_Part(segment.offset, end, alignment))
        return parts

    def _check(self, parts: Sequence[_Part], numbers: set[int]) -> None:
        """Check that the sections can be removed, and that no mapped byte is removed."""
        segments = self.header[5]
        table_end = self.header[6] + len(self.sections) * _SECTION.size
        last = max(table_end, parts[-1].end, *(item.file_end for item in self.sections))
        mapped = [
            (0, HEADER.size),
            (segments, segments + len(self.segments) * SEGMENT.size),
            *((item.offset, item.offset + item.file_size) for item in self.segments),
            *((item.offset, item.file_end) for item in self.sections if item.flags & _ALLOC),
        ]
        if (
            not numbers
            or len(self.content) != last
            or any(
                item.alignment > _MAX_ALIGNMENT for item in self.sections if not item.flags & _ALLOC
            )
            or not all(_is_inside(parts, *each) for each in mapped if each[0] != each[1])
        ):
            raise _Unusual


class _Part(NamedTuple):
    start: int
    end: int
    alignment: int
    new_start: int = 0


def _move_parts(parts: Sequence[_Part]) -> list[_Part]:
    """Close the gaps between the parts.

    ``mmap`` requires that each part's offset modulo its alignment stays the same.
    """
    moved: list[_Part] = []
    end = 0
    for part in parts:
        start = end + (part.start - end) % part.alignment
        moved.append(part._replace(new_start=start))
        end = start + part.end - part.start
    return moved


def _move(parts: Sequence[_Part], offset: int) -> int:
    for part in parts:
        if part.start <= offset <= part.end:
            return offset - part.start + part.new_start
    return 0  # of a section without content


def _is_inside(parts: Sequence[_Part], start: int, end: int) -> bool:
    return any(part.start <= start and end <= part.end for part in parts)
