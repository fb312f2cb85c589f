"""Raise an exception at the signals that end the process, so that ``finally`` blocks run."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

from mastra_deployer.project.exception_chain import iter_causes

__all__ = (
    "INTERRUPTS",
    "Termination",
    "end_at_signals",
    "find_interrupt",
    "get_exit_code",
    "raise_at_termination",
)

# SIGHUP is sent when the terminal is closed. Windows has no SIGHUP.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Termination(SystemExit):
    """The exit that a signal requests, in contrast to a ``sys.exit()`` in the code of a plugin."""


INTERRUPTS = (KeyboardInterrupt, Termination)
"""What Ctrl-C and other signals raise in the main thread."""


def raise_at_termination() -> None:
    """Let SIGTERM and SIGHUP raise ``Termination``, so that a hook stops its processes.

    A signal that is ignored, such as SIGHUP under ``nohup``, stays ignored.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise_termination)


def end_at_signals() -> None:
    """Let Ctrl-C and the signals end the process at once, without a traceback.

    Python may still wait for threads when the command has ended.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number in _SIGNALS:
        if signal.getsignal(number) is _raise_termination:
            signal.signal(number, signal.SIG_DFL)


def find_interrupt(error: BaseException | None) -> BaseException | None:
    """Return the interrupt during which an error was raised, or ``None``.

    An interrupt during the definition of a class becomes a ``RuntimeError`` in Python 3.11. The
    cleanup after an interrupt may fail, too.

    :param error: an exception that ended the command.
    """
    return next((each for each in iter_causes(error) if isinstance(each, INTERRUPTS)), None)


def get_exit_code(interrupt: BaseException | None) -> int:
    """Return the exit code of a process that was interrupted: 128 and the number of the signal.

    :param interrupt: the exception that ended the command; any other exception than
        ``Termination`` counts as Ctrl-C.
    """
    if isinstance(interrupt, Termination) and isinstance(interrupt.code, int):
        return interrupt.code
    return 128 + signal.SIGINT


def _raise_termination(number: int, _frame: FrameType | None) -> NoReturn:
    raise Termination(128 + number)
