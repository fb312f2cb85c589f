"""Says what is too large, and what makes it so."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.pipeline import Problem

__all__ = ("size_problem",)

_SHOWN = 10


def size_problem(sizes: Mapping[str, int], limit: int, what: str) -> Problem | None:
    """An error that names the ten largest parts, or ``None`` where all fit.

    :param sizes: bytes of each part, as ``BundleManifest.sizes`` has them.
    :param limit: bytes of all parts; 0 for no limit.
    :param what: whose limit it is, for the message: the target's name.
    """
    total = sum(sizes.values())
    if not limit or total <= limit:
        return None
    parts = sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))[:_SHOWN]
    shares = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in parts)
    return Problem(
        message=f"The bundle has {total / 1e6:.1f} MB, and {what} takes {limit / 1e6:.1f} MB.",
        hint=f"The largest parts: {shares}.",
    )
