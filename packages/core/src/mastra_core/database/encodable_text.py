"""Refuse texts that no database can store, because UTF-8 cannot encode them."""

from __future__ import annotations

from mastra_core.errors import InvalidInput

__all__ = ("build_encoding_error", "check_encodable")


def check_encodable(*texts: str | None) -> None:
    """Check that UTF-8 can encode ids and other texts that must not be changed.

    :param texts: the texts; ``None`` for an absent text.
    :raises InvalidInput: when a text contains half of a surrogate pair.
    """
    for text in texts:
        if text is not None and not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise build_encoding_error(error) from None


def build_encoding_error(error: UnicodeEncodeError) -> InvalidInput:
    """Build the error for a text that UTF-8 cannot encode.

    :param error: the error of the attempt to encode the text.
    """
    return InvalidInput(
        f"No database can store the text {error.object!r}: it contains half of a surrogate pair.",
        "Use ids without halves of surrogate pairs.",
    )
