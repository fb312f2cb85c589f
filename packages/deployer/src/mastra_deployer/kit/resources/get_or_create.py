"""Creates a resource that must not exist twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mastra_core.errors import ApiError, DeployTimeout
from mastra_deployer.kit.clock import sleep

__all__ = ("get_or_create",)

T = TypeVar("T")

_LOOKUP_DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds; a list may lag behind a create
_AMBIGUOUS = frozenset((408, 409, 425))  # this request or another one may have created it


def get_or_create(find: Callable[[], T | None], create: Callable[[], T]) -> T:
    """Return the existing resource, or create it; it is never created twice.

    ``create`` may have worked although its response was lost (no response, 408, 409, 425, 5xx).
    So the resource is then looked up again for about 15 seconds. ``create`` is never called
    again: on the next run, ``find`` returns the resource.

    :param find: returns the resource, or ``None`` where it does not exist.
    :param create: creates the resource and returns it.
    :returns: what ``find`` or ``create`` returned.
    :raises ApiError: from ``create``, when the resource is not found afterwards.
    :raises DeployTimeout: from ``create``, when the resource is not found afterwards.
    """
    existing = find()
    if existing is not None:
        return existing
    try:
        return create()
    except (ApiError, DeployTimeout) as error:
        if not _is_ambiguous(error):
            raise
        existing = _find_with_retries(find)
        if existing is None:
            raise
        return existing


def _find_with_retries(find: Callable[[], T | None]) -> T | None:
    for delay in _LOOKUP_DELAYS:
        sleep(delay)
        try:
            existing = find()
        except (ApiError, DeployTimeout):  # the outage that lost the response may go on
            continue
        if existing is not None:
            return existing
    return None


def _is_ambiguous(error: ApiError | DeployTimeout) -> bool:
    status = error.status if isinstance(error, ApiError) else None
    return status is None or status >= 500 or status in _AMBIGUOUS  # noqa: PLR2004  # the server's own errors
