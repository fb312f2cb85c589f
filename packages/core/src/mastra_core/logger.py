"""Logging on the standard library: readable on a terminal, JSON lines everywhere else."""

from __future__ import annotations

import datetime as dt
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import msgspec

from mastra_core.errors import ConfigError

__all__ = ("LEVELS", "create_logger", "fields_of", "level_of", "logger_of", "without_credentials")

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "silent": logging.CRITICAL + 1,
}
_HIDDEN = frozenset(
    "password token secret key apikey auth authorization bearer bearertoken jwt credential "
    "clientsecret privatekey refresh ssn cookie".split()
)
_HIDDEN_ENDINGS = ("password", "token", "secret", "apikey", "accesskey", "authorization", "cookie")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_SHADES = {
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
    """The application's logger, and where the framework's own lines go too.

    ``extra={...}`` becomes fields of the line; fields named like a credential show ``****``.

    :param level: debug, info, warn, error or silent.
    :param format: ``console`` for people, ``json`` for machines; ``auto`` asks the stream
        whether it is a terminal, and is for people under ``mastra dev`` wherever it goes.
    :raises ConfigError: for a level or format that does not exist.
    """
    if level not in LEVELS:
        raise ConfigError(f"The log level {level!r} does not exist.", f"Use {', '.join(LEVELS)}.")
    if format not in ("auto", "console", "json"):
        raise ConfigError(f"The log format {format!r} does not exist.", "Use auto, console, json.")
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    people = _for_people(stream) if format == "auto" else format == "console"
    handler.setFormatter(_ConsoleFormatter(_in_colour(stream)) if people else _JsonFormatter())
    logger = logging.getLogger(name)
    for each in {logger, logger_of("mastra")}:
        each.handlers = [handler]
        each.setLevel(LEVELS[level])
        each.propagate = False
    return logger


def logger_of(name: str) -> logging.Logger:
    """The framework's logger for one part of it (``mastra.agents``)."""
    return logging.getLogger(name)


def _for_people(stream: TextIO) -> bool:
    return stream.isatty() or bool(os.environ.get("MASTRA_DEV"))


def _in_colour(stream: TextIO) -> bool:
    """On a terminal that can, for a user who did not refuse: https://no-color.org."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller passed as ``extra``, credentials hidden."""
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    return without_credentials(extra)


def without_credentials(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """``fields`` with ``****`` for what is named like a credential, however deep.

    Of a name with dots in it, the last part counts too.
    """
    return {str(key): _shown(str(key), value) for key, value in fields.items()}


def _shown(key: str, value: Any) -> Any:
    name = key.lower().replace("_", "").replace("-", "")
    if name.endswith(_HIDDEN_ENDINGS) or name.rpartition(".")[2] in _HIDDEN:
        return "****"
    return _inside(value)


def _inside(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_credentials(value)
    return [_inside(each) for each in value] if isinstance(value, list | tuple) else value


def level_of(record: logging.LogRecord) -> str:
    """The level of a line, in the words of ``LEVELS``."""
    return "warn" if record.levelno == logging.WARNING else record.levelname.lower()


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        own: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": level_of(record),
            "name": record.name,
            "msg": record.getMessage(),
            **_trace_ids(),
        }
        line = {**own, **fields_of(record), **own}  # a caller's field cannot pose as ours
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class _ConsoleFormatter(logging.Formatter):
    def __init__(self, colour: bool = False) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        moment = f"{dt.datetime.fromtimestamp(record.created).astimezone():%H:%M:%S}"
        level, name = f"{level_of(record):5}", f"{record.name}:"
        fields = "".join(f" {key}={value}" for key, value in fields_of(record).items())
        if self._colour:
            shade = _SHADES.get(record.levelno, "0")
            moment, level, name = _dim(moment), f"\x1b[{shade}m{level}\x1b[0m", _dim(name)
            fields = _dim(fields) if fields else ""
        text = f"{moment} {level} {name} {record.getMessage()}{fields}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


def _dim(text: str) -> str:
    return f"\x1b[2m{text}\x1b[0m"


def _trace_ids() -> dict[str, str]:
    """The ids of the current span, without loading OpenTelemetry for those who do not trace."""
    trace = sys.modules.get("opentelemetry.trace")
    context = trace.get_current_span().get_span_context() if trace else None
    if context is None or not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
