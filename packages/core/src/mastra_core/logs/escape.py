"""Write visible escapes instead of the characters that a terminal would interpret.

Text from a platform, a log, a file name or a request may contain escape sequences. Escape sequences
can move the cursor, hide text, set the clipboard or reverse the order of letters.
"""

from __future__ import annotations

import re

__all__ = ("escape_line", "escape_text")

# Control characters except tab and line feed, characters that reorder or hide text, separators of
# lines, tags, and halves of surrogate pairs, which cannot be encoded.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def escape_text(text: str) -> str:
    r"""Return a text of several lines, with unsafe characters written as ``\x1b``.

    :param text: any text.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(lambda found: _format_character(found[0]), text)


def escape_line(text: str) -> str:
    r"""Return a text as one line, with line feeds written as ``\n``.

    :param text: any text.
    """
    return escape_text(text).replace("\n", "\\n")


def _format_character(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
