"""Refuse a share of the traffic for a deployment that cannot be a canary."""

from __future__ import annotations

from mastra_core.errors import DeployError

__all__ = ("refuse_live_canary", "refuse_other_canary")


def refuse_other_canary(id: str, canary_id: str) -> None:
    """Raise an error if another deployment is a canary.

    :param id: the deployment that shall get traffic.
    :param canary_id: the deployment that is a canary; empty if there is none.
    :raises DeployError: when the two ids differ, and there is a canary.
    """
    if canary_id not in ("", id):
        raise DeployError(
            f"Another deployment, {canary_id}, already receives a share of the traffic.",
            f"First, end this canary: mastra canary {canary_id} --percent 0.",
        )


def refuse_live_canary(id: str, live_id: str) -> None:
    """Raise an error if a deployment already has all of the traffic.

    :param id: the deployment that shall get a share of the traffic.
    :param live_id: the deployment that has all of the traffic; empty if there is none.
    :raises DeployError: when the two ids are equal.
    """
    if id == live_id:
        raise DeployError(
            f"{id} already receives all of the traffic, so it cannot be a canary.",
            "Deploy another version with --prod --no-promote, and pass its id to mastra canary.",
        )
