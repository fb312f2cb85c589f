"""Format sizes for people."""

from __future__ import annotations

__all__ = ("format_bytes",)


def format_bytes(count: float) -> str:
    """Format a number of bytes as megabytes or kilobytes, in steps of a thousand.

    :param count: the number of bytes.
    """
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"  # noqa: PLR2004  # 0.1 MB
