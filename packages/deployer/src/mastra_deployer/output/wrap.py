"""Wrap text for people at the words, to the width of their terminal."""

from __future__ import annotations

import os
import re
import textwrap
from typing import TextIO

__all__ = ("get_terminal_width", "wrap_message", "wrap_text")

_DEFAULT = 80  # columns of a terminal that does not know its size
_MINIMUM = 20
_COMMAND = re.compile(r"`[^`]+`")
_SPACE = "\ue000"  # stands for a space at which a line is not broken


def get_terminal_width(stream: TextIO) -> int:
    """Return the columns of a terminal; 0 if the stream is none, so that nothing is wrapped.

    :param stream: such as ``sys.stderr``.
    """
    if not stream.isatty():
        return 0
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        columns = 0
    return max(columns or _DEFAULT, _MINIMUM)


def wrap_text(text: str, width: int, *, first: str = "", indent: str = "") -> str:
    """Wrap each line of a text; a command in backquotes and a long word are kept whole.

    :param text: of one or several lines.
    :param width: columns; 0 to wrap nothing.
    :param first: what begins the first line.
    :param indent: what begins the other lines.
    """
    lines = [
        _wrap_line(line, width, indent if number else first, indent)
        for number, line in enumerate(text.split("\n"))
    ]
    return "\n".join(lines)


def wrap_message(text: str, hint: str, width: int, *, label: str = "") -> str:
    """Wrap a message and, below and indented, its hint.

    :param text: the message.
    :param hint: what to do about it; may be empty.
    :param width: columns; 0 to wrap nothing.
    :param label: what is printed before the message, and not part of the result.
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
