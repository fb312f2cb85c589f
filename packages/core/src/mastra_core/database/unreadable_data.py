"""Build the error for stored data that this version of mastra cannot read."""

from __future__ import annotations

from mastra_core.errors import UnreadableData

__all__ = ("build_unreadable_error",)


def build_unreadable_error(name: str, reason: object) -> UnreadableData:
    """Build the error for stored data that cannot be read.

    :param name: what cannot be read, as the beginning of a sentence: ``The message 'm1'``.
    :param reason: the error of the decoder; its text must not contain the data.
    """
    return UnreadableData(
        f"{name} cannot be read: {reason}.",
        "If a newer version of mastra has written it, update mastra-core. Otherwise check whether "
        "another program has changed mastra's tables.",
    )
