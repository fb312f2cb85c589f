"""Repeat a request until its result is final."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mastra_core.arguments.number_checks import check_seconds
from mastra_core.errors import DeployTimeout
from mastra_core.pipeline import Report
from mastra_deployer.kit.clock import now, sleep

__all__ = ("poll",)

T = TypeVar("T")

_GROWTH = 1.5  # from 1 second to 15 in seven steps


def poll(
    fetch: Callable[[], T],
    is_done: Callable[[T], bool],
    *,
    timeout: float,
    interval: float = 1.0,
    max_interval: float = 15.0,
    description: str = "the deployment",
    report: Report | None = None,
) -> T:
    """Call ``fetch`` until ``is_done`` accepts its result, and return this result.

    ``is_done`` must return true for a failed state, too. Check afterwards whether the returned
    value is a failed state.

    :param fetch: asks the platform for the current value.
    :param is_done: returns whether a value is final.
    :param timeout: seconds until the last call of ``fetch``.
    :param interval: seconds before the second call; each later wait is 1.5 times as long.
    :param max_interval: longest wait between two calls, in seconds.
    :param description: what the caller waits for; the error names it.
    :param report: receives, as progress, the number of seconds that have passed.
    :returns: the first final value.
    :raises ConfigError: for a ``timeout`` or an interval that is not a valid number of seconds.
    :raises DeployTimeout: when no value is final in time.
    """
    check_seconds(f"timeout={timeout!r}", timeout, allows_zero=True)
    for name, seconds in (("interval", interval), ("max_interval", max_interval)):
        check_seconds(f"{name}={seconds!r}", seconds)
    start, wait = now(), interval
    while not is_done(value := fetch()):
        elapsed = now() - start
        if elapsed >= timeout:
            subject = description[:1].upper() + description[1:]
            raise DeployTimeout(
                f"{subject} did not finish within {_format_timeout(timeout)}.",
                "The operation may still finish. Check its state on the platform, and then run "
                "the same command again.",
            )
        if report is not None:
            report.advance(int(elapsed), int(timeout), "s")
        sleep(min(wait, timeout - elapsed))
        wait = min(wait * _GROWTH, max_interval)
    return value


def _format_timeout(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min"  # noqa: PLR2004  # minutes read better from two on
