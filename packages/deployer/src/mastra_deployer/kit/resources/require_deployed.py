"""Raise an error if a command needs a resource that only a deploy creates."""

from __future__ import annotations

from collections.abc import Sized
from typing import TypeVar

from mastra_core.errors import DeployError

__all__ = ("require_deployed",)

T = TypeVar("T")


def require_deployed(value: T | None, message: str, hint: str = "") -> T:
    """Return a value that was found on the platform, or raise an error if there is none.

    :param value: the value that was found; ``None`` or empty if there is no value.
    :param message: the error, such as ``Acme has no app 'shop'.``
    :param hint: the hint of the error; if empty, the hint says to deploy first.
    :raises DeployError: when nothing was found.
    """
    if value is None or (isinstance(value, Sized) and not len(value)):
        raise DeployError(message, hint or "Deploy first: mastra deploy.")
    return value
