"""Check the numbers in the settings of steps, workflows and engines."""

from __future__ import annotations

from mastra_core.errors import ConfigError, MastraError

__all__ = ("MAX_SECONDS", "check_count", "check_seconds")

MAX_SECONDS = 10**10  # about 317 years; a database cannot store the end of a much longer wait


def check_seconds(what: str, value: object, *, allows_zero: bool = False) -> None:
    """Check a number of seconds.

    :param what: the setting with its value, for the message: ``The timeout 0 of the step 'pay'``.
    :param value: the number.
    :param allows_zero: whether 0 is valid.
    :raises ConfigError: when the value is not a number, is negative, or is too large.
    """
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not (0 < value <= MAX_SECONDS or (allows_zero and value == 0))
    ):
        raise ConfigError(
            f"{what} is not a valid number of seconds.",
            f"Use a number {'of 0 or more' if allows_zero else 'above 0'}, up to {MAX_SECONDS:,}.",
        )


def check_count(
    name: str, value: object, *, least: int, error: type[MastraError] = ConfigError
) -> None:
    """Check a number that counts things, such as retries.

    :param name: the name of the setting.
    :param value: the number.
    :param least: the smallest valid number.
    :param error: the class of the error.
    :raises MastraError: when the value is not an integer, or is too small.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise error(
            f"{name}={value!r} is not a valid number.", f"Use an integer of {least} or more."
        )
