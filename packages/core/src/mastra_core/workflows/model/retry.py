"""When a step that failed is tried again."""

from __future__ import annotations

import dataclasses

from mastra_core.errors import ConfigError

__all__ = ("Retry", "as_retry")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retry:
    """How often, how soon, and after which exceptions.

    :param count: tries after the first one.
    :param delay: seconds before the second try.
    :param factor: what each further delay is multiplied by.
    :param longest: the most seconds between two tries.
    :param on: exceptions that are worth another try; all of them by default.
    :raises ConfigError: for a number that makes no sense.
    """

    count: int = 3
    delay: float = 0.0
    factor: float = 2.0
    longest: float = 60.0
    on: tuple[type[Exception], ...] = (Exception,)

    def __post_init__(self) -> None:
        for name in ("count", "delay", "factor", "longest"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or value < 0:
                raise ConfigError(f"Retry has {name}={value!r}.", "Use a number from 0 up.")

    def wait(self, attempt: int) -> float:
        """Seconds between a failed ``attempt`` (1 is the first) and the next one."""
        return float(min(self.longest, self.delay * self.factor ** (attempt - 1)))


def as_retry(value: object) -> Retry | None:
    """A policy, or a count of tries after the first.

    :raises ConfigError: for anything else.
    """
    if value is None or isinstance(value, Retry):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Retry(count=value)
    raise ConfigError(f"retry is {value!r}.", "Pass a count or Retry(count=3, delay=0.5).")
