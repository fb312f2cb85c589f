"""Looks again and again until something is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mastra_core.errors import DeployTimeout
from mastra_core.pipeline import Report
from mastra_deployer.kit.clock import now, sleep

__all__ = ("poll",)

T = TypeVar("T")

_GROWTH = 1.5  # from a second to a quarter of a minute in seven looks


def poll(
    look: Callable[[], T],
    done: Callable[[T], bool],
    *,
    timeout: float,
    every: float = 1.0,
    longest: float = 15.0,
    what: str = "the deployment",
    report: Report | None = None,
) -> T:
    """Call ``look`` until ``done`` is true of what it answers, and give that answer.

    A final state that is a failure is done too: tell it from success by the answer.

    :param timeout: seconds in all; the last look is at its end.
    :param every: seconds before the second look; the pauses grow by half each time.
    :param longest: seconds between two looks at most.
    :param what: what is waited for, for the error.
    :param report: told the seconds that have passed.
    :raises DeployTimeout: when it is not done in time.
    """
    begun, pause = now(), every
    while not done(value := look()):
        passed = now() - begun
        if passed >= timeout:
            raise DeployTimeout(
                f"{what[:1].upper()}{what[1:]} was not done after {_told(timeout)}.",
                "It may still get there: look at it on the platform, then run the command again.",
            )
        if report is not None:
            report.advance(int(passed), int(timeout), "s")
        sleep(min(pause, timeout - passed))
        pause = min(pause * _GROWTH, longest)
    return value


def _told(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min"  # noqa: PLR2004  # minutes read better from two on
