"""Convert errors that the content of a response causes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mastra_core.errors import ApiError

__all__ = ("convert_response_errors",)

_WRONG_CONTENT = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


@contextlib.contextmanager
def convert_response_errors(name: str) -> Iterator[None]:
    """Within the block, convert errors about a response's fields and types to ``ApiError``.

    Without this conversion, a ``KeyError`` from ``response.json()["id"]``, for example, would look
    like a defect of the deployer.

    :param name: the platform's name in the error.
    :raises ApiError: for the exceptions that wrong content causes.
    """
    from httpx import InvalidURL  # loaded on use: importing the kit must not load httpx

    try:
        yield
    except (*_WRONG_CONTENT, InvalidURL, RecursionError) as error:
        raise ApiError(
            f"A response from {name} has unexpected content: {type(error).__name__}: {error}.",
            "Check the address of the platform and any proxy. If both are correct, report this "
            "with the traceback that the command prints with -v.",
        ) from error
