"""The retry policy of a step."""

from __future__ import annotations

import dataclasses

from mastra_core.errors import ConfigError

__all__ = ("Retry", "as_retry")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retry:
    """A retry policy with exponential backoff.

    :param count: the number of retries after the first attempt.
    :param delay: the seconds before the first retry.
    :param factor: the factor by which each further delay grows.
    :param max_delay: the maximum seconds before a retry.
    :param on: the exceptions after which a step is retried; all by default.
    :raises ConfigError: for a negative number, or a value that is not a number.
    """

    count: int = 3
    delay: float = 0.0
    factor: float = 2.0
    max_delay: float = 60.0
    on: tuple[type[Exception], ...] = (Exception,)

    def __post_init__(self) -> None:
        for name in ("count", "delay", "factor", "max_delay"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or value < 0:
                raise ConfigError(
                    f"The value {name}={value!r} of Retry is not valid.",
                    "Use a number of 0 or more.",
                )

    def get_delay(self, attempt: int) -> float:
        """Return the seconds between a failed attempt and the next attempt.

        :param attempt: the number of the failed attempt, from 1.
        """
        return float(min(self.max_delay, self.delay * self.factor ** (attempt - 1)))


def as_retry(value: object) -> Retry | None:
    """Convert a value to a retry policy.

    :param value: a policy, the number of retries, or ``None``.
    :raises ConfigError: for any other value.
    """
    if value is None or isinstance(value, Retry):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Retry(count=value)
    raise ConfigError(
        f"retry={value!r} is not a retry policy.", "Pass a count or Retry(count=3, delay=0.5)."
    )
