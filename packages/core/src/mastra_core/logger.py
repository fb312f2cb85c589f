"""Write readable logs on a terminal, and JSON lines everywhere else."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import ConfigError
from mastra_core.logs.credential_masking import mask_credentials
from mastra_core.logs.formats import ConsoleFormatter, JsonFormatter
from mastra_core.logs.pipeline import LogPipeline
from mastra_core.logs.stream_transport import StreamTransport
from mastra_core.logs.transport import HandlerTransport, LogTransport

__all__ = (
    "LEVELS",
    "create_logger",
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
_STREAM = "stream"
_RESERVED = frozenset((_STREAM, "memory"))  # the names of the server's own transports

Format = Literal["auto", "console", "json"]


def create_logger(
    name: str = "mastra",
    level: str = "info",
    *,
    format: Format = "auto",
    stream: TextIO | Literal[False] | None = None,
    transports: Mapping[str, LogTransport | logging.Handler] | None = None,
) -> logging.Logger:
    """Create the application's logger, which also handles the framework's log records.

    Items of ``extra={...}`` become fields of the line. A field shows ``****`` if its name is the
    name of a credential.

    :param name: name of the logger.
    :param level: ``debug``, ``info``, ``warn``, ``error`` or ``silent``.
    :param format: ``console`` is readable text, ``json`` one JSON object a line. ``auto`` is
        ``console`` on a terminal and under ``mastra dev``, else ``json``.
    :param stream: the stream to which the lines are written; standard error by default, if the
        process has one; ``False`` for no stream.
    :param transports: further destinations, by name: ``FileTransport``, ``HttpTransport``, a
        ``LogTransport`` of your own, or a handler of ``logging``.
    :raises ConfigError: for an unknown level or format, an invalid transport, or an argument of the
        wrong type.
    """
    check_types(locals(), create_logger.__annotations__)
    if level not in LEVELS:
        raise ConfigError(f"The log level {level!r} does not exist.", f"Use {', '.join(LEVELS)}.")
    if format not in ("auto", "console", "json"):
        raise ConfigError(f"The log format {format!r} does not exist.", "Use auto, console, json.")
    if stream is None:
        stream = False if sys.stderr is None else sys.stderr  # None: the parent has closed it
    own = {} if stream is False else {_STREAM: _build_stream(stream, level, format)}
    pipeline = LogPipeline({**own, **_convert_transports(transports or {})})
    logger = logging.getLogger(name)
    for each in {logger, get_logger("mastra")}:
        each.handlers = [pipeline]
        each.setLevel(LEVELS[level])
        each.propagate = False
    return logger


def _build_stream(stream: TextIO, level: str, format: Format) -> StreamTransport:
    if not hasattr(stream, "write") or not hasattr(stream, "isatty"):
        raise ConfigError(
            f"stream={stream!r} is not a text stream.", "Pass an open file, or stream=False."
        )
    is_console = _is_for_terminal(stream) if format == "auto" else format == "console"
    if not is_console:
        return StreamTransport(stream, JsonFormatter())
    tracebacks = _shows_tracebacks(level)
    return StreamTransport(
        stream, ConsoleFormatter(_supports_colour(stream), tracebacks=tracebacks)
    )


def _convert_transports(
    transports: Mapping[str, LogTransport | logging.Handler],
) -> dict[str, LogTransport]:
    return {name: _convert_transport(name, each) for name, each in transports.items()}


def _convert_transport(name: str, transport: LogTransport | logging.Handler) -> LogTransport:
    if name in _RESERVED:
        raise ConfigError(
            f"The name {name!r} of a log transport is reserved.",
            'Use another name, such as "file".',
        )
    if isinstance(transport, LogTransport):
        return transport
    if isinstance(transport, logging.Handler):
        return HandlerTransport(transport)
    raise ConfigError(
        f"The log transport {name!r} has the wrong type {type(transport).__name__!r}.",
        "Pass FileTransport(...), HttpTransport(...), a LogTransport or a logging.Handler.",
    )


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
