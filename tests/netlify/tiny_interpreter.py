"""A directory that looks like a Python, for bundles that are deployed and never run.

The executable is a static program of about 130 bytes, so that bundling takes no time.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

BASE = 0x400000
HEADERS = 64 + 56


def write_tiny_interpreter(directory: Path) -> Path:
    """Write `bin/python3.X` and `lib/python3.X` of the running version."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    library = directory / f"lib/python{version}"
    (library / "encodings").mkdir(parents=True)
    (library / "os.py").write_text('"""Not the real one."""\n')
    (library / "encodings/__init__.py").write_text("")
    program = directory / f"bin/python{version}"
    program.parent.mkdir()
    program.write_bytes(_build_program())
    program.chmod(0o755)
    return directory


def _build_program() -> bytes:
    """Build an ELF program for Linux on x86_64 that ends at once."""
    code = b"\x31\xff\xb8\x3c\x00\x00\x00\x0f\x05"  # xor edi, edi; mov eax, 60 (exit); syscall
    total = HEADERS + len(code)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, BASE + HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, total, total, 0x1000)
    return ident + head + segment + code
