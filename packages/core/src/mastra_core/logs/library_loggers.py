"""Let the loggers of the application's modules and of libraries use the application's log."""

from __future__ import annotations

import logging

__all__ = ("LibraryLoggers",)

# These loggers log every request or model call at the level info.
_REQUEST_LOGGERS = (
    "anthropic",
    "asyncio",
    "google_genai",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "mcp",
    "openai",
    "uvicorn",
)


class LibraryLoggers:
    """Attaches a handler to the root logger, unless the application has configured that logger.

    A level that the application has set does not change. The root logger gets the level of the
    application. The loggers of libraries that log each request get the level ``warn``.

    :param handler: the handler of the application's logger.
    :param level: the level of the application's logger.
    """

    def __init__(self, handler: logging.Handler, level: int) -> None:
        self._handler = handler
        self._level = level
        self._changed: dict[logging.Logger, int] = {}  # with the levels to restore

    def attach(self) -> None:
        """Attach the handler to the root logger."""
        root = logging.getLogger()
        if root.handlers or self._level > logging.CRITICAL:
            return
        root.addHandler(self._handler)
        if root.level == logging.WARNING:  # the default
            self._set_level(root, self._level)
        for name in _REQUEST_LOGGERS:
            logger = logging.getLogger(name)
            if logger.level == logging.NOTSET:
                self._set_level(logger, max(self._level, logging.WARNING))

    def detach(self) -> None:
        """Detach the handler, and restore the levels."""
        logging.getLogger().removeHandler(self._handler)
        for logger, level in self._changed.items():
            logger.setLevel(level)
        self._changed.clear()

    def _set_level(self, logger: logging.Logger, level: int) -> None:
        self._changed[logger] = logger.level
        logger.setLevel(level)
