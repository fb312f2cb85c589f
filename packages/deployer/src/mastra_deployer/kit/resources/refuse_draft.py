"""Refuse ``--no-promote`` on a platform that publishes each deploy at once."""

from __future__ import annotations

from mastra_core.errors import DeployError
from mastra_core.pipeline import DeployRequest

__all__ = ("refuse_draft",)


def refuse_draft(request: DeployRequest) -> None:
    """Raise an error for ``--no-promote``, because each deploy to the platform is published.

    :param request: options of the deploy.
    :raises DeployError: for a deploy to production with ``--no-promote``.
    """
    if request.environment == "production" and not request.promote:
        raise DeployError(
            "The platform publishes each deploy to production at once, so --no-promote is not "
            "possible.",
            "Deploy without --no-promote. Or deploy a preview, without --prod.",
        )
