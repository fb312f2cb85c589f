"""Shorten texts that a user's program prints."""

from __future__ import annotations

__all__ = ("shorten_message",)

_MAX_MESSAGE = 4000  # characters of an exception's message that are shown


def shorten_message(message: str) -> str:
    """Return the whole message of an exception; shorten a very long message in the middle.

    :param message: a message of any length.
    """
    if len(message) <= _MAX_MESSAGE:
        return message
    half = _MAX_MESSAGE // 2
    return f"{message[:half]}\n[...]\n{message[-half:]}"
