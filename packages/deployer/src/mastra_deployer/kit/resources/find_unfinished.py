"""Find the unfinished deployment of an interrupted deploy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from mastra_core.pipeline import Deployment, DeployRequest

__all__ = ("find_unfinished",)

T = TypeVar("T")


def find_unfinished(
    items: Iterable[T], request: DeployRequest, to_deployment: Callable[[T], Deployment]
) -> T | None:
    """Return the unfinished deployment of an interrupted run of the same deploy, or ``None``.

    This is the newest deployment of its stage. It has the fingerprint of the request and is still
    building. Wait for it instead of creating a second deployment.

    :param items: deployments as the platform describes them, newest first. Only the items up to the
        newest one of the stage are read.
    :param request: options of the deploy.
    :param to_deployment: converts an item.
    """
    for item in items:
        deployment = to_deployment(item)
        if deployment.environment == request.environment:
            is_same = deployment.fingerprint == request.fingerprint != ""
            return item if is_same and deployment.state == "building" else None
    return None
