"""A deployment as commands show it."""

from __future__ import annotations

from typing import Any

from mastra_core.pipeline import Deployment
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.pipeline.history import record_deployment
from mastra_deployer.pipeline.session import Session

__all__ = ("answer_change", "lines", "row", "shown")

_SHORT = 12  # characters of an id or a commit that tell it from others


def answer_change(session: Session, made: Deployment, terminal: Terminal) -> None:
    """Remember and show what users see now."""
    record_deployment(session.project, session.choice.name, made)
    terminal.answer({"deployment": shown(made)}, *lines(made))


def shown(deployment: Deployment) -> dict[str, Any]:
    """For ``--json``; what gets a request past the platform's protection is left out."""
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


def lines(deployment: Deployment) -> list[str]:
    """For people, after it was made, promoted or gone back to."""
    state = "building" if deployment.state == "building" else "a draft"
    if deployment.percent is not None:
        state = f"live for {deployment.percent} %"
    elif deployment.live:
        state = "live"
    return [
        f"{deployment.url or deployment.id} is {state} ({deployment.environment}, {deployment.id})",
        *(f"  {line}" for line in deployment.next),
    ]


def row(deployment: Deployment) -> str:
    """For people, one among others."""
    mark = "*" if deployment.live else " "
    share = "" if deployment.percent is None else f" {deployment.percent} %"
    when = deployment.created.astimezone().strftime("%Y-%m-%d %H:%M")
    words = [deployment.branch, deployment.commit[:_SHORT], deployment.message]
    told = " ".join(word for word in words if word)
    state = "" if deployment.state == "ready" else f" {deployment.state}"
    place = f"{deployment.environment}{share}{state}"
    return f"{mark} {deployment.id}  {when}  {place}  {deployment.url}  {told}".rstrip()
