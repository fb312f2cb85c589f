"""Checks a bundle against a size limit."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.pipeline import Problem

__all__ = ("check_size",)

_MAX_PARTS = 10  # in the hint


def check_size(sizes: Mapping[str, int], limit: int, name: str) -> Problem | None:
    """Return an error that names the ten largest parts, or ``None`` within the limit.

    :param sizes: bytes of each part, as in ``BundleManifest.sizes``.
    :param limit: bytes of all parts together; 0 for no limit.
    :param name: what the limit belongs to, for the message: the target's name.
    """
    total = sum(sizes.values())
    if not limit or total <= limit:
        return None
    parts = sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))[:_MAX_PARTS]
    shares = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in parts)
    return Problem(
        message=f"The bundle has {total / 1e6:.1f} MB, and {name} allows {limit / 1e6:.1f} MB.",
        hint=f"The largest parts: {shares}.",
    )
