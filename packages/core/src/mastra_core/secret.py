"""Hold secrets that are never printed by accident."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from mastra_core.errors import ConfigError

__all__ = ("Secret", "count_secrets", "iter_secret_values", "reveal_all")

_secrets: weakref.WeakValueDictionary[int, Secret] = weakref.WeakValueDictionary()
_count = itertools.count(1)
_last_number = 0


class Secret:
    """A credential that prints as ``****``; only ``reveal()`` returns its value.

    ``Secret("value")`` holds a value. ``Secret.env("NAME")`` holds the name of an environment
    variable, which only ``reveal()`` reads. The variable may be unset during a build.

    :param value: the value.
    :raises ConfigError: for an empty value, because an empty token is always a mistake; and for a
        value that is not text.
    """

    __slots__ = ("__weakref__", "_name", "_revealed", "_value")

    def __init__(self, value: str) -> None:
        _check_value(value)
        self._value = value
        self._name = ""
        self._revealed = value  # the value that log lines mask
        _remember(self)

    @classmethod
    def env(cls, name: str) -> Secret:
        """Return a secret that refers to an environment variable; ``reveal()`` reads the variable.

        :param name: name of the variable.
        """
        secret = cls(name)
        secret._value, secret._name = "", name
        secret._revealed = os.environ.get(name, "")
        return secret

    @property
    def name(self) -> str:
        """The environment variable of the secret; empty if the secret holds a value."""
        return self._name

    def reveal(self) -> str:
        """Return the value of the secret.

        :raises ConfigError: when the environment variable is not set.
        """
        value = self._value or os.environ.get(self._name, "")
        if not value.strip():
            raise ConfigError(
                f"The environment variable {self._name!r} is not set.",
                f"Set the variable, or put {self._name}=... in .env.",
            )
        if value != self._revealed:  # the variable was set, or has changed
            self._revealed = value
            _set_last_number(next(_count))
        return value

    def __repr__(self) -> str:
        return "****"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("****", spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return (self._name, self._value) == (other._name, other._value)

    def __hash__(self) -> int:
        return hash((self._name, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Secret cannot be pickled, because its value would leave this process unencrypted"
        )


def _check_value(value: Any) -> None:
    if not isinstance(value, str | None):
        raise ConfigError(
            f"A secret has the type {type(value).__name__!r}, which is not text.",
            "Pass text: Secret(str(value)).",
        )
    if not (value or "").strip():  # os.getenv gives None
        raise ConfigError(
            "A secret is empty.", "Set the environment variable that the secret comes from."
        )


def _remember(secret: Secret) -> None:
    """Keep a weak reference to a secret, whose value is masked in log lines."""
    number = next(_count)
    _secrets[number] = secret
    _set_last_number(number)  # last, because a reader that sees the number expects the secret


def _set_last_number(number: int) -> None:
    global _last_number  # noqa: PLW0603  # read for every log line; a look-up would cost more
    _last_number = number


def count_secrets() -> int:
    """Return a number that changes when a secret is created or reveals a new value."""
    return _last_number


def iter_secret_values() -> Iterator[str]:
    """Yield the value of each existing secret, including values of environment variables."""
    for secret in list(_secrets.values()):
        yield secret._value or os.environ.get(secret._name, "")  # noqa: SLF001  # of this module


def reveal_all(values: Mapping[str, str | Secret]) -> dict[str, str]:
    """Return texts by name, in which each secret is replaced by its value.

    :param values: texts and secrets by name, such as headers.
    :raises ConfigError: when the environment variable of a secret is not set.
    """
    return {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in values.items()
    }
