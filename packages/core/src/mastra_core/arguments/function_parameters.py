"""Inspect the signature of a function, and check which arguments the function takes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

from mastra_core.errors import ConfigError

__all__ = ("check_parameters", "get_signature")


def get_signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a function, without evaluating its annotations.

    By default, Python 3.14 evaluates them, which fails for a name that only a type checker imports.

    :param function: any callable.
    :raises ValueError: when the function is a builtin without a signature.
    """
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.STRING)
    return inspect.signature(function)


def check_parameters(function: Callable[..., Any], name: str, *parameters: str) -> None:
    """Raise an error if a function cannot be called with a number of positional arguments.

    A builtin without a signature is accepted.

    :param function: the function.
    :param name: the name of the argument that the function was passed as.
    :param parameters: the names of the arguments that the function gets, for the hint.
    :raises ConfigError: when the function takes fewer arguments, or needs further ones.
    """
    try:
        signature = get_signature(function)
    except ValueError:
        return
    try:
        signature.bind(*parameters)
    except TypeError as error:
        label = getattr(function, "__qualname__", None) or repr(function)
        raise ConfigError(
            f"The function {label!r}, passed as {name}, cannot be called: {error}.",
            f"Write a function with the parameters ({', '.join(parameters)}).",
        ) from None
