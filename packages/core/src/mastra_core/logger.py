"""Write readable logs on a terminal, and JSON lines everywhere else."""

from __future__ import annotations

import datetime as dt
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import msgspec

from mastra_core.errors import ConfigError

__all__ = (
    "LEVELS",
    "create_logger",
    "get_extra_fields",
    "get_level_name",
    "get_logger",
    "mask_credentials",
)

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "silent": logging.CRITICAL + 1,
}
_MASKED_NAMES = frozenset(
    "password token secret key apikey auth authorization bearer bearertoken jwt credential "
    "clientsecret privatekey refresh ssn cookie".split()
)
_MASKED_ENDINGS = ("password", "token", "secret", "apikey", "accesskey", "authorization", "cookie")
_RECORD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_COLOURS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}

Format = Literal["auto", "console", "json"]


def create_logger(
    name: str = "mastra",
    level: str = "info",
    *,
    format: Format = "auto",
    stream: TextIO | None = None,
) -> logging.Logger:
    """Create the application's logger, which also handles the framework's log records.

    Items of ``extra={...}`` become fields of the line. A field shows ``****`` if its name is the
    name of a credential.

    :param name: name of the logger.
    :param level: ``debug``, ``info``, ``warn``, ``error`` or ``silent``.
    :param format: ``console`` is readable text, ``json`` one JSON object a line. ``auto`` is
        ``console`` on a terminal and under ``mastra dev``, else ``json``.
    :param stream: where the lines are written; standard error by default.
    :raises ConfigError: for an unknown level or format.
    """
    if level not in LEVELS:
        raise ConfigError(f"The log level {level!r} does not exist.", f"Use {', '.join(LEVELS)}.")
    if format not in ("auto", "console", "json"):
        raise ConfigError(f"The log format {format!r} does not exist.", "Use auto, console, json.")
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    is_console = _is_for_terminal(stream) if format == "auto" else format == "console"
    handler.setFormatter(
        _ConsoleFormatter(_supports_colour(stream), tracebacks=_shows_tracebacks(level))
        if is_console
        else _JsonFormatter()
    )
    logger = logging.getLogger(name)
    for each in {logger, get_logger("mastra")}:
        each.handlers = [handler]
        each.setLevel(LEVELS[level])
        each.propagate = False
    return logger


def get_logger(name: str) -> logging.Logger:
    """Return the logger for one part of the framework.

    :param name: name of the logger (``mastra.agents``).
    """
    return logging.getLogger(name)


def _is_for_terminal(stream: TextIO) -> bool:
    return stream.isatty() or bool(os.environ.get("MASTRA_DEV"))


def _supports_colour(stream: TextIO) -> bool:
    """Return whether to use colours: the terminal supports them and ``NO_COLOR`` is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _shows_tracebacks(level: str) -> bool:
    """Return whether the console shows every frame, as under `mastra dev --debug`."""
    return level == "debug" or os.environ.get("MASTRA_TRACEBACKS") == "full"


def get_extra_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the ``extra`` fields of a record, with credentials masked.

    :param record: the log record.
    """
    extra = {key: value for key, value in vars(record).items() if key not in _RECORD_ATTRIBUTES}
    return mask_credentials(extra)


def mask_credentials(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """Return ``fields`` with ``****`` in place of credentials, which are found by their keys.

    Nested mappings and lists are masked too. If a key contains dots, its last part is checked as
    well.

    :param fields: any mapping.
    """
    return {str(key): _mask_value(str(key), value) for key, value in fields.items()}


def _mask_value(key: str, value: Any) -> Any:
    name = key.lower().replace("_", "").replace("-", "")
    if name.endswith(_MASKED_ENDINGS) or name.rpartition(".")[2] in _MASKED_NAMES:
        return "****"
    return _mask_nested(value)


def _mask_nested(value: Any) -> Any:
    if isinstance(value, Mapping):
        return mask_credentials(value)
    return [_mask_nested(each) for each in value] if isinstance(value, list | tuple) else value


def get_level_name(record: logging.LogRecord) -> str:
    """Return the level of a record as a key of ``LEVELS``.

    :param record: the log record.
    """
    return "warn" if record.levelno == logging.WARNING else record.levelname.lower()


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = dt.datetime.fromtimestamp(record.created, dt.UTC)
        own: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": get_level_name(record),
            "name": record.name,
            "msg": record.getMessage(),
            **_get_trace_ids(),
        }
        line = {
            **own,
            **get_extra_fields(record),
            **own,
        }  # a caller's field cannot replace one of these
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        try:
            return msgspec.json.encode(line, enc_hook=str).decode()
        except ValueError:  # half of a surrogate pair, or a giant number
            from mastra_core.json_repair import repair_data

            builtins = msgspec.to_builtins(line, enc_hook=str, str_keys=True)
            return msgspec.json.encode(repair_data(builtins)).decode()


class _ConsoleFormatter(logging.Formatter):
    def __init__(self, colour: bool = False, *, tracebacks: bool = False) -> None:
        super().__init__()
        self._colour = colour
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        time = f"{dt.datetime.fromtimestamp(record.created).astimezone():%H:%M:%S}"
        level, name = f"{get_level_name(record):5}", f"{record.name}:"
        fields = "".join(f" {key}={value}" for key, value in get_extra_fields(record).items())
        if self._colour:
            colour = _COLOURS.get(record.levelno, "0")
            time, level, name = _dim(time), f"\x1b[{colour}m{level}\x1b[0m", _dim(name)
            fields = _dim(fields) if fields else ""
        message, rest = record.getMessage(), ""
        if record.exc_info and self._tracebacks:
            rest = "\n" + self.formatException(record.exc_info)
        elif record.exc_info and record.exc_info[1]:
            from mastra_core.exception_summary import summarize_exception

            summary, frames = summarize_exception(record.exc_info[1])
            message += f": {summary}"
            rest = "".join(f"\n    {frame}" for frame in frames)
        line = f"{time} {level} {name} {message}{fields}{rest}"
        if line.isascii():
            return line
        from mastra_core.json_repair import repair_text

        return repair_text(line)


def _dim(text: str) -> str:
    return f"\x1b[2m{text}\x1b[0m"


def _get_trace_ids() -> dict[str, str]:
    """Return the ids of the current span, without loading OpenTelemetry."""
    trace = sys.modules.get("opentelemetry.trace")
    context = trace.get_current_span().get_span_context() if trace else None
    if context is None or not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
