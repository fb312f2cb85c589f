"""``mastra deployments``."""

from __future__ import annotations

import click

from mastra_deployer.cli.deployment import format_rows, to_json
from mastra_deployer.cli.options import Options, target_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.pipeline.deployment_history import list_known_deployments

__all__ = ("deployments",)


@click.command()
@click.argument("target", default="")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Maximum number of deployments.",
)
@target_options
def deployments(options: Options, target: str, limit: int) -> None:
    """List the deployments on TARGET, the newest first. A * marks the live deployment."""
    with Terminal(as_json=options.as_json) as terminal:
        session = options.platform_session(target, terminal)
        if session.hooks.has_hook("deployments"):
            items = session.hooks.list_deployments(session.access, limit)[:limit]
        else:
            items = list_known_deployments(session.project, session.choice.record_name)[:limit]
            terminal.note(
                f"{session.choice.name} cannot list deployments. This list has deployments from "
                "this machine only."
            )
        rows = format_rows(items) or ["There is no deployment yet."]
        terminal.answer({"deployments": [to_json(item) for item in items]}, *rows)
