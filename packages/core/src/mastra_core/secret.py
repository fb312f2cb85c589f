"""Hold secrets that are never printed by accident."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Iterator
from typing import Any, NoReturn

from mastra_core.errors import ConfigError

__all__ = ("Secret", "count_secrets", "iter_secret_values")

_secrets: weakref.WeakValueDictionary[int, Secret] = weakref.WeakValueDictionary()
_count = itertools.count(1)
_last_number = 0


class Secret:
    """A credential that prints as ``****``; only ``reveal()`` returns its value.

    ``Secret("value")`` holds a value. ``Secret.env("NAME")`` holds the name of an environment
    variable. ``reveal()`` reads the variable. A build therefore does not need the variable.

    :param value: the value.
    :raises ConfigError: for an empty value, because an empty token is always a mistake; and for a
        value that is not text.
    """

    __slots__ = ("__weakref__", "_name", "_value")

    def __init__(self, value: str) -> None:
        _check_value(value)
        self._value = value
        self._name = ""
        _remember(self)

    @classmethod
    def env(cls, name: str) -> Secret:
        """Return a secret that refers to an environment variable; ``reveal()`` reads the variable.

        :param name: name of the variable.
        """
        secret = cls(name)
        secret._value, secret._name = "", name
        return secret

    @property
    def name(self) -> str:
        """The environment variable of the secret; empty if the secret holds a value."""
        return self._name

    def reveal(self) -> str:
        """Return the value itself.

        :raises ConfigError: when the environment variable is not set.
        """
        value = self._value or os.environ.get(self._name, "")
        if not value.strip():
            raise ConfigError(
                f"The environment variable {self._name!r} is not set.",
                f"Set it, or put {self._name}=... in .env.",
            )
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
        raise ConfigError("A secret is empty.", "Set the environment variable that it comes from.")


def _remember(secret: Secret) -> None:
    """Keep a weak reference to a secret, so that a log line cannot show its value."""
    global _last_number  # noqa: PLW0603  # read for every log line; a look-up would cost more
    _last_number = next(_count)
    _secrets[_last_number] = secret


def count_secrets() -> int:
    """Return the number of secrets that were created so far."""
    return _last_number


def iter_secret_values() -> Iterator[str]:
    """Yield the value of each existing secret, also if an environment variable has the value."""
    for secret in list(_secrets.values()):
        yield secret._value or os.environ.get(secret._name, "")  # noqa: SLF001  # of this module
