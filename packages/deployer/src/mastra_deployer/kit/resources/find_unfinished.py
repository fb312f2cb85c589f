"""Find the unfinished deployment of an interrupted deploy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import TypeVar

from mastra_core.pipeline import Deployment, DeployRequest

__all__ = ("find_unfinished",)

T = TypeVar("T")


def find_unfinished(
    items: Iterable[T],
    request: DeployRequest,
    to_deployment: Callable[[T], Deployment],
    *,
    get_change_time: Callable[[], dt.datetime | None] | None = None,
) -> T | None:
    """Return the unfinished deployment of an interrupted run of the same deploy, or ``None``.

    Only the newest deployment of the stage is considered. The unfinished deployment has the
    fingerprint of the request, and is still building or is a draft. Wait for the returned
    deployment instead of creating a second one.

    :param items: deployments as the platform describes them, newest first. Only the items up to the
        newest deployment of the stage are read.
    :param request: options of the deploy.
    :param to_deployment: converts an item to a ``Deployment``.
    :param get_change_time: returns the time at which a variable of the stage was last changed. A
        draft that is older than the change is not returned. Without ``get_change_time``, a draft
        that is ready is never returned.
    """
    for item in items:
        deployment = to_deployment(item)
        if deployment.environment != request.environment:
            continue
        if not deployment.fingerprint == request.fingerprint != "":
            return None
        if deployment.state == "building":
            return item
        if get_change_time is None or not _is_equal_draft(deployment, request):
            return None
        change_time = get_change_time()
        return item if change_time is None or change_time <= deployment.created else None
    return None


def _is_equal_draft(deployment: Deployment, request: DeployRequest) -> bool:
    """Return whether a deployment is a draft equal to the draft that the request would create."""
    is_draft = deployment.draft and deployment.state == "ready" and not deployment.live
    return is_draft and request.message in ("", deployment.message)
