"""``mastra rollback``."""

from __future__ import annotations

import click

from mastra_deployer.cli.deployment import answer_change
from mastra_deployer.cli.options import TARGET, Options, target_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.pipeline.interrupt import explain_interrupt

__all__ = ("rollback",)


@click.command()
@click.argument("id", default="")
@TARGET
@target_options
def rollback(options: Options, target: str, id: str) -> None:
    """Make the deployment ID live again in production.

    Without ID, the previous deployment becomes live.
    """
    with Terminal(as_json=options.as_json) as terminal:
        session = options.platform_session(target, terminal, "rollback")
        previous = id or "the previous deployment"
        terminal.step(f"Rolling back to {previous} on {session.choice.name}")
        with explain_interrupt(
            f"Users see either {previous} or the deployment that was live until now.",
            # Without an ID, the same command might go back by one more deployment.
            "Run the same command again."
            if id
            else f"See which deployment is live: mastra deployments {session.choice.name}.",
        ):
            deployment = session.hooks.rollback(session.access, id, terminal)
        answer_change(session, deployment, terminal)
