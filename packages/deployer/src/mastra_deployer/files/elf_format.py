"""Read the tables of 64-bit ELF files, and the fields of each row."""

from __future__ import annotations

import mmap
import struct
from typing import NamedTuple

__all__ = ("HEADER", "LOAD", "MAGIC", "SEGMENT", "Segment", "read_segments")

MAGIC = b"\x7fELF\x02\x01\x01"  # 64 bits, little endian
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
LOAD = 1  # type of segments that are mapped
_SEGMENT_TABLE, _SEGMENT_SIZE, _SEGMENT_COUNT = 5, 9, 10  # fields of the header


class Segment(NamedTuple):
    """One row of the table of segments."""

    type: int
    flags: int
    offset: int
    address: int
    physical_address: int
    file_size: int
    memory_size: int
    alignment: int


def read_segments(content: bytes | mmap.mmap) -> tuple[Segment, ...]:
    """Return the table of segments.

    :param content: the content of the file, or its first part with the table.
    :raises ValueError: when a row of the table does not have the expected size, or the table begins
        after the end of the content.
    :raises struct.error: when the content ends before the table does.
    """
    header = HEADER.unpack_from(content)
    if header[_SEGMENT_SIZE] != SEGMENT.size:
        raise ValueError(
            f"a row of the segment table has {header[_SEGMENT_SIZE]} bytes, not {SEGMENT.size}"
        )
    rows = range(header[_SEGMENT_COUNT])
    start = header[_SEGMENT_TABLE]
    if start > len(content):  # struct raises an OverflowError for the largest numbers
        raise ValueError(f"the segment table begins at {start}, after the end of the file")
    return tuple(
        Segment._make(SEGMENT.unpack_from(content, start + row * SEGMENT.size)) for row in rows
    )
