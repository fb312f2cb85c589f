"""``mastra promote``."""

from __future__ import annotations

import click

from mastra_deployer.cli.deployment import answer_change
from mastra_deployer.cli.options import TARGET, Options, target_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.pipeline.deployment_history import find_production_fingerprint
from mastra_deployer.pipeline.interrupt import explain_interrupt

__all__ = ("promote",)


@click.command()
@click.argument("id")
@TARGET
@target_options
def promote(options: Options, target: str, id: str) -> None:
    """Make the deployment ID live in production, without a new build."""
    with Terminal(as_json=options.as_json) as terminal:
        session = options.platform_session(target, terminal, "promote")
        terminal.step(f"Promoting {id} on {session.choice.name}")
        fingerprint = find_production_fingerprint(session.project, session.choice.record_name, id)
        with explain_interrupt(
            f"Users see either {id} or the deployment that was live until now.",
            "Run the same command again.",
        ):
            deployment = session.hooks.promote(session.access, id, terminal, fingerprint)
        answer_change(session, deployment, terminal)
