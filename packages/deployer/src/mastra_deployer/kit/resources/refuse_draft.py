"""Refuse a deploy that must not be published, on a platform without drafts."""

from __future__ import annotations

from mastra_core.errors import DeployError
from mastra_core.pipeline import DeployRequest

__all__ = ("refuse_draft",)


def refuse_draft(request: DeployRequest, hint: str = "") -> None:
    """Raise an error for ``--no-promote``, because each deploy to the platform is published.

    :param request: options of the deploy.
    :param hint: the hint of the error; if empty, the hint says to deploy a preview.
    :raises DeployError: when a deploy to production must not be published.
    """
    if request.environment == "production" and not request.promote:
        raise DeployError(
            "The platform publishes each deploy to production at once, so --no-promote is not "
            "possible.",
            hint or "Deploy without --no-promote. Or deploy a preview, without --prod.",
        )
