"""Format log records: as JSON lines for programs, and as text for people."""

from __future__ import annotations

import datetime as dt
import logging

from mastra_core.logs.credential_masking import mask_secret_values
from mastra_core.logs.escape import escape_text
from mastra_core.logs.log_entry import format_entry, read_entry
from mastra_core.logs.log_records import convert_level, get_extra_fields

__all__ = ("ConsoleFormatter", "JsonFormatter")

_COLOURS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; the whole traceback is in the field ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line.

        :param record: the log record.
        """
        return format_entry(read_entry(record))


class ConsoleFormatter(logging.Formatter):
    """Formats a record as readable text; an exception is one line and the user's frames.

    Control characters are written as escapes, and further lines of a message are indented. A text
    of a caller can therefore neither change the terminal nor look like another record. Ids such as
    the request id are left out; JSON lines contain them.

    :param colour: whether the terminal shows colours.
    :param tracebacks: whether to show every frame of an exception.
    """

    def __init__(self, colour: bool = False, *, tracebacks: bool = False) -> None:
        super().__init__()
        self._colour = colour
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and further lines for an exception.

        :param record: the log record.
        """
        time = f"{dt.datetime.fromtimestamp(record.created).astimezone():%H:%M:%S}"
        level, name = f"{convert_level(record.levelno, record.levelname):5}", f"{record.name}:"
        fields = "".join(f" {key}={value}" for key, value in get_extra_fields(record).items())
        fields = _clean(fields) if fields else ""
        if self._colour:
            colour = _COLOURS.get(record.levelno, "0")
            time, level, name = (
                _format_dim(time),
                f"\x1b[{colour}m{level}\x1b[0m",
                _format_dim(name),
            )
            fields = _format_dim(fields) if fields else ""
        message, rest = record.getMessage(), ""
        if record.exc_info and self._tracebacks:
            rest = "\n" + self.formatException(record.exc_info)
        elif record.exc_info and record.exc_info[1]:
            from mastra_core.exception_summary import summarize_exception

            summary, frames = summarize_exception(record.exc_info[1])
            message += f": {summary}"
            rest = "".join(f"\n{frame}" for frame in frames)
        return f"{time} {level} {name} {_clean(message)}{fields}{_clean(rest) if rest else rest}"


def _clean(text: str) -> str:
    """Mask secrets in a text, escape its control characters, and indent its further lines."""
    if not text.isascii():
        from mastra_core.json_repair import repair_text

        text = repair_text(text)
    return escape_text(mask_secret_values(text)).replace("\n", "\n    ")


def _format_dim(text: str) -> str:
    return f"\x1b[2m{text}\x1b[0m"
