"""Quote a text as one segment of the path of a URL."""

from __future__ import annotations

from urllib.parse import quote

from mastra_core.errors import DeployError
from mastra_core.json_repair import repair_text

__all__ = ("quote_segment",)

_DOT_SEGMENTS = (".", "..")  # HTTP clients remove these segments, and the one before ".." too


def quote_segment(text: str) -> str:
    """Return a text as one segment of a URL's path, so that it selects no other path.

    U+FFFD replaces what UTF-8 cannot encode.

    :param text: the text, such as the id of a deployment that the user typed.
    :raises DeployError: for an empty text, because the path would be that of the whole list.
    """
    if not text:
        raise DeployError("A name or an id is empty.", "Pass the name or the id.")
    text = repair_text(text)
    return text.replace(".", "%2E") if text in _DOT_SEGMENTS else quote(text, safe="")
