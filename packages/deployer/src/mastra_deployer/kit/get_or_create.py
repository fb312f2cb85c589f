"""Makes something that must not be there twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mastra_core.errors import ApiError, DeployTimeout
from mastra_deployer.kit.clock import sleep

__all__ = ("get_or_create",)

T = TypeVar("T")

_LOOKS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before each; a list may lag behind a create
_DOUBTFUL = frozenset((408, 409, 425))  # it may be there: from this request or from another's


def get_or_create(find: Callable[[], T | None], create: Callable[[], T]) -> T:
    """What ``find`` finds, else what ``create`` makes; never made twice.

    When the answer to ``create`` is lost (no answer, 5xx, 409), it may have been made all the
    same, so it is looked for again for some seconds. It is never created a second time here: run
    again, ``find`` knows.

    :param find: ``None`` where it is not there.
    :raises ApiError: from ``create``, when it is not there afterwards.
    :raises DeployTimeout: likewise.
    """
    there = find()
    if there is not None:
        return there
    try:
        return create()
    except (ApiError, DeployTimeout) as error:
        if not _is_doubtful(error):
            raise
        there = _look_again(find)
        if there is None:
            raise
        return there


def _look_again(find: Callable[[], T | None]) -> T | None:
    for pause in _LOOKS:
        sleep(pause)
        try:
            there = find()
        except (ApiError, DeployTimeout):  # what lost the answer may still be going on
            continue
        if there is not None:
            return there
    return None


def _is_doubtful(error: ApiError | DeployTimeout) -> bool:
    status = error.status if isinstance(error, ApiError) else None
    return status is None or status >= 500 or status in _DOUBTFUL  # noqa: PLR2004  # the server's own errors
