"""Check the types of arguments, so that a wrong type is reported with a cure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mastra_core.errors import ConfigError

__all__ = ("refuse_text", "require_list", "require_mapping")


def require_list(value: Any, name: str) -> None:
    """Raise an error if an argument is neither a list nor a tuple.

    :param value: the argument.
    :param name: the name of the argument.
    :raises ConfigError: for any other type.
    """
    if not isinstance(value, list | tuple):
        raise ConfigError(
            f"The argument {name!r} has the wrong type {type(value).__name__!r}.",
            f"Pass a list: {name}=[...].",
        )


def require_mapping(value: Any, name: str) -> None:
    """Raise an error if an argument is not a mapping.

    :param value: the argument.
    :param name: the name of the argument.
    :raises ConfigError: for any other type.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"The argument {name!r} has the wrong type {type(value).__name__!r}.",
            f'Pass a mapping: {name}={{"name": ...}}.',
        )


def refuse_text(value: Any, name: str, owner: str) -> None:
    """Raise an error for text in place of a collection of texts.

    Without this check, a text would pass as a list of its characters, and ``in`` would search it
    for substrings.

    :param value: the argument.
    :param name: the name of the argument.
    :param owner: the class that has the argument.
    :raises ConfigError: for text.
    """
    if isinstance(value, str):
        raise ConfigError(
            f"{name}={value!r} is text, but {owner} needs a list.",
            f"Write {name}={value.split()!r}.",
        )
