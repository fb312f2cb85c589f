"""Create a resource only once, even if the platform's response is lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import TypeVar

from mastra_core.errors import ApiError, DeployTimeout
from mastra_deployer.kit.clock import sleep

__all__ = ("create_new", "get_or_create")

T = TypeVar("T")

_LOOKUP_DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds; a list may lag behind a create
_AMBIGUOUS = frozenset((408, 409, 425))  # the resource may exist after these answers


def get_or_create(
    find: Callable[[], T | None],
    create: Callable[[], T],
    *,
    conflict_codes: Collection[int | str] = (),
) -> T:
    """Return the existing resource, or create it; never create it twice.

    After a lost response, a 408, 409, 425 or 5xx, ``create`` may still have succeeded. Therefore
    ``find`` is called again for about 15 seconds, and ``create`` is not. If the resource appears
    later, ``find`` returns it in the next run.

    :param find: returns the resource, or ``None`` or an empty value if it does not exist.
    :param create: creates the resource and returns it.
    :param conflict_codes: further statuses and codes of the platform that mean "another request may
        have created it", such as 412 or ``EntityAlreadyExists``.
    :returns: the object that ``find`` or ``create`` returned.
    :raises ApiError: from ``create``, when the resource is not found afterwards.
    :raises DeployTimeout: from ``create``, when the resource is not found afterwards.
    """
    existing = find()
    return existing or _create_once(find, create, frozenset(conflict_codes))


def create_new(
    list_similar: Callable[[], Iterable[T]],
    create: Callable[[], T],
    *,
    get_id: Callable[[T], Hashable],
) -> T:
    """Create a resource that has no name, such as a deployment; never create it twice.

    ``list_similar`` is called before ``create``. If an error does not tell whether ``create``
    succeeded, ``list_similar`` is called again. If the second list contains one more resource than
    the first list, ``create`` has created this resource.

    :param list_similar: returns the existing resources that look like the new one.
    :param create: creates the resource and returns it.
    :param get_id: returns the platform's id of a resource.
    :returns: the new resource.
    :raises ApiError: from ``create``, when no new resource is found afterwards.
    :raises DeployTimeout: from ``create``, when no new resource is found afterwards.
    """
    existing = {get_id(item) for item in list_similar()}

    def find() -> T | None:
        return next((item for item in list_similar() if get_id(item) not in existing), None)

    return _create_once(find, create, frozenset())


def _create_once(
    find: Callable[[], T | None], create: Callable[[], T], conflict_codes: frozenset[int | str]
) -> T:
    """Create a resource; if the response does not tell whether it was created, look for it."""
    try:
        return create()
    except (ApiError, DeployTimeout) as error:
        if not _is_ambiguous(error, conflict_codes):
            raise
        existing = _find_with_retries(find)
        if not existing:
            raise
        return existing


def _find_with_retries(find: Callable[[], T | None]) -> T | None:
    for delay in _LOOKUP_DELAYS:
        sleep(delay)
        try:
            existing = find()
        except (ApiError, DeployTimeout):  # the outage that lost the response may continue
            continue
        if existing:
            return existing
    return None


def _is_ambiguous(error: ApiError | DeployTimeout, conflict_codes: frozenset[int | str]) -> bool:
    status = error.status if isinstance(error, ApiError) else None
    code = error.code if isinstance(error, ApiError) else ""
    if status in conflict_codes or code in conflict_codes:
        return True
    return status is None or status >= 500 or status in _AMBIGUOUS  # noqa: PLR2004  # the server's own errors
