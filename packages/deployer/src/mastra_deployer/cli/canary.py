"""``mastra canary``."""

from __future__ import annotations

import click

from mastra_deployer.cli.deployment import answer_change
from mastra_deployer.cli.options import TARGET, Options, target_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.pipeline.interrupt import explain_interrupt

__all__ = ("canary",)


@click.command()
@click.argument("id")
@click.option(
    "--percent",
    type=click.IntRange(0, 100),
    required=True,
    metavar="N",
    help="Share of the traffic, from 0 to 100.",
)
@TARGET
@target_options
def canary(options: Options, target: str, id: str, percent: int) -> None:
    """Send a share of production's traffic to the deployment ID.

    With --percent 0, the deployment gets no more traffic. With --percent 100, the deployment
    becomes live.
    """
    with Terminal(as_json=options.as_json) as terminal:
        session = options.platform_session(target, terminal, "canary")
        terminal.step(f"Sending {percent} % to {id} on {session.choice.name}")
        with explain_interrupt(
            f"{id} gets either {percent} % of the traffic, or the same share as until now.",
            "Run the same command again.",
        ):
            deployment = session.hooks.set_canary(session.access, id, percent, terminal)
        answer_change(session, deployment, terminal)
