"""``mastra deploy --dry-run``."""

from __future__ import annotations

import dataclasses

from mastra_core.pipeline import Bundle, DeployRequest, Plan
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.files.human_size import format_bytes
from mastra_deployer.pipeline.session import Session

__all__ = ("answer_plan",)


def answer_plan(
    session: Session, bundle: Bundle, request: DeployRequest, terminal: Terminal
) -> None:
    """Print what a deploy would change on the platform, and change nothing.

    :param session: the session of the target.
    :param bundle: the bundle to deploy.
    :param request: the request to send.
    :param terminal: prints the result.
    """
    if session.hooks.has_hook("plan"):
        plan = session.hooks.plan(session.access, bundle, request)
    else:
        note = (
            f"The deployer of {session.choice.name} cannot tell which files the platform "
            "already has."
        )
        size = sum(path.stat().st_size for path in bundle.iter_files())
        plan = Plan(environment=tuple(request.env), upload=size, notes=(note,))
    terminal.answer(
        {"plan": {"stage": request.environment, **dataclasses.asdict(plan)}},
        f"{session.choice.name}, {request.environment}:",
        *(f"  create {item}" for item in plan.creates),
        *(f"  change {item}" for item in plan.changes),
        *(f"  set {name}" for name in plan.environment),
        f"  send {format_bytes(plan.upload)}; the platform already has "
        f"{format_bytes(plan.present)}",
        *(f"  {note}" for note in plan.notes),
    )
