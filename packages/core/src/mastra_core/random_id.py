"""Generate random ids."""

from __future__ import annotations

import os

__all__ = ("generate_id",)


def generate_id() -> str:
    """Return a random UUID without importing ``uuid``, because the import is slow."""
    digits = bytearray(os.urandom(16))
    digits[6] = digits[6] & 0x0F | 0x40  # version 4
    digits[8] = digits[8] & 0x3F | 0x80  # variant of RFC 9562
    text = digits.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
