"""Raise an exception at SIGTERM, so that every ``finally`` block runs before the process ends."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

__all__ = ("Termination", "raise_at_sigterm")


class Termination(SystemExit):
    """The exit that SIGTERM requests, in contrast to a ``sys.exit()`` in the code of a plugin."""


def raise_at_sigterm() -> None:
    """Let SIGTERM raise ``Termination``, so that a hook stops the processes that it started."""
    signal.signal(signal.SIGTERM, _raise_termination)


def _raise_termination(number: int, _frame: FrameType | None) -> NoReturn:
    raise Termination(128 + number)
