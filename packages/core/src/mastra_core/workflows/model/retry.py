"""The retry policy of a step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any

from mastra_core.arguments.number_checks import check_count, check_seconds
from mastra_core.errors import ConfigError, Forbidden, InvalidInput

__all__ = ("Retry", "as_retry")

_NEVER_RETRIED = frozenset((InvalidInput.__name__, Forbidden.__name__))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retry:
    """A retry policy with exponential backoff.

    :param count: the number of retries after the first attempt.
    :param delay: the seconds before the first retry.
    :param factor: the factor by which each further delay grows.
    :param max_delay: the maximum seconds before a retry.
    :param on: the exceptions after which a step is retried; all by default.
    :raises ConfigError: for an invalid number, or if ``on`` contains a value that is not an
        exception class.
    """

    count: int = 3
    delay: float = 0.0
    factor: float = 2.0
    max_delay: float = 60.0
    on: tuple[type[Exception], ...] = (Exception,)

    def __post_init__(self) -> None:
        check_count("count", self.count, least=0)
        for name in ("delay", "max_delay"):
            value = getattr(self, name)
            check_seconds(f"The value {name}={value!r} of Retry", value, allows_zero=True)
        factor: Any = self.factor
        if not isinstance(factor, int | float) or not 0 <= factor < math.inf:
            raise ConfigError(
                f"The value factor={self.factor!r} of Retry is not valid.",
                "Use a number of 0 or more.",
            )
        on: Any = self.on
        if not isinstance(on, tuple) or not all(_is_exception(each) for each in on):
            raise ConfigError(
                f"The value on={on!r} of Retry is not a tuple of exceptions.",
                "Write a tuple of exception classes: on=(OSError, TimeoutError).",
            )

    def covers(self, error: str) -> bool:
        """Return whether the failure of a nested workflow or of a child run is retried.

        ``error`` is a name, because the exception may have been raised in another process.

        :param error: the name of the exception's class.
        """
        if error in _NEVER_RETRIED:
            return False
        return Exception in self.on or error in {each.__name__ for each in _iter_classes(self.on)}

    def get_delay(self, attempt: int) -> float:
        """Return the seconds between a failed attempt and the next attempt.

        :param attempt: the number of the failed attempt, from 1.
        """
        if not self.delay:
            return 0.0
        try:
            delay = float(self.delay * self.factor ** (attempt - 1))
        except OverflowError:  # after hundreds of attempts
            return float(self.max_delay)
        return min(float(self.max_delay), delay)


def _is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _iter_classes(classes: Iterable[type]) -> Iterator[type]:
    """Yield classes and all their subclasses."""
    for each in classes:
        yield each
        yield from _iter_classes(each.__subclasses__())


def as_retry(value: object) -> Retry | None:
    """Convert a value to a retry policy.

    :param value: a policy, the number of retries, or ``None``.
    :raises ConfigError: for a value of another type.
    """
    if value is None or isinstance(value, Retry):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Retry(count=value)
    raise ConfigError(
        f"retry={value!r} is not a retry policy.", "Pass a count or Retry(count=3, delay=0.5)."
    )
