"""Quote a text as one segment of the path of a URL."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ("quote_segment",)

_DOT_SEGMENTS = (".", "..")  # HTTP clients remove these segments, and the one before ".." too


def quote_segment(text: str) -> str:
    """Return a text as one segment of a URL's path, so that it selects no other path.

    :param text: the text, such as the id of a deployment that the user typed.
    """
    return text.replace(".", "%2E") if text in _DOT_SEGMENTS else quote(text, safe="")
