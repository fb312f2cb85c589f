"""Wrap text at words, to the width of the terminal."""

from __future__ import annotations

import os
import re
import textwrap
from typing import TextIO

__all__ = ("get_terminal_width", "wrap_message", "wrap_text")

_DEFAULT = 80  # columns of a terminal of unknown size
_MINIMUM = 20
_COMMAND = re.compile(r"`[^`]+`")
_SPACE = "\ue000"  # replaces a space at which a line must not be broken


def get_terminal_width(stream: TextIO) -> int:
    """Return the columns of a terminal; 0 for other streams, so that text is not wrapped.

    :param stream: an output stream, such as ``sys.stderr``.
    """
    if not stream.isatty():
        return 0
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        columns = 0
    return max(columns or _DEFAULT, _MINIMUM)


def wrap_text(text: str, width: int, *, first: str = "", indent: str = "") -> str:
    """Wrap each line of a text; keep commands in backquotes and long words whole.

    :param text: a text of one or several lines.
    :param width: columns; 0 to wrap nothing.
    :param first: the text at the start of the first line.
    :param indent: the text at the start of the second and every later line.
    """
    lines = [
        _wrap_line(line, width, indent if number else first, indent)
        for number, line in enumerate(text.split("\n"))
    ]
    return "\n".join(lines)


def wrap_message(text: str, hint: str, width: int, *, label: str = "") -> str:
    """Wrap a message, and its hint indented below it.

    :param text: the message.
    :param hint: the cure; may be empty.
    :param width: columns; 0 to wrap nothing.
    :param label: a text that the caller prints before the message; the result does not contain it.
    """
    space = " " * len(label)
    message = wrap_text(text, width, first=space, indent=space if width else "")
    message = message.removeprefix(space)
    return f"{message}\n{wrap_text(hint, width, first='  ', indent='  ')}" if hint else message


def _wrap_line(line: str, width: int, first: str, indent: str) -> str:
    if not width or len(first) + len(line) <= width:
        return first + line
    kept = _COMMAND.sub(lambda found: found[0].replace(" ", _SPACE), line)
    wrapped = textwrap.wrap(
        kept,
        width,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(wrapped).replace(_SPACE, " ")
