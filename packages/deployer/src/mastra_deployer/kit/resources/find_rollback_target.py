"""Find the deployment that a rollback makes live."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mastra_core.errors import DeployError
from mastra_deployer.kit.resources.require_deployed import require_deployed

__all__ = ("find_rollback_target",)

T = TypeVar("T")

_LIST_HINT = "`mastra deployments` lists the deployments."


def find_rollback_target(
    id: str,
    find_previous: Callable[[], str | None],
    find: Callable[[str], T | None],
    *,
    was_live: Callable[[T], bool] | None = None,
) -> T:
    """Return the deployment with an id, or else the deployment that was live before.

    :param id: the id that ``mastra_rollback`` receives; empty for the previous deployment.
    :param find_previous: returns the id of the deployment that was live before in production;
        ``None`` or empty if there is none.
    :param find: returns the deployment with an id, or ``None``.
    :param was_live: returns whether a deployment was ever live in production, if the platform can
        tell. A rollback cannot make a draft live: a draft can only be promoted.
    :raises DeployError: when there is no such deployment, or it was never live.
    """
    target = require_deployed(
        id or find_previous(), "The app has no earlier deployment in production.", _LIST_HINT
    )
    item = require_deployed(find(target), f"There is no deployment {target!r}.", _LIST_HINT)
    if was_live is not None and not was_live(item):
        raise DeployError(
            f"{target!r} was never in production, so a rollback to it is not possible.",
            f"Promote it: mastra promote {target}.",
        )
    return item
