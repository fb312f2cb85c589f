"""Format a deployment for the output of commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mastra_core.pipeline import Deployment
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.output.columns import align_columns
from mastra_deployer.pipeline.deployment_history import record_deployment
from mastra_deployer.pipeline.session import Session

__all__ = ("answer_change", "format_lines", "format_rows", "to_json")

_SHORT = 12  # characters of a commit that identify it


def answer_change(session: Session, deployment: Deployment, terminal: Terminal) -> None:
    """Record the change of a deployment in the history, and print the deployment.

    :param session: the session of the target.
    :param deployment: the deployment after the change.
    :param terminal: prints the result.
    """
    record_deployment(session.project, session.choice.record_name, deployment, session.report)
    terminal.answer({"deployment": to_json(deployment)}, *format_lines(deployment))


def to_json(deployment: Deployment) -> dict[str, Any]:
    """Convert a deployment to JSON, without the headers that give access to it.

    :param deployment: the deployment.
    """
    return {
        "target": deployment.target,
        "id": deployment.id,
        "url": deployment.url,
        "environment": deployment.environment,
        "created": deployment.created.isoformat(),
        "live": deployment.live,
        "state": deployment.state,
        "percent": deployment.percent,
        "branch": deployment.branch,
        "message": deployment.message,
        "commit": deployment.commit,
    }


def format_lines(deployment: Deployment) -> list[str]:
    """Format a deployment that was created, promoted or restored.

    :param deployment: the deployment.
    """
    state = "building" if deployment.state == "building" else "a draft"
    if deployment.percent is not None:
        state = f"live for {deployment.percent} %"
    elif deployment.live:
        state = "live"
    return [
        f"{deployment.url or deployment.id} is {state} ({deployment.environment}, {deployment.id})",
        *(f"  {line}" for line in deployment.next),
    ]


def format_rows(deployments: Sequence[Deployment]) -> list[str]:
    """Format deployments as the rows of a list.

    :param deployments: the deployments.
    """
    return align_columns([_list_columns(deployment) for deployment in deployments])


def _list_columns(deployment: Deployment) -> list[str]:
    mark = "*" if deployment.live else " "
    share = "" if deployment.percent is None else f" {deployment.percent} %"
    created = deployment.created.astimezone().strftime("%Y-%m-%d %H:%M")
    parts = [deployment.branch, deployment.commit[:_SHORT], deployment.message]
    source = " ".join(part for part in parts if part)
    state = "" if deployment.state == "ready" else f" {deployment.state}"
    stage = f"{deployment.environment}{share}{state}"
    return [f"{mark} {deployment.id}", created, stage, deployment.url, source]
